"""Resource policies for log delivery: the one statement Bedrock needs, put in and taken out of a policy of others. Pure.

What is read here is judged with caution. A policy allows only where a statement surely covers the delivery; it may deny
where a Deny statement cannot be ruled out. Source of the statement: Amazon Bedrock user guide, model-invocation-logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import same_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bedrock_distill.uris import S3Uri

__all__ = [
    "MAX_POLICY_BYTES",
    "SID",
    "Verdict",
    "delivery_statement",
    "judge",
    "key_statement",
    "orphans",
    "with_statement",
    "without_statement",
]

Document = dict[str, Any]

BEDROCK = "bedrock.amazonaws.com"
"""The service that delivers logs."""

SID = "AmazonBedrockLogsWrite"
"""Name of the statement, as the user guide has it."""

MAX_POLICY_BYTES = 20 * 1024
"""S3's limit for a bucket policy."""

_ORPHAN = re.compile(r"A[A-Z0-9]{15,}")
"""The unique id that AWS shows for a principal that was deleted."""


def delivery_statement(*, partition: str, region: str, account_id: str, root: S3Uri) -> Document:
    """The bucket policy's statement that lets Bedrock write this account's logs of this region under `root`."""
    return {
        "Sid": SID,
        "Effect": "Allow",
        "Principal": {"Service": BEDROCK},
        "Action": "s3:PutObject",
        "Resource": f"arn:{partition}:s3:::{root.bucket}/{root.key}/*",
        "Condition": _only_from(partition, region, account_id),
    }


def key_statement(*, partition: str, region: str, account_id: str) -> Document:
    """The key policy's statement that lets Bedrock encrypt this account's logs of this region."""
    return {
        "Sid": "AmazonBedrockLogsEncrypt",
        "Effect": "Allow",
        "Principal": {"Service": BEDROCK},
        "Action": "kms:GenerateDataKey",
        "Resource": "*",
        "Condition": _only_from(partition, region, account_id),
    }


def _only_from(partition: str, region: str, account_id: str) -> Document:
    return {
        "StringEquals": {"aws:SourceAccount": account_id},
        "ArnLike": {"aws:SourceArn": f"arn:{partition}:bedrock:{region}:{account_id}:*"},
    }


def with_statement(policy: Mapping[str, Any] | None, statement: Document) -> Document:
    """The policy with this statement; the same policy where it grants all of it already.

    A statement that differs from this one only in its resources gets one resource more, so that there is one statement
    however many prefixes were logged to.
    """
    document = dict(policy) if policy is not None else {"Version": "2012-10-17"}
    others = _listed(document.get("Statement"))
    if judge(policy, statement).allows:
        return document
    for index, other in enumerate(others):
        if _akin(other, statement):
            resources = [*_listed(other["Resource"]), statement["Resource"]]
            others[index] = {**other, "Resource": resources}
            return {**document, "Statement": others}
    taken = {other.get("Sid") for other in others if isinstance(other, dict)}
    sid = next(name for name in _names() if name not in taken)
    return {**document, "Statement": [*others, {**statement, "Sid": sid}]}


def without_statement(policy: Mapping[str, Any] | None, statement: Document) -> Document | None:
    """The policy without this statement; None where nothing is left of it."""
    if policy is None:
        return None
    kept: list[Any] = []
    others = _listed(policy.get("Statement"))
    for other in others:
        resources = _listed(other["Resource"]) if _akin(other, statement) else []
        if statement["Resource"] not in resources:
            kept.append(other)
        elif len(resources) > 1:
            kept.append({**other, "Resource": [each for each in resources if each != statement["Resource"]]})
    if kept == others:
        return dict(policy)
    return {**policy, "Statement": kept} if kept else None


def _names() -> Iterator[str]:
    yield SID
    number = 2
    while True:
        yield f"{SID}{number}"
        number += 1


def _akin(other: Any, statement: Document) -> bool:
    """Whether a statement is this one, for the same resource or others."""
    if not isinstance(other, dict) or "Resource" not in other:
        return False
    if not str(other.get("Sid", "")).startswith(SID):
        return False
    return same_json(_rest(other), _rest(statement))


def _rest(statement: Mapping[str, Any]) -> Document:
    return {name: value for name, value in statement.items() if name not in ("Sid", "Resource")}


