"""Deleting an endpoint with all that was made for it, in the order in which AWS lets go of it."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import poll
from bedrock_distill.errors import NotFoundError, ServiceError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.aws import Clients

__all__ = ["remove_endpoint"]

_log = logging.getLogger("bedrock_distill")

_UNDER_WAY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
"""Statuses in which AWS deletes neither an endpoint nor an inference component."""


def remove_endpoint(clients: Clients, name: str, *, timeout_s: float) -> list[str]:
    """Delete an endpoint and what goes with it.

    Args:
        clients: The gate to AWS.
        name: The endpoint's name.
        timeout_s: Seconds to wait at most for each thing that takes its time to go.

    Returns:
        What was deleted, in words.

    Raises:
        WaitTimeoutError: If something is still going when the time is up; deleting again goes on from there.
    """
    removal = _Removal(clients, name, timeout_s)
    return [
        *removal.scaling(),
        *removal.alarms(),
        *removal.components(),
        *removal.endpoint(),
        *removal.made("endpoint configuration", "endpoint_config", "EndpointConfig"),
        *removal.made("model", "model", "Model"),
    ]


class _Removal:
    """One endpoint on its way out."""

    def __init__(self, clients: Clients, name: str, timeout_s: float) -> None:
        self._clients = clients
        self._name = name
        self._timeout_s = timeout_s

    def scaling(self) -> Iterator[str]:
        """Deregistering a target takes its policies with it."""
        for resource in (f"endpoint/{self._name}/variant/AllTraffic", f"inference-component/{self._name}"):
            targets = self._clients.pages(
                "application-autoscaling",
                "describe_scalable_targets",
                "ScalableTargets",
                ServiceNamespace="sagemaker",
                ResourceIds=[resource],
            )
            for target in list(targets):
                self._clients.call(
                    "application-autoscaling",
                    "deregister_scalable_target",
                    subject=resource,
                    ServiceNamespace="sagemaker",
                    ResourceId=resource,
                    ScalableDimension=target["ScalableDimension"],
                )
                yield f"scaling of {resource}"

    def alarms(self) -> Iterator[str]:
        """The alarm that wakes it."""
        alarm = f"{self._name}-wake"
        found = self._clients.call("cloudwatch", "describe_alarms", subject=alarm, AlarmNames=[alarm])
        if found.get("MetricAlarms"):
            self._clients.call("cloudwatch", "delete_alarms", subject=alarm, AlarmNames=[alarm])
            yield f"alarm {alarm}"

    def components(self) -> Iterator[str]:
        """Inference components; the endpoint can go only when they have gone."""

        def listed() -> list[str]:
            found = self._clients.pages(
                "sagemaker", "list_inference_components", "InferenceComponents", EndpointNameEquals=self._name
            )
            return [item["InferenceComponentName"] for item in found if item["EndpointName"] == self._name]

        def there(component: str) -> dict[str, Any] | None:
            return self._clients.find(
                "sagemaker",
                "describe_inference_component",
                subject=component,
                InferenceComponentName=component,
            )

        def is_gone(component: str) -> bool:
            return there(component) is None

        names = listed()
        for component in names:
            self._settle("inference component", "InferenceComponent", component, partial(there, component))
            self._delete("delete_inference_component", InferenceComponentName=component)
            yield f"inference component {component}"
        for component in names:
            self._wait(partial(is_gone, component), f"inference component {component}")

    def endpoint(self) -> Iterator[str]:
        """The endpoint itself."""

        def there() -> dict[str, Any] | None:
            return self._clients.find(
                "sagemaker", "describe_endpoint", subject=self._name, EndpointName=self._name
            )

        found = self._settle("endpoint", "Endpoint", self._name, there)
        if found is None:
            return
        if found["EndpointStatus"] != "Deleting":
            self._delete("delete_endpoint", EndpointName=self._name)
        self._wait(lambda: there() is None, f"endpoint {self._name}")
        yield f"endpoint {self._name}"

    def made(self, what: str, operation: str, member: str) -> Iterator[str]:
        """Configurations or models that plans of this endpoint have made: named after it, and tagged with it."""
        ours = re.compile(rf"{re.escape(self._name)}-[0-9a-f]{{8}}")
        listed = self._clients.pages("sagemaker", f"list_{operation}s", f"{member}s", NameContains=self._name)
        for item in list(listed):
            name = item[f"{member}Name"]
            if not ours.fullmatch(name) or not self._tagged(item[f"{member}Arn"]):
                continue
            self._delete(f"delete_{operation}", **{f"{member}Name": name})
            yield f"{what} {name}"

    def _tagged(self, arn: str) -> bool:
        tags = self._clients.pages("sagemaker", "list_tags", "Tags", ResourceArn=arn)
        return any(tag["Key"] == "bedrock-distill" and tag["Value"] == self._name for tag in tags)

    def _delete(self, operation: str, **params: Any) -> None:
        try:
            self._clients.call("sagemaker", operation, subject=self._name, **params)
        except ServiceError as error:
            # A deletion beside this one was faster. SageMaker says of what is not there that the request is invalid.
            gone = isinstance(error, NotFoundError) or "could not find" in error.message.lower()
            if not gone:
                raise

    def _settle(
        self, what: str, member: str, name: str, look: Callable[[], dict[str, Any] | None]
    ) -> dict[str, Any] | None:
        """Wait until something can be deleted: what is being created bills already, and is refused until it is there."""
        status = ""
        for found in poll(look, clock=self._clients.clock, timeout_s=self._timeout_s):
            now = str((found or {}).get(f"{member}Status", ""))
            if now not in _UNDER_WAY:
                return found
            if now != status:
                status = now
                _log.warning(
                    "The %s %s is %s, and AWS deletes it only afterwards: waiting.", what, name, status
                )
        raise WaitTimeoutError(
            f"The {what} {name} is still {status} after {self._timeout_s:g} s, and AWS deletes it only afterwards. It bills: "
            f"delete again (`bedrock-distill endpoints delete {self._name}`).",
            status=status,
        )

    def _wait(self, gone: Callable[[], bool], what: str) -> None:
        for is_gone in poll(gone, clock=self._clients.clock, timeout_s=self._timeout_s):
            if is_gone:
                return
        raise WaitTimeoutError(
            f"The {what} is still being deleted after {self._timeout_s:g} s: delete again, and it goes on from "
            "there.",
            status="Deleting",
        )
