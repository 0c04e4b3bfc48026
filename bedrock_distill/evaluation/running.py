"""`evaluate`: ask all sides the same prompts, score, and report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Final

from bedrock_distill.clock import Clock, SystemClock
from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.answers import Answers, ChatTarget, Reply, gather
from bedrock_distill.evaluation.fields import score_fields
from bedrock_distill.evaluation.metrics import MetricChoice, choose_metrics, mostly_json
from bedrock_distill.evaluation.report import Method, Report, summaries
from bedrock_distill.evaluation.scoring import Precision, score
from bedrock_distill.evaluation.tasks import EvaluationData, load_task

if TYPE_CHECKING:
    from bedrock_distill.evaluation.costs import Prices
    from bedrock_distill.records.schema import Record

__all__ = ["OnProgress", "evaluate"]

OnProgress = Callable[[str, int, int], None]
"""Told the side (`student`, `base`, `teacher`), how many prompts are done, and how many there are."""

_NO_PRICES: Final[Prices] = {}


def evaluate(
    student: ChatTarget,
    teacher: ChatTarget,
    data: EvaluationData,
    *,
    base: ChatTarget | None = None,
    system: str | None = None,
    max_tokens: int | None = 512,
    temperature: float | None = 0.0,
    metrics: MetricChoice | Sequence[MetricChoice] | None = None,
    limit: int | None = None,
    prices: Prices = _NO_PRICES,
    concurrency: int = 8,
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
        metrics: Names, functions `(answer, target) -> score` or `Metric`s; the first decides. Default: `json_equal`
            where the teacher answers in JSON, else `normalised_match`.
        limit: Ask only so many prompts from the beginning.
        prices: Prices by model id or side, to state costs. Unknown prices are shown as unknown.
        concurrency: Calls under way at once.
        confidence: Two-sided level of the intervals.
        resamples: Bootstrap resamples.
        seed: Where the bootstrap's randomness starts.
        on_progress: Told the side, how many prompts are done, and how many there are.
        clock: Dates the report. Default: the machine's.

    Returns:
        The report. `report.gate(min_retention=0.9)` turns it into a decision.

    Raises:
        DataError: If a line of the data is no record, or there are none.
        SpecError: If an argument makes no sense, or a request could never be accepted.
        AccessDeniedError: If a side may not be asked.
        NotFoundError: If a side does not exist.
    """
    precision = _precision(confidence, resamples, seed, concurrency, limit)
    task = load_task(data, limit=limit)
    tell = on_progress or (lambda _side, _done, _total: None)

    def asked(side: str, target: ChatTarget) -> Answers:
        def ask(prompt: Record) -> Reply:
            return target.chat(prompt, system=system, max_tokens=max_tokens, temperature=temperature)

        model_id = str(getattr(target, "model_id", ""))
        return gather(
            ask,
            task.prompts,
            name=str(getattr(target, "name", "") or model_id or side),
            model_id=model_id,
            concurrency=concurrency,
            on_done=lambda done: tell(side, done, len(task.prompts)),
        )

    by_student = asked("student", student)
    by_base = None if base is None else asked("base", base)
    by_teacher = asked("teacher", teacher)
    texts = [text for text in by_teacher.texts if text is not None]
    base_texts = None if by_base is None else by_base.texts
    answers = {"teacher": by_teacher, "student": by_student} | ({} if by_base is None else {"base": by_base})
    return Report(
        task=task,
        answers=answers,
        sides=summaries(answers, prices),
        metrics=tuple(
            score(
                metric,
                student=by_student.texts,
                teacher=by_teacher.texts,
                base=base_texts,
                references=task.references,
                precision=precision,
            )
            for metric in choose_metrics(metrics, texts)
        ),
        fields=score_fields(
            student=by_student.texts, teacher=by_teacher.texts, base=base_texts, confidence=confidence
        )
        if mostly_json(texts)
        else (),
        method=Method(
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            concurrency=concurrency,
            made_at=(clock or SystemClock()).now(),
            version=_version(),
        ),
        precision=precision,
    )


def _precision(
    confidence: float, resamples: int, seed: int, concurrency: int, limit: int | None
) -> Precision:
    rules = (
        ("confidence", confidence, 0 < confidence < 1, "between 0 and 1, such as 0.95"),
        ("resamples", resamples, resamples >= 1000, "at least 1000: fewer do not reach into the tails"),
        ("concurrency", concurrency, concurrency >= 1, "at least 1"),
        ("limit", limit, limit is None or limit >= 1, "at least 1"),
    )
    for field, value, holds, rule in rules:
        if not holds:
            raise SpecError(f"{field} must be {rule}, not {value!r}.", field=field, value=value)
    return Precision(confidence=confidence, resamples=resamples, seed=seed)


def _version() -> str:
    try:
        return metadata.version("bedrock-distill")
    except metadata.PackageNotFoundError:  # a checkout on the path that nobody installed
        return "unknown"
