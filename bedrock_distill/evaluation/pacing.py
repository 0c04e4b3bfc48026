"""How fast one may ask: token buckets for requests and for tokens, filled by the caller's clock."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bedrock_distill.errors import SpecError
from bedrock_distill.records.schema import encode_record

if TYPE_CHECKING:
    from bedrock_distill.clock import Clock
    from bedrock_distill.records.schema import Record

__all__ = ["RateLimit", "TokenBucket", "tokens_at_most"]

_BYTES_A_TOKEN: Final = 4
"""A rough average, used only until the reply says how many tokens there were."""


@dataclass(slots=True)
class TokenBucket:
    """A bucket that fills at an even rate, up to one second's worth; a taker may run it into debt and waits that out.

    In any stretch of w seconds at most `per_minute / 60 · w` is let through and one bucketful more, or one amount where that
    is larger than the bucket: it only waits longer, so that nothing is ever refused for its size.
    """

    per_minute: float
    at: float
    """When the level was last brought up to date."""
    level: float = field(init=False)
    size: float = field(init=False)

    def __post_init__(self) -> None:
        """Start full; a bucket holds at least one, or a single request would find it short."""
        self.size = self.level = max(1.0, self.per_minute / 60)

    def take(self, amount: float, now: float) -> float:
        """Take an amount.

        Returns:
            How many seconds to wait before using it.
        """
        self.level = min(self.size, self.level + (now - self.at) * self.per_minute / 60) - amount
        self.at = now
        return max(0.0, -self.level) * 60 / self.per_minute

    def give_back(self, amount: float) -> None:
        """Return what was taken and not used, or with a negative amount take what was used beyond it."""
        self.level = min(self.size, self.level + amount)


class RateLimit:
    """Most requests and tokens a minute, for one model. Safe for threads; each waits for its own turn.

    Args:
        clock: Time to fill by and to wait through.
        requests_per_minute: None for no limit.
        tokens_per_minute: Tokens of prompts and answers together; None for no limit.

    Raises:
        SpecError: If a limit is not above 0.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        limits = {"requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute}
        for name, value in limits.items():
            if value is not None and not value > 0:
                raise SpecError(
                    f"{name} must be above 0, not {value!r}; leave it out for no limit.",
                    field=name,
                    value=value,
                )
        now = clock.monotonic()
        self._clock, self._lock = clock, threading.Lock()
        self._requests = TokenBucket(requests_per_minute, now) if requests_per_minute else None
        self._tokens = TokenBucket(tokens_per_minute, now) if tokens_per_minute else None

    def wait(self, tokens: int) -> None:
        """Return when one request of about so many tokens may be sent."""
        with self._lock:
            now = self._clock.monotonic()
            waits = [
                bucket.take(amount, now)
                for bucket, amount in ((self._requests, 1), (self._tokens, tokens))
                if bucket is not None
            ]
        due = now + max(waits, default=0.0)
        # Until the moment itself: a clock that others move on may already be past it, and a sleep may end early.
        while (left := due - self._clock.monotonic()) > 1e-6:
            self._clock.sleep(left)

    def settle(self, expected: int, used: int) -> None:
        """Put right what `wait` could only guess, now that the reply has said how many tokens there were."""
        if self._tokens is not None:
            with self._lock:
                self._tokens.give_back(expected - used)


def tokens_at_most(prompt: Record, max_tokens: int | None) -> int:
    """About how many tokens a call may use: the prompt's, and all that the answer may have.

    Bedrock's own quota counts a request in the same way when it arrives, and corrects it when the answer is done.
    """
    return len(encode_record(prompt)) // _BYTES_A_TOKEN + (max_tokens or 0)
