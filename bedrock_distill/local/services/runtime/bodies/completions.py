"""Text completion as Mistral AI and DeepSeek-R1 write it: a prompt in the family's template, and a list of one text back.

Sources: user guide, model-parameters-mistral-text-completion and model-parameters-deepseek.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from bedrock_distill.local.services.runtime.asks import Answer, Ask, Parameters, Stream
from bedrock_distill.local.services.runtime.bodies.reading import About, BodyShape, read_body
from bedrock_distill.local.services.runtime.bodies.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEEPSEEK", "MISTRAL"]

_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}


class _Request(BodyShape):
    prompt: str
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=32768)] | None = None
    stop: Annotated[tuple[str, ...], msgspec.Meta(max_length=10)] = ()
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


class _MistralRequest(_Request):
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=8192)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=1, le=200)] | None = None


@dataclass(frozen=True, slots=True)
class _Completions:
    request: type[_Request]
    template: Template
    texts: str
    """Under which name the response lists its one text."""

    def read(self, body: bytes) -> Ask:
        """The request inside a body."""
        request = read_body(body, self.request)
        return Ask(
            self.template.read(request.prompt),
            Parameters(
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                top_p=request.top_p,
                stop=request.stop,
            ),
        )

    def render(self, answer: Answer, about: About) -> dict[str, Any]:  # noqa: ARG002 - one signature for all formats
        """The response body."""
        return {self.texts: [{"text": answer.text, "stop_reason": _STOPS[answer.stop_reason]}]}

    def chunks(self, stream: Stream, about: About) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - see render
        """One chunk a piece; the last has no text and says why."""
        for event in stream.events:
            whole = event if isinstance(event, Answer) else None
            text = event if isinstance(event, str) else ""
            yield {self.texts: [{"text": text, "stop_reason": _STOPS[whole.stop_reason] if whole else None}]}


_BAR = "\N{FULLWIDTH VERTICAL LINE}"
_GAP = "\N{LOWER ONE EIGHTH BLOCK}"

MISTRAL = _Completions(
    request=_MistralRequest,
    template=Template(
        marker=re.compile(r"(\[/?INST\])"),
        roles={"[INST]": "user", "[/INST]": "assistant"},
        noise=re.compile(r"</?s>"),
    ),
    texts="outputs",
)
"""Mistral's: turns in `[INST]` marks."""

DEEPSEEK = _Completions(
    request=_Request,
    template=Template(
        marker=re.compile(f"<{_BAR}(User|Assistant){_BAR}>"),
        roles={"User": "user", "Assistant": "assistant"},
        noise=re.compile(f"<{_BAR}(?:begin|end){_GAP}of{_GAP}sentence{_BAR}>|</?think>"),
    ),
    texts="choices",
)
"""DeepSeek's: turns after full-width marks, and a thought that is left out."""
