"""How many prompts an evaluation needs, and how often its gate would pass: worked out by running the gate's own test.

Formulas for the power of paired tests are approximations that are off where it matters, for few prompts and rates near 1.
So outcomes are drawn from the assumed rates instead, 20,000 at a time, and the same score test as the gate's is counted
on them. The same seed gives the same answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.statistics import z_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bedrock_distill.evaluation.statistics import PairCounts

__all__ = ["DRAWS", "PairRates", "pass_power", "prompts_for_power", "retention_scores"]

DRAWS: Final = 20_000
"""Outcomes drawn for one estimate of power: its standard error is at most 0.0036."""

_STANDARD_ERRORS: Final = 3
"""So far above the power that is asked for must the drawn one be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRates:
    """What share of all prompts both sides are right on, one of them, or neither: of a pilot, or assumed."""

    both: float
    student_only: float
    teacher_only: float
    neither: float

    def __post_init__(self) -> None:
        """Check that the shares are shares, and of one whole.

        Raises:
            SpecError: If one is negative or they do not add up to 1.
        """
        shares = (self.both, self.student_only, self.teacher_only, self.neither)
        if min(shares) < -1e-9 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise SpecError(
                f"The shares of both, student_only, teacher_only and neither must be 0 or more and add up to 1, not {shares}.",
                field="rates",
                value=shares,
            )

    @classmethod
    def of(cls, pilot: PairCounts) -> Self:
        """The rates of a pilot: the student first, the teacher second."""
        return cls(
            both=pilot.both / pilot.n,
            student_only=pilot.first_only / pilot.n,
            teacher_only=pilot.second_only / pilot.n,
            neither=pilot.neither / pilot.n,
        )

    @classmethod
    def assumed(cls, *, retention: float, teacher: float = 1.0, discordance: float | None = None) -> Self:
        """Rates for a retention one hopes for.

        Args:
            retention: The student's rate over the teacher's.
            teacher: How often the teacher is right; 1 where its answer is the reference.
            discordance: Share of the prompts where only one of the two is right. Default: the least there can be, the
                difference of their rates. More of it takes more prompts.

        Raises:
            SpecError: If no two sides could have such rates.
        """
        change = teacher * (retention - 1)
        discordance = abs(change) if discordance is None else discordance
        student_only, teacher_only = (discordance + change) / 2, (discordance - change) / 2
        both = teacher - teacher_only
        neither = 1 - both - discordance
        if min(student_only, teacher_only, both, neither) < -1e-9:
            raise SpecError(
                f"A teacher that is right on {teacher:.1%}, a retention of {retention:.1%} and a discordance of "
                f"{discordance:.1%} do not go together: discordance lies from {abs(change):.1%} to "
                f"{min(teacher + teacher * retention, 2 - teacher - teacher * retention):.1%}.",
                field="discordance",
                value=discordance,
            )
        cells = (max(0.0, cell) for cell in (both, student_only, teacher_only, neither))
        return cls(**dict(zip(("both", "student_only", "teacher_only", "neither"), cells, strict=True)))

    @property
    def retention(self) -> float | None:
        """The student's rate over the teacher's, or None where the teacher is never right."""
        teacher = self.both + self.teacher_only
        return (self.both + self.student_only) / teacher if teacher else None


def pass_power(
    rates: PairRates, n: int, *, min_retention: float, alpha: float = 0.05, seed: int = 0
) -> float:
    """How often a student with these rates passes the gate on `n` prompts.

    Args:
        rates: The true rates.
        n: How many prompts.
        min_retention: What the lower bound of retention must reach.
        alpha: Chance of passing a student that is worse.
        seed: Where the randomness starts.

    Raises:
        SpecError: If an argument makes no sense.
    """
    _check(min_retention=min_retention, alpha=alpha, n=n)
    generator = np.random.default_rng([seed, n])
    cells = np.array([rates.both, rates.student_only, rates.teacher_only, rates.neither])
    drawn = generator.multinomial(n, cells / cells.sum(), size=DRAWS)
    return float(np.mean(retention_scores(drawn, min_retention) >= z_of(1 - alpha)))


def prompts_for_power(
    rates: PairRates,
    *,
    min_retention: float,
    alpha: float = 0.05,
    power: float = 0.8,
    seed: int = 0,
    limit: int = 1_000_000,
) -> int | None:
    """How many prompts let a student with these rates pass the gate with the power that is asked for.

    The number is found to within two in a hundred, and on the safe side: the drawn power is three standard errors above
    what was asked for.

    Args:
        rates: The rates of a pilot, or assumed ones.
        min_retention: What the lower bound of retention must reach.
        alpha: Chance of passing a student that is worse.
        power: How often such a student shall pass.
        seed: Where the randomness starts.
        limit: Give up above that.

    Returns:
        The number, or None where no sample up to the limit would do.

    Raises:
        SpecError: If an argument makes no sense.
    """
    _check(min_retention=min_retention, alpha=alpha, power=power)
    if rates.retention is None or rates.retention <= min_retention:
        return None
    wanted = power + _STANDARD_ERRORS * math.sqrt(power * (1 - power) / DRAWS)

    def enough(n: int) -> bool:
        return pass_power(rates, n, min_retention=min_retention, alpha=alpha, seed=seed) >= wanted

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if low >= limit:
            return None
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= limit else None


def retention_scores(counts: NDArray[np.int64], ratio: float) -> NDArray[np.float64]:
    """`statistics.retention_score` of many samples at once.

    Args:
        counts: A row each: both, first only, second only, neither.
        ratio: What the first side's rate over the second's is compared with.
    """
    a, b, c = (counts[:, cell].astype(float) for cell in range(3))
    square = (1 + ratio) * (a + b + c)
    linear = (a + c) * (1 - ratio * ratio) + b + c
    roots = linear + np.sqrt(np.maximum(0.0, linear * linear - 4 * square * c * (1 - ratio)))
    p01 = np.divide(roots, 2 * square, out=np.zeros_like(roots), where=square > 0)
    variance = (a + b + c) * ((1 + ratio) * p01 - (1 - ratio))
    excess = (a + b - 0.5) - ratio * (a + c)
    certain = np.where(excess > 0, np.inf, -np.inf)
    scores = np.divide(excess, np.sqrt(np.maximum(variance, 0)), out=certain, where=variance > 0)
    # Where the teacher is never right there is no retention to show.
    found: NDArray[np.float64] = np.where(a + c > 0, scores, -np.inf)
    return found


def _check(*, min_retention: float, alpha: float, power: float = 0.8, n: int = 1) -> None:
    rules = (
        ("min_retention", min_retention, min_retention > 0, "above 0, such as 0.9"),
        ("alpha", alpha, 0 < alpha < 0.5, "between 0 and 0.5, such as 0.05"),
        ("power", power, 0 < power < 1, "between 0 and 1, such as 0.8"),
        ("n", n, n >= 1, "at least 1"),
    )
    for field, value, holds, rule in rules:
        if not holds:
            raise SpecError(f"{field} must be {rule}, not {value!r}.", field=field, value=value)
