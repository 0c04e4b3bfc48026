"""What AWS refuses: values against the service model's constraints, in AWS's words.

botocore's own client checks types, required members and minima. A service checks all of it, and so does this: required,
type, enum, pattern, length, range, and that a union has exactly one member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.patterns import matches

__all__ = ["find_violations", "validate"]

_LONGEST_SHOWN = 1024
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "structure": ((Mapping,), "an object"),
    "map": ((Mapping,), "a map"),
    "list": ((list, tuple), "a list"),
    "string": ((str,), "a string"),
    "character": ((str,), "a string"),
    "integer": ((int,), "an integer"),
    "long": ((int,), "an integer"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": ((bool,), "a boolean"),
    "blob": ((bytes, bytearray, str), "a blob"),
    "timestamp": ((datetime,), "a timestamp"),
}


def validate(shape: Any, params: Mapping[str, Any], *, code: str = "ValidationException") -> None:
    """Check a request's parameters against its input shape.

    Args:
        shape: botocore's shape of the input.
        params: The parameters.
        code: What the service calls this error.

    Raises:
        AwsError: With that code, naming every violation.
    """
    violations = list(find_violations(shape, params)) if shape is not None else []
    if violations:
        errors = "error" if len(violations) == 1 else "errors"
        text = "; ".join(violations)
        raise AwsError(code, f"{len(violations)} validation {errors} detected: {text}")


def find_violations(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Every constraint of `shape` that `value` breaks, one AWS-worded sentence each."""
    if getattr(shape, "is_document_type", False) or shape.serialization.get("eventstream"):
        return
    allowed, wanted = _TYPES[shape.type_name]
    if not isinstance(value, allowed) or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield _sentence(shape, value, path, f"Member must be {wanted}")
        return
    check = _CHECKS.get(shape.type_name)
    if check is not None:
        yield from check(shape, value, path)


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _null(_join(path, name))
    if getattr(shape, "is_tagged_union", False):
        given = [name for name in value if value[name] is not None]
        if len(given) != 1:
            options = ", ".join(shape.members)
            yield (
                f"Value at {_join(path)!r} failed to satisfy constraint: "
                f"Member must have exactly one of [{options}] set, not {len(given)}"
            )
            return
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from find_violations(member, value[name], _join(path, name))


def _list(shape: Any, value: Sequence[Any], path: str) -> Iterator[str]:
    yield from _length(shape, value, path)
    for number, item in enumerate(value, start=1):
        where = f"{path}.{number}.member"
        if item is None:
            yield _null(where)
        else:
            yield from find_violations(shape.member, item, where)


def _map(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _length(shape, value, path)
    for key, item in value.items():
        yield from find_violations(shape.key, key, f"{path}.key")
        if item is not None:
            yield from find_violations(shape.value, item, f"{path}.{key}.member")


def _string(shape: Any, value: str, path: str) -> Iterator[str]:
    too_long = list(_length(shape, value, path))
    yield from too_long
    options = getattr(shape, "enum", None)
    if options and value not in options:
        yield _sentence(
            shape, value, path, f"Member must satisfy enum value set: [{', '.join(sorted(options))}]"
        )
    pattern = shape.metadata.get("pattern")
    # A value past its length is refused already; not matching it keeps the work small.
    if pattern and not too_long and not matches(pattern, value):
        yield _sentence(shape, value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _length(shape: Any, value: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        yield _sentence(shape, value, path, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _sentence(shape, value, path, f"Member must have length less than or equal to {high}")


def _number(shape: Any, value: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    unordered = math.isnan(value)
    if low is not None and (unordered or value < low):
        yield _sentence(shape, value, path, f"Member must have value greater than or equal to {low}")
    if high is not None and (unordered or value > high):
        yield _sentence(shape, value, path, f"Member must have value less than or equal to {high}")


_CHECKS: Mapping[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "blob": _length,
    "integer": _number,
    "long": _number,
    "float": _number,
    "double": _number,
}


def _join(path: str, name: str = "") -> str:
    return f"{path}.{name}" if path and name else path or name


def _null(path: str) -> str:
    return f"Value null at {path!r} failed to satisfy constraint: Member must not be null"


def _sentence(shape: Any, value: Any, path: str, constraint: str) -> str:
    shown = "" if _is_hidden(shape, value) else f" {_show(value)}"
    return f"Value{shown} at {path!r} failed to satisfy constraint: {constraint}"


def _is_hidden(shape: Any, value: Any) -> bool:
    """Secrets, blobs and whole structures are not repeated in messages."""
    return bool(shape.metadata.get("sensitive")) or isinstance(value, (bytes, Mapping))


def _show(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text[:_LONGEST_SHOWN]}'"
