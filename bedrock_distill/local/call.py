"""One request as a service sees it: parsed, validated, and free of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One validated request to one operation."""

    service: str
    """Service as boto3 names it, such as `bedrock-runtime`."""
    operation: str
    """Operation as the API names it, such as `CreateModelCustomizationJob`."""
    params: Mapping[str, Any]
    """Parameters under boto3's names and in boto3's types: blobs are bytes, timestamps are datetimes with a zone."""
    region: str
    account_id: str
    request_id: str
    """The id that the answer's `x-amzn-RequestId` carries."""
    caller_arn: str
    """Who asks: what STS would answer for the request's credentials."""
