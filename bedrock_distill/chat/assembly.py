"""From the pieces of an answer to the answer. Pure: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bedrock_distill.chat.reply import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Assembly", "Piece"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one event of a stream, or a whole answer, tells. What it does not tell stays as it was."""

    text: str = ""
    """Text, to add to what came before."""
    stop_reason: str = ""
    """Why the model stopped, in Converse's words."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Fields of `Usage` that are known now. Services count as they go, so that the last word stands."""
    service_latency_s: float | None = None
    logprobs: tuple[float, ...] | None = None
    """Log-probabilities of the text's tokens, to add to what came before."""


class Assembly:
    """An answer as far as it has come."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.stop_reason = ""
        """Why the model stopped; empty until it did."""
        self.usage = Usage()
        self.service_latency_s: float | None = None
        self.logprobs: tuple[float, ...] | None = None

    def add(self, piece: Piece) -> None:
        """Take the next piece."""
        if piece.text:
            self._texts.append(piece.text)
        self.stop_reason = piece.stop_reason or self.stop_reason
        if piece.counts:
            self.usage = replace(self.usage, **piece.counts)
        if piece.service_latency_s is not None:
            self.service_latency_s = piece.service_latency_s
        if piece.logprobs is not None:
            self.logprobs = (self.logprobs or ()) + piece.logprobs

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)
