"""Anthropic's Messages, whole and as chunks, and its older text completions."""

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
from bedrock_distill.records.logs.formats.templates import prompt_of_template

__all__ = ["ANTHROPIC"]


class _Request(msgspec.Struct, gc=False):
    messages: list[Turn] | None = None
    system: Content = None
    prompt: str | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Response(msgspec.Struct, gc=False):
    content: list[Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    completion: str | None = None


class _Delta(msgspec.Struct, gc=False):
    # Only deltas of type `text_delta` have a text; to read the type of each chunk would cost more than the rest.
    text: str | None = None
    stop_reason: str | None = None


class _Message(msgspec.Struct, gc=False):
    usage: _Usage | None = None


class _Chunk(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    content_block: Block | None = None
    message: _Message | None = None
    usage: _Usage | None = None
    completion: str | None = None
    stop_reason: str | None = None


def _prompt(request: _Request) -> tuple[str | None, Prompt]:
    if request.messages is not None:
        return prompt_of(request.messages, text_of(request.system))
    if request.prompt is not None:
        return prompt_of_template(request.prompt)
    raise Unusable("unknown-format")


def _answer(response: _Response | list[_Chunk | str]) -> Answer:
    if isinstance(response, list):
        return _streamed(chunks_of(response))
    if response.content is None and response.completion is None:
        raise Unusable("unknown-format")
    usage = response.usage or _NO_USAGE
    content: Content = response.completion if response.content is None else response.content
    return answer_of(content, response.stop_reason, usage.input_tokens, usage.output_tokens)


def _streamed(chunks: list[_Chunk]) -> Answer:
    texts: list[str] = []
    blocks: list[Block] = []
    stop: str | None = None
    sent = received = None
    for chunk in chunks:
        delta = chunk.delta
        if delta is not None:
            if delta.text is not None:
                texts.append(delta.text)
                continue
            stop = delta.stop_reason or stop
        if chunk.content_block is not None:
            blocks.append(chunk.content_block)
        if chunk.completion is not None:
            texts.append(chunk.completion)
            stop = chunk.stop_reason or stop
        for usage in (chunk.message.usage if chunk.message else None, chunk.usage):
            if usage is not None:
                sent = usage.input_tokens if usage.input_tokens is not None else sent
                received = usage.output_tokens if usage.output_tokens is not None else received
    if not texts and not blocks and stop is None:
        raise Unusable("unknown-format")
    # A block begins with what is known of it, usually an empty text; its kind is what matters here.
    content: Content = [*blocks, Block("".join(texts))]
    return answer_of(content, stop, sent, received)


_NO_USAGE = _Usage()

ANTHROPIC = Format(
    name="anthropic",
    request=_Request,
    response=_Response | list[_Chunk | str],
    prompt=_prompt,
    answer=_answer,
)
