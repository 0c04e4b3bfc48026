"""What the reader of an evaluation job's plan should know before applying it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.plan import PlanWarning
from bedrock_distill.resources.deployment_plan import elsewhere
from bedrock_distill.resources.evaluation_job.dataset import MOST_PROMPT_BYTES, MOST_PROMPTS
from bedrock_distill.resources.evaluation_job.metrics import METRICS
from bedrock_distill.resources.evaluation_job.survey import job_name
from bedrock_distill.resources.model_warnings import access_warnings, bucket_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.evaluation_job.spec import BedrockEvaluation
    from bedrock_distill.resources.evaluation_job.survey import EvaluationSurvey

__all__ = ["evaluation_warnings"]


def evaluation_warnings(
    spec: BedrockEvaluation, survey: EvaluationSurvey, catalog: Catalog
) -> tuple[PlanWarning, ...]:
    """Every warning, those that stop an apply first."""
    place = survey.place
    models = [spec.judge] if spec.answers is not None else [spec.model, spec.judge]
    found = [
        *_data(spec, survey),
        *_metrics(spec),
        *(warning for model in models if model for warning in _model(model, survey, catalog)),
        *(
            warning
            for model in models
            if model
            for warning in elsewhere(model, place.region, place.account_id)
        ),
        *bucket_warnings(survey.bucket, place.region),
        *access_warnings(role=spec.role, role_hidden=survey.role_hidden, data_kms_key=spec.kms_key),
        *_history(spec, survey),
    ]
    return tuple(sorted(found, key=lambda warning: not warning.blocks))


def _data(spec: BedrockEvaluation, survey: EvaluationSurvey) -> Iterator[PlanWarning]:
    data = survey.dataset
    if data.prompts > MOST_PROMPTS:
        yield PlanWarning(
            code="too-many-prompts",
            text=f"{data.prompts:,} prompts: a job takes at most {MOST_PROMPTS:,} (AWS documents it; it is not in the service's "
            f"model). Give limit = {MOST_PROMPTS}, or a sample; `bedrock-distill evaluate` itself has no such limit.",
            blocks=True,
        )
    if data.large:
        yield PlanWarning(
            code="large-prompts",
            text=f"{data.large:,} of {data.prompts:,} prompts are larger than the {MOST_PROMPT_BYTES // 1024} KB that AWS documents "
            "(not verified): the job may fail.",
        )
    if data.unanswered:
        yield PlanWarning(
            code="unanswered",
            text=f"{data.unanswered:,} prompts have no answer to score and are left out; a report counts them as failed.",
        )
    if data.uncategorised:
        yield PlanWarning(
            code="no-category",
            text=f"{data.uncategorised:,} of {data.prompts:,} prompts have no {spec.category!r} in their metadata, and get no "
            "category.",
        )
    needing = [name for name in spec.metric_names if name in METRICS and METRICS[name].needs_reference]
    if needing and data.references < data.prompts:
        yield PlanWarning(
            code="no-references",
            text=f"{data.prompts - data.references:,} of {data.prompts:,} prompts have no golden completion, and "
            f"{', '.join(needing)} cannot be computed without: add them, or choose metrics of a judge.",
            blocks=not data.references,
        )


def _metrics(spec: BedrockEvaluation) -> Iterator[PlanWarning]:
    for name in spec.metrics:
        if name not in METRICS:
            yield PlanWarning(
                code="metric-unknown",
                text=f"{name} is not among the metrics that this version knows ({', '.join(METRICS)}): correct it; or, if AWS has "
                "it, apply with force, and its scores are read as from 0 to 1, more is better.",
                blocks=True,
            )
    unverified = [name for name in spec.metrics if name in METRICS and METRICS[name].lower_is_better]
    if unverified:
        yield PlanWarning(
            code="lower-is-better",
            text=f"{', '.join(unverified)}: less is better, so reports show 1 less the score (direction and range are not verified).",
        )


def _model(model: str, survey: EvaluationSurvey, catalog: Catalog) -> Iterator[PlanWarning]:
    row = catalog.find(model)
    state = row.lifecycle(survey.today) if row is not None else "ACTIVE"
    if row is not None and state != "ACTIVE":
        ends = f", end of life {row.eol_on}" if row.eol_on else ""
        yield PlanWarning(
            code="model-legacy",
            text=f"{row.name} is {'past its end of life' if state == 'EOL' else 'Legacy'}{ends}: a job that asks it may fail. "
            "Choose another.",
            blocks=state == "EOL",
        )


def _history(spec: BedrockEvaluation, survey: EvaluationSurvey) -> Iterator[PlanWarning]:
    if survey.attempt > 1:
        before = job_name(spec.name, survey.fingerprint, survey.attempt - 1)
        yield PlanWarning(
            code="failed-before",
            text=f"This is attempt {survey.attempt}: the same job failed or was stopped before. See "
            f"`bedrock-distill evaluate-jobs show {before}`.",
        )
