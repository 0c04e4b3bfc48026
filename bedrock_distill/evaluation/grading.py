"""Scores that somebody else gave: a service that asks the models and grades their answers by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.evaluation.scoring import (
    MetricResult,
    Paired,
    SideScores,
    mean_estimate,
    paired_tests,
    retention_estimate,
    seed_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.evaluation.scoring import Precision

__all__ = ["Grades", "graded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grades:
    """Scores that somebody else gave to the answers of each side, prompt by prompt."""

    scores: Mapping[str, tuple[float | None, ...]]
    """By side; None where an answer was given no score."""
    reasons: Mapping[str, tuple[str, ...]]
    """By side: why, where it was said; else an empty text."""

    def missing(self, side: str) -> int:
        """How many answers of a side have no score."""
        return sum(score is None for score in self.scores[side])

    @property
    def places(self) -> list[int]:
        """Places of the prompts on which the teacher has a score: what retention rests on."""
        return [place for place, score in enumerate(self.scores["teacher"]) if score is not None]


def graded(name: str, about: str, grades: Grades, *, precision: Precision) -> MetricResult:
    """The result of scores that somebody else gave each side by itself, from 0 to 1.

    A score that is missing counts as 0 for the student; a prompt on which the teacher has none is left out of retention.
    Agreement is how little the student falls below the teacher, prompt by prompt: 1 where it scores as high, or higher.

    Args:
        name: The metric's name.
        about: What it means, in one sentence.
        grades: The scores of `student`, `teacher` and perhaps `base`; at least one of the teacher's is there.
        precision: How intervals are found.
    """
    places = grades.places
    theirs = grades.scores["teacher"]
    teacher = tuple(theirs[place] or 0.0 for place in places)

    def side(of: str) -> SideScores:
        own = grades.scores[of]
        by_prompt = tuple(_kept(score, aim) for score, aim in zip(own, theirs, strict=True))
        seed = seed_of(precision, name, of)
        paired = Paired(tuple(own[place] or 0.0 for place in places), teacher)
        return SideScores(
            agreement=mean_estimate(by_prompt, precision, seed),
            reference=mean_estimate(paired.side, precision, seed),
            retention=retention_estimate(paired, precision, seed),
            paired=paired,
            by_prompt=by_prompt,
        )

    scored, untrained = side("student"), side("base") if "base" in grades.scores else None
    return MetricResult(
        name=name,
        about=about,
        basis="grades",
        student=scored,
        base=untrained,
        teacher=mean_estimate(teacher, precision, seed_of(precision, name, "teacher")),
        comparisons=tuple(paired_tests(scored, untrained, labelled=True)),
        grades=grades,
    )


def _kept(score: float | None, aim: float | None) -> float:
    """1 less what a score falls below the teacher's; 0 where either is missing."""
    return 0.0 if score is None or aim is None else 1.0 - max(0.0, aim - score)
