"""Student first, teacher when needed: a target like any other, whose replies say who answered and why."""

from __future__ import annotations

import logging
import math
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from bedrock_distill.chat.attempts import Attempt, options_of, record_of, try_once, usage_of, within
from bedrock_distill.chat.cascade_stream import CascadeStream
from bedrock_distill.chat.outcomes import CascadeReply, Counts, add_usage, journal_line
from bedrock_distill.chat.reply import Usage
from bedrock_distill.chat.scores import score_from
from bedrock_distill.chat.target import Target
from bedrock_distill.clock import Clock, SystemClock
from bedrock_distill.errors import SpecError
from bedrock_distill.risk import DriftAlarm, Policy, score_names

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from bedrock_distill.chat.attempts import Chatting
    from bedrock_distill.chat.question import Prompt
    from bedrock_distill.chat.scores import Score
    from bedrock_distill.records.schema import Record

__all__ = ["Cascade"]

_log = logging.getLogger("bedrock_distill")


class Cascade:
    """Asks the student; asks the teacher where the student is unsure, not ready, throttled, failing or too slow.

    Whatever goes wrong with the student, it is asked once: a `Target` does not try again inside a cascade, because the teacher
    is there. The teacher's errors are raised. Thread-safe.

    Args:
        student: Asked first.
        teacher: Asked where the student's answer will not do.
        score: How sure the student is of an answer, from 0 to 1.
        threshold: The student answers from this score on; None: never. Take it from a calibration (`from_policy`).
        deadline_s: Seconds that the student and its score may take; then the teacher is asked, and what comes later is
            dropped, though it is billed. None waits.
        pause_s: Seconds that the student is left alone after it was not ready, throttled, too slow or failing, so that not
            every request has to find out anew. 0 asks it every time.
        alarm: Told every score; see `from_policy`.
        loss_alarm: Told every loss that `observe_loss` reports.
        on_drift: What an alarm that went off means: `warn` logs it once, `teacher` also asks nobody but the teacher then.
        journal: A file that each answer is added to, as a line of JSON. Where that fails it is logged, and the answer given.
        journal_texts: Whether the journal keeps the prompts and answers, too: they may hold personal data.
        name: What reports and messages call it.
        clock: Time for the deadline, latencies and the journal. Default: the machine's.
    """

    def __init__(
        self,
        student: Chatting,
        teacher: Chatting,
        *,
        score: Score,
        threshold: float | None,
        deadline_s: float | None = None,
        pause_s: float = 0.0,
        alarm: DriftAlarm | None = None,
        loss_alarm: DriftAlarm | None = None,
        on_drift: Literal["warn", "teacher"] = "warn",
        journal: str | os.PathLike[str] | None = None,
        journal_texts: bool = False,
        name: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check(threshold, deadline_s, pause_s, on_drift, journal)
        self._student = _impatient(student)
        self._teacher = teacher
        self._score = score
        self._deadline_s, self._pause_s = deadline_s, pause_s
        self._paused_until_s = -math.inf
        self._alarms = [each for each in (alarm, loss_alarm) if each is not None]
        self._on_drift = on_drift
        self._journal = None if journal is None else Path(journal)
        self._journal_texts = journal_texts
        self._clock: Clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._counts = Counts.none()
        self._warned = False
        self.threshold = threshold
        self.alarm, self.loss_alarm = alarm, loss_alarm
        self.model_id = f"{_id(student)} > {_id(teacher)}"
        self.name = name or f"cascade of {_name(student)} and {_name(teacher)}"

    @classmethod
    def from_policy(
        cls,
        policy: Policy | str | os.PathLike[str],
        student: Chatting,
        teacher: Chatting,
        *,
        score: Score | None = None,
        false_alarm: float = 0.01,
        **options: Any,
    ) -> Self:
        """The cascade that a calibration found, with alarms against its scores and losses.

        Args:
            policy: What `calibrate` returned, or the file it was saved to.
            student: Asked first: the one that was calibrated, or the same model elsewhere.
            teacher: Asked where the student's answer will not do.
            score: The score that was calibrated. Needed only where it is a function of yours.
            false_alarm: Chance that the alarms ever go off while nothing has changed; each has half of it.
            **options: The rest of what `Cascade` takes.

        Raises:
            DataError: If the file is no policy.
            SpecError: If the score is another than the policy's.
        """
        found = policy if isinstance(policy, Policy) else Policy.read(policy)
        if score is None:
            score = score_from(found.score, _impatient(student))
        found.check_score(score_names(score))
        if _id(student) != found.student:
            _log.warning(
                "The policy was calibrated with the student %s, and this is %s. Its threshold holds for the same model only.",
                found.student,
                _id(student),
            )
        alarms = {
            key: DriftAlarm(values, level=false_alarm / 2)
            for key, values in (("alarm", found.scores), ("loss_alarm", found.losses))
            if values
        }
        return cls(student, teacher, score=score, threshold=found.threshold, **{**alarms, **options})

    def __repr__(self) -> str:
        return f"Cascade({_id(self._student)!r}, {_id(self._teacher)!r}, threshold={self.threshold})"

    @property
    def counts(self) -> Counts:
        """Who answered so far, and why."""
        return self._counts

    @property
    def drifted(self) -> bool:
        """Whether an alarm has gone off: scores or losses no longer look like the calibration's."""
        return any(alarm.fired for alarm in self._alarms)

    def observe_loss(self, loss: float) -> None:
        """Tell the loss of an answer of the student's, found out later, such as by asking the teacher, too.

        Tell it for requests that were picked without regard to their scores; a pick of the doubtful ones looks like drift.

        Args:
            loss: From 0 to 1, by the metric of the calibration.
        """
        if not 0 <= loss <= 1:
            raise SpecError(f"A loss lies from 0 to 1, so it cannot be {loss}.", field="loss", value=loss)
        if self.loss_alarm is not None:
            self.loss_alarm.observe(loss)
            self._warn_of_drift()

    def chat(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = 512,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> CascadeReply:
        """Ask, and wait for the whole answer. Arguments are those of `Target.chat`.

        Raises:
            SpecError: If the request could never be accepted, or the score is no number from 0 to 1.
            ServiceError: If the teacher was needed and failed; a note says why it was needed.
        """
        record = record_of(prompt, system)
        options = options_of(max_tokens, temperature, top_p, stop, metadata)
        started_s = self._clock.monotonic()
        attempt = self._try_student(record, options)
        answer = (
            attempt.reply if attempt.reason == "sure" else self._ask_teacher("chat", record, options, attempt)
        )
        reply = self._reply(answer, attempt=attempt, started_s=started_s)
        self._tell(reply, record)
        return reply

    def stream(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = 512,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> CascadeStream:
        """Ask, and read the answer as it may be read. Arguments and errors are those of `chat`.

        Whether the student is sure shows only when it is done, so this call returns when that is decided, and the student's
        answer then comes in one piece: no text is ever taken back. The teacher's comes in pieces, as it is being written.
        """
        record = record_of(prompt, system)
        options = options_of(max_tokens, temperature, top_p, stop, metadata)
        started_s = self._clock.monotonic()
        attempt = self._try_student(record, options)
        sure = attempt.reason == "sure"
        return CascadeStream(
            None if sure else self._ask_teacher("stream", record, options, attempt),
            answer=attempt.reply if sure else None,
            make=partial(self._reply, attempt=attempt, started_s=started_s),
            clock=self._clock,
            started_s=started_s,
            on_end=partial(self._tell, record=record),
            note=_why_asked(attempt),
        )

    def _try_student(self, record: Record, options: dict[str, Any]) -> Attempt:
        if self._on_drift == "teacher" and self.drifted:
            return Attempt(reason="drift")
        if self._clock.monotonic() < self._paused_until_s:
            return Attempt(reason="paused")
        ask = partial(try_once, self._student, self._score, self.threshold, record, options)
        attempt = ask() if self._deadline_s is None else within(ask, self._deadline_s, self._clock)
        if attempt.reason not in ("sure", "unsure"):
            self._paused_until_s = self._clock.monotonic() + self._pause_s
            _log.info(
                "The student did not answer (%s): %s. Asking the teacher.",
                attempt.reason,
                attempt.error or "nothing came in time",
            )
        elif attempt.score is not None and self.alarm is not None:
            self.alarm.observe(attempt.score)
            self._warn_of_drift()
        return attempt

    def _ask_teacher(self, way: str, record: Record, options: dict[str, Any], attempt: Attempt) -> Any:
        ask = getattr(self._teacher, way, None)
        if ask is None:
            raise SpecError(
                f"The teacher {_name(self._teacher)} has no {way}; ask with chat.", field="teacher"
            )
        try:
            return ask(record, **options)
        except Exception as error:
            error.add_note(_why_asked(attempt))
            raise

    def _reply(
        self, answer: Any, *, attempt: Attempt, started_s: float, first_token_s: float | None = None
    ) -> CascadeReply:
        by_student = attempt.reason == "sure"
        teacher_usage = Usage() if by_student else usage_of(answer)
        return CascadeReply(
            text=answer.text,
            stop_reason=answer.stop_reason,
            usage=add_usage(attempt.usage, teacher_usage),
            latency_s=self._clock.monotonic() - started_s,
            first_token_s=first_token_s,
            service_latency_s=getattr(answer, "service_latency_s", None),
            model_id=getattr(answer, "model_id", "") or _id(self._student if by_student else self._teacher),
            request_id=getattr(answer, "request_id", ""),
            logprobs=getattr(answer, "logprobs", None),
            answered_by="student" if by_student else "teacher",
            reason=attempt.reason,
            score=attempt.score,
            threshold=self.threshold,
            student_text=None if attempt.reply is None else attempt.reply.text,
            student_error="" if attempt.error is None else str(attempt.error),
            student_usage=attempt.usage,
            teacher_usage=teacher_usage,
        )

    def _tell(self, reply: CascadeReply, record: Record) -> None:
        """Count an answer, and write it down if asked to."""
        with self._lock:
            self._counts = self._counts.plus(reply)
            if self._journal is None:
                return
            line = journal_line(reply, record, self._clock.now(), texts=self._journal_texts)
            try:
                with self._journal.open("ab") as file:
                    file.write(msgspec.json.encode(line) + b"\n")
            # A full disk, or half a character; the answer is paid for.
            except (OSError, UnicodeEncodeError) as error:
                _log.error("%s: an answer is not in the journal %s: %s", self.name, self._journal, error)

    def _warn_of_drift(self) -> None:
        with self._lock:
            warn = self.drifted and not self._warned
            self._warned = self._warned or warn
        if warn:
            _log.warning(
                "%s: what comes no longer looks like what the threshold was chosen on, so its bound no longer holds. "
                "Calibrate again on recent requests.",
                self.name,
            )


def _check(
    threshold: float | None,
    deadline_s: float | None,
    pause_s: float,
    on_drift: str,
    journal: str | os.PathLike[str] | None,
) -> None:
    place = None if journal is None else Path(journal)
    rules = (
        ("threshold", threshold, threshold is None or 0 <= threshold <= 1, "from 0 to 1, or None for never"),
        (
            "deadline_s",
            deadline_s,
            deadline_s is None or 0 < deadline_s <= threading.TIMEOUT_MAX,
            "above 0 seconds, and no more than a machine can wait; None waits for ever",
        ),
        (
            "journal",
            journal,
            place is None or (place.parent.is_dir() and not place.is_dir()),
            "a file in a folder that is there",
        ),
        ("pause_s", pause_s, pause_s >= 0, "0 seconds or more"),
        ("on_drift", on_drift, on_drift in ("warn", "teacher"), "'warn' or 'teacher'"),
    )
    for field, value, holds, rule in rules:
        if not holds:
            raise SpecError(f"{field} must be {rule}, not {value!r}.", field=field, value=value)


def _why_asked(attempt: Attempt) -> str:
    why = f"{attempt.reason}: {attempt.error}" if attempt.error else attempt.reason
    return f"The teacher was asked because the student was not used ({why})."


def _impatient(student: Chatting) -> Chatting:
    return student.impatient() if isinstance(student, Target) else student


def _id(target: Chatting) -> str:
    return str(getattr(target, "model_id", ""))


def _name(target: Chatting) -> str:
    return str(getattr(target, "name", "") or _id(target) or type(target).__name__)
