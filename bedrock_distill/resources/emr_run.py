"""A harvest's run on EMR Serverless: its status, and the handle that waits for it and stops it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import ObjectStore
from bedrock_distill.errors import ServiceError, SpecError
from bedrock_distill.resources.waiting import Noun, changes, wait_until_over
from bedrock_distill.uris import Arn, S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["RUN_STATES", "HarvestRun", "HarvestStatus"]

RUN_STATES: dict[str, tuple[bool, bool]] = {
    "SUBMITTED": (False, False),
    "QUEUED": (False, False),
    "PENDING": (False, False),
    "SCHEDULED": (False, False),
    "RUNNING": (False, False),
    "CANCELLING": (False, False),
    "SUCCESS": (True, True),
    "FAILED": (True, False),
    "CANCELLED": (True, False),
}
"""Every state of the service's model -> whether the run is over, and whether it succeeded."""

_RUN = Noun(
    name="harvest run",
    wait_command="bedrock-distill harvest wait",
    when_failed="Its output is named by `bedrock-distill harvest show {arn}`. To go on where it stopped, plan and apply again.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestStatus:
    """What a run says of itself at one moment."""

    arn: str
    name: str
    status: str
    """SUBMITTED, PENDING, SCHEDULED, RUNNING, SUCCESS, FAILED, CANCELLING, CANCELLED or QUEUED."""
    reason: str
    """AWS's words for a run that did not succeed, or an empty string."""
    vcpu_hours: float | None
    """What is billed so far, where AWS has counted it."""
    gb_hours: float | None
    created: datetime
    ended: datetime | None

    @property
    def phase(self) -> str:
        """Runs have no phases beside their state."""
        return ""

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return RUN_STATES.get(self.status, (False, False))[0]

    @property
    def succeeded(self) -> bool:
        """Whether the results are there."""
        return RUN_STATES.get(self.status, (False, False))[1]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> HarvestStatus:
        """Read the `jobRun` of GetJobRun's answer."""
        billed = answer.get("billedResourceUtilization") or {}
        failed = answer["state"] in ("FAILED", "CANCELLED", "CANCELLING")
        return cls(
            arn=answer["arn"],
            name=answer.get("name", ""),
            status=answer["state"],
            reason=answer["stateDetails"] if failed else "",
            vcpu_hours=billed.get("vCPUHour"),
            gb_hours=billed.get("memoryGBHour"),
            created=answer["createdAt"],
            ended=answer.get("endedAt"),
        )


@dataclass(frozen=True, slots=True)
class HarvestRun:
    """Handle of a harvest's run. Cheap to make, and good on any machine: the ARN is all it holds."""

    clients: Clients
    arn: str

    @property
    def application_id(self) -> str:
        """Id of the application it runs in."""
        return Arn.parse(self.arn).resource.strip("/").split("/")[1]

    @property
    def run_id(self) -> str:
        """Its own id in that application."""
        return self.arn.rpartition("/")[2]

    def describe(self) -> dict[str, Any]:
        """The `jobRun` that GetJobRun answers with."""
        run: dict[str, Any] = self.clients.call(
            "emr-serverless",
            "get_job_run",
            subject=self.arn,
            applicationId=self.application_id,
            jobRunId=self.run_id,
        )["jobRun"]
        return run

    def status(self) -> HarvestStatus:
        """The run's status now."""
        return HarvestStatus.of(self.describe())

    def events(self, *, timeout_s: float | None = None) -> Iterator[HarvestStatus]:
        """The status now, and again at each change, until the run is over or the time is up."""
        return changes(self.status, clock=self.clients.clock, timeout_s=timeout_s)

    def wait(
        self, *, timeout_s: float | None = None, on_change: Callable[[HarvestStatus], None] | None = None
    ) -> HarvestStatus:
        """Wait until the run has succeeded.

        Args:
            timeout_s: Seconds to wait at most. Default: as long as it takes; AWS cancels it after the spec's
                `timeout_minutes`.
            on_change: Told each new status.

        Raises:
            JobFailedError: If the run failed or was cancelled.
            WaitTimeoutError: If it is still running when the time is up.
        """
        return wait_until_over(
            self.status, what=_RUN, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def result(
        self, *, timeout_s: float | None = None, on_change: Callable[[HarvestStatus], None] | None = None
    ) -> dict[str, Any]:
        """Wait as `wait` does, and return the harvest's report: what was read, kept and left out, and where it is."""
        self.wait(timeout_s=timeout_s, on_change=on_change)
        return self.report()

    def report(self) -> dict[str, Any]:
        """The report that the run has written.

        Raises:
            NotFoundError: If there is none, as before a run has succeeded.
        """
        report: dict[str, Any] = json.loads(self._read(S3Uri.parse(self.document()["report"])))
        return report

    def document(self) -> dict[str, Any]:
        """The job document that the run was given: where it reads, works and writes, and its query.

        Raises:
            SpecError: If the run was not started by this package.
        """
        submitted = self.describe()["jobDriver"].get("sparkSubmit", {})
        arguments = submitted.get("entryPointArguments") or [""]
        if not arguments[0].startswith("s3://") or not arguments[0].endswith("-job.json"):
            raise SpecError(
                f"{self.arn} is no harvest of this package: its first argument is {arguments[0]!r}, not the S3 URI of a job "
                "document.",
                field="arn",
                value=self.arn,
            )
        document: dict[str, Any] = json.loads(self._read(S3Uri.parse(arguments[0])))
        return document

    @property
    def logs(self) -> S3Uri | None:
        """Where Spark's own output goes: `SPARK_DRIVER/stderr.gz` and its like lie below. None where it is not kept in S3."""
        overrides = self.describe().get("configurationOverrides") or {}
        monitoring = overrides.get("monitoringConfiguration") or {}
        uri = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri")
        if not uri:
            return None
        return S3Uri.parse(uri) / f"applications/{self.application_id}/jobs/{self.run_id}/"

    def stop(self) -> None:
        """Ask the run to stop; nothing happens where it is over. What was used so far is billed, and what was done stays."""
        if self.status().over:
            return
        try:
            self.clients.call(
                "emr-serverless",
                "cancel_job_run",
                subject=self.arn,
                applicationId=self.application_id,
                jobRunId=self.run_id,
            )
        except ServiceError:
            # It may have ended since the look.
            if not self.status().over:
                raise

    def _read(self, uri: S3Uri) -> bytes:
        return ObjectStore(self.clients).read(uri)

    def __repr__(self) -> str:
        return f"HarvestRun({self.arn!r})"
