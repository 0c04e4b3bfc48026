"""A batch inference job: its status, and the handle that waits for it, stops it and reads its answers."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import DataError, JobFailedError, NotFoundError, WaitTimeoutError
from bedrock_distill.resources.batch.reading import read_line
from bedrock_distill.resources.listing import newest_first
from bedrock_distill.resources.waiting import Noun, changes, wait_until_over
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bedrock_distill.aws import Clients
    from bedrock_distill.resources.batch.answers import BatchAnswer

__all__ = ["BATCH_STATUSES", "BatchJob", "BatchStatus", "batch_job_named", "batch_jobs"]

BATCH_STATUSES: dict[str, tuple[bool, bool]] = {
    "Submitted": (False, False),
    "Validating": (False, False),
    "Scheduled": (False, False),
    "InProgress": (False, False),
    "Stopping": (False, False),
    "Completed": (True, True),
    "PartiallyCompleted": (True, True),
    "Failed": (True, False),
    "Stopped": (True, False),
    "Expired": (True, False),
}
"""Every status of the service's model -> whether the job is over, and whether it came to its end with answers."""

_JOB = Noun(
    name="batch inference job",
    wait_command="bedrock-distill batch wait",
    when_failed="What it answered before, if anything, `bedrock-distill batch answers {arn}` reads; to try again, plan again.",
)

_log = logging.getLogger("bedrock_distill")

_TOKEN = re.compile(r"[a-z0-9]{12}")
"""The last part of an ARN, which AWS takes for the job, too."""

_ANSWERS, _MANIFEST = ".jsonl.out", "manifest.json.out"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """What a batch inference job says of itself at one moment."""

    arn: str
    name: str
    status: str
    """Submitted, Validating, Scheduled, InProgress, Completed, PartiallyCompleted, Failed, Stopping, Stopped or Expired."""
    reason: str
    """AWS's message, or an empty string."""
    model_id: str
    """The model that is asked, as AWS names it."""
    total: int | None
    """Records of the input; None while AWS does not say."""
    processed: int | None
    answered: int | None
    """Records that have an answer."""
    failed: int | None
    """Records that have an error."""
    submitted: datetime
    ended: datetime | None

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return BATCH_STATUSES.get(self.status, (False, False))[0]

    @property
    def succeeded(self) -> bool:
        """Whether it came to its end with answers. Records may have failed, and of a partly completed job some were not asked."""
        return BATCH_STATUSES.get(self.status, (False, False))[1]

    @property
    def phase(self) -> str:
        """How far it has come while it is in progress, and at its end what came of the records; where AWS says so."""
        if not self.total:
            return ""
        if self.succeeded:
            return f"{self.answered or 0:,} of {self.total:,} records have an answer, {self.failed or 0:,} failed"
        return f"{self.processed or 0:,} of {self.total:,} records" if self.status == "InProgress" else ""

    @classmethod
    def of(cls, answer: dict[str, Any]) -> BatchStatus:
        """Read GetModelInvocationJob's answer."""
        return cls(
            arn=answer["jobArn"],
            name=answer.get("jobName") or "",
            # The service's model lets it be absent: then the job is as new as can be.
            status=answer.get("status") or "Submitted",
            reason=answer.get("message") or "",
            model_id=answer["modelId"],
            total=answer.get("totalRecordCount"),
            processed=answer.get("processedRecordCount"),
            answered=answer.get("successRecordCount"),
            failed=answer.get("errorRecordCount"),
            submitted=answer["submitTime"],
            ended=answer.get("endTime"),
        )