def orphans(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Principals that were deleted since: AWS shows their ids, and refuses a policy that names them when it is put."""
    found = []
    for statement in _statements(policy):
        principal = statement.get("Principal")
        names = _listed(principal.get("AWS")) if isinstance(principal, dict) else []
        found += [name for name in names if isinstance(name, str) and _ORPHAN.fullmatch(name)]
    return tuple(found)


# Judging ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says to what a statement would grant."""

    allows: bool
    """Whether some statement surely grants all of it."""
    may_allow: bool
    """Whether some statement cannot be ruled out to."""
    denied_by: tuple[str, ...]
    """Deny statements that cannot be ruled out, by their Sid or place."""


def judge(policy: Mapping[str, Any] | None, statement: Document) -> Verdict:
    """What a policy says to what a statement such as `delivery_statement` would grant."""
    context = {
        key.lower(): str(value)
        for keys in statement.get("Condition", {}).values()
        for key, value in keys.items()
    }
    context |= {
        "aws:securetransport": "true",
        "aws:principalisawsservice": "true",
        "aws:principalservicename": BEDROCK,
    }
    allows, may_allow, denied_by = False, False, []
    for number, other in enumerate(_statements(policy), 1):
        denies = other.get("Effect") == "Deny"
        held = (
            _speaks_of_bedrock(other),
            _covers(other, "Action", statement["Action"], part=denies, fold=True),
            _covers(other, "Resource", statement["Resource"], part=denies, fold=False),
            _conditions(other.get("Condition"), context),
        )
        if False in held:
            continue
        if denies:
            denied_by.append(str(other.get("Sid") or f"statement {number}"))
        elif other.get("Effect") == "Allow":
            allows, may_allow = allows or all(held), True
    return Verdict(allows, may_allow, tuple(denied_by))


def _speaks_of_bedrock(statement: Mapping[str, Any]) -> bool | None:
    if "NotPrincipal" in statement:
        return None
    principal = statement.get("Principal")
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    names = [*_listed(principal.get("Service")), *_listed(principal.get("AWS"))]
    return BEDROCK in names or "*" in names


def _covers(statement: Mapping[str, Any], element: str, ours: str, *, part: bool, fold: bool) -> bool | None:
    """Whether Action or Resource covers ours; with `part`, whether it covers any of it. None where it cannot be told."""
    excluded = statement.get(f"Not{element}")
    if excluded is not None:
        # All but these: nothing of ours is left if ours is among them.
        return False if any(_glob(str(each), fold=fold)(ours) for each in _listed(excluded)) else None
    patterns = [str(each) for each in _listed(statement.get(element))]
    if any(_glob(pattern, fold=fold)(ours) for pattern in patterns):
        return True
    return part and any(_glob(ours, fold=fold)(pattern) for pattern in patterns)


def _conditions(blocks: Any, context: Mapping[str, str]) -> bool | None:
    """Whether all conditions hold; None where some cannot be told and none fails."""
    held: list[bool | None] = []
    for operator, keys in (blocks or {}).items():
        for key, values in keys.items():
            held.append(_holds(operator, _listed(values), context.get(str(key).lower())))
    return False if False in held else None if None in held else True


def _holds(operator: str, values: list[Any], actual: str | None) -> bool | None:
    compare = _OPERATORS.get(operator.removesuffix("IfExists"))
    expected = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    if compare is None or actual is None or any("${" in value for value in expected):
        return None
    matches, negated = compare
    return any(matches(value, actual) for value in expected) != negated


def _equal(expected: str, actual: str) -> bool:
    return expected == actual


def _like(expected: str, actual: str) -> bool:
    return _glob(expected, fold=False)(actual)


_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_like, False),
    "ArnNotEquals": (_like, True),
    "ArnLike": (_like, False),
    "ArnNotLike": (_like, True),
    "Bool": (_equal, False),
}
"""Condition operator -> comparison, and whether its result is turned round."""


@cache
def _glob(pattern: str, *, fold: bool) -> Callable[[str], bool]:
    """A test for AWS's wildcards. A `*` in what is tested stands for itself, so that one pattern can cover another."""
    parts = {"*": ".*", "?": "."}
    compiled = re.compile(
        "".join(parts.get(char) or re.escape(char) for char in pattern),
        re.DOTALL | (re.IGNORECASE if fold else re.NOFLAG),
    )
    return lambda text: compiled.fullmatch(text) is not None


def _statements(policy: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [each for each in _listed((policy or {}).get("Statement")) if isinstance(each, dict)]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
