"""From answers to results: every metric, for student and base, against the teacher and the references.

Retention is the student's score over the teacher's on the references. Without references the teacher's answer is the
reference, so that the teacher scores 1 and retention is the student's agreement with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import fsum
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from bedrock_distill.evaluation.likelihood import gain_bound, retention_bound, spoken_for
from bedrock_distill.evaluation.metrics import Metric, score_all
from bedrock_distill.evaluation.noninferiority import difference_lower_bound
from bedrock_distill.evaluation.resampling import percentile_interval, resampled_ratios
from bedrock_distill.evaluation.statistics import (
    Estimate,
    PairCounts,
    mcnemar_mid_p_value,
    mcnemar_p_value,
    retention_lower_bound,
    wilson_interval,
)

if TYPE_CHECKING:
    from bedrock_distill.evaluation.grading import Grades

__all__ = [
    "Basis",
    "Comparison",
    "MetricResult",
    "Paired",
    "Precision",
    "SideScores",
    "Texts",
    "compared",
    "gain_lower_bound",
    "labelled_places",
    "mean_estimate",
    "paired_tests",
    "retention_estimate",
    "score",
    "seed_of",
]

Basis: TypeAlias = Literal["references", "agreement", "grades"]
"""What retention rests on: scores against the references, against the teacher's answers, or scores that somebody else gave."""

Texts: TypeAlias = tuple[str | None, ...]
"""One side's answers; None where a call failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How intervals are found."""

    confidence: float = 0.95
    """Two-sided level."""
    resamples: int = 10_000
    """How many bootstrap resamples."""
    seed: int = 0
    """Where their randomness starts; the same seed gives the same intervals."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Scores of a side and of the teacher on the same prompts: what retention is made of."""

    side: tuple[float, ...]
    teacher: tuple[float, ...]

    @property
    def binary(self) -> bool:
        """Whether every score is 0 or 1."""
        return _binary(self.side) and _binary(self.teacher)

    @property
    def counts(self) -> PairCounts:
        """The four counts of scores that are 0 or 1."""
        return PairCounts.of(self.side, self.teacher)

    def lower_bound(self, alpha: float) -> float | None:
        """The one-sided lower confidence bound of retention; None where the teacher scores nothing.

        A score test with continuity correction for scores of 0 and 1, empirical likelihood for others.
        """
        if self.binary:
            return retention_lower_bound(self.counts, alpha)
        return retention_bound(self.side, self.teacher, alpha) if sum(self.teacher) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SideScores:
    """What one metric says of the student, or of the base."""

    agreement: Estimate
    """Mean score against the teacher's answers, over all prompts."""
    reference: Estimate | None
    """Mean score against the references, over the prompts that have one."""
    retention: Estimate
    """Score over the teacher's."""
    paired: Paired
    """The scores that retention rests on."""
    by_prompt: tuple[float, ...]
    """Scores against the teacher's answers, prompt by prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """McNemar's exact test of two sides on the same prompts."""

    first: str
    second: str
    against: Literal["references", "teacher"]
    """What both were scored against."""
    counts: PairCounts
    p_value: float
    """Two-sided: how often chance alone would set them at least so far apart."""
    mid_p_value: float
    """The same with what was observed counted half: less cautious, nearer to the nominal error rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """Everything that one metric says."""

    name: str
    about: str
    basis: Basis
    student: SideScores
    base: SideScores | None
    teacher: Estimate | None
    """The teacher's own score against the references, where there are any."""
    comparisons: tuple[Comparison, ...]
    """Only where every score is 0 or 1."""
    grades: Grades | None = field(default=None, repr=False)
    """Where the basis is `grades`: the scores as they were given."""

    @property
    def absolute(self) -> bool:
        """Whether the teacher has a score of its own, that the student's is compared with."""
        return self.basis != "agreement"


def score(
    metric: Metric,
    *,
    student: Texts,
    teacher: Texts,
    base: Texts | None,
    references: Texts,
    precision: Precision,
) -> MetricResult:
    """Score all sides by one metric.

    Args:
        metric: The metric.
        student: The student's answers.
        teacher: The teacher's answers.
        base: The untrained base's answers, or None.
        references: Golden completions, None where a prompt has none.
        precision: How intervals are found.
    """
    labelled = labelled_places(references, teacher)
    golden = tuple(references[place] for place in labelled)

    def on_references(texts: Texts) -> tuple[float, ...]:
        return score_all(metric, [texts[place] for place in labelled], golden)

    teacher_scores = on_references(teacher) if labelled else None

    def side(name: str, texts: Texts) -> SideScores:
        by_prompt = score_all(metric, texts, teacher)
        seed = seed_of(precision, metric.name, name)
        agreement = mean_estimate(by_prompt, precision, seed)
        if teacher_scores is None:
            paired = Paired(by_prompt, (1.0,) * len(by_prompt))
            return SideScores(
                agreement=agreement, reference=None, retention=agreement, paired=paired, by_prompt=by_prompt
            )
        paired = Paired(on_references(texts), teacher_scores)
        return SideScores(
            agreement=agreement,
            reference=mean_estimate(paired.side, precision, seed),
            retention=_retention(paired, precision, seed),
            paired=paired,
            by_prompt=by_prompt,
        )

    scored = side("student", student)
    untrained = side("base", base) if base is not None else None
    return MetricResult(
        name=metric.name,
        about=metric.about,
        basis="references" if labelled else "agreement",
        student=scored,
        base=untrained,
        teacher=None
        if teacher_scores is None
        else mean_estimate(teacher_scores, precision, seed_of(precision, metric.name, "teacher")),
        comparisons=tuple(paired_tests(scored, untrained, labelled=bool(labelled))),
    )


