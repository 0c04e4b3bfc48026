"""Records with what is known of their requests: held-out prompts, as evaluation reads them.

A line is a record, and may have one more key, `requestMetadata`, named as in invocation logs; training data must not have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.records.lines import read_lines
from bedrock_distill.records.reading import records_in
from bedrock_distill.records.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["METADATA_KEY", "as_one_text", "read_requests"]

METADATA_KEY: Final = "requestMetadata"
"""Key of a line that holds what is known of the request."""


class _Line(Record, frozen=True, kw_only=True):
    """A record that may say what is known of its request."""

    metadata: dict[str, str] = msgspec.field(default_factory=dict, name=METADATA_KEY)


_decode = msgspec.json.Decoder(_Line).decode


def read_requests(path: str) -> Iterator[tuple[Record, Mapping[str, str]]]:
    """Every record of a JSONL file, with the metadata of its request; blank lines are passed over.

    Raises:
        DataError: At the first line that is not a record, naming file, line and field; or if the file cannot be read.
    """
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            found = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield from ((record, {}) for record in _explained(line, number, path))
        else:
            record = Record(schema_version=found.schema_version, system=found.system, messages=found.messages)
            yield record, found.metadata


def as_one_text(prompt: Record) -> str:
    """A prompt for who takes one text and nothing else: the user's words, or the conversation with its speakers' names."""
    if prompt.system_text is None and len(prompt.messages) == 1:
        return prompt.prompt_text
    said = [f"{message.role.capitalize()}: {message.text}" for message in prompt.messages]
    return "\n\n".join([*([f"System: {prompt.system_text}"] if prompt.system_text else []), *said])


def _explained(line: bytes, number: int, path: str) -> Iterator[Record]:
    """Read the line as the records' own reader does, which says best what is wrong with it."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        metadata = fields.pop(METADATA_KEY, msgspec.Raw(b"{}"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        metadata = msgspec.Raw(b"{}")
    else:
        line = msgspec.json.encode(fields)
    try:
        msgspec.json.decode(metadata, type=dict[str, str])
    except msgspec.MsgspecError as error:
        reason = f"must be an object of texts, as Bedrock takes request metadata: {error}"
        offence = Offence(path, number, METADATA_KEY, reason, "wrong-type")
        raise DataError(f"Could not read evaluation data. {offence}.", offences=(offence,)) from error
    blank = [b""] * (number - 1)  # so that it counts as this file's line
    return records_in([*blank, line], path)
