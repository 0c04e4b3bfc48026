"""Llama's text completions: a templated prompt, a generation."""

from __future__ import annotations

import msgspec

from bedrock_distill.records.logs.exchange import Answer, Prompt, Unusable
from bedrock_distill.records.logs.formats.blocks import answer_of, chunks_of
from bedrock_distill.records.logs.formats.form import Format
from bedrock_distill.records.logs.formats.templates import prompt_of_template

__all__ = ["LLAMA"]


class _Request(msgspec.Struct, gc=False):
    prompt: str
    images: list[msgspec.Raw] | None = None


class _Response(msgspec.Struct, gc=False):
    generation: str | None = None
    sent: int | None = msgspec.field(name="prompt_token_count", default=None)
    received: int | None = msgspec.field(name="generation_token_count", default=None)
    stop_reason: str | None = None


def _prompt(request: _Request) -> tuple[str | None, Prompt]:
    if request.images:
        raise Unusable("not-text")
    return prompt_of_template(request.prompt)


def _answer(response: _Response | list[_Response | str]) -> Answer:
    texts: list[str] = []
    stop: str | None = None
    sent = received = None
    for chunk in chunks_of(response):
        if chunk.generation is not None:
            texts.append(chunk.generation)
        stop = chunk.stop_reason or stop
        # The prompt's count comes with the first chunk, the answer's grows with each.
        sent = chunk.sent if chunk.sent is not None else sent
        received = chunk.received if chunk.received is not None else received
    if not texts and stop is None:
        raise Unusable("unknown-format")
    return answer_of("".join(texts), stop, sent, received)


LLAMA = Format(
    name="llama",
    request=_Request,
    response=_Response | list[_Response | str],
    prompt=_prompt,
    answer=_answer,
)
