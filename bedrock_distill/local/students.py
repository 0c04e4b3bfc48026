"""Which small student stands for which catalog model, where its weights lie, and who answers from them.

No one can run Nova Micro at home. What the local cloud trains and serves in its place is a small Llama of one of the
sizes in `train.config.SIZES`: bigger for the bigger models, so that comparing two students means something offline too.
"""

from __future__ import annotations

import hashlib
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING

from bedrock_distill.catalog import read_model_id
from bedrock_distill.train.config import SIZES, StudentSize

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bedrock_distill.local.world import World
    from bedrock_distill.train.generation import Generator

__all__ = ["STANDS_FOR", "Generators", "base_dir", "imported_dir", "is_student", "size_for", "weights_dir"]

STANDS_FOR: Mapping[str, str] = MappingProxyType(
    {
        "amazon.nova-micro-v1:0": "tiny",
        "amazon.nova-lite-v1:0": "small",
        "amazon.nova-pro-v1:0": "base",
        "meta.llama3-2-1b-instruct-v1:0": "tiny",
        "meta.llama3-2-3b-instruct-v1:0": "small",
        "meta.llama3-1-8b-instruct-v1:0": "small",
        "meta.llama3-1-70b-instruct-v1:0": "base",
        "meta.llama3-3-70b-instruct-v1:0": "base",
        "anthropic.claude-3-haiku-20240307-v1:0": "small",
    }
)
"""Name in `SIZES` by the catalog's plain model id."""

_OTHERS = "small"
"""What stands for a student that a user's own catalog file brings."""

_making = threading.Lock()
"""Only one base is made at a time: making one loads torch, and two at once would do it twice."""


def size_for(world: World, model_id: str) -> StudentSize:
    """The student that stands for a model: the cloud's `TrainingSettings.size`, or the model's own.

    Args:
        world: The cloud.
        model_id: The model by id, context variant, profile or ARN (a custom model's ARN names its base).
    """
    return SIZES[world.training.size or STANDS_FOR.get(_plain_id(model_id), _OTHERS)]


def is_student(world: World, model_id: str) -> bool:
    """Whether a model is the student of a pair that is still offered with a teacher that still lives."""
    today = world.clock.now().date()
    return any(
        pair.student == model_id and not pair.withdrawn and teacher.lifecycle(today) != "EOL"
        for pair in world.catalog.pairs
        if (teacher := world.catalog.find(pair.teacher)) is not None
    )


def base_dir(world: World, model_id: str) -> Path:
    """A model's untrained weights as a Hugging Face directory, made when first asked for.

    The weights follow from the model's id and the cloud's seed.

    Raises:
        MissingDependencyError: If torch is not installed.
    """
    size, plain = size_for(world, model_id), _plain_id(model_id)
    directory = world.workdir / "bases" / f"{_file_name(plain)}-{size.name}"
    with _making:
        if not directory.is_dir():
            from bedrock_distill.train.base import make_base  # noqa: PLC0415 - loads torch

            make_base(size, directory, seed=_seed(world.seed, plain))
    return directory


def weights_dir(world: World, model_arn: str) -> Path:
    """Where a custom model's trained weights lie, or will lie: one directory for each ARN, not made here."""
    return world.workdir / "custom-models" / _folder_of(model_arn)


def imported_dir(world: World, model_arn: str) -> Path:
    """Where an imported model's files lie, or will lie: one directory for each ARN, not made here."""
    return world.workdir / "imported-models" / _folder_of(model_arn)


_CLOSED = "The local cloud is closed."


class Generators:
    """The models that are loaded, one `Generator` a directory; concurrent callers share its batches.

    Thread-safe. Close it to end the generators' threads.
    """

    def __init__(self) -> None:
        self._loaded: dict[Path, Generator] = {}
        self._turns: dict[Path, threading.Lock] = {}
        """Held while a directory is loaded: who asks for it meanwhile waits, who asks for another does not."""
        self._lock = threading.Lock()
        self._closed = False

    def get(self, directory: Path) -> Generator:
        """The generator of a directory, loaded when first asked for.

        Raises:
            MissingDependencyError: If torch is not installed.
        """
        from bedrock_distill.train.generation import Generator  # noqa: PLC0415 - loads torch

        with self._lock:
            turn = self._turns.setdefault(directory, threading.Lock())
        with turn:
            found = self._find(directory)
            if found is None:
                found = Generator(directory)
                with self._lock:
                    self._loaded[directory] = found
        if self._closed:  # it was closed meanwhile, and may have missed what has just been loaded
            found.close()
            raise RuntimeError(_CLOSED)
        return found

    def close(self) -> None:
        """Unload everything."""
        with self._lock:
            self._closed = True
            loaded, self._loaded = list(self._loaded.values()), {}
        for generator in loaded:
            generator.close()

    def _find(self, directory: Path) -> Generator | None:
        with self._lock:
            if self._closed:
                raise RuntimeError(_CLOSED)
            return self._loaded.get(directory)


def _folder_of(model_arn: str) -> str:
    token = model_arn.rpartition("/")[2]
    digest = hashlib.sha256(model_arn.encode()).hexdigest()[:8]
    return f"{token}-{digest}"


def _plain_id(model_id: str) -> str:
    return read_model_id(model_id).model or model_id


def _file_name(model_id: str) -> str:
    return model_id.replace(":", "_").replace("/", "_")


def _seed(seed: int, model_id: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{model_id}".encode()).digest()[:4], "big") >> 1
