"""What the service remembers of evaluation jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.local.clock import Phases

__all__ = ["EvaluationJob", "EvaluationStatus"]

EvaluationStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
"""A deleted job is gone at once, so that none is seen as Deleting."""

_ENDED: dict[str, EvaluationStatus] = {"done": "Completed", "failed": "Failed", "stopped": "Stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationJob:
    """An evaluation job."""

    arn: str
    name: str
    serial: int
    region: str
    account_id: str
    request: Mapping[str, Any]
    """The parameters it was created with."""
    created: datetime
    phases: Phases = field(repr=False)

    @property
    def token(self) -> str:
        """The last part of the ARN: the folder of its results."""
        return self.arn.rpartition("/")[2]

    @property
    def automated(self) -> Mapping[str, Any]:
        """The request's `automated` configuration."""
        found: Mapping[str, Any] = self.request["evaluationConfig"]["automated"]
        return found

    @property
    def model(self) -> Mapping[str, Any]:
        """The request's one model."""
        found: Mapping[str, Any] = self.request["inferenceConfig"]["models"][0]
        return found

    @property
    def status(self) -> EvaluationStatus:
        """The status, as AWS names it."""
        ended = _ENDED.get(self.phases.outcome)
        if ended is not None:
            return ended
        return "Stopping" if self.phases.stopping.is_set() else "InProgress"

    @property
    def modified(self) -> datetime:
        """When it last changed."""
        return self.phases.ended_at or self.created
