"""Titan's text models: an input text, results."""

from __future__ import annotations

import msgspec

from bedrock_distill.records.logs.exchange import Answer, Prompt, Unusable
from bedrock_distill.records.logs.formats.blocks import answer_of, chunks_of
from bedrock_distill.records.logs.formats.form import Format
from bedrock_distill.records.logs.formats.templates import prompt_of_template

__all__ = ["TITAN"]

_STOPS = {"FINISHED": "finish", "STOP_CRITERIA_MET": "stop_sequence"}


class _Request(msgspec.Struct, gc=False):
    text: str = msgspec.field(name="inputText")


class _Result(msgspec.Struct, gc=False):
    text: str | None = msgspec.field(name="outputText", default=None)
    received: int | None = msgspec.field(name="tokenCount", default=None)
    stop: str | None = msgspec.field(name="completionReason", default=None)


class _Response(msgspec.Struct, gc=False):
    results: list[_Result] | None = None
    sent: int | None = msgspec.field(name="inputTextTokenCount", default=None)
    text: str | None = msgspec.field(name="outputText", default=None)
    received: int | None = msgspec.field(name="totalOutputTextTokenCount", default=None)
    stop: str | None = msgspec.field(name="completionReason", default=None)


def _prompt(request: _Request) -> tuple[str | None, Prompt]:
    return prompt_of_template(request.text)


def _answer(response: _Response | list[_Response | str]) -> Answer:
    texts: list[str] = []
    stop: str | None = None
    sent = received = None
    for chunk in chunks_of(response):
        if chunk.results:
            result = chunk.results[0]
            texts.append(result.text or "")
            stop, received = result.stop or stop, result.received
        if chunk.text is not None:
            texts.append(chunk.text)
        stop = chunk.stop or stop
        sent = chunk.sent if chunk.sent is not None else sent
        received = chunk.received if chunk.received is not None else received
    if not texts and stop is None:
        raise Unusable("unknown-format")
    return answer_of("".join(texts), _STOPS.get(stop, stop) if stop else None, sent, received)


TITAN = Format(
    name="titan",
    request=_Request,
    response=_Response | list[_Response | str],
    prompt=_prompt,
    answer=_answer,
)
