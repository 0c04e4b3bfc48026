"""Who can be asked, and what comes back: an answer or a failure for each prompt. How they are asked is in `gathering.py`."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from bedrock_distill.records.schema import Record

__all__ = ["Answer", "Answers", "Ask", "ChatTarget", "Reply", "Tokens"]


_MOST_CHARS: Final = 300
"""Of an error's message in a report."""


class Tokens(Protocol):
    """What a call used."""

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt."""
        ...

    @property
    def output_tokens(self) -> int:
        """Tokens of the answer."""
        ...


class Reply(Protocol):
    """What a target answers; `chat.ChatReply` is one."""

    @property
    def text(self) -> str:
        """The answer."""
        ...

    @property
    def stop_reason(self) -> str:
        """Why the model stopped."""
        ...

    @property
    def usage(self) -> Tokens:
        """What the call used."""
        ...

    @property
    def latency_s(self) -> float | None:
        """Seconds from the request to the whole answer; None where it was recorded, and not measured."""
        ...


class ChatTarget(Protocol):
    """Whatever can be asked; `chat.Target` and a deployment are two. `model_id` and `name` are read where there are any."""

    def chat(
        self, prompt: Record, /, *, system: str | None, max_tokens: int | None, temperature: float | None
    ) -> Reply:
        """Ask, and wait for the whole answer. May be called from several threads at once."""
        ...


Ask = Callable[[Record], Reply]
"""A target with everything but the prompt decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One side's answer to one prompt, or the error that came instead."""

    text: str | None
    """The answer, or None where the call failed."""
    stop_reason: str = ""
    """Why the model stopped, as AWS names it."""
    input_tokens: int = 0
    output_tokens: int = 0
    latency_s: float | None = None
    """Seconds from the request to the whole answer; None where the call failed, or the answer was recorded."""
    first_token_s: float | None = None
    """Seconds from the request to the first piece of text, where the answer was streamed."""
    cost_usd: float | None = None
    """What the call cost, or None where the price is unknown."""
    asked_at: str = ""
    """When it was asked, in ISO 8601."""
    cached: bool = False
    """Whether it was asked before, and came from the cache."""
    error_code: str = ""
    """AWS's error code, or an empty string."""
    error: str = ""
    """The error's message, or an empty string."""

    @property
    def failed(self) -> bool:
        """Whether the call failed."""
        return self.text is None

    @property
    def counted(self) -> bool:
        """Whether somebody counted its tokens: an answer without any was recorded without them, and cost something."""
        return self.input_tokens + self.output_tokens > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One side's answers, in the order of the prompts."""

    name: str
    """What reports call the side."""
    model_id: str
    """The model id or ARN that was asked, or an empty string where the target has none."""
    answers: tuple[Answer, ...]
    seconds: float
    """How long it took to gather them all, at the concurrency that was asked for."""
    recorded: bool = False
    """Whether they were recorded before, and only looked up now."""

    @property
    def texts(self) -> tuple[str | None, ...]:
        """The texts; None where a call failed."""
        return tuple(answer.text for answer in self.answers)

    @property
    def failures(self) -> Counter[str]:
        """How many calls failed, by error code."""
        return Counter(answer.error_code for answer in self.answers if answer.failed)

    @property
    def first_error(self) -> str:
        """What the first call that failed said, in a line that is not too long; an empty string where none failed."""
        errors = (answer.error for answer in self.answers if answer.failed)
        return textwrap.shorten(next(errors, ""), _MOST_CHARS, placeholder=" …")

    @property
    def failed_share(self) -> float:
        """Share of the calls that failed."""
        return self.failures.total() / len(self.answers)
