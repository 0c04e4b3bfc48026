"""What the service remembers of batch inference jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.local.services.bedrock.job_data import JobFailure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.local.clock import Phases

__all__ = ["BatchJob", "BatchStatus", "BatchTally", "JobExpired"]

BatchStatus = Literal[
    "Submitted",
    "Validating",
    "Scheduled",
    "InProgress",
    "Completed",
    "PartiallyCompleted",
    "Failed",
    "Stopping",
    "Stopped",
    "Expired",
]


class JobExpired(JobFailure):
    """The job's time was over before its turn came."""


@dataclass(slots=True)
class BatchTally:
    """What a job has come to so far. Written by the threads that run the job, read by everyone."""

    modified: datetime
    total: int | None = None
    """Records of the input; None until they are counted."""
    processed: int = 0
    answered: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cut: bool = False
    """Whether the time was up before every record was asked."""

    @property
    def counts(self) -> dict[str, int]:
        """The counts as answers and the manifest name them; nothing before the records are counted."""
        if self.total is None:
            return {}
        return {
            "totalRecordCount": self.total,
            "processedRecordCount": self.processed,
            "successRecordCount": self.answered,
            "errorRecordCount": self.failed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A batch inference job."""

    arn: str
    name: str
    serial: int
    region: str
    account_id: str
    request: Mapping[str, Any]
    """The parameters it was created with."""
    kms_arn: str
    """ARN of the key of its answers, or an empty string."""
    created: datetime
    hours: int
    """Hours it is given."""
    expires: datetime
    tally: BatchTally = field(repr=False)
    phases: Phases = field(repr=False)

    @property
    def token(self) -> str:
        """The last part of the ARN: the folder of its answers."""
        return self.arn.rpartition("/")[2]

    @property
    def converse(self) -> bool:
        """Whether its records are Converse's requests; where the request does not say, they are InvokeModel's bodies."""
        return self.request.get("modelInvocationType") == "Converse"

    @property
    def status(self) -> BatchStatus:
        """The status, as AWS names it."""
        phases = self.phases
        match phases.outcome:
            case "done":
                return "PartiallyCompleted" if self.tally.cut else "Completed"
            case "failed":
                return "Expired" if isinstance(phases.error, JobExpired) else "Failed"
            case "stopped":
                return "Stopped"
        if phases.stopping.is_set():
            return "Stopping"
        current: BatchStatus = phases.current or "Submitted"  # type: ignore[assignment] # the run's phases are named so
        return current
