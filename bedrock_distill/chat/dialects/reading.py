"""Reading what servers answer into typed values, and their words for why they stopped into Converse's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bedrock_distill.errors import ServiceError

if TYPE_CHECKING:
    from bedrock_distill.chat.question import Question

__all__ = ["read_as", "stop_reason"]

_T = TypeVar("_T")
_SHOWN = 160

_REASONS = {
    "stop": "end_turn",
    "eos_token": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filtered",
}
"""Finish reasons of vLLM, TGI and LMI, in Converse's words. What is not here passes as it is."""


def read_as(value: Any, shape: type[_T]) -> _T:
    """A decoded value as the type that the schema says it is.

    Raises:
        ServiceError: `MalformedAnswer`, naming what is missing or of the wrong type.
    """
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        text = json.dumps(value, ensure_ascii=False)
        raise ServiceError(
            f"the answer is not of the schema that was asked for: {error}. It begins {text[:_SHOWN]!r}. "
            "Check which schema the container speaks, and ask in that one.",
            code="MalformedAnswer",
        ) from error


def stop_reason(reason: str | int | None, asked: Question, *, matched: str | int | None = None) -> str:
    """Why the model stopped, in Converse's words; empty where it did not.

    Args:
        reason: The server's finish reason. Some answer with what ended the text: one of the stop texts, or the number of an
            end token.
        asked: The question, for its stop texts.
        matched: What the server says ended the text, where it says so apart.
    """
    if reason is None:
        return ""
    if matched in asked.stop or reason in asked.stop:
        return "stop_sequence"
    if isinstance(reason, int):
        return "end_turn"
    return _REASONS.get(reason, reason)
