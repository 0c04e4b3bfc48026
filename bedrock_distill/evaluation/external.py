"""A report from what another service asked and scored: plain values in, the package's own report out.

Answers of both sides are paired by their prompts. What the service left out is missing, and counts as it does elsewhere: a
missing answer is a failed call, a missing score of the student's is worth nothing, and a gate fails where too much is missing.
Beside the service's scores stand this package's own metrics of the same answers.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bedrock_distill.clock import Clock, SystemClock
from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.evaluation.answers import Answer, Answers
from bedrock_distill.evaluation.fields import score_fields
from bedrock_distill.evaluation.grading import Grades, graded
from bedrock_distill.evaluation.labels import classify
from bedrock_distill.evaluation.metrics import choose_metrics, mostly_json
from bedrock_distill.evaluation.preparing import overlap_of, package_version, precision_of
from bedrock_distill.evaluation.report import Method, Report, summaries
from bedrock_distill.evaluation.scoring import score
from bedrock_distill.evaluation.slices import SliceChoice, score_slices, slice_task
from bedrock_distill.evaluation.tasks import EvaluationData, Task, load_task
from bedrock_distill.records.requests import as_one_text
from bedrock_distill.records.schema import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ExternalAnswer", "ExternalMetric", "ExternalSide", "check_external", "external_report"]

CATEGORY: Final = "category"
"""Key of the metadata that holds the category which the service was told, to slice by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAnswer:
    """One prompt, what a side answered, and the scores that the answer was given."""

    prompt: str
    """As the service was given it."""
    text: str | None
    """The answer, or None where there is none."""
    scores: Mapping[str, float | None]
    """By metric; None or not a key where there is none."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By metric: why, where it was said."""
    reference: str | None = None
    category: str | None = None
    error: str = ""
    """Why there is no answer, or an empty string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSide:
    """All that the service says of one side."""

    name: str
    """What reports call it."""
    model_id: str = ""
    answers: tuple[ExternalAnswer, ...]
    seconds: float = 0.0
    """How long the service took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalMetric:
    """A metric of the service's, and how to read it."""

    name: str
    about: str
    """What it means, in one sentence."""
    most: float = 1.0
    """The best score, or the worst where lower is better; scores are divided by it."""
    lower_is_better: bool = False
    """Such as toxicity: reports show 1 less the score, so that more is better everywhere."""

    def read(self, value: float | None) -> float | None:
        """A score as reports take it: from 0 to 1, more is better. What is no number is missing."""
        if value is None or not math.isfinite(value):
            return None
        share = min(1.0, max(0.0, value / self.most))
        return 1.0 - share if self.lower_is_better else share

    @property
    def shown(self) -> str:
        """The name that reports give it."""
        return f"1 - {self.name}" if self.lower_is_better else self.name


