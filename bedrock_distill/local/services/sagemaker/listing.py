"""SageMaker's List operations: filters, the three orders, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.bedrock.listing import created_within
from bedrock_distill.local.store import paginate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["listed"]

DEFAULT_PAGE = 10
"""Results a page where the caller does not say."""

_SORT_KEYS: dict[str, Callable[[Any], Any]] = {
    "Name": lambda row: row.name,
    "CreationTime": lambda row: row.serial,
    "Status": lambda row: (row.status, row.serial),
}


def listed(
    rows: Sequence[Any],
    params: Mapping[str, Any],
    *,
    member: str,
    summary: Callable[[Any], dict[str, Any]],
) -> dict[str, Any]:
    """One page of a List answer, newest first unless asked otherwise.

    Args:
        rows: All resources, in any order.
        params: The call's parameters.
        member: Name of the list in the answer.
        summary: Turns a row into its summary.
    """
    found = [row for row in rows if _wanted(row, params)]
    order = _SORT_KEYS[params.get("SortBy", "CreationTime")]
    found.sort(key=order, reverse=params.get("SortOrder", "Descending") == "Descending")
    page, token = paginate(
        found,
        max_results=params.get("MaxResults"),
        next_token=params.get("NextToken"),
        default=DEFAULT_PAGE,
    )
    answer: dict[str, Any] = {member: [summary(row) for row in page]}
    return answer | ({"NextToken": token} if token else {})


def _wanted(row: Any, params: Mapping[str, Any]) -> bool:
    matches = params.get("NameContains", "").lower() in row.name.lower()
    in_time = created_within(row, params, after="CreationTimeAfter", before="CreationTimeBefore")
    status = params.get("StatusEquals")
    return matches and in_time and (status is None or row.status == status) and _modified(row, params)


def _modified(row: Any, params: Mapping[str, Any]) -> bool:
    after, before = params.get("LastModifiedTimeAfter"), params.get("LastModifiedTimeBefore")
    return (after is None or row.modified > after) and (before is None or row.modified < before)
