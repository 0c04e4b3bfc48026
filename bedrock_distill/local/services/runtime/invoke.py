"""InvokeModel and InvokeModelWithResponseStream: each model in its family's own body format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.asks import Answer, Ask, Stream
from bedrock_distill.local.services.runtime.bodies import Format, format_of
from bedrock_distill.local.services.runtime.bodies.reading import About
from bedrock_distill.local.services.runtime.conversation import no_guardrail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.runtime.desk import Desk, Exchange
    from bedrock_distill.local.services.runtime.resolution import Target

__all__ = ["ask_of", "invoke_model", "invoke_model_with_response_stream", "response_of"]

_JSON = "application/json"
_ACCEPTED = ("", "*/*", "application/*", _JSON)
_ECHOED = ("performanceConfigLatency", "serviceTier")
"""What the answer repeats of the request."""
_METRICS = "amazon-bedrock-invocationMetrics"


def invoke_model(desk: Desk, call: Call) -> dict[str, Any]:
    """A model's answer in its own format."""
    with desk.failures_logged(call):
        exchange = _open(desk, call)
        answer = exchange.answer()
    response = response_of(exchange, answer)
    _log(desk, exchange, answer, response)
    return {"body": orjson.dumps(response), "contentType": _JSON, **_echo(call)}


def invoke_model_with_response_stream(desk: Desk, call: Call) -> dict[str, Any]:
    """A model's answer in its own format, in chunks."""
    with desk.failures_logged(call):
        exchange = _open(desk, call)
        stream = exchange.stream()
    return {"body": _chunks(desk, exchange, stream), "contentType": _JSON, **_echo(call)}


def _open(desk: Desk, call: Call) -> Exchange:
    _check_types(call)
    if call.params.get("guardrailIdentifier"):
        raise no_guardrail()

    return desk.open(call, lambda target: ask_of(target, call.params.get("body") or b""))


def ask_of(target: Target, body: bytes) -> Ask:
    """The ask inside a body of the model's family.

    Raises:
        AwsError: ValidationException.
    """
    ask = format_of(target.body, body).read(body)
    if target.imported is not None and not target.imported.chat_template and not isinstance(ask.prompt, str):
        raise AwsError(
            "ValidationException",
            "The model was imported without a chat template and no default one is applied: send a prompt in "
            "place of messages, or import it again with a chat template.",
        )
    return ask


def response_of(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    """The body of the response, in the family's format."""
    return _format_of(exchange).render(answer, _about(exchange))


def _check_types(call: Call) -> None:
    """AWS's text models read and write JSON; what the caller leaves out means JSON."""
    content, accept = call.params.get("contentType") or _JSON, call.params.get("accept") or ""
    if content.partition(";")[0].strip().lower() != _JSON:
        raise AwsError(
            "ValidationException", "The provided Content Type is invalid or not supported for this model"
        )
    offered = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if not any(part in _ACCEPTED for part in offered):
        raise AwsError(
            "ValidationException", "The provided Accept Type is invalid or not supported for this model"
        )


def _chunks(desk: Desk, exchange: Exchange, stream: Stream) -> Iterator[dict[str, Any]]:
    """The family's chunks; the last carries Bedrock's own measurements."""
    watched = _Watched(stream, exchange)
    sent: list[dict[str, Any]] = []
    closing: list[dict[str, Any]] = []
    try:
        for chunk in _format_of(exchange).chunks(watched.stream, _about(exchange)):
            # Once the answer is whole, what is left is the family's closing words: held back for the last of them.
            if watched.answer is None:
                sent.append(chunk)
                yield _part(chunk)
            else:
                closing.append(chunk)
    except AwsError as error:
        desk.log_failure(exchange.call, error)
        raise
    answer = watched.answer
    if answer is not None:
        closing[-1] = {**closing[-1], _METRICS: watched.metrics(answer)}
        # Logged before the end is sent: a client may hang up as soon as it has what it wants.
        _log(desk, exchange, answer, [*sent, *closing])
    yield from map(_part, closing)


class _Watched:
    """A stream that remembers when its first piece came and how it ended."""

    def __init__(self, stream: Stream, exchange: Exchange) -> None:
        self.answer: Answer | None = None
        self.stream = Stream(stream.input_tokens, self._events(stream.events))
        self._exchange = exchange
        self._first_ms: int | None = None

    def metrics(self, answer: Answer) -> dict[str, int]:
        """Bedrock's own measurements."""
        return {
            "inputTokenCount": answer.input_tokens,
            "outputTokenCount": answer.output_tokens,
            "invocationLatency": self._exchange.elapsed_ms,
            "firstByteLatency": self._first_ms or 0,
        }

    def _events(self, events: Iterator[str | Answer]) -> Iterator[str | Answer]:
        for event in events:
            if self._first_ms is None:
                self._first_ms = self._exchange.elapsed_ms
            if isinstance(event, Answer):
                self.answer = event
            yield event


def _echo(call: Call) -> dict[str, Any]:
    return {name: call.params[name] for name in _ECHOED if call.params.get(name)}


def _part(chunk: dict[str, Any]) -> dict[str, Any]:
    return {"chunk": {"bytes": orjson.dumps(chunk)}}


def _format_of(exchange: Exchange) -> Format:
    return format_of(exchange.target.body, exchange.call.params.get("body") or b"")


def _about(exchange: Exchange) -> About:
    return About(
        model_id=exchange.target.model_id,
        request_id=exchange.call.request_id,
        created=int(exchange.at.timestamp()),
    )


def _log(desk: Desk, exchange: Exchange, answer: Answer, answered: Any) -> None:
    asked = orjson.loads(exchange.call.params["body"])
    desk.log(exchange, asked=asked, answered=answered, tokens=(answer.input_tokens, answer.output_tokens))
