"""What the Bedrock service remembers: jobs, custom models, deployments, tags, tokens and the logging configuration.

What else serves models (imports, provisioned throughput, copies) has its rows in `serving`. Other services ask through the functions at the end (`deployed_model`, `logging_configuration`), never through the tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.local.gateway.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.local.clock import Phases
    from bedrock_distill.local.services.bedrock.batch_state import BatchJob
    from bedrock_distill.local.services.bedrock.evaluation_state import EvaluationJob
    from bedrock_distill.local.services.bedrock.serving import (
        CopyJob,
        ImportedModel,
        ImportJob,
        ProvisionedModel,
    )
    from bedrock_distill.local.store import Table
    from bedrock_distill.local.world import World

__all__ = [
    "RUNNING",
    "CustomModel",
    "Deployment",
    "Job",
    "Outcome",
    "Tables",
    "deployed_model",
    "find_model",
    "logging_configuration",
    "moment",
]

JobStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]

RUNNING: frozenset[JobStatus] = frozenset({"InProgress", "Stopping"})
"""Statuses of a job that has not ended."""

_ENDED: dict[str, JobStatus] = {"done": "Completed", "failed": "Failed", "stopped": "Stopped"}


@dataclass(slots=True)
class Outcome:
    """What a job has come to so far. Written by the thread that runs the job, read by everyone."""

    modified: datetime
    model_arn: str = ""
    """ARN of the custom model, once there is one."""
    training_loss: float | None = None
    validation_loss: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A model customization job."""

    arn: str
    name: str
    serial: int
    region: str
    account_id: str
    request: Mapping[str, Any]
    """The parameters it was created with."""
    kind: str
    """Customization type, such as `DISTILLATION`."""
    base_id: str
    """Id of the foundation model under it, with the context suffix."""
    base_arn: str
    """That model's ARN."""
    start_arn: str
    """ARN of the custom model it starts from, or an empty string for the foundation model itself."""
    model_name: str
    kms_arn: str
    """ARN of the custom model's key, or an empty string."""
    created: datetime
    outcome: Outcome
    phases: Phases = field(repr=False)

    @property
    def token(self) -> str:
        """The last part of the ARN: the job's id in the names of its artefacts."""
        return self.arn.rpartition("/")[2]

    @property
    def status(self) -> JobStatus:
        """The status, as AWS names it."""
        ended = _ENDED.get(self.phases.outcome)
        if ended is not None:
            return ended
        return "Stopping" if self.phases.stopping.is_set() else "InProgress"

    def phase_status(self, phase: str) -> str:
        """The status of one phase, as AWS names it."""
        phases = self.phases
        if phase not in phases.entered:
            return "NotStarted"
        if phases.outcome != "running" and phases.failed_in == phase:
            return "Failed" if phases.outcome == "failed" else "Stopped"
        if phase in phases.left:
            return "Completed"
        return "Stopping" if phases.stopping.is_set() else "InProgress"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """A custom model that a job made, or a copy of one."""

    arn: str
    name: str
    serial: int
    job: Job
    created: datetime
    base_arn: str = ""
    """ARN of the base model in a copy's own region, or an empty string where the model is where its job was."""
    copy_kms_arn: str = ""
    """ARN of a copy's key in its own region, or an empty string."""

    @property
    def kms_arn(self) -> str:
        """ARN of the key it is encrypted with, or an empty string."""
        return self.copy_kms_arn if self.base_arn else self.job.kms_arn

    @property
    def foundation_arn(self) -> str:
        """ARN of the foundation model under it."""
        return self.base_arn or self.job.base_arn

    @property
    def parent_arn(self) -> str:
        """ARN of what it was customized from: another custom model or the foundation model."""
        return self.base_arn or self.job.start_arn or self.job.base_arn


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A custom model deployment."""

    arn: str
    name: str
    serial: int
    model_arn: str
    """The model it was created with, or the one that its last finished update brought."""
    created: datetime
    description: str
    phases: Phases = field(repr=False)
    update_to: str = ""
    """ARN of the model that the latest update brings, or an empty string where there was none."""
    update: Phases | None = field(default=None, repr=False)

    @property
    def active(self) -> bool:
        """Whether it answers."""
        return self.phases.outcome == "done"

    @property
    def updating(self) -> bool:
        """Whether an update is under way."""
        return self.update is not None and self.update.outcome == "running"

    @property
    def serves(self) -> str:
        """ARN of the model that answers now: the old one until an update has finished."""
        return self.update_to if self.update is not None and not self.updating else self.model_arn


class Tables:
    """One region's tables, typed."""

    def __init__(self, world: World, region: str) -> None:
        self.jobs: Table[Job] = world.store.table("bedrock/jobs", region)
        self.models: Table[CustomModel] = world.store.table("bedrock/custom-models", region)
        self.deployments: Table[Deployment] = world.store.table("bedrock/deployments", region)
        self.import_jobs: Table[ImportJob] = world.store.table("bedrock/import-jobs", region)
        self.imported: Table[ImportedModel] = world.store.table("bedrock/imported-models", region)
        self.provisioned: Table[ProvisionedModel] = world.store.table("bedrock/provisioned-models", region)
        self.copy_jobs: Table[CopyJob] = world.store.table("bedrock/copy-jobs", region)
        self.batch_jobs: Table[BatchJob] = world.store.table("bedrock/batch-jobs", region)
        self.evaluation_jobs: Table[EvaluationJob] = world.store.table("bedrock/evaluation-jobs", region)
        self.tags: Table[dict[str, str]] = world.store.table("bedrock/tags", region)
        self.tokens: Table[tuple[str, str]] = world.store.table("bedrock/client-tokens", region)
        """`operation:token` -> digest of the request, and the ARN it was answered with."""
        self.roles: Table[float] = world.store.table("bedrock/roles-seen", region)
        """Role id -> when a new role was first used here, by the cloud's monotonic clock."""
        self.logging: Table[dict[str, Any]] = world.store.table("bedrock/invocation-logging", region)
        self._serials: Table[int] = world.store.table("bedrock/serials", region)

    def taggable(self, arn: str) -> bool:
        """Whether there is a resource of this ARN that carries tags."""
        tables: tuple[Table[Any], ...] = (
            self.jobs,
            self.models,
            self.deployments,
            self.import_jobs,
            self.imported,
            self.provisioned,
            self.batch_jobs,
            self.evaluation_jobs,
        )
        return any(arn in table for table in tables)

    def next_serial(self) -> int:
        """The next number in the order of making. Hold the world's lock."""
        return self._serials.put("last", (self._serials.get("last") or 0) + 1)


def moment(world: World) -> datetime:
    """Now, to the millisecond that the API carries: what a caller was told compares equal to what is remembered."""
    now = world.clock.now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def find_model(tables: Tables, identifier: str) -> CustomModel | None:
    """A custom model by ARN or name."""
    return tables.models.get(identifier) or tables.models.find(lambda model: model.name == identifier)


def deployed_model(world: World, region: str, deployment_arn: str) -> str:
    """ARN of the custom model that a deployment answers with.

    Raises:
        AwsError: ResourceNotFoundException where there is no such deployment, ValidationException while it is being
            created.
    """
    deployment = Tables(world, region).deployments.get(deployment_arn)
    if deployment is None:
        raise AwsError(
            "ResourceNotFoundException", f"The custom model deployment {deployment_arn} was not found."
        )
    if not deployment.active:
        raise AwsError(
            "ValidationException",
            f"The custom model deployment {deployment_arn} is not active yet. Retry when its status is Active.",
        )
    return deployment.serves


def logging_configuration(world: World, region: str) -> Mapping[str, Any] | None:
    """The region's model invocation logging configuration, or None where logging is off."""
    return Tables(world, region).logging.get("configuration")
