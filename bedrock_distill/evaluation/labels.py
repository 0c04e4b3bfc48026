"""Answers that are labels: precision, recall and F1 of each label, and their mean over the labels.

Labels are looked for in whole answers and in the top-level fields of JSON objects. What a side says that is no label of the
wanted ones counts against the recall of the label it should have said, and makes no label of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bedrock_distill.evaluation.metrics import parse_json
from bedrock_distill.evaluation.resampling import percentile_interval
from bedrock_distill.evaluation.statistics import Estimate, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bedrock_distill.evaluation.scoring import Precision, Texts

__all__ = ["ClassificationReport", "LabelScore", "classification_report", "classify", "find_labels"]

_MOST_LABELS: Final = 50
_LONGEST: Final = 60
_LEAST_OF_EACH: Final = 5
"""Texts that occur less often than that on average are answers, not labels."""

_AT_ONCE: Final = 1000
"""Resamples drawn together: bounds the memory, whatever the number of labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """How well one label is recognised."""

    label: str
    support: int
    """How many prompts should have it."""
    predicted: int
    """How many prompts were given it."""
    precision: Estimate
    """Of those that were given it, the share that should have it; undefined where none was."""
    recall: Estimate
    """Of those that should have it, the share that was given it."""
    f1: float
    """Harmonic mean of both; 0 where no prompt was rightly given it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationReport:
    """How well one side recognises the labels."""

    side: str
    field: str
    """The JSON field that holds the label, or an empty string where the whole answer is one."""
    against: str
    """`references` or `teacher`: whose labels are wanted."""
    n: int
    accuracy: Estimate
    macro_precision: float
    macro_recall: float
    macro_f1: Estimate
    """Mean F1 of the wanted labels, each counting the same however rare it is."""
    labels: tuple[LabelScore, ...]
    """The most frequent first."""


def find_labels(wanted: Sequence[str | None]) -> bool:
    """Whether texts are labels: 2 to 50 different ones, short, each occurring five times on average."""
    counts = Counter(label for label in wanted if label is not None)
    return (
        2 <= len(counts) <= _MOST_LABELS
        and all(0 < len(label) <= _LONGEST for label in counts)
        and counts.total() >= _LEAST_OF_EACH * len(counts)
    )


def classify(
    sides: Mapping[str, Texts], *, teacher: Texts, references: Texts, precision: Precision
) -> tuple[ClassificationReport, ...]:
    """Reports for every side, wherever the wanted answers are labels; empty where they are not.

    Args:
        sides: Answers by side.
        teacher: The teacher's answers: what is wanted where there are no references.
        references: Golden completions, None where a prompt has none.
        precision: How intervals are found.
    """
    labelled = any(reference is not None for reference in references)
    against, golden = ("references", references) if labelled else ("teacher", teacher)
    asked = {side: texts for side, texts in sides.items() if labelled or side != "teacher"}
    found = []
    for field in ("", *_fields(golden)):
        wanted = [_label(text, field) for text in golden]
        if not find_labels(wanted):
            continue
        found += [
            classification_report(
                [_label(text, field) for text in texts],
                wanted,
                side=side,
                field=field,
                against=against,
                precision=precision,
            )
            for side, texts in asked.items()
        ]
    return tuple(found)


def classification_report(
    got: Sequence[str | None],
    wanted: Sequence[str | None],
    *,
    side: str,
    field: str = "",
    against: str = "references",
    precision: Precision,
) -> ClassificationReport:
    """Score labels against the wanted ones.

    Args:
        got: A label for each prompt; None where there is no answer.
        wanted: The right label; prompts where it is None do not count. At least one is not.
        side: Whose labels they are.
        field: The JSON field they come from.
        against: Where the right ones come from.
        precision: How intervals are found.
    """
    cells = Counter((right, said) for said, right in zip(got, wanted, strict=True) if right is not None)
    support, predicted = Counter[str](), Counter[str | None]()
    for (right, said), count in cells.items():
        support[right] += count
        predicted[said] += count
    scores = tuple(
        _label_score(label, cells[label, label], count, predicted[label], precision.confidence)
        for label, count in sorted(support.items(), key=lambda item: (-item[1], item[0]))
    )
    n = cells.total()
    return ClassificationReport(
        side=side,
        field=field,
        against=against,
        n=n,
        accuracy=_share(sum(cells[label, label] for label in support), n, precision.confidence),
        macro_precision=sum(score.precision.value or 0.0 for score in scores) / len(scores),
        macro_recall=sum(score.recall.value or 0.0 for score in scores) / len(scores),
        macro_f1=_macro_f1(cells, scores, precision, seed=f"{precision.seed}:{side}:{field}"),
        labels=scores,
    )


def _fields(texts: Texts) -> Iterator[str]:
    """Fields that most of the objects have."""
    objects = [
        parsed.value
        for text in texts
        if text is not None and (parsed := parse_json(text)) and isinstance(parsed.value, dict)
    ]
    counts = Counter(field for value in objects for field in value)
    return (field for field, count in counts.most_common(_MOST_LABELS) if 2 * count > len(objects))


def _label(text: str | None, field: str) -> str | None:
    """The label in an answer, without case and with single spaces; None where there is none."""
    parsed = None if text is None else parse_json(text)
    structured = parsed is not None and isinstance(parsed.value, (dict, list))
    if text is None or (not field and structured):
        return None
    if not field:
        return " ".join(text.casefold().split())
    value: Any = parsed.value.get(field) if parsed is not None and isinstance(parsed.value, dict) else None
    if value is None or isinstance(value, (dict, list, float)):
        return None
    return " ".join(value.casefold().split()) if isinstance(value, str) else json.dumps(value)


def _label_score(label: str, hits: int, support: int, predicted: int, confidence: float) -> LabelScore:
    return LabelScore(
        label=label,
        support=support,
        predicted=predicted,
        precision=_share(hits, predicted, confidence),
        recall=_share(hits, support, confidence),
        f1=2 * hits / (support + predicted),
    )


def _share(hits: int, n: int, confidence: float) -> Estimate:
    if not n:
        return Estimate(value=None, low=None, high=None, confidence=confidence, method="undefined", n=0)
    low, high = wilson_interval(hits, n, confidence)
    return Estimate(value=hits / n, low=low, high=high, confidence=confidence, method="Wilson", n=n)


def _macro_f1(
    cells: Counter[tuple[str, str | None]], scores: tuple[LabelScore, ...], precision: Precision, *, seed: str
) -> Estimate:
    """Mean F1 with the interval of the bootstrap: prompts are drawn again, that is, how often each cell occurs."""
    import numpy as np  # noqa: PLC0415 - only where answers are labels

    pairs = sorted(cells, key=lambda pair: (pair[0], pair[1] or ""))
    shares = np.array([cells[pair] for pair in pairs]) / cells.total()
    labels = [score.label for score in scores]
    right = np.array([[pair[0] == label for label in labels] for pair in pairs], dtype=float)
    said = np.array([[pair[1] == label for label in labels] for pair in pairs], dtype=float)
    dice = np.random.default_rng(list(seed.encode()))
    means: list[float] = []
    for begun in range(0, precision.resamples, _AT_ONCE):
        drawn = dice.multinomial(cells.total(), shares, size=min(_AT_ONCE, precision.resamples - begun))
        hits, either = drawn @ (right * said), drawn @ (right + said)
        f1 = np.divide(2 * hits, either, out=np.full_like(hits, np.nan), where=either > 0)
        # A rare label may not be drawn at all; the mean is then that of the others.
        means += np.nanmean(f1, axis=1).tolist()
    low, high = percentile_interval(means, precision.confidence)
    return Estimate(
        value=sum(score.f1 for score in scores) / len(scores),
        low=low,
        high=high,
        confidence=precision.confidence,
        method="bootstrap",
        n=cells.total(),
    )
