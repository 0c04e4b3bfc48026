"""The input of a batch inference job: its files, and what validation makes of their lines.

As on AWS only the form is looked at here: that each line is a JSON object with a `modelInput`. Whether a model takes what is in
it shows when it is asked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from bedrock_distill.local.services.bedrock.job_data import JobFailure
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bedrock_distill.local.ids import Ids

__all__ = ["InputFile", "InputRecord", "input_uris", "read_input", "within_quotas"]

_SUFFIX = ".jsonl"


class InputRecord(NamedTuple):
    """One line."""

    record_id: str
    asked: dict[str, Any]
    """Its `modelInput`."""


class InputFile(NamedTuple):
    """One file."""

    name: str
    """Its name under the job's input."""
    uri: S3Uri
    size_bytes: int
    records: tuple[InputRecord, ...]


def input_uris(s3: Any, source: S3Uri) -> Iterator[tuple[str, S3Uri]]:
    """The files of an input: itself, or the JSON lines under it where it is a folder."""
    if source.key and not source.key.endswith("/"):
        yield source.name, source
        return
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.key):
        for item in page.get("Contents", ()):
            if item["Key"].endswith(_SUFFIX):
                yield item["Key"][len(source.key) :], S3Uri(source.bucket, item["Key"])


def read_input(s3: Any, name: str, uri: S3Uri, ids: Ids) -> InputFile:
    """Read one file.

    Args:
        s3: A boto3 client of the cloud's own.
        name: The file's name under the job's input.
        uri: Where it lies.
        ids: Makes the ids of records that bring none.

    Raises:
        JobFailure: If it is not JSON lines of records.
    """
    if not name.endswith(_SUFFIX):
        raise JobFailure(f"The input file {name} must be a {_SUFFIX} file.")
    body: bytes = s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
    lines = body.split(b"\n")
    records = tuple(
        _record(line, f"{name}, line {number}", ids) for number, line in enumerate(lines, 1) if line.strip()
    )
    return InputFile(name, uri, len(body), records)


def within_quotas(arn: str, files: list[InputFile], quota: Callable[[str], int]) -> int:
    """Count the records.

    Raises:
        JobFailure: If there are too few or too many, or a file or all of them are too large.
    """
    total = sum(len(file.records) for file in files)
    fewest, most = quota("batch_min_records"), quota("batch_max_records")
    if total < fewest:
        raise JobFailure(
            f"Batch job {arn} contains less records ({total}) than the required minimum of: {fewest}"
        )
    if total > most:
        raise JobFailure(
            f"Batch job {arn} contains more records ({total}) than the allowed maximum of: {most}"
        )
    largest, all_bytes = quota("batch_max_file_bytes"), quota("batch_max_job_bytes")
    for file in files:
        if file.size_bytes > largest:
            raise JobFailure(
                f"Batch job {arn}: the file {file.name} has {file.size_bytes} bytes, and may have {largest}."
            )
    if (size := sum(file.size_bytes for file in files)) > all_bytes:
        raise JobFailure(f"Batch job {arn}: the input has {size} bytes, and may have {all_bytes}.")
    return total


def _record(line: bytes, where: str, ids: Ids) -> InputRecord:
    try:
        read: object = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise JobFailure(f"The record at {where} is not valid JSON ({error}).") from error
    if not isinstance(read, dict):
        raise JobFailure(f"The record at {where} is not a JSON object.")
    return InputRecord(_id(read, where, ids), _asked(read, where))


def _id(read: Mapping[str, Any], where: str, ids: Ids) -> str:
    given = read.get("recordId")
    if given is None:
        return ids.token()
    if not isinstance(given, str) or not given:
        raise JobFailure(f"The record at {where} has a recordId that is no text: {json.dumps(given):.80}.")
    return given


def _asked(read: Mapping[str, Any], where: str) -> dict[str, Any]:
    asked = read.get("modelInput")
    if not isinstance(asked, dict):
        raise JobFailure(f"The record at {where} has no modelInput that is a JSON object.")
    return asked
