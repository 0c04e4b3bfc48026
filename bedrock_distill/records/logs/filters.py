"""Filters on request metadata, as Bedrock's distillation jobs know them: one condition, all of several, any of several.

`Metadata("project") == "triage"` is a condition, `!=` its opposite; `&` joins conditions so that all must hold, `|` so
that any may. Bedrock nests no further, so neither do we: the same filter becomes the job's `requestMetadataFilters` and
our reader's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Condition", "Filter", "Metadata"]

MAX_CONDITIONS: Final = 16
"""Most conditions that a filter may join (botocore's model of CreateModelCustomizationJob)."""

_TEXT = re.compile(r"[a-zA-Z0-9\s._:/=+$@-]*")


class Condition(msgspec.Struct, frozen=True):
    """One key that must have a value, or must not."""

    key: str
    value: str
    negated: bool = False

    def matches(self, metadata: Mapping[str, str]) -> bool:
        """Whether a request's metadata meets it. A key that is not there differs from every value."""
        return (metadata.get(self.key) == self.value) != self.negated

    def __str__(self) -> str:
        return f"{self.key} {'!=' if self.negated else '=='} {self.value!r}"


class Filter(msgspec.Struct, frozen=True):
    """Conditions, joined by `all` or `any`; a single one is joined by neither."""

    conditions: tuple[Condition, ...]
    join: Literal["all", "any"] = "all"

    def __and__(self, other: Filter) -> Filter:
        return self._joined(other, "all")

    def __or__(self, other: Filter) -> Filter:
        return self._joined(other, "any")

    def _joined(self, other: Filter, join: Literal["all", "any"]) -> Filter:
        for side in (self, other):
            if len(side.conditions) > 1 and side.join != join:
                raise SpecError(
                    f"({side}) cannot be part of another join: Bedrock's filters are one kind, all of several conditions "
                    "or any of several, and do not nest. Write one job a group, or filter with `data from-logs` in turns.",
                    field="where",
                )
        conditions = self.conditions + other.conditions
        if len(conditions) > MAX_CONDITIONS:
            raise SpecError(
                f"A filter joins {len(conditions)} conditions, and Bedrock takes at most {MAX_CONDITIONS}.",
                field="where",
                value=len(conditions),
            )
        return Filter(conditions, join)

    def matches(self, metadata: Mapping[str, str]) -> bool:
        """Whether a request's metadata passes."""
        # A loop, since it runs once a record: `all` of a generator takes three times as long.
        decisive = self.join == "any"
        for each in self.conditions:
            if ((metadata.get(each.key) == each.value) != each.negated) == decisive:
                return decisive
        return not decisive

    def to_request(self) -> dict[str, Any]:
        """The filter as CreateModelCustomizationJob's `requestMetadataFilters`."""
        said = [
            {"notEquals" if each.negated else "equals": {each.key: each.value}} for each in self.conditions
        ]
        return said[0] if len(said) == 1 else {"andAll" if self.join == "all" else "orAll": said}

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> Filter:
        """A filter from a job's `requestMetadataFilters`.

        Raises:
            SpecError: If it is none.
        """
        join: Literal["all", "any"] = "any" if "orAll" in request else "all"
        said = request.get("orAll") or request.get("andAll") or [request]
        conditions = []
        for each in said:
            for name, negated in (("equals", False), ("notEquals", True)):
                conditions += [
                    _condition(key, value, negated) for key, value in (each.get(name) or {}).items()
                ]
        if not conditions:
            raise SpecError(f"{request!r} holds no condition.", field="where", value=request)
        return cls(tuple(conditions), join)

    def __str__(self) -> str:
        return (" and " if self.join == "all" else " or ").join(map(str, self.conditions))

    def __bool__(self) -> bool:
        raise SpecError(
            "A filter has no truth of its own: join filters with & and |, not with `and` and `or`.",
            field="where",
        )


class Metadata:
    """A key of the request metadata, to be compared.

    Example:
        `(Metadata("project") == "triage") & (Metadata("env") != "dev")`

    Raises:
        SpecError: If the key is one that Bedrock's filters cannot name.
    """

    __hash__ = None  # type: ignore[assignment]  # comparing makes a filter, so a key can be in no set

    def __init__(self, key: str) -> None:
        _check("key", key, shortest=1)
        self._key = key

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        return Filter((_condition(self._key, value, negated=False),))

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return Filter((_condition(self._key, value, negated=True),))


def _condition(key: str, value: object, negated: bool) -> Condition:  # noqa: FBT001 - private
    if not isinstance(value, str):
        raise SpecError(
            f"Request metadata are texts; the value of {key!r} is {value!r}.", field="where", value=value
        )
    _check("key", key, shortest=1)
    _check("value", value, shortest=0)
    return Condition(key, value, negated)


def _check(what: str, text: str, *, shortest: int) -> None:
    if not shortest <= len(text) <= 256:
        raise SpecError(
            f"The metadata {what} {text[:40]!r} has {len(text)} characters; {shortest} to 256 are allowed.",
            field="where",
            value=text,
        )
    if not _TEXT.fullmatch(text):
        raise SpecError(
            f"The metadata {what} {text!r} holds a character that Bedrock's filters cannot: letters, digits, blanks and "
            "._:/=+$@- are allowed. (Requests may carry '#' and ',' as well: such metadata can be logged, not filtered on.)",
            field="where",
            value=text,
        )
