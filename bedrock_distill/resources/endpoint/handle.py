"""A SageMaker endpoint: its status, and the handle that waits for it and removes it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import JobFailedError, NotFoundError, ServiceError
from bedrock_distill.resources.endpoint.advice import advice_for
from bedrock_distill.resources.endpoint.made import unused_parts
from bedrock_distill.resources.endpoint.removal import remove_endpoint
from bedrock_distill.resources.waiting import Noun, wait_until_over
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["ENDPOINT_STATUSES", "EndpointStatus", "LiveEndpoint", "endpoint_arn", "endpoints"]

ENDPOINT_STATUSES: dict[str, tuple[bool, bool]] = {
    "Creating": (False, False),
    "Updating": (False, True),
    "SystemUpdating": (False, True),
    "RollingBack": (False, True),
    "Deleting": (False, False),
    "InService": (True, True),
    "OutOfService": (True, False),
    "Failed": (True, False),
    "UpdateRollbackFailed": (True, False),
}
"""Every status of the service's model -> whether it is settled, and whether the endpoint answers."""

_ENDPOINT = Noun(
    name="endpoint",
    wait_command="bedrock-distill endpoints wait",
    when_failed="The container's own words are in the log group /aws/sagemaker/Endpoints/ of the endpoint "
    "(`bedrock-distill endpoints logs {arn}`). A failed endpoint is removed with `bedrock-distill endpoints delete {arn}`.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """What an endpoint says of itself at one moment."""

    arn: str
    name: str
    status: str
    """Creating, Updating, SystemUpdating, RollingBack, InService, OutOfService, Deleting, Failed or UpdateRollbackFailed."""
    config: str
    """The configuration that serves."""
    pending: str
    """The configuration that an update is putting into service, or an empty string."""
    instances: int
    """Instances there are."""
    reason: str
    """SageMaker's failure reason, or an empty string."""
    created: datetime
    wanted: str = ""
    """The configuration that must serve for the wait to have succeeded; empty for any."""

    @property
    def phase(self) -> str:
        """What an update is bringing, or an empty string."""
        return f"to {self.pending}" if self.pending else ""

    @property
    def over(self) -> bool:
        """Whether nothing will change by itself any more."""
        return ENDPOINT_STATUSES.get(self.status, (False, False))[0]

    @property
    def rolled_back(self) -> bool:
        """Whether an update did not hold: after it, SageMaker says InService, with the configuration of before."""
        return self.status == "InService" and bool(self.wanted) and self.config != self.wanted

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint answers with what was wanted."""
        return ENDPOINT_STATUSES.get(self.status, (False, False))[1] and not self.rolled_back

    @classmethod
    def of(cls, answer: dict[str, Any], *, wanted: str = "") -> EndpointStatus:
        """Read DescribeEndpoint's answer."""
        variants = answer.get("ProductionVariants") or ()
        reason = answer.get("FailureReason") or ""
        status = cls(
            arn=answer["EndpointArn"],
            name=answer["EndpointName"],
            status=answer["EndpointStatus"],
            config=answer.get("EndpointConfigName") or "",
            pending=(answer.get("PendingDeploymentSummary") or {}).get("EndpointConfigName", ""),
            instances=sum(variant.get("CurrentInstanceCount", 0) for variant in variants),
            reason=reason,
            created=answer["CreationTime"],
            wanted=wanted,
        )
        if status.rolled_back:
            told = f"the update to {wanted} was rolled back, and {status.config} serves as before"
            return replace(status, reason=f"{told}: {reason}" if reason else told)
        return status


@dataclass(frozen=True, slots=True)
class LiveEndpoint:
    """Handle of an endpoint. It bills by the hour until `delete`, unless it is scaled to zero."""

    clients: Clients
    arn: str
    wanted: str = ""
    """The configuration that an apply asked for: `wait` succeeds only where that one serves. Empty: any."""

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return Arn.parse(self.arn).resource_id

    def describe(self) -> dict[str, Any]:
        """What DescribeEndpoint answers, without its metadata.

        Raises:
            NotFoundError: If there is no such endpoint.
        """
        try:
            answer = self.clients.call(
                "sagemaker", "describe_endpoint", subject=self.name, EndpointName=self.name
            )
        except ServiceError as error:
            raise _not_found(error, self.name) from error
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> EndpointStatus:
        """The endpoint's status now."""
        return EndpointStatus.of(self.describe(), wanted=self.wanted)

    def wait(
        self, *, timeout_s: float | None = 2 * 3600, on_change: Callable[[EndpointStatus], None] | None = None
    ) -> EndpointStatus:
        """Wait until the endpoint answers with what was wanted.

        Args:
            timeout_s: Seconds to wait at most.
            on_change: Told each new status.

        Raises:
            JobFailedError: If it failed, or an update was rolled back.
            WaitTimeoutError: If it is not settled when the time is up. It may bill already: see `delete`.
        """
        pending = ""

        def look() -> EndpointStatus:
            # Where nobody said what is wanted, an update that is seen under way says it.
            nonlocal pending
            answer = self.describe()
            status = EndpointStatus.of(answer, wanted=self.wanted or pending)
            pending = status.pending or pending
            return status

        try:
            return wait_until_over(
                look, what=_ENDPOINT, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
            )
        except JobFailedError as error:
            advice = advice_for(error.reason)
            if not advice:
                raise
            raise JobFailedError(
                f"{error.message} {advice}", arn=error.arn, status=error.status, reason=error.reason
            ) from error

    def logs(self, *, limit: int = 100) -> list[str]:
        """The newest lines that the container has written, the oldest first; none where it has written nothing.

        They outlive the endpoint. Containers behind an inference component, which has the endpoint's name, write elsewhere.
        """
        events: list[tuple[int, str]] = []
        for kind in ("Endpoints", "InferenceComponents"):
            group = f"/aws/sagemaker/{kind}/{self.name}"
            try:
                found = self.clients.pages("logs", "filter_log_events", "events", logGroupName=group)
                newest = deque(
                    ((event["timestamp"], event["message"].rstrip("\n")) for event in found), limit
                )
            except NotFoundError:
                continue
            events += newest
        events.sort(key=lambda event: event[0])
        return [message for _, message in events][-limit:]

    def delete(
        self, *, timeout_s: float = 1800, on_change: Callable[[str, str], None] | None = None
    ) -> list[str]:
        """Delete the endpoint and all that was made for it: scaling, alarms, components, configurations, models.

        The staged files and the role stay, for the next endpoint. What is gone already is passed over, and so are scaling
        policies and alarms of others, which is logged.

        Args:
            timeout_s: Seconds to wait at most for what takes its time to go.
            on_change: Told each part, in words, with its new status: AWS's own, `Deleting`, and at last `Deleted`.

        Returns:
            What was deleted, in words.

        Raises:
            WaitTimeoutError: If a part is still going when the time is up; deleting again goes on from there.
        """
        return remove_endpoint(self.clients, self.name, timeout_s=timeout_s, on_change=on_change)

    def delete_unused(self) -> list[str]:
        """Delete only the configurations and models that plans of this endpoint have made and that it does not use.

        Updates leave them behind. They cost nothing.

        Returns:
            What was deleted, in words.
        """
        deleted = []
        for part in unused_parts(self.clients, self.name):
            part.delete()
            deleted.append(str(part))
        return deleted

    def __repr__(self) -> str:
        return f"LiveEndpoint({self.arn!r})"


def _not_found(error: ServiceError, name: str) -> ServiceError:
    """SageMaker says of what is not there that the request is invalid."""
    if error.code != "ValidationException" or "could not find" not in error.message.lower():
        return error
    return NotFoundError(
        f"sagemaker DescribeEndpoint on {name}: there is no such endpoint; see `bedrock-distill endpoints list`.",
        service=error.service,
        operation=error.operation,
        code=error.code,
        status=error.status,
        request_id=error.request_id,
    )


def endpoint_arn(name: str, clients: Clients) -> str:
    """The ARN that an endpoint of this name has in the account and the region, whether there is one or not."""
    return f"arn:{clients.partition}:sagemaker:{clients.region}:{clients.account_id}:endpoint/{name}"


def endpoints(clients: Clients, *, name_contains: str | None = None) -> list[dict[str, Any]]:
    """Every endpoint of the account in the region, newest first, as ListEndpoints gives them."""
    filters = {"NameContains": name_contains} if name_contains else {}
    pages = clients.pages(
        "sagemaker", "list_endpoints", "Endpoints", SortBy="CreationTime", SortOrder="Descending", **filters
    )
    return list(pages)
