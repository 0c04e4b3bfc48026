"""Conversations in Converse's shape, read into a record by Converse's rules.

Nova's InvokeModel body has the same messages, and every other body ends in `record_of`, so that one set of rules
decides what a conversation may be.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.records.schema import SCHEMA_VERSION, Message, Record, Role, TextBlock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["no_guardrail", "read_conversation", "record_of", "refuse_field"]

_ROLES: Mapping[str, Role] = {"user": "user", "assistant": "assistant"}

_IGNORED_BLOCKS = frozenset({"cachePoint"})
"""Hints that change the price of an answer, not its text."""


def refuse_field(path: str) -> AwsError:
    """The refusal of a field that text models do not take, in AWS's words."""
    return AwsError(
        "ValidationException", f"This model doesn't support the {path} field. Remove {path} and try again."
    )


def no_guardrail() -> AwsError:
    """The refusal of a request that names a guardrail: the local cloud has none."""
    return AwsError(
        "ValidationException", "The guardrail identifier or version provided in the request does not exist."
    )


def read_conversation(messages: Sequence[Mapping[str, Any]], system: Sequence[Mapping[str, Any]]) -> Record:
    """A record from Converse's `messages` and `system`.

    Raises:
        AwsError: ValidationException for an order of roles, an empty text or a kind of content that the model does
            not take; the message names the place.
    """
    turns: list[tuple[str, tuple[str, ...]]] = []
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        role = message["role"]
        if role not in _ROLES:
            raise AwsError(
                "ValidationException",
                f"This model doesn't support the role {role!r} at {path}. Use the system field for system prompts "
                "and try again.",
            )
        turns.append((role, _texts(message["content"], f"{path}.content")))
    return record_of(turns, _texts(system, "system"))


def record_of(turns: Sequence[tuple[str, Sequence[str]]], system: Sequence[str] = ()) -> Record:
    """A record from the texts of each turn, if they make a conversation.

    Raises:
        AwsError: ValidationException, if the conversation does not start and end with the user, does not alternate,
            or holds an empty turn or a blank text.
    """
    _check_order([role for role, _ in turns])
    messages: list[Message] = []
    for index, (role, texts) in enumerate(turns):
        if not texts:
            raise AwsError(
                "ValidationException",
                f"The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to "
                "the content field and try again.",
            )
        for place, text in enumerate(texts):
            if not text.strip():
                raise AwsError(
                    "ValidationException",
                    f"The text field in the ContentBlock object at messages.{index}.content.{place} is blank. Add "
                    "text to the text field, and try again.",
                )
        messages.append(Message(_ROLES[role], tuple(TextBlock(text) for text in texts)))
    blocks = tuple(TextBlock(text) for text in system if text)
    return Record(schema_version=SCHEMA_VERSION, system=blocks or None, messages=tuple(messages))


def _check_order(roles: Sequence[str]) -> None:
    if not roles or roles[0] != "user":
        raise AwsError(
            "ValidationException",
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message.",
        )
    if any(first == second for first, second in itertools.pairwise(roles)):
        raise AwsError(
            "ValidationException",
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
            "between user and assistant roles and try again.",
        )
    if roles[-1] != "user":
        raise AwsError(
            "ValidationException",
            "This model does not support assistant message prefill. Try again without an assistant message at the "
            "end of the conversation.",
        )


def _texts(blocks: Sequence[Mapping[str, Any]], path: str) -> tuple[str, ...]:
    texts: list[str] = []
    for index, block in enumerate(blocks):
        for kind, value in block.items():
            if kind == "text" and isinstance(value, str):
                texts.append(value)
            elif kind not in _IGNORED_BLOCKS:
                raise refuse_field(f"{path}.{index}.{kind}")
    return tuple(texts)
