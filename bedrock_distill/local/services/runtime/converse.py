"""Converse and ConverseStream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters
from bedrock_distill.local.services.runtime.conversation import no_guardrail, read_conversation, refuse_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.runtime.desk import Desk, Exchange
    from bedrock_distill.local.services.runtime.resolution import Target

__all__ = ["ask_of", "converse", "converse_stream", "read_converse", "response_of"]

_NOT_TAKEN = ("toolConfig", "outputConfig", "promptVariables")
"""What no model of the local cloud does."""

_LOGGED = ("messages", "system", "inferenceConfig", "additionalModelRequestFields")
"""The parameters that AWS logs as the request's body."""

_ECHOED = ("performanceConfig", "serviceTier")
"""What the answer repeats of the request."""


def converse(desk: Desk, call: Call) -> dict[str, Any]:
    """A conversation's next message."""
    with desk.failures_logged(call):
        exchange = desk.open(call, lambda target: ask_of(target, call.params))
        answer = exchange.answer()
    response = response_of(exchange, answer)
    _log(desk, exchange, answer, response)
    return {**response, **_echo(call)}


def converse_stream(desk: Desk, call: Call) -> dict[str, Any]:
    """A conversation's next message, in pieces."""
    with desk.failures_logged(call):
        exchange = desk.open(call, lambda target: ask_of(target, call.params))
        stream = exchange.stream()
    return {"stream": _events(desk, exchange, stream.events)}


def ask_of(target: Target, params: Mapping[str, Any]) -> Ask:
    """The ask inside Converse's parameters, of a model that understands Converse.

    Raises:
        AwsError: ValidationException.
    """
    if target.imported is not None and not target.imported.instruct:
        raise AwsError(
            "ValidationException",
            "This action doesn't support the model that you provided. Try again with a supported text or chat model.",
        )
    return read_converse(params)


def read_converse(params: Mapping[str, Any]) -> Ask:
    """The ask inside Converse's parameters.

    Raises:
        AwsError: ValidationException for what the models here do not take.
    """
    for name in _NOT_TAKEN:
        if params.get(name):
            raise refuse_field(name)
    if (params.get("guardrailConfig") or {}).get("guardrailIdentifier"):
        raise no_guardrail()
    inference = params.get("inferenceConfig") or {}
    return Ask(
        read_conversation(params.get("messages") or (), params.get("system") or ()),
        Parameters(
            max_tokens=inference.get("maxTokens"),
            temperature=inference.get("temperature"),
            top_p=inference.get("topP"),
            stop=tuple(inference.get("stopSequences") or ()),
        ),
    )


def _events(desk: Desk, exchange: Exchange, events: Iterator[str | Answer]) -> Iterator[dict[str, Any]]:
    try:
        yield {"messageStart": {"role": "assistant"}}
        for event in events:
            if isinstance(event, Answer):
                # Logged before the last events: a client may hang up as soon as it has what it wants.
                response = response_of(exchange, event)
                _log(desk, exchange, event, response)
                yield {"contentBlockStop": {"contentBlockIndex": 0}}
                yield {"messageStop": {"stopReason": event.stop_reason}}
                yield {
                    "metadata": {
                        "usage": response["usage"],
                        "metrics": response["metrics"],
                        **_echo(exchange.call),
                    }
                }
            else:
                yield {"contentBlockDelta": {"delta": {"text": event}, "contentBlockIndex": 0}}
    except AwsError as error:
        desk.log_failure(exchange.call, error)
        raise


def response_of(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    """The body of the response."""
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": answer.text}]}},
        "stopReason": answer.stop_reason,
        "usage": {
            "inputTokens": answer.input_tokens,
            "outputTokens": answer.output_tokens,
            "totalTokens": answer.input_tokens + answer.output_tokens,
        },
        "metrics": {"latencyMs": exchange.elapsed_ms},
    }


def _log(desk: Desk, exchange: Exchange, answer: Answer, response: dict[str, Any]) -> None:
    params = exchange.call.params
    asked = {name: params[name] for name in _LOGGED if params.get(name)}
    desk.log(exchange, asked=asked, answered=response, tokens=(answer.input_tokens, answer.output_tokens))


def _echo(call: Call) -> dict[str, Any]:
    return {name: call.params[name] for name in _ECHOED if call.params.get(name)}
