"""Acting on policies, by the cloud's clock and by requests that are really under way.

Nothing runs in the background. A policy is looked at when a request comes and when somebody describes an endpoint, an
inference component or a target:

* a request under way above the target value for each copy: scale out to what brings it back, unless the policy did something
  within its scale-out cooldown;
* nothing under way and nobody asked for the scale-in cooldown: scale in to the least capacity, which may be none;
* a request that finds no copy: the metric of that (`NoCapacityInvocationFailures`, or `HasBacklogWithoutCapacity` of an
  asynchronous endpoint) goes to CloudWatch, alarms on it go to ALARM, and the step policies they name add their copies.

Every target-tracking metric is taken as requests under way for each copy.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.application_autoscaling.state import Activity, Policy, Tables, Target
from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.sagemaker.state import Tables as SageMakerTables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bedrock_distill.local.services.sagemaker import SageMaker
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.world import World

__all__ = ["DEFAULT_COOLDOWN_S", "Scaler"]

DEFAULT_COOLDOWN_S = 300
"""Seconds of a target-tracking policy's cooldowns where it names none."""

_METRICS = {
    # dimension of the target -> metric of a request without capacity, and the alarm dimension that names the resource
    "sagemaker:inference-component:DesiredCopyCount": (
        "NoCapacityInvocationFailures",
        "InferenceComponentName",
    ),
    "sagemaker:variant:DesiredInstanceCount": ("HasBacklogWithoutCapacity", "EndpointName"),
}
_NAMESPACE = "AWS/SageMaker"


