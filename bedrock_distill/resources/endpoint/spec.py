"""What is wanted: a model behind a SageMaker endpoint, in a container, on an instance, scaled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from bedrock_distill.errors import SpecError
from bedrock_distill.resources import fields
from bedrock_distill.resources.endpoint.containers import LMI, TGI, VLLM, TensorRTLLM
from bedrock_distill.resources.model_folder import check_model_source
from bedrock_distill.resources.spec import Spec, check_name
from bedrock_distill.resources.vpc import Vpc
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONTAINERS", "AsyncInference", "Endpoint", "Rollout", "Scaling"]

CONTAINERS: Mapping[str, type[LMI | VLLM | TGI | TensorRTLLM]] = {
    "lmi": LMI,
    "vllm": VLLM,
    "tgi": TGI,
    "trtllm": TensorRTLLM,
}
"""What a command or a job file calls a container -> its settings."""

_ALARM = re.compile(r"(?!\s*$).{1,255}")


class Scaling(Spec):
    """How many instances (or copies) there are, by how many requests are under way."""

    minimum: int = Field(default=1, ge=0)
    """Fewest. 0 puts the model behind an inference component, which can be scaled to nothing and woken by a request;
    of an asynchronous endpoint the instances themselves can."""
    maximum: int = Field(default=2, ge=1)
    """Most."""
    requests_each: float | None = Field(default=None, gt=0)
    """Requests under way on one instance or copy that are aimed at. Default: 70 % of the container's `concurrency`."""
    scale_out_s: int = Field(default=60, ge=0)
    """Seconds after adding before more are added."""
    scale_in_s: int = Field(default=300, ge=0)
    """Seconds after removing, or since the last addition, before more are removed."""

    @model_validator(mode="after")
    def _order(self) -> Scaling:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class AsyncInference(Spec):
    """Answers are written to S3 and not waited for: for long answers, and for traffic that may wait for instances."""

    output: str
    """S3 folder for answers."""
    failures: str | None = None
    """S3 folder for what went wrong. Default: under `output`."""
    success_topic: str | None = None
    """ARN of an SNS topic that is told of answers."""
    error_topic: str | None = None
    """ARN of an SNS topic that is told of failures."""

    _folders = field_validator("output", "failures")(
        lambda value: None if value is None else str(S3Uri.parse(value).as_prefix)
    )


class Rollout(Spec):
    """How an update reaches instances that serve. Without one, a whole new fleet takes over at once (blue and green)."""

    batch_percent: int = Field(default=50, ge=5, le=50)
    """Share of the instances that is exchanged at a time."""
    wait_s: int = Field(default=120, ge=0, le=3600)
    """Seconds to watch the alarms after each batch."""
    alarms: tuple[str, ...] = Field(default=(), max_length=10)
    """CloudWatch alarms that take the update back."""

    @field_validator("alarms")
    @classmethod
    def _alarms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _ALARM.fullmatch(name):
                raise ValueError(f"{name!r}: an alarm's name has 1 to 255 characters")
        return value


class Endpoint(Spec):
    """A SageMaker endpoint that serves a Hugging Face model.

    Planning the same name again with other settings is an update of what serves, in place.

    Example:
        `Endpoint(name="triage", model="students/triage", container=VLLM(), staging="s3://acme-ml/")`
    """

    name: str
    """The endpoint's name; kept in lower case, as SageMaker writes it in ARNs, with '-' for '_'."""
    model: str
    """A directory on this machine, or the S3 prefix that holds one."""
    container: LMI | VLLM | TGI | TensorRTLLM = Field(default_factory=LMI)
    """What serves it."""
    instance: str = "auto"
    """Instance type, such as `ml.g6e.xlarge`; `auto` takes the first that `endpoints size` finds."""
    instances: int = Field(default=1, ge=1)
    """Instances to start with."""
    staging: str | None = None
    """S3 URI of a folder; a local directory is staged under `models/` in it. Not needed where the model lies in S3."""
    role: str | None = None
    """ARN of the role the container runs with. Default: one is made with the least policy that works."""
    scaling: Scaling | None = None
    """Default: none; `instances` stay as they are."""
    asynchronous: AsyncInference | None = None
    """Default: requests are answered while the caller waits."""
    rollout: Rollout | None = None
    kms_key: str | None = None
    """KMS key that encrypts the instances' volumes. Not for instances with NVMe disks, which encrypt by themselves."""
    data_kms_key: str | None = None
    """KMS key that encrypts the staged files. Default: as the bucket is set."""
    vpc: Vpc | None = None
    network_isolation: bool = False
    """Whether the container has no network at all. The model's files come from SageMaker either way."""
    host_image: str | None = None
    """InferenceAmiVersion. Default: the one for the container's CUDA version."""
    download_timeout_s: int | None = Field(default=None, ge=60, le=3600)
    """Default: from the bytes of the weights."""
    startup_timeout_s: int | None = Field(default=None, ge=60, le=3600)
    """Default: from the bytes of the weights, and longer where the container compiles."""
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value).replace("_", "-").lower()

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        return check_model_source(str(value))

    @field_validator("staging")
    @classmethod
    def _staging(cls, value: str | None) -> str | None:
        return None if value is None else fields.check_output(value)

    _role = field_validator("role")(fields.check_role)
    _keys = field_validator("kms_key", "data_kms_key")(fields.check_key)
    _tags = field_validator("tags")(fields.check_tags)

    def model_post_init(self, _: Any, /) -> None:
        """Hold together what contradicts itself only as a whole."""
        if self.asynchronous is None or self.rollout is None:
            return
        raise SpecError(
            "Endpoint cannot be made: rollout: an asynchronous endpoint is updated as a whole; leave rollout out.",
            field="rollout",
        )

    @property
    def staging_uri(self) -> S3Uri | None:
        """`staging` as a URI."""
        return None if self.staging is None else S3Uri.parse(self.staging)

    @property
    def component(self) -> bool:
        """Whether the model lies behind an inference component: only such can be scaled to nothing and answer at once."""
        return self.scaling is not None and self.scaling.minimum == 0 and self.asynchronous is None

    @property
    def aimed_at(self) -> float:
        """Requests under way on one instance or copy that scaling aims at."""
        if self.scaling is not None and self.scaling.requests_each is not None:
            return self.scaling.requests_each
        return max(1.0, round(0.7 * self.container.concurrency))
