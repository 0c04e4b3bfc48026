"""Amazon Nova: Converse's messages with the inference parameters beside them.

Source: Nova user guide, complete-request-schema; chunk names as Nova's streaming examples have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies.reading import About, BodyShape, read_body
from bedrock_distill.local.services.runtime.conversation import read_conversation, refuse_field

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chunks", "read", "render"]


class _Message(BodyShape):
    role: Literal["user", "assistant"]
    content: list[dict[str, Any]]


class _Inference(BodyShape):
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = msgspec.field(name="maxTokens", default=None)
    old_max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = msgspec.field(
        name="max_new_tokens", default=None
    )
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = msgspec.field(name="topP", default=None)
    top_k: Annotated[int, msgspec.Meta(ge=0, le=128)] | None = msgspec.field(name="topK", default=None)
    stop_sequences: tuple[str, ...] = msgspec.field(name="stopSequences", default=())


class _Request(BodyShape):
    messages: list[_Message]
    system: tuple[dict[str, Any], ...] = ()
    schema_version: Literal["messages-v1"] | None = msgspec.field(name="schemaVersion", default=None)
    inference: _Inference = msgspec.field(name="inferenceConfig", default_factory=_Inference)
    tool_config: dict[str, Any] | None = msgspec.field(name="toolConfig", default=None)


def read(body: bytes) -> Ask:
    """The request inside a body."""
    request = read_body(body, _Request)
    if request.tool_config:
        raise refuse_field("toolConfig")
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    inference = request.inference
    return Ask(
        read_conversation(messages, request.system),
        Parameters(
            max_tokens=inference.max_tokens or inference.old_max_tokens,
            temperature=inference.temperature,
            top_p=inference.top_p,
            stop=inference.stop_sequences,
        ),
    )


def render(answer: Answer, about: About) -> dict[str, Any]:  # noqa: ARG001 - one signature for all formats
    """The response body."""
    return {
        "output": {"message": {"content": [{"text": answer.text}], "role": "assistant"}},
        "stopReason": answer.stop_reason,
        "usage": _usage(answer),
    }


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - one signature for all formats
    """Converse's stream events, as JSON."""
    yield {"messageStart": {"role": "assistant"}}
    for event in stream.events:
        if isinstance(event, Answer):
            yield {"contentBlockStop": {"contentBlockIndex": 0}}
            yield {"messageStop": {"stopReason": event.stop_reason}}
            yield {"metadata": {"usage": _usage(event), "metrics": {}, "trace": {}}}
        else:
            yield {"contentBlockDelta": {"delta": {"text": event}, "contentBlockIndex": 0}}


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "inputTokens": answer.input_tokens,
        "outputTokens": answer.output_tokens,
        "totalTokens": answer.input_tokens + answer.output_tokens,
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokenCount": 0,
    }
