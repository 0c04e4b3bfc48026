"""How sure a student is of an answer, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bedrock_distill.errors import SpecError

__all__ = ["Scored", "as_scored", "score_names"]


@dataclass(frozen=True, slots=True)
class Scored:
    """A score, and what it took to find it."""

    value: float
    """From 0 to 1, higher where the student is surer."""
    input_tokens: int = 0
    """Tokens of the prompts of further calls to the student, where scoring makes any."""
    output_tokens: int = 0
    """Tokens of their answers."""


def as_scored(found: float | Scored, *, by: tuple[str, ...]) -> Scored:
    """What a scoring function returned, checked.

    Args:
        found: A number, or a number with what it took.
        by: Its names, for the message.

    Raises:
        SpecError: If it is not a number from 0 to 1.
    """
    scored = found if isinstance(found, Scored) else Scored(found)
    value = scored.value
    try:
        number = float(value)  # such as one of numpy's
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:  # not a number fails this, too
        raise SpecError(
            f"The score {' & '.join(by)!r} returned {value!r}. A score is a number from 0 to 1, higher where the student is surer.",
            field="score",
            value=value,
        )
    return replace(scored, value=number)


def score_names(score: object) -> tuple[str, ...]:
    """What a policy calls a scoring function: its `names`, where it has any, and else `module:name`."""
    names = getattr(score, "names", None)
    if isinstance(names, tuple):
        return names
    inner = score if hasattr(score, "__qualname__") else type(score)
    return (f"{inner.__module__}:{inner.__qualname__}",)
