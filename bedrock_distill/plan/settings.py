"""A setting: a value of which AWS keeps exactly one, such as a bucket's policy, and that is only ever replaced whole.

A step brings it from the value that the planner saw to another. Both stand in the step, so that a plan says what would be
lost, and an apply can tell its own work (the new value) from somebody else's (neither of the two).
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["PutSetting", "Setting", "same_json"]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value is kept, and the client's methods that read, replace and remove it."""

    service: str
    get: str
    """Such as `get_bucket_policy`."""
    put: str
    delete: str
    member: str
    """The member of `get`'s answer, and of `put`'s request, that holds the value."""
    where: dict[str, str] = {}
    """Parameters that all three take, such as the bucket's name."""
    absent: str = ""
    """Error code with which `get` says that there is no value; empty where the member is then only missing."""
    text: bool = False
    """Whether the value travels as JSON text, as policies do."""

    def same(self, left: Any, right: Any) -> bool:
        """Whether two values mean the same to AWS."""
        if self.text:
            return same_json(left, right)
        # What a configuration leaves out, AWS may answer with as an empty text or as false.
        return same_json(_without_empty(left), _without_empty(right))


class PutSetting(msgspec.Struct, frozen=True, kw_only=True, tag="put-setting"):
    """Replace a setting's value, unless it is as wanted; refused if it is neither as wanted nor as it was planned from."""

    name: str
    """What it is the setting of, in words, such as `policy of the bucket acme-logs`."""
    says: str
    """The step in words."""
    setting: Setting
    before: Any
    """The value that the planner saw, None where there was none: what to put back to undo the step."""
    after: Any
    """The value that is wanted, None where there is to be none."""
    patience: str = ""
    """Part of what the service says while an earlier step's effect has not reached it yet; such refusals are retried."""
    done: bool = False

    @property
    def id(self) -> str:
        """Name of the step in the journal."""
        return f"put:{self.name}"

    @property
    def bills(self) -> bool:
        """A setting itself is free."""
        return False


def same_json(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal, where the order of a list and the brackets around its only item do not matter.

    AWS gives a policy back so: `"Action": ["s3:PutObject"]` comes back as `"Action": "s3:PutObject"`.
    """
    return bool(_canonical(left) == _canonical(right))


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_canonical(item) for item in value), key=_sort_key)
        return items[0] if len(items) == 1 else items
    return value


def _sort_key(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, "", {}) and item is not False}
    return value
