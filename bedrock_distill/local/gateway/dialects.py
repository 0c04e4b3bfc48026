"""Errors in the protocols of services that are not ours, so that a fault or a refusal reaches every client as AWS's would.

Which protocol a client speaks is read from its request, not from a model: an older or another client may speak a service's
older protocol.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

from bedrock_distill.local.gateway.wire import WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.local.gateway.wire import WireRequest

__all__ = ["Dialect", "dialect_of", "render_plain_error"]

Dialect = Literal["json", "query", "rest-xml", "rest-json", "cbor"]

_REST_XML = frozenset({"s3", "s3-outposts", "s3express", "route53", "cloudfront"})
_STATUS: Mapping[str, int] = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "BucketAlreadyExists": 409,
    "EntityAlreadyExists": 409,
    "ExpiredToken": 403,
    "InternalError": 500,
    "InternalFailure": 500,
    "NoSuchBucket": 404,
    "NoSuchEntity": 404,
    "NoSuchKey": 404,
    "PreconditionFailed": 412,
    "RequestTimeout": 400,
    "ServiceFailure": 500,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
    "Throttling": 400,
    "ThrottlingException": 400,
}


def dialect_of(request: WireRequest, signing_name: str) -> Dialect:
    """The protocol in which a request is written."""
    if request.header("smithy-protocol") == "rpc-v2-cbor":
        return "cbor"
    if request.header("x-amz-target") is not None:
        return "json"
    content_type = request.header("content-type") or ""
    if content_type.startswith("application/x-www-form-urlencoded") or "Action" in dict(request.query):
        return "query"
    return "rest-xml" if signing_name in _REST_XML else "rest-json"


def render_plain_error(
    dialect: Dialect, code: str, message: str, *, request_id: str, status: int | None = None
) -> WireResponse:
    """An error answer in a protocol, without a model.

    Args:
        dialect: The protocol.
        code: The error's code.
        message: The sentence for the caller.
        request_id: The id the answer carries.
        status: HTTP status; None takes the usual one of the code, or 400.
    """
    content_type, write = _WRITERS[dialect]
    headers = [("x-amzn-RequestId", request_id), ("Content-Type", content_type)]
    if dialect == "rest-json":
        headers.append(("x-amzn-ErrorType", code))
    if dialect == "cbor":
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    body = write(code, message, request_id)
    return WireResponse(status or _STATUS.get(code, 400), headers, body, code=code)


def _json(code: str, message: str, _: str) -> bytes:
    return json.dumps({"__type": code, "message": message}).encode()


def _query(code: str, message: str, request_id: str) -> bytes:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code>"
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _xml(code: str, message: str, request_id: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
    ).encode()


def _cbor(code: str, message: str, _: str) -> bytes:
    """A CBOR map of two texts, which is all that an error needs of CBOR."""
    return b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", code, "message", message))


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 24:
        return bytes([0x60 + len(raw)]) + raw
    return b"\x79" + len(raw).to_bytes(2, "big") + raw  # texts under 64 KB: a two-byte length


_WRITERS: Mapping[Dialect, tuple[str, Callable[[str, str, str], bytes]]] = {
    "json": ("application/x-amz-json-1.1", _json),
    "query": ("text/xml", _query),
    "rest-xml": ("application/xml", _xml),
    "rest-json": ("application/json", _json),
    "cbor": ("application/cbor", _cbor),
}
