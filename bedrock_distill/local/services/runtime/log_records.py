"""One model invocation as AWS logs it: the record, and what of it goes into an object of its own.

Source: user guide, model-invocation-logging, and the fields of records that others have published.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.local.call import Call

__all__ = ["INLINE_BYTES", "Invocation", "Side", "log_record"]

INLINE_BYTES = 100 * 1024
"""Largest JSON body that stands in the record itself."""

_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The request or the response of an invocation."""

    body: Any = None
    """JSON as Python values, or None where there is none."""
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What happened in one call."""

    call: Call
    at: datetime
    """When it was made."""
    asked: Side
    answered: Side | None = None
    """None where the call failed."""
    error_code: str = ""
    inference_region: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def log_record(
    invocation: Invocation, *, text: bool, overflow: Mapping[str, str] | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The record of an invocation.

    Args:
        invocation: The call.
        text: Whether bodies are delivered at all.
        overflow: `input` and `output` -> S3 URI for a body that is too large to stand in the record; None where the
            destination has no place for such bodies, which are left out then.

    Returns:
        The record, and the large bodies by URI.
    """
    call = invocation.call
    record: dict[str, Any] = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": invocation.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accountId": call.account_id,
        "identity": {"arn": call.caller_arn},
        "region": call.region,
        "requestId": call.request_id,
        "operation": call.operation,
        "modelId": call.params["modelId"],
    }
    if invocation.error_code:
        record["errorCode"] = invocation.error_code
    if invocation.inference_region:
        record["inferenceRegion"] = invocation.inference_region
    if invocation.metadata:
        record["requestMetadata"] = dict(invocation.metadata)
    large: dict[str, bytes] = {}
    for name, side in (("input", invocation.asked), ("output", invocation.answered)):
        if side is not None:
            record[name] = _side(name, side, large, text=text, overflow=overflow)
    return record, large


def _side(
    name: str, side: Side, large: dict[str, bytes], *, text: bool, overflow: Mapping[str, str] | None
) -> dict[str, Any]:
    member: dict[str, Any] = {f"{name}ContentType": _JSON, f"{name}TokenCount": side.tokens}
    if side.body is None or not text:
        return member
    encoded = orjson.dumps(side.body)
    if len(encoded) <= INLINE_BYTES:
        member[f"{name}BodyJson"] = side.body
    elif overflow is not None:
        member[f"{name}BodyS3Path"] = overflow[name]
        large[overflow[name]] = encoded
    return member
