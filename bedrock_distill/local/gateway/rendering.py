"""A service's answer, or its refusal, as the HTTP response that AWS would send."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway import eventstream
from bedrock_distill.local.gateway.jsonvalues import format_time, to_json
from bedrock_distill.local.gateway.wire import WireResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.gateway.errors import AwsError
    from bedrock_distill.local.gateway.models import Api

__all__ = ["render_answer", "render_error"]

_COMMON_STATUS = {
    "AccessDeniedException": 403,
    "InternalServerException": 500,
    "ResourceNotFoundException": 404,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "ValidationException": 400,
}
"""Statuses of errors that an operation may answer although its model forgets to list them."""


def render_answer(api: Api, operation: Any, output: Mapping[str, Any], request_id: str) -> WireResponse:
    """The HTTP response for an output dict as boto3 returns it.

    Raises:
        TypeError: If the output has a member that the model does not have.
    """
    shape = operation.output_shape
    status = int(operation.http.get("responseCode") or 200)
    headers = [("x-amzn-RequestId", request_id)]
    if not api.protocol.startswith("rest-"):
        body = _dump(to_json(shape, output) if shape is not None else {})
        return WireResponse(
            status, [*headers, ("Content-Type", f"application/x-amz-json-{api.json_version}")], body
        )
    if shape is None:
        return WireResponse(status, headers)
    unknown = sorted(set(output) - set(shape.members))
    if unknown:
        raise TypeError(f"The answer to {operation.name} has no member {unknown[0]!r}.")
    payload = shape.serialization.get("payload")
    in_body = {}
    for name, value in output.items():
        member = shape.members[name]
        where = member.serialization.get("location")
        if value is None or name == payload:
            continue
        if where is None:
            in_body[member.serialization.get("name", name)] = to_json(member, value)
        elif where == "statusCode":
            status = int(value)
        elif where == "headers":
            prefix = member.serialization.get("name", "")
            headers += [(prefix + key, str(item)) for key, item in value.items()]
        else:
            headers.append((member.serialization.get("name", name), _header_text(member, value)))
    if payload is None:
        body = _dump(in_body) if _has_body(shape) or in_body else b"{}"
        return WireResponse(status, _with_type(headers, "application/json"), body)
    return _render_payload(shape.members[payload], output.get(payload), status, headers)


def render_error(api: Api, operation: Any | None, error: AwsError, request_id: str) -> WireResponse:
    """The HTTP response for a refusal: the model's status and members, and the code in `x-amzn-ErrorType`."""
    shape = _error_shape(api, operation, error.code)
    body: dict[str, Any] = {"message": error.message}
    if shape is not None:
        known = {name: value for name, value in error.members.items() if name in shape.members}
        body |= to_json(shape, known)
        if "Message" in shape.members and "message" not in shape.members:
            body["Message"] = body.pop("message")
    headers = [("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", error.code)]
    if api.protocol == "json":
        body["__type"] = error.code
        headers.append(("Content-Type", f"application/x-amz-json-{api.json_version}"))
    else:
        headers.append(("Content-Type", "application/json"))
    return WireResponse(_status(shape, error), headers, _dump(body), code=error.code)


def _error_shape(api: Api, operation: Any | None, code: str) -> Any | None:
    """The modelled error: among the operation's own, else among the service's."""
    of_operation = operation.error_shapes if operation is not None else ()
    of_service = getattr(api.model, "error_shapes", ())
    for shape in (*of_operation, *of_service):
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            return shape
    return None


def _status(shape: Any | None, error: AwsError) -> int:
    if error.status is not None:
        return error.status
    modelled = shape.metadata.get("error", {}).get("httpStatusCode") if shape is not None else None
    return int(modelled or _COMMON_STATUS.get(error.code, 400))


def _has_body(shape: Any) -> bool:
    return any(member.serialization.get("location") is None for member in shape.members.values())


def _render_payload(member: Any, value: Any, status: int, headers: list[tuple[str, str]]) -> WireResponse:
    if member.serialization.get("eventstream"):
        frames = eventstream.encode_stream(member, iter(value or ()))
        return WireResponse(status, [*headers, ("Content-Type", eventstream.CONTENT_TYPE)], frames)
    if member.type_name == "blob":
        body = value.read() if hasattr(value, "read") else (value or b"")
        body = body.encode() if isinstance(body, str) else bytes(body)
        return WireResponse(status, _with_type(headers, "application/octet-stream"), body)
    if member.type_name == "string":
        return WireResponse(status, _with_type(headers, "text/plain"), (value or "").encode())
    return WireResponse(status, _with_type(headers, "application/json"), _dump(to_json(member, value or {})))


def _with_type(headers: list[tuple[str, str]], content_type: str) -> list[tuple[str, str]]:
    """Add a content type unless a modelled header is one already."""
    if any(name.lower() == "content-type" for name, _ in headers):
        return headers
    return [*headers, ("Content-Type", content_type)]


def _header_text(member: Any, value: Any) -> str:
    if member.serialization.get("jsonvalue"):
        return base64.b64encode(_dump(value)).decode()
    if member.type_name == "timestamp":
        return str(format_time(value, member.serialization.get("timestampFormat") or "rfc822"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value)


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
