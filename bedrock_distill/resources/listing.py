"""Bedrock's listings, which all sort and filter alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients

__all__ = ["newest_first"]


def newest_first(
    clients: Clients, operation: str, key: str, *, name_contains: str | None = None, **filters: Any
) -> list[dict[str, Any]]:
    """Every item of one of Bedrock's listings, newest first.

    Args:
        clients: The gate to AWS.
        operation: The client's method, such as `list_custom_models`.
        key: The answer's member that holds the items.
        name_contains: Only items whose name contains this.
        **filters: The request's other members; None leaves one out.
    """
    given = {"nameContains": name_contains or None, **filters}
    return list(
        clients.pages(
            "bedrock",
            operation,
            key,
            sortBy="CreationTime",
            sortOrder="Descending",
            **{name: value for name, value in given.items() if value is not None},
        )
    )
