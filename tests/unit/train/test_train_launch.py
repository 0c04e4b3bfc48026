from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bedrock_distill.errors import DataError, JobFailedError, MissingDependencyError, SpecError
from bedrock_distill.train import TrainEvent, launch
from bedrock_distill.train.events import PROTOCOL, decode_event, encode_event


@pytest.fixture
def shadow(tmp_path, monkeypatch):
    """Puts a module in front of an installed one, in the processes started by a test."""

    def put(name, code):
        directory = tmp_path / "shadow"
        directory.mkdir(exist_ok=True)
        (directory / f"{name}.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(directory))

    return put


def test_a_launched_run_reports_stops_on_request_and_goes_on(make_config):
    config = make_config(steps=6, validation_share=0.2)
    stop, events = threading.Event(), []

    def watch(event):
        events.append(event)
        if event.kind == "step":
            stop.set()

    first = launch(config, on_event=watch, stop=stop)
    assert first.stopped
    assert first.model_dir is None
    assert 1 <= first.steps < 6
    assert events[0].kind == "started"
    second = launch(config)
    assert not second.stopped
    assert second.model_dir == config.output_dir / "model"
    assert second.model_dir.joinpath("model.safetensors").exists()
    assert second.steps == 6
    assert [metric.step for metric in second.step_metrics] == [1, 2, 3, 4, 5, 6]
    assert second.validation_loss == second.step_metrics[-1].validation_loss
    assert second.training_loss == second.step_metrics[-1].training_loss
    assert (second.records, second.too_long) == (16, 0)


def test_mistakes_in_the_data_arrive_as_what_they_are(make_config, shadow):
    shadow("torch", "from bedrock_distill.errors import DataError; raise DataError('line 3 is blank')")
    with pytest.raises(DataError, match="line 3 is blank"):
        launch(make_config())


def test_a_caller_that_fails_ends_the_training(make_config):
    class TiredError(Exception): ...

    def tire(event):
        raise TiredError

    config = make_config(steps=10_000)
    with pytest.raises(TiredError):
        launch(config, on_event=tire)
    assert not (config.output_dir / "model").exists()


def test_a_crash_quotes_the_last_words_of_the_process(make_config, shadow):
    shadow("torch", "raise RuntimeError('the library is broken in a telling way')")
    with pytest.raises(JobFailedError) as caught:
        launch(make_config())
    assert "exit code 1" in caught.value.message
    assert "broken in a telling way" in caught.value.message
    assert "Traceback" in caught.value.message


def test_a_killed_process_is_a_failure_that_names_the_signal(make_config, shadow):
    shadow("torch", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(
        JobFailedError, match=r"killed by signal 9 \(the kernel does so when memory runs out\)"
    ):
        launch(make_config())


def test_settings_the_process_refuses_arrive_with_their_field(make_config, shadow):
    refusal = "from bedrock_distill.errors import SpecError; raise SpecError('not so', field='init_dir')"
    shadow("torch", refusal)
    with pytest.raises(SpecError, match="not so") as caught:
        launch(make_config())
    assert caught.value.field == "init_dir"


def test_what_libraries_print_does_not_break_the_protocol(make_config, shadow):
    shadow("torch", "print('hello from a library'); raise RuntimeError('and that is all')")
    with pytest.raises(JobFailedError, match="hello from a library"):
        launch(make_config())


def test_idle_threads_of_the_process_sleep(make_config, shadow):
    shadow(
        "torch", "import os; raise RuntimeError(os.environ['OMP_WAIT_POLICY'] + os.environ['GOMP_SPINCOUNT'])"
    )
    with pytest.raises(JobFailedError, match="PASSIVE1000"):
        launch(make_config())


def test_a_missing_library_names_the_pip_line(make_config, monkeypatch):
    monkeypatch.setattr("bedrock_distill.train.requirements.LIBRARIES", ("torch", "no_such_library"))
    with pytest.raises(
        MissingDependencyError, match=r"no_such_library.*pip install 'bedrock-distill\[local\]'"
    ):
        launch(make_config())


@pytest.mark.slow
def test_the_process_does_not_outlive_the_one_that_started_it(make_config, tmp_path):
    config = make_config(steps=100_000)
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    code = (
        "import sys; from pathlib import Path; from bedrock_distill.train import TrainConfig, launch; "
        "launch(TrainConfig.from_json(Path(sys.argv[1]).read_text()), on_event=lambda e: print(e.kind, flush=True))"
    )
    root = str(Path(launch.__globals__["__file__"]).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    try:
        for line in parent.stdout:
            if line.strip() == "step":
                break
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        child = int(children.read_text().split()[0]) if children.exists() else None
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.stdout.close()
        parent.wait()
    if child is None:
        pytest.skip("this system does not list a process's children")
    gone = os.pidfd_open(child) if _alive(child) else None
    if gone is not None:
        import select

        assert select.select([gone], [], [], 60)[0], "the training process went on alone"
        os.close(gone)
    assert (config.output_dir / "checkpoint" / "state.pt").exists()


def _alive(pid):
    return Path(f"/proc/{pid}").exists()


def test_an_event_comes_back_as_it_was_sent():
    event = TrainEvent(kind="step", step=3, steps=9, epoch=0.25, loss=1.5, tokens=77)
    assert decode_event(encode_event(event)) == event


def test_another_protocol_is_not_guessed_at():
    line = encode_event(TrainEvent(kind="done", protocol=PROTOCOL + 1))
    with pytest.raises(ValueError, match=f"speaks protocol {PROTOCOL + 1}"):
        decode_event(line)
