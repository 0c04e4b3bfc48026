"""Python values as the JSON of AWS's protocols: blobs in base64, times as the model says."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

__all__ = ["format_time", "to_json"]


def to_json(shape: Any, value: Any) -> Any:
    """What `json.dumps` may write for a value of `shape`. None inside a structure is left out.

    Raises:
        TypeError: If a structure holds a member the model does not have: a service's slip, better seen at once.
    """
    if getattr(shape, "is_document_type", False):
        return value
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, value)
    if kind == "list":
        return [to_json(shape.member, item) for item in value]
    if kind == "map":
        return {key: to_json(shape.value, item) for key, item in value.items()}
    if kind == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
    if kind == "timestamp":
        return format_time(value, shape.serialization.get("timestampFormat") or "unixTimestamp")
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def format_time(moment: datetime | str | float, style: str) -> str | float:
    """A moment as the protocol writes it: to the millisecond, as AWS does."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if style == "unixTimestamp":
        return round(moment.timestamp(), 3)
    if style == "rfc822":
        return format_datetime(moment, usegmt=True)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _structure(shape: Any, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{shape.name} is a structure, not {type(value).__name__}.")
    members = shape.members
    result = {}
    for name, item in value.items():
        if name not in members:
            raise TypeError(f"{shape.name} has no member {name!r}.")
        if item is not None:
            member = members[name]
            result[member.serialization.get("name", name)] = to_json(member, item)
    return result
