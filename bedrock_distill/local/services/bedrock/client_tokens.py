"""Idempotency: a request that comes again with the same client token gets the first one's answer."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.bedrock.state import Tables

__all__ = ["answered_before", "remember"]


def answered_before(tables: Tables, call: Call, *, conflict: str) -> str | None:
    """The ARN that an earlier request with this token was answered with; None for a new token or none.

    Args:
        tables: The region's tables.
        call: The request.
        conflict: Error code for a token that came before with other parameters.

    Raises:
        AwsError: With that code.
    """
    token = call.params.get("clientRequestToken")
    known = tables.tokens.get(f"{call.operation}:{token}") if token else None
    if known is None:
        return None
    digest, arn = known
    if digest != _digest(call.params):
        raise AwsError(
            conflict,
            "The client request token was used before with other parameters. Use a new token for a new request.",
        )
    return arn


def remember(tables: Tables, call: Call, arn: str) -> None:
    """Note what a token was answered with."""
    if token := call.params.get("clientRequestToken"):
        tables.tokens.put(f"{call.operation}:{token}", (_digest(call.params), arn))


def _digest(params: Mapping[str, Any]) -> str:
    told = {key: value for key, value in params.items() if key != "clientRequestToken"}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
