"""Checking a request against the service's own model before it is sent.

botocore's validator knows names, types and minimums. The model also states patterns, enums, maximums and unions, which
only the service would check: a typo would then cost a round trip, or hours, where the service looks late.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.validate import ParamValidator

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from botocore.model import OperationModel

__all__ = ["check_request", "violations"]

_SHOWN = 120
"""Characters of a value that a message repeats."""

_MOST_LISTED = 30
"""Values of an enum that a message lists; SageMaker's instance types are ten times as many."""

_EXPONENTIAL = (
    (r"(-*[a-zA-Z0-9\+\-\.])*", r"[a-zA-Z0-9\+\-\.]*"),
    (r"(-*[a-zA-Z0-9\+\-\.]){0,63}", r"[a-zA-Z0-9\+\-\.]*"),
)
"""Sub-patterns of AWS's models that backtrack exponentially in Python, and linear ones that accept the same texts.

The job name's pattern takes 6 s for 26 dashes as it stands. The second row loses a count that the length bound of the
same shape implies.
"""


def check_request(operation: OperationModel, params: Mapping[str, Any]) -> None:
    """Check a request's parameters against the operation's input shape.

    Args:
        operation: botocore's model of the operation.
        params: Parameters as boto3 takes them.

    Raises:
        SpecError: Naming every member that the service would refuse, its value and the rule.
    """
    shape = operation.input_shape
    if shape is None:
        return
    report = ParamValidator().validate(dict(params), shape)
    found = [report.generate_report()] if report.has_errors() else list(violations(params, shape))
    if found:
        raise SpecError(
            f"{operation.service_model.service_name} {operation.name} would be refused: " + "; ".join(found),
            field=found[0].partition(":")[0],
        )


def violations(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Every breach of the shape's enums, patterns, bounds and unions, as `path: what is wrong`.

    Args:
        value: A value whose names and types botocore has already accepted.
        shape: botocore's model of it.
        path: Where the value stands, for the messages.
    """
    if getattr(shape, "is_document_type", False):
        return  # a document is any JSON: the model says nothing of it
    if shape.type_name == "structure":
        yield from _structure(value, shape, path)
    elif shape.type_name == "list":
        yield from _bounds(len(value), shape, path, "items")
        for index, item in enumerate(value):
            yield from violations(item, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map":
        yield from _bounds(len(value), shape, path, "entries")
        for key, item in value.items():
            yield from violations(key, shape.key, f"{path} key {key!r}")
            yield from violations(item, shape.value, f"{path}[{key!r}]")
    elif isinstance(value, str):
        yield from _string(value, shape, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _bounds(value, shape, path, "")


def _structure(value: Mapping[str, Any], shape: Any, path: str) -> Iterator[str]:
    if shape.is_tagged_union and len(value) != 1:
        yield f"{path or shape.name}: exactly one of {', '.join(shape.members)} must be given, not {len(value)}"
    for name, member in value.items():
        if name in shape.members:
            yield from violations(member, shape.members[name], f"{path}.{name}" if path else name)


def _string(value: str, shape: Any, path: str) -> Iterator[str]:
    yield from _bounds(len(value), shape, path, "characters")
    if shape.enum and value not in shape.enum:
        yield f"{path}: {_shown(value, shape)} is not one of {_listed(shape.enum, value)}"
    pattern = shape.metadata.get("pattern")
    if pattern and value and not _matches(pattern, value):
        yield f"{path}: {_shown(value, shape)} does not match the pattern {pattern}"


def _shown(value: str, shape: Any) -> str:
    if shape.metadata.get("sensitive"):
        return "the value (not shown, it is sensitive)"
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"


def _bounds(size: float, shape: Any, path: str, unit: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    suffix = f" {unit}" if unit else ""
    if low is not None and size < low:
        yield f"{path}: {size}{suffix}, the least is {low}"
    if high is not None and size > high:
        yield f"{path}: {size}{suffix}, the most is {high}"


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern for Python, or None where it is of a dialect that Python lacks (IAM's are Java's)."""
    for slow, linear in _EXPONENTIAL:
        pattern = pattern.replace(slow, linear)
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _listed(allowed: Sequence[str], value: object) -> str:
    """The values there are; of very many, those that look like what was meant."""
    if len(allowed) <= _MOST_LISTED:
        return ", ".join(allowed)
    near = get_close_matches(str(value), allowed, n=5, cutoff=0.5)
    return f"{len(allowed)} values" + (f", such as {', '.join(near)}" if near else "")