def compared(
    name: str,
    about: str,
    *,
    student: tuple[float, ...],
    base: tuple[float, ...] | None,
    precision: Precision,
) -> MetricResult:
    """The result of scores that compare a side with the teacher directly, such as a judge's; 1 is as good.

    Args:
        name: The metric's name.
        about: What it means, in one sentence.
        student: The student's scores, prompt by prompt.
        base: The untrained base's, or None.
        precision: How intervals are found.
    """

    def side(of: str, scores: tuple[float, ...]) -> SideScores:
        rate = mean_estimate(scores, precision, seed_of(precision, name, of))
        paired = Paired(scores, (1.0,) * len(scores))
        return SideScores(agreement=rate, reference=None, retention=rate, paired=paired, by_prompt=scores)

    return MetricResult(
        name=name,
        about=about,
        basis="agreement",
        student=side("student", student),
        base=None if base is None else side("base", base),
        teacher=None,
        comparisons=(),
    )


def gain_lower_bound(first: tuple[float, ...], second: tuple[float, ...], alpha: float) -> float:
    """The one-sided lower confidence bound of one side's mean score less another's on the same prompts.

    Tango's score test for scores of 0 and 1, empirical likelihood for others.
    """
    if _binary(first) and _binary(second):
        return difference_lower_bound(PairCounts.of(first, second), alpha)
    return gain_bound(first, second, alpha)


def labelled_places(references: Texts, teacher: Texts) -> list[int]:
    """Places of the prompts that retention on references rests on; where there are none, it rests on all prompts.

    A prompt that the teacher failed on says nothing of retention: scoring it 0 there would flatter the student.
    """
    return [
        place
        for place, (reference, answer) in enumerate(zip(references, teacher, strict=True))
        if reference is not None and answer is not None
    ]


def retention_estimate(paired: Paired, precision: Precision, seed: str) -> Estimate:
    """Retention with its interval, of all prompts or of some; at least one."""
    if all(score == 1 for score in paired.teacher):
        return mean_estimate(paired.side, precision, seed)
    return _retention(paired, precision, seed)


def seed_of(precision: Precision, metric: str, side: str) -> str:
    """The seed of one side's intervals by one metric."""
    # A seed of its own for each estimate: adding a metric or a side changes no other interval.
    return f"{precision.seed}:{metric}:{side}"


def mean_estimate(scores: tuple[float, ...], precision: Precision, seed: str) -> Estimate:
    """The mean of scores with its interval: Wilson's for scores of 0 and 1, the bootstrap's for others."""
    value = fmean(scores)
    if _binary(scores):
        low, high = wilson_interval(round(sum(scores)), len(scores), precision.confidence)
        method = "Wilson"
    else:
        means = resampled_ratios(scores, None, precision.resamples, seed=seed)
        low, high = percentile_interval(means, precision.confidence)
        seen = spoken_for(len(scores), (1 - precision.confidence) / 2)
        most = max(1.0, *scores)
        low, high = min(low, value * seen), max(high, most - (most - value) * seen)
        method = "bootstrap"
    return Estimate(
        value=value, low=low, high=high, confidence=precision.confidence, method=method, n=len(scores)
    )


def _retention(paired: Paired, precision: Precision, seed: str) -> Estimate:
    confidence, n = precision.confidence, len(paired.side)
    total = fsum(paired.teacher)
    if not total:
        return Estimate(value=None, low=None, high=None, confidence=confidence, method="undefined", n=n)
    ratios = resampled_ratios(paired.side, paired.teacher, precision.resamples, seed=seed)
    low, high = percentile_interval(ratios, confidence)
    method = "paired bootstrap"
    value = fsum(paired.side) / total
    if not paired.binary:
        seen = spoken_for(n, (1 - confidence) / 2)
        low, high = min(low, value * seen), max(high, value / seen)
    elif low == high:
        # Every resample is alike, which is no certainty: it is what a small sample without a difference looks like.
        low, high = _score_interval(paired.counts, confidence)
        method = "score test"
    return Estimate(value=value, low=low, high=high, confidence=confidence, method=method, n=n)


def _score_interval(counts: PairCounts, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    swapped = PairCounts(counts.both, counts.second_only, counts.first_only, counts.neither)
    inverse = retention_lower_bound(swapped, tail)
    if inverse:
        return retention_lower_bound(counts, tail) or 0.0, 1 / inverse
    # A student that is never right has no inverse. Its highest rate over the teacher's lowest is wide, and finite.
    hits, of_teacher = counts.both + counts.first_only, counts.both + counts.second_only
    most = wilson_interval(hits, counts.n, confidence)[1]
    return 0.0, most / wilson_interval(of_teacher, counts.n, confidence)[0]


def paired_tests(student: SideScores, base: SideScores | None, *, labelled: bool) -> list[Comparison]:
    """McNemar's test of the student against the teacher and the base, where every score is 0 or 1."""
    found = []
    against: Literal["references", "teacher"] = "references" if labelled else "teacher"
    if labelled and student.paired.binary:
        found.append(_compare("student", "teacher", against, student.paired.counts))
    if base is not None and _binary(student.paired.side) and _binary(base.paired.side):
        counts = PairCounts.of(student.paired.side, base.paired.side)
        found.append(_compare("student", "base", against, counts))
    return found


def _compare(
    first: str, second: str, against: Literal["references", "teacher"], counts: PairCounts
) -> Comparison:
    return Comparison(
        first=first,
        second=second,
        against=against,
        counts=counts,
        p_value=mcnemar_p_value(counts.first_only, counts.second_only),
        mid_p_value=mcnemar_mid_p_value(counts.first_only, counts.second_only),
    )


def _binary(scores: tuple[float, ...]) -> bool:
    return all(score in (0, 1) for score in scores)
