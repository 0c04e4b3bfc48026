"""What every List operation shares: filters, the order, pages, and the opaque token between two pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bedrock_distill.local.gateway.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["DEFAULT_PAGE", "Listed", "created_within", "page"]

DEFAULT_PAGE = 100
"""Results a page where the caller does not say; AWS does not publish its own number."""

_CURSOR_FIELDS = frozenset({"nextToken", "maxResults"})


class Listed(Protocol):
    """What can be listed: something with a time of birth and a place in the order."""

    @property
    def created(self) -> datetime:
        """When it was made."""
        ...

    @property
    def serial(self) -> int:
        """Its number in the order of making, which is the order of time."""
        ...


T = TypeVar("T", bound=Listed)


def created_within(item: Listed, params: Mapping[str, Any], *, after: str, before: str) -> bool:
    """Whether an item was made between two optional parameters, both bounds excluded."""
    earliest, latest = params.get(after), params.get(before)
    return (earliest is None or item.created > _aware(earliest)) and (
        latest is None or item.created < _aware(latest)
    )


def page(
    items: Sequence[T],
    params: Mapping[str, Any],
    *,
    member: str,
    summary: Callable[[T], dict[str, Any]],
) -> dict[str, Any]:
    """One page of a List answer, newest first unless asked otherwise.

    The token remembers the last item shown, not a position, so that what is made or deleted between two pages neither
    repeats nor hides anything else. It also remembers the filters: with others it is refused, as AWS does.

    Args:
        items: All that passed the filters, in any order.
        params: The call's parameters.
        member: Name of the list in the answer.
        summary: Turns an item into its summary.

    Raises:
        AwsError: ValidationException, if `nextToken` is not one that this list gave for these filters.
    """
    descending = params.get("sortOrder", "Descending") == "Descending"
    ordered = sorted(items, key=lambda item: item.serial, reverse=descending)
    scope = _scope(member, params)
    if token := params.get("nextToken"):
        last = _read(token, scope)
        ordered = [item for item in ordered if (item.serial < last if descending else item.serial > last)]
    size = params.get("maxResults") or DEFAULT_PAGE
    shown = ordered[:size]
    answer: dict[str, Any] = {member: [summary(item) for item in shown]}
    if len(ordered) > size:
        answer["nextToken"] = _write(shown[-1].serial, scope)
    return answer


def _scope(member: str, params: Mapping[str, Any]) -> str:
    filters = {key: str(value) for key, value in sorted(params.items()) if key not in _CURSOR_FIELDS}
    text = json.dumps([member, filters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(serial: int, scope: str) -> str:
    return base64.urlsafe_b64encode(f"{scope}.{serial}".encode()).decode().rstrip("=")


def _read(token: str, scope: str) -> int:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    found, _, serial = text.partition(".")
    if found != scope or not serial.isdecimal():
        raise AwsError("ValidationException", "The provided nextToken is invalid.")
    return int(serial)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
