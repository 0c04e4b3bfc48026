"""The plan of an import: stage, role, job, wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import (
    CreateResource,
    Lookup,
    Plan,
    PlanWarning,
    Step,
    WaitFor,
    estimate,
    make_plan,
)
from bedrock_distill.plan.estimate import Use
from bedrock_distill.plan.listed import size_in_words
from bedrock_distill.resources.made_role import role_arn, role_step
from bedrock_distill.resources.model_import.survey import role_documents, survey_import
from bedrock_distill.resources.model_warnings import access_warnings, bucket_warnings, model_warnings
from bedrock_distill.resources.spec import plan_tags, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.model_import.spec import ModelImport
from bedrock_distill.resources.model_import.survey import ImportSurvey

__all__ = ["plan_import", "plan_import_in"]

TARGET = "model-import"
"""What inspection calls Custom Model Import."""


def plan_import_in(spec: ModelImport, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the request against the service's model.

    Raises:
        DataError: If the directory cannot be read, or holds no model.
        SpecError: If the service's model would refuse the request.
        ServiceError: If AWS cannot be asked what must be known.
    """
    plan = plan_import(spec, survey_import(spec, clients, catalog), catalog)
    clients.check("bedrock", plan.creates.operation, plan.creates.request)
    return plan


def plan_import(spec: ModelImport, survey: ImportSurvey, catalog: Catalog) -> Plan:
    """The plan for an import in the world as it was found. Pure.

    Args:
        spec: What is wanted.
        survey: What `survey_import` read.
        catalog: Prices.
    """
    place = survey.place
    role = None if spec.role else role_step(spec, role_documents(spec, place, survey.model.uri), survey.role)
    request = _request(spec, survey, role_arn(spec, place, role))
    name = request["jobName"]
    steps: list[Step] = [
        *survey.model.stage(spec.data_kms_key),
        *([role] if role else []),
        CreateResource(
            kind="model import job",
            name=name,
            service="bedrock",
            operation="create_model_import_job",
            request=request,
            arn="jobArn",
            lookup=Lookup(
                operation="get_model_import_job",
                parameter="jobIdentifier",
                arn="jobArn",
                same={"importedModelName": request["importedModelName"]},
            ),
            # The job is free; the model is billed while it is kept, and by the minute while it is loaded.
            bills=True,
            needs_role=role is not None,
            done=survey.job_arn is not None,
        ),
        WaitFor(kind="model import job", name=name, typical="minutes; 61 GB took about 15"),
    ]
    return make_plan(
        kind="import",
        name=spec.name,
        region=place.region,
        account_id=place.account_id,
        fingerprint=survey.fingerprint,
        facts=_facts(spec, survey, request),
        steps=steps,
        warnings=_warnings(spec, survey),
        estimate=estimate(_USES, catalog=catalog, region=place.region),
    )


_USES = (
    Use(what="model storage, a month", model="custom-model-import", kind="storage_month", quantity=None, unit="custom model units"),
    Use(what="each 5 minutes in which a copy is loaded", model="custom-model-import", kind="model_unit_minute", quantity=None, unit="custom model units"),
)  # fmt: skip
"""What an imported model costs. How many units it needs, Bedrock says after the import."""


def _request(spec: ModelImport, survey: ImportSurvey, role: str) -> dict[str, Any]:
    job_name = short_name(spec.name, survey.fingerprint, survey.attempt)
    tags = plan_tags(spec.name, survey.fingerprint, spec.tags)
    request: dict[str, Any] = {
        "jobName": job_name,
        "importedModelName": spec.model_name or job_name,
        "roleArn": role,
        "modelDataSource": {"s3DataSource": {"s3Uri": str(survey.model.uri)}},
        "clientRequestToken": f"bedrock-distill-{survey.fingerprint}-{survey.attempt}",
        "jobTags": tags,
        "importedModelTags": tags,
    }
    if spec.kms_key:
        request["importedModelKmsKeyId"] = spec.kms_key
    if spec.vpc:
        request["vpcConfig"] = spec.vpc.request
    return request


def _facts(spec: ModelImport, survey: ImportSurvey, request: dict[str, Any]) -> dict[str, str]:
    model = survey.model
    shape = model.report.shape
    what = f"{shape.architecture}, {shape.parameters:,} parameters, " if shape else ""
    return {
        "model": f"{spec.model} ({what}{size_in_words(shape.weight_bytes if shape else 0)})",
        "from": str(model.uri),
        "job": request["jobName"] + (f" (attempt {survey.attempt})" if survey.attempt > 1 else ""),
        "imported model": request["importedModelName"],
        "role": spec.role or "made for this import",
    }


def _warnings(spec: ModelImport, survey: ImportSurvey) -> tuple[PlanWarning, ...]:
    found = [
        *model_warnings(survey.model.report, TARGET),
        *bucket_warnings(survey.bucket, survey.place.region),
        *access_warnings(role=spec.role, role_hidden=survey.role_hidden, data_kms_key=spec.data_kms_key),
        *_own(spec, survey),
    ]
    return tuple(sorted(found, key=lambda warning: not warning.blocks))


def _own(spec: ModelImport, survey: ImportSurvey) -> Iterator[PlanWarning]:
    if survey.model_name_taken:
        yield PlanWarning(
            code="model-name-taken",
            text=f"There is an imported model {spec.model_name} already: choose another model_name, or delete it.",
            blocks=True,
        )
    if survey.attempt > 1:
        yield PlanWarning(
            code="failed-before",
            text=f"This is attempt {survey.attempt}: the same import failed before, or its model was deleted. See "
            f"`bedrock-distill import show {short_name(spec.name, survey.fingerprint, survey.attempt - 1)}`.",
        )
