"""An evaluation job: its status, and the handle that waits for it, stops and deletes it, and reads its results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import NotFoundError, ServiceError
from bedrock_distill.resources.evaluation_job.results import EvaluationResult, read_results
from bedrock_distill.resources.listing import newest_first
from bedrock_distill.resources.waiting import Noun, wait_until_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = [
    "EVALUATION_STATUSES",
    "EvaluationJob",
    "EvaluationStatus",
    "evaluation_job_named",
    "evaluation_jobs",
]

EVALUATION_STATUSES: dict[str, tuple[bool, bool]] = {
    "InProgress": (False, False),
    "Completed": (True, True),
    "Failed": (True, False),
    "Stopping": (False, False),
    "Stopped": (True, False),
    "Deleting": (True, False),
}
"""Every status of the service's model -> whether the job is over, and whether it succeeded."""

_NAME = re.compile(r"[a-z0-9](-*[a-z0-9]){0,62}")

_JOB = Noun(
    name="evaluation job",
    wait_command="bedrock-distill evaluate-jobs wait",
    when_failed="See `bedrock-distill evaluate-jobs show {arn}`; to try again, plan again.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationStatus:
    """What an evaluation job says of itself at one moment."""

    arn: str
    name: str
    status: str
    """InProgress, Completed, Failed, Stopping, Stopped or Deleting."""
    reason: str
    """AWS's failure messages, or an empty string."""
    model: str
    """What is evaluated: a model's id or ARN, or the name of the source of answers that were gathered before."""
    judge: str
    """The judge's id, or an empty string."""
    metrics: tuple[str, ...]
    output: str
    """The folder that results are written under."""
    created: datetime
    modified: datetime | None
    phase: str = ""
    """An evaluation job has no phases."""

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return EVALUATION_STATUSES.get(self.status, (False, False))[0]

    @property
    def succeeded(self) -> bool:
        """Whether there are results."""
        return EVALUATION_STATUSES.get(self.status, (False, False))[1]

    @property
    def seconds(self) -> float:
        """How long it took, or has taken when it last changed."""
        return (self.modified - self.created).total_seconds() if self.modified else 0.0

    @classmethod
    def of(cls, answer: dict[str, Any]) -> EvaluationStatus:
        """Read GetEvaluationJob's answer; of another kind of job than this package makes, what there is."""
        automated = answer["evaluationConfig"].get("automated", {})
        models = answer["inferenceConfig"].get("models", ())
        metrics = [name for each in automated.get("datasetMetricConfigs", ()) for name in each["metricNames"]]
        return cls(
            arn=answer["jobArn"],
            name=answer["jobName"],
            status=answer["status"],
            reason=" ".join(answer.get("failureMessages") or ()),
            model=" and ".join(map(_model, models)),
            judge=_judge(automated) or _judge(automated.get("customMetricConfig", {})),
            metrics=tuple(dict.fromkeys(metrics)),
            output=answer["outputDataConfig"]["s3Uri"],
            created=answer["creationTime"],
            modified=answer.get("lastModifiedTime"),
        )


def _model(config: dict[str, Any]) -> str:
    if "bedrockModel" in config:
        return str(config["bedrockModel"]["modelIdentifier"])
    return str(config.get("precomputedInferenceSource", {}).get("inferenceSourceIdentifier", ""))


def _judge(config: dict[str, Any]) -> str:
    judges = config.get("evaluatorModelConfig", {}).get("bedrockEvaluatorModels", ())
    return str(judges[0]["modelIdentifier"]) if judges else ""


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """Handle of an evaluation job."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetEvaluationJob answers, without its metadata."""
        answer = self.clients.call("bedrock", "get_evaluation_job", subject=self.arn, jobIdentifier=self.arn)
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> EvaluationStatus:
        """The job's status now."""
        return EvaluationStatus.of(self.describe())

    def wait(
        self,
        *,
        timeout_s: float | None = 24 * 3600,
        on_change: Callable[[EvaluationStatus], None] | None = None,
    ) -> EvaluationStatus:
        """Wait until the scores are there.

        Args:
            timeout_s: Seconds to wait at most.
            on_change: Told each new status.

        Raises:
            JobFailedError: If it failed or was stopped.
            WaitTimeoutError: If it is still running when the time is up.
        """
        return wait_until_over(
            self.status, what=_JOB, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def results(self) -> list[EvaluationResult]:
        """What the job wrote, prompt by prompt; call it when the job is over.

        Raises:
            NotFoundError: If there is nothing of this job's in its output folder.
            DataError: If a line of it is no JSON object.
        """
        return read_results(self.clients, self.describe())

    def stop(self) -> None:
        """Ask the job to stop; what was asked so far is billed."""
        self.clients.call("bedrock", "stop_evaluation_job", subject=self.arn, jobIdentifier=self.arn)

    def delete(self) -> None:
        """Delete the job's record; its results in S3 stay. Nothing happens where it is gone already.

        Raises:
            ServiceError: If it is not over.
        """
        try:
            answer = self.clients.call(
                "bedrock", "batch_delete_evaluation_job", subject=self.arn, jobIdentifiers=[self.arn]
            )
        except NotFoundError:
            return
        for error in answer.get("errors", ()):
            if error["code"] not in ("ResourceNotFoundException", "404"):
                raise ServiceError(
                    f"bedrock BatchDeleteEvaluationJob on {self.arn}: {error['code']}: {error.get('message', '')} "
                    "Only jobs that are over can be deleted: stop it first.",
                    service="bedrock",
                    operation="BatchDeleteEvaluationJob",
                    code=error["code"],
                )

    def __repr__(self) -> str:
        return f"EvaluationJob({self.arn!r})"


def evaluation_jobs(
    clients: Clients, *, status: str | None = None, name_contains: str | None = None
) -> list[dict[str, Any]]:
    """Every evaluation job of the account in the region, newest first, as ListEvaluationJobs gives them."""
    # AWS takes a part of a name only where it could be a whole one.
    part = (name_contains or "").lower()
    sent = part.strip("-") if _NAME.fullmatch(part.strip("-")) else None
    found = newest_first(
        clients, "list_evaluation_jobs", "jobSummaries", name_contains=sent, statusEquals=status
    )
    return [job for job in found if part in job["jobName"]]


def evaluation_job_named(clients: Clients, name: str) -> EvaluationJob:
    """The handle of the job of this name: AWS itself takes ARNs only.

    Raises:
        NotFoundError: If there is none of that name.
    """
    for job in evaluation_jobs(clients, name_contains=name):
        if job["jobName"] == name:
            return EvaluationJob(clients, job["jobArn"])
    raise NotFoundError(
        f"There is no evaluation job {name!r} in {clients.region}: see `bedrock-distill evaluate-jobs list`.",
        service="bedrock",
        operation="ListEvaluationJobs",
        code="ResourceNotFoundException",
    )
