"""Invocation logs in S3 as training data: which log records become prompts, and which bring their completion.

What a line says is read by `records.logs`; which records count is this module's own, after AWS's guide: the filter as the
request has it, single turns of text, logged answers only of exactly the teacher, and no more than the quota. Pure but for
the S3 client that is handed in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records.lines import read_lines, split_lines, unpack
from bedrock_distill.records.logs import REASONS, decode_line
from bedrock_distill.records.logs.layout import is_log
from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.records.writing import RecordWriter
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bedrock_distill.records.logs import Entry, Exchange
    from bedrock_distill.records.logs.exchange import Reason

__all__ = ["LogReader", "gather", "passes"]

_UNASKED = frozenset({"broken-line", "not-a-log"})
"""Reasons of lines that say nothing a filter could ask for."""

_MISSING = frozenset({"NoSuchKey", "404"})
_CHUNK_BYTES = 1 << 18


@dataclass(slots=True)
class LogReader:
    """Reads the records under one prefix; afterwards `left_out` says what was not used, and why.

    Attributes:
        s3: A boto3 S3 client.
        config: The request's `invocationLogsConfig`.
        teacher: The teacher as the request names it. With `usePromptResponse` only its own answers count.
    """

    s3: Any
    config: Mapping[str, Any]
    teacher: str
    left_out: Counter[str] = field(default_factory=Counter)

    def records(self) -> Iterator[Record]:
        """Every usable record, with its completion only if the request wants the logged responses.

        Raises:
            ClientError: If S3 refuses; a body of its own that is not there is counted and no more.
        """
        keep_response = bool(self.config.get("usePromptResponse", False))
        for line in self._lines():
            record = self._record(decode_line(line, self._overflow, answers=keep_response), keep_response)
            if isinstance(record, str):
                self.left_out[record] += 1
            else:
                yield record

    def _record(self, entry: Entry, keep_response: bool) -> Record | str:  # noqa: FBT001 - private
        """The record, or why there is none."""
        wanted = self.config.get("requestMetadataFilters")
        if entry.reason in _UNASKED:
            return REASONS[entry.reason]
        if wanted and not passes(wanted, entry.metadata):
            return "filtered out by request metadata"
        if keep_response and entry.model_id != self.teacher:
            return "answered by another model than the teacher"
        exchange = entry.exchange
        if exchange is None:
            return REASONS[entry.reason or "unknown-format"]
        if not isinstance(exchange.messages, str):
            return REASONS["multi-turn"]
        if keep_response and (why := _unanswered(exchange)):
            return REASONS[why]
        completion = exchange.completion if keep_response else None
        return Record.of(exchange.messages, system=exchange.system, completion=completion)

    def _lines(self) -> Iterator[bytes]:
        source = S3Uri.parse(self.config["invocationLogSource"]["s3Uri"])
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.key)
        for found in pages:
            for item in found.get("Contents", ()):
                if is_log(item["Key"]):
                    lines = split_lines(self._unpacked(S3Uri(source.bucket, item["Key"])))
                    yield from (line for line in lines if line and not line.isspace())

    def _unpacked(self, uri: S3Uri) -> Iterator[bytes]:
        """An object's bytes; where it is damaged, what came before counts."""
        try:
            yield from unpack(self._chunks(uri), str(uri))
        except DataError:
            self.left_out["an object that could not be read to its end"] += 1

    def _overflow(self, uri: str) -> bytes | None:
        """A body in an object of its own; None where there is none that can be read."""
        try:
            return b"".join(unpack(self._chunks(S3Uri.parse(uri)), uri))
        except (DataError, SpecError):
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING:
                raise
            return None

    def _chunks(self, uri: S3Uri) -> Iterator[bytes]:
        body = self.s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"]
        while chunk := body.read(_CHUNK_BYTES):
            yield chunk


def gather(reader: LogReader, target: Path, *, max_line_bytes: int, max_records: int | None) -> None:
    """Write what a job uses of its logs: not more than the quota, spread evenly over all there is.

    Which records the service chooses is not documented; the same logs give the same ones here.

    Args:
        reader: The logs.
        target: The file.
        max_line_bytes: Longest record; longer ones are left out.
        max_records: Most records, or None for all of them.
    """
    everything = target.with_suffix(".all")
    with RecordWriter(everything) as writer:
        for record in reader.records():
            line = encode_record(record)
            if len(line) <= max_line_bytes:
                writer.write_line(line)
            else:
                reader.left_out[f"longer than {max_line_bytes} bytes"] += 1
    total = writer.records
    if max_records is None or total <= max_records:
        everything.replace(target)
        return
    reader.left_out[f"more than {max_records} records"] += total - max_records
    with RecordWriter(target) as writer:
        for number, line in enumerate(read_lines(everything)):
            # True for exactly `max_records` of all numbers, at equal distances.
            if (number + 1) * max_records // total > number * max_records // total:
                writer.write_line(line)
    everything.unlink()


def passes(filters: Mapping[str, Any], metadata: Mapping[str, str]) -> bool:
    """Whether a record's request metadata passes `requestMetadataFilters`: one condition, all of many, or any of many."""
    if "andAll" in filters:
        return all(_condition(item, metadata) for item in filters["andAll"])
    if "orAll" in filters:
        return any(_condition(item, metadata) for item in filters["orAll"])
    return _condition(filters, metadata)


def _condition(condition: Mapping[str, Any], metadata: Mapping[str, str]) -> bool:
    equals = all(metadata.get(key) == value for key, value in (condition.get("equals") or {}).items())
    differs = all(metadata.get(key) != value for key, value in (condition.get("notEquals") or {}).items())
    return equals and differs


def _unanswered(exchange: Exchange) -> Reason | None:
    """Why an answer is none to learn from; answers that were cut off or filtered are, for AWS says nothing else."""
    if exchange.completion is None:
        return exchange.answer_reason or "no-completion"
    return "tool-use" if exchange.stop == "tool" else None
