"""What must stay on one side of a split, and which side that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bedrock_distill.records.splitting import Shares

__all__ = ["Roots", "sides", "tied"]


class Roots:
    """Disjoint sets of rows; the root of each is its lowest row."""

    def __init__(self, count: int) -> None:
        self._parents = np.arange(count)
        self._flat = True

    def of_all(self) -> NDArray[np.int64]:
        """The root of every row."""
        while not self._flat:
            grand = self._parents[self._parents]
            self._flat = np.array_equal(grand, self._parents)
            self._parents = grand
        return self._parents

    def apart(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which pairs are not yet in the same set."""
        roots = self.of_all()
        apart: NDArray[np.bool_] = roots[left] != roots[right]
        return apart

    def join(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        """Join the sets of each pair."""
        parents = self._parents
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            a, b = self._root(one), self._root(other)
            parents[max(a, b)] = min(a, b)
            self._flat = False

    def _root(self, row: int) -> int:
        parents = self._parents
        while (parent := int(parents[row])) != row:
            parents[row] = parents[parent]
            row = parent
        return row


def tied(ties: Sequence[NDArray[np.uint64]], count: int) -> NDArray[np.int64]:
    """Groups of records: tied are those that have the same value in one of the columns, and what is tied to those.

    Args:
        ties: Columns of values; zero ties to nothing.
        count: How many records there are.

    Returns:
        For each record, the lowest of its group.
    """
    roots = Roots(count)
    for column in ties:
        order = np.argsort(column, kind="stable")
        values = column[order]
        same = np.flatnonzero((values[1:] == values[:-1]) & (values[1:] != 0))
        apart = roots.apart(order[same], order[same + 1])
        roots.join(order[same][apart], order[same + 1][apart])
    return roots.of_all()


def sides(
    groups: NDArray[np.int64],
    leaders: NDArray[np.uint64],
    points: NDArray[np.uint64],
    shares: Shares,
) -> NDArray[np.int64]:
    """Which share each record goes to: its group's, which is that of the group's leader.

    A record that is alone in its group goes where `splitting` puts it.

    Args:
        groups: The group of each record.
        leaders: A number of each record that follows from its prompt; the least of a group leads it.
        points: Where each record lies on the line of hash values.
        shares: The shares on that line.
    """
    order = np.lexsort((points, leaders, groups))
    first = np.ones(len(order), np.bool_)
    first[1:] = np.diff(groups[order]) != 0
    leading = order[np.flatnonzero(first)]
    names, numbers = np.unique(groups, return_inverse=True)
    of_groups = np.array([shares.index_of(point) for point in points[leading].tolist()], np.int64)
    return of_groups[numbers.reshape(-1)] if len(names) else of_groups
