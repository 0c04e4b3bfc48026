"""Is the student no worse than its teacher by more than a margin? Score tests of two paired rates, as functions of counts.

The margin is a share of the teacher's rate (retention), or a number of points below it (difference). Standard errors are
taken where the hypothesis holds, and half a hit is taken off as continuity correction, so that small samples keep the
error rate too. A p value is at most alpha exactly where the lower bound at alpha reaches the margin.
"""

from __future__ import annotations

import math

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.statistics import PairCounts, retention_score

__all__ = [
    "difference_lower_bound",
    "difference_p_value",
    "difference_score",
    "retention_p_value",
    "shortfall_p_value",
]

_BISECTIONS = 60


def retention_p_value(counts: PairCounts, margin: float) -> float:
    """One-sided p value against "retention is `margin` or less": small where the student is shown to keep more.

    Args:
        counts: The student first, the teacher second.
        margin: Above 0, such as 0.9.
    """
    if counts.ratio is None:
        return 1.0
    return _upper_tail(retention_score(counts, margin))


def shortfall_p_value(counts: PairCounts, margin: float) -> float:
    """One-sided p value against "retention is `margin` or more": small where the student is shown to keep less.

    Args:
        counts: The student first, the teacher second.
        margin: Above 0, such as 0.8.
    """
    if not counts.both + counts.first_only + counts.second_only:
        return 1.0
    # That the student keeps at most a share of the teacher is that the teacher has at least the inverse of the student.
    swapped = PairCounts(counts.both, counts.second_only, counts.first_only, counts.neither)
    # Half a hit of either side, whichever counts for more: one of the student's is worth the inverse of the margin.
    return _upper_tail(retention_score(swapped, 1 / margin, correction=0.5 * max(1.0, 1 / margin)))


def difference_p_value(counts: PairCounts, margin: float) -> float:
    """One-sided p value against "the student's rate is `margin` or more below the teacher's".

    Args:
        counts: The student first, the teacher second.
        margin: From 0 to 1, such as 0.05 for five points.

    Raises:
        SpecError: If the margin is not in that range.
    """
    if not 0 <= margin < 1:
        raise SpecError(
            f"margin must be from 0 to below 1, such as 0.05 for five points, not {margin!r}.",
            field="margin",
            value=margin,
        )
    return _upper_tail(difference_score(counts, -margin))


def difference_lower_bound(counts: PairCounts, alpha: float) -> float:
    """One-sided lower confidence bound of the student's rate less the teacher's.

    Args:
        counts: The student first, the teacher second; at least one prompt.
        alpha: Chance that the true difference is below the bound, below 0.5.
    """
    low, high = -1.0, (counts.first_only - counts.second_only) / counts.n
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        accepted = _upper_tail(difference_score(counts, middle)) > alpha
        low, high = (low, middle) if accepted else (middle, high)
    return low


def difference_score(counts: PairCounts, difference: float) -> float:
    """How many standard errors the first rate less the second is above `difference`, half a hit taken off.

    Only the prompts where one side alone is right tell. With shares p10 and p01 = p10 - difference of these, one unknown
    is left, and its likelihood has its maximum at a root of a quadratic (Tango's score test).
    """
    n, first, second = counts.n, counts.first_only, counts.second_only
    linear = (2 * n - first + second) * difference - first - second
    constant = -second * difference * (1 - difference)
    p01 = (math.sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * p01 + difference * (1 - difference))
    excess = first - second - n * difference - 0.5
    if variance <= 0:
        return math.inf if excess > 0 else -math.inf
    return excess / math.sqrt(variance)


def _upper_tail(score: float) -> float:
    """The normal distribution's share above a score, exact to the last digits far out as well."""
    return 0.5 * math.erfc(score / math.sqrt(2))
