"""InvokeModel's bodies: one small module for each format that a model family speaks.

A format reads a request body into an `Ask`, renders an `Answer` as the family's response body, and cuts a `Stream` into
the family's chunks. Nothing here knows which model answers.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from bedrock_distill.local.services.runtime.bodies import (
    anthropic,
    cohere,
    imported,
    llama,
    nova,
    openai,
    titan,
)
from bedrock_distill.local.services.runtime.bodies.completions import DEEPSEEK, MISTRAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.catalog import BodyFormat
    from bedrock_distill.local.services.runtime.asks import Answer, Ask, Body, Stream
    from bedrock_distill.local.services.runtime.bodies.reading import About

__all__ = ["FORMATS", "Format", "format_of"]


class Format(Protocol):
    """What each format offers, be it a module of this package or an object of one."""

    def read(self, body: bytes) -> Ask:
        """The request inside a body; AwsError ValidationException where it is not one."""
        ...

    def render(self, answer: Answer, about: About) -> dict[str, Any]:
        """The response body."""
        ...

    def chunks(self, stream: Stream, about: About) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed response, as they become known."""
        ...


FORMATS: Mapping[BodyFormat, Format] = MappingProxyType(
    {
        "nova": nova,
        "llama": llama,
        "anthropic": anthropic,
        "titan": titan,
        "mistral": MISTRAL,
        "cohere": cohere,
        "deepseek": DEEPSEEK,
        "qwen": openai,
        "openai": openai,
    }
)
"""Format by the catalog's name of it."""


def format_of(body: Body, data: bytes) -> Format:
    """The format that a model reads these bytes in: its family's, or of an imported model the one the bytes ask for."""
    return FORMATS[body] if body != "imported" else imported.format_of(data)
