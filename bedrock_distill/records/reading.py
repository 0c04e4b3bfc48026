"""Reading records from a file, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.records.diagnosis import diagnose
from bedrock_distill.records.lines import KEEP_BYTES, read_lines
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.schema import SCHEMA_VERSION, Record, decode_record

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

__all__ = ["read_records", "records_in"]

_SHAPE = Rules(max_line_bytes=KEEP_BYTES)


def read_records(path: str | os.PathLike[str]) -> Iterator[Record]:
    """The records of a JSONL file, in constant memory; gzip is unpacked, blank lines are passed over.

    Only the shape of a line is checked. `checking.check_file` applies a teacher's and a student's rules.

    Raises:
        DataError: At the first line that is not a record, naming file, line and field; or if the file cannot be read.
    """
    return records_in(read_lines(path), str(path))


def records_in(lines: Iterable[bytes], name: str) -> Iterator[Record]:
    """The records of lines that come from anywhere, such as an S3 object; `name` stands for the file in errors.

    Raises:
        DataError: At the first line that is not a record.
    """
    for number, line in enumerate(lines, 1):
        try:
            yield decode_record(line)
        except DataError as error:
            if line.strip():
                raise _explained(line, number, name, error) from error


def _explained(line: bytes, number: int, name: str, error: DataError) -> DataError:
    faults = diagnose(line, _SHAPE)
    found = tuple(Offence(name, number, fault.field, fault.reason, fault.code) for fault in faults)
    # The diagnosis knows better words than the decoder; should it find nothing, the decoder's have to do.
    offences = found or tuple(
        Offence(name, number, offence.field, offence.reason, offence.code) for offence in error.offences
    )
    return DataError(f"Could not read a {SCHEMA_VERSION} record. {offences[0]}.", offences=offences)
