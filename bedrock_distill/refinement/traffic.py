"""What came in since the serving student's data was chosen: prompts, each with what is known of how it was answered.

Refinement asks models itself, to find where they disagree and to compare them. Those calls are logged like any other, so they
carry a mark in their request metadata, and what carries it is no traffic.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import msgspec
from xxhash import xxh3_64_hexdigest

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.harvest import from_logs
from bedrock_distill.records.checking import Checker
from bedrock_distill.records.lines import CutLine, read_chunks, read_lines, split_lines
from bedrock_distill.records.logs import LogQuery, Metadata
from bedrock_distill.records.reading import records_in
from bedrock_distill.records.schema import Record, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.chat import Recorded, Target
    from bedrock_distill.chat.reply import ChatReply
    from bedrock_distill.records.logs.exchange import Stop
    from bedrock_distill.records.rules import Rules
    from bedrock_distill.refinement.spec import Refinement

__all__ = ["LATE", "Asked", "Marked", "Traffic", "fingerprint", "read_traffic"]

LATE: Final = timedelta(hours=1)
"""How long before its window a round looks for calls that were logged too late for the round before: Bedrock puts a call's log
object there some minutes after the call, and says nothing of how many."""

_MARK: Final = ("bedrock-distill", "refinement")
"""Key and value that calls of our own carry in their request metadata."""

_ANY_STOP: Final[tuple[Stop | None, ...]] = ("end", "length", "filtered", "other", None)
"""An answer that was cut off still shows what was asked."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A model whose calls the logs can tell from traffic."""

    target: Target | Recorded

    @property
    def model_id(self) -> str:
        """The model's id."""
        return self.target.model_id

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.target.name

    def chat(self, prompt: Record, /, **options: Any) -> ChatReply:
        """Ask, and wait for the whole answer."""
        return self.target.chat(prompt, metadata=dict([_MARK]), **options)


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
    """Calls of the student that were read; of the logs, one for each prompt."""
    teacher_calls: int = 0
    """Calls of the teacher that were read; of the logs, one for each prompt."""
    too_long: int = 0
    """Logged calls that no line of a data file can hold, and no student learn."""

    def at(self, prompt: Record) -> Asked:
        """What is known of a prompt, to be added to."""
        return self.asked.setdefault(prompt, Asked(prompt))

    def add_late(self, late: Traffic, known: Container[str]) -> None:
        """Take in what was called before the window and is new all the same.

        Args:
            late: What was called then.
            known: Fingerprints of prompts that were looked at before.
        """
        for prompt, asked in late.asked.items():
            if prompt not in self.asked and fingerprint(prompt) not in known:
                self.asked[prompt] = asked
                self.student_calls += asked.student is not None
                self.teacher_calls += asked.teacher is not None

    def keep(self, rules: Rules) -> int:
        """Leave out what breaks the rules of training data, such as what is too long; how many that are."""
        before = len(self.asked)
        lines = (encode_record(prompt) for prompt in self.asked)
        kept = [record for _, record, _ in Checker(rules, "traffic").records(lines)]
        self.asked = {prompt: self.asked[prompt] for prompt in kept}
        return before - len(kept) + self.too_long


def fingerprint(prompt: Record) -> str:
    """A hash of a prompt, to know it again by."""
    return xxh3_64_hexdigest(encode_record(prompt.prompt))


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
        folder: For what is read from logs, while it is.
        student_as: How logs name the student.
        since: Beginning of the window; None is as far back as they go.
        until: End of the window; before `since`, as where two machines' clocks differ, the window is empty.

    Raises:
        DataError: If the journal holds something else, or no texts.
        ServiceError: If S3 refuses.
    """
    traffic = Traffic()
    if since is not None and since >= until:
        return traffic
    if spec.logs is not None:
        _read_logs(traffic, spec, clients, folder, student_as=student_as, since=since, until=until)
    if spec.journal is not None:
        _read_journal(traffic, spec.journal, _redacting(spec.redact), since=since, until=until)
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
        where=logs.filter,
        and_where=Metadata(_MARK[0]) != _MARK[1],
        since=since,
        until=until,
        responses=True,
        stops=_ANY_STOP,
        redact=spec.redact,
    )

    def records(query: LogQuery) -> Iterator[Record]:
        # A folder of its own: of two runs at once on a machine, neither reads what the other wrote.
        with TemporaryDirectory(dir=folder) as own:
            path = Path(own, "read.jsonl")
            from_logs(
                logs.source, path, query=query, clients=clients, max_records=spec.look_at, seed=spec.seed
            )
            lines = list(read_lines(path))
            short = [line for line in lines if not isinstance(line, CutLine)]
            traffic.too_long += len(lines) - len(short)
            yield from records_in(short, str(path))

    for record in records(msgspec.structs.replace(window, exact_model=student_as)):
        traffic.at(record.prompt).student = record.completion
        traffic.student_calls += 1
    for record in records(msgspec.structs.replace(window, models=(spec.distillation.teacher,))):
        asked = traffic.at(record.prompt)
        asked.teacher = record.completion
        asked.fell_back = True
        traffic.teacher_calls += 1


class _Entry(msgspec.Struct):
    """What is read of a line of a cascade's journal."""

    at: datetime
    reason: str
    answered_by: str
    stop_reason: str
    record: Record | None = None
    student_text: str | None = None


def _read_journal(
    traffic: Traffic,
    path: Path,
    redact: Callable[[Record], Record],
    *,
    since: datetime | None,
    until: datetime,
) -> None:
    for number, line in enumerate(split_lines(read_chunks(path), keepends=True), start=1):
        if not line.strip() or isinstance(line, CutLine):
            continue  # what no line of a data file can hold, no student can learn
        entry = _entry(line, path, number)
        if entry is None or not _within(entry.at, since, until):
            continue
        if entry.record is None:
            raise _journal_error(
                path, number, "record", "is missing: write the journal with journal_texts=True"
            )
        answered = redact(entry.record)
        asked = traffic.at(answered.prompt)
        if entry.student_text is not None:
            asked.student = redact(entry.record.with_completion(entry.student_text)).completion
            traffic.student_calls += 1
        if entry.answered_by != "student":
            # Without one its stream broke, or was left: what came is no answer to compare with.
            if entry.stop_reason:
                asked.teacher = answered.completion
            asked.fell_back = True
            asked.unsure = asked.unsure or entry.reason == "unsure"
            traffic.teacher_calls += 1


def _within(at: datetime, since: datetime | None, until: datetime) -> bool:
    """Whether a time lies in the window; without a zone it is UTC."""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at < until and (since is None or at >= since)


def _redacting(kinds: str | None) -> Callable[[Record], Record]:
    """What takes personal data and secrets out of a record; nothing where no kinds are given."""
    from bedrock_distill.records.curation.redaction import parse_redaction  # noqa: PLC0415 - its patterns take time

    redactor = None if kinds is None else parse_redaction(kinds).redactor
    return (lambda record: record) if redactor is None else (lambda record: redactor.redact_record(record)[0])


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
