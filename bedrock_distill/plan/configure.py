"""A step for what is put rather than created: an operation that replaces one value under a name, however often it is called.

Scaling targets, scaling policies, alarms, and an endpoint's configuration are of this kind.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Configure", "LookAt", "Ready", "Undo", "holds"]


class LookAt(msgspec.Struct, frozen=True, kw_only=True):
    """How to read what is there now."""

    operation: str
    """The client's method, such as `describe_scaling_policies`."""
    params: dict[str, Any]
    items: str = ""
    """Member of the answer whose first item is looked at; empty for the answer itself."""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """When a resource is far enough for the next step."""

    member: str
    """Member of the lookup's answer that holds its status."""
    good: tuple[str, ...]
    bad: tuple[str, ...] = ()
    reason: str = "FailureReason"
    """Member of the answer that says why it is bad."""
    timeout_s: float = 3600.0


class Configure(msgspec.Struct, frozen=True, kw_only=True, tag="configure"):
    """Put a value, unless it is there; or take one away, unless it has gone."""

    kind: str
    """In words, such as `scaling policy`."""
    name: str
    service: str
    operation: str
    """The client's method that puts it, such as `put_scaling_policy`, or that takes it away."""
    request: dict[str, Any]
    """The request as boto3 takes it."""
    look: LookAt
    same: tuple[dict[str, Any], ...]
    """What is there is the value if it holds any one of these: members, dotted where they are nested -> their values."""
    result: str = ""
    """Member of the answer and of what is there that later steps use, such as an ARN; empty for none."""
    ready: Ready | None = None
    """When the value is in force, where the next step or success depends on it; it must be `same` then. None for at once."""
    links: dict[str, str] = {}
    """Members of the request that hold a list of what earlier steps came to -> the step's id."""
    removes: bool = False
    """Whether it is taken away: done where nothing is there, whatever `same` says."""
    bills: bool = False
    done: bool = False

    @property
    def id(self) -> str:
        """Name of the step in the journal."""
        return f"configure:{self.name}"

    @property
    def says(self) -> str:
        """The step in words."""
        return f"{'Remove' if self.removes else 'Set'} the {self.kind} {self.name}"


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """How to take back a resource that was just made, where a later step of the plan fails."""

    operation: str
    """The client's method, such as `delete_model`."""
    parameter: str
    """Its parameter that takes the name."""


def holds(there: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether what is there has all the wanted members with these values; a nested table may have more than what is wanted."""
    return all(_covers(_at(there, path), value) for path, value in wanted.items())


def _at(there: Any, path: str) -> Any:
    for part in path.split("."):
        there = there.get(part) if isinstance(there, dict) else None
    return there


def _covers(there: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            _covers(there.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(there, (list, tuple))
            and len(there) == len(wanted)
            and all(map(_covers, there, wanted))
        )
    return bool(there == wanted)
