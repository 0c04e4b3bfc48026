"""The engines of one machine: this process, or several."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

__all__ = ["Engine", "ProcessEngine", "SerialEngine"]

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


class Engine(Protocol):
    """Runs a function over parts."""

    def map(self, function: Callable[[_Part], _Result], parts: Iterable[_Part]) -> Iterator[_Result]:
        """The results in the order of the parts, as they come. Closing the iterator stops what has not begun."""


class SerialEngine:
    """One part after the other, here."""

    def map(self, function: Callable[[_Part], _Result], parts: Iterable[_Part]) -> Iterator[_Result]:
        """The results in the order of the parts."""
        return map(function, parts)


class ProcessEngine:
    """Several processes of this machine.

    Args:
        processes: How many. Default: as many as this process may use cores.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or _cores()

    def map(self, function: Callable[[_Part], _Result], parts: Iterable[_Part]) -> Iterator[_Result]:
        """The results in the order of the parts; few parts are under way ahead of the one that is awaited."""
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - this process alone needs none
        from multiprocessing import get_context  # noqa: PLC0415

        # Spawned and not forked: the caller may have threads.
        with ProcessPoolExecutor(self.processes, mp_context=get_context("spawn")) as pool:
            waiting: deque[Future[_Result]] = deque()
            try:
                for part in parts:
                    waiting.append(pool.submit(function, part))
                    if len(waiting) > 2 * self.processes:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def _cores() -> int:
    """Cores that this process may use; where the system does not say, those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
