"""Who answered in a cascade, and why: the reply, the counters, and a line of the journal. Values, no calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.chat.reply import ChatReply, Usage
from bedrock_distill.errors import ModelNotReadyError, QuotaExceededError, ServiceError, ThrottledError
from bedrock_distill.records.schema import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Attempt", "CascadeReply", "Counts", "Reason", "Side", "add_usage", "journal_line", "reason_of"]

Side = Literal["student", "teacher"]
"""Who answered."""

Reason = Literal["sure", "unsure", "not_ready", "throttled", "slow", "failed", "drift"]
"""Why: `sure` is the student's, the others the teacher's."""

_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (ModelNotReadyError, "not_ready"),
    (ThrottledError, "throttled"),
    (QuotaExceededError, "throttled"),
    (ServiceError, "failed"),
    (OSError, "failed"),  # what targets other than ours raise for the network, TimeoutError included
)
"""Error of the student's -> why the teacher is asked; the first row that fits. Other errors are the caller's, and raised."""


def reason_of(error: Exception) -> Reason | None:
    """Why the teacher is asked after this error, or None where it would fail as well."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of asking the student."""

    reason: Reason
    reply: ChatReply | None = None
    """Its answer, where one came in time."""
    score: float | None = None
    usage: Usage = field(default_factory=Usage)
    """What its calls took, further samples for the score included, as far as they came back."""
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeReply(ChatReply):
    """An answer of a cascade. `usage` is that of all calls, `latency_s` from the request to the answer, whoever gave it."""

    answered_by: Side
    """Who answered; `model_id` is theirs."""
    reason: Reason
    """Why."""
    score: float | None = None
    """How sure the student was, or None where it did not answer in time."""
    threshold: float | None = None
    """What the score was held against."""
    student_text: str | None = None
    """The student's answer, also where it was not used."""
    student_error: str = ""
    """What the student failed with, or an empty string."""
    student_usage: Usage = field(default_factory=Usage)
    """What the student's calls took."""
    teacher_usage: Usage = field(default_factory=Usage)
    """What the teacher's call took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a cascade has done so far."""

    reasons: Mapping[str, int]
    """How many answers there were, by reason."""
    student_usage: Usage
    """Tokens of the student's calls."""
    teacher_usage: Usage
    """Tokens of the teacher's calls."""

    @classmethod
    def none(cls) -> Counts:
        """Nothing yet."""
        return cls(reasons={}, student_usage=Usage(), teacher_usage=Usage())

    def plus(self, reply: CascadeReply) -> Counts:
        """The same with one answer more."""
        return Counts(
            reasons=Counter(self.reasons) + Counter([reply.reason]),
            student_usage=add_usage(self.student_usage, reply.student_usage),
            teacher_usage=add_usage(self.teacher_usage, reply.teacher_usage),
        )

    @property
    def answers(self) -> int:
        """How many answers there were."""
        return sum(self.reasons.values())

    @property
    def by_student(self) -> int:
        """How many of them the student gave."""
        return self.reasons.get("sure", 0)

    @property
    def student_share(self) -> float | None:
        """Share of the answers that the student gave, or None where there is none yet."""
        return self.by_student / self.answers if self.answers else None


def add_usage(one: Usage, other: Usage) -> Usage:
    """The tokens of both."""
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
    )


def journal_line(reply: CascadeReply, record: Record, at: datetime, *, texts: bool) -> dict[str, Any]:
    """What a journal keeps of an answer.

    Args:
        reply: The answer.
        record: The prompt.
        at: When it was given.
        texts: Whether to keep the prompt and the answers. They may hold personal data.
    """
    kept = reply.to_dict()
    answer, student_text = kept.pop("text"), kept.pop("student_text")
    for name in ("logprobs", "usage"):
        del kept[name]
    said = {"record": record.with_completion(answer), "student_text": student_text} if texts else {}
    return {"at": at.isoformat(), **kept, **said}
