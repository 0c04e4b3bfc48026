"""The paired bootstrap: what a ratio would have been with other prompts of the same kind.

Prompts are drawn with replacement, and both sides' scores go with the prompt; that is what makes the interval of a ratio
narrow where both sides fail on the same prompts. Prompts with the same pair of scores are alike to it, so that where
there are few different pairs (scores of 0 and 1 have four) it draws how many of each there are, directly: the same
distribution, whatever the number of prompts. Otherwise it draws prompt by prompt.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from bedrock_distill.evaluation.statistics import quantile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MAX_DRAWS", "percentile_interval", "resampled_ratios"]

MAX_DRAWS = 10_000_000
"""Most draws prompt by prompt for one estimate: about a second.

From 1,000 prompts on this means fewer than 10,000 resamples, but never fewer than 1,000. Intervals of that many prompts
are narrow, and what fewer resamples cost is a small part of their width.
"""

_FEW = 32
"""Up to so many different pairs of scores, they are counted; more are drawn prompt by prompt."""


def percentile_interval(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """The two-sided percentile interval of resampled values."""
    ordered, tail = sorted(values), (1 - confidence) / 2
    return quantile(ordered, tail), quantile(ordered, 1 - tail)


def resampled_ratios(
    first: Sequence[float],
    second: Sequence[float] | None,
    resamples: int,
    *,
    seed: str,
    max_draws: int = MAX_DRAWS,
) -> list[float]:
    """Resampled ratios of two paired means, or resampled means.

    Args:
        first: A score for each prompt, at least one.
        second: The other side's scores for the same prompts, not negative; None for the mean of the first.
        resamples: How many; fewer, but never fewer than 1,000 of them, where that would take more than `max_draws`.
        seed: The same seed gives the same numbers.
        max_draws: Most prompts to draw, where scores take so many values that each must be drawn.

    Returns:
        The ratios. A resample whose second mean is zero counts as 1 if the first is above zero, and else as 0. They are the
        same in whatever order the prompts come.
    """
    pairs = sorted(zip(first, [1.0] * len(first) if second is None else second, strict=True))
    groups = Counter(pairs)
    if len(groups) <= _FEW:
        sums = _by_counts(groups, resamples, seed)
    else:
        sums = _by_prompt(pairs, min(resamples, max(1_000, max_draws // len(first))), seed)
    return [_ratio(above, beneath) for above, beneath in sums]


def _ratio(above: float, beneath: float) -> float:
    if beneath > 0:
        return above / beneath
    return 1.0 if above > 0 else 0.0


def _by_counts(
    groups: Counter[tuple[float, float]], resamples: int, seed: str
) -> Iterator[tuple[float, float]]:
    """Sums over multinomial draws of how often each pair of scores occurs."""
    draw = _Binomial(seed)
    ranked = (
        groups.most_common()
    )  # the most frequent first: what is left then varies least, and tables stay few
    total = groups.total()
    for _ in range(resamples):
        left, weight_left = total, total
        above = beneath = 0.0
        for (one, other), weight in ranked:
            # Each group takes its share of what the ones before have left.
            count = draw(left, weight, weight_left)
            above += count * one
            beneath += count * other
            left -= count
            weight_left -= weight
            if not left:
                break
        yield above, beneath


def _by_prompt(
    pairs: Sequence[tuple[float, float]], resamples: int, seed: str
) -> Iterator[tuple[float, float]]:
    """Sums over prompts drawn with replacement, thirty-two random bits each: even to one part in 2³² / n."""
    random_bytes = random.Random(seed).randbytes  # noqa: S311 - statistics, not secrets
    n = len(pairs)
    first, second = zip(*pairs, strict=True)
    alike = len(set(second)) == 1
    for _ in range(resamples):
        drawn = [bits * n >> 32 for bits in array("I", random_bytes(4 * n))]
        above = sum(map(first.__getitem__, drawn))
        yield above, (n * second[0] if alike else sum(map(second.__getitem__, drawn)))


class _Binomial:
    """Exact binomial draws by inversion, with the tables of cumulative weights kept.

    A bootstrap asks for few different (n, p): n varies by a few standard deviations, p takes one value a group.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random  # noqa: S311 - statistics, not secrets
        self._tables: dict[tuple[int, int, int], tuple[int, array[float]]] = {}

    def __call__(self, n: int, part: int, whole: int) -> int:
        """How many of `n`, at least one, succeed, each with the chance `part / whole`."""
        if part == whole:
            return n
        key = (n, part, whole)
        if key not in self._tables:
            self._tables[key] = _cumulative(n, part / whole)
        lowest, cumulative = self._tables[key]
        return lowest + bisect_left(cumulative, self._random() * cumulative[-1])


def _cumulative(n: int, p: float) -> tuple[int, array[float]]:
    """The lowest outcome worth counting, and the cumulative weights from it upwards.

    Weights are relative to the most likely outcome's, and stop where they no longer change a double.
    """
    mode, odds = min(n, int((n + 1) * p)), p / (1 - p)
    upwards = _falling((n - k) / (k + 1) * odds for k in range(mode, n))
    downwards = _falling(k / (n - k + 1) / odds for k in range(mode, 0, -1))
    return mode - len(downwards), array("d", accumulate([*reversed(downwards), 1.0, *upwards]))


def _falling(factors: Iterator[float]) -> list[float]:
    weights, weight = [], 1.0
    for factor in factors:
        weight *= factor
        if weight < 1e-17:
            break
        weights.append(weight)
    return weights
