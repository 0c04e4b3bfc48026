"""How an answer is scored against another: small named functions from two texts to a number.

A score is 0 or above, higher is better, and 1 means as good as the text it is compared with. JSON is read here too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.judging import Judge
from bedrock_distill.evaluation.wording import (
    chrf,
    cosine_of,
    length_ratio,
    refusal_match,
    rouge_l,
    token_f1,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "JSON_SHARE",
    "METRICS",
    "Metric",
    "MetricChoice",
    "Parsed",
    "ScorerChoice",
    "check_scale",
    "choose_metrics",
    "choose_scorers",
    "embedding_similarity",
    "exact_match",
    "json_equal",
    "json_fields",
    "mostly_json",
    "normalised_match",
    "parse_json",
    "same_json",
    "score_all",
]

JSON_SHARE: Final = 0.9
"""Share of the teacher's answers that must be JSON for JSON metrics to be chosen."""

_ROUNDING: Final = 1e-9
"""An answer compared with itself may be so far from 1: cosines are."""

_MOST_SCORE: Final = 1e100
"""More than that cannot be added up; nor is it a score."""

_NOTHING: Final = object()
"""Stands for a field that is not there; equal to no JSON value."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A scoring function with its name and what it means."""

    name: str
    score: Callable[[str, str], float]
    """Takes the answer, then the text it is compared with."""
    about: str
    """One sentence for reports."""


MetricChoice: TypeAlias = "str | Metric | Callable[[str, str], float]"
"""How a caller names a metric: a name of `METRICS`, a `Metric`, or a function of two texts."""

ScorerChoice: TypeAlias = "MetricChoice | Judge"
"""The same, or a judge, which wants to see the prompts as well."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text read as JSON."""

    value: Any
    fenced: bool
    """Whether it stood in a Markdown code fence."""


@lru_cache(maxsize=65_536)
def parse_json(text: str) -> Parsed | None:
    """Read a text as one JSON value, alone or in one Markdown code fence; None if it is neither.

    NaN and infinities are not JSON, although Python would read them.
    """
    stripped = text.strip()
    fenced = stripped.startswith("```") and stripped.endswith("```") and len(stripped) > 6
    if fenced:
        stripped = stripped[3:-3].partition("\n")[2]
    try:
        return Parsed(json.loads(stripped, parse_constant=_refuse), fenced)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: key order and 1 or 1.0 do not matter, `true` and 1 differ."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def exact_match(answer: str, target: str) -> float:
    """1 if the texts are the same to the character."""
    return float(answer == target)


def normalised_match(answer: str, target: str) -> float:
    """1 if the texts are the same but for case and white space."""
    return float(_normalised(answer) == _normalised(target))


def _normalised(text: str) -> str:
    return " ".join(text.casefold().split())


def json_equal(answer: str, target: str) -> float:
    """1 if both are the same JSON value, and both or neither in a code fence.

    A fence counts because it breaks whatever parses the answers. Where the target is not JSON, this is
    `normalised_match`.
    """
    wanted = parse_json(target)
    if wanted is None:
        return normalised_match(answer, target)
    got = parse_json(answer)
    return float(got is not None and got.fenced == wanted.fenced and same_json(got.value, wanted.value))


def json_fields(answer: str, target: str) -> float:
    """The share of top-level fields with the same value, of all fields that either object has.

    Where the target is not a JSON object, this is `json_equal`.
    """
    wanted = parse_json(target)
    if wanted is None or not isinstance(wanted.value, dict) or not wanted.value:
        return json_equal(answer, target)
    got = parse_json(answer)
    if got is None or not isinstance(got.value, dict):
        return 0.0
    fields = wanted.value.keys() | got.value.keys()
    same = sum(
        same_json(got.value.get(field, _NOTHING), wanted.value.get(field, _NOTHING)) for field in fields
    )
    return same / len(fields)


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("exact_match", exact_match, "The texts are the same to the character."),
        Metric("normalised_match", normalised_match, "The texts are the same but for case and white space."),
        Metric(
            "json_equal", json_equal, "Both are the same JSON value; key order and spacing do not matter."
        ),
        Metric("json_fields", json_fields, "The share of top-level JSON fields with the same value."),
        Metric("token_f1", token_f1, "F1 of the words, without case and punctuation."),
        Metric("rouge_l", rouge_l, "ROUGE-L: F1 of the longest common sequence of words."),
        Metric("chrf", chrf, "chrF2: F-score of runs of one to six characters."),
        Metric("length_ratio", length_ratio, "The shorter length over the longer, in words."),
        Metric("refusal_match", refusal_match, "Both refuse to answer, or neither does."),
    )
}
"""The metrics that have names."""


def embedding_similarity(
    embed: Callable[[str], Sequence[float]], *, name: str = "embedding_similarity"
) -> Metric:
    """A metric from an embedding model of the caller's: the cosine of both texts, and 0 where it is negative.

    Args:
        embed: From a text to its vector. Each text is embedded once.
        name: What reports call the metric; two models need two names.
    """
    return Metric(name, cosine_of(embed), "The cosine of the embeddings of both texts.")


