"""A model directory that answers token ids with text, for many callers at once.

Greedy answers come from transformers' own continuous batching: a request joins the batch in the middle of others and leaves
it alone. It draws from one random generator for everybody, so what is drawn comes from the trainer's `Worker` instead, where
a request has a seed of its own; and so does everything under a transformers without continuous batching, or for a model that
it cannot run. `docs/explanation/local-engine.md` has the figures.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

from bedrock_distill.train.requirements import require_trainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from bedrock_distill.train.answers import Generated, Sampling

__all__ = ["Engine", "Engines"]

log = logging.getLogger(__name__)


class _Batch(Protocol):
    """Whoever runs a model for many callers."""

    room: int
    """Most tokens of a prompt and its answer together."""

    def answer(self, ids: Sequence[int], sampling: Sampling) -> Iterator[str | Generated]:
        """Pieces of text, then the whole."""
        ...

    def close(self) -> None:
        """End the threads."""
        ...


class Engine:
    """One model, loaded; safe to share between threads.

    Attributes:
        tokenizer: The model's. Use it through the methods here: it is not safe to share.
        room: Most tokens of a prompt and its answer together.

    Raises:
        MissingDependencyError: If torch or transformers is not installed.
        SpecError: If the directory is not a model.
    """

    def __init__(self, directory: Path) -> None:
        require_trainer()
        from bedrock_distill.train.tokens import load_tokenizer  # noqa: PLC0415 - loads torch

        self.tokenizer = load_tokenizer(directory)
        self._directory = directory
        self._tokenizing = threading.Lock()
        self._loading = threading.Lock()
        self._drawing: _Batch | None = None
        self._greedy = self._load_greedy()
        self.room = self._greedy.room

    def text_ids(self, text: str) -> list[int]:
        """Ids of a prompt that goes in as it is, with the special tokens that the tokenizer adds."""
        with self._tokenizing:
            ids: list[int] = self.tokenizer(text)["input_ids"]
        return ids

    def chat_ids(self, messages: Sequence[dict[str, Any]]) -> list[int]:
        """Ids of a conversation, in the model's chat template, up to where the answer begins."""
        with self._tokenizing:
            text = self.tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True
            )
            ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def token_id(self, text: str) -> int:
        """The id of the last token of a piece, for formats that name one."""
        with self._tokenizing:
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return int(ids[-1]) if ids else 0

    def answer(self, ids: Sequence[int], sampling: Sampling) -> Iterator[str | Generated]:
        """Pieces of text as they become certain, then the whole. Closing the iterator ends the answer.

        Raises:
            SpecError: If the prompt leaves no room for an answer.
        """
        return self._batch_for(sampling).answer(ids, sampling)

    def close(self) -> None:
        """End the engine's threads."""
        self._greedy.close()
        if self._drawing is not None and self._drawing is not self._greedy:
            self._drawing.close()

    def _batch_for(self, sampling: Sampling) -> _Batch:
        if sampling.temperature == 0:
            return self._greedy
        with self._loading:
            if self._drawing is None:
                self._drawing = self._load_worker()
            return self._drawing

    def _load_greedy(self) -> _Batch:
        from bedrock_distill.train import batching  # noqa: PLC0415 - loads torch

        if batching.is_available():
            try:
                return batching.ContinuousBatching(self._directory)
            except batching.CannotBatchError as error:
                log.info("%s is not served by continuous batching: %s", self._directory, error)
        self._drawing = self._load_worker()
        return self._drawing

    def _load_worker(self) -> _Batch:
        from bedrock_distill.local.engine.worker import WorkerBatch  # noqa: PLC0415 - loads torch

        return WorkerBatch(self._directory)


class Engines:
    """The models that are loaded, one engine a directory. Thread-safe."""

    def __init__(self) -> None:
        self._loaded: dict[Path, Engine] = {}
        self._lock = threading.Lock()
        self._closed = False

    def get(self, directory: Path) -> Engine:
        """The engine of a directory, loaded when first asked for; raises what `Engine` raises."""
        with self._lock:
            if self._closed:
                raise RuntimeError("The local cloud is closed.")
            if directory not in self._loaded:
                self._loaded[directory] = Engine(directory)
            return self._loaded[directory]

    def keep(self, used: AbstractSet[Path]) -> None:
        """Unload every model that is not among these; one that is asked for after all is loaded again."""
        with self._lock:
            unused = [self._loaded.pop(directory) for directory in set(self._loaded) - used]
        for engine in unused:
            engine.close()

    def close(self) -> None:
        """Unload everything."""
        with self._lock:
            self._closed = True
            loaded, self._loaded = list(self._loaded.values()), {}
        for engine in loaded:
            engine.close()
