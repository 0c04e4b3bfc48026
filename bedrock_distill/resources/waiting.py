"""Waiting for a handle, once for every noun: look, tell what changed, end well, badly, or too late."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from bedrock_distill.aws import poll
from bedrock_distill.errors import JobFailedError, ServiceError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.clock import Clock

__all__ = ["Noun", "State", "changes", "wait_until_over"]

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


_PATIENCE = 10
"""Looks in a row that may fail in a wait. Each is tried several times by itself, and a minute lies between two of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """How to speak of what is waited for."""

    name: str
    """In words, such as `distillation job`."""
    wait_command: str
    """The command that waits for it, without the ARN."""
    when_failed: str
    """What to do when it has failed; `{arn}` stands for its ARN."""


def changes(look: Callable[[], _S], *, clock: Clock, timeout_s: float | None) -> Iterator[_S]:
    """The state now, and again whenever its status or phase has changed, until it is over or the time is up.

    What is waited for runs for hours or days, and networks do not: once it has been seen, a look that fails for the moment
    is passed over, up to ten in a row.
    """
    seen: tuple[str, str] | None = None
    for state in poll(_patient(look), clock=clock, timeout_s=timeout_s):
        if state is None:
            continue
        if (state.status, state.phase) != seen:
            seen = (state.status, state.phase)
            yield state
        if state.over:
            return


def _patient(look: Callable[[], _S]) -> Callable[[], _S | None]:
    # At the first look somebody is there to read the error.
    failures = _PATIENCE - 1

    def patient() -> _S | None:
        nonlocal failures
        try:
            state = look()
        except ServiceError as error:
            failures += 1
            if not error.retryable or failures >= _PATIENCE:
                raise
            _log.warning("Could not look, and will look again: %s", error)
            return None
        failures = 0
        return state

    return patient


def wait_until_over(
    look: Callable[[], _S],
    *,
    what: Noun,
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
            _log.info("%s: %s%s", what.name, state.status, f", {state.phase}" if state.phase else "")
            if on_change is not None:
                on_change(state)
    except KeyboardInterrupt:
        if last is not None:
            _log.warning(
                "Stopped waiting; the %s goes on. Pick it up with Session().attach(%r) or `%s %s`.",
                what.name,
                last.arn,
                what.wait_command,
                last.arn,
            )
        raise
    if last is None or not last.over:
        arn, status = (last.arn, last.status) if last else ("", "")
        raise WaitTimeoutError(
            f"The {what.name} {arn} is still {status} after {timeout_s:g} s. It goes on: "
            f"pick it up with Session().attach({arn!r}) or `{what.wait_command} {arn}`.",
            arn=arn,
            status=status,
        )
    if not last.succeeded:
        raise JobFailedError(
            f"The {what.name} {last.arn} ended as {last.status}"
            + (f" in {last.phase}" if last.phase else "")
            + (f": {last.reason.rstrip('.')}." if last.reason else ".")
            + f" {what.when_failed.format(arn=last.arn)}",
            arn=last.arn,
            status=last.status,
            reason=last.reason,
        )
    return last
