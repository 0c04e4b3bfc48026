"""Deleting an endpoint with all that was made for it, in the order in which AWS lets go of it."""

from __future__ import annotations

import logging
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import poll
from bedrock_distill.errors import WaitTimeoutError
from bedrock_distill.resources.endpoint.made import delete_if_there, made_parts
from bedrock_distill.resources.endpoint.requests import VARIANT
from bedrock_distill.resources.endpoint.scaling import NAMESPACE, is_wake_alarm, policy_names, wake_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.aws import Clients

__all__ = ["remove_endpoint"]

_log = logging.getLogger("bedrock_distill")

_UNDER_WAY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
"""Statuses in which AWS deletes neither an endpoint nor an inference component."""


def remove_endpoint(
    clients: Clients,
    name: str,
    *,
    timeout_s: float,
    on_change: Callable[[str, str], None] | None = None,
) -> list[str]:
    """Delete an endpoint and what goes with it.

    Policies and alarms of others are left, which is logged.

    Args:
        clients: The gate to AWS.
        name: The endpoint's name.
        timeout_s: Seconds to wait at most for each thing that takes its time to go.
        on_change: Told each part, in words, with its new status: AWS's own, `Deleting`, and at last `Deleted`.

    Returns:
        What was deleted, in words.

    Raises:
        WaitTimeoutError: If something is still going when the time is up; deleting again goes on from there.
    """
    tell = on_change or (lambda _part, _status: None)
    removal = _Removal(clients, name, timeout_s, tell)
    deleted = []
    for part in chain(
        removal.scaling(),
        removal.alarms(),
        removal.components(),
        removal.endpoint(),
        removal.made(),
    ):
        deleted.append(part)
        tell(part, "Deleted")
    return deleted


class _Removal:
    """One endpoint on its way out. Each method goes over one kind of part, and yields what has gone."""

    def __init__(
        self, clients: Clients, name: str, timeout_s: float, tell: Callable[[str, str], None]
    ) -> None:
        self._clients = clients
        self._name = name
        self._timeout_s = timeout_s
        self._tell = tell

    def scaling(self) -> Iterator[str]:
        """Deregistering a target takes its policies with it, so that one with policies of others stays."""
        for resource in (f"endpoint/{self._name}/variant/{VARIANT}", f"inference-component/{self._name}"):
            targets = self._clients.pages(
                "application-autoscaling",
                "describe_scalable_targets",
                "ScalableTargets",
                **NAMESPACE,
                ResourceIds=[resource],
            )
            for found in list(targets):
                target = {"ResourceId": resource, "ScalableDimension": found["ScalableDimension"]}
                names = self._policies(target)
                theirs = sorted(names.difference(policy_names(self._name)))
                if not theirs:
                    self._unscale("deregister_scalable_target", target)
                    yield f"scaling of {resource}"
                    continue
                for name in sorted(names.difference(theirs)):
                    self._unscale("delete_scaling_policy", {**target, "PolicyName": name})
                    yield f"scaling policy {name}"
                _log.warning(
                    "The scaling of %s stays: it has policies that no plan of this endpoint made (%s).",
                    resource,
                    ", ".join(theirs),
                )

    def _policies(self, target: dict[str, str]) -> set[str]:
        found = self._clients.pages(
            "application-autoscaling", "describe_scaling_policies", "ScalingPolicies", **NAMESPACE, **target
        )
        return {policy["PolicyName"] for policy in found}

    def _unscale(self, operation: str, params: dict[str, Any]) -> None:
        self._clients.call(
            "application-autoscaling", operation, subject=params["ResourceId"], **NAMESPACE, **params
        )

    def alarms(self) -> Iterator[str]:
        """The alarm that wakes it."""
        name = wake_name(self._name)
        found = self._clients.call("cloudwatch", "describe_alarms", subject=name, AlarmNames=[name])
        for alarm in found.get("MetricAlarms", ()):
            if is_wake_alarm(alarm, self._name):
                self._clients.call("cloudwatch", "delete_alarms", subject=name, AlarmNames=[name])
                yield f"alarm {name}"
            else:
                _log.warning(
                    "The alarm %s stays: it does not watch this endpoint, so that no plan of it made the alarm.",
                    name,
                )

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
            self._tell(f"inference component {component}", "Deleting")
        for component in names:
            self._wait(partial(is_gone, component), f"inference component {component}")
            yield f"inference component {component}"

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

    def made(self) -> Iterator[str]:
        """Configurations and models that plans of this endpoint have made."""
        for part in made_parts(self._clients, self._name):
            part.delete()
            yield str(part)

    def _delete(self, operation: str, **params: Any) -> None:
        delete_if_there(self._clients, operation, subject=self._name, **params)

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
                self._tell(f"{what} {name}", status)
                _log.warning(
                    "The %s %s is %s, and AWS deletes it only afterwards: waiting.", what, name, status
                )
        raise WaitTimeoutError(
            f"The {what} {name} is still {status} after {self._timeout_s:g} s, and AWS deletes it only afterwards. It bills: "
            f"delete again (`bedrock-distill endpoints delete {self._name}`).",
            status=status,
        )

    def _wait(self, gone: Callable[[], bool], what: str) -> None:
        self._tell(what, "Deleting")
        for is_gone in poll(gone, clock=self._clients.clock, timeout_s=self._timeout_s):
            if is_gone:
                return
        raise WaitTimeoutError(
            f"The {what} is still being deleted after {self._timeout_s:g} s: delete again, and it goes on from "
            "there.",
            status="Deleting",
        )
