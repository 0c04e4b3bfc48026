"""A small student of this machine, for learning curves: trained from random weights, asked, and thrown away."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from bedrock_distill.errors import DataError
from bedrock_distill.records.tokens import joined_texts
from bedrock_distill.records.writing import write_records
from bedrock_distill.train import TrainConfig, launch
from bedrock_distill.train.requirements import require_trainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.records.schema import Record

__all__ = ["MOST_BYTES", "LocalStudent"]

MOST_BYTES: Final = 3_800
"""Longest record: a byte is a token at worst, and the student reads 4,096 with the marks around."""

_PASSES: Final = 8
_FEWEST_STEPS, _MOST_STEPS = 300, 800
_BATCH: Final = 16
_TOKENS: Final = 1_500_000
"""A training of long records ends sooner: some two minutes on two cores."""
_BYTES_PER_TOKEN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStudent:
    """Learns and answers as `learning_curve` wants it."""

    steps: int
    """The same for every subset, so that only the examples differ."""
    answer_tokens: int
    """Most tokens of an answer."""
    size: str = "tiny"
    seed: int = 0

    @classmethod
    def for_records(cls, records: Sequence[Record], *, seed: int = 0) -> Self:
        """A student whose training suits so many records of their length.

        Raises:
            DataError: If a record is too long for it.
            MissingDependencyError: If the trainer is not installed.
        """
        require_trainer()
        sizes = [len(joined_texts(record)) for record in records]
        if max(sizes) > MOST_BYTES:
            raise DataError(
                f"The longest of {len(records):,} records has {max(sizes):,} bytes, and the local student reads "
                f"{MOST_BYTES:,}: leave longer ones out, or give a `learn` of your own."
            )
        steps = min(max(_FEWEST_STEPS, _PASSES * -(-len(records) // _BATCH)), _MOST_STEPS)
        tokens = _BATCH * sum(sizes) / len(sizes) / _BYTES_PER_TOKEN
        longest = max(len((record.completion or "").encode()) for record in records)
        return cls(steps=max(1, min(steps, int(_TOKENS / tokens))), answer_tokens=longest + 1, seed=seed)

    def __call__(self, examples: Sequence[Record], prompts: Sequence[Record]) -> list[str | None]:
        """Train on examples, and answer prompts."""
        from bedrock_distill.train.generation import Generator  # noqa: PLC0415 - loads torch

        with tempfile.TemporaryDirectory(prefix="learning-curve-") as name:
            data, folder = Path(name, "examples.jsonl"), Path(name, "training")
            write_records(data, examples)
            trained = launch(
                TrainConfig(
                    data=data,
                    output_dir=folder,
                    size=self.size,
                    steps=self.steps,
                    batch_size=_BATCH,
                    vocab_size=4096,
                    max_tokens=4096,
                    seed=self.seed,
                )
            )
            with Generator(trained.model_dir or folder / "model") as student:
                answers = student.generate(prompts, max_tokens=self.answer_tokens, temperature=0)
        return [answer.text for answer in answers]
