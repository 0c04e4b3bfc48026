"""DeepSeek-R1 text completion: a prompt in DeepSeek's template, and choices back.

Source: user guide, model-parameters-deepseek.
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

_BAR = "\N{FULLWIDTH VERTICAL LINE}"
_GAP = "\N{LOWER ONE EIGHTH BLOCK}"
_TEMPLATE = Template(
    marker=re.compile(f"<{_BAR}(User|Assistant){_BAR}>"),
    roles={"User": "user", "Assistant": "assistant"},
    noise=re.compile(f"<{_BAR}(?:begin|end){_GAP}of{_GAP}sentence{_BAR}>|</?think>"),
)
_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}


class _Request(BodyShape):
    prompt: str
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=32768)] | None = None
    stop: Annotated[tuple[str, ...], msgspec.Meta(max_length=10)] = ()
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


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
    return {"choices": [{"text": answer.text, "stop_reason": _STOPS[answer.stop_reason]}]}


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - one signature for all formats
    """One chunk a piece; the last has no text and says why."""
    for event in stream.events:
        whole = event if isinstance(event, Answer) else None
        text = event if isinstance(event, str) else ""
        yield {"choices": [{"text": text, "stop_reason": _STOPS[whole.stop_reason] if whole else None}]}