@dataclass(frozen=True, slots=True)
class BatchJob:
    """Handle of a batch inference job. Cheap to make, and good on any machine: the ARN is all it holds."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetModelInvocationJob answers, without its metadata."""
        answer = self.clients.call(
            "bedrock", "get_model_invocation_job", subject=self.arn, jobIdentifier=self.arn
        )
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> BatchStatus:
        """The job's status now."""
        return BatchStatus.of(self.describe())

    def events(self, *, timeout_s: float | None = None) -> Iterator[BatchStatus]:
        """The status now, and again at each change, until the job is over or the time is up."""
        return changes(self.status, clock=self.clients.clock, timeout_s=timeout_s)

    def wait(
        self, *, timeout_s: float | None = None, on_change: Callable[[BatchStatus], None] | None = None
    ) -> BatchStatus:
        """Wait until the job has come to its end, wholly or in part.

        Args:
            timeout_s: Seconds to wait at most. Default: as long as it takes; Bedrock gives a job up after at most 7 days.
            on_change: Told each new status, and how many records are done.

        Raises:
            JobFailedError: If the job failed, expired in its queue, or was stopped.
            WaitTimeoutError: If it is still running when the time is up.
        """
        return wait_until_over(
            self.status, what=_JOB, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def result(
        self, *, timeout_s: float | None = None, on_change: Callable[[BatchStatus], None] | None = None
    ) -> tuple[BatchAnswer, ...]:
        """Wait as `wait` does, and return the answers."""
        self.wait(timeout_s=timeout_s, on_change=on_change)
        return self.answers()

    def stop(self) -> None:
        """Ask the job to stop; what was answered so far may be billed.

        Raises:
            ConflictError: If the job is over.
        """
        self.clients.call("bedrock", "stop_model_invocation_job", subject=self.arn, jobIdentifier=self.arn)

    def answers(self) -> tuple[BatchAnswer, ...]:
        """What the job has answered, by record id: of jobs made here, in the order of the prompts.

        Records that failed are in it, with their errors. Those that a stopped or partly completed job did not come to are not.

        Raises:
            WaitTimeoutError: If the job is not over.
            JobFailedError: If it ended badly, and has written nothing.
            DataError: If it ended well and its output is not there, or is not that of such a job.
            ServiceError: If S3 refuses to show it.
        """
        described = self.describe()
        state = BatchStatus.of(described)
        if not state.over:
            raise WaitTimeoutError(
                f"The batch inference job {self.arn} is still {state.status}, and its answers come when it is over: "
                f"`{_JOB.wait_command} {self.arn}`, or job.wait().",
                arn=self.arn,
                status=state.status,
            )
        found = [answer for uri in self._written(described) for answer in self._read(uri, described)]
        if not found:
            self._explain(state, described)
        if state.processed not in (None, len(found)):
            _log.warning(
                "The job %s says that it processed %s records, and %s are in its output under %s: part of that was moved, "
                "deleted or copied.",
                self.arn,
                f"{state.processed:,}",
                f"{len(found):,}",
                _folder(described),
            )
        return tuple(sorted(found, key=lambda answer: answer.record_id))

    def _written(self, described: dict[str, Any]) -> Iterator[S3Uri]:
        from bedrock_distill.aws import ObjectStore  # noqa: PLC0415 - only this asks S3

        for uri, _ in ObjectStore(self.clients).list(_folder(described)):
            if uri.key.endswith(_ANSWERS) and uri.name != _MANIFEST:
                yield uri

    def _read(self, uri: S3Uri, described: dict[str, Any]) -> Iterator[BatchAnswer]:
        answer = self.clients.read(
            "s3", "get_object", "Body", subject=str(uri), Bucket=uri.bucket, Key=uri.key
        )
        lines = answer["Body"].split(b"\n")
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield read_line(
                    line,
                    # What the service does where a request does not say (API reference, CreateModelInvocationJob).
                    invocation=described.get("modelInvocationType") or "InvokeModel",
                    model_id=described["modelId"],
                    file=str(uri),
                    number=number,
                )

    def _explain(self, state: BatchStatus, described: dict[str, Any]) -> None:
        """Say why there are no answers."""
        if state.succeeded:
            raise DataError(
                f"The batch inference job {self.arn} is {state.status}, and there is no *{_ANSWERS} under "
                f"{_folder(described)}: it was moved or deleted, or these credentials are not shown it. Put it back, or have the "
                "prompts answered by a job of another name."
            )
        raise JobFailedError(
            f"The batch inference job {self.arn} ended as {state.status}"
            + (f" ({state.reason.rstrip('.')})" if state.reason else "")
            + ", and has written no answers. To try again, plan again.",
            arn=self.arn,
            status=state.status,
            reason=state.reason,
        )

    def __repr__(self) -> str:
        return f"BatchJob({self.arn!r})"


def _folder(described: dict[str, Any]) -> S3Uri:
    output = S3Uri.parse(described["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
    token: str = described["jobArn"].rpartition("/")[2]
    return (output / token).as_prefix


def batch_jobs(
    clients: Clients, *, status: str | None = None, name_contains: str | None = None
) -> list[dict[str, Any]]:
    """Every batch inference job of the account in the region, newest first, as ListModelInvocationJobs gives them."""
    return newest_first(
        clients,
        "list_model_invocation_jobs",
        "invocationJobSummaries",
        statusEquals=status,
        name_contains=name_contains,
    )


def batch_job_named(clients: Clients, name: str) -> BatchJob:
    """The handle of the job of this name, or of this last part of an ARN: by its name AWS finds none.

    Raises:
        NotFoundError: If there is no such job.
    """
    if _TOKEN.fullmatch(name) and (
        found := clients.find("bedrock", "get_model_invocation_job", subject=name, jobIdentifier=name)
    ):
        return BatchJob(clients, found["jobArn"])
    for job in batch_jobs(clients):
        if job["jobName"] == name:
            return BatchJob(clients, job["jobArn"])
    raise NotFoundError(
        f"There is no batch inference job {name!r} in {clients.region}: see `bedrock-distill batch list`.",
        service="bedrock",
        operation="ListModelInvocationJobs",
        code="ResourceNotFoundException",
    )
