"""The way of a request: found out, logged, struck by a fault or not, validated, answered, rendered.

Both doors hand their requests to one `Gateway`. It answers for the services it was given, passes S3, IAM and their like on to
moto, and knows no other: what it cannot answer it refuses by name, so that nothing ever leaves the machine.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore import xform_name

from bedrock_distill.local.call import Call
from bedrock_distill.local.calls import CallLog, Door, LoggedCall
from bedrock_distill.local.faults import Faults, SimulatedCrash
from bedrock_distill.local.gateway.dialects import dialect_of, render_plain_error
from bedrock_distill.local.gateway.effects import (
    BareStatus,
    Disconnected,
    cut_stream,
    strike_after,
    strike_before,
)
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.rendering import render_answer, render_error
from bedrock_distill.local.gateway.validation import find_violations, validate
from bedrock_distill.local.gateway.wire import WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bedrock_distill.local.clock import LocalClock
    from bedrock_distill.local.gateway.targets import Hint, Target, Targets
    from bedrock_distill.local.gateway.wire import WireRequest
    from bedrock_distill.local.ids import Ids

__all__ = ["BrokenAnswerError", "Gateway", "Neighbour"]

log = logging.getLogger(__name__)


class Neighbour(Protocol):
    """Whoever answers for the services that are not ours: moto."""

    def handle(self, request: WireRequest, service: str, operation: str, request_id: str) -> WireResponse:
        """Answer a request to one of its services."""
        ...


class BrokenAnswerError(TypeError):
    """A service answered what its own model forbids: a slip in the service, not in the request."""


@dataclass(slots=True, kw_only=True)
class Gateway:
    """Answers requests on the wire.

    Attributes:
        targets: Finds out what a request asks for.
        services: Our services by boto3's names.
        neighbour: Answers for S3, IAM and their like.
        account_id: The account everything belongs to.
        caller_arn: Gives the ARN of whoever holds an access key (None: nobody signed).
        clock: Times the log, and is slept on by a fault's latency.
        ids: Gives request ids.
        faults: The rules in force.
        calls: The log.
        permit: Raises an AwsError where whoever signed may not do what is asked.
    """

    targets: Targets
    services: Mapping[str, object]
    neighbour: Neighbour
    account_id: str
    caller_arn: Callable[[str | None, str], str]
    clock: LocalClock
    ids: Ids
    faults: Faults
    calls: CallLog
    permit: Callable[[WireRequest, Target], None] = lambda _request, _target: None

    def handle(self, request: WireRequest, *, door: Door, hint: Hint | None = None) -> WireResponse:
        """Answer one request.

        Args:
            request: The request.
            door: Through which door it came.
            hint: What the client says it asks for, where the door can know.

        Raises:
            NotServedError: If it is for a service that the local cloud does not have.
            Disconnected: If a fault drops the connection.
            SimulatedCrash: If a fault ends the caller's process.
        """
        target = self.targets.find(request, hint)
        if door == "process":
            self.faults.check_alive(target.operation)
        call = self.calls.add(
            LoggedCall(
                service=target.service,
                operation=target.operation,
                params=target.params,
                region=target.region,
                request_id=self.ids.uuid(),
                door=door,
                at=self.clock.now(),
            )
        )
        try:
            response = self._answer(request, target, call)
        except (Disconnected, SimulatedCrash) as end:
            call.code = "Disconnected" if isinstance(end, Disconnected) else "SimulatedCrash"
            raise
        except Exception as error:
            call.code = type(error).__name__
            raise
        call.status, call.code = response.status, response.code
        return response

    def _answer(self, request: WireRequest, target: Target, call: LoggedCall) -> WireResponse:
        strikes = self.faults.strike(target.service, target.operation, target.params)
        try:
            strike_before(strikes, call, self.faults, self.clock)
            response = self._respond(request, target, call)
            strike_after(strikes, call, self.faults, self.clock)
        except AwsError as error:
            response = self._refuse(request, target, error, call.request_id)
        except BareStatus as bare:
            response = WireResponse(
                bare.status, [("x-amzn-RequestId", call.request_id), ("Content-Length", "0")]
            )
        if request.method == "HEAD":
            response.body = b""
        return cut_stream(strikes, response, _event_stream(target), call)

    def _respond(self, request: WireRequest, target: Target, call: LoggedCall) -> WireResponse:
        """What the service answers, be it a refusal: a fault may strike after that, too."""
        try:
            self.permit(request, target)
            if target.api is None:
                return self.neighbour.handle(request, target.service, target.operation, call.request_id)
            return self._serve(request, target, call)
        except AwsError as error:
            return self._refuse(request, target, error, call.request_id)

    def _serve(self, request: WireRequest, target: Target, call: LoggedCall) -> WireResponse:
        """Let one of our services answer."""
        if target.refusal is not None:
            raise target.refusal
        api = target.api
        assert api is not None  # noqa: S101 - the caller looked
        operation = api.operation(target.operation)
        method = getattr(self.services.get(api.name), xform_name(target.operation), None)
        if method is None or operation is None:
            raise AwsError(
                "NotImplementedException",
                f"The local cloud does not have {target.service}:{target.operation}. Nothing was sent to AWS.",
                status=501,
            )
        validate(operation.input_shape, target.params, code=api.validation_error)
        signature = request.signature
        output = method(
            Call(
                service=target.service,
                operation=target.operation,
                params=target.params,
                region=target.region,
                account_id=self.account_id,
                request_id=call.request_id,
                caller_arn=self.caller_arn(signature.access_key if signature else None, target.region),
            )
        )
        _check_answer(operation, output)
        return render_answer(
            api, operation, _with_noted_stream(operation, output or {}, call), call.request_id
        )

    def _refuse(self, request: WireRequest, target: Target, error: AwsError, request_id: str) -> WireResponse:
        if target.api is not None:
            operation = target.api.operation(target.operation) if target.operation else None
            response = render_error(target.api, operation, error, request_id)
        else:
            dialect = dialect_of(request, target.signing_name)
            response = render_plain_error(
                dialect, error.code, error.message, request_id=request_id, status=error.status
            )
        return response


def _with_noted_stream(operation: Any, output: Mapping[str, Any], call: LoggedCall) -> Mapping[str, Any]:
    """The answer, with an event stream that tells the log how it broke off, if it does."""
    streams = (
        [name for name in output if operation.output_shape.members[name].serialization.get("eventstream")]
        if operation.has_event_stream_output
        else []
    )
    return {**output, **{name: _noting(output[name], call) for name in streams}}


def _noting(events: Iterable[Any], call: LoggedCall) -> Iterator[Any]:
    try:
        yield from events
    except Exception as error:
        call.code = error.code if isinstance(error, AwsError) else "InternalServerException"
        raise


def _event_stream(target: Target) -> Any | None:
    """The shape of an operation's event stream, or None if it answers with none."""
    operation = target.api.operation(target.operation) if target.api and target.operation else None
    return operation.get_event_stream_output() if operation is not None else None


def _check_answer(operation: Any, output: Mapping[str, Any] | None) -> None:
    """Hold a service to its own model: AWS never answers what a client's types would not take.

    Raises:
        BrokenAnswerError: If the answer lacks a required member or breaks a type, enum, pattern or bound.
    """
    if operation.output_shape is None:
        return
    violations = list(find_violations(operation.output_shape, output or {}))
    if violations:
        raise BrokenAnswerError(f"The answer to {operation.name} breaks its model: {'; '.join(violations)}")
