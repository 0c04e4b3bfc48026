"""The ways to write a filter on request metadata in a spec, and the one form it is kept in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.records.logs.filters import MAX_CONDITIONS, Filter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["as_request", "is_request", "joined"]

_SINGLE = ("equals", "notEquals")
_JOINED = ("andAll", "orAll")


def as_request(value: object) -> dict[str, Any]:
    """A filter as CreateModelCustomizationJob's `requestMetadataFilters`.

    Args:
        value: A `Filter`, the request's own form, or a table of keys that must all have their values.

    Raises:
        SpecError: If a key or a value is one that Bedrock's filters cannot hold.
        ValueError: If it is no filter.
    """
    if isinstance(value, Filter):
        found = value
    elif not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic makes a SpecError of it
            "must be a filter such as Metadata('project') == 'triage', or a table such as {project = \"triage\"}"
        )
    else:
        request = value if is_request(value) else joined(value, {}, any_of=False)
        _check(request)
        found = Filter.from_request(request)
    if not 1 <= len(found.conditions) <= MAX_CONDITIONS:
        raise ValueError(f"has {len(found.conditions)} conditions; a filter has 1 to {MAX_CONDITIONS}")
    return found.to_request()


def joined(equal: Mapping[str, Any], unequal: Mapping[str, Any], *, any_of: bool) -> dict[str, Any]:
    """The request's form of plain tables.

    Args:
        equal: Keys that must have their values.
        unequal: Keys that must not.
        any_of: Whether one of all these is enough.
    """
    items = [{"equals": {key: value}} for key, value in equal.items()]
    items += [{"notEquals": {key: value}} for key, value in unequal.items()]
    return {"orAll" if any_of else "andAll": items}


def is_request(value: Mapping[str, Any]) -> bool:
    """Whether this is the request's own form, and no plain table."""
    # A key of one's own may be called `equals`, too: then it has a text.
    return any(isinstance(value.get(name), (dict, list, tuple)) for name in (*_SINGLE, *_JOINED))


def _check(request: Mapping[str, Any]) -> None:
    """What the service would refuse, or read otherwise than it is written.

    Raises:
        ValueError: If there is such a thing.
    """
    if len(request) != 1:
        raise ValueError(
            f"must have exactly one kind of filter, of {', '.join((*_SINGLE, *_JOINED))}; it has {', '.join(request)}"
        )
    items = next((request[name] for name in _JOINED if name in request), [request])
    for item in items:
        if not isinstance(item, dict) or len(item) != 1 or not set(item) <= set(_SINGLE):
            raise ValueError(
                f"each condition is one of {' and '.join(_SINGLE)}, and no more: {item!r} is not"
            )
        pairs = next(iter(item.values()))
        if not isinstance(pairs, dict) or len(pairs) != 1:
            raise ValueError(f"each condition names one key with its value: {item!r} does not")
        if not isinstance(next(iter(pairs)), str):
            raise SpecError(f"Keys of request metadata are texts: {pairs!r}.", field="where", value=pairs)
