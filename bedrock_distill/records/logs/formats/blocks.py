"""What the body formats share: content blocks, and how they become text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from bedrock_distill.records.logs.exchange import Answer, Prompt, Reason, Stop, Unusable
from bedrock_distill.records.schema import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STOPS", "Block", "Content", "Turn", "answer_of", "chunks_of", "prompt_of", "stop_of", "text_of"]

_Body = TypeVar("_Body", bound=msgspec.Struct)

_ABSENT: Final = msgspec.Raw()
_SILENT = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_text"})
"""Types of blocks that are not said aloud: left out of the text."""
_TOOLS = frozenset({"tool_use", "tool_result", "server_tool_use", "web_search_tool_result", "function_call"})
_TEXT = frozenset({None, "text", "input_text", "output_text"})


class _Guarded(msgspec.Struct, gc=False):
    text: str | None = None


class _GuardContent(msgspec.Struct, gc=False):
    text: _Guarded | None = None


class Block(msgspec.Struct, gc=False):
    """A content block of any family: Converse and Nova name its kind by a key, the others by `type`."""

    text: str | None = None
    type: str | None = None
    tool_use: msgspec.Raw = msgspec.field(name="toolUse", default=_ABSENT)
    tool_result: msgspec.Raw = msgspec.field(name="toolResult", default=_ABSENT)
    reasoning: msgspec.Raw = msgspec.field(name="reasoningContent", default=_ABSENT)
    cache_point: msgspec.Raw = msgspec.field(name="cachePoint", default=_ABSENT)
    guard: _GuardContent | None = msgspec.field(name="guardContent", default=None)


Content = str | list[Block] | None
"""A text, or blocks."""


class Turn(msgspec.Struct, gc=False):
    """One message of a request."""

    role: str
    content: Content = None
    tool_calls: list[msgspec.Raw] | None = None


def text_of(content: Content) -> str:
    """The text of a content, its blocks joined with nothing between.

    Raises:
        Unusable: If it holds something else than text.
    """
    if isinstance(content, str):
        return content
    if not content:
        return ""
    if len(content) == 1:  # nearly always
        block = content[0]
        if block.text is not None and block.type in _TEXT:
            return block.text
    return "".join([_text(block) for block in content])


def _text(block: Block) -> str:
    if block.type in _TEXT and block.text is not None:
        return block.text
    if block.type in _SILENT or _there(block.reasoning) or _there(block.cache_point):
        return ""
    if block.type in _TOOLS or _there(block.tool_use) or _there(block.tool_result):
        raise Unusable("tool-use")
    if block.guard is not None and block.guard.text is not None and block.guard.text.text is not None:
        return block.guard.text.text
    raise Unusable("not-text")


def _there(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def chunks_of(response: _Body | list[_Body | str]) -> list[_Body]:
    """The pieces of a response: its chunks, or itself; without the text `[DONE]` that some streams end with."""
    if isinstance(response, list):
        return [chunk for chunk in response if not isinstance(chunk, str)]
    return [response]


def prompt_of(turns: Sequence[Turn], system: str | None = None) -> tuple[str | None, Prompt]:
    """System prompt and messages of a request.

    A message with the role `system` or `developer` adds to the system prompt; neighbours of one role become one message.

    Raises:
        Unusable: If a message holds something else than text, or there is no text at all.
    """
    if len(turns) == 1 and turns[0].role == "user":  # nearly always
        text = text_of(turns[0].content)
        if not text or text.isspace():
            raise Unusable("no-prompt")
        return system or None, text
    spoken: list[tuple[str, str]] = []
    for turn in turns:
        if turn.tool_calls or turn.role in ("tool", "function"):
            raise Unusable("tool-use")
        text = text_of(turn.content)
        if turn.role in ("system", "developer"):
            system = f"{system}\n{text}" if system else text
        elif spoken and spoken[-1][0] == turn.role:
            spoken[-1] = (turn.role, f"{spoken[-1][1]}\n{text}")
        else:
            spoken.append((turn.role, text))
    return system or None, _messages(spoken)


def _messages(spoken: list[tuple[str, str]]) -> Prompt:
    if any(role not in ("user", "assistant") for role, _ in spoken):
        raise Unusable("unknown-format")
    if not any(role == "user" and text.strip() for role, text in spoken):
        raise Unusable("no-prompt")
    if len(spoken) == 1:
        return spoken[0][1]
    return tuple(Message.of("user" if role == "user" else "assistant", text) for role, text in spoken)


STOPS: Final[dict[str, Stop]] = {
    **dict.fromkeys(("end_turn", "stop_sequence", "stop", "complete", "finish", "eos", "eos_token"), "end"),
    **dict.fromkeys(("max_tokens", "length", "model_context_window_exceeded", "error_limit"), "length"),
    **dict.fromkeys(
        (
            "guardrail_intervened",
            "content_filtered",
            "content_filter",
            "refusal",
            "error_toxic",
            "malformed_model_output",
        ),
        "filtered",
    ),
    **dict.fromkeys(("tool_use", "tool_calls", "tool_call", "malformed_tool_use"), "tool"),
}
"""A model's word for how it ended, in lower case -> ours. Sources: Converse's model in botocore, the families' guides."""


def stop_of(word: str | None) -> Stop | None:
    """Our word for how an answer ended; None where the model did not say."""
    if word is None:
        return None
    return STOPS.get(word) or STOPS.get(word.lower(), "other")


def answer_of(
    content: Content, stop: str | None, input_tokens: int | None = None, output_tokens: int | None = None
) -> Answer:
    """An answer from its content; what holds no text has a reason instead."""
    reason: Reason | None = None
    text: str | None = None
    try:
        text = text_of(content)
    except Unusable as unusable:
        reason = unusable.reason
    else:
        if not text or text.isspace():
            text, reason = None, "tool-use" if stop_of(stop) == "tool" else "no-completion"
    return Answer(text, stop_of(stop), input_tokens, output_tokens, reason)
