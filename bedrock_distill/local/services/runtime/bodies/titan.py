"""Amazon Titan Text: a prompt, perhaps written as `User:` and `Bot:` lines, and text back.

Source: user guide, model-parameters-titan-text.
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
    marker=re.compile(r"^(User|Bot):", re.MULTILINE),
    roles={"User": "user", "Bot": "assistant"},
    noise=re.compile(r"(?!)"),
)
_STOPS = {"end_turn": "FINISHED", "stop_sequence": "STOP_CRITERIA_MET", "max_tokens": "LENGTH"}


class _Config(BodyShape):
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=8192)] | None = msgspec.field(
        name="maxTokenCount", default=None
    )
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = msgspec.field(name="topP", default=None)
    stop_sequences: tuple[str, ...] = msgspec.field(name="stopSequences", default=())


class _Request(BodyShape):
    text: str = msgspec.field(name="inputText")
    config: _Config = msgspec.field(name="textGenerationConfig", default_factory=_Config)


def read(body: bytes) -> Ask:
    """The request inside a body."""
    request = read_body(body, _Request)
    config = request.config
    return Ask(
        _TEMPLATE.read(request.text),
        Parameters(
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            stop=config.stop_sequences,
        ),
    )


def render(answer: Answer, about: About) -> dict[str, Any]:  # noqa: ARG001 - one signature for all formats
    """The response body."""
    return {
        "inputTextTokenCount": answer.input_tokens,
        "results": [
            {
                "tokenCount": answer.output_tokens,
                "outputText": answer.text,
                "completionReason": _STOPS[answer.stop_reason],
            }
        ],
    }


def chunks(stream: Stream, about: About) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - one signature for all formats
    """One chunk a piece; the last says why and how many tokens."""
    for event in stream.events:
        whole = event if isinstance(event, Answer) else None
        yield {
            "outputText": event if isinstance(event, str) else "",
            "index": 0,
            "totalOutputTextTokenCount": whole.output_tokens if whole else None,
            "completionReason": _STOPS[whole.stop_reason] if whole else None,
            "inputTextTokenCount": whole.input_tokens if whole else None,
        }
