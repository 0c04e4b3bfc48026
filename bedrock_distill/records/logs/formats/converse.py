"""Converse and ConverseStream, and Nova's own bodies, which differ only in how they stream.

ConverseStream is logged as one assembled object; InvokeModelWithResponseStream as a list of Nova's chunks.
"""

from __future__ import annotations

import msgspec

from bedrock_distill.records.logs.exchange import Answer, Prompt, Unusable
from bedrock_distill.records.logs.formats.blocks import (
    Block,
    Content,
    Turn,
    answer_of,
    chunks_of,
    prompt_of,
    text_of,
)
from bedrock_distill.records.logs.formats.form import Format

__all__ = ["CONVERSE", "NOVA"]


class _Request(msgspec.Struct, gc=False):
    messages: list[Turn]
    system: list[Block] | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[Block] | None = None


class _Output(msgspec.Struct, gc=False):
    message: _Message | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = msgspec.field(name="inputTokens", default=None)
    output_tokens: int | None = msgspec.field(name="outputTokens", default=None)


class _Response(msgspec.Struct, gc=False):
    output: _Output
    stop: str | None = msgspec.field(name="stopReason", default=None)
    usage: _Usage | None = None


class _Delta(msgspec.Struct, gc=False):
    delta: Block | None = None


class _Stop(msgspec.Struct, gc=False):
    stop: str | None = msgspec.field(name="stopReason", default=None)


class _Start(msgspec.Struct, gc=False):
    start: Block | None = None


class _Metadata(msgspec.Struct, gc=False):
    usage: _Usage | None = None


class _Chunk(msgspec.Struct, gc=False):
    delta: _Delta | None = msgspec.field(name="contentBlockDelta", default=None)
    start: _Start | None = msgspec.field(name="contentBlockStart", default=None)
    stop: _Stop | None = msgspec.field(name="messageStop", default=None)
    metadata: _Metadata | None = None


def _prompt(request: _Request) -> tuple[str | None, Prompt]:
    return prompt_of(request.messages, text_of(request.system) if request.system else None)


def _answer(response: _Response | list[_Chunk | str]) -> Answer:
    if isinstance(response, list):
        return _streamed(chunks_of(response))
    usage = response.usage or _NO_USAGE
    message = response.output.message
    content: Content = message.content if message else None
    return answer_of(content, response.stop, usage.input_tokens, usage.output_tokens)


def _streamed(chunks: list[_Chunk]) -> Answer:
    blocks: list[Block] = []
    stop, usage = None, _NO_USAGE
    for chunk in chunks:
        parts = (chunk.start.start if chunk.start else None, chunk.delta.delta if chunk.delta else None)
        blocks.extend(part for part in parts if part is not None)
        if chunk.stop is not None:
            stop = chunk.stop.stop
        if chunk.metadata is not None and chunk.metadata.usage is not None:
            usage = chunk.metadata.usage
    if not blocks and stop is None:
        raise Unusable("unknown-format")
    return answer_of(blocks, stop, usage.input_tokens, usage.output_tokens)


_NO_USAGE = _Usage()

CONVERSE = Format(name="converse", request=_Request, response=_Response, prompt=_prompt, answer=_answer)
NOVA = Format(
    name="nova", request=_Request, response=_Response | list[_Chunk | str], prompt=_prompt, answer=_answer
)
