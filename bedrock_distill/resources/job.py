"""A model customization job: its status, and the handle that waits for it and stops it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.listing import newest_first
from bedrock_distill.resources.waiting import Noun, changes, wait_until_over
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["JOB_STATUSES", "DistillationJob", "JobStatus", "customization_jobs"]

JOB_STATUSES: dict[str, tuple[bool, bool]] = {
    "InProgress": (False, False),
    "Stopping": (False, False),
    "Stopped": (True, False),
    "Failed": (True, False),
    "Completed": (True, True),
}
"""Every status of the service's model -> whether the job is over, and whether it succeeded."""

_JOB = Noun(
    name="distillation job",
    wait_command="bedrock-distill jobs wait",
    when_failed="See what it wrote with `bedrock-distill jobs show {arn} --artifacts`; to try again, plan again.",
)

_PHASES = (
    ("validationDetails", "validation"),
    ("dataProcessingDetails", "data processing"),
    ("trainingDetails", "training"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What a job says of itself at one moment."""

    arn: str
    name: str
    status: str
    """InProgress, Completed, Failed, Stopping or Stopped."""
    phases: dict[str, str]
    """Phase (`validation`, `data processing`, `training`) -> its status; empty where the service does not say."""
    reason: str
    """AWS's failure message, or an empty string."""
    model_arn: str | None
    """The custom model, once there is one."""
    training_loss: float | None
    created: datetime
    ended: datetime | None

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return JOB_STATUSES.get(self.status, (False, False))[0]

    @property
    def succeeded(self) -> bool:
        """Whether there is a model."""
        return JOB_STATUSES.get(self.status, (False, False))[1]

    @property
    def phase(self) -> str:
        """The phase that is running, or that the job ended in; an empty string before the first."""
        started = [name for name, status in self.phases.items() if status not in ("NotStarted", "Completed")]
        done = [name for name, status in self.phases.items() if status == "Completed"]
        return (started or done[-1:] or [""])[0]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> JobStatus:
        """Read GetModelCustomizationJob's answer."""
        details = answer.get("statusDetails") or {}
        return cls(
            arn=answer["jobArn"],
            name=answer["jobName"],
            status=answer["status"],
            phases={
                name: details[key]["status"] for key, name in _PHASES if details.get(key, {}).get("status")
            },
            reason=answer.get("failureMessage") or "",
            model_arn=answer.get("outputModelArn"),
            training_loss=(answer.get("trainingMetrics") or {}).get("trainingLoss"),
            created=answer["creationTime"],
            ended=answer.get("endTime"),
        )


@dataclass(frozen=True, slots=True)
class DistillationJob:
    """Handle of a distillation job. Cheap to make, and good on any machine: the ARN is all it holds."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetModelCustomizationJob answers, without its metadata."""
        answer = self.clients.call(
            "bedrock", "get_model_customization_job", subject=self.arn, jobIdentifier=self.arn
        )
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> JobStatus:
        """The job's status now."""
        return JobStatus.of(self.describe())

    def events(self, *, timeout_s: float | None = None) -> Iterator[JobStatus]:
        """The status now, and again at each change, until the job is over or the time is up."""
        return changes(self.status, clock=self.clients.clock, timeout_s=timeout_s)

    def wait(
        self, *, timeout_s: float | None = None, on_change: Callable[[JobStatus], None] | None = None
    ) -> JobStatus:
        """Wait until the job has completed.

        Args:
            timeout_s: Seconds to wait at most. Default: as long as it takes; AWS's notebooks say up to 7 days.
            on_change: Told each new status and phase.

        Raises:
            JobFailedError: If the job failed or was stopped.
            WaitTimeoutError: If it is still running when the time is up.
        """
        return wait_until_over(
            self.status,
            what=_JOB,
            clock=self.clients.clock,
            timeout_s=timeout_s,
            on_change=on_change,
        )

    def result(
        self, *, timeout_s: float | None = None, on_change: Callable[[JobStatus], None] | None = None
    ) -> CustomModel:
        """Wait as `wait` does, and return the custom model."""
        done = self.wait(timeout_s=timeout_s, on_change=on_change)
        return CustomModel(self.clients, done.model_arn or "")

    def stop(self) -> None:
        """Ask the job to stop; it may take minutes, and what was trained so far is billed.

        Raises:
            ConflictError: If the job is over.
        """
        self.clients.call("bedrock", "stop_model_customization_job", subject=self.arn, jobIdentifier=self.arn)

    def artifacts(self) -> list[S3Uri]:
        """What the job has written: metrics, validated prompts, reports."""
        from bedrock_distill.aws import ObjectStore  # noqa: PLC0415 - only this asks S3

        output = S3Uri.parse(self.describe()["outputDataConfig"]["s3Uri"]).as_prefix
        folder = output / f"model-customization-job-{self.arn.rpartition('/')[2]}/"
        return [uri for uri, _ in ObjectStore(self.clients).list(folder)]

    def __repr__(self) -> str:
        return f"DistillationJob({self.arn!r})"


def customization_jobs(
    clients: Clients, *, status: str | None = None, name_contains: str | None = None
) -> list[dict[str, Any]]:
    """Every customization job of the account in the region, newest first, as ListModelCustomizationJobs gives them."""
    return newest_first(
        clients,
        "list_model_customization_jobs",
        "modelCustomizationJobSummaries",
        statusEquals=status,
        name_contains=name_contains,
    )
