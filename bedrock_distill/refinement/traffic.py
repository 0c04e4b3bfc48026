"""What came in since the serving student's data was chosen: prompts, each with what is known of how it was answered."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.harvest import from_logs
from bedrock_distill.records.lines import read_chunks, split_lines
from bedrock_distill.records.logs import LogQuery
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bedrock_distill.aws import Clients
    from bedrock_distill.records.logs.exchange import Stop
    from bedrock_distill.refinement.spec import Refinement

__all__ = ["Asked", "Traffic", "read_traffic"]

_ANY_STOP: Final[tuple[Stop | None, ...]] = ("end", "length", "filtered", "other", None)
"""An answer that was cut off still shows what was asked."""


@dataclass(slots=True)
class Asked:
    """A prompt of the traffic."""

    prompt: Record
    student: str | None = None
    """What the student answered, if it did."""
    teacher: str | None = None
    """What the teacher answered, if it was asked, too."""
    fell_back: bool = False
    """Whether the teacher's answer was the one that was used."""
    unsure: bool = False
    """Whether a cascade found the student unsure."""


@dataclass(slots=True)
class Traffic:
    """The prompts of a window, each once."""

    asked: dict[Record, Asked] = field(default_factory=dict)
    student_calls: int = 0
    """Calls of the student that were read."""
    teacher_calls: int = 0
    """Calls of the teacher that were read."""

    def at(self, prompt: Record) -> Asked:
        """What is known of a prompt, to be added to."""
        return self.asked.setdefault(prompt, Asked(prompt))


def read_traffic(
    spec: Refinement,
    clients: Clients,
    folder: Path,
    *,
    student_as: str,
    since: datetime | None,
    until: datetime,
) -> Traffic:
    """Read the logs and the journal.

    Args:
        spec: What is refined.
        clients: The gate to AWS.
        folder: For what is read from logs.
        student_as: How logs name the student.
        since: Beginning of the window; None is as far back as they go.
        until: End of the window.

    Raises:
        DataError: If the journal holds something else, or no texts.
        ServiceError: If S3 refuses.
    """
    traffic = Traffic()
    if spec.logs is not None:
        _read_logs(traffic, spec, clients, folder, student_as=student_as, since=since, until=until)
    if spec.journal is not None:
        _read_journal(traffic, spec.journal, since=since, until=until)
    return traffic


def _read_logs(
    traffic: Traffic,
    spec: Refinement,
    clients: Clients,
    folder: Path,
    *,
    student_as: str,
    since: datetime | None,
    until: datetime,
) -> None:
    logs = spec.logs
    if logs is None:
        return
    window = LogQuery(
        where=logs.filter, since=since, until=until, responses=True, stops=_ANY_STOP, redact=spec.redact
    )

    def records(name: str, query: LogQuery) -> Iterator[Record]:
        path = folder / f"{name}.jsonl"
        from_logs(logs.source, path, query=query, clients=clients, max_records=spec.look_at, seed=spec.seed)
        yield from read_records(path)

    for record in records("student", msgspec.structs.replace(window, exact_model=student_as)):
        traffic.at(record.prompt).student = record.completion
        traffic.student_calls += 1
    for record in records("teacher", msgspec.structs.replace(window, models=(spec.distillation.teacher,))):
        asked = traffic.at(record.prompt)
        asked.teacher = record.completion
        asked.fell_back = True
        traffic.teacher_calls += 1


class _Entry(msgspec.Struct):
    """What is read of a line of a cascade's journal."""

    at: datetime
    reason: str
    answered_by: str
    record: Record | None = None
    student_text: str | None = None


def _read_journal(traffic: Traffic, path: Path, *, since: datetime | None, until: datetime) -> None:
    for number, line in enumerate(split_lines(read_chunks(path), keepends=True), start=1):
        if not line.strip():
            continue
        entry = _entry(line, path, number)
        if entry is None or entry.at >= until or (since is not None and entry.at < since):
            continue
        if entry.record is None:
            raise _journal_error(
                path, number, "record", "is missing: write the journal with journal_texts=True"
            )
        asked = traffic.at(entry.record.prompt)
        by_student = entry.answered_by == "student"
        asked.student = entry.student_text if entry.student_text is not None else asked.student
        traffic.student_calls += asked.student is not None
        if not by_student:
            asked.teacher = entry.record.completion
            asked.fell_back = True
            asked.unsure = asked.unsure or entry.reason == "unsure"
            traffic.teacher_calls += 1


def _entry(line: bytes, path: Path, number: int) -> _Entry | None:
    """A line as what it says; None for the last one where a crash has cut it off."""
    try:
        return msgspec.json.decode(line, type=_Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        with contextlib.suppress(msgspec.DecodeError):
            msgspec.json.decode(line)
            raise _journal_error(
                path, number, "line", f"is no line of a cascade's journal: {error}"
            ) from error
        if not line.endswith(b"\n"):
            return None
        raise _journal_error(path, number, "line", f"is not JSON: {error}") from error


def _journal_error(path: Path, number: int, field_name: str, reason: str) -> DataError:
    offence = Offence(str(path), number, field_name, reason, "journal")
    return DataError(f"Could not read the journal. {offence}.", offences=(offence,))
