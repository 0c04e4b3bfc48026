"""The schemas that take a prompt and are nobody's standard: Bedrock's completion, and `inputs` with `parameters`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bedrock_distill.chat.assembly import Piece
from bedrock_distill.chat.dialects.base import given, need_max_tokens
from bedrock_distill.chat.dialects.reading import read_as, stop_reason
from bedrock_distill.chat.templates import ChatTemplate, prompt_text
from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from bedrock_distill.chat.question import Question

__all__ = ["BedrockCompletion", "Generate"]


class _Completion(msgspec.Struct):
    generation: str
    prompt_token_count: int | None = None
    generation_token_count: int | None = None
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BedrockCompletion:
    """BedrockCompletion of Custom Model Import: `prompt` and `max_gen_len`, and `generation` back."""

    template: ChatTemplate | None
    """What turns a conversation into the prompt; None sends the user's text as it is."""

    def write(self, asked: Question, *, stream: bool) -> dict[str, Any]:  # noqa: ARG002 - the operation says so
        """The request's body."""
        if asked.stop:
            raise SpecError(
                f"BedrockCompletion has no stop texts, so {list(asked.stop)} cannot be sent. Ask in OpenAICompletion or "
                "OpenAIChatCompletion, or cut the answer yourself.",
                field="stop",
                value=asked.stop,
            )
        return {
            "prompt": prompt_text(asked, self.template),
            **given(max_gen_len=asked.max_tokens, temperature=asked.temperature, top_p=asked.top_p),
        }

    def read(self, value: Any, asked: Question) -> Piece:
        """What an answer or a chunk tells."""
        answer = read_as(value, _Completion)
        counts = {"input_tokens": answer.prompt_token_count, "output_tokens": answer.generation_token_count}
        return Piece(
            text=answer.generation,
            stop_reason=stop_reason(answer.stop_reason, asked),
            counts={name: count for name, count in counts.items() if count is not None},
        )


class _Details(msgspec.Struct):
    finish_reason: str | int | None = None
    generated_tokens: int | None = None
    input_length: int | None = None
    prefill: list[Any] = []
    """The prompt's tokens, where the server lists them."""


class _Token(msgspec.Struct):
    text: str = ""
    special: bool = False
    special_token: bool = False


class _Generated(msgspec.Struct):
    generated_text: str | None = None
    """The whole text: of an answer, and in the last line of a stream, where it repeats the tokens."""
    token: _Token | None = None
    details: _Details | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """`inputs` and `parameters`, as TGI made it and LMI took it over.

    `details` are asked for, because they alone tell how many tokens an answer took and why it ended. Not every container
    counts the prompt's tokens in them; `usage.input_tokens` is 0 then.
    """

    template: ChatTemplate | None
    """What turns a conversation into the prompt; None sends the user's text as it is."""
    server: Literal["lmi", "tgi"]

    def write(self, asked: Question, *, stream: bool) -> dict[str, Any]:
        """The request's body."""
        most = need_max_tokens(asked, "LMI ends an answer after 30 tokens, and TGI after a number of its own")
        stop = {"stop": list(asked.stop)} if asked.stop else {}
        if stop and self.server == "lmi":
            # vLLM reads the first, LMI's older handlers and its other engines the second; each passes over the other.
            stop["stop_sequences"] = list(asked.stop)
        parameters = {"max_new_tokens": most, "details": True, **_sampling(asked), **stop}
        return {
            "inputs": prompt_text(asked, self.template),
            "parameters": parameters,
            **({"stream": True} if stream else {}),
        }

    def read(self, value: Any, asked: Question) -> Piece:
        """What an answer or a line of a stream tells. TGI puts a whole answer into a list of one."""
        answer = read_as(value[0] if isinstance(value, list) and value else value, _Generated)
        token, done = answer.token, answer.generated_text is not None
        if token is None and not done:
            read_as(value, _Whole)  # neither a token nor a text: this says so
        text = answer.generated_text or "" if token is None else _text(token)
        details = answer.details or _Details()
        return Piece(text=text, stop_reason=_ending(details, asked) if done else "", counts=_counts(details))


class _Whole(msgspec.Struct):
    generated_text: str


def _text(token: _Token) -> str:
    return "" if token.special or token.special_token else token.text


def _sampling(asked: Question) -> dict[str, Any]:
    """Temperature and mass. Both servers want to be told whether to sample, and TGI takes no 0 and no 1."""
    if asked.temperature == 0:
        return {"do_sample": False}
    if asked.temperature is None and asked.top_p is None:
        return {}
    top_p = None if asked.top_p is None or asked.top_p >= 1 else asked.top_p
    return {"do_sample": True, **given(temperature=asked.temperature, top_p=top_p)}


def _ending(details: _Details, asked: Question) -> str:
    """Why an answer that has ended did; LMI often does not say, and the count of tokens tells what it was."""
    full = details.generated_tokens is not None and details.generated_tokens >= (asked.max_tokens or 0)
    return stop_reason(details.finish_reason, asked) or ("max_tokens" if full else "end_turn")


def _counts(details: _Details) -> dict[str, int]:
    prompt = details.input_length if details.input_length is not None else len(details.prefill) or None
    counts = {"input_tokens": prompt, "output_tokens": details.generated_tokens}
    return {name: count for name, count in counts.items() if count is not None}
