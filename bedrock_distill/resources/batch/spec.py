"""What is wanted: a file of prompts answered by one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from bedrock_distill.catalog import read_model_id
from bedrock_distill.plan.requests import Invocation
from bedrock_distill.resources import fields
from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.data import Prompts
from bedrock_distill.resources.spec import Spec, check_name
from bedrock_distill.resources.vpc import Vpc
from bedrock_distill.uris import Arn, S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BatchInference"]

_REFUSED: Mapping[str, str] = {
    "imported-model": "Bedrock's batch inference takes no imported models: ask it call by call (session.model, "
    "`bedrock-distill evaluate`), or serve it on a SageMaker endpoint",
    "custom-model-deployment": "batch inference takes the custom model itself, which needs no deployment: give the custom "
    "model's ARN (`bedrock-distill models list`)",
    "provisioned-model": "batch inference takes no provisioned throughput: give the model's own id, or the custom model's ARN",
}
"""Kinds of ids that the service's pattern for `modelId` does not take -> what to do."""


class BatchInference(Spec):
    """A batch inference job of Bedrock's: prompts from S3 are answered to S3, within hours and without calls of yours.

    Example:
        `BatchInference(name="triage", model="amazon.nova-pro-v1:0", data=bd.Prompts("prompts.jsonl"), output="s3://acme-ml/batch/")`
    """

    name: str
    """Yours to choose; job and role are named after it and the plan's fingerprint."""
    model: str
    """Model id, inference profile, or a custom model (its ARN or handle), which needs no deployment. No imported models."""
    data: Prompts
    """The prompts; golden completions in them are left out."""
    output: str
    """S3 URI of a folder for the staged requests and the answers."""
    role: str | None = None
    """ARN of the role Bedrock assumes. Default: one is made with the least policy that works."""
    system: str | None = None
    """System prompt of every request. Default: each record's own."""
    max_tokens: int = Field(default=512, ge=1)
    """Most tokens of an answer; the default is that of `evaluate`."""
    temperature: float | None = Field(default=0.0, ge=0, le=1)
    """Randomness from 0 to 1; None (in a job file `"none"`) leaves it to the model. The default is that of `evaluate`."""
    timeout_hours: int | None = Field(default=None, ge=24, le=168)
    """Hours after which Bedrock gives the job up. Default: AWS's own."""
    invocation: Invocation = "Converse"
    """`Converse`, one form for all models, or `InvokeModel`, the body of the model's own family."""
    kms_key: str | None = None
    """KMS key that encrypts the answers. Default: as the bucket is set."""
    data_kms_key: str | None = None
    """KMS key that encrypts the staged requests. Default: as the bucket is set."""
    vpc: Vpc | None = None
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        arn = value.arn if isinstance(value, CustomModel) else value
        if not isinstance(arn, str):
            return arn
        kind = read_model_id(arn).kind
        if kind in _REFUSED:
            raise ValueError(_REFUSED[kind])
        if not arn.strip() or (kind == "name" and (Arn.looks_like(arn) or "/" in arn)):
            raise ValueError("must be a model id, an inference profile, or a custom model's ARN")
        return arn

    @field_validator("temperature", mode="before")
    @classmethod
    def _temperature(cls, value: object) -> object:
        # TOML has no null, so a job file says `none`.
        return None if isinstance(value, str) and value.lower() == "none" else value

    _output = field_validator("output")(fields.check_output)
    _role = field_validator("role")(fields.check_role)
    _keys = field_validator("kms_key", "data_kms_key")(fields.check_key)
    _tags = field_validator("tags")(fields.check_tags)

    @property
    def output_uri(self) -> S3Uri:
        """`output` as a URI."""
        return S3Uri.parse(self.output)
