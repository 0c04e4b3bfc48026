"""What Bedrock remembers of other ways to serve: model imports, provisioned throughput, and copies of custom models.

The runtime asks through the functions at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.state import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.local.clock import Phases
    from bedrock_distill.local.world import World

__all__ = [
    "COMMITMENTS",
    "CopyJob",
    "ImportJob",
    "ImportedModel",
    "JobStatus",
    "ProvisionedModel",
    "ended_status",
    "imported_model",
    "provisioned_model",
]

JobStatus = Literal["InProgress", "Completed", "Failed"]
"""Statuses of import and copy jobs: neither can be stopped."""

COMMITMENTS: Mapping[str, timedelta] = MappingProxyType(
    {"OneMonth": timedelta(days=30), "SixMonths": timedelta(days=180)}
)
"""How long a commitment lasts."""


def ended_status(phases: Phases) -> JobStatus:
    """The status of a job that goes through these phases. A cloud that closes stops jobs, which nobody sees."""
    if phases.outcome == "running":
        return "InProgress"
    return "Completed" if phases.outcome == "done" else "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportJob:
    """A model import job."""

    arn: str
    name: str
    serial: int
    region: str
    account_id: str
    request: Mapping[str, Any]
    """The parameters it was created with."""
    model_name: str
    model_arn: str
    """The ARN that the imported model gets."""
    kms_arn: str
    """ARN of the imported model's key, or an empty string."""
    created: datetime
    phases: Phases = field(repr=False)

    @property
    def status(self) -> JobStatus:
        """The status, as AWS names it."""
        return ended_status(self.phases)

    @property
    def modified(self) -> datetime:
        """When it last changed."""
        return self.phases.ended_at or self.created


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """An imported model. Its weights lie in `students.imported_dir`."""

    arn: str
    name: str
    serial: int
    job: ImportJob
    architecture: str
    """The class that the config names, such as `LlamaForCausalLM`."""
    instruct: bool
    """Whether Converse works on it."""
    chat_template: bool
    """Whether it came with a chat template: without one it takes prompts only."""
    units: int
    """Custom Model Units that one copy takes."""
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedModel:
    """A Provisioned Throughput by model units."""

    arn: str
    name: str
    serial: int
    model_arn: str
    """The model it was bought for, or the one that its last finished update brought."""
    foundation_arn: str
    """The foundation model, or the one under the custom model."""
    units: int
    commitment: str
    """`OneMonth`, `SixMonths`, or an empty string."""
    created: datetime
    phases: Phases = field(repr=False)
    renamed: datetime | None = None
    """When its name last changed."""
    update_to: str = ""
    """ARN of the model that the latest update brings, or an empty string where there was none."""
    update: Phases | None = field(default=None, repr=False)

    @property
    def active(self) -> bool:
        """Whether it answers."""
        return self.phases.outcome == "done"

    @property
    def updating(self) -> bool:
        """Whether another model is on its way."""
        return self.update is not None and self.update.outcome == "running"

    @property
    def serves(self) -> str:
        """ARN of the model that answers now: the old one until an update has finished."""
        return self.update_to if self.update is not None and not self.updating else self.model_arn

    @property
    def committed_until(self) -> datetime | None:
        """When the commitment ends; None without one."""
        return self.created + COMMITMENTS[self.commitment] if self.commitment else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyJob:
    """A model copy job, in the region that the model is copied to."""

    arn: str
    serial: int
    source_arn: str
    source_name: str
    source_account: str
    target_arn: str
    target_name: str
    kms_arn: str
    """ARN of the copy's key, or an empty string."""
    tags: Mapping[str, str]
    created: datetime
    phases: Phases = field(repr=False)

    @property
    def status(self) -> JobStatus:
        """The status, as AWS names it."""
        return ended_status(self.phases)


def imported_model(world: World, region: str, arn: str) -> ImportedModel | None:
    """An imported model by its ARN, or None."""
    return Tables(world, region).imported.get(arn)


def provisioned_model(world: World, region: str, arn: str) -> str:
    """ARN of the model that a provisioned throughput answers with: a custom model's, or a foundation model's.

    Raises:
        AwsError: ResourceNotFoundException where there is none, ValidationException while it is being created.
    """
    found = Tables(world, region).provisioned.get(arn)
    if found is None:
        raise AwsError("ResourceNotFoundException", f"The provisioned model throughput {arn} was not found.")
    if not found.active:
        raise AwsError(
            "ValidationException",
            f"The provisioned model throughput {arn} is not in service yet. Retry when its status is InService.",
        )
    return found.serves
