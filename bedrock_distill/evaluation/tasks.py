"""What is asked: held-out prompts, with or without golden completions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records.requests import read_requests
from bedrock_distill.records.schema import Record

__all__ = ["EvaluationData", "HasPath", "Task", "load_task", "records_of"]


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

    @property
    def contradicted(self) -> int:
        """How many prompts have several references, of which no answer can match more than one."""
        pairs = {pair for pair in zip(self.prompts, self.references, strict=True) if pair[1] is not None}
        return sum(times > 1 for times in Counter(prompt for prompt, _ in pairs).values())


def load_task(data: EvaluationData, *, limit: int | None = None) -> Task:
    """Read the prompts.

    Args:
        data: A JSONL file of records, an object with the file's `path`, or records and plain prompts in memory.
        limit: Take only so many from the beginning.

    Raises:
        DataError: If a line or an item is no record, or there is no prompt at all.
        SpecError: If the file lies in S3, or the data is no file and nothing to go over one by one.
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
        return Path(path).name, read_requests(path)
    if isinstance(data, HasPath):
        return _open(data.path)
    if isinstance(data, Mapping) or hasattr(data, "columns") or not isinstance(data, Iterable):
        # Going over a mapping or a table gives its names, which nobody wants to ask.
        raise SpecError(
            f"data must be a file's path, or records and texts one by one, not a {type(data).__name__}. From columns make records: "
            "[Record.of(prompt, completion=completion) for prompt, completion in zip(prompts, completions)].",
            field="data",
            value=type(data).__name__,
        )
    return "records in memory", ((_record(item, number), {}) for number, item in enumerate(data, start=1))


def _record(item: object, number: int) -> Record:
    if isinstance(item, Record):
        return item
    if isinstance(item, str):
        return Record.of(item)
    raise DataError(
        f"Prompt {number} is a {type(item).__name__}, neither a text nor a Record: make it one with "
        "Record.of(prompt, completion=completion), or leave it out."
    )
