"""What is wanted: a model imported under a name."""

from __future__ import annotations

from pydantic import Field, field_validator

from bedrock_distill.resources import fields
from bedrock_distill.resources.model_folder import check_model_source
from bedrock_distill.resources.spec import Spec, check_name
from bedrock_distill.resources.vpc import Vpc
from bedrock_distill.uris import S3Uri

__all__ = ["ModelImport"]


class ModelImport(Spec):
    """A Custom Model Import job: Bedrock takes a Hugging Face directory and serves it, and scales it to zero when idle.

    Example:
        `ModelImport(name="triage", model="students/triage", staging="s3://acme-ml/")`
    """

    name: str
    """Yours to choose; job, model and role are named after it and the plan's fingerprint."""
    model: str
    """A directory on this machine, or the S3 prefix that holds one."""
    staging: str | None = None
    """S3 URI of a folder; a local directory is staged under `models/` in it. Not needed where the model lies in S3."""
    role: str | None = None
    """ARN of the role Bedrock assumes. Default: one is made with the least policy that works."""
    model_name: str | None = None
    """The imported model's name. Default: from `name` and the fingerprint."""
    kms_key: str | None = None
    """KMS key that encrypts the imported model. Default: a key AWS owns."""
    data_kms_key: str | None = None
    """KMS key that encrypts the staged files. Default: as the bucket is set."""
    vpc: Vpc | None = None
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        return check_model_source(str(value))

    @field_validator("staging")
    @classmethod
    def _staging(cls, value: str | None) -> str | None:
        return None if value is None else fields.check_output(value)

    _role = field_validator("role")(fields.check_role)
    _model_name = field_validator("model_name")(fields.check_model_name)
    _keys = field_validator("kms_key", "data_kms_key")(fields.check_key)
    _tags = field_validator("tags")(fields.check_tags)

    @property
    def staging_uri(self) -> S3Uri | None:
        """`staging` as a URI."""
        return None if self.staging is None else S3Uri.parse(self.staging)
