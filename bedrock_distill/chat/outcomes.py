"""Who answered in a cascade, and why: the reply, the counters, and a line of the journal. Values, no calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.chat.reply import ChatReply, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.records.schema import Record

__all__ = ["CascadeReply", "Counts", "Reason", "Side", "add_usage", "journal_line"]

Side = Literal["student", "teacher"]
"""Who answered."""

Reason = Literal["sure", "unsure", "not_ready", "throttled", "slow", "failed", "paused", "drift"]
"""Why: `sure` is the student's, the others the teacher's."""


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
