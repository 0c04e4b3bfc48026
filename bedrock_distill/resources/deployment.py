"""An on-demand custom model deployment: its spec and its handle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import NotFoundError
from bedrock_distill.resources import fields
from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.listing import newest_first
from bedrock_distill.resources.spec import Spec, check_name
from bedrock_distill.resources.waiting import Noun, wait_until_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = [
    "DEPLOYMENT_STATUSES",
    "Deployment",
    "DeploymentStatus",
    "OnDemandDeployment",
    "deployments",
]

DEPLOYMENT_STATUSES: dict[str, tuple[bool, bool]] = {
    "Creating": (False, False),
    "Active": (True, True),
    "Failed": (True, False),
}
"""Every status of the service's model -> whether it is settled, and whether the model answers."""


_DEPLOYMENT = Noun(
    name="deployment",
    wait_command="bedrock-distill deploy wait",
    when_failed="To try again, `bedrock-distill deploy delete {arn}` and deploy again.",
)


class OnDemandDeployment(Spec):
    """Serve a custom model on demand: no idle cost, billed by the token.

    Example:
        `OnDemandDeployment(model=run.result())`, with the model that a distillation job made.
    """

    model: str
    """ARN of the custom model; a `CustomModel` is taken too."""
    name: str = "student"
    """Yours to choose; the deployment is named after it and the plan's fingerprint."""
    description: str | None = Field(default=None, min_length=1, max_length=2048)
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        arn = value.arn if isinstance(value, CustomModel) else value
        if isinstance(arn, str) and read_model_id(arn).kind != "custom-model":
            raise ValueError(
                "must be the ARN of a custom model; names and imported models cannot be deployed on demand"
            )
        return arn

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    _tags = field_validator("tags")(fields.check_tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    """What a deployment says of itself at one moment."""

    arn: str
    name: str
    status: str
    """Creating, Active or Failed."""
    phase: str
    """State of an update: Updating, UpdateCompleted, UpdateFailed, or an empty string."""
    model_arn: str
    reason: str
    created: datetime

    @property
    def over(self) -> bool:
        """Whether nothing will change by itself any more."""
        return DEPLOYMENT_STATUSES.get(self.status, (False, False))[0] and self.phase != "Updating"

    @property
    def succeeded(self) -> bool:
        """Whether the model that was asked for answers."""
        return DEPLOYMENT_STATUSES.get(self.status, (False, False))[1] and self.phase != "UpdateFailed"

    @classmethod
    def of(cls, answer: dict[str, Any]) -> DeploymentStatus:
        """Read GetCustomModelDeployment's answer."""
        return cls(
            arn=answer["customModelDeploymentArn"],
            name=answer["modelDeploymentName"],
            status=answer["status"],
            phase=(answer.get("updateDetails") or {}).get("updateStatus", ""),
            model_arn=answer["modelArn"],
            reason=answer.get("failureMessage") or "",
            created=answer["createdAt"],
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """Handle of an on-demand deployment."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetCustomModelDeployment answers, without its metadata."""
        answer = self.clients.call(
            "bedrock",
            "get_custom_model_deployment",
            subject=self.arn,
            customModelDeploymentIdentifier=self.arn,
        )
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> DeploymentStatus:
        """The deployment's status now."""
        return DeploymentStatus.of(self.describe())

    def wait(
        self, *, timeout_s: float | None = 3600, on_change: Callable[[DeploymentStatus], None] | None = None
    ) -> DeploymentStatus:
        """Wait until the deployment answers, or an update has taken effect.

        Args:
            timeout_s: Seconds to wait at most. About 8 minutes are usual (Bedrock user guide).
            on_change: Told each new status.

        Raises:
            JobFailedError: If it failed. A failed deployment costs nothing; delete it with `delete`.
            WaitTimeoutError: If it is not settled when the time is up.
        """
        return wait_until_over(
            self.status, what=_DEPLOYMENT, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def update(self, model: CustomModel | str) -> None:
        """Serve another custom model under the same ARN; `wait` tells when it does."""
        arn = model.arn if isinstance(model, CustomModel) else model
        self.clients.call(
            "bedrock",
            "update_custom_model_deployment",
            subject=self.arn,
            customModelDeploymentIdentifier=self.arn,
            modelArn=arn,
        )

    def delete(self) -> None:
        """Delete the deployment; nothing happens where it is gone already."""
        try:
            self.clients.call(
                "bedrock",
                "delete_custom_model_deployment",
                subject=self.arn,
                customModelDeploymentIdentifier=self.arn,
            )
        except NotFoundError:
            return

    def __repr__(self) -> str:
        return f"Deployment({self.arn!r})"


def deployments(clients: Clients, *, name_contains: str | None = None) -> list[dict[str, Any]]:
    """Every custom model deployment of the account in the region, newest first."""
    return newest_first(
        clients, "list_custom_model_deployments", "modelDeploymentSummaries", name_contains=name_contains
    )
