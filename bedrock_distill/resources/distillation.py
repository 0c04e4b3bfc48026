"""A distillation: what the user writes, and the plan it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from bedrock_distill.catalog import read_model_id
from bedrock_distill.plan import (
    CreateResource,
    Lookup,
    Plan,
    StageFile,
    Step,
    WaitFor,
    estimate,
    fingerprint_of,
    make_plan,
)
from bedrock_distill.plan.estimate import Use
from bedrock_distill.resources import fields
from bedrock_distill.resources.data import InvocationLogs, Prompts
from bedrock_distill.resources.made_role import role_arn, role_step
from bedrock_distill.resources.policies import job_policy, job_trust, profile_resources
from bedrock_distill.resources.spec import Spec, check_name, plan_tags, short_name
from bedrock_distill.resources.survey import FoundPrompts
from bedrock_distill.resources.vpc import Vpc
from bedrock_distill.resources.warnings import warnings_for
from bedrock_distill.uris import Arn, S3Uri

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog, Model, Pair
    from bedrock_distill.resources.survey import Place, Survey

__all__ = ["Distillation", "intent_of", "plan_distillation"]


class Distillation(Spec):
    """A model customization job of type DISTILLATION.

    Example:
        `Distillation(name="triage", teacher="amazon.nova-pro-v1:0", student="amazon.nova-micro-v1:0",
        data=Prompts("prompts.jsonl"), output="s3://acme-ml/distill/")`
    """

    name: str
    """Yours to choose; job, model and role are named after it and the plan's fingerprint."""
    teacher: str
    """Model id, inference profile id or ARN of the teacher."""
    student: str
    """Model id of the student, with or without its context suffix; the plan sends what AWS wants."""
    data: Prompts | InvocationLogs
    """What to learn from: a file of prompts, or the invocation logs of calls that were made."""
    output: str
    """S3 URI of a folder for staged data and results."""
    role: str | None = None
    """ARN of the role Bedrock assumes. Default: one is made with the least policy that works."""
    max_response_tokens: int = Field(default=1000, ge=1)
    """Longest teacher answer in tokens. AWS's own notebooks use 1000."""
    model_name: str | None = None
    """The custom model's name. Default: from `name` and the fingerprint."""
    kms_key: str | None = None
    """KMS key that encrypts the custom model. Default: a key AWS owns."""
    data_kms_key: str | None = None
    """KMS key that encrypts what is staged, or the logs. Default: as the bucket is set."""
    vpc: Vpc | None = None
    hyperparameters: dict[str, str] = Field(default_factory=dict)
    """Sent as they are. AWS documents none for distillation: leave it empty unless AWS told you otherwise."""
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    _student = field_validator("student")(fields.check_student)
    _teacher = field_validator("teacher")(fields.check_teacher)
    _output = field_validator("output")(fields.check_output)
    _role = field_validator("role")(fields.check_role)
    _model_name = field_validator("model_name")(fields.check_model_name)
    _keys = field_validator("kms_key", "data_kms_key")(fields.check_key)
    _tags = field_validator("tags")(fields.check_tags)

    @property
    def output_uri(self) -> S3Uri:
        """`output` as a URI."""
        return S3Uri.parse(self.output)


def intent_of(spec: Distillation, *, content: object, region: str, account_id: str) -> dict[str, Any]:
    """What makes two distillations the same: the spec (but for where the file lies), the data's identity, the place."""
    wanted = spec.model_dump(mode="json", exclude={"data"})
    return {"kind": "distillation", "spec": wanted, "data": content, "region": region, "account": account_id}


def plan_distillation(spec: Distillation, survey: Survey, catalog: Catalog) -> Plan:
    """The plan for a distillation in the world as it was found. Pure.

    Args:
        spec: What is wanted.
        survey: What `resources.survey` read.
        catalog: Facts about models, pairs and quotas.
    """
    fingerprint = fingerprint_of(
        intent_of(spec, content=survey.data.identity, region=survey.region, account_id=survey.account_id)
    )
    pair = catalog.pair(spec.teacher, spec.student)
    steps: list[Step] = []
    data = survey.data
    if isinstance(data, FoundPrompts):
        stage = StageFile(
            path=str(data.path),
            uri=str(data.uri),
            size_bytes=data.digest.size_bytes,
            sha256=data.digest.sha256,
            kms_key_id=spec.data_kms_key,
            done=data.staged,
        )
        steps.append(stage)
    role = (
        None
        if spec.role
        else role_step(spec, role_documents(spec, survey, survey.data.uri, survey.teacher_id), survey.role)
    )
    if role is not None:
        steps.append(role)
    arn = role_arn(spec, survey, role)
    request = job_request(spec, survey, fingerprint=fingerprint, role_arn=arn, pair=pair)
    name = request["jobName"]
    steps.append(
        CreateResource(
            kind="distillation job",
            name=name,
            service="bedrock",
            operation="create_model_customization_job",
            request=request,
            arn="jobArn",
            lookup=Lookup(
                operation="get_model_customization_job",
                parameter="jobIdentifier",
                arn="jobArn",
                same={"clientRequestToken": request["clientRequestToken"]},
            ),
            bills=True,
            needs_role=role is not None,
            done=survey.job_arn is not None,
        )
    )
    steps.append(
        WaitFor(kind="distillation job", name=name, typical="hours; AWS's notebooks say up to 7 days")
    )
    return make_plan(
        kind="distillation",
        name=spec.name,
        region=survey.region,
        account_id=survey.account_id,
        fingerprint=fingerprint,
        facts=_facts(spec, survey, catalog, request),
        steps=steps,
        warnings=warnings_for(spec, survey, catalog, pair, role_arn=arn),
        estimate=estimate(_uses(spec, survey), catalog=catalog, region=survey.region),
    )


