"""Waiting for something to reach a state. Bedrock has no waiters in botocore, and jobs may run for days."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.clock import Clock

__all__ = ["delays", "poll"]

_T = TypeVar("_T")


def delays(first_s: float = 2.0, longest_s: float = 60.0, factor: float = 1.5) -> Iterator[float]:
    """Seconds between looks: short at first, for what is quick, then longer up to a bound."""
    delay = first_s
    while True:
        yield delay
        delay = min(delay * factor, longest_s)


def poll(
    look: Callable[[], _T], *, clock: Clock, timeout_s: float | None, schedule: Iterator[float] | None = None
) -> Iterator[_T]:
    """Look again and again until the caller stops, or the time is up.

    Args:
        look: Asks for the present state.
        clock: Whose time counts.
        timeout_s: Seconds after which the generator ends by itself; None for never. The last look is made at the
            deadline, never after it.
        schedule: Seconds between looks. Default: `delays()`.

    Yields:
        Each state seen, the first at once.
    """
    started = clock.monotonic()
    for delay in schedule or delays():
        yield look()
        left = None if timeout_s is None else timeout_s - (clock.monotonic() - started)
        if left is not None and left <= 0:
            return
        clock.sleep(delay if left is None else min(delay, left))
