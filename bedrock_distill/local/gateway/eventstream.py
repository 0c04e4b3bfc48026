"""The binary frames of `application/vnd.amazon.eventstream`: AWS's encoding of a stream of events.

A frame is: total length, length of the headers, CRC-32 of those eight bytes; the headers; the payload; CRC-32 of all
before it. Every number is big-endian and four bytes wide. Only headers of type string (7) are written, which is all that
AWS's JSON services use.
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.jsonvalues import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CONTENT_TYPE", "encode_event", "encode_exception", "encode_frame", "encode_stream"]

CONTENT_TYPE = "application/vnd.amazon.eventstream"
log = logging.getLogger(__name__)
_STRING = 7
_OVERHEAD = 16
"""Bytes of a frame that are neither headers nor payload: the prelude's twelve and the last checksum's four."""


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame of an event stream."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", len(head) + len(payload) + _OVERHEAD, len(head))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


def encode_stream(shape: Any, events: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    """The frames of a stream, each as soon as its event is there.

    Args:
        shape: botocore's shape of the event stream's union.
        events: Events as boto3 yields them: one key, the event's name. An `AwsError` raised by the iterator ends the stream
            with that exception; anything else it raises is logged, and ends it with an internal server error.
    """
    try:
        for event in events:
            yield encode_event(shape, event)
    except AwsError as error:
        yield encode_exception(shape, error)
    except Exception as error:
        log.exception("An event stream of the local cloud failed")
        yield encode_exception(shape, AwsError("InternalServerException", f"{type(error).__name__}: {error}"))
    finally:
        # The reader may leave early; whoever produces the events is told.
        close = getattr(events, "close", None)
        if close is not None:
            close()


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack(">B", len(key)) + key + struct.pack(">BH", _STRING, len(text)) + text


def encode_event(shape: Any, event: Mapping[str, Any]) -> bytes:
    """The frame of one event.

    Args:
        shape: botocore's shape of the event stream's union.
        event: One key, the event's name, and its members.

    Raises:
        TypeError: If the event is not one of the model's.
    """
    if len(event) != 1 or next(iter(event)) not in shape.members:
        raise TypeError(f"An event is a dict of one of {sorted(shape.members)}, not of {sorted(event)}.")
    name, value = next(iter(event.items()))
    headers = {":message-type": "event", ":event-type": name}
    member = shape.members[name]
    payload_name = next((key for key, part in member.members.items() if _is(part, "eventpayload")), None)
    for key, part in member.members.items():
        if _is(part, "eventheader") and key in value:
            headers[key] = str(value[key])
    if payload_name is None:
        body = {key: item for key, item in value.items() if not _is(member.members.get(key), "eventheader")}
        return encode_frame(headers | {":content-type": "application/json"}, _json(member, body))
    payload = value.get(payload_name, b"")
    part = member.members[payload_name]
    if part.type_name == "blob":
        return encode_frame(headers | {":content-type": "application/octet-stream"}, bytes(payload))
    if part.type_name == "string":
        return encode_frame(headers | {":content-type": "text/plain"}, payload.encode())
    return encode_frame(headers | {":content-type": "application/json"}, _json(part, payload))


def _is(part: Any, trait: str) -> bool:
    return part is not None and bool(part.serialization.get(trait))


def encode_exception(shape: Any, error: AwsError) -> bytes:
    """The frame that ends a stream with an error: a modelled exception, or a bare error if the stream has none such."""
    for name, member in shape.members.items():
        if member.metadata.get("exception") and error.code in (name, member.name):
            headers = {
                ":message-type": "exception",
                ":exception-type": name,
                ":content-type": "application/json",
            }
            # SageMaker's models write the message with a capital, Bedrock's without.
            message = "message" if "message" in member.members else "Message"
            return encode_frame(headers, _json(member, {message: error.message, **error.members}))
    return encode_frame(
        {":message-type": "error", ":error-code": error.code, ":error-message": error.message}, b""
    )


def _json(shape: Any, value: Mapping[str, Any]) -> bytes:
    return json.dumps(to_json(shape, value), ensure_ascii=False, separators=(",", ":")).encode()
