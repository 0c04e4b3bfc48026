"""The plan of an evaluation job: stage the prompts, role, job, wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import CreateListed, Listing, Plan, StageText, Step, WaitFor, estimate, make_plan
from bedrock_distill.plan.estimate import Use
from bedrock_distill.resources.evaluation_job.requests import evaluation_request
from bedrock_distill.resources.evaluation_job.survey import role_documents, survey_evaluation
from bedrock_distill.resources.evaluation_job.warnings import evaluation_warnings
from bedrock_distill.resources.made_role import role_arn, role_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.evaluation_job.spec import BedrockEvaluation
    from bedrock_distill.resources.evaluation_job.survey import EvaluationSurvey

__all__ = ["plan_evaluation", "plan_evaluation_in"]

_JUDGE_PROMPT_TOKENS = 1_000
"""Assumed tokens of what a judge is told beside prompt, reference and answer: AWS's own texts are of about that length."""

_JUDGE_REPLY_TOKENS = 500
"""Assumed tokens of a judge's reply."""


def plan_evaluation_in(spec: BedrockEvaluation, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the request against the service's model.

    Raises:
        DataError: If a line of the data is no record, or of a form that evaluation jobs do not take.
        SpecError: If the service's model would refuse the request.
        ServiceError: If AWS cannot be asked what must be known.
    """
    plan = plan_evaluation(spec, survey_evaluation(spec, clients, catalog), catalog)
    clients.check("bedrock", plan.creates.operation, plan.creates.request)
    return plan


def plan_evaluation(spec: BedrockEvaluation, survey: EvaluationSurvey, catalog: Catalog) -> Plan:
    """The plan for an evaluation job in the world as it was found. Pure.

    Args:
        spec: What is wanted.
        survey: What `survey_evaluation` read.
        catalog: Facts about models, and prices.
    """
    place = survey.place
    documents = role_documents(spec, place, survey.uri, (survey.model_id, survey.judge_id))
    role = None if spec.role else role_step(spec, documents, survey.role)
    request = evaluation_request(spec, survey, catalog, role_arn(spec, place, role))
    name = request["jobName"]
    steps: list[Step] = [
        StageText(
            what="evaluation dataset",
            text=survey.dataset.text,
            uri=str(survey.uri),
            sha256=survey.sha256,
            kms_key_id=spec.kms_key,
            done=survey.staged,
        ),
        *([role] if role else []),
        CreateListed(
            kind="evaluation job",
            name=name,
            service="bedrock",
            operation="create_evaluation_job",
            request=request,
            arn="jobArn",
            # No call asks for such a job by its name.
            listing=Listing(
                operation="list_evaluation_jobs",
                items="jobSummaries",
                name="jobName",
                arn="jobArn",
                state="status",
                contains="nameContains",
            ),
            bills=True,
            needs_role=role is not None,
            done=survey.job_arn is not None,
        ),
        WaitFor(kind="evaluation job", name=name, typical="minutes to hours, by how many prompts there are"),
    ]
    return make_plan(
        kind="evaluation",
        name=spec.name,
        region=place.region,
        account_id=place.account_id,
        fingerprint=survey.fingerprint,
        facts=_facts(spec, survey, request),
        steps=steps,
        warnings=evaluation_warnings(spec, survey, catalog),
        estimate=estimate(list(_uses(spec, survey)), catalog=catalog, region=place.region),
    )


def _facts(spec: BedrockEvaluation, survey: EvaluationSurvey, request: dict[str, Any]) -> dict[str, str]:
    data = survey.dataset
    return {
        "model": f"{spec.model} (answers gathered before)" if spec.answers is not None else survey.model_id,
        "prompts": f"{data.prompts:,} of {spec.data.path} ({data.references:,} with a golden completion)",
        "task": spec.task_type,
        "metrics": ", ".join(spec.metric_names),
        "judge": survey.judge_id or "none: the service computes the scores",
        "results": f"under {spec.output}{request['jobName']}/",
        "job": request["jobName"] + (f" (attempt {survey.attempt})" if survey.attempt > 1 else ""),
        "role": spec.role or "made for this evaluation",
    }


def _uses(spec: BedrockEvaluation, survey: EvaluationSurvey) -> Iterator[Use]:
    data = survey.dataset
    answers = data.prompts * spec.max_tokens
    if spec.answers is None:
        yield _tokens("model input (estimated)", spec.model, "input_1k_tokens", data.tokens)
        yield _tokens("model output (at most)", spec.model, "output_1k_tokens", answers)
    if spec.judge is not None:
        told = data.tokens + data.reference_tokens + answers + data.prompts * _JUDGE_PROMPT_TOKENS
        times, each = len(spec.metric_names), f"{_JUDGE_PROMPT_TOKENS:,} tokens of instructions assumed"
        yield _tokens(f"judge input (at most; {each} a metric)", spec.judge, "input_1k_tokens", times * told)
        yield _tokens(
            f"judge output ({_JUDGE_REPLY_TOKENS} tokens assumed a metric)",
            spec.judge,
            "output_1k_tokens",
            times * data.prompts * _JUDGE_REPLY_TOKENS,
        )


def _tokens(what: str, model: str, kind: Any, tokens: float) -> Use:
    return Use(what=what, model=model, kind=kind, quantity=tokens / 1000, unit="1k tokens")
