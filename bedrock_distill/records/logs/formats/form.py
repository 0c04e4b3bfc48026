"""What a body format is: two shapes, and two functions that read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.records.logs.exchange import Answer, Prompt

__all__ = ["Format"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Format:
    """One body format."""

    name: str
    request: Any
    """msgspec type of the request's body; keys that matter to nobody are left out, and skipped without being decoded."""
    response: Any
    """msgspec type of the response's body; for streams of chunks, a union with their list."""
    prompt: Callable[[Any], tuple[str | None, Prompt]]
    """System prompt and messages of a request; raises `Unusable`."""
    answer: Callable[[Any], Answer]
    """What a response answers; raises `Unusable` where it is no answer at all."""
