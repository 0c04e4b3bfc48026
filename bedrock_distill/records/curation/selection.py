"""Choosing so many of many: every stratum in proportion, and within it as many themes as there is room for.

What is chosen follows from the records and the seed, never from the order they came in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["LENGTH_BANDS", "choose", "golden_count", "length_bands", "major", "quotas", "strata_of", "turns"]

LENGTH_BANDS = (64, 256, 1024, 4096)
"""Where one band of lengths ends and the next begins, in estimated tokens."""

_MAJOR_SHARE, _MAJOR_COUNT = 0.005, 20


def quotas(sizes: NDArray[np.int64], total: int, floor: int) -> NDArray[np.int64]:
    """How many to take of each stratum.

    In proportion to what they have, by largest remainder; but no less than `floor` of each, or all it has. Where not even
    the floors have room, the floor is lowered until they have.

    Args:
        sizes: How many each stratum has.
        total: How many to take in all.
        floor: Fewest to take of each.
    """
    if total >= sizes.sum():
        return sizes.copy()
    while floor and np.minimum(sizes, floor).sum() > total:
        floor -= 1
    least = np.minimum(sizes, floor)
    open_ = np.ones(len(sizes), np.bool_)  # strata that get more than the least
    while True:
        exact = np.where(open_, sizes * ((total - least[~open_].sum()) / max(sizes[open_].sum(), 1)), least)
        low = open_ & (exact < least)
        if not low.any():
            break
        open_ &= ~low
    taken = np.floor(exact + 1e-9).astype(np.int64)
    # Largest remainder first, then the larger stratum, then the earlier.
    order = np.lexsort((np.arange(len(sizes)), -sizes, taken - exact))
    order = order[open_[order] & (taken[order] < sizes[order])]
    taken[order[: total - int(taken.sum())]] += 1
    return taken


def turns(
    strata: NDArray[np.int64], themes: NDArray[np.uint32], order: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """In which turn each record comes: 0 for the first of its theme in its stratum, 1 for the second, and so on."""
    sorted_ = np.lexsort((order, themes, strata))
    new = np.ones(len(sorted_), np.bool_)
    new[1:] = (np.diff(strata[sorted_]) != 0) | (np.diff(themes[sorted_].astype(np.int64)) != 0)
    places = np.arange(len(sorted_))
    begins = np.maximum.accumulate(np.where(new, places, 0))
    turn = np.empty(len(sorted_), np.int64)
    turn[sorted_] = places - begins
    return turn


def choose(
    strata: NDArray[np.int64],
    themes: NDArray[np.uint32],
    order: NDArray[np.uint64],
    total: int,
    floor: int,
) -> NDArray[np.int64]:
    """Choose records: by stratum, and in each stratum one of every theme before a second of any.

    Args:
        strata: The stratum of each record, from zero.
        themes: The theme of each record.
        order: A number of each record by which ties are broken.
        total: How many to choose.
        floor: Fewest of a stratum; see `quotas`.

    Returns:
        The places of the chosen, ascending.
    """
    if total >= len(strata):
        return np.arange(len(strata))
    wanted = quotas(np.bincount(strata), total, floor)
    sorted_ = np.lexsort((order, turns(strata, themes, order), strata))
    begins = np.searchsorted(strata[sorted_], np.arange(len(wanted)))
    ranks = np.arange(len(sorted_)) - begins[strata[sorted_]]
    return np.sort(sorted_[ranks < wanted[strata[sorted_]]])


def golden_count(others: int, golden: int, share: float, total: int | None) -> int:
    """How many golden records to take so that they make up the share of what is written, as far as there are enough."""
    if others == 0 or share == 1:
        return golden if total is None else min(golden, total)
    of_others = int(others * share / (1 - share) + 1e-9)
    return min(golden, of_others if total is None else min(of_others, int(share * total + 1e-9)))


def length_bands(tokens: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The band of lengths that each record falls into, from zero."""
    return np.searchsorted(LENGTH_BANDS, tokens, side="right")


def major(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The values, those that few records have replaced by zero."""
    kinds, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    few = counts < max(_MAJOR_COUNT, _MAJOR_SHARE * len(values))
    return np.where(few, np.uint64(0), kinds)[places.reshape(-1)]


def strata_of(columns: Sequence[NDArray[np.uint64]], count: int) -> NDArray[np.int64]:
    """Number the strata: records are in the same one if they agree in all columns."""
    strata = np.zeros(count, np.int64)
    for column in columns:
        _, numbers = np.unique(column, return_inverse=True)
        # Numbered anew each time, so that the product stays small.
        _, strata = np.unique(
            strata * (int(numbers.max(initial=0)) + 1) + numbers.reshape(-1), return_inverse=True
        )
    return strata.reshape(-1)