class Scaler:
    """Watches requests and looks, and scales.

    Args:
        world: The cloud.
        hosting: Knows what is under way.
        sagemaker: Scales inference components and variants.
    """

    def __init__(self, world: World, hosting: Hosting, sagemaker: SageMaker) -> None:
        self._world = world
        self._hosting = hosting
        self._sagemaker = sagemaker
        self._ids = world.ids.spawn("autoscaling/activities")
        self._alarmed: set[str] = set()

    def asked(self, region: str, names: Sequence[str]) -> None:
        """A request has come to a copy: scale out if there are too many under way."""
        tables = Tables(self._world, region)
        for name in names:
            tables.asked.put(name, self._world.clock.now())
        for target in _targets(tables, names):
            if target.resource in self._alarmed:
                self._alarmed.discard(target.resource)
                self._set_alarms(region, target, "OK")
            for policy in _policies(tables, target, "TargetTrackingScaling"):
                load = self._hosting.in_flight(target.resource) / float(policy.settings["TargetValue"])
                current = self.capacity(region, target)
                if ceil(load) > current and self._is_cool(tables, policy, "ScaleOutCooldown"):
                    self._scale(
                        region, target, ceil(load), policy, "more requests under way than the target value"
                    )

    def found_no_capacity(self, region: str, names: Sequence[str]) -> None:
        """A request found no copy: raise the alarms on it, and let their policies wake one."""
        tables = Tables(self._world, region)
        for target in _targets(tables, names):
            tables.asked.put(target.resource, self._world.clock.now())
            metric, dimension = _METRICS[target.dimension]
            self._world.client("cloudwatch", region).put_metric_data(
                Namespace=_NAMESPACE,
                MetricData=[
                    {
                        "MetricName": metric,
                        "Dimensions": [{"Name": dimension, "Value": _name_of(target)}],
                        "Value": 1.0,
                        "Unit": "Count",
                    }
                ],
            )
            for alarm in self._set_alarms(region, target, "ALARM"):
                for arn in alarm["AlarmActions"]:
                    policy = tables.policies.get(arn)
                    if policy is not None and policy.kind == "StepScaling":
                        self._step(region, target, policy, 1.0 - alarm["Threshold"], alarm["AlarmName"])

    def looked(self, region: str) -> None:
        """Somebody looks: keep to the bounds, and scale in what has been idle for long enough."""
        tables = Tables(self._world, region)
        for target in tables.targets:
            current = self.capacity(region, target)
            if current == 0 and target.least == 0:
                continue
            if not target.least <= current <= target.most:
                wanted = min(max(current, target.least), target.most)
                self._scale(region, target, wanted, None, "the capacity was outside of the target's bounds")
                continue
            for policy in _policies(tables, target, "TargetTrackingScaling"):
                if policy.settings.get("DisableScaleIn") or current <= target.least:
                    continue
                if self._is_idle(tables, target, policy) and self._is_cool(tables, policy, "ScaleInCooldown"):
                    self._scale(region, target, target.least, policy, "no request under way")

    def capacity(self, region: str, target: Target) -> int:
        """Copies or instances that a target wants now; 0 where there is no such resource."""
        parts = target.resource.split("/")
        tables = SageMakerTables(self._world, region)
        if parts[0] == "inference-component":
            component = tables.components.get(parts[1])
            return component.desired if component is not None else 0
        endpoint = tables.endpoints.get(parts[1])
        variant = endpoint.variant(parts[3]) if endpoint is not None else None
        return variant.instances if variant is not None else 0

    def exists(self, region: str, resource: str) -> bool:
        """Whether there is such a variant or inference component."""
        parts = resource.split("/")
        tables = SageMakerTables(self._world, region)
        if parts[0] == "inference-component" and len(parts) == 2:
            return parts[1] in tables.components
        if parts[0] != "endpoint" or len(parts) != 4:
            return False
        endpoint = tables.endpoints.get(parts[1])
        return endpoint is not None and endpoint.variant(parts[3]) is not None

    def is_asynchronous(self, region: str, resource: str) -> bool:
        """Whether a variant is one of an asynchronous endpoint, which keeps requests while it has no instance."""
        endpoint = SageMakerTables(self._world, region).endpoints.get(resource.split("/")[1])
        return endpoint is not None and bool(endpoint.config.request.get("AsyncInferenceConfig"))

    def _is_idle(self, tables: Tables, target: Target, policy: Policy) -> bool:
        now = self._world.clock.now()
        if self._hosting.in_flight(target.resource):
            tables.asked.put(target.resource, now)
            return False
        since = max(tables.asked.get(target.resource) or policy.created, policy.created)
        return now - since >= timedelta(seconds=_cooldown(policy, "ScaleInCooldown"))

    def _is_cool(self, tables: Tables, policy: Policy, which: str) -> bool:
        """Whether the policy's last activity is longer ago than its cooldown."""
        acted = tables.activities.where(lambda each: each.policy == policy.arn)
        if not acted:
            return True
        since = self._world.clock.now() - acted[-1].at
        return since >= timedelta(seconds=_cooldown(policy, which))

    def _step(self, region: str, target: Target, policy: Policy, breach: float, alarm: str) -> None:
        tables = Tables(self._world, region)
        if not self._is_cool(tables, policy, "Cooldown"):
            return
        current = self.capacity(region, target)
        for step in policy.settings.get("StepAdjustments", ()):
            low = step.get("MetricIntervalLowerBound", float("-inf"))
            high = step.get("MetricIntervalUpperBound", float("inf"))
            if low <= breach < high:
                wanted = _adjusted(policy, current, step["ScalingAdjustment"])
                self._scale(region, target, wanted, policy, f"monitor alarm {alarm} in state ALARM")
                return

    def _scale(self, region: str, target: Target, wanted: int, policy: Policy | None, cause: str) -> None:
        wanted = min(max(wanted, target.least), target.most)
        with self._world.lock:
            current = self.capacity(region, target)
            suspended = "DynamicScalingInSuspended" if wanted < current else "DynamicScalingOutSuspended"
            if wanted == current or target.suspended.get(suspended):
                return
            start = self._begin(region, target, wanted)
            if start is None:
                return
            identity = self._ids.uuid()
            Tables(self._world, region).activities.put(
                identity,
                Activity(
                    identity=identity,
                    policy=policy.arn if policy is not None else "",
                    resource=target.resource,
                    dimension=target.dimension,
                    before=current,
                    after=wanted,
                    at=moment(self._world),
                    cause=f"{cause} triggered policy {policy.name}" if policy is not None else cause,
                ),
            )
        start()

    def _begin(self, region: str, target: Target, wanted: int) -> Any | None:
        """What begins the change; None where the resource is in the middle of another."""
        parts = target.resource.split("/")
        tables = SageMakerTables(self._world, region)
        if parts[0] == "inference-component":
            component = tables.components.get(parts[1])
            if component is None or component.status != "InService":
                return None
            return self._sagemaker.components.scale(region, component, wanted)
        endpoint = tables.endpoints.get(parts[1])
        if endpoint is None or endpoint.status != "InService":
            return None
        variants = tuple(
            replace(each, instances=wanted) if each.name == parts[3] else each for each in endpoint.variants
        )
        return self._sagemaker.endpoints.deploying.resize(endpoint, variants)

    def _set_alarms(self, region: str, target: Target, state: str) -> list[Mapping[str, Any]]:
        """Bring the alarms on a target's lack of capacity to a state, and return them."""
        metric, dimension = _METRICS[target.dimension]
        cloudwatch = self._world.client("cloudwatch", region)
        wanted = {"Name": dimension, "Value": _name_of(target)}
        found = [
            alarm
            for page in cloudwatch.get_paginator("describe_alarms").paginate()
            for alarm in page["MetricAlarms"]
            if alarm.get("MetricName") == metric and wanted in alarm.get("Dimensions", ())
        ]
        for alarm in found:
            cloudwatch.set_alarm_state(
                AlarmName=alarm["AlarmName"],
                StateValue=state,
                StateReason=f"{metric} of {target.resource}",
            )
        if state == "ALARM" and found:
            self._alarmed.add(target.resource)
        return found


def _targets(tables: Tables, names: Sequence[str]) -> list[Target]:
    return tables.targets.where(lambda target: target.resource in names)


def _policies(tables: Tables, target: Target, kind: str) -> Iterator[Policy]:
    for policy in tables.policies:
        if policy.kind == kind and (policy.resource, policy.dimension) == (target.resource, target.dimension):
            yield policy


def _name_of(target: Target) -> str:
    return target.resource.split("/")[1]


def _cooldown(policy: Policy, which: str) -> int:
    return int(policy.settings.get(which, DEFAULT_COOLDOWN_S))


def _adjusted(policy: Policy, current: int, adjustment: int) -> int:
    kind = policy.settings.get("AdjustmentType", "ChangeInCapacity")
    if kind == "ExactCapacity":
        return adjustment
    if kind == "PercentChangeInCapacity":
        least = int(policy.settings.get("MinAdjustmentMagnitude", 1))
        change = max(abs(current * adjustment) // 100, least)
        return current + (change if adjustment > 0 else -change)
    return current + adjustment
