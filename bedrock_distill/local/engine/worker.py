"""The trainer's worker as an engine: answers side by side, each drawn with a seed of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.train.batching import check_room
from bedrock_distill.train.decoding import Request
from bedrock_distill.train.generation import pieces_of
from bedrock_distill.train.tokens import end_ids
from bedrock_distill.train.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bedrock_distill.train.answers import Generated, Sampling

__all__ = ["WorkerBatch"]

_MOST_AT_ONCE = 32


class WorkerBatch:
    """A model run by the trainer's `Worker`."""

    def __init__(self, directory: Path) -> None:
        self._worker = Worker(directory, max_batch=_MOST_AT_ONCE, threads=None)
        self._ends = end_ids(self._worker.tokenizer, self._worker.model)
        self.room = self._worker.positions

    def answer(self, ids: Sequence[int], sampling: Sampling) -> Iterator[str | Generated]:
        """Pieces of text, then the whole."""
        check_room(ids, self.room)
        request = Request(
            prompt=list(ids),
            sampling=sampling,
            tokenizer=self._worker.tokenizer,
            ends=self._ends,
            room=self.room - len(ids),
        )
        self._worker.submit([request])
        return pieces_of(request)

    def close(self) -> None:
        """End the thread."""
        self._worker.close()
