"""What faults do to a call: wait, refuse, drop the connection, end the caller, cut a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.eventstream import encode_exception

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bedrock_distill.local.calls import LoggedCall
    from bedrock_distill.local.clock import LocalClock
    from bedrock_distill.local.faults import Fault, Faults
    from bedrock_distill.local.gateway.wire import WireResponse

__all__ = ["BareStatus", "Disconnected", "cut_stream", "strike_after", "strike_before"]


class Disconnected(ConnectionError):  # noqa: N818 - a state of the line; each door gives it its own error
    """The connection drops without an answer, or in the middle of one."""


class BareStatus(Exception):  # noqa: N818 - an answer, not an error of ours
    """The answer is a status and nothing more."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def strike_before(strikes: Sequence[Fault], call: LoggedCall, faults: Faults, clock: LocalClock) -> None:
    """Let the faults strike that come before the operation.

    Raises:
        AwsError: The answer, where a fault is one.
        BareStatus: The same, where it has no body.
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
        if fault.cut_stream_after is not None:
            continue  # it strikes while the answer is read
        if fault.crash:
            death = faults.crash(fault, call.operation)
            if call.door == "process":
                raise death
        if fault.disconnect or fault.crash:
            raise Disconnected(f"A fault rule dropped the connection of {call.name}.")
        if fault.code is not None:
            raise _error(fault, fault.code, call)
        if fault.status is not None:
            raise BareStatus(fault.status)


def cut_stream(
    strikes: Sequence[Fault], response: WireResponse, stream: Any | None, call: LoggedCall
) -> WireResponse:
    """Let a response's event stream end early where a fault says so. Other responses stay whole.

    Args:
        strikes: The faults that strike the call.
        response: Its answer.
        stream: botocore's shape of the answer's event stream, or None if it has none.
        call: The call.
    """
    cuts = [fault for fault in strikes if fault.cut_stream_after is not None]
    if not cuts or stream is None or isinstance(response.body, bytes):
        return response
    first = min(cuts, key=lambda fault: fault.cut_stream_after or 0)
    response.body = _cut(first, response.body, stream, call)
    return response


def _cut(fault: Fault, frames: Iterator[bytes], stream: Any, call: LoggedCall) -> Iterator[bytes]:
    """The first frames, then the fault's error event or a broken line."""
    try:
        for _, frame in zip(range(fault.cut_stream_after or 0), frames, strict=False):
            yield frame
    finally:
        # Before the error is sent: who has read it reads no further, and the model would go on answering nobody.
        close = getattr(frames, "close", None)
        if close is not None:
            close()
    call.code = fault.code or Disconnected.__name__
    if fault.code is None:
        raise Disconnected(f"A fault rule cut the event stream after {fault.cut_stream_after} events.")
    yield encode_exception(stream, _error(fault, fault.code, call))


def _error(fault: Fault, code: str, call: LoggedCall) -> AwsError:
    message = fault.message or f"A fault rule answered {call.name} with {code}."
    return AwsError(code, message, status=fault.status)
