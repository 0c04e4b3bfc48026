"""What every test runs under: no AWS settings of the machine, no real network."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

# A busy machine must not fail a property: examples are counted, not timed.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_aws_settings(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("AWS_", "BEDROCK_DISTILL_CATALOG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch):
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            raise AssertionError(f"A test tried to reach {address[0]}: tests stay on this machine.")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def in_a_notebook():
    """What a notebook shows of a value that has no HTML form."""

    def show(value) -> str:
        shown = []
        value._repr_pretty_(SimpleNamespace(text=shown.append), cycle=False)
        return "".join(shown)

    return show


@pytest.fixture(scope="session")
def needs_spark():
    """Skips where Spark cannot be started, with the reason."""
    from bedrock_distill.errors import MissingDependencyError
    from bedrock_distill.harvest.engines.spark_start import require_spark

    try:
        require_spark()
    except MissingDependencyError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parent.parent


def _trained(model):
    """What a trainer says that has left this model."""
    from bedrock_distill.train.events import StepMetric, TrainResult

    return TrainResult(
        model_dir=model,
        steps=1,
        training_loss=0.5,
        validation_loss=0.7,
        tokens=10,
        seconds=0.1,
        step_metrics=[StepMetric(step=1, epoch=1.0, training_loss=0.5, validation_loss=0.7)],
        stopped=False,
    )


@pytest.fixture
def trainer():
    """A trainer that trains nothing, for clouds in tests of everything else; a test may name another by parametrizing it."""

    def train_nothing(config, *, on_event=None, stop=None):
        model = Path(config.output_dir) / "model"
        model.mkdir(parents=True)
        (model / "config.json").write_text("{}")
        return _trained(model)

    return train_nothing


@pytest.fixture
def untaught(student_dir):
    """A trainer that teaches nothing and leaves a model that answers."""

    def teach_nothing(config, *, on_event=None, stop=None):
        return _trained(Path(shutil.copytree(student_dir, Path(config.output_dir) / "model")))

    return teach_nothing


@pytest.fixture(scope="session")
def student_dir(tmp_path_factory) -> Path:
    """The Hugging Face directory of a small student that has learned nothing. Do not write to it."""
    from bedrock_distill.train.base import make_base
    from bedrock_distill.train.config import SIZES

    directory = tmp_path_factory.mktemp("models") / "student"
    make_base(SIZES["tiny"], directory, seed=1)
    return directory


def pytest_collection_modifyitems(items):
    """Each worker begins with its share of the slow tests: whoever is left with one at the end keeps everybody waiting.

    Workers take equal lengths of this list, and those that are done take from the ends of the others'.
    """

    def seconds(item):
        marker = item.get_closest_marker("slow")
        return 0 if marker is None else marker.kwargs.get("seconds", 10)

    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    shares = [[] for _ in range(workers)]
    for item in sorted(filter(seconds, items), key=seconds, reverse=True):
        min(shares, key=lambda share: sum(map(seconds, share))).append(item)
    quick = [item for item in items if not seconds(item)]
    placed = 0
    for number, share in enumerate(shares):
        length = (len(items) - placed) // (workers - number)
        filling = max(0, length - len(share))
        share.extend(quick[:filling])
        del quick[:filling]
        placed += length
    items[:] = [item for share in shares for item in share]
