"""Files that are to become records: what format they are in, and their rows.

A row is a JSON object, a line of CSV as a mapping, or `{"prompt": line}` for plain text. What a row means is
`shapes.py`'s matter.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from bedrock_distill.errors import DataError, Offence, SpecError
from bedrock_distill.records.lines import KEEP_BYTES, line_size
from bedrock_distill.records.syntax import BOM, DuplicateKeys, Fault, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bedrock_distill.records.shapes import Fields

__all__ = ["FORMATS", "Format", "Kind", "Row", "rows_of"]

Format = Literal["auto", "prompt-completion", "chat", "csv", "text"]
"""What a source may be: `auto` looks at the first line, and at each JSON row by itself."""

Kind = Literal["json", "csv", "text"]
"""What a source's lines are."""

FORMATS: Final[tuple[str, ...]] = get_args(Format)

_KINDS: Final[dict[str, Kind]] = {"csv": "csv", "text": "text"}  # of the formats that are not JSON Lines
_DELIMITERS: Final = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source: a value, or what kept it from being read; neither where the line is blank."""

    line: int
    """Line it begins on, from 1."""
    value: Mapping[str, Any] | None = None
    fault: Fault | None = None


def rows_of(
    lines: Iterator[bytes],
    format: Format,  # noqa: A002 - the word that users know
    name: str,
    fields: Fields,
) -> tuple[Kind, Iterator[Row]]:
    """What kind of file a source is, and its rows, in constant memory.

    Args:
        lines: Its lines, as `lines.split_lines` gives them.
        format: One of `FORMATS`.
        name: The source's name for errors.
        fields: What CSV columns may be called; the prompt's must be there.

    Raises:
        DataError: If the file cannot be what it is read as.
        SpecError: If the format is not one of `FORMATS`.
    """
    if format not in FORMATS:
        raise SpecError(
            f"There is no format {format!r}; use one of {', '.join(FORMATS)}.", field="format", value=format
        )
    if format == "auto":
        kind, lines = _detect(lines, name, fields)
    else:
        kind = _KINDS.get(format, "json")
    if kind == "csv":
        return kind, _CsvRows(lines, name, fields)
    return kind, _text_rows(lines) if kind == "text" else _json_rows(lines)


def _detect(lines: Iterator[bytes], name: str, fields: Fields) -> tuple[Kind, Iterator[bytes]]:
    """The kind that the first line which is not blank speaks for, and all lines again."""
    blank: list[bytes] = []
    for first in lines:
        head = first.removeprefix(BOM).strip()
        if head:
            break
        blank.append(b"")
    else:
        return "json", iter(blank)
    # The blank lines are put back, so that line numbers stay true.
    again = chain(blank, [first], lines)
    if head.startswith(b"{"):
        return "json", again
    if head.startswith(b"[") and head[1:].strip()[:1] in (b"{", b""):
        reason = "is one JSON array; write its items one a line (`jq -c '.[]'` does), or say --from text"
        raise DataError(
            f"Could not convert {name!r}: it {reason}.",
            offences=(Offence(name, None, "", reason, "not-an-object"),),
        )
    return ("csv" if _header(first, fields) else "text"), again


def _json_rows(lines: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if line_size(line) > KEEP_BYTES:
            yield Row(number, fault=_too_long(line_size(line)))
        elif not line.strip():
            yield Row(number)
        else:
            faults: list[Fault] = []
            value = parse(line, faults)
            grave = [
                fault for fault in faults if fault.code != "utf8-bom"
            ]  # a mark is simply not written again
            if not grave and isinstance(value, DuplicateKeys) and value.repeated:
                grave = [Fault(value.repeated[0], "stands here more than once; keep one", "duplicate-key")]
            yield Row(number, fault=grave[0]) if grave else Row(number, value)


def _text_rows(lines: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        text = _decode(line.removeprefix(BOM) if number == 1 else line).rstrip("\r")
        if line_size(line) > KEEP_BYTES:
            yield Row(number, fault=_too_long(line_size(line)))
        elif not text.strip():
            yield Row(number)
        elif bad := _undecodable([text]):
            yield Row(number, fault=bad)
        else:
            yield Row(number, {"prompt": text})


class _CsvRows:
    """Rows of a CSV file with a header; a field may span lines."""

    def __init__(self, lines: Iterable[bytes], name: str, fields: Fields) -> None:
        self._lines = iter(lines)
        self._read = 0  # physical lines
        self._cut = False  # whether the row being read holds a line too long to keep
        first = next(self._lines, b"")
        while not first.removeprefix(BOM).strip():
            following = next(self._lines, None)
            if following is None:
                break
            first, self._read = following, self._read + 1
        self._read += 1
        header = _header(first, fields)
        if header is None:
            found = _decode(first[:80]).strip()
            reason = f"needs a header with a column {fields.prompt!r}; its first line is {found!r}"
            raise DataError(
                f"Could not read {name!r} as CSV: it {reason}.",
                offences=(Offence(name, 1, "", reason, "missing-key"),),
            )
        self._columns, delimiter = header
        self._reader = csv.reader(self._texts(), delimiter=delimiter, strict=True)

    def __iter__(self) -> _CsvRows:
        return self

    def __next__(self) -> Row:
        began, self._cut = self._read + 1, False
        try:
            cells = next(self._reader)
        except csv.Error as error:
            if self._cut:
                return Row(began, fault=_too_long(None))
            return Row(began, fault=Fault("", f"is not CSV: {error}", "invalid-csv"))
        if not any(cell.strip() for cell in cells):
            return Row(began)
        if self._cut:
            return Row(began, fault=_too_long(None))
        if bad := _undecodable(cells):
            return Row(began, fault=bad)
        if len(cells) != len(self._columns):
            reason = (
                f"has {len(cells)} fields where the header has {len(self._columns)}; quote what holds commas"
            )
            return Row(began, fault=Fault("", reason, "invalid-csv"))
        return Row(began, dict(zip(self._columns, cells, strict=True)))

    def _texts(self) -> Iterator[str]:
        for line in self._lines:
            self._read += 1
            self._cut = self._cut or line_size(line) > KEEP_BYTES
            yield _decode(line) + "\n"


def _header(first: bytes, fields: Fields) -> tuple[list[str], str] | None:
    """Column names and delimiter, if the line is a CSV header with the column we need."""
    text = _decode(first.removeprefix(BOM)).rstrip("\r")
    wanted = (fields.prompt, fields.completion, fields.system)
    for delimiter in _DELIMITERS:
        try:
            cells = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
        except csv.Error:
            continue
        names = [cell.lower() if cell not in wanted and cell.lower() in wanted else cell for cell in cells]
        if fields.prompt in names and len(set(names)) == len(names):
            return names, delimiter
    return None


def _decode(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")  # what is not UTF-8 stays recognisable


def _undecodable(texts: list[str]) -> Fault | None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            byte = ord(text[error.start]) - 0xDC00
            return Fault(
                "", f"holds the byte 0x{byte:02x}, which is not UTF-8; save the file as UTF-8", "not-utf8"
            )
    return None


def _too_long(size: int | None) -> Fault:
    has = "more" if size is None else f"{size:,} bytes, more"
    return Fault("", f"has {has} than the {KEEP_BYTES:,} bytes a source's line may have", "line-too-long")
