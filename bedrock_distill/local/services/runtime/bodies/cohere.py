"""Cohere Command R: a message with its history, and text back.

Source: user guide, model-parameters-cohere-command-r-plus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies.reading import About, BodyShape, read_body
from bedrock_distill.local.services.runtime.conversation import record_of, refuse_field

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chunks", "read", "render"]

_ROLES = {"USER": "user", "CHATBOT": "assistant"}
_STOPS = {"end_turn": "COMPLETE", "stop_sequence": "COMPLETE", "max_tokens": "MAX_TOKENS"}
_NOT_TAKEN = ("documents", "tools", "tool_results", "search_queries_only", "raw_prompting", "return_prompt")


class _Turn(BodyShape):
    role: Literal["USER", "CHATBOT"]
    message: str


class _Request(BodyShape):
    message: str
    chat_history: tuple[_Turn, ...] = ()
    preamble: str = ""
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    p: Annotated[float, msgspec.Meta(ge=0.01, le=0.99)] | None = None
    k: Annotated[float, msgspec.Meta(ge=0, le=500)] | None = None
    stop_sequences: tuple[str, ...] = ()
    frequency_penalty: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    presence_penalty: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    seed: int | None = None
    prompt_truncation: Literal["OFF", "AUTO_PRESERVE_ORDER"] = "OFF"
    documents: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    tool_results: tuple[dict[str, Any], ...] = ()
    search_queries_only: bool = False
    raw_prompting: bool = False
    return_prompt: bool = False


def read(body: bytes) -> Ask:
    """The request inside a body."""
    request = read_body(body, _Request)
    for name in _NOT_TAKEN:
        if getattr(request, name):
            raise refuse_field(name)
    turns = [(_ROLES[turn.role], (turn.message,)) for turn in request.chat_history]
    return Ask(
        record_of([*turns, ("user", (request.message,))], (request.preamble,)),
        Parameters(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.p,
            stop=request.stop_sequences,
        ),
    )


def render(answer: Answer, about: About) -> dict[str, Any]:
    """The response body."""
    return {
        "response_id": about.request_id,
        "text": answer.text,
        "generation_id": about.request_id,
        "finish_reason": _STOPS[answer.stop_reason],
    }


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:
    """A start, one chunk a piece, and an end that repeats the whole."""
    yield {"is_finished": False, "event_type": "stream-start", "generation_id": about.request_id}
    for event in stream.events:
        if isinstance(event, Answer):
            yield {
                "is_finished": True,
                "event_type": "stream-end",
                "finish_reason": _STOPS[event.stop_reason],
                "response": render(event, about),
            }
        else:
            yield {"is_finished": False, "event_type": "text-generation", "text": event}
