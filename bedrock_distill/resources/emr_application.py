"""An EMR Serverless application: the handle that stops and deletes it, and the lists of what this package has made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import poll
from bedrock_distill.errors import NotFoundError, ServiceError, WaitTimeoutError

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients

__all__ = ["APPLICATION_STATES", "HarvestApplication", "harvest_applications", "harvest_runs"]

APPLICATION_STATES: dict[str, tuple[bool, bool]] = {
    "CREATING": (True, False),
    "CREATED": (False, True),
    "STARTING": (True, False),
    "STARTED": (False, False),
    "STOPPING": (True, False),
    "STOPPED": (False, True),
    "TERMINATED": (False, False),
}
"""Every state of the service's model -> whether it passes by itself, and whether the application can be deleted in it."""

_TAG = "bedrock-distill"


@dataclass(frozen=True, slots=True)
class HarvestApplication:
    """Handle of an EMR Serverless application. It costs nothing by itself: only runs are billed."""

    clients: Clients
    arn: str

    @property
    def application_id(self) -> str:
        """Its id."""
        return self.arn.rpartition("/")[2]

    def describe(self) -> dict[str, Any]:
        """The `application` that GetApplication answers with."""
        answer: dict[str, Any] = self._call("get_application")["application"]
        return answer

    def runs(self) -> list[dict[str, Any]]:
        """Its runs, newest first, as ListJobRuns gives them."""
        runs = self.clients.pages(
            "emr-serverless", "list_job_runs", "jobRuns", applicationId=self.application_id
        )
        return sorted(runs, key=lambda run: run["createdAt"], reverse=True)

    def stop(self) -> None:
        """Let go of its machines now, not when it has been idle for long enough; nothing happens where it has none.

        Raises:
            ServiceError: If runs are under way: stop them first.
        """
        if self.describe()["state"] == "STARTED":
            self._call("stop_application")

    def delete(self, *, timeout_s: float = 900) -> None:
        """Stop it, wait until it has stopped, and delete it; nothing happens where it is gone. Results in S3 stay.

        Args:
            timeout_s: Seconds to wait for it to stop.

        Raises:
            ServiceError: If runs are under way: stop them first.
            WaitTimeoutError: If it has not stopped in time.
        """
        state = ""
        for state in poll(self._state, clock=self.clients.clock, timeout_s=timeout_s):
            passing, deletable = APPLICATION_STATES.get(state, (True, False))
            if state == "TERMINATED":
                return
            if deletable:
                self._call("delete_application")
                return
            if not passing:
                self._call("stop_application")
        raise WaitTimeoutError(
            f"The EMR Serverless application {self.arn} is still {state} after {timeout_s:g} s, and can be deleted only when it "
            "has stopped: delete it again in a while.",
            arn=self.arn,
            status=state,
        )

    def _state(self) -> str:
        try:
            return str(self.describe()["state"])
        except NotFoundError:
            return "TERMINATED"

    def _call(self, operation: str) -> dict[str, Any]:
        try:
            return self.clients.call(
                "emr-serverless", operation, subject=self.arn, applicationId=self.application_id
            )
        except ServiceError as error:
            if operation == "stop_application" and error.code == "ValidationException":
                raise error.advised(
                    "If runs are under way, stop them first: `bedrock-distill harvest list` names them."
                ) from error
            raise

    def __repr__(self) -> str:
        return f"HarvestApplication({self.arn!r})"


def harvest_applications(clients: Clients) -> list[dict[str, Any]]:
    """Every application that this package made in the region and that is not deleted, as GetApplication gives it."""
    found = []
    for item in clients.pages("emr-serverless", "list_applications", "applications"):
        if item["state"] == "TERMINATED":
            continue
        # The list has no tags, and names are the user's.
        application = HarvestApplication(clients, item["arn"]).describe()
        if _TAG in (application.get("tags") or {}):
            found.append(application)
    return found


def harvest_runs(clients: Clients) -> list[dict[str, Any]]:
    """Every run in the applications that this package made, newest first, as ListJobRuns gives them."""
    runs = [
        run
        for application in harvest_applications(clients)
        for run in HarvestApplication(clients, application["arn"]).runs()
    ]
    return sorted(runs, key=lambda run: run["createdAt"], reverse=True)
