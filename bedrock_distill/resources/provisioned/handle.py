"""A provisioned throughput: its status, and the handle that waits for it, changes and deletes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import NotFoundError, SpecError
from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.listing import newest_first
from bedrock_distill.resources.waiting import Noun, wait_until_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["PROVISIONED_STATUSES", "Provisioned", "ProvisionedStatus", "provisioned_throughputs"]

PROVISIONED_STATUSES: dict[str, tuple[bool, bool]] = {
    "Creating": (False, False),
    "Updating": (False, True),
    "InService": (True, True),
    "Failed": (True, False),
}
"""Every status of the service's model -> whether it is settled, and whether the model answers."""

_PROVISIONED = Noun(
    name="provisioned throughput",
    wait_command="bedrock-distill provisioned wait",
    when_failed="Delete it with `bedrock-distill provisioned delete {arn}`, and plan again.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedStatus:
    """What a provisioned throughput says of itself at one moment."""

    arn: str
    name: str
    status: str
    """Creating, InService, Updating or Failed."""
    units: int
    model_arn: str
    """The model that answers."""
    desired_model_arn: str
    """The model that will answer when an update is through."""
    commitment: str
    """OneMonth, SixMonths, or an empty string."""
    committed_until: datetime | None
    """Until when it cannot be deleted."""
    reason: str
    """AWS's failure message, or an empty string."""
    created: datetime
    phase: str = ""
    """A provisioned throughput has no phases."""

    @property
    def over(self) -> bool:
        """Whether nothing will change by itself any more."""
        return PROVISIONED_STATUSES.get(self.status, (False, False))[0]

    @property
    def succeeded(self) -> bool:
        """Whether the model answers."""
        return PROVISIONED_STATUSES.get(self.status, (False, False))[1]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> ProvisionedStatus:
        """Read GetProvisionedModelThroughput's answer."""
        return cls(
            arn=answer["provisionedModelArn"],
            name=answer["provisionedModelName"],
            status=answer["status"],
            units=answer["modelUnits"],
            model_arn=answer["modelArn"],
            desired_model_arn=answer["desiredModelArn"],
            commitment=answer.get("commitmentDuration") or "",
            committed_until=answer.get("commitmentExpirationTime"),
            reason=answer.get("failureMessage") or "",
            created=answer["creationTime"],
        )


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Handle of a provisioned throughput. It bills by the hour until `delete`."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetProvisionedModelThroughput answers, without its metadata."""
        answer = self.clients.call(
            "bedrock", "get_provisioned_model_throughput", subject=self.arn, provisionedModelId=self.arn
        )
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> ProvisionedStatus:
        """The status now."""
        return ProvisionedStatus.of(self.describe())

    def wait(
        self, *, timeout_s: float | None = 3600, on_change: Callable[[ProvisionedStatus], None] | None = None
    ) -> ProvisionedStatus:
        """Wait until the model answers, or an update has taken effect.

        Args:
            timeout_s: Seconds to wait at most.
            on_change: Told each new status.

        Raises:
            JobFailedError: If it failed.
            WaitTimeoutError: If it is not in service when the time is up. It may bill already: see `delete`.
        """
        return wait_until_over(
            self.status, what=_PROVISIONED, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def update(self, *, model: CustomModel | str | None = None, name: str | None = None) -> None:
        """Serve another model of the same base under the same ARN, or change the name; `wait` tells when it has happened.

        Args:
            model: The custom model that is to answer. Its base must be that of the present one.
            name: The new name.

        Raises:
            SpecError: If there is nothing to change.
        """
        arn = model.arn if isinstance(model, CustomModel) else model
        wanted = {"desiredModelId": arn, "desiredProvisionedModelName": name}
        changes: dict[str, Any] = {key: value for key, value in wanted.items() if value}
        if not changes:
            raise SpecError("There is nothing to change: give a model, a name, or both.", field="model")
        self.clients.call(
            "bedrock",
            "update_provisioned_model_throughput",
            subject=self.arn,
            provisionedModelId=self.arn,
            **changes,
        )

    def delete(self) -> None:
        """Delete it, and end its bill; the model stays. Nothing happens where it is gone already.

        Raises:
            ServiceError: If a commitment is not over.
        """
        try:
            self.clients.call(
                "bedrock",
                "delete_provisioned_model_throughput",
                subject=self.arn,
                provisionedModelId=self.arn,
            )
        except NotFoundError:
            return

    def __repr__(self) -> str:
        return f"Provisioned({self.arn!r})"


def provisioned_throughputs(clients: Clients, *, name_contains: str | None = None) -> list[dict[str, Any]]:
    """Every provisioned throughput of the account in the region, newest first."""
    return newest_first(
        clients,
        "list_provisioned_model_throughputs",
        "provisionedModelSummaries",
        name_contains=name_contains,
    )
