"""OpenAI's chat completions, which OpenAI's own and Qwen's models on Bedrock speak.

Source: user guide, model-parameters-openai.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies.reading import About, BodyShape, read_body, texts_of
from bedrock_distill.local.services.runtime.conversation import record_of, refuse_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bedrock_distill.records.schema import Record

__all__ = ["ChatMessage", "chunks", "conversation_of", "read", "render", "stops_of", "usage_of"]

_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}
_SYSTEM_ROLES = ("system", "developer")


class ChatMessage(BodyShape):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[dict[str, Any]]
    name: str | None = None


class _Request(BodyShape):
    messages: list[ChatMessage]
    model: str | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    seed: int | None = None
    user: str | None = None
    tools: tuple[dict[str, Any], ...] = ()
    response_format: dict[str, Any] | None = None


def read(body: bytes) -> Ask:
    """The request inside a body."""
    request = read_body(body, _Request)
    if request.tools:
        raise refuse_field("tools")
    if request.response_format and request.response_format.get("type") != "text":
        raise refuse_field("response_format")
    return Ask(
        conversation_of(request.messages),
        Parameters(
            max_tokens=request.max_completion_tokens or request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            stop=stops_of(request.stop),
        ),
    )


def conversation_of(messages: Sequence[ChatMessage]) -> Record:
    """The conversation that a list of messages is."""
    turns = [
        (message.role, texts_of(message.content, f"messages.{index}.content"))
        for index, message in enumerate(messages)
    ]
    return record_of(
        [turn for turn in turns if turn[0] not in _SYSTEM_ROLES],
        [text for role, texts in turns if role in _SYSTEM_ROLES for text in texts],
    )


def stops_of(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """Stop sequences, of which OpenAI lets one stand without a list."""
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def usage_of(answer: Answer) -> dict[str, int]:
    """The tokens of an answer, as OpenAI counts them."""
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def render(answer: Answer, about: About) -> dict[str, Any]:
    """The response body."""
    return {
        **_head(about, "chat.completion"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer.text},
                "finish_reason": _STOPS[answer.stop_reason],
            }
        ],
        "usage": usage_of(answer),
    }


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:
    """Deltas: the role, the pieces, then the reason to stop."""
    head = _head(about, "chat.completion.chunk")
    yield {
        **head,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
    }
    for event in stream.events:
        if isinstance(event, Answer):
            reason = _STOPS[event.stop_reason]
            yield {
                **head,
                "choices": [{"index": 0, "delta": {}, "finish_reason": reason}],
                "usage": usage_of(event),
            }
        else:
            yield {**head, "choices": [{"index": 0, "delta": {"content": event}, "finish_reason": None}]}


def _head(about: About, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{about.request_id}",
        "object": kind,
        "created": about.created,
        "model": about.model_id,
    }
