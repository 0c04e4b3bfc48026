"""What can be asked of a model and what an answer is; torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from bedrock_distill.errors import SpecError

__all__ = ["Generated", "Sampling", "StopReason"]

StopReason = Literal["end_turn", "max_tokens", "stop_sequence"]
"""Why an answer ended, as Converse names it."""


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, and what it cost in tokens."""

    text: str
    input_tokens: int
    """Tokens of the prompt, chat template included."""
    output_tokens: int
    """Tokens generated, the end token included."""
    stop_reason: StopReason
    stopped_by: str = ""
    """The stop text that ended the answer; empty where none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How an answer is drawn.

    Raises:
        SpecError: A value is out of its range.
    """

    max_tokens: int
    """Most tokens to generate."""
    temperature: float = 0.0
    """0 takes the likeliest token always."""
    top_p: float = 1.0
    """Draw only from the likeliest tokens that together reach this probability."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer and are not part of it."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, holds, rule in (
            ("max_tokens", self.max_tokens >= 1, "it must be at least 1"),
            ("temperature", self.temperature >= 0, "it must not be negative"),
            ("top_p", 0 < self.top_p <= 1, "it must be above 0 and at most 1"),
            ("stop", all(self.stop), "an empty text would end every answer before it begins"),
        ):
            if not holds:
                value = getattr(self, name)
                raise SpecError(f"generation: {name} is {value!r}; {rule}", field=name, value=value)
