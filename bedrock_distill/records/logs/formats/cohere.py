"""Cohere's Command (a prompt, generations) and Command R (a message with its history, a text)."""

from __future__ import annotations

import msgspec

from bedrock_distill.records.logs.exchange import Answer, Prompt, Unusable
from bedrock_distill.records.logs.formats.blocks import Turn, answer_of, chunks_of, prompt_of
from bedrock_distill.records.logs.formats.form import Format

__all__ = ["COHERE"]

_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}


class _Past(msgspec.Struct, gc=False):
    role: str
    message: str | None = None


class _Request(msgspec.Struct, gc=False):
    prompt: str | None = None
    message: str | None = None
    preamble: str | None = None
    chat_history: list[_Past] | None = None
    tool_results: list[msgspec.Raw] | None = None


class _Generation(msgspec.Struct, gc=False):
    text: str | None = None
    finish_reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    generations: list[_Generation] | None = None
    text: str | None = None
    finish_reason: str | None = None
    event_type: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


def _prompt(request: _Request) -> tuple[str | None, Prompt]:
    if request.tool_results:
        raise Unusable("tool-use")
    if request.message is not None:
        past = [Turn(_ROLES.get(turn.role, turn.role), turn.message) for turn in request.chat_history or ()]
        return prompt_of([*past, Turn("user", request.message)], request.preamble)
    if request.prompt is not None:
        return prompt_of([Turn("user", request.prompt)])
    raise Unusable("unknown-format")


def _answer(response: _Response | list[_Response | str]) -> Answer:
    texts: list[str] = []
    stop: str | None = None
    found = False
    for chunk in chunks_of(response):
        if chunk.generations:
            texts.append(chunk.generations[0].text or "")
            stop = chunk.generations[0].finish_reason or stop
        # The last event repeats the whole text; what was streamed is the text already.
        if chunk.text is not None and not (chunk.event_type == "stream-end" and texts):
            texts.append(chunk.text)
        stop = "tool_calls" if chunk.tool_calls else chunk.finish_reason or stop
        found = found or bool(texts) or stop is not None
    if not found:
        raise Unusable("unknown-format")
    return answer_of("".join(texts), stop)


COHERE = Format(
    name="cohere",
    request=_Request,
    response=_Response | list[_Response | str],
    prompt=_prompt,
    answer=_answer,
)
