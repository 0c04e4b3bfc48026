"""Invocation logs in S3 as training data: which log records become prompts, and which bring their completion.

Reads what Converse and ConverseStream log: one conversation with its assembled answer. Pure but for the S3 client that
is handed in.
"""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from bedrock_distill.records.schema import SCHEMA_VERSION, Message, Record, TextBlock
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LogReader", "passes"]

_CONVERSE = frozenset({"Converse", "ConverseStream"})
_GZIP = b"\x1f\x8b"
_MARKER = "amazon-bedrock-logs-permission-check"


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
        """Every usable record, with its completion only if the request wants the logged responses."""
        wanted = self.config.get("requestMetadataFilters")
        keep_response = bool(self.config.get("usePromptResponse", False))
        for entry in self._entries():
            record = self._record(entry, wanted, keep_response=keep_response)
            if isinstance(record, str):
                self.left_out[record] += 1
            else:
                yield record

    def _record(self, entry: Any, wanted: Mapping[str, Any] | None, *, keep_response: bool) -> Record | str:
        """The record, or why there is none."""
        if not isinstance(entry, dict) or entry.get("schemaType") != "ModelInvocationLog":
            return "not an invocation log record"
        if entry.get("errorCode"):
            return "failed invocation"
        if wanted and not passes(wanted, entry.get("requestMetadata") or {}):
            return "filtered out by request metadata"
        if keep_response and entry.get("modelId") != self.teacher:
            return "answered by another model than the teacher"
        if entry.get("operation") not in _CONVERSE:
            return f"operation {entry.get('operation')}, which the local cloud does not read"
        request, response = self._body(entry.get("input")), self._body(entry.get("output"))
        prompt = _prompt(request)
        if prompt is None:
            return "not a single-turn text prompt"
        if not keep_response:
            return prompt
        answer = _answer(response)
        return prompt.with_completion(answer) if answer else "no text in the response"

    def _entries(self) -> Iterator[Any]:
        source = S3Uri.parse(self.config["invocationLogSource"]["s3Uri"])
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.key)
        for found in pages:
            for item in found.get("Contents", ()):
                if "/data/" in item["Key"] or item["Key"].endswith(_MARKER):
                    continue
                for line in self._read(S3Uri(source.bucket, item["Key"])).splitlines():
                    if line.strip():
                        yield _json(line)

    def _body(self, side: Any) -> Any:
        """The JSON body of one side, inline or in an object of its own."""
        if not isinstance(side, dict):
            return None
        for name, value in side.items():
            if name.endswith("BodyJson"):
                return value
            if name.endswith("BodyS3Path"):
                return _json(self._read(S3Uri.parse(str(value))))
        return None

    def _read(self, uri: S3Uri) -> bytes:
        data: bytes = self.s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
        return gzip.decompress(data) if data.startswith(_GZIP) else data


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


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _prompt(body: Any) -> Record | None:
    """The single user message of a Converse request, with its system prompt."""
    if not isinstance(body, dict):
        return None
    messages = body.get("messages")
    if not isinstance(messages, list) or len(messages) != 1 or messages[0].get("role") != "user":
        return None
    text, system = _text(messages[0].get("content")), _text(body.get("system"))
    if not text:
        return None
    return Record(
        schema_version=SCHEMA_VERSION,
        system=(TextBlock(system),) if system else None,
        messages=(Message.of("user", text),),
    )


def _answer(body: Any) -> str | None:
    """The text of a Converse response."""
    try:
        return _text(body["output"]["message"]["content"])
    except (KeyError, TypeError):
        return None


def _text(blocks: Any) -> str | None:
    """The joined text of content blocks; None where one is something else, such as an image or a tool call."""
    if not isinstance(blocks, list):
        return None
    texts = [block.get("text") if isinstance(block, dict) else None for block in blocks]
    return None if None in texts else "".join(str(text) for text in texts)
