"""What faults do to a call: wait, refuse, drop the connection, end the caller, cut a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.eventstream import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bedrock_distill.local.calls import LoggedCall
    from bedrock_distill.local.clock import LocalClock
    from bedrock_distill.local.faults import Fault, Faults
    from bedrock_distill.local.gateway.wire import WireResponse

__all__ = ["Disconnected", "cut_stream", "strike_after", "strike_before"]


class Disconnected(ConnectionError):  # noqa: N818 - a state of the line; each door gives it its own error
    """The connection drops without an answer, or in the middle of one."""


def strike_before(strikes: Sequence[Fault], call: LoggedCall, faults: Faults, clock: LocalClock) -> None:
    """Let the faults strike that come before the operation.

    Raises:
        AwsError: The answer, where a fault is one.
        Disconnected: Where the connection drops.
        SimulatedCrash: Where the caller's process dies.
    """
    _strike((fault for fault in strikes if fault.when == "before"), call, faults, clock)


def strike_after(strikes: Sequence[Fault], call: LoggedCall, faults: Faults, clock: LocalClock) -> None:
    """Let the faults strike that come when the operation has taken effect; raises as `strike_before` does."""
    _strike((fault for fault in strikes if fault.when == "after"), call, faults, clock)


def _strike(strikes: Iterable[Fault], call: LoggedCall, faults: Faults, clock: LocalClock) -> None:
    for fault in strikes:
        if fault.latency_s:
            clock.sleep(fault.latency_s)
        if fault.crash and call.door == "process":
            raise faults.crash(fault, call.operation)
        if fault.disconnect or fault.crash:
            raise Disconnected(f"A fault rule dropped the connection of {call.name}.")
        if fault.code is not None:
            message = fault.message or f"A fault rule answered {call.name} with {fault.code}."
            raise AwsError(fault.code, message, status=fault.status)
        if fault.status is not None:
            raise AwsError(str(fault.status), status=fault.status, bare=True)


def cut_stream(strikes: Sequence[Fault], response: WireResponse) -> WireResponse:
    """Let a response's event stream break where a fault says so. Other responses stay whole."""
    after = min(
        (fault.cut_stream_after for fault in strikes if fault.cut_stream_after is not None), default=None
    )
    if (
        after is None
        or isinstance(response.body, bytes)
        or ("Content-Type", CONTENT_TYPE) not in response.headers
    ):
        return response
    response.body = _first(after, response.body)
    return response


def _first(count: int, frames: Iterator[bytes]) -> Iterator[bytes]:
    """The first frames, then a broken line."""
    try:
        for _, frame in zip(range(count), frames, strict=False):
            yield frame
        raise Disconnected(f"A fault rule cut the event stream after {count} events.")
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()
