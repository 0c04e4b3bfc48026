"""The neutral middle of the runtime: what every request asks, and what every model answers.

Bodies and operations translate to and from these values; models see nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.catalog import BodyFormat
    from bedrock_distill.records.schema import Record

__all__ = ["DEFAULTS", "DEFAULT_MAX_TOKENS", "Answer", "Ask", "Body", "Parameters", "StopReason", "Stream"]

Body: TypeAlias = "BodyFormat | Literal['imported']"
"""How a model is spoken to by InvokeModel: in its family's format, or in one of those of imported models."""

StopReason = Literal["end_turn", "max_tokens", "stop_sequence"]
"""Why an answer ended, in Converse's words."""

DEFAULT_MAX_TOKENS = 512
"""Longest answer where the caller does not say. AWS documents 512 for Llama, Titan and Mistral 7B; where it documents
a dynamic or larger default (Nova: up to 5,000), the local cloud stays here, because its students are small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How to generate. None means that the caller did not say."""

    max_tokens: int | None = None
    temperature: float | None = None
    """From 0 (always the likeliest token) to 1."""
    top_p: float | None = None
    """Share of the probability that sampling keeps, from 0 to 1."""
    stop: tuple[str, ...] = ()
    """Texts before which the answer ends."""


DEFAULTS: Mapping[Body, Parameters] = MappingProxyType(
    {
        # user guide, model-parameters-*; Nova user guide, complete-request-schema
        "nova": Parameters(temperature=0.7, top_p=0.9),
        "llama": Parameters(temperature=0.5, top_p=0.9),
        "anthropic": Parameters(temperature=1.0, top_p=0.999),
        "titan": Parameters(temperature=0.7, top_p=0.9),
        "mistral": Parameters(temperature=0.5, top_p=0.9),
        "cohere": Parameters(temperature=0.3, top_p=0.75),
        "deepseek": Parameters(temperature=1.0, top_p=1.0),
        "qwen": Parameters(temperature=1.0, top_p=1.0),
        "openai": Parameters(temperature=1.0, top_p=1.0),
        # not documented; OpenAI's own, whose formats imported models speak
        "imported": Parameters(temperature=1.0, top_p=1.0),
    }
)
"""What a family does where the caller does not say."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: a conversation that ends with the user, or a text to go on with, and how to answer it."""

    prompt: Record | str
    """A text is completed as it stands: no chat template is laid over it."""
    parameters: Parameters = Parameters()

    def filled(self, family: Body) -> Ask:
        """The same ask with the family's defaults in place of what the caller left open."""
        given, default = self.parameters, DEFAULTS[family]
        parameters = replace(
            given,
            max_tokens=DEFAULT_MAX_TOKENS if given.max_tokens is None else given.max_tokens,
            temperature=default.temperature if given.temperature is None else given.temperature,
            top_p=default.top_p if given.top_p is None else given.top_p,
        )
        return replace(self, parameters=parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and what it cost in tokens."""

    text: str
    stop_reason: StopReason
    input_tokens: int
    output_tokens: int
    stop_sequence: str | None = None
    """The stop sequence that ended the answer, where it is known."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer on its way."""

    input_tokens: int
    """Tokens of the prompt, known before the first piece."""
    events: Iterator[str | Answer]
    """Pieces of text as they come, then the whole."""
