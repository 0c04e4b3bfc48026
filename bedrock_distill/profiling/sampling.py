"""What is kept of a stream that does not fit into memory: samples and counts that do not depend on its order.

A sample is what has the lowest hashes, so whoever comes first or last has the same chance, and the same calls give the same
sample whichever objects they lie in.
"""

from __future__ import annotations

import heapq
from typing import Final, Generic, TypeVar

import numpy as np

__all__ = ["DISTINCT", "Distinct", "Sample"]

_Item = TypeVar("_Item")

DISTINCT: Final = 4096
"""Hashes kept to count different values: exact up to so many, within some 3 % (two standard errors) beyond."""

_RANGE: Final = float(1 << 64)


class Sample(Generic[_Item]):
    """The items with the lowest hashes, at most so many.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._heap: list[tuple[int, int, _Item]] = []
        """Hash, negated, so that the highest is on top; a number that keeps items from being compared; item."""
        self._number = 0

    def wants(self, draw: int) -> bool:
        """Whether an item of this hash would be kept: asked first where making the item costs something."""
        return len(self._heap) < self.size or -draw > self._heap[0][0]

    def add(self, draw: int, item: _Item) -> None:
        """Offer an item."""
        if not self.wants(draw):
            return
        self._number += 1
        entry = (-draw, self._number, item)
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heapreplace(self._heap, entry)

    def items(self) -> list[_Item]:
        """What is kept, by hash."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: (-entry[0], entry[1]))]

    def __len__(self) -> int:
        return len(self._heap)


class Distinct:
    """How many different 64-bit hashes there were: exact for few, estimated from the lowest for many."""

    def __init__(self) -> None:
        self._lowest = np.empty(0, np.uint64)
        self._new: list[int] = []
        self._limit = 1 << 64
        """Hashes from here on change nothing."""

    def add(self, value: int) -> None:
        """Count a hash."""
        if value < self._limit:
            self._new.append(value)
            if len(self._new) >= DISTINCT:
                self._fold()

    def _fold(self) -> None:
        if not self._new:
            return
        merged = np.union1d(self._lowest, np.array(self._new, np.uint64))
        self._new.clear()
        if len(merged) > DISTINCT:
            merged = merged[:DISTINCT]
            self._limit = int(merged[-1])
        self._lowest = merged

    @property
    def exact(self) -> bool:
        """Whether the count is exact."""
        self._fold()
        return self._limit == 1 << 64

    @property
    def count(self) -> int:
        """How many there were."""
        self._fold()
        if self._limit == 1 << 64:
            return len(self._lowest)
        return round((DISTINCT - 1) / (self._limit / _RANGE))
