"""Imported models: three formats, of which the body's own members choose one.

`messages` is OpenAIChatCompletion, `prompt` with `max_tokens` OpenAICompletion, any other `prompt` BedrockCompletion.
A prompt is completed as it stands; only messages go through the model's chat template.

Source: user guide, invoke-imported-model and custom-model-import-advanced-features. Their chunks are not documented:
here they are the responses' shapes with one piece of text each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies import openai
from bedrock_distill.local.services.runtime.bodies.reading import About, BodyShape, read_body
from bedrock_distill.local.services.runtime.conversation import refuse_field

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BEDROCK_COMPLETION", "CHAT_COMPLETION", "COMPLETION", "format_of"]

_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}

_Prompt = Annotated[str, msgspec.Meta(min_length=1)]
_Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
_TopP = Annotated[float, msgspec.Meta(gt=0, le=1)]
_Tokens = Annotated[int, msgspec.Meta(ge=1)]


class _BedrockRequest(BodyShape):
    prompt: _Prompt
    max_gen_len: _Tokens | None = None
    temperature: _Temperature | None = None
    top_p: _TopP | None = None
    response_format: dict[str, Any] | None = None
    return_logprobs: bool = False


class _OpenAIExtras(BodyShape, kw_only=True):
    """What OpenAI's schema and the server behind it take beside the prompt, and a small model has no use for."""

    model: str | None = None
    n: int = 1
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    user: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    structured_outputs: dict[str, Any] | None = None
    prompt_logprobs: int | None = None


class _CompletionRequest(_OpenAIExtras, kw_only=True):
    prompt: _Prompt
    max_tokens: _Tokens | None = None
    temperature: _Temperature | None = None
    top_p: _TopP | None = None
    stop: str | list[str] | None = None
    echo: bool = False
    suffix: str | None = None
    logprobs: int | None = None


class _ChatRequest(_OpenAIExtras, kw_only=True):
    messages: list[openai.ChatMessage]
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    temperature: _Temperature | None = None
    top_p: _TopP | None = None
    stop: str | list[str] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str | dict[str, Any] | None = None


_NOT_DONE = (
    "structured_outputs",
    "prompt_logprobs",
    "return_logprobs",
    "logprobs",
    "top_logprobs",
    "echo",
    "suffix",
    "tools",
)
"""Members that change the answer in a way that the local cloud does not have: refused, not passed over."""


def _refuse_what_is_not_done(request: BodyShape) -> None:
    for name in _NOT_DONE:
        if getattr(request, name, None):
            raise refuse_field(name)
    if getattr(request, "n", 1) != 1:
        raise refuse_field("n")
    wanted = getattr(request, "response_format", None)
    if wanted and wanted.get("type") != "text":
        raise refuse_field("response_format")


class _BedrockCompletion:
    def read(self, body: bytes) -> Ask:
        """The request inside a body."""
        request = read_body(body, _BedrockRequest)
        _refuse_what_is_not_done(request)
        return Ask(
            request.prompt,
            Parameters(max_tokens=request.max_gen_len, temperature=request.temperature, top_p=request.top_p),
        )

    def render(self, answer: Answer, about: About) -> dict[str, Any]:  # noqa: ARG002 - one signature for all formats
        """The response body."""
        return {
            "generation": answer.text,
            "prompt_token_count": answer.input_tokens,
            "generation_token_count": answer.output_tokens,
            "stop_reason": _STOPS[answer.stop_reason],
            "logprobs": None,
        }

    def chunks(self, stream: Stream, about: About) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - see render
        """One chunk a piece; the prompt's tokens stand in the first, the reason to stop in the last."""
        for count, event in enumerate(stream.events, start=1):
            whole = event if isinstance(event, Answer) else None
            yield {
                "generation": event if isinstance(event, str) else "",
                "prompt_token_count": stream.input_tokens if count == 1 else None,
                "generation_token_count": whole.output_tokens if whole else count,
                "stop_reason": _STOPS[whole.stop_reason] if whole else None,
                "logprobs": None,
            }


class _Completion:
    def read(self, body: bytes) -> Ask:
        """The request inside a body."""
        request = read_body(body, _CompletionRequest)
        _refuse_what_is_not_done(request)
        return Ask(
            request.prompt,
            Parameters(
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                top_p=request.top_p,
                stop=openai.stops_of(request.stop),
            ),
        )

    def render(self, answer: Answer, about: About) -> dict[str, Any]:
        """The response body."""
        return {
            **_head(about),
            "choices": [{"index": 0, "text": answer.text, "finish_reason": _STOPS[answer.stop_reason]}],
            "usage": openai.usage_of(answer),
        }

    def chunks(self, stream: Stream, about: About) -> Iterator[dict[str, Any]]:
        """One chunk a piece; the last has no text, says why, and counts the tokens."""
        for event in stream.events:
            if isinstance(event, Answer):
                reason = _STOPS[event.stop_reason]
                yield {
                    **_head(about),
                    "choices": [{"index": 0, "text": "", "finish_reason": reason}],
                    "usage": openai.usage_of(event),
                }
            else:
                yield {**_head(about), "choices": [{"index": 0, "text": event, "finish_reason": None}]}


class _ChatCompletion:
    """OpenAI's chat, read with the members that only imported models take."""

    def read(self, body: bytes) -> Ask:
        """The request inside a body."""
        request = read_body(body, _ChatRequest)
        _refuse_what_is_not_done(request)
        return Ask(
            openai.conversation_of(request.messages),
            Parameters(
                max_tokens=request.max_completion_tokens or request.max_tokens,
                temperature=request.temperature,
                top_p=request.top_p,
                stop=openai.stops_of(request.stop),
            ),
        )

    render = staticmethod(openai.render)
    chunks = staticmethod(openai.chunks)


BEDROCK_COMPLETION = _BedrockCompletion()
COMPLETION = _Completion()
CHAT_COMPLETION = _ChatCompletion()


def format_of(body: bytes) -> _BedrockCompletion | _Completion | _ChatCompletion:
    """The format that a body's members ask for. A body that is none is refused by the format that comes last."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = None
    members = document if isinstance(document, dict) else {}
    if "messages" in members:
        return CHAT_COMPLETION
    return COMPLETION if "max_tokens" in members else BEDROCK_COMPLETION


def _head(about: About) -> dict[str, Any]:
    return {
        "id": f"cmpl-{about.request_id.replace('-', '')}",
        "object": "text_completion",
        "created": about.created,
        "model": about.model_id,
    }
