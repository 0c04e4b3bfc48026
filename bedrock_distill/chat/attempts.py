"""One try of a cascade's student: its answer and score, or why there is none; bounded in time where that is asked for."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from bedrock_distill.chat.outcomes import add_usage
from bedrock_distill.chat.reply import Usage
from bedrock_distill.errors import (
    ModelNotReadyError,
    QuotaExceededError,
    ServiceError,
    SpecError,
    ThrottledError,
)
from bedrock_distill.records.schema import Record, TextBlock
from bedrock_distill.risk import as_scored, score_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bedrock_distill.chat.outcomes import Reason
    from bedrock_distill.chat.question import Prompt
    from bedrock_distill.chat.reply import ChatReply
    from bedrock_distill.chat.scores import Score
    from bedrock_distill.clock import Clock

__all__ = ["Attempt", "Chatting", "options_of", "record_of", "try_once", "usage_of", "within"]

_NEVER: Final = 2.0
"""A threshold that no score reaches."""

_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (ModelNotReadyError, "not_ready"),
    (ThrottledError, "throttled"),
    (QuotaExceededError, "throttled"),
    (ServiceError, "failed"),
    (OSError, "failed"),  # what targets other than ours raise for the network, TimeoutError included
)
"""Error of the student's -> why the teacher is asked; the first row that fits. Other errors are the caller's, and raised."""


def _reason_of(error: Exception) -> Reason | None:
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


class Chatting(Protocol):
    """Whatever answers; `Target` does. For `Cascade.stream`, a teacher also has `stream`."""

    def chat(
        self, prompt: Record, /, *, system: str | None, max_tokens: int | None, temperature: float | None
    ) -> Any:
        """Ask, and wait for the whole answer."""
        ...


def try_once(
    student: Chatting, score: Score, threshold: float | None, record: Record, options: dict[str, Any]
) -> Attempt:
    """Ask the student, and score its answer.

    Raises:
        SpecError: If the request could never be accepted, or the score is no number from 0 to 1.
    """
    reply, usage = None, Usage()
    try:
        reply = student.chat(record, **options)
        usage = usage_of(reply)
        scored = as_scored(score(record, reply), by=score_names(score))
    except Exception as error:
        reason = _reason_of(error)
        if reason is None:
            raise
        return Attempt(reason=reason, reply=reply, usage=usage, error=error)
    sure = scored.value >= (_NEVER if threshold is None else threshold)
    return Attempt(
        reason="sure" if sure else "unsure",
        reply=reply,
        score=scored.value,
        usage=add_usage(usage, Usage(scored.input_tokens, scored.output_tokens)),
    )


def within(ask: Callable[[], Attempt], deadline_s: float, clock: Clock) -> Attempt:
    """Ask, and wait no longer than the deadline.

    The wait is real; the clock is looked at, too, so that on simulated time a slow answer is as late as it would be.
    """
    done: queue.SimpleQueue[Attempt | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(ask())
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            done.put(error)

    started_s = clock.monotonic()
    # A daemon: a student that hangs must not keep the process from ending.
    threading.Thread(target=run, name="cascade-student", daemon=True).start()
    try:
        found = done.get(timeout=deadline_s)
    except queue.Empty:
        return Attempt(reason="slow")
    if isinstance(found, BaseException):
        raise found
    if found.error is None and clock.monotonic() - started_s > deadline_s:
        return Attempt(reason="slow", usage=found.usage)
    return found


def record_of(prompt: Prompt, system: str | None) -> Record:
    """The prompt with its system prompt, as scores and journals see it.

    Raises:
        SpecError: If it is messages that end with the beginning of an answer.
    """
    record = prompt if isinstance(prompt, Record) else Record.of(prompt)
    if record is not prompt and record.completion is not None:
        raise SpecError(
            "A cascade cannot go on with an answer that has been begun: the last message must be the user's.",
            field="prompt",
        )
    record = record.prompt
    if system is None:
        return record
    return msgspec.structs.replace(record, system=(TextBlock(system),) if system else None)


def options_of(
    max_tokens: int | None,
    temperature: float | None,
    top_p: float | None,
    stop: str | Sequence[str],
    metadata: Mapping[str, str] | None,
) -> dict[str, Any]:
    """What both are asked with. Only what was given, beyond the first three: simple targets know no more."""
    extras = {"top_p": top_p, "stop": stop or None, "metadata": metadata}
    return {
        "system": None,  # in the record
        "max_tokens": max_tokens,
        "temperature": temperature,
        **{name: value for name, value in extras.items() if value is not None},
    }


def usage_of(reply: Any) -> Usage:
    """A reply's tokens; targets other than ours may count fewer kinds."""
    found = reply.usage
    return found if isinstance(found, Usage) else Usage(found.input_tokens, found.output_tokens)
