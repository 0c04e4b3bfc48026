"""`evaluate`: ask all sides the same prompts, score, and report."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bedrock_distill.clock import Clock, SystemClock
from bedrock_distill.evaluation.asking import Asking, OnProgress, require_target
from bedrock_distill.evaluation.cache import AnswerCache
from bedrock_distill.evaluation.costs import check_prices
from bedrock_distill.evaluation.fields import score_fields
from bedrock_distill.evaluation.judging import Judge
from bedrock_distill.evaluation.labels import classify
from bedrock_distill.evaluation.metrics import (
    METRICS,
    Metric,
    ScorerChoice,
    check_scale,
    choose_scorers,
    mostly_json,
)
from bedrock_distill.evaluation.preparing import overlap_of, package_version, precision_of
from bedrock_distill.evaluation.report import Method, Report, summaries
from bedrock_distill.evaluation.scoring import compared, labelled_places, mean_estimate, score, seed_of
from bedrock_distill.evaluation.slices import SliceChoice, score_slices, slice_task
from bedrock_distill.evaluation.tasks import EvaluationData, Task, load_task

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from bedrock_distill.evaluation.answers import Answers, ChatTarget
    from bedrock_distill.evaluation.costs import Prices
    from bedrock_distill.evaluation.judging import JudgeSummary
    from bedrock_distill.evaluation.scoring import MetricResult, Precision, Texts

__all__ = ["OnProgress", "evaluate"]

_NO_PRICES: Final[Prices] = {}

_COLUMNS: Final[tuple[str, ...]] = ("teacher", "student", "base")
"""The order that reports show the sides in."""


def evaluate(
    student: ChatTarget,
    teacher: ChatTarget,
    data: EvaluationData,
    *,
    base: ChatTarget | None = None,
    system: str | None = None,
    max_tokens: int | None = 512,
    temperature: float | None = 0.0,
    metrics: ScorerChoice | Sequence[ScorerChoice] | None = None,
    slices: SliceChoice | Sequence[SliceChoice] | Mapping[str, SliceChoice] | None = None,
    training: EvaluationData | None = None,
    allow_overlap: bool = False,
    limit: int | None = None,
    prices: Prices = _NO_PRICES,
    concurrency: int = 8,
    cache: str | os.PathLike[str] | AnswerCache | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    retries: int = 2,
    stream: bool = False,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
) -> Report:
    """Measure how much of its teacher a student keeps, on prompts that it was not trained on.

    Every side is asked every prompt once: the student first, the teacher last, so that what is wrong shows while it is
    cheap. A call that fails after its retries counts as disagreement and is reported.

    Args:
        student: What is measured: a deployment, a model, anything with `chat`.
        teacher: What it is measured against.
        data: A JSONL file of records, an object with the file's `path`, or records and plain prompts in memory. Golden
            completions, where records have them, are not shown to anyone; both sides are scored against them.
        base: The student before training, to show what training did.
        system: System prompt of every call. Default: each record's own.
        max_tokens: Most tokens of an answer.
        temperature: Randomness from 0 to 1; None leaves it to the models, for those that refuse the setting.
        metrics: Names, functions `(answer, target) -> score`, `Metric`s or `Judge`s; the first decides. Default:
            `json_equal` where the teacher answers in JSON, else `normalised_match`.
        slices: By what to divide the prompts, so that each kind is measured by itself: fields of the record, such as
            `metadata.tenant`, `prompt.language` or `completion.topic`, or functions of it.
        training: What the student was trained on, to find the prompts that are in there too. They are refused before
            anything is asked.
        allow_overlap: Ask them nevertheless, and say so in the report.
        limit: Ask only so many prompts from the beginning.
        prices: Prices by model id or side, to state costs. Unknown prices are shown as unknown.
        concurrency: Calls under way at once.
        cache: A folder that keeps every answer, so that nothing is asked twice: not after a crash, not for another metric,
            not in another run.
        requests_per_minute: Most requests to each model; what a target tries again by itself is not counted.
        tokens_per_minute: Most tokens to and from each model.
        retries: Further tries of a call that failed, where it may succeed later.
        stream: Ask for streams, to measure the time to the first token.
        confidence: Two-sided level of the intervals.
        resamples: Bootstrap resamples.
        seed: Where the bootstrap's randomness starts.
        on_progress: Told the side, how many prompts are done, and how many there are.
        clock: Dates the report and waits. Default: the machine's.

    Returns:
        The report. `report.gate(min_retention=0.9)` turns it into a decision.

    Raises:
        DataError: If a line of the data is no record, there are none, or some were trained on.
        SpecError: If an argument makes no sense, or a request could never be accepted.
        AccessDeniedError: If a side may not be asked.
        NotFoundError: If a side does not exist.

    Example:
        >>> teacher = session.model("amazon.nova-pro-v1:0")
        >>> report = bd.evaluate(student, teacher, "heldout.jsonl", slices="metadata.project", cache="answers")
        >>> report.save("report", verdict=report.gate(min_retention=0.9, alpha=0.05))
    """
    precision = precision_of(
        confidence, resamples, seed, concurrency=concurrency, limit=limit, retries=retries
    )
    _rehearse(metrics)
    check_prices(prices)
    for role, target in (("student", student), ("teacher", teacher), ("base", base)):
        if target is not None:
            require_target(role, target, stream=stream)
    task = load_task(data, limit=limit)
    slicings = slice_task(task, slices)
    overlap = overlap_of(task, training, allowed=allow_overlap)
    clock = clock or SystemClock()
    with ExitStack() as held:
        if cache is not None and not isinstance(cache, AnswerCache):
            cache = held.enter_context(AnswerCache(cache))
        asking = Asking(
            concurrency=concurrency,
            retries=retries,
            stream=stream,
            cache=cache,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            prices=prices,
            clock=clock,
            tell=on_progress or (lambda _side, _done, _total: None),
        )
        order: dict[str, ChatTarget] = {
            "student": student,
            **({} if base is None else {"base": base}),
            "teacher": teacher,
        }
        asked: dict[str, Answers] = {
            side: asking.side(
                side,
                target,
                task.prompts,
                system=system,
                max_tokens=max_tokens,
                temperature=temperature,
            )
            for side, target in order.items()
        }
        answers: dict[str, Answers] = {side: asked[side] for side in _COLUMNS if side in asked}
        texts = {side: given.texts for side, given in answers.items()}
        said = [text for text in texts["teacher"] if text is not None]
        chosen = choose_scorers(metrics, said)
        judges = tuple(
            _judged(metric, side, answers, task, asking=asking, precision=precision)
            for metric in chosen
            if isinstance(metric, Judge)
            for side in answers
            if side != "teacher"
        )
    scored = tuple(_scored(metric, judges, texts, task, precision) for metric in chosen)
    if isinstance(chosen[0], Metric) and scored[0].basis == "agreement":
        check_scale(chosen[0], scored[0].student.by_prompt, texts["teacher"])
    return Report(
        task=task,
        answers=answers,
        sides=summaries(answers, prices),
        metrics=scored,
        fields=score_fields(
            student=texts["student"],
            teacher=texts["teacher"],
            base=texts.get("base"),
            confidence=confidence,
        )
        if mostly_json(said)
        else (),
        method=Method(
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            concurrency=concurrency,
            made_at=clock.now(),
            version=package_version(),
        ),
        precision=precision,
        slices=score_slices(
            slicings,
            scored[0],
            # A judge compares with the teacher directly, on all prompts.
            places=labelled_places(task.references, texts["teacher"])
            if scored[0].basis == "references"
            else range(len(task.prompts)),
            precision=precision,
        ),
        overlap=overlap,
        labels=classify(texts, teacher=texts["teacher"], references=task.references, precision=precision),
        judges=judges,
    )


def _rehearse(metrics: ScorerChoice | Sequence[ScorerChoice] | None) -> None:
    """Find out before anything is paid for that a metric is unknown, its library not installed, or a judge cannot be asked."""
    for metric in () if metrics is None else choose_scorers(metrics, ()):
        if isinstance(metric, Metric) and metric is METRICS.get(metric.name):
            metric.score("one word", "one word")
        elif isinstance(metric, Judge):
            require_target(metric.name, metric.target, stream=False)


def _judged(
    judge: Judge,
    side: str,
    answers: dict[str, Answers],
    task: Task,
    *,
    asking: Asking,
    precision: Precision,
) -> JudgeSummary:
    seed = seed_of(precision, judge.name, side)
    return asking.judge(
        judge,
        side,
        answers[side],
        answers["teacher"],
        task,
        rate=lambda points: mean_estimate(points, precision, seed),
    )


def _scored(
    metric: Metric | Judge,
    judges: tuple[JudgeSummary, ...],
    texts: dict[str, Texts],
    task: Task,
    precision: Precision,
) -> MetricResult:
    if isinstance(metric, Metric):
        return score(
            metric,
            student=texts["student"],
            teacher=texts["teacher"],
            base=texts.get("base"),
            references=task.references,
            precision=precision,
        )
    scores = {
        said.side: tuple(judgement.score for judgement in said.judgements)
        for said in judges
        if said.metric == metric.name
    }
    return compared(
        metric.name,
        metric.about,
        student=scores["student"],
        base=scores.get("base"),
        precision=precision,
    )
