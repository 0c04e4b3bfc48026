"""A student and its teacher, each evaluated by a job of Bedrock's, become one report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.resources.evaluation_job import BedrockEvaluation
from bedrock_distill.resources.evaluation_job.metrics import METRICS, SENT_AS, about_metric
from bedrock_distill.resources.evaluation_job.spec import can_ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bedrock_distill.clock import Clock
    from bedrock_distill.evaluation import Report
    from bedrock_distill.evaluation.answers import ChatTarget
    from bedrock_distill.evaluation.external import ExternalMetric, ExternalSide
    from bedrock_distill.evaluation.slices import SliceChoice
    from bedrock_distill.evaluation.tasks import EvaluationData
    from bedrock_distill.resources import EvaluationJob, EvaluationStatus, Prompts

__all__ = ["gather_answers", "paired_specs", "report_of_jobs"]

_TASKS = {sent: task for task, sent in SENT_AS.items()}


def paired_specs(
    models: Mapping[str, str],
    data: Prompts,
    *,
    name: str,
    answers: Callable[[str], tuple[str | None, ...]],
    **wanted: Any,
) -> dict[str, BedrockEvaluation]:
    """The specs of two jobs that ask and score alike.

    Args:
        models: By side, `student` and `teacher`: what is evaluated.
        data: Held-out prompts.
        name: What the jobs are named after, each with its side.
        answers: Gathers the answers of a model that jobs cannot ask, from the model to its answers in the prompts' order.
        **wanted: The other fields of both specs.

    Raises:
        SpecError: If a field is wrong, or a model cannot be asked and there is no judge.
    """
    aside = [model for model in models.values() if not can_ask(model)]
    if aside and not wanted.get("judge"):
        raise SpecError(
            f"An evaluation job cannot ask {aside[0]}, and answers that are gathered before are scored by a judge only: name a "
            "judge, or use this package's own runner, `evaluate`.",
            field="judge",
        )
    return {
        side: BedrockEvaluation(
            name=f"{name}-{side}",
            model=model,
            data=data,
            answers=answers(model) if model in aside else None,
            **wanted,
        )
        for side, model in models.items()
    }


def gather_answers(
    target: ChatTarget,
    data: EvaluationData,
    *,
    limit: int | None = None,
    max_tokens: int | None = 512,
    temperature: float | None = 0.0,
    concurrency: int = 8,
) -> tuple[str | None, ...]:
    """Ask a target every prompt, for a job that scores the answers; None where a call failed.

    Args:
        target: A deployment, an endpoint, anything with `chat`.
        data: Held-out prompts, as `evaluate` takes them.
        limit: Only so many from the beginning.
        max_tokens: Most tokens of an answer.
        temperature: Randomness from 0 to 1; None leaves it to the model.
        concurrency: Calls under way at once.

    Raises:
        DataError: If a line of the data is no record.
        AccessDeniedError: If the target may not be asked.
        NotFoundError: If it does not exist.
    """
    from bedrock_distill.evaluation.gathering import gather  # noqa: PLC0415 - only who gathers needs it
    from bedrock_distill.evaluation.tasks import load_task  # noqa: PLC0415 - as above

    found = gather(
        lambda prompt: target.chat(prompt, system=None, max_tokens=max_tokens, temperature=temperature),
        load_task(data, limit=limit).prompts,
        name=str(getattr(target, "name", "")),
        concurrency=concurrency,
        on_done=lambda _: None,
    )
    return found.texts


def report_of_jobs(
    student: EvaluationJob,
    teacher: EvaluationJob,
    *,
    data: EvaluationData | None = None,
    names: Mapping[str, str] | None = None,
    slices: SliceChoice | Sequence[SliceChoice] | Mapping[str, SliceChoice] | None = None,
    training: EvaluationData | None = None,
    allow_overlap: bool = False,
    limit: int | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    clock: Clock | None = None,
) -> Report:
    """Read two evaluation jobs, and report on them as `evaluate` does on what it asked itself.

    Args:
        student: The job that evaluated the student.
        teacher: The job that evaluated the teacher, on the same prompts, by the same metrics and judge.
        data: What the jobs were made from, so that slices know more of a prompt than its text, and prompts without a result are
            seen to be missing. Default: the prompts of the results, whose categories are `metadata.category`.
        names: What reports call the `student` and the `teacher`. Default: the models' ids.
        slices: By what to divide the prompts, as for `evaluate`.
        training: What the student was trained on, to find the prompts that are in there too.
        allow_overlap: Report them instead of refusing them.
        limit: Only so many prompts of `data`.
        confidence: Two-sided level of the intervals.
        resamples: Bootstrap resamples.
        seed: Where the bootstrap's randomness starts.
        clock: Dates the report. Default: the machine's.

    Raises:
        JobFailedError: If a job failed or was stopped.
        WaitTimeoutError: If a job is not over.
        SpecError: If the jobs were not scored alike.
        DataError: If the results are not of these prompts, or hold no score of the teacher's.
        NotFoundError: If a job has no results.
    """
    from bedrock_distill.evaluation.external import external_report  # noqa: PLC0415 - it loads numpy

    states = {side: job.wait(timeout_s=0) for side, job in (("student", student), ("teacher", teacher))}
    described = {side: job.describe() for side, job in (("student", student), ("teacher", teacher))}
    metrics = _metrics(states, described)
    sides = {
        side: _side(job, states[side], (names or {}).get(side, states[side].model))
        for side, job in (("student", student), ("teacher", teacher))
    }
    return external_report(
        sides["student"],
        sides["teacher"],
        metrics=metrics,
        scored_by=_scored_by(states),
        data=data,
        slices=slices,
        training=training,
        allow_overlap=allow_overlap,
        limit=limit,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        clock=clock or student.clients.clock,
    )


def _scored_by(states: Mapping[str, EvaluationStatus]) -> str:
    student, teacher = states["student"], states["teacher"]
    judge = f", with {student.judge} as judge" if student.judge else ", without a judge"
    return f"Amazon Bedrock's evaluation jobs {student.name} and {teacher.name}{judge}"


def _metrics(
    states: Mapping[str, EvaluationStatus], described: Mapping[str, Mapping[str, Any]]
) -> list[ExternalMetric]:
    """The metrics that both jobs scored by, in the student's order, and how each is read.

    Raises:
        SpecError: If they have none in common, other judges, or other tasks.
    """
    from bedrock_distill.evaluation.external import ExternalMetric  # noqa: PLC0415 - it loads numpy

    student, teacher = states["student"], states["teacher"]
    tasks = {side: _task(document) for side, document in described.items()}
    common = [name for name in student.metrics if name in teacher.metrics]
    differences = {
        "judge": (student.judge, teacher.judge),
        "task": (tasks["student"], tasks["teacher"]),
        "metrics": ("the same", "the same") if common else (student.metrics, teacher.metrics),
    }
    for what, (one, other) in differences.items():
        if one != other:
            raise SpecError(
                f"The jobs were not scored alike, so their scores cannot be compared: {what} of {student.name} is "
                f"{one or 'none'}, and of {teacher.name} {other or 'none'}. Evaluate both in the same way.",
                field=what,
                value=(one, other),
            )
    scales = _scales(described["student"])
    return [
        ExternalMetric(
            name=name,
            about=about_metric(name, _TASKS.get(tasks["student"])),
            most=scales.get(name, 1.0),
            lower_is_better=name in METRICS and METRICS[name].lower_is_better,
        )
        for name in common
    ]


def _task(document: Mapping[str, Any]) -> str:
    configs = document["evaluationConfig"].get("automated", {}).get("datasetMetricConfigs", ())
    return str(configs[0]["taskType"]) if configs else ""


def _scales(document: Mapping[str, Any]) -> dict[str, float]:
    """The best rating of each metric of the user's own."""
    config = document["evaluationConfig"].get("automated", {}).get("customMetricConfig", {})
    found = {}
    for each in config.get("customMetrics", ()):
        definition = each.get("customMetricDefinition", {})
        values = [item["value"].get("floatValue", 0.0) for item in definition.get("ratingScale", ())]
        if values and max(values) > 0:
            found[definition["name"]] = float(max(values))
    return found


def _side(job: EvaluationJob, state: EvaluationStatus, name: str) -> ExternalSide:
    from bedrock_distill.evaluation.external import ExternalAnswer, ExternalSide  # noqa: PLC0415 - it loads numpy

    return ExternalSide(
        name=name,
        model_id=state.model,
        seconds=state.seconds,
        answers=tuple(
            ExternalAnswer(
                prompt=result.prompt,
                text=result.response,
                scores=result.scores,
                reasons=result.reasons,
                reference=result.reference,
                category=result.category,
                error=result.error,
            )
            for result in job.results()
        ),
    )
