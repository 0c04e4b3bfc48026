"""What one call to a model was, as training data sees it: the prompt, the answer, and how the answer ended.

Also the words for why a log record is not used. Every line of a log ends as a record or under one of these words.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from bedrock_distill.records.schema import Message

__all__ = ["REASONS", "Answer", "Exchange", "Prompt", "Reason", "Stop", "Unusable"]

Stop = Literal["end", "length", "filtered", "tool", "other"]
"""How an answer ended, whatever the model calls it: by itself, cut off, by a guardrail or filter, with a tool call."""

Reason = Literal[
    "broken-line",
    "not-a-log",
    "not-selected",
    "failed-call",
    "no-body",
    "unknown-operation",
    "unknown-format",
    "embedding",
    "image-model",
    "not-text",
    "tool-use",
    "multi-turn",
    "no-prompt",
    "no-completion",
    "cut-off",
    "filtered-answer",
    "stop-reason",
    "length",
    "language",
    "pattern",
    "predicate",
    "near-duplicate",
]
"""Why a record is not used."""

REASONS: Final[dict[Reason, str]] = {
    "broken-line": "not JSON in UTF-8, or not an object",
    "not-a-log": "not a model invocation log record",
    "not-selected": "another model, metadata, operation or time than asked for",
    "failed-call": "the call failed",
    "no-body": "the bodies are not in the log: text delivery was off, or an overflow object is missing",
    "unknown-operation": "an operation that answers no prompt",
    "unknown-format": "bodies of a format that is not known",
    "embedding": "an embedding",
    "image-model": "an image or video was generated",
    "not-text": "an image, document or other content beside text",
    "tool-use": "a tool was called",
    "multi-turn": "a conversation of several turns",
    "no-prompt": "an empty prompt",
    "no-completion": "an empty answer",
    "cut-off": "the answer was cut off at its longest length",
    "filtered-answer": "the answer was stopped by a guardrail or filter",
    "stop-reason": "the answer ended otherwise than asked for",
    "length": "shorter or longer than asked for",
    "language": "in another language than asked for",
    "pattern": "does not match the pattern asked for",
    "predicate": "left out by the caller's own function",
    "near-duplicate": "nearly the prompt of a record before",
}
"""Reason -> what it means, in words."""

Prompt = str | tuple[Message, ...]
"""The text of a single user message, or the messages of a conversation."""


class Unusable(Exception):  # noqa: N818 - it ends a decoder's work on one record, and is no error of ours
    """Raised by a format where a record cannot become training data."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What the model answered."""

    text: str | None
    """None where it is empty, or holds something else than text; `reason` says which."""
    stop: Stop | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reason: Reason | None = None


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """A prompt with its answer."""

    system: str | None
    messages: Prompt
    completion: str | None = None
    stop: Stop | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    answer_reason: Reason | None = None
    """Why there is no completion."""
