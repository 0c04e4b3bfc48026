"""From which score on the student may answer alone: conformal risk control.

A student answers a request if its score reaches the threshold t; else the teacher does. Every request has a loss from 0 to 1:
how much is lost if the student answers. The risk of t is the mean, over all requests, of the losses that t lets through,

    R(t) = E[loss · 1{score >= t}],

which can only fall as t rises. That is all the method needs, besides examples that are **exchangeable** with the requests to
come: any order of all of them would have been as likely. Nothing is assumed about the student, the score or the losses.

Both bounds below come down to a budget: the largest sum of losses that the calibration examples may show.

* In expectation (Angelopoulos, Bates, Fisch, Lei and Schuster, "Conformal risk control"): R(t) averaged over calibration
  sets is at most alpha where (sum + 1) / (n + 1) <= alpha; the 1 stands for the worst that the next request could be.
* With confidence (Bates, Angelopoulos, Lei, Malik and Jordan, "Distribution-free, risk-controlling prediction sets"): R(t)
  exceeds alpha for at most a share 1 - confidence of calibration sets. The sum of losses of 0 and 1 is binomial; for others,
  Bentkus' inequality costs a factor e. Examples must be independent draws here.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from bedrock_distill.errors import DataError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Choice", "Example", "Point", "choose", "curve", "loss_budget"]

_ROUNDING = 1e-9
"""Sums of losses such as 0.1 are off by less; a budget that is met exactly must count as met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request of the calibration data."""

    score: float | None
    """How sure the student was, from 0 to 1; None where it did not answer, so that the teacher does at every threshold."""
    loss: float
    """How much is lost if the student answers, from 0 to 1."""
    student_cost: float = 0.0
    """What asking the student costs, the score included. It is always asked."""
    teacher_cost: float = 0.0
    """What asking the teacher costs, where it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one threshold means for the calibration data."""

    threshold: float | None
    """The student answers from this score on; None: never."""
    student_share: float
    """Share of the requests that the student answers."""
    risk: float
    """Mean loss over all requests, those that the teacher answers counting 0."""
    loss_if_student: float | None
    """Mean loss over the requests that the student answers; None where there are none. No bound is stated for it: it need
    not fall as the threshold rises."""
    cost: float
    """Mean cost of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The threshold that lets the student answer most while the bound holds."""

    point: Point
    """The threshold, and what it means for the calibration data."""
    alpha: float
    """The bound of the risk."""
    confidence: float | None
    """Share of calibration sets for which the bound holds; None: it holds on average over them."""
    examples: int
    """How many examples the choice rests on."""
    binary: bool
    """Whether every loss was 0 or 1."""

    @property
    def least_examples(self) -> int:
        """How many examples it takes to let anything through at all, even where what is let through has no loss."""
        if self.confidence is None:
            return math.ceil(1 / self.alpha - 1 - _ROUNDING)
        level = _level(self.confidence, binary=self.binary)
        return math.ceil(math.log(level) / math.log1p(-self.alpha) - _ROUNDING)


def choose(examples: Sequence[Example], *, alpha: float, confidence: float | None = None) -> Choice:
    """The lowest threshold whose risk is bounded.

    Args:
        examples: What the student and the teacher did on held-out requests.
        alpha: The bound: the mean loss over all requests that letting the student answer may cost, such as 0.02.
        confidence: None bounds the risk on average over calibration sets; a number such as 0.95 bounds it for that share
            of them, at the price of a higher threshold.

    Raises:
        SpecError: If a level makes no sense.
        DataError: If there are no examples, or a score or loss lies outside 0 to 1.
    """
    for field, value in (("alpha", alpha), ("confidence", confidence)):
        if value is not None and not 0 < value < 1:
            raise SpecError(
                f"{field} must lie between 0 and 1, such as {0.02 if field == 'alpha' else 0.95}, not {value!r}.",
                field=field,
                value=value,
            )
    points = curve(examples)
    n = len(examples)
    binary = all(example.loss in (0, 1) for example in examples)
    budget = loss_budget(n, alpha=alpha, confidence=confidence, binary=binary)
    # The risk only grows from point to point, so that the last one within the budget is the lowest threshold. A budget below
    # 0 allows not even a sum of 0: there are too few examples to tell, and the first point, "never", needs none.
    best = points[max(1, bisect_right([point.risk * n for point in points], budget + _ROUNDING)) - 1]
    if best is points[-1] and all(example.score is not None for example in examples):
        # Every example is let through, and so may be what scores lower than any of them.
        best = replace(best, threshold=0.0)
    return Choice(point=best, alpha=alpha, confidence=confidence, examples=n, binary=binary)


def curve(examples: Sequence[Example]) -> tuple[Point, ...]:
    """Every threshold that makes a difference, from "never the student" down: what replaying the examples would measure.

    Raises:
        DataError: If there are no examples, or a score or loss lies outside 0 to 1.
    """
    if not examples:
        raise DataError("There is nothing to calibrate on: no examples. Give held-out prompts.")
    for place, example in enumerate(examples):
        _check(place, example)
    n = len(examples)
    cost = math.fsum(example.student_cost + example.teacher_cost for example in examples)
    points = [Point(threshold=None, student_share=0.0, risk=0.0, loss_if_student=None, cost=cost / n)]
    answered, lost, saved = 0, 0.0, 0.0
    scored = sorted((e for e in examples if e.score is not None), key=attrgetter("score"), reverse=True)
    for threshold, tied in groupby(scored, key=attrgetter("score")):
        group = list(tied)
        answered += len(group)
        lost += math.fsum(example.loss for example in group)
        saved += math.fsum(example.teacher_cost for example in group)
        points.append(
            Point(
                threshold=threshold,
                student_share=answered / n,
                risk=lost / n,
                loss_if_student=lost / answered,
                cost=(cost - saved) / n,
            )
        )
    return tuple(points)


def loss_budget(n: int, *, alpha: float, confidence: float | None, binary: bool) -> float:
    """The largest sum of losses among `n` examples that a threshold may let through; below 0 where none may be.

    Args:
        n: How many examples there are.
        alpha: Bound of the risk.
        confidence: Share of calibration sets for which it is to hold, or None for on average.
        binary: Whether every loss is 0 or 1.
    """
    if confidence is None:
        return alpha * (n + 1) - 1
    level = _level(confidence, binary=binary)
    odds = math.log(alpha) - math.log1p(-alpha)
    log_term, tail, allowed = n * math.log1p(-alpha), 0.0, -1
    for lost in range(n + 1):
        tail += math.exp(log_term)
        if tail > level:
            break
        allowed = lost
        log_term += math.log(n - lost) - math.log(lost + 1) + odds if lost < n else 0.0
    return allowed


def _level(confidence: float, *, binary: bool) -> float:
    """How seldom a binomial sum may be so small: Bentkus' factor takes its share where losses lie in between."""
    return (1 - confidence) * (1.0 if binary else math.exp(-1))


def _check(place: int, example: Example) -> None:
    for field, value in (("score", example.score), ("loss", example.loss)):
        if value is not None and not 0 <= value <= 1:
            raise DataError(
                f"The {field} of example {place} (counted from 0) is {value}: it must lie from 0 to 1. Scale it."
            )
