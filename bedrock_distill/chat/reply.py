"""What a model answered, and what it took."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ChatReply", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the service counted them; 0 where it did not say."""

    input_tokens: int = 0
    """Tokens of the prompt that were read afresh."""
    output_tokens: int = 0
    """Tokens of the answer."""
    cache_read_tokens: int = 0
    """Tokens of the prompt that came from the prompt cache."""
    cache_write_tokens: int = 0
    """Tokens of the prompt that were written to the prompt cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """A model's answer; `print(reply)` prints its text."""

    text: str
    """All text blocks of the answer, joined."""
    stop_reason: str
    """Why the model stopped, in Converse's words whoever was asked (`end_turn`, `max_tokens`, …); empty while an answer is incomplete."""
    usage: Usage
    """Tokens; zeros while an answer is incomplete, because the service counts in its last event."""
    latency_s: float | None
    """Seconds from sending the request to the last byte, retries included; None where the answer was recorded."""
    first_token_s: float | None = None
    """Seconds from sending the request to the first piece of text; None where the answer came in one piece."""
    service_latency_s: float | None = None
    """Seconds that the service says it took, or None where it does not say."""
    model_id: str
    """The model id or ARN that was asked."""
    request_id: str = ""
    """AWS's request id, to find the call in logs."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token of the answer, where the dialect asks for them and the target says them."""

    @property
    def complete(self) -> bool:
        """Whether the model came to an end; False for a stream that was left early."""
        return bool(self.stop_reason)

    def to_dict(self) -> dict[str, Any]:
        """The reply as JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        return self.text
