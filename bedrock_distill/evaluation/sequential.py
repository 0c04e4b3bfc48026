"""Stopping as soon as the answer is clear: a test that may be looked at after every prompt.

Looking again and again at an ordinary p value passes a bad student far more often than alpha. Here a gambler who starts
with 1 bets, prompt by prompt, that the student keeps more than `min_retention` of the teacher's score. If it does not,
no way of betting makes money in the mean, and the chance that the capital ever reaches 1 / alpha is at most alpha (Ville's
inequality): however often one looks, whenever one stops, for scores of 0 and 1 as for any others in between. A second
gambler bets on the contrary, so that a bad student is found early as well.

The stakes are fixed beforehand, and the capital is spread evenly over several, so that nothing has to be tuned. Prompts
must come in an order that has nothing to do with the scores, such as a shuffled one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "STAKES",
    "Decision",
    "Look",
    "bet",
    "capital_of",
    "decide_early",
    "looks",
    "sequential_lower_bound",
]

Decision: TypeAlias = Literal["pass", "fail", "open"]
"""What the evidence so far says."""

STAKES: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 0.98)
"""Shares of the capital that are put at stake; below 1, so that no loss takes all."""

_BISECTIONS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known after so many prompts."""

    n: int
    """How many prompts were scored."""
    retention: float | None
    """The student's score over the teacher's, so far; None where the teacher has none."""
    evidence: float
    """Capital of who bet that the student keeps more than `min_retention`; 1 / alpha decides."""
    counter_evidence: float
    """Capital of who bet that it keeps less; 1 / beta decides."""
    decision: Decision

    def __str__(self) -> str:
        words = {"pass": "keeps enough", "fail": "does not keep enough", "open": "is undecided"}
        kept = "undefined" if self.retention is None else f"{self.retention:.2%}"
        return f"After {self.n} prompts the student {words[self.decision]} (retention so far {kept})."


def looks(
    pairs: Iterable[tuple[float, float]], *, min_retention: float, alpha: float = 0.05, beta: float = 0.05
) -> Iterator[Look]:
    """Look after every pair of scores, and take no more of them once the decision is made.

    Pairs are taken one by one, so that a generator that asks a judge for each of them asks no more than it must.

    Args:
        pairs: The student's and the teacher's score on the same prompt, each from 0 to 1. For a judge that prefers one
            of two answers: what the student got (1, 0.5 for a tie, 0), and 1; then `min_retention` is the win rate.
        min_retention: What the student must keep, above 0 and at most 1.
        alpha: Chance of ever passing a student that keeps no more than that.
        beta: Chance of ever failing a student that keeps at least that.

    Yields:
        A look after each pair; the last one has the decision, or is open where the pairs ran out.

    Raises:
        SpecError: If a score or an argument makes no sense.
    """
    _check(min_retention=min_retention, alpha=alpha, beta=beta)
    gains = losses = [0.0] * len(STAKES)
    students = teachers = 0.0
    for n, (student, teacher) in enumerate(pairs, start=1):
        _check_score(n, student, teacher)
        students, teachers = students + student, teachers + teacher
        change = student - min_retention * teacher
        gains, losses = bet(gains, change), bet(losses, -change)
        evidence, counter = _capital(gains), _capital(losses)
        decision: Decision = "pass" if evidence >= 1 / alpha else "fail" if counter >= 1 / beta else "open"
        yield Look(
            n=n,
            retention=students / teachers if teachers else None,
            evidence=evidence,
            counter_evidence=counter,
            decision=decision,
        )
        if decision != "open":
            return


def decide_early(
    pairs: Iterable[tuple[float, float]], *, min_retention: float, alpha: float = 0.05, beta: float = 0.05
) -> Look:
    """The last of the `looks`: decided, or open where the pairs ran out.

    Args:
        pairs: As `looks` takes them.
        min_retention: What the student must keep, above 0 and at most 1.
        alpha: Chance of ever passing a student that keeps no more than that.
        beta: Chance of ever failing a student that keeps at least that.

    Raises:
        SpecError: If there are no pairs, or a score or an argument makes no sense.
    """
    last = None
    for look in looks(pairs, min_retention=min_retention, alpha=alpha, beta=beta):
        last = look
    if last is None:
        raise SpecError("There are no scores to decide on.", field="pairs", value=())
    return last


def sequential_lower_bound(pairs: Sequence[tuple[float, float]], alpha: float = 0.05) -> float:
    """A lower bound of retention, at most 1, that holds at every look at once with a chance of 1 - alpha.

    It is the largest retention that the bets so far refute. Bounds of later looks may be lower; each of them holds.

    Args:
        pairs: The scores so far, each from 0 to 1.
        alpha: Chance that the true retention is ever below.
    """
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        capital = capital_of([student - middle * teacher for student, teacher in pairs])
        low, high = (middle, high) if capital >= 1 / alpha else (low, middle)
    return low


def capital_of(changes: Iterable[float]) -> float:
    """The capital after these bets, of 1 at the beginning; 1 over it is a p value against "the mean is not above 0".

    Args:
        changes: What a stake of 1 gains in each, from -1 on.
    """
    logs = [0.0] * len(STAKES)
    for change in changes:
        logs = bet(logs, change)
    return _capital(logs)


def bet(logs: Sequence[float], change: float) -> list[float]:
    """The logarithm of each part of the capital after a bet.

    Args:
        logs: Before it, a number for each of `STAKES`.
        change: What a stake of 1 gains, from -1 on; its mean is not above 0 where the bet is fair.
    """
    return [log + math.log1p(stake * change) for log, stake in zip(logs, STAKES, strict=True)]


def _capital(logs: Sequence[float]) -> float:
    # Beyond 1e300 more says nothing, and would not fit.
    return sum(math.exp(min(log, 690.0)) for log in logs) / len(logs)


def _check_score(n: int, student: float, teacher: float) -> None:
    for side, score in (("student", student), ("teacher", teacher)):
        if not 0 <= score <= 1:
            raise SpecError(
                f"Score {n} of the {side} is {score!r}: the sequential test takes scores from 0 to 1; divide them by the "
                "greatest there can be.",
                field="pairs",
                value=score,
            )


def _check(*, min_retention: float, alpha: float, beta: float) -> None:
    rules = (
        ("min_retention", min_retention, 0 < min_retention <= 1, "above 0 and at most 1, such as 0.9"),
        ("alpha", alpha, 0 < alpha < 1, "between 0 and 1, such as 0.05"),
        ("beta", beta, 0 < beta < 1, "between 0 and 1, such as 0.05"),
    )
    for field, value, holds, rule in rules:
        if not holds:
            raise SpecError(f"{field} must be {rule}, not {value!r}.", field=field, value=value)