_FOR_JSON = ("json_equal", "json_fields", "normalised_match", "exact_match")
_FOR_TEXT = ("normalised_match", "exact_match")


def mostly_json(texts: Sequence[str]) -> bool:
    """Whether at least `JSON_SHARE` of the texts are a JSON object or array."""
    parsed = (parse_json(text) for text in texts)
    structured = sum(found is not None and isinstance(found.value, (dict, list)) for found in parsed)
    return bool(texts) and structured >= JSON_SHARE * len(texts)


def choose_metrics(
    wanted: MetricChoice | Sequence[MetricChoice] | None, teacher_texts: Sequence[str]
) -> tuple[Metric, ...]:
    """The metrics to use, of those that see two texts and nothing else; arguments and errors are `choose_scorers`'.

    Raises:
        SpecError: If a judge is among them, a name is unknown, or a name stands for two metrics.
    """
    chosen = choose_scorers(wanted, teacher_texts)
    metrics = tuple(metric for metric in chosen if isinstance(metric, Metric))
    if len(metrics) < len(chosen):
        raise SpecError("A judge cannot be used here: name a metric.", field="metrics", value=wanted)
    return metrics


def choose_scorers(
    wanted: ScorerChoice | Sequence[ScorerChoice] | None, teacher_texts: Sequence[str]
) -> tuple[Metric | Judge, ...]:
    """The metrics and judges to use; the first decides.

    Args:
        wanted: One or several names, metrics, judges or functions. None chooses: JSON equality where the teacher answers
            in JSON, and otherwise the match of normalised texts.
        teacher_texts: The teacher's answers.

    Raises:
        SpecError: If a name is unknown or stands for two metrics.
    """
    if wanted is None:
        return tuple(METRICS[name] for name in (_FOR_JSON if mostly_json(teacher_texts) else _FOR_TEXT))
    choices = [wanted] if isinstance(wanted, (str, Metric, Judge)) or callable(wanted) else list(wanted)
    metrics = tuple(_metric(choice) for choice in choices)
    names = [metric.name for metric in metrics]
    if not names or len(set(names)) < len(names):
        raise SpecError(
            f"Metrics need names of their own, at least one: {names}. Give a function a name with "
            "Metric(name, function, about).",
            field="metrics",
            value=names,
        )
    return metrics


def _metric(choice: ScorerChoice) -> Metric | Judge:
    if isinstance(choice, (Metric, Judge)):
        return choice
    if isinstance(choice, str):
        if choice not in METRICS:
            known = ", ".join(METRICS)
            raise SpecError(f"{choice!r} is not a metric. Known are {known}.", field="metrics", value=choice)
        return METRICS[choice]
    name = getattr(choice, "__name__", type(choice).__name__).strip("<>")
    about = (choice.__doc__ or "A function of the caller's.").strip().partition("\n")[0]
    return Metric(name, choice, about)


def score_all(
    metric: Metric, answers: Sequence[str | None], targets: Sequence[str | None]
) -> tuple[float, ...]:
    """A score for each prompt; 0 where either text is missing because its call failed.

    Raises:
        SpecError: If the metric returns something that is not a finite number of 0 or above.
    """
    return tuple(
        0.0 if answer is None or target is None else _score(metric, answer, target, index)
        for index, (answer, target) in enumerate(zip(answers, targets, strict=True))
    )


def check_scale(metric: Metric, scores: Sequence[float], targets: Sequence[str | None]) -> None:
    """Refuse scores on another scale, such as one to 5, where the teacher's answer counts as 1: any student would do.

    Args:
        metric: The metric.
        scores: What it gave to answers compared with the targets.
        targets: The teacher's answers.

    Raises:
        SpecError: If a score is above 1, and the metric gives the target itself more than 1 as well.
    """
    for index, (score, target) in enumerate(zip(scores, targets, strict=True)):
        own = _score(metric, target, target, index) if score > 1 and target is not None else 1.0
        if own > 1 + _ROUNDING:
            raise SpecError(
                f"The metric {metric.name!r} gives {score:g} on prompt {index}, and {own:g} to the teacher's own answer. Without "
                "references the teacher counts as 1: divide the scores by the best there can be, or give golden completions.",
                field="metrics",
                value=score,
            )


def _score(metric: Metric, answer: str, target: str, index: int) -> float:
    try:
        score = float(metric.score(answer, target))
    except Exception as error:
        error.add_note(f"The metric {metric.name!r} raised this on prompt {index} (counted from 0).")
        raise
    if not 0 <= score <= _MOST_SCORE:
        raise SpecError(
            f"The metric {metric.name!r} returned {score} on prompt {index}. A score is a finite number, 0 or above, "
            "higher where the answer is better.",
            field="metrics",
            value=score,
        )
    return score
