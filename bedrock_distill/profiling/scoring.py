"""How worth distilling a group is: four parts from 0 to 1, their geometric mean, and two shares that scale it.

The parts stand in a table; the page docs/how-to/profile-traffic.md explains the same rows to people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.profiling.measuring import Answers, Prompts

__all__ = ["FEWEST_PROMPTS", "PARTS", "Facts", "Score", "score_of"]

FEWEST_PROMPTS: Final = 100
"""A distillation job needs so many (the catalog's `distillation_min_prompts`)."""

_FLOOR: Final = 0.05
"""A part counts as at least so much: what lacks one virtue is not worthless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the score rests on."""

    prompts: Prompts
    answers: Answers | None
    calls_per_day: float
    tokens_per_day: float
    usd_per_day: float | None
    """None where some price is unknown, of this group or of another: money and tokens make no common scale."""
    usable_share: float
    """Share of the calls that a student could answer: single turns of text."""
    distinct_prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A group's score and what it is made of, each from 0 to 1."""

    value: float
    narrow: float
    frequent: float
    checkable: float
    costly: float
    usable: float
    enough: float


def _narrow(facts: Facts) -> float:
    answers = facts.answers
    parts = [] if facts.prompts.fixed_share is None else [facts.prompts.fixed_share]
    if answers is not None:
        spread = (answers.tokens_p90 - answers.tokens_p10) / max(1.0, answers.tokens_p50)
        parts += [answers.alike, 1 / (1 + spread)]
    return fmean(parts) if parts else 0.0


def _checkable(facts: Facts) -> float:
    answers = facts.answers
    if answers is None:
        return 0.0
    return max(answers.schema_share, 1.0 if answers.labels else 0.0, answers.short_share / 2)


def _decades(amount: float, decades: int) -> float:
    """An amount on a logarithmic scale: 0 at 1 or less, 1 after so many powers of ten."""
    return min(1.0, max(0.0, math.log10(max(1.0, amount)) / decades))


def _costly(facts: Facts) -> float:
    if facts.usd_per_day is None:
        return _decades(facts.tokens_per_day, 9)
    return _decades(1 + facts.usd_per_day, 3)


PARTS: Final[tuple[tuple[str, Callable[[Facts], float], str], ...]] = (
    (
        "narrow",
        _narrow,
        "mean of: share of fixed text in a prompt; 1 - entropy of the answers over its maximum; 1 / (1 + spread of their tokens)",
    ),
    ("frequent", lambda facts: _decades(facts.calls_per_day, 5), "log10 of the calls a day, over 5"),
    (
        "checkable",
        _checkable,
        "largest of: share of answers with the most frequent JSON schema; 1 if answers are labels; half the share of short ones",
    ),
    (
        "costly",
        _costly,
        "log10 of 1 + USD a day, over 3; where any price is unknown, log10 of the tokens a day, over 9",
    ),
)
"""Name, function and meaning of each part."""


def score_of(facts: Facts) -> Score:
    """The score: usable share, times how far there are enough prompts, times the geometric mean of the parts."""
    parts = {name: measure(facts) for name, measure, _ in PARTS}
    enough = min(1.0, facts.distinct_prompts / FEWEST_PROMPTS)
    mean = math.prod(max(_FLOOR, part) for part in parts.values()) ** (1 / len(parts))
    return Score(value=facts.usable_share * enough * mean, usable=facts.usable_share, enough=enough, **parts)
