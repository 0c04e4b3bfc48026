"""How much more a student would learn from more examples: a learning curve, drawn with a small student on this machine.

A part of the records is held out first, near-duplicates on one side. Students are trained on growing, nested subsets of the
others, asked the held-out prompts, and scored by how often they agree with the logged answers. Through these points goes a
saturating power law (`saturating`), which says what more examples would bring, or that the points cannot tell.

The student here is not Bedrock's. The shape of the curve carries over, its height does not: a larger student agrees more, and
mostly needs fewer examples for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec
import numpy as np
import xxhash

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.evaluation.metrics import choose_metrics, score_all
from bedrock_distill.profiling.saturating import Interval, Laws, fit_laws, interval_of
from bedrock_distill.records.curation.clusters import near_duplicates
from bedrock_distill.records.schema import Record
from bedrock_distill.records.tokens import joined_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bedrock_distill.evaluation.metrics import MetricChoice

__all__ = ["FEWEST_RECORDS", "Forecast", "Learn", "LearningCurve", "Point", "learning_curve", "split_apart"]

Learn: TypeAlias = Callable[[Sequence[Record], Sequence[Record]], Sequence[str | None]]
"""Learns from records with completions, and answers prompts: one text each, or None where it has none."""

FEWEST_RECORDS: Final = 100
"""Different records that a curve needs."""
WORTH: Final = 0.01
"""Agreement that is worth more examples: one answer in a hundred."""

_SIZES: Final = 5
_LEAST_SIZE: Final = 20
_HELD_SHARE, _HELD_LEAST, _HELD_MOST = 0.2, 40, 300
_LARGE_CLUSTER: Final = 0.1
"""Clusters of more than that share of the records are learned from: held out, they would be most of the test."""
_FACTORS: Final = (1, 2, 4, 8)
_SURE: Final = 0.9
_VAGUE: Final = 10.0
"""An interval whose ends differ by that factor says nothing."""
_MOST: Final = 1e12

Tendency: TypeAlias = Literal["more helps", "plateau", "cannot tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One training."""

    examples: int
    agreement: float
    """Mean score of the student's answers against the logged ones."""
    deviation: float
    """Standard deviation of that, as far as it comes from which prompts were held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What so many examples would bring."""

    examples: int
    agreement: Interval
    gain: Interval
    """Over the examples there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """Points, and what they say of more examples."""

    metric: str
    held_out: int
    points: tuple[Point, ...]
    forecasts: tuple[Forecast, ...]
    """With as many examples as there are, twice as many, and so on."""
    plateau: Interval
    """Agreement that no number of examples surpasses."""
    enough_at: Interval | None
    """Examples from which twice as many bring less than `WORTH`; None where the points cannot tell."""
    tendency: Tendency
    chance: float
    """Probability that twice as many examples bring at least `WORTH`."""

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return self.points[-1].examples

    def to_dict(self) -> dict[str, Any]:
        """The curve as plain values for JSON."""
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return document

    def __str__(self) -> str:
        lines = [f"Learning curve by {self.metric}, {self.held_out} prompts held out"]
        lines += [
            f"  {point.examples:>7,} examples  agreement {point.agreement:.3f}" for point in self.points
        ]
        lines += [
            f"  {each.examples:>7,} examples  expected  {each.agreement}" for each in self.forecasts[1:]
        ]
        lines.append(f"  plateau            expected  {self.plateau}")
        return "\n".join([*lines, self.says])

    @property
    def says(self) -> str:
        """The upshot, in a sentence or two."""
        twice = self.forecasts[1]
        if self.tendency == "cannot tell":
            return (
                f"Cannot tell whether more examples help: {twice.examples:,} instead of {self.examples:,} would bring "
                f"{twice.gain}, and the chance of at least {WORTH} is {self.chance:.0%}."
            )
        if self.tendency == "plateau":
            return f"More examples bring little: {twice.examples:,} instead of {self.examples:,} would bring {twice.gain}."
        end = (
            "where that ends, these points cannot tell"
            if self.enough_at is None
            else f"from about {self.enough_at.value:,.0f} examples on, twice as many bring less than {WORTH}"
        )
        return f"More examples help: {twice.examples:,} instead of {self.examples:,} would bring {twice.gain}; {end}."


def learning_curve(
    records: Iterable[Record],
    *,
    learn: Learn | None = None,
    sizes: Sequence[int] | None = None,
    metric: MetricChoice | None = None,
    seed: int = 0,
    on_point: Callable[[Point], None] | None = None,
) -> LearningCurve:
    """Train on growing subsets of records, and say what more of them would bring.

    Args:
        records: Prompts with their logged answers; records without an answer are left out.
        learn: What learns and answers. Default: a small student, trained on this machine, which needs `[local]`.
        sizes: Examples to learn from, ascending, at least three. Default: five, from a sixteenth of what there is.
        metric: How answers are compared; a score is from 0 to 1. Default: as for `evaluate`.
        seed: Another seed, another split and other subsets.
        on_point: Told each point as it is there.

    Raises:
        DataError: If there are too few different records.
        SpecError: If sizes or the metric make no sense.
        MissingDependencyError: If no `learn` is given and the trainer is not installed.
    """
    labelled = {record.prompt: record for record in records if record.completion}
    if len(labelled) < FEWEST_RECORDS:
        raise DataError(
            f"A learning curve needs at least {FEWEST_RECORDS} different prompts with answers, and there are "
            f"{len(labelled)}: log more calls with their answers, or widen the selection."
        )
    learned, held = split_apart(list(labelled.values()), seed)
    steps = _sizes(sizes, len(learned))
    targets = [record.completion for record in held]
    chosen = choose_metrics(metric, [target or "" for target in targets])[0]
    if learn is None:
        from bedrock_distill.profiling.training import LocalStudent  # noqa: PLC0415 - it needs [local]

        learn = LocalStudent.for_records(learned, seed=seed)
    prompts = [record.prompt for record in held]
    points = []
    for size in steps:
        answers = learn(learned[:size], prompts)
        if len(answers) != len(prompts):
            raise SpecError(
                f"learn gave {len(answers)} answers to {len(prompts)} prompts: give one for each, and None where there is none.",
                field="learn",
                value=len(answers),
            )
        scores = np.array(score_all(chosen, answers, targets))
        if scores.max() > 1:
            raise SpecError(
                f"The metric {chosen.name!r} returned {scores.max()}: a learning curve needs scores from 0 to 1.",
                field="metric",
                value=chosen.name,
            )
        points.append(_point(size, scores))
        if on_point is not None:
            on_point(points[-1])
    laws = fit_laws(
        steps,
        [1 - point.agreement for point in points],
        [point.deviation for point in points],
        seed=seed,
    )
    return _curve(chosen.name, len(held), tuple(points), laws)


def _point(size: int, scores: np.ndarray[Any, np.dtype[np.float64]]) -> Point:
    n = len(scores)
    # As with one more prompt of either kind, so that a perfect score is no certainty.
    smooth = (scores.sum() + 1) / (n + 2)
    variance = max(
        float(scores.var()), smooth * (1 - smooth) if set(scores.tolist()) <= {0.0, 1.0} else 1 / n
    )
    return Point(examples=size, agreement=float(scores.mean()), deviation=math.sqrt(variance / n))


def _sizes(wanted: Sequence[int] | None, count: int) -> list[int]:
    if wanted is None:
        least = max(_LEAST_SIZE, count / 16)
        return sorted({round(size) for size in np.geomspace(least, count, _SIZES)})
    sizes = list(wanted)
    if len(sizes) < 3 or sorted(set(sizes)) != sizes or sizes[0] < 1 or sizes[-1] > count:
        raise SpecError(
            f"sizes is {sizes}; give at least three different numbers, ascending, from 1 to {count:,}, which is what is "
            "left to learn from beside the held-out prompts.",
            field="sizes",
            value=sizes,
        )
    return sizes


def split_apart(records: Sequence[Record], seed: int) -> tuple[list[Record], list[Record]]:
    """Records to learn from and records to test with, each in an order drawn by hash; near-duplicates on one side.

    Raises:
        DataError: If nearly all are near-duplicates of each other.
    """
    texts = [joined_texts(record.prompt) for record in records]
    draws = [xxhash.xxh3_64_intdigest(text, seed) for text in texts]
    leaders = near_duplicates([text.decode("utf-8", "replace") for text in texts]).tolist()
    clusters: dict[int, list[int]] = {}
    for place in sorted(range(len(records)), key=draws.__getitem__):
        clusters.setdefault(leaders[place], []).append(place)
    wanted = min(max(_HELD_LEAST, round(_HELD_SHARE * len(records))), _HELD_MOST)
    learned: list[int] = []
    held: list[int] = []
    for places in clusters.values():
        small = len(places) <= _LARGE_CLUSTER * len(records)
        (held if small and len(held) + len(places) <= wanted else learned).extend(places)
    if len(held) < _HELD_LEAST // 2 or len(learned) < _LEAST_SIZE:
        raise DataError(
            f"Of {len(records):,} records nearly all are near-duplicates of each other ({len(clusters):,} clusters): nothing "
            "can be held out that a student has not seen. Leave near-duplicates out, or log more varied calls."
        )
    learned.sort(key=draws.__getitem__)
    held.sort(key=draws.__getitem__)
    return [records[place] for place in learned], [records[place] for place in held]


def _curve(metric: str, held_out: int, points: tuple[Point, ...], laws: Laws) -> LearningCurve:
    count = points[-1].examples
    now = laws.error(count)
    forecasts = tuple(
        Forecast(
            examples=factor * count,
            agreement=interval_of(1 - laws.error(factor * count)),
            gain=interval_of(now - laws.error(factor * count)),
        )
        for factor in _FACTORS
    )
    chance = float(np.mean(now - laws.error(2 * count) >= WORTH))
    enough = interval_of(np.clip(laws.until(WORTH), 1.0, _MOST))
    tendency: Tendency = (
        "more helps" if chance >= _SURE else "plateau" if chance <= 1 - _SURE else "cannot tell"
    )
    return LearningCurve(
        metric=metric,
        held_out=held_out,
        points=points,
        forecasts=forecasts,
        plateau=interval_of(1 - laws.plateau),
        enough_at=enough if enough.high <= _VAGUE * enough.low else None,
        tendency=tendency,
        chance=chance,
    )