def job_request(
    spec: Distillation, survey: Survey, *, fingerprint: str, role_arn: str, pair: Pair | None
) -> dict[str, Any]:
    """The request to CreateModelCustomizationJob."""
    job_name = short_name(spec.name, fingerprint, survey.attempt)
    request: dict[str, Any] = {
        "jobName": job_name,
        "customModelName": spec.model_name or job_name,
        "roleArn": role_arn,
        "clientRequestToken": f"bedrock-distill-{fingerprint}-{survey.attempt}",
        "baseModelIdentifier": pair.send if pair else spec.student,
        # The service has no default of its own in its model, so the type is always said.
        "customizationType": "DISTILLATION",
        "trainingDataConfig": survey.data.training_data,
        "outputDataConfig": {"s3Uri": spec.output},
        "customizationConfig": {
            "distillationConfig": {
                "teacherModelConfig": {
                    "teacherModelIdentifier": survey.teacher_id,
                    "maxResponseLengthForInference": spec.max_response_tokens,
                }
            }
        },
        "jobTags": plan_tags(spec.name, fingerprint, spec.tags),
        "customModelTags": plan_tags(spec.name, fingerprint, spec.tags),
    }
    if spec.hyperparameters:
        request["hyperParameters"] = spec.hyperparameters
    if spec.kms_key:
        request["customModelKmsKeyId"] = spec.kms_key
    if spec.vpc:
        request["vpcConfig"] = spec.vpc.request
    return request


def role_documents(
    spec: Distillation, place: Survey | Place, training: S3Uri, teacher_id: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trust and permissions of the role that is made for a job."""
    partition, region, account = place.partition, place.region, place.account_id
    teacher = read_model_id(teacher_id)
    profile = Arn.parse(teacher_id).resource_id if Arn.looks_like(teacher_id) else teacher_id
    keys = [key for key in (spec.data_kms_key,) if key and fields.is_key_arn(key)]
    policy = job_policy(
        partition=partition,
        training=training,
        what="Logs" if isinstance(spec.data, InvocationLogs) else "Prompts",
        output=spec.output_uri,
        profile=profile_resources(
            partition=partition, region=region, account_id=account, profile=profile, model=teacher.model
        )
        if teacher.kind == "profile"
        else (),
        kms_key_arns=keys,
        vpc=spec.vpc.ids if spec.vpc else None,
        region=region,
        account_id=account,
    )
    return job_trust(partition=partition, region=region, account_id=account), policy


def _facts(spec: Distillation, survey: Survey, catalog: Catalog, request: dict[str, Any]) -> dict[str, str]:
    def named(identifier: str) -> str:
        model: Model | None = catalog.find(identifier)
        return f"{model.name} ({identifier})" if model else identifier

    return {
        "teacher": named(survey.teacher_id),
        "student": named(request["baseModelIdentifier"]),
        **survey.data.facts,
        "job": request["jobName"] + (f" (attempt {survey.attempt})" if survey.attempt > 1 else ""),
        "model": request["customModelName"],
        "role": spec.role or "made for this job",
        "output": spec.output,
    }


def _uses(spec: Distillation, survey: Survey) -> list[Use]:
    data, uses = survey.data, []
    if data.asks_teacher:
        tokens, asked = data.prompt_tokens, data.asked
        uses += [
            Use(
                what="teacher input (estimated)",
                model=spec.teacher,
                kind="input_1k_tokens",
                quantity=None if tokens is None else tokens / 1000,
                unit="1k tokens",
            ),
            Use(
                what="teacher output (at most)",
                model=spec.teacher,
                kind="output_1k_tokens",
                quantity=None if asked is None else asked * spec.max_response_tokens / 1000,
                unit="1k tokens",
            ),
        ]
    return [
        *uses,
        # AWS chooses the epochs and may add synthetic prompts: how many tokens are trained on is known afterwards.
        Use(
            what="student training",
            model=spec.student,
            kind="training_1k_tokens",
            quantity=None,
            unit="1k tokens",
        ),
        Use(
            what="custom model storage, a month",
            model=spec.student,
            kind="storage_month",
            quantity=1,
            unit="model",
        ),
    ]
