"""The ARNs that Bedrock gives out, in the shapes its own model demands."""

from __future__ import annotations

import re

from bedrock_distill.uris import Arn, partition_of

__all__ = [
    "batch_job_arn",
    "copy_job_arn",
    "custom_model_arn",
    "deployment_arn",
    "evaluation_job_arn",
    "foundation_model_arn",
    "import_job_arn",
    "imported_model_arn",
    "job_arn",
    "provisioned_model_arn",
    "short_name",
]

_VERSION = re.compile(r":.*$")


def foundation_model_arn(region: str, model_id: str) -> str:
    """ARN of a foundation model, with the context suffix if the id has one."""
    return str(Arn(partition_of(region), "bedrock", region, "", f"foundation-model/{model_id}"))


def job_arn(region: str, account_id: str, base_id: str, token: str) -> str:
    """ARN of a model customization job; the base model's id is part of it."""
    return str(
        Arn(partition_of(region), "bedrock", region, account_id, f"model-customization-job/{base_id}/{token}")
    )


def custom_model_arn(region: str, account_id: str, base_id: str, token: str) -> str:
    """ARN of a custom model; the base model's id is part of it."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"custom-model/{base_id}/{token}"))


def deployment_arn(region: str, account_id: str, token: str) -> str:
    """ARN of a custom model deployment."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"custom-model-deployment/{token}"))


def import_job_arn(region: str, account_id: str, token: str) -> str:
    """ARN of a model import job."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"model-import-job/{token}"))


def batch_job_arn(region: str, account_id: str, token: str) -> str:
    """ARN of a batch inference job."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"model-invocation-job/{token}"))


def evaluation_job_arn(region: str, account_id: str, token: str) -> str:
    """ARN of an evaluation job."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"evaluation-job/{token}"))


def imported_model_arn(region: str, account_id: str, token: str) -> str:
    """ARN of an imported model."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"imported-model/{token}"))


def copy_job_arn(region: str, account_id: str, token: str) -> str:
    """ARN of a model copy job, in the region that the model is copied to."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"model-copy-job/{token}"))


def provisioned_model_arn(region: str, account_id: str, token: str) -> str:
    """ARN of a Provisioned Throughput."""
    return str(Arn(partition_of(region), "bedrock", region, account_id, f"provisioned-model/{token}"))


def short_name(base_id: str) -> str:
    """The base model's name as summaries give it: the id without version and context (`amazon.nova-micro-v1`)."""
    return _VERSION.sub("", base_id)
