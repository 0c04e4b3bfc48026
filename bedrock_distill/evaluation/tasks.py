"""What is asked: held-out prompts, with or without golden completions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TypeAlias, runtime_checkable

import msgspec

from bedrock_distill.errors import DataError, Offence, SpecError
from bedrock_distill.records.lines import read_lines
from bedrock_distill.records.reading import records_in
from bedrock_distill.records.schema import Record

__all__ = ["METADATA_KEY", "EvaluationData", "HasPath", "Task", "load_task", "records_of"]

METADATA_KEY: Final = "requestMetadata"
"""Key of a line that holds what is known of the request, named as in invocation logs; training data must not have it."""


@runtime_checkable
class HasPath(Protocol):
    """Data that lies in a file, such as `Prompts`."""

    @property
    def path(self) -> str | os.PathLike[str]:
        """Where the file is."""
        ...


EvaluationData: TypeAlias = str | os.PathLike[str] | HasPath | Iterable[Record | str]
"""A JSONL file of records, an object with the file's `path`, or records and plain prompts in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The prompts of an evaluation."""

    source: str
    """Where they came from, for the report."""
    prompts: tuple[Record, ...]
    """What is asked; completions are taken off."""
    references: tuple[str | None, ...]
    """Golden completions, prompt by prompt."""
    cut: bool
    """Whether `limit` left some out."""
    metadata: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """Metadata of the requests, prompt by prompt; empty where a line has none."""

    @property
    def repeated(self) -> int:
        """How many prompts are there a second time."""
        return len(self.prompts) - len(Counter(self.prompts))


def load_task(data: EvaluationData, *, limit: int | None = None) -> Task:
    """Read the prompts.

    Args:
        data: A JSONL file of records, an object with the file's `path`, or records and plain prompts in memory.
        limit: Take only so many from the beginning.

    Raises:
        DataError: If a line is no record, or there is no prompt at all.
        SpecError: If the file lies in S3.
    """
    source, items = _open(data)
    taken = list(islice(items, None if limit is None else limit + 1))
    kept = taken[:limit]
    if not kept:
        raise DataError(f"There is nothing to evaluate on: {source} holds no prompts.")
    return Task(
        source=source,
        prompts=tuple(record.prompt for record, _ in kept),
        references=tuple(record.completion for record, _ in kept),
        cut=len(taken) > len(kept),
        metadata=tuple(metadata for _, metadata in kept),
    )


def records_of(data: EvaluationData) -> tuple[str, Iterator[Record]]:
    """Where data comes from, and its records.

    Args:
        data: A JSONL file of records, an object with the file's `path`, or records and plain prompts in memory.

    Raises:
        DataError: While they are read, if a line is no record.
        SpecError: If the file lies in S3.
    """
    source, items = _open(data)
    return source, (record for record, _ in items)


class _Line(Record, frozen=True, kw_only=True):
    """A record that may say what is known of its request."""

    metadata: dict[str, str] = msgspec.field(default_factory=dict, name=METADATA_KEY)


_decode = msgspec.json.Decoder(_Line).decode

_Items: TypeAlias = Iterable[tuple[Record, Mapping[str, str]]]


def _open(data: EvaluationData) -> tuple[str, _Items]:
    if isinstance(data, (str, os.PathLike)):
        path = os.fspath(data)
        if path.startswith("s3:"):
            raise SpecError(
                f"Evaluation data is read from a local file, not from {path!r}: copy it first (aws s3 cp {path} .).",
                field="data",
                value=path,
            )
        return Path(path).name, _lines_of(path)
    if isinstance(data, HasPath):
        return _open(data.path)
    records = (item if isinstance(item, Record) else Record.of(item) for item in data)
    return "records in memory", ((record, {}) for record in records)


def _lines_of(path: str) -> Iterator[tuple[Record, Mapping[str, str]]]:
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
