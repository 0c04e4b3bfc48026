"""A request's path, query, headers and body, turned into the parameters that boto3 was called with.

What the model does not name is ignored, as AWS ignores it. A value of the wrong type is handed on as it came: saying so is
the validation's part. Only what cannot be read at all is refused here.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.local.gateway.models import Api, Routed
    from bedrock_distill.local.gateway.wire import WireRequest

__all__ = ["parse_request"]

_DEFAULT_TIMES = {"header": "rfc822", "querystring": "iso8601", "uri": "iso8601", "body": "unixTimestamp"}


def parse_request(api: Api, routed: Routed, request: WireRequest) -> dict[str, Any]:
    """The parameters of a request, under boto3's names and in boto3's types.

    Raises:
        AwsError: SerializationException, if the body is not JSON or a blob is not base64.
    """
    shape = api.model.operation_model(routed.operation).input_shape
    if shape is None:
        return {}
    if not api.protocol.startswith("rest-"):
        return _structure(shape, _json_object(request.body))
    params: dict[str, Any] = {}
    in_body: dict[str, Any] = {}
    payload = shape.serialization.get("payload")
    for name, member in shape.members.items():
        where = member.serialization.get("location")
        if where is None:
            if name != payload:
                in_body[name] = member
            continue
        value = _LOCATIONS[where](member, member.serialization.get("name", name), routed, request)
        if value is not None:
            params[name] = value
    if payload is not None:
        value = _payload(shape.members[payload], request.body)
        if value is not None:
            params[payload] = value
    elif in_body:
        params.update(_members(in_body, _json_object(request.body)))
    return params


def _json_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AwsError("SerializationException", f"The request's body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise AwsError("SerializationException", "The request's body is not a JSON object.")
    return value


def _payload(member: Any, body: bytes) -> Any:
    if member.type_name == "blob":
        return body or None
    if member.type_name == "string":
        return body.decode("utf-8", "replace") if body else None
    if member.serialization.get("eventstream"):
        return None
    return _from_json(member, _json_object(body)) if body.strip() else None


def _from_label(member: Any, name: str, routed: Routed, _: WireRequest) -> Any:
    return _from_text(member, routed.labels[name], "uri") if name in routed.labels else None


def _from_query(member: Any, name: str, _: Routed, request: WireRequest) -> Any:
    if member.type_name == "map":
        return {key: value for key, value in request.query if key != name} or None
    found = [value for key, value in request.query if key == name]
    if not found:
        return None
    if member.type_name == "list":
        return [_from_text(member.member, value, "querystring") for value in found]
    return _from_text(member, found[-1], "querystring")


def _from_header(member: Any, name: str, _: Routed, request: WireRequest) -> Any:
    text = request.header(name)
    if text is None:
        return None
    if member.serialization.get("jsonvalue"):
        return _json_header(text)
    if member.type_name == "list":
        return [_from_text(member.member, part.strip(), "header") for part in text.split(",")]
    return _from_text(member, text, "header")


def _from_headers(_: Any, name: str, __: Routed, request: WireRequest) -> Any:
    return request.headers_with(name) or None


_LOCATIONS: Mapping[str, Callable[[Any, str, Routed, WireRequest], Any]] = {
    "uri": _from_label,
    "querystring": _from_query,
    "header": _from_header,
    "headers": _from_headers,
}


def _json_header(text: str) -> Any:
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise AwsError("SerializationException", f"A JSON header cannot be read: {error}") from error


def _from_text(member: Any, text: str, where: str) -> Any:
    """A scalar from a label, a query parameter or a header; the text itself where it cannot be one."""
    kind = member.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "timestamp":
            return _time(text, member.serialization.get("timestampFormat") or _DEFAULT_TIMES[where])
        if kind == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def _structure(shape: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    return _members(shape.members, value)


def _members(members: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    result = {}
    for name, member in members.items():
        found = value.get(member.serialization.get("name", name))
        if found is not None:
            result[name] = _from_json(member, found)
    return result


def _from_json(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return value
    if kind == "structure" and isinstance(value, dict):
        return _structure(shape, value)
    if kind == "list" and isinstance(value, list):
        return [_from_json(shape.member, item) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {key: _from_json(shape.value, item) for key, item in value.items() if item is not None}
    if kind == "string" and shape.serialization.get("jsonvalue") and isinstance(value, str):
        return json.loads(value)
    if kind == "blob" and isinstance(value, str):
        return _blob(value)
    if kind == "timestamp":
        return _json_time(shape, value)
    if kind in ("float", "double") and isinstance(value, (int, str)) and not isinstance(value, bool):
        return _float(value)
    return value


def _blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise AwsError("SerializationException", f"A blob in the request is not base64: {error}") from error


def _float(value: int | str) -> Any:
    """A number, or the three words that stand for numbers JSON has not."""
    if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
        return value
    return float(value)


def _json_time(shape: Any, value: Any) -> Any:
    style = shape.serialization.get("timestampFormat") or _DEFAULT_TIMES["body"]
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        return _time(value, style)
    except (ValueError, TypeError, OverflowError):
        return value


def _time(text: str, style: str) -> datetime:
    if style == "unixTimestamp":
        return datetime.fromtimestamp(float(text), UTC)
    moment = parsedate_to_datetime(text) if style == "rfc822" else datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
