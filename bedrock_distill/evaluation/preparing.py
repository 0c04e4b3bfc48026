"""What every report begins with, whoever asks and whoever scores: the settings checked, the overlap looked for."""

from __future__ import annotations

from importlib import metadata
from numbers import Integral
from typing import TYPE_CHECKING

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.overlap import find_overlap, refuse_overlap
from bedrock_distill.evaluation.scoring import Precision

if TYPE_CHECKING:
    from bedrock_distill.evaluation.overlap import Overlap
    from bedrock_distill.evaluation.tasks import EvaluationData, Task

__all__ = ["overlap_of", "package_version", "precision_of"]


def precision_of(
    confidence: float,
    resamples: int,
    seed: int,
    *,
    concurrency: int = 1,
    limit: int | None = None,
    retries: int = 0,
) -> Precision:
    """How intervals are found, with all numbers checked.

    Raises:
        SpecError: If one of them makes no sense.
    """
    rules = (
        ("confidence", confidence, 0 < confidence < 1, "between 0 and 1, such as 0.95"),
        (
            "resamples",
            resamples,
            _whole(resamples, 1000),
            "a whole number of at least 1000: fewer do not reach into the tails",
        ),
        ("concurrency", concurrency, _whole(concurrency, 1), "a whole number, at least 1"),
        ("retries", retries, _whole(retries, 0), "a whole number, 0 or more"),
        ("limit", limit, limit is None or _whole(limit, 1), "a whole number, at least 1"),
    )
    for field, value, holds, rule in rules:
        if not holds:
            raise SpecError(f"{field} must be {rule}, not {value!r}.", field=field, value=value)
    return Precision(confidence=confidence, resamples=resamples, seed=seed)


def _whole(value: object, least: int) -> bool:
    return isinstance(value, Integral) and int(value) >= least


def overlap_of(task: Task, training: EvaluationData | None, *, allowed: bool) -> Overlap | None:
    """Look for prompts that were trained on, and refuse them unless they are allowed.

    Raises:
        DataError: If some were trained on, and that is not allowed.
    """
    if training is None:
        return None
    overlap = find_overlap(task, training)
    if not allowed:
        refuse_overlap(overlap, task.source)
    return overlap


def package_version() -> str:
    """Version of this package."""
    try:
        return metadata.version("bedrock-distill")
    except metadata.PackageNotFoundError:  # a checkout on the path that nobody installed
        return "unknown"
