"""OpenAI's schemas, as vLLM, LMI, TGI and Custom Model Import speak them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from bedrock_distill.chat.assembly import Piece
from bedrock_distill.chat.dialects.base import given, need_max_tokens
from bedrock_distill.chat.dialects.reading import read_as, stop_reason
from bedrock_distill.chat.question import Question, turns
from bedrock_distill.chat.templates import ChatTemplate, prompt_text

__all__ = ["OpenAIChat", "OpenAICompletion"]


class _Said(msgspec.Struct):
    content: Any = None
    """A text; other kinds of content, and None beside tool calls, bring none."""


class _TokenSaid(msgspec.Struct):
    logprob: float


class _Logprobs(msgspec.Struct):
    content: list[_TokenSaid] | None = None
    """Token by token, in chat completions."""
    token_logprobs: list[float | None] | None = None
    """The same in completions."""


class _Choice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    message: _Said | None = None
    delta: _Said | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    """vLLM's: the stop text or token that ended the answer."""


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int | None = None
    prompt_tokens_details: _Cached | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    """Empty in the chunk that brings the usage."""
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIChat:
    """Chat completions: the server applies the model's chat template."""

    model: str = ""
    """The name the server gave the model; vLLM refuses any other, LMI and TGI do without."""
    full_top_p: bool = True
    """Whether the server takes a `top_p` of 1. TGI wants less, and means 1 where none is given."""
    logprobs: bool = False
    """Whether to ask for the log-probability of each token of the answer."""

    def write(self, asked: Question, *, stream: bool) -> dict[str, Any]:
        """The request's body."""
        return {
            **given(model=self.model),
            "messages": turns(asked),
            **_options(asked, stream=stream, full_top_p=self.full_top_p),
            **({"logprobs": True} if self.logprobs else {}),
        }

    def read(self, value: Any, asked: Question) -> Piece:
        """What an answer or a chunk tells."""
        return _read(value, asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAICompletion:
    """Completions: the server takes the prompt as it is."""

    template: ChatTemplate | None
    """What turns a conversation into the prompt; None sends the user's text as it is."""
    model: str = ""
    """The name the server gave the model; vLLM refuses any other."""
    logprobs: bool = False
    """Whether to ask for the log-probability of each token of the answer."""

    def write(self, asked: Question, *, stream: bool) -> dict[str, Any]:
        """The request's body."""
        need_max_tokens(
            asked, "vLLM ends a completion after 16 tokens, and Bedrock takes it for another format"
        )
        prompt = prompt_text(asked, self.template)
        return {
            **given(model=self.model),
            "prompt": prompt,
            **_options(asked, stream=stream),
            # How many alternatives to list beside each token; the token itself is always among them.
            **({"logprobs": 1} if self.logprobs else {}),
        }

    def read(self, value: Any, asked: Question) -> Piece:
        """What an answer or a chunk tells."""
        return _read(value, asked)


def _options(asked: Question, *, stream: bool, full_top_p: bool = True) -> dict[str, Any]:
    dropped = not full_top_p and asked.top_p is not None and asked.top_p >= 1
    options = given(
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=None if dropped else asked.top_p,
        stop=list(asked.stop),
    )
    # Without the option no chunk of a stream would say how many tokens it took.
    return options | ({"stream": True, "stream_options": {"include_usage": True}} if stream else {})


def _read(value: Any, asked: Question) -> Piece:
    answer = read_as(value, _Answer)
    choice = next((choice for choice in answer.choices if choice.index == 0), _Choice())
    said = choice.delta or choice.message
    text = choice.text if said is None else said.content
    return Piece(
        text=text if isinstance(text, str) else "",
        stop_reason=stop_reason(choice.finish_reason, asked, matched=choice.stop_reason),
        counts=_counts(answer.usage) if answer.usage else {},
        logprobs=_logprobs(choice.logprobs) if choice.logprobs else None,
    )


def _logprobs(said: _Logprobs) -> tuple[float, ...]:
    if said.content is not None:
        return tuple(token.logprob for token in said.content)
    return tuple(value for value in said.token_logprobs or () if value is not None)


def _counts(usage: _Usage) -> dict[str, int]:
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    return {
        "input_tokens": usage.prompt_tokens - cached,
        "cache_read_tokens": cached,
        "output_tokens": usage.completion_tokens or 0,
    }
