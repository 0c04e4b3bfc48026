"""Meta Llama: a prompt in Llama 3's template, and text back.

Source: user guide, model-parameters-meta.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies.reading import About, BodyShape, read_body
from bedrock_distill.local.services.runtime.bodies.templates import Template
from bedrock_distill.local.services.runtime.conversation import refuse_field

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chunks", "read", "render"]

_TEMPLATE = Template(
    marker=re.compile(r"<\|start_header_id\|>(system|user|assistant)<\|end_header_id\|>"),
    roles={"system": "system", "user": "user", "assistant": "assistant"},
    noise=re.compile(r"<\|(?:begin_of_text|end_of_text|eot_id|finetune_right_pad_id)\|>"),
)
_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}


class _Request(BodyShape):
    prompt: str
    max_gen_len: Annotated[int, msgspec.Meta(ge=1, le=8192)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    images: list[str] | None = None


def read(body: bytes) -> Ask:
    """The request inside a body."""
    request = read_body(body, _Request)
    if request.images:
        raise refuse_field("images")
    return Ask(
        _TEMPLATE.read(request.prompt),
        Parameters(max_tokens=request.max_gen_len, temperature=request.temperature, top_p=request.top_p),
    )


def render(answer: Answer, about: About) -> dict[str, Any]:  # noqa: ARG001 - one signature for all formats
    """The response body."""
    return {
        "generation": answer.text,
        "prompt_token_count": answer.input_tokens,
        "generation_token_count": answer.output_tokens,
        "stop_reason": _STOPS[answer.stop_reason],
    }


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - one signature for all formats
    """One chunk a piece; the prompt's tokens stand in the first, the reason to stop in the last."""
    for count, event in enumerate(stream.events, start=1):
        whole = event if isinstance(event, Answer) else None
        yield {
            "generation": event if isinstance(event, str) else "",
            "prompt_token_count": stream.input_tokens if count == 1 else None,
            "generation_token_count": whole.output_tokens if whole else count,
            "stop_reason": _STOPS[whole.stop_reason] if whole else None,
        }
