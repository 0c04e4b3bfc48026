"""The plan of a batch inference job: stage the requests, role, job, wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import (
    CreateListed,
    Listing,
    Plan,
    StageRequests,
    Step,
    WaitFor,
    estimate,
    make_plan,
)
from bedrock_distill.plan.estimate import Use
from bedrock_distill.resources.batch.survey import role_documents, survey_batch
from bedrock_distill.resources.batch.warnings import batch_warnings
from bedrock_distill.resources.made_role import role_arn, role_step
from bedrock_distill.resources.spec import plan_tags, short_name

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.batch.spec import BatchInference
    from bedrock_distill.resources.batch.survey import BatchSurvey

__all__ = ["plan_batch", "plan_batch_in"]


def plan_batch_in(spec: BatchInference, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the request against the service's model.

    Raises:
        SpecError: If the service's model would refuse the request, or the model's InvokeModel body is not known.
        DataError: If a line of the data is no record.
        StalePlanError: If the data changes while it is read.
        ServiceError: If AWS cannot be asked what must be known.
    """
    plan = plan_batch(spec, survey_batch(spec, clients, catalog), catalog)
    clients.check("bedrock", plan.creates.operation, plan.creates.request)
    return plan


def plan_batch(spec: BatchInference, survey: BatchSurvey, catalog: Catalog) -> Plan:
    """The plan for a batch inference job in the world as it was found. Pure.

    Args:
        spec: What is wanted.
        survey: What `survey_batch` read.
        catalog: Facts about models, quotas and prices.
    """
    place = survey.place
    documents = role_documents(spec, place, survey.model_id, survey.uri)
    role = None if spec.role else role_step(spec, documents, survey.role)
    request = batch_request(spec, survey, role_arn(spec, place, role))
    name = request["jobName"]
    requests = survey.requests
    steps: list[Step] = [
        StageRequests(
            path=str(spec.data.path),
            source_sha256=survey.source_sha256,
            form=survey.form,
            records=requests.records,
            uri=str(survey.uri),
            size_bytes=requests.size_bytes,
            sha256=requests.sha256,
            kms_key_id=spec.data_kms_key,
            done=survey.staged,
        ),
        *([role] if role else []),
        CreateListed(
            kind="batch inference job",
            name=name,
            service="bedrock",
            operation="create_model_invocation_job",
            request=request,
            arn="jobArn",
            # No call asks for such a job by its name.
            listing=Listing(
                operation="list_model_invocation_jobs",
                items="invocationJobSummaries",
                name="jobName",
                arn="jobArn",
                state="status",
                same={"clientRequestToken": request["clientRequestToken"]},
                contains="nameContains",
            ),
            bills=True,
            needs_role=role is not None,
            done=survey.job_arn is not None,
        ),
        WaitFor(
            kind="batch inference job",
            name=name,
            typical="minutes to hours; it waits for its turn in a queue",
        ),
    ]
    return make_plan(
        kind="batch",
        name=spec.name,
        region=place.region,
        account_id=place.account_id,
        fingerprint=survey.fingerprint,
        facts=_facts(spec, survey, catalog, request),
        steps=steps,
        warnings=batch_warnings(spec, survey, catalog),
        estimate=estimate(_uses(spec, survey), catalog=catalog, region=place.region),
    )


def batch_request(spec: BatchInference, survey: BatchSurvey, role: str) -> dict[str, Any]:
    """The request to CreateModelInvocationJob."""
    output: dict[str, Any] = {"s3Uri": spec.output}
    if spec.kms_key:
        output["s3EncryptionKeyId"] = spec.kms_key
    request: dict[str, Any] = {
        "jobName": short_name(spec.name, survey.fingerprint, survey.attempt),
        "roleArn": role,
        "clientRequestToken": f"bedrock-distill-{survey.fingerprint}-{survey.attempt}",
        "modelId": survey.model_id,
        # Said in any case: the service's model has no default of its own.
        "modelInvocationType": spec.invocation,
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": str(survey.uri)}},
        "outputDataConfig": {"s3OutputDataConfig": output},
        "tags": plan_tags(spec.name, survey.fingerprint, spec.tags),
    }
    if spec.timeout_hours is not None:
        request["timeoutDurationInHours"] = spec.timeout_hours
    if spec.vpc:
        request["vpcConfig"] = spec.vpc.request
    return request


def _facts(
    spec: BatchInference, survey: BatchSurvey, catalog: Catalog, request: dict[str, Any]
) -> dict[str, str]:
    model = catalog.find(survey.model_id)
    return {
        "model": f"{model.name} ({survey.model_id})" if model else survey.model_id,
        "prompts": f"{survey.requests.records:,} in {spec.data.path}",
        "asked by": spec.invocation,
        "job": request["jobName"] + (f" (attempt {survey.attempt})" if survey.attempt > 1 else ""),
        "role": spec.role or "made for this job",
        "output": spec.output,
    }


def _uses(spec: BatchInference, survey: BatchSurvey) -> list[Use]:
    """Tokens at the price of calls: what AWS takes off for batch, if anything, is in no source of ours."""
    return [
        Use(
            what="input, at the price of calls (estimated)",
            model=spec.model,
            kind="input_1k_tokens",
            quantity=survey.requests.prompt_tokens / 1000,
            unit="1k tokens",
        ),
        Use(
            what="output, at the price of calls (at most)",
            model=spec.model,
            kind="output_1k_tokens",
            quantity=survey.requests.records * spec.max_tokens / 1000,
            unit="1k tokens",
        ),
    ]
