"""The IAM documents of an evaluation job. Pure: values in, documents out.

Source: Amazon Bedrock user guide, model-evaluation-security-service-roles and judge-service-roles, as remembered in November
2026: which of the invocation actions a job uses is not verified, so all that the guide lists for models are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import read_model_id
from bedrock_distill.resources.policies import job_policy, job_trust, profile_resources
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bedrock_distill.resources.survey import Place
    from bedrock_distill.uris import S3Uri

__all__ = ["evaluation_documents"]

_JOB = "evaluation-job"

_INVOKING = (
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
    "bedrock:CreateModelInvocationJob",
    "bedrock:StopModelInvocationJob",
    "bedrock:GetProvisionedModelThroughput",
    "bedrock:GetInferenceProfile",
    "bedrock:GetImportedModel",
)


def evaluation_documents(
    place: Place, *, dataset: S3Uri, output: S3Uri, models: Sequence[str], kms_key_arns: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trust and permissions of the role that is made for an evaluation job.

    Args:
        place: Where the job runs, and whose it is.
        dataset: The staged prompts.
        output: Where results go.
        models: What the job asks: the model, unless its answers are given, and the judge.
        kms_key_arns: Keys of the prompts and the results.
    """
    where = {"partition": place.partition, "region": place.region, "account_id": place.account_id}
    policy = job_policy(partition=place.partition, training=dataset, output=output, kms_key_arns=kms_key_arns)
    asked = list(dict.fromkeys(resource for model in models for resource in _resources(model, place)))
    jobs = f"arn:{place.partition}:bedrock:{place.region}:{place.account_id}:model-invocation-job/*"
    policy["Statement"].append(
        {"Sid": "AskModels", "Effect": "Allow", "Action": list(_INVOKING), "Resource": [*asked, jobs]}
    )
    return job_trust(**where, job=_JOB), policy


def _resources(model: str, place: Place) -> Iterator[str]:
    """The ARNs that asking a model touches."""
    ref = read_model_id(model)
    if ref.kind == "foundation":
        yield f"arn:{place.partition}:bedrock:{place.region}::foundation-model/{ref.model}"
    elif ref.kind == "profile":
        profile = Arn.parse(model).resource_id if Arn.looks_like(model) else model
        yield from profile_resources(
            partition=place.partition,
            region=place.region,
            account_id=place.account_id,
            profile=profile,
            model=ref.model,
        )
    else:
        yield model
        if ref.kind == "application-profile":
            # Which models stand behind it, its ARN does not tell.
            yield f"arn:{place.partition}:bedrock:*::foundation-model/*"
