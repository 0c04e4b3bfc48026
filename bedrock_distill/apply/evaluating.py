"""A student and its teacher, each evaluated by a job of Bedrock's, become one report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import ServiceError, SpecError
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
    from bedrock_distill.plan import Plan
    from bedrock_distill.resources import EvaluationJob, EvaluationStatus, Prompts

__all__ = ["check_report", "gather_answers", "make_jobs", "paired_specs", "report_of_jobs"]

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
    specs = {
        side: BedrockEvaluation(
            name=f"{name}-{side}", model=model, data=data, answers=() if model in aside else None, **wanted
        )
        for side, model in models.items()
    }
    # Calls cost money, so nothing is asked before both specs are known to be right.
    return {
        side: spec if spec.answers is None else spec.model_copy(update={"answers": answers(spec.model)})
        for side, spec in specs.items()
    }


def make_jobs(plans: Mapping[str, Plan], apply: Callable[[Plan], EvaluationJob]) -> dict[str, EvaluationJob]:
    """Make the jobs of both sides.

    Args:
        plans: By side.
        apply: Does what a plan says.

    Raises:
        ServiceError: If AWS refuses one; where the other was made before, the error names it.
    """
    jobs: dict[str, EvaluationJob] = {}
    for side, plan in plans.items():
        try:
            jobs[side] = apply(plan)
        except ServiceError as error:
            if not jobs:
                raise
            made = ", ".join(job.arn for job in jobs.values())
            raise error.advised(
                f"The other job was made before, and is billed: {made}. Do the same again when this is mended, and it is picked "
                f"up; or stop it (`bedrock-distill evaluate-jobs stop {made}`)."
            ) from error
    return jobs


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


def check_report(told: Mapping[str, Any], *, category: str | None) -> None:
    """Refuse what no report could be made with, before jobs are paid for.

    Args:
        told: Arguments of `report_of_jobs`.
        category: The specs' field.

    Raises:
        DataError: If prompts were trained on, or a line of the data is no record.
        SpecError: If an argument makes no sense, or there is nothing to slice by.
    """
    from bedrock_distill.evaluation.external import check_external  # noqa: PLC0415 - it loads numpy

    if told["data"] is not None:
        checked = {name: value for name, value in told.items() if name not in ("names", "clock")}
        check_external(**checked, category=category)


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
    own = {side: _own_metrics(document) for side, document in described.items()}
    differences = {
        "judge": (student.judge, teacher.judge),
        "task": (tasks["student"], tasks["teacher"]),
        "metrics": ("the same", "the same") if common else (student.metrics, teacher.metrics),
        **{
            f"what is meant by {name}": ("one definition", "another")
            for name in common
            if own["student"].get(name) != own["teacher"].get(name)
        },
    }
    for what, (one, other) in differences.items():
        if one != other:
            raise SpecError(
                f"The jobs were not scored alike, so their scores cannot be compared: {what} of {student.name} is "
                f"{one or 'none'}, and of {teacher.name} {other or 'none'}. Evaluate both in the same way.",
                field=what,
                value=(one, other),
            )
    return [
        ExternalMetric(
            name=name,
            about=about_metric(name, _TASKS.get(tasks["student"])),
            most=_best(own["student"].get(name)),
            lower_is_better=name in METRICS and METRICS[name].lower_is_better,
        )
        for name in common
    ]


def _task(document: Mapping[str, Any]) -> str:
    configs = document["evaluationConfig"].get("automated", {}).get("datasetMetricConfigs", ())
    return str(configs[0]["taskType"]) if configs else ""


def _own_metrics(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The definitions of the user's own metrics, by name."""
    config = document["evaluationConfig"].get("automated", {}).get("customMetricConfig", {})
    given = [each.get("customMetricDefinition", {}) for each in config.get("customMetrics", ())]
    return {definition["name"]: definition for definition in given if "name" in definition}


def _best(definition: Mapping[str, Any] | None) -> float:
    """The best rating of a metric; the service's own go up to 1."""
    scale = definition.get("ratingScale", ()) if definition else ()
    return max([0.0, *(float(item["value"].get("floatValue", 0.0)) for item in scale)]) or 1.0


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
