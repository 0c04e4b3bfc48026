"""The untrained student: what a base model stands for offline, before anything is distilled into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.train.config import SIZES

if TYPE_CHECKING:
    from pathlib import Path

    from bedrock_distill.train.config import StudentSize

__all__ = ["make_base"]


def make_base(size: str | StudentSize, out_dir: Path, seed: int = 0) -> Path:
    """Write an untrained student: random weights and a tokenizer of single bytes, exported like a trained one.

    Args:
        size: A name in `SIZES`, or a shape.
        out_dir: The directory to write; replaced where it exists.
        seed: The same seed gives the same weights.

    Returns:
        `out_dir`.

    Raises:
        MissingDependencyError: torch, transformers or tokenizers is not installed.
    """
    from bedrock_distill.train.requirements import require_trainer  # noqa: PLC0415 - torch loads below this line only

    require_trainer()
    from bedrock_distill.train.export import export_model  # noqa: PLC0415
    from bedrock_distill.train.students import random_student  # noqa: PLC0415
    from bedrock_distill.train.tokens import byte_tokenizer  # noqa: PLC0415

    tokenizer = byte_tokenizer()
    shape = SIZES[size] if isinstance(size, str) else size
    return export_model(random_student(shape, tokenizer, seed=seed), tokenizer, out_dir)
