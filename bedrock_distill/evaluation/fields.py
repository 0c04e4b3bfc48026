"""Field by field: where the teacher answers with a JSON object, which of its fields the student gets right."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.evaluation.metrics import parse_json, same_json
from bedrock_distill.evaluation.statistics import Estimate, wilson_interval

if TYPE_CHECKING:
    from bedrock_distill.evaluation.scoring import Texts

__all__ = ["FieldScore", "score_fields"]

_MOST_FIELDS = 50
"""Objects with more different fields than that are maps, not records; the most frequent are scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldScore:
    """How often a field has the teacher's value."""

    name: str
    n: int
    """How many of the teacher's answers have the field."""
    student: Estimate
    base: Estimate | None
    confusions: tuple[tuple[str, str, int], ...]
    """The most frequent differences: the teacher's value, the student's, how often. JSON texts; empty for no value."""


def score_fields(
    *, student: Texts, teacher: Texts, base: Texts | None, confidence: float
) -> tuple[FieldScore, ...]:
    """Score every top-level field of the teacher's objects, the most frequent first.

    Args:
        student: The student's answers.
        teacher: The teacher's answers.
        base: The untrained base's answers, or None.
        confidence: Two-sided level of the intervals.
    """
    wanted = [_object(text) for text in teacher]
    got = [_object(text) for text in student]
    untrained = None if base is None else [_object(text) for text in base]
    fields = Counter(field for value in wanted for field in value)
    return tuple(
        FieldScore(
            name=field,
            n=n,
            student=_rate(field, wanted, got, confidence),
            base=None if untrained is None else _rate(field, wanted, untrained, confidence),
            confusions=_confusions(field, wanted, got),
        )
        for field, n in fields.most_common(_MOST_FIELDS)
    )


def _object(text: str | None) -> dict[str, Any]:
    parsed = None if text is None else parse_json(text)
    return parsed.value if parsed is not None and isinstance(parsed.value, dict) else {}


def _rate(field: str, wanted: list[dict[str, Any]], got: list[dict[str, Any]], confidence: float) -> Estimate:
    hits = [
        field in answer and same_json(answer[field], target[field])
        for target, answer in zip(wanted, got, strict=True)
        if field in target
    ]
    low, high = wilson_interval(sum(hits), len(hits), confidence)
    return Estimate(
        value=sum(hits) / len(hits), low=low, high=high, confidence=confidence, method="Wilson", n=len(hits)
    )


def _confusions(
    field: str, wanted: list[dict[str, Any]], got: list[dict[str, Any]]
) -> tuple[tuple[str, str, int], ...]:
    differences = Counter(
        (_shown(target, field), _shown(answer, field))
        for target, answer in zip(wanted, got, strict=True)
        if field in target and not (field in answer and same_json(answer[field], target[field]))
    )
    return tuple((*pair, count) for pair, count in differences.most_common(3))


def _shown(value: dict[str, Any], field: str) -> str:
    if field not in value:
        return ""
    text = json.dumps(value[field], ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
