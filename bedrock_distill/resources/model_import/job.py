"""A model import job: its status, and the handle that waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.resources.listing import newest_first
from bedrock_distill.resources.model_import.model import ImportedModel
from bedrock_distill.resources.waiting import Noun, wait_until_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["IMPORT_STATUSES", "ImportStatus", "ModelImportJob", "import_jobs"]

IMPORT_STATUSES: dict[str, tuple[bool, bool]] = {
    "InProgress": (False, False),
    "Completed": (True, True),
    "Failed": (True, False),
}
"""Every status of the service's model -> whether the job is over, and whether it succeeded."""

_JOB = Noun(
    name="model import job",
    wait_command="bedrock-distill import wait",
    when_failed="Look at the model with `bedrock-distill models inspect`; to try again, plan again.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStatus:
    """What an import job says of itself at one moment."""

    arn: str
    name: str
    status: str
    """InProgress, Completed or Failed."""
    reason: str
    """AWS's failure message, or an empty string."""
    model_name: str
    model_arn: str | None
    """The imported model, once there is one."""
    source: str
    """S3 prefix it is imported from."""
    created: datetime
    ended: datetime | None
    phase: str = ""
    """An import has no phases."""

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return IMPORT_STATUSES.get(self.status, (False, False))[0]

    @property
    def succeeded(self) -> bool:
        """Whether there is a model."""
        return IMPORT_STATUSES.get(self.status, (False, False))[1]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> ImportStatus:
        """Read GetModelImportJob's answer."""
        return cls(
            arn=answer["jobArn"],
            name=answer["jobName"],
            status=answer["status"],
            reason=answer.get("failureMessage") or "",
            model_name=answer["importedModelName"],
            model_arn=answer.get("importedModelArn"),
            source=answer["modelDataSource"]["s3DataSource"]["s3Uri"],
            created=answer["creationTime"],
            ended=answer.get("endTime"),
        )


@dataclass(frozen=True, slots=True)
class ModelImportJob:
    """Handle of a model import job."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetModelImportJob answers, without its metadata."""
        answer = self.clients.call(
            "bedrock", "get_model_import_job", subject=self.arn, jobIdentifier=self.arn
        )
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> ImportStatus:
        """The job's status now."""
        return ImportStatus.of(self.describe())

    def wait(
        self, *, timeout_s: float | None = 4 * 3600, on_change: Callable[[ImportStatus], None] | None = None
    ) -> ImportStatus:
        """Wait until the model is imported.

        Args:
            timeout_s: Seconds to wait at most. A model of 61 GB took about 15 minutes (AWS's samples).
            on_change: Told each new status.

        Raises:
            JobFailedError: If it failed.
            WaitTimeoutError: If it is still running when the time is up.
        """
        return wait_until_over(
            self.status, what=_JOB, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def result(
        self, *, timeout_s: float | None = 4 * 3600, on_change: Callable[[ImportStatus], None] | None = None
    ) -> ImportedModel:
        """Wait as `wait` does, and return the imported model."""
        done = self.wait(timeout_s=timeout_s, on_change=on_change)
        return ImportedModel(self.clients, done.model_arn or "")

    def __repr__(self) -> str:
        return f"ModelImportJob({self.arn!r})"


def import_jobs(clients: Clients, *, name_contains: str | None = None) -> list[dict[str, Any]]:
    """Every import job of the account in the region, newest first, as ListModelImportJobs gives them."""
    return newest_first(
        clients, "list_model_import_jobs", "modelImportJobSummaries", name_contains=name_contains
    )
