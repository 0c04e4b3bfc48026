"""Anthropic Claude: the Messages API.

Source: user guide, model-parameters-anthropic-claude-messages-request-response.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies.reading import (
    About,
    BodyShape,
    malformed,
    read_body,
    texts_of,
)
from bedrock_distill.local.services.runtime.conversation import record_of, refuse_field

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chunks", "read", "render"]

_VERSION = "bedrock-2023-05-31"


class _Message(BodyShape):
    role: Literal["user", "assistant"]
    content: str | list[dict[str, Any]]


class _Request(BodyShape):
    anthropic_version: str
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    messages: list[_Message]
    system: str | list[dict[str, Any]] = ""
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0, le=500)] | None = None
    stop_sequences: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    anthropic_beta: tuple[str, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None


def read(body: bytes) -> Ask:
    """The request inside a body."""
    request = read_body(body, _Request)
    if request.anthropic_version != _VERSION:
        raise malformed(f"#/anthropic_version: {request.anthropic_version} is not a valid enum value")
    if request.tools:
        raise refuse_field("tools")
    if request.thinking and request.thinking.get("type") == "enabled":
        raise refuse_field("thinking")
    turns = [
        (message.role, texts_of(message.content, f"messages.{index}.content"))
        for index, message in enumerate(request.messages)
    ]
    return Ask(
        record_of(turns, texts_of(request.system, "system")),
        Parameters(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            stop=request.stop_sequences,
        ),
    )


def render(answer: Answer, about: About) -> dict[str, Any]:
    """The response body."""
    return {
        **_head(about),
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": answer.stop_reason,
        "stop_sequence": answer.stop_sequence,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
    }


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:
    """The Messages API's events."""
    yield {
        "type": "message_start",
        "message": {
            **_head(about),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": stream.input_tokens, "output_tokens": 1},
        },
    }
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for event in stream.events:
        if isinstance(event, Answer):
            yield {"type": "content_block_stop", "index": 0}
            yield {
                "type": "message_delta",
                "delta": {"stop_reason": event.stop_reason, "stop_sequence": event.stop_sequence},
                "usage": {"output_tokens": event.output_tokens},
            }
            yield {"type": "message_stop"}
        else:
            yield {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": event},
            }


def _head(about: About) -> dict[str, Any]:
    model = re.sub(r"-v\d+:\d+$", "", about.model_id.removeprefix("anthropic."))
    return {
        "id": f"msg_bdrk_{about.request_id.replace('-', '')[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
    }
