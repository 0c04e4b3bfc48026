"""What the local cloud remembers: tables of plain values, one set for each region, and the paging of lists.

A service keeps its resources here and nowhere else, so that both doors and every thread see one state. Values are the
service's own (frozen dataclasses or dicts); the store does not look inside them.
"""

from __future__ import annotations

import base64
import binascii
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bedrock_distill.local.gateway.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Store", "Table", "paginate"]

T = TypeVar("T")


class Table(Generic[T]):
    """Values by key, in the order they were first put. Thread-safe."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._rows: dict[str, T] = {}

    def put(self, key: str, value: T) -> T:
        """Add or replace; returns the value."""
        with self._lock:
            self._rows[key] = value
            return value

    def get(self, key: str) -> T | None:
        """The value, or None."""
        with self._lock:
            return self._rows.get(key)

    def find(self, wanted: Callable[[T], bool]) -> T | None:
        """The first value that `wanted` accepts, or None."""
        return next((value for value in self.values() if wanted(value)), None)

    def where(self, wanted: Callable[[T], bool]) -> list[T]:
        """Every value that `wanted` accepts, oldest first."""
        return [value for value in self.values() if wanted(value)]

    def update(self, key: str, change: Callable[[T], T]) -> T:
        """Replace a value by `change(value)` in one step, and return the new one.

        Raises:
            KeyError: If there is no such key.
        """
        with self._lock:
            value = change(self._rows[key])
            self._rows[key] = value
            return value

    def delete(self, key: str) -> T | None:
        """Remove and return the value, or None if there was none."""
        with self._lock:
            return self._rows.pop(key, None)

    def values(self) -> list[T]:
        """A copy of the values, oldest first."""
        with self._lock:
            return list(self._rows.values())

    def keys(self) -> list[str]:
        """A copy of the keys, oldest first."""
        with self._lock:
            return list(self._rows)

    def __iter__(self) -> Iterator[T]:
        return iter(self.values())

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._rows

    def __len__(self) -> int:
        with self._lock:
            return len(self._rows)


class Store:
    """Tables by kind and region, made when first asked for."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """Held by every table; hold it to change several tables as one."""
        self._tables: dict[tuple[str, str], Table[Any]] = {}

    def table(self, kind: str, region: str) -> Table[Any]:
        """The table of one kind of resource, such as `custom-models`, in one region."""
        with self.lock:
            return self._tables.setdefault((kind, region), Table(self.lock))

    def regions(self, kind: str) -> list[str]:
        """The regions in which a kind of resource has a table."""
        with self.lock:
            return [region for name, region in self._tables if name == kind]


def paginate(
    items: Sequence[T], *, max_results: int | None, next_token: str | None, default: int = 100
) -> tuple[list[T], str | None]:
    """One page of a list, as AWS's list operations give it.

    Args:
        items: The whole list, filtered and sorted.
        max_results: The page's size; None takes `default`.
        next_token: The token that the previous page came with, or None for the first.
        default: Page size where none is asked for.

    Returns:
        The page, and the token of the next one or None at the end.

    Raises:
        AwsError: ValidationException, if the token is not one of ours.
    """
    start = _offset_of(next_token) if next_token else 0
    end = start + (max_results or default)
    token = base64.urlsafe_b64encode(f"offset:{end}".encode()).decode() if end < len(items) else None
    return list(items[start:end]), token


def _offset_of(token: str) -> int:
    try:
        kind, _, offset = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if kind == "offset" and offset.isdecimal():
            return int(offset)
    except (binascii.Error, UnicodeError):
        pass
    raise AwsError("ValidationException", "The provided nextToken is invalid.")