def check_external(
    data: EvaluationData,
    *,
    category: str | None = None,
    slices: SliceChoice | Sequence[SliceChoice] | Mapping[str, SliceChoice] | None = None,
    training: EvaluationData | None = None,
    allow_overlap: bool = False,
    limit: int | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> None:
    """Refuse what no report could be made with, before a service is paid for what goes into it.

    Args:
        data: What the service will be given.
        category: Key of the metadata that it will be told as the category.
        slices: See `external_report`, as for all that follows.
        training: See above.
        allow_overlap: See above.
        limit: See above.
        confidence: See above.
        resamples: See above.
        seed: See above.

    Raises:
        DataError: If a line of the data is no record, or prompts were trained on.
        SpecError: If an argument makes no sense, or there is nothing to slice by.
    """
    precision_of(confidence, resamples, seed, limit=limit)
    task = load_task(data, limit=limit)
    told = [metadata.get(category) if category else None for metadata in task.metadata]
    slice_task(_with_categories(task, told), slices)
    overlap_of(task, training, allowed=allow_overlap)


def external_report(
    student: ExternalSide,
    teacher: ExternalSide,
    *,
    metrics: Sequence[ExternalMetric],
    scored_by: str,
    data: EvaluationData | None = None,
    slices: SliceChoice | Sequence[SliceChoice] | Mapping[str, SliceChoice] | None = None,
    training: EvaluationData | None = None,
    allow_overlap: bool = False,
    limit: int | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    clock: Clock | None = None,
) -> Report:
    """Make a report of what a service found of a student and of its teacher.

    Args:
        student: What the service says of the student.
        teacher: What it says of the teacher, on the same prompts.
        metrics: The metrics to report; the first decides.
        scored_by: Who scored, in words, for the report.
        data: What the service was given, as `evaluate` takes it, so that slices know more of a prompt than its text.
            Default: the prompts of the results.
        slices: By what to divide the prompts, as for `evaluate`; without `data`, `metadata.category` is known.
        training: What the student was trained on, to find the prompts that are in there too.
        allow_overlap: Report them instead of refusing them.
        limit: Only so many prompts of `data`.
        confidence: Two-sided level of the intervals.
        resamples: Bootstrap resamples.
        seed: Where the bootstrap's randomness starts.
        clock: Dates the report. Default: the machine's.

    Raises:
        DataError: If the results are not of these prompts, or a metric scored nothing of the teacher's.
        SpecError: If an argument makes no sense.
    """
    if not metrics or len({metric.name for metric in metrics}) < len(metrics):
        names = [metric.name for metric in metrics]
        raise SpecError(
            f"Metrics must be named once each, at least one: {names}.", field="metrics", value=names
        )
    precision = precision_of(confidence, resamples, seed, limit=limit)
    sides = {"teacher": teacher, "student": student}
    task = _task_of(sides) if data is None else load_task(data, limit=limit)
    matched = {side: _matched(side, given, task, limited=limit is not None) for side, given in sides.items()}
    if data is not None:
        task = _with_categories(task, [each.category if each else None for each in matched["teacher"]])
    slicings = slice_task(task, slices)
    overlap = overlap_of(task, training, allowed=allow_overlap)
    answers = {side: _answers(given, matched[side]) for side, given in sides.items()}
    texts = {side: given.texts for side, given in answers.items()}
    said = [text for text in texts["teacher"] if text is not None]
    grades = {metric.shown: _grades(metric, matched) for metric in metrics}
    if not grades[metrics[0].shown].places:
        raise DataError(
            f"{scored_by} gave no {metrics[0].name} to any answer of the teacher, so that there is nothing to compare with. "
            f"Scored were: {', '.join(name for name, each in grades.items() if each.places) or 'no metric at all'}."
        )
    results = [
        graded(metric.shown, metric.about, grades[metric.shown], precision=precision)
        for metric in metrics
        # A metric beside the first may have scored nothing at all; then there is nothing to show.
        if grades[metric.shown].places
    ]
    own = [
        score(
            metric,
            student=texts["student"],
            teacher=texts["teacher"],
            base=None,
            references=task.references,
            precision=precision,
        )
        for metric in choose_metrics(None, said)
    ]
    clock = clock or SystemClock()
    return Report(
        task=task,
        answers=answers,
        sides=summaries(answers, {}),
        metrics=(*results, *own),
        fields=score_fields(
            student=texts["student"], teacher=texts["teacher"], base=None, confidence=confidence
        )
        if mostly_json(said)
        else (),
        method=Method(
            system=None,
            max_tokens=None,
            temperature=None,
            concurrency=0,
            made_at=clock.now(),
            version=package_version(),
            scored_by=scored_by,
        ),
        precision=precision,
        slices=score_slices(slicings, results[0], places=grades[results[0].name].places, precision=precision),
        overlap=overlap,
        labels=classify(texts, teacher=texts["teacher"], references=task.references, precision=precision),
    )


def _key(prompt: str) -> str:
    """What prompts are matched by: a service may trim them, or break lines in another way."""
    return " ".join(prompt.split())


def _task_of(sides: Mapping[str, ExternalSide]) -> Task:
    """The prompts of the results, each as often as the side has it that has it most often; the teacher's order first."""
    found: list[ExternalAnswer] = []
    for side in sides.values():
        known: defaultdict[str, int] = defaultdict(int)
        for answer in found:
            known[_key(answer.prompt)] += 1
        for answer in side.answers:
            if known[_key(answer.prompt)]:
                known[_key(answer.prompt)] -= 1
            else:
                found.append(answer)
    if not found:
        raise DataError("There is nothing to report: the results hold no prompt.")
    return Task(
        source="the results",
        prompts=tuple(Record.of(answer.prompt) for answer in found),
        references=tuple(answer.reference for answer in found),
        cut=False,
        metadata=tuple({CATEGORY: answer.category} if answer.category else {} for answer in found),
    )


def _matched(
    side: str, given: ExternalSide, task: Task, *, limited: bool
) -> tuple[ExternalAnswer | None, ...]:
    """A side's answers in the order of the prompts; None where there is none."""
    waiting: defaultdict[str, deque[ExternalAnswer]] = defaultdict(deque)
    for answer in given.answers:
        waiting[_key(answer.prompt)].append(answer)
    found = []
    for prompt in task.prompts:
        queue = waiting[_key(as_one_text(prompt))]
        found.append(queue.popleft() if queue else None)
    left = sum(map(len, waiting.values()))
    if left and not limited:
        raise DataError(
            f"{left} of {len(given.answers)} results of the {side} answer prompts that are not in {task.source}: give the "
            "data that they were made from, or none, so that the prompts are taken from the results."
        )
    if not any(found):
        raise DataError(f"The {side} has no result for any prompt of {task.source}.")
    return tuple(found)


def _with_categories(task: Task, categories: Sequence[str | None]) -> Task:
    """The prompts, with the categories that the service was told."""
    told = tuple(
        {CATEGORY: category, **metadata} if category else metadata
        for category, metadata in zip(categories, task.metadata, strict=True)
    )
    return replace(task, metadata=told)


def _answers(side: ExternalSide, matched: Sequence[ExternalAnswer | None]) -> Answers:
    return Answers(
        name=side.name,
        model_id=side.model_id,
        answers=tuple(map(_answer, matched)),
        seconds=side.seconds,
    )


def _answer(found: ExternalAnswer | None) -> Answer:
    if found is None:
        return Answer(text=None, error_code="NoResult", error="The service has no result for this prompt.")
    if found.text is None:
        return Answer(
            text=None, error_code="NoAnswer", error=found.error or "The result holds no answer of the model."
        )
    return Answer(text=found.text)


def _grades(metric: ExternalMetric, matched: Mapping[str, Sequence[ExternalAnswer | None]]) -> Grades:
    return Grades(
        scores={
            side: tuple(None if each is None else metric.read(each.scores.get(metric.name)) for each in found)
            for side, found in matched.items()
        },
        reasons={
            side: tuple("" if each is None else each.reasons.get(metric.name, "") for each in found)
            for side, found in matched.items()
        },
    )
