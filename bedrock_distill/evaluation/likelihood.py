"""Lower bounds for scores that are not 0 or 1: empirical likelihood, for scores that lie between known bounds.

How much likelier is what was seen if prompts may weigh what fits it best than if they must weigh so that the student keeps no
more than some margin? Twice the logarithm of that ratio is distributed as the square of a normal variable where the margin is
the truth (Owen, Biometrika 75, 1988), so a margin is refuted where it reaches the square of that variable's quantile. The ratio
is found by its dual: the largest mean of log(1 + stake · change), which is what a gambler would win who knew the best stake.
That a stake may not lose everything to the worst change there can be stands for prompts that nobody has seen. Half such a
prompt is added, as half a hit is taken off where scores are 0 and 1: without it, few prompts would say too much.
"""

from __future__ import annotations

from math import log
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["gain_bound", "retention_bound", "spoken_for"]

_HALF: Final = 0.5
"""Worst prompts that are added to those that were seen."""

_MARGINS, _STAKES = 40, 25
"""How often the interval is halved that holds a margin, and a stake: near its best a stake makes hardly a difference."""


def retention_bound(side: Sequence[float], teacher: Sequence[float], alpha: float) -> float:
    """The largest margin that is refuted: the side keeps more than that of the teacher's mean score.

    Args:
        side: Scores of the side, one a prompt, from 0 on.
        teacher: Scores of the teacher on the same prompts, not all 0.
        alpha: Chance that the bound lies above the truth, below 0.5.
    """
    own, other, counts = _distinct(side, teacher)
    most = max(1.0, *teacher)
    whole = float((own * counts).sum() / (other * counts).sum())
    bound = _largest_refuted(
        # -1 is the worst there can be: the side scores nothing where the teacher scores all it can.
        lambda margin: (own - margin * other) / (margin * most),
        counts,
        (0.0, whole),
        alpha,
    )
    return min(bound, whole * spoken_for(len(side), alpha))


def gain_bound(first: Sequence[float], second: Sequence[float], alpha: float) -> float:
    """The largest gain that is refuted: the first side's mean score lies more than that above the second's.

    Args:
        first: Scores of the one side, one a prompt, from 0 on.
        second: Scores of the other on the same prompts.
        alpha: Chance that the bound lies above the truth, below 0.5.
    """
    own, other, counts = _distinct(first, second)
    most = max(1.0, *second)
    gains = own - other
    mean = float((gains * counts).sum() / len(first))
    bound = _largest_refuted(lambda gain: (gains - gain) / (most + gain), counts, (-most, mean), alpha)
    share = spoken_for(len(first), alpha)
    return min(bound, mean * share - most * (1 - share))


def spoken_for(n: int, alpha: float) -> float:
    """The least share of all prompts that `n` drawn ones speak for, but for that chance.

    Were a share of the prompts quite different, none of it would be among the n with the chance (1 - share)ⁿ, and what nobody
    has seen may be worth nothing.
    """
    return float(alpha ** (1 / n))


def _distinct(first: Sequence[float], second: Sequence[float]) -> tuple[Any, Any, Any]:
    """The different pairs of scores in their order, and how often each occurs: whatever order the prompts have."""
    import numpy as np  # noqa: PLC0415 - only for scores that are not 0 or 1

    pairs, counts = np.unique(np.array([first, second], dtype=float), axis=1, return_counts=True)
    return pairs[0], pairs[1], counts


def _largest_refuted(
    changes: Callable[[float], Any], counts: Any, between: tuple[float, float], alpha: float
) -> float:
    """The largest margin that is refuted.

    Args:
        changes: The changes at a margin, in units of the largest loss there can be; they fall where the margin rises.
        counts: How often each change occurs.
        between: A margin that cannot be the truth, and the one that was measured, which is never refuted.
        alpha: Chance of an error.
    """
    enough = NormalDist().inv_cdf(1 - alpha) ** 2 / 2
    low, high = between
    for _ in range(_MARGINS):
        margin = (low + high) / 2
        if not low < margin < high:
            break
        if _log_ratio(changes(margin), counts) >= enough:
            low = margin
        else:
            high = margin
    return low


def _log_ratio(changes: Any, counts: Any) -> float:
    """The largest sum of log(1 + stake · change) over stakes from 0 to 1, half a loss of everything among the changes."""
    import numpy as np  # noqa: PLC0415 - as above

    low, high = 0.0, 1.0
    for _ in range(_STAKES):
        stake = (low + high) / 2
        if (counts * changes / (1 + stake * changes)).sum() > _HALF / (1 - stake):
            low = stake
        else:
            high = stake
    return float((counts * np.log1p(low * changes)).sum()) + _HALF * log(1 - low)
