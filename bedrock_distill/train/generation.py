"""Answers from a model directory: greedy or sampled, whole or streamed, for many callers at once.

One thread owns the model. It takes every request that is waiting, answers them side by side, and hands each its tokens
as they come; whoever asked for the whole answer and whoever streams it get the same text. Arithmetic is float32 and
prompts are padded on the left, so that company changes nothing but rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from bedrock_distill.train.answers import Generated, Sampling, StopReason
from bedrock_distill.train.requirements import require_trainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bedrock_distill.records.schema import Record
    from bedrock_distill.train.decoding import Request
    from bedrock_distill.train.worker import Worker

__all__ = ["Generated", "Generator", "Sampling", "StopReason", "pieces_of"]


class Generator:
    """Answers prompts with the model in a directory; safe to share between threads.

    Attributes:
        model_dir: The directory.
    """

    def __init__(self, model_dir: Path, *, max_batch: int = 32, threads: int | None = None) -> None:
        """Load the model.

        Args:
            model_dir: A Hugging Face causal LM with its tokenizer.
            max_batch: Most requests answered side by side.
            threads: Processors for the matrix products; None: one for small models, which do not gain from more.

        Raises:
            MissingDependencyError: torch or transformers is not installed.
            SpecError: The directory is not a model.
        """
        require_trainer()
        from bedrock_distill.train.worker import Worker  # noqa: PLC0415 - torch loads here

        self.model_dir = model_dir
        self._worker: Worker = Worker(model_dir, max_batch=max_batch, threads=threads)

    def generate(
        self,
        records: Sequence[Record | str],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[Generated]:
        """One answer per prompt, in order.

        Args:
            records: Prompts; a completion at the end is not read. A text is gone on with as it stands.
            max_tokens: Most tokens to generate for each.
            temperature: 0 takes the likeliest token always.
            top_p: Draw only from the likeliest tokens that together reach this probability.
            stop: Texts that end an answer and are not part of it.
            seed: The same seed gives the same answers when drawing.

        Raises:
            SpecError: An argument is out of its range, or a prompt does not fit into the model.
        """
        sampling = Sampling(
            max_tokens=max_tokens, temperature=temperature, top_p=top_p, stop=tuple(stop), seed=seed
        )
        requests = [self._worker.request(record, sampling) for record in records]
        self._worker.submit(requests)
        return [_whole(request) for request in requests]

    def stream(
        self,
        record: Record | str,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> Iterator[str | Generated]:
        """Pieces of text as they become certain, then the whole as a `Generated`; arguments as for `generate`.

        Characters are never cut, and no part of a stop text is shown. Closing the iterator early ends the answer.
        """
        sampling = Sampling(
            max_tokens=max_tokens, temperature=temperature, top_p=top_p, stop=tuple(stop), seed=seed
        )
        request = self._worker.request(record, sampling)
        self._worker.submit([request])
        return pieces_of(request)

    def count_tokens(self, record: Record | str) -> int:
        """Tokens of the prompt, with the chat template of a record, as `generate` counts them."""
        return len(self._worker.encode(record))

    def close(self) -> None:
        """End the worker thread; requests that still wait fail with `JobFailedError`."""
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pieces_of(request: Request) -> Iterator[str | Generated]:
    """What a submitted request comes to: pieces of text, then the whole. Closing the iterator early ends the answer."""
    try:
        while True:
            piece = request.pieces.get()
            if isinstance(piece, BaseException):
                raise piece
            yield piece
            if isinstance(piece, Generated):
                return
    finally:
        request.cancelled = True


def _whole(request: Request) -> Generated:
    for piece in pieces_of(request):
        if isinstance(piece, Generated):
            return piece
    raise AssertionError  # a request ends with its answer or an error
