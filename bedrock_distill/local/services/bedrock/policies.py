"""IAM policy documents, evaluated: may this action be done on this resource, under these conditions?

Small and honest: it reads Effect, Principal, Action, NotAction, Resource, NotResource and the condition operators that
Bedrock's documented policies use. What it cannot read it treats as not granted, so that nothing is allowed by accident.
Pure functions of documents; whoever fetches the documents is next door in `roles`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["Decision", "Request", "decide"]

Decision = Literal["allow", "deny", "none"]
"""`none` is IAM's implicit deny: no statement speaks of the request."""

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a set of policies."""

    action: str
    """Such as `s3:GetObject`."""
    resource: str = "*"
    """ARN of what is acted on."""
    context: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Condition keys in lower case, such as `aws:sourceaccount`."""
    service: str = ""
    """The calling service principal, such as `bedrock.amazonaws.com`, or an empty string."""
    principals: tuple[str, ...] = ()
    """ARNs and account ids the caller answers to, for policies that name a principal."""


def decide(documents: Iterable[Mapping[str, Any]], request: Request) -> Decision:
    """Evaluate a request against policy documents together: a matching Deny wins over any Allow."""
    decision: Decision = "none"
    for statement in _statements(documents):
        denies = statement.get("Effect") == "Deny"
        if not _applies(statement, request, unreadable=denies):
            continue
        if denies:
            return "deny"
        decision = "allow"
    return decision


def _statements(documents: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        for statement in _listed(document.get("Statement")):
            if isinstance(statement, Mapping):
                yield statement


def _applies(statement: Mapping[str, Any], request: Request, *, unreadable: bool) -> bool:
    return (
        _names(statement, "Action", request.action.lower(), request, lower=True)
        and _names(statement, "Resource", request.resource, request, lower=False)
        and _principal(statement, request)
        and _conditions(statement.get("Condition") or {}, request, unreadable=unreadable)
    )


def _names(statement: Mapping[str, Any], element: str, value: str, request: Request, *, lower: bool) -> bool:
    """Whether `Action` (or `NotAction`), `Resource` (or `NotResource`) covers a value."""
    if f"Not{element}" in statement:
        return not _any_match(statement[f"Not{element}"], value, request, lower=lower)
    if element not in statement:
        return element == "Resource"  # a trust policy has none: it speaks of its own role
    return _any_match(statement[element], value, request, lower=lower)


def _any_match(patterns: Any, value: str, request: Request, *, lower: bool) -> bool:
    texts = (_filled(str(pattern), request) for pattern in _listed(patterns))
    return any(_glob(text.lower() if lower else text).fullmatch(value) for text in texts)


def _principal(statement: Mapping[str, Any], request: Request) -> bool:
    """Identity policies name no principal; resource policies and trust policies do."""
    if "NotPrincipal" in statement:
        return statement.get("Effect") == "Deny"
    if "Principal" not in statement:
        return True
    principal = statement["Principal"]
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    services = [str(name) for name in _listed(principal.get("Service"))]
    accounts = [str(name) for name in _listed(principal.get("AWS"))]
    if request.service and request.service in services:
        return True
    return "*" in accounts or any(name in accounts for name in request.principals)


def _conditions(blocks: Mapping[str, Any], request: Request, *, unreadable: bool) -> bool:
    """Every operator and every key must hold; an operator unknown here counts as `unreadable` says."""
    for operator, keys in blocks.items():
        for key, expected in keys.items():
            values = [_filled(_text(value), request) for value in _listed(expected)]
            held = _holds(operator, values, request.context.get(str(key).lower()))
            if not (unreadable if held is None else held):
                return False
    return True


def _holds(operator: str, expected: list[str], actual: str | None) -> bool | None:
    name, optional = operator.rpartition(":")[2], False
    for_all = operator.startswith("ForAllValues:")
    if name.endswith("IfExists"):
        name, optional = name.removesuffix("IfExists"), True
    if name == "Null":
        return (actual is None) == (expected[:1] == ["true"])
    known = _OPERATORS.get(name)
    if known is None:
        return None
    matches, negated = known
    if actual is None:
        # A missing key satisfies negated operators, IfExists and ForAllValues, as IAM's own logic has it.
        return negated or optional or for_all
    found = any(matches(value, actual) for value in expected)
    return not found if negated else found


def _equal(expected: str, actual: str) -> bool:
    return expected == actual


def _equal_any_case(expected: str, actual: str) -> bool:
    return expected.lower() == actual.lower()


def _like(expected: str, actual: str) -> bool:
    return _glob(expected).fullmatch(actual) is not None


def _arn_like(expected: str, actual: str) -> bool:
    """ARNs match part by part: a wildcard does not reach over one of the first five colons."""
    left, right = expected.split(":", 5), actual.split(":", 5)
    return len(left) == len(right) and all(_like(*pair) for pair in zip(left, right, strict=True))


_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_any_case, False),
    "StringNotEqualsIgnoreCase": (_equal_any_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "Bool": (_equal_any_case, False),
}
"""Condition operator -> (comparison, negated)."""


def _filled(text: str, request: Request) -> str:
    """Replace policy variables such as `${aws:SourceAccount}`; one with no value stays and matches nothing."""
    return _VARIABLE.sub(lambda match: request.context.get(match[1].lower(), match[0]), text)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in pattern), re.DOTALL)
