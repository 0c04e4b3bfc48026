"""Waiting for a handle, once for every noun: look, tell what changed, end well, badly, or too late."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

from bedrock_distill.aws import poll
from bedrock_distill.errors import JobFailedError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.clock import Clock

__all__ = ["State", "changes", "wait_until_over"]

_log = logging.getLogger("bedrock_distill")


class State(Protocol):
    """What waiting needs to know of a status."""

    @property
    def arn(self) -> str:
        """What to attach to."""
        ...

    @property
    def status(self) -> str:
        """The status as AWS names it."""
        ...

    @property
    def phase(self) -> str:
        """What is going on within the status, or an empty string."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        ...

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        ...

    @property
    def reason(self) -> str:
        """AWS's failure message, or an empty string."""
        ...


_S = TypeVar("_S", bound=State)


def changes(look: Callable[[], _S], *, clock: Clock, timeout_s: float | None) -> Iterator[_S]:
    """The state now, and again whenever its status or phase has changed, until it is over or the time is up."""
    seen: tuple[str, str] | None = None
    for state in poll(look, clock=clock, timeout_s=timeout_s):
        if (state.status, state.phase) != seen:
            seen = (state.status, state.phase)
            yield state
        if state.over:
            return


def wait_until_over(
    look: Callable[[], _S],
    *,
    what: str,
    clock: Clock,
    timeout_s: float | None,
    on_change: Callable[[_S], None] | None = None,
) -> _S:
    """Wait until a state is over, and return it if it is a success.

    Args:
        look: Asks for the present state.
        what: What is waited for, for messages.
        clock: Whose time counts.
        timeout_s: Seconds to wait at most; None for ever.
        on_change: Told each new status or phase; they are logged in any case.

    Raises:
        JobFailedError: If it ended otherwise than well.
        WaitTimeoutError: If the time is up first; what is waited for goes on.
        KeyboardInterrupt: If interrupted; what is waited for goes on, and the log says how to pick it up.
    """
    last: _S | None = None
    try:
        for state in changes(look, clock=clock, timeout_s=timeout_s):
            last = state
            _log.info("%s: %s%s", what, state.status, f", {state.phase}" if state.phase else "")
            if on_change is not None:
                on_change(state)
    except KeyboardInterrupt:
        if last is not None:
            _log.warning(
                "Stopped waiting; the %s goes on. Pick it up with Session().attach(%r).", what, last.arn
            )
        raise
    if last is None or not last.over:
        arn, status = (last.arn, last.status) if last else ("", "")
        raise WaitTimeoutError(
            f"The {what} {arn} is still {status} after {timeout_s:.0f} s. It goes on: "
            f"pick it up with Session().attach({arn!r}) or `bedrock-distill jobs wait`.",
            arn=arn,
            status=status,
        )
    if not last.succeeded:
        raise JobFailedError(
            f"The {what} {last.arn} ended as {last.status}"
            + (f" in {last.phase}" if last.phase else "")
            + (f": {last.reason}" if last.reason else "."),
            arn=last.arn,
            status=last.status,
            reason=last.reason,
        )
    return last
