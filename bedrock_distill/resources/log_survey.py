"""Looking before planning a job that reads invocation logs by itself: the bucket, and what the job would find in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketRules, Buckets, BucketState, ObjectStore
from bedrock_distill.errors import AccessDeniedError

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest import LogCount
    from bedrock_distill.records.rules import Rules
    from bedrock_distill.resources.data import InvocationLogs
    from bedrock_distill.uris import S3Uri

__all__ = ["FoundLogs", "find_logs"]

"""Reasons for which this package would leave an answer out, and of which AWS says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLogs:
    """What was found of the logs that a job is to learn from."""

    logs: InvocationLogs
    bucket: BucketState
    rules: BucketRules | None = None
    """What the bucket asks for; None where it could not be looked at."""
    count: LogCount | None = None
    """What the job would find; None where that could not be counted."""
    ended_early: dict[str, int] = field(default_factory=dict)
    """Reason -> answers of exactly the teacher that were cut off or filtered, among those counted."""
    min_prompts: int
    max_prompts: int | None

    @property
    def uri(self) -> S3Uri:
        """What the role must be able to read."""
        return self.logs.source_uri

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two jobs' data the same. What lies in the logs is not among it: that grows by the minute."""
        return {"invocation-logs": self.logs.model_dump(mode="json")}

    @property
    def size_bytes(self) -> int:
        """Nothing is staged."""
        return 0

    @property
    def asks_teacher(self) -> bool:
        """Whether the job asks the teacher."""
        return not self.logs.use_responses

    @property
    def asked(self) -> int | None:
        """Prompts that the teacher is asked, at most."""
        if self.count is None:
            return self.max_prompts
        return self.count.prompts if self.max_prompts is None else min(self.count.prompts, self.max_prompts)

    @property
    def prompt_tokens(self) -> int | None:
        """Not counted: the service chooses among the prompts."""
        return None

    @property
    def training_data(self) -> dict[str, Any]:
        """The request's `trainingDataConfig`."""
        config: dict[str, Any] = {
            "usePromptResponse": self.logs.use_responses,
            "invocationLogSource": {"s3Uri": self.logs.source},
        }
        if self.logs.where is not None:
            config["requestMetadataFilters"] = self.logs.where
        return {"invocationLogsConfig": config}

    @property
    def facts(self) -> dict[str, str]:
        """What there is to learn from, in words."""
        which = f" where {self.logs.filter}" if self.logs.filter is not None else ""
        place = f"in {self.logs.source}{which}"
        if self.count is None:
            return {"prompts": f"not counted, {place}"}
        models = ", ".join(f"{name}: {number:,}" for name, number in _by_number(self.count.tally.by_model_id))
        answered = "answered pairs by model" if self.logs.use_responses else "prompts by model"
        return {"prompts": f"{self.count.prompts:,} {place}", answered: models or "none"}


def find_logs(logs: InvocationLogs, clients: Clients, teacher_id: str, rules: Rules) -> FoundLogs:
    """Count what a job would find, unless the bucket is one that it cannot use.

    Args:
        logs: What is wanted.
        clients: The gate to AWS.
        teacher_id: What the job will call the teacher.
        rules: The limits of this teacher and student.

    Raises:
        ServiceError: If S3 cannot be asked.
    """
    from bedrock_distill.harvest import count_logs  # noqa: PLC0415 - only such jobs need what reads logs

    bucket = ObjectStore(clients).bucket(logs.source_uri.bucket)
    usable = bucket.exists and not bucket.forbidden
    asks = Buckets(clients).rules(bucket.name) if usable else None
    here = bucket.region in (None, clients.region)
    count, early = None, {}
    if usable and here and not (asks is not None and asks.foreign):
        try:
            count = count_logs(logs.source, where=logs.filter, clients=clients, responses=logs.use_responses)
            found = {"cut-off": count.tally.cut_off, "filtered-answer": count.tally.filtered}
            early = {reason: models[teacher_id] for reason, models in found.items() if teacher_id in models}
        except AccessDeniedError:
            count = None
    return FoundLogs(
        logs=logs,
        bucket=bucket,
        rules=asks,
        count=count,
        ended_early=early,
        min_prompts=rules.min_prompts,
        max_prompts=rules.max_prompts,
    )


def _by_number(models: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(models.items(), key=lambda item: (-item[1], item[0]))
