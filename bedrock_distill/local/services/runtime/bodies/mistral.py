"""Mistral AI text completion: a prompt with `[INST]` marks, and text back.

Source: user guide, model-parameters-mistral-text-completion.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies.reading import About, BodyShape, read_body
from bedrock_distill.local.services.runtime.bodies.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chunks", "read", "render"]

_TEMPLATE = Template(
    marker=re.compile(r"(\[/?INST\])"),
    roles={"[INST]": "user", "[/INST]": "assistant"},
    noise=re.compile(r"</?s>"),
)
_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}


class _Request(BodyShape):
    prompt: str
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=8192)] | None = None
    stop: Annotated[tuple[str, ...], msgspec.Meta(max_length=10)] = ()
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=1, le=200)] | None = None


def read(body: bytes) -> Ask:
    """The request inside a body."""
    request = read_body(body, _Request)
    return Ask(
        _TEMPLATE.read(request.prompt),
        Parameters(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            stop=request.stop,
        ),
    )


def render(answer: Answer, about: About) -> dict[str, Any]:  # noqa: ARG001 - one signature for all formats
    """The response body."""
    return {"outputs": [{"text": answer.text, "stop_reason": _STOPS[answer.stop_reason]}]}


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - one signature for all formats
    """One chunk a piece; the last has no text and says why."""
    for event in stream.events:
        whole = event if isinstance(event, Answer) else None
        text = event if isinstance(event, str) else ""
        yield {"outputs": [{"text": text, "stop_reason": _STOPS[whole.stop_reason] if whole else None}]}
