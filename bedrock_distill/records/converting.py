"""Converting other people's training data to records: read a row, make a record, check it, write it.

Every record written passes the checks that do not depend on a teacher or student; `checking` applies the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import DataError, Offence, SpecError
from bedrock_distill.records.checking import MAX_OFFENCES, vouch
from bedrock_distill.records.diagnosis import diagnose
from bedrock_distill.records.lines import KEEP_BYTES, read_lines
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.records.shapes import (
    TURNS,
    Fields,
    RowFaultError,
    Turns,
    keep_turns,
    record_from_chat,
    record_from_pair,
)
from bedrock_distill.records.sources import Format, Kind, Row, rows_of
from bedrock_distill.records.writing import RecordWriter

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["ConvertReport", "convert_file"]

_ANY_MODEL = Rules(max_line_bytes=KEEP_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertReport:
    """What a conversion read and wrote."""

    source: str
    target: str
    formats: dict[str, int]
    """Rows by the format they were read as."""
    lines: int
    """Lines read, or rows of a CSV file, blank ones included."""
    blank: int
    records: int
    """Records written."""
    labelled: int
    """Records written with a golden label."""
    size_bytes: int
    """Bytes written."""
    ignored: dict[str, int]
    """Keys that no record has a place for, and the number of rows that had them."""
    bad_rows: int
    offences: tuple[Offence, ...]
    """The first rows that could not be converted, and why."""
    counts: dict[str, int]
    """All of them, by code."""

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How to convert; `convert_file` documents its fields."""

    format: Format
    system: str | None
    completions: bool
    turns: Turns
    fields: Fields

    def __post_init__(self) -> None:
        """Refuse what no row could satisfy."""
        if self.turns not in TURNS:
            raise SpecError(
                f"There is no way {self.turns!r} with turns; use one of {', '.join(TURNS)}.", field="turns"
            )
        if self.system is None:
            return
        if not self.system.strip():
            raise SpecError("The system prompt is blank; leave it out instead.", field="system")
        try:
            self.system.encode()
        except UnicodeEncodeError as error:
            raise SpecError(
                f"The system prompt is not text in UTF-8: {error.reason}.", field="system"
            ) from error


def convert_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    format: Format = "auto",  # noqa: A002 - the word that users know
    system: str | None = None,
    completions: bool = True,
    turns: Turns = "keep",
    fields: Fields | None = None,
    skip_bad: bool = False,
    max_offences: int = MAX_OFFENCES,
) -> ConvertReport:
    """Convert a file to JSON Lines of records, in one pass and constant memory.

    The target appears whole at the end, or stays as it was.

    Args:
        source: JSON Lines of prompt and completion or of chats, CSV with a header, or a prompt a line; gzip is unpacked.
        target: The file to write.
        format: What the source is. Default: its first line tells, and with JSON Lines each row.
        system: System prompt for the rows that bring none.
        completions: Whether final assistant messages stay, as golden labels.
        turns: What becomes of conversations of several turns: `keep`, `first`, `last`, or `refuse`.
        fields: The names under which rows keep their parts. Default: `prompt`, `completion`, `system`.
        skip_bad: Leave out rows that cannot be converted, instead of failing; the report lists them.
        max_offences: How many of those rows the report describes; all are counted.

    Raises:
        DataError: If the source cannot be read or has no row, or if a row cannot be converted and `skip_bad` is not set.
        SpecError: If an option is none of its choices.
    """
    how = _How(format=format, system=system, completions=completions, turns=turns, fields=fields or Fields())
    converter = _Converter(how, str(source), max_offences)
    with RecordWriter(target) as writer:
        converter.run(source, writer)
        report = converter.report(writer)
        _refuse_bad(report, skip_bad=skip_bad)
    return report


class _Converter:
    def __init__(self, how: _How, name: str, max_offences: int) -> None:
        self._how, self._name, self._max_offences = how, name, max_offences
        self._formats: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._offences: list[Offence] = []
        self._lines = self._blank = self._bad = self._labelled = 0

    def run(self, source: str | os.PathLike[str], writer: RecordWriter) -> None:
        kind, rows = rows_of(read_lines(source), self._how.format, self._name, self._how.fields)
        for row in rows:
            self._lines += 1
            if row.value is None and row.fault is None:
                self._blank += 1
                continue
            try:
                record = self._record(row, kind)
                line = _checked_line(record)
            except RowFaultError as error:
                fault = error.fault
                self._bad += 1
                self._counts[fault.code] += 1
                if len(self._offences) < self._max_offences:
                    self._offences.append(
                        Offence(self._name, row.line, fault.field, fault.reason, fault.code)
                    )
            else:
                writer.write_line(line)
                self._labelled += record.completion is not None

    def _record(self, row: Row, kind: Kind) -> Record:
        if row.value is None:
            raise RowFaultError(*(row.fault or ("", "could not be read", "invalid")))
        ignored: set[str] = set()
        shape = self._shape(row.value) if kind == "json" else kind
        self._formats[shape] += 1
        make = record_from_chat if shape == "chat" else record_from_pair
        record = make(row.value, self._how.fields, ignored)
        self._ignored.update(ignored)
        if len(record.messages) > 2:
            _checked_line(record)  # a turn is only taken out of a conversation that is one
        record = keep_turns(record, self._how.turns)
        if not self._how.completions:
            record = record.prompt
        if record.system is None and self._how.system is not None:
            record = Record.of(record.messages, system=self._how.system)
        return record

    def _shape(self, value: Mapping[str, Any]) -> str:
        if self._how.format != "auto":
            return self._how.format
        return "chat" if "messages" in value else "prompt-completion"

    def report(self, writer: RecordWriter) -> ConvertReport:
        return ConvertReport(
            source=self._name,
            target=str(writer.path),
            formats=dict(self._formats),
            lines=self._lines,
            blank=self._blank,
            records=writer.records,
            labelled=self._labelled,
            size_bytes=writer.size_bytes,
            ignored=dict(self._ignored),
            bad_rows=self._bad,
            offences=tuple(self._offences),
            counts=dict(self._counts),
        )


def _checked_line(record: Record) -> bytes:
    line = encode_record(record)
    if vouch(record, line, True) is None or len(line) > KEEP_BYTES:
        for fault in diagnose(line, _ANY_MODEL):
            raise RowFaultError(*fault)
    return line


def _refuse_bad(report: ConvertReport, *, skip_bad: bool) -> None:
    if report.records and (skip_bad or not report.bad_rows):
        return
    if not report.bad_rows:
        raise DataError(f"Did not convert {report.source}: it has no row.")
    first = f" First: {report.offences[0]}." if report.offences else ""
    rows = report.lines - report.blank
    way_out = (
        "Mend them, or leave them out (`--skip-bad`)."
        if report.records
        else "Is the format right (`--from`)?"
    )
    raise DataError(
        f"Did not convert {report.source}: {report.bad_rows:,} of {rows:,} rows cannot become records.{first} {way_out}",
        offences=report.offences,
        count=report.bad_rows,
    )
