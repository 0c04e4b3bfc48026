"""Chat completions in OpenAI's manner, which Qwen, DeepSeek, Mistral and others speak, too; and their text completions.

A request has `messages`, or a templated `prompt`; a response has `choices`, or Mistral's `outputs`.
"""

from __future__ import annotations

import re

import msgspec

from bedrock_distill.records.logs.exchange import Answer, Prompt, Unusable
from bedrock_distill.records.logs.formats.blocks import Content, Turn, answer_of, chunks_of, prompt_of
from bedrock_distill.records.logs.formats.form import Format
from bedrock_distill.records.logs.formats.templates import prompt_of_template

__all__ = ["OPENAI"]

_REASONING = re.compile(r"\A\s*(?:<reasoning>.*?</reasoning>|<think>.*?</think>)\s*", re.DOTALL)
"""Thoughts that stand before the answer in its own text: gpt-oss, Qwen and DeepSeek."""
_BEGUN = re.compile(r"\A.*?</think>\s*", re.DOTALL)
"""The same where the prompt's template opened them already: DeepSeek's text completions."""


class _Request(msgspec.Struct, gc=False):
    messages: list[Turn] | None = None
    prompt: str | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Message(msgspec.Struct, gc=False):
    content: Content = None
    tool_calls: list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: str | None = None


class _Metrics(msgspec.Struct, gc=False):
    sent: int | None = msgspec.field(name="inputTokenCount", default=None)
    received: int | None = msgspec.field(name="outputTokenCount", default=None)


class _Response(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    outputs: list[_Choice] | None = None
    usage: _Usage | None = None
    metrics: _Metrics | None = msgspec.field(name="amazon-bedrock-invocationMetrics", default=None)


def _prompt(request: _Request) -> tuple[str | None, Prompt]:
    if request.messages is not None:
        return prompt_of(request.messages)
    if request.prompt is not None:
        return prompt_of_template(request.prompt)
    raise Unusable("unknown-format")


def _answer(response: _Response | list[_Response | str]) -> Answer:
    content: Content = None
    texts: list[str] = []
    stop: str | None = None
    sent = received = None
    found = called = False
    for chunk in chunks_of(response):
        if chunk.usage is not None:
            sent, received = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        elif chunk.metrics is not None:
            sent, received = chunk.metrics.sent, chunk.metrics.received
        for choice in (chunk.choices or chunk.outputs or ())[:1]:
            found = True
            said = choice.message or choice.delta
            stop = choice.finish_reason or choice.stop_reason or stop
            called = called or bool(said is not None and said.tool_calls)
            completes = said is None and chunk.choices is not None
            content = said.content if said is not None else choice.text
            if isinstance(content, str):
                texts.append(content)
    if not found:
        raise Unusable("unknown-format")
    if texts or not isinstance(content, list):
        content = "".join(texts)
        if "</" in content:
            content = (_BEGUN if completes else _REASONING).sub("", content, count=1)
    # A stream may call a tool and end with another word.
    return answer_of(content, "tool_calls" if called else stop, sent, received)


OPENAI = Format(
    name="openai",
    request=_Request,
    response=_Response | list[_Response | str],
    prompt=_prompt,
    answer=_answer,
)
