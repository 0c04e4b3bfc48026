"""The steps that make an endpoint scale: a target, a policy that follows the requests under way, and what wakes it from zero.

Source: SageMaker developer guide, endpoint-auto-scaling, endpoint-auto-scaling-zero-instances and async-inference-autoscale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import Configure, LookAt
from bedrock_distill.resources.endpoint.requests import VARIANT

if TYPE_CHECKING:
    from bedrock_distill.resources.endpoint.spec import Endpoint, Scaling

__all__ = [
    "NAMESPACE",
    "Scaled",
    "is_wake_alarm",
    "policy_names",
    "scaled_thing",
    "scaling_steps",
    "wake_name",
]

NAMESPACE: dict[str, Any] = {"ServiceNamespace": "sagemaker"}

_COMPONENT_ASKED = ("NoCapacityInvocationFailures", "InferenceComponentName")
_QUEUE_FILLED = ("HasBacklogWithoutCapacity", "EndpointName")
"""Metric, and the dimension that names the endpoint, which tell that somebody asks and nothing is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """What is scaled: the instances of a variant, or the copies of an inference component."""

    resource: str
    dimension: str
    metric: dict[str, Any]
    """The part of a target tracking configuration that says what is followed."""
    aim: float
    """The metric's value that is aimed at."""
    waking: tuple[str, str] | None
    """What wakes it from zero: a metric, and the dimension that names this endpoint."""

    @property
    def target(self) -> dict[str, Any]:
        """How Application Auto Scaling names it."""
        return {**NAMESPACE, "ResourceId": self.resource, "ScalableDimension": self.dimension}


def wake_name(endpoint: str) -> str:
    """What the policy that wakes an endpoint from zero, and its alarm, are called."""
    return f"{endpoint}-wake"


def policy_names(endpoint: str) -> tuple[str, str]:
    """What the policies that plans of an endpoint make are called."""
    return f"{endpoint}-follow", wake_name(endpoint)


def is_wake_alarm(alarm: dict[str, Any], endpoint: str) -> bool:
    """Whether an alarm watches what wakes this endpoint; another of the same name is somebody else's."""
    dimensions = [(each["Name"], each["Value"]) for each in alarm.get("Dimensions", ())]
    return alarm.get("Namespace") == "AWS/SageMaker" and any(
        alarm.get("MetricName") == metric and dimensions == [(dimension, endpoint)]
        for metric, dimension in (_COMPONENT_ASKED, _QUEUE_FILLED)
    )


def scaled_thing(spec: Endpoint) -> Scaled:
    """What is scaled of an endpoint."""
    if spec.component:
        return Scaled(
            resource=f"inference-component/{spec.name}",
            dimension="sagemaker:inference-component:DesiredCopyCount",
            metric=_predefined("SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"),
            aim=spec.aimed_at,
            waking=_COMPONENT_ASKED,
        )
    variant = f"endpoint/{spec.name}/variant/{VARIANT}"
    if spec.asynchronous is not None:
        return Scaled(
            resource=variant,
            dimension="sagemaker:variant:DesiredInstanceCount",
            metric={
                "CustomizedMetricSpecification": {
                    "MetricName": "ApproximateBacklogSizePerInstance",
                    "Namespace": "AWS/SageMaker",
                    "Dimensions": [{"Name": "EndpointName", "Value": spec.name}],
                    "Statistic": "Average",
                }
            },
            aim=spec.aimed_at,
            waking=_QUEUE_FILLED,
        )
    return Scaled(
        resource=variant,
        dimension="sagemaker:variant:DesiredInstanceCount",
        metric=_predefined("SageMakerVariantConcurrentRequestsPerModelHighResolution"),
        aim=spec.aimed_at,
        waking=None,
    )


def scaling_steps(spec: Endpoint, *, policy: bool = False, alarm: bool = False) -> list[Configure]:
    """The steps, in order; none for an endpoint that is not scaled.

    Args:
        spec: What is wanted.
        policy: Whether a policy that wakes it from zero is there already.
        alarm: Whether an alarm that sets it off is there. One that does not go to zero any more needs neither.
    """
    scaling = spec.scaling
    if scaling is None:
        return []
    scaled = scaled_thing(spec)
    steps = [_register(spec, scaling, scaled), _follow(spec, scaling, scaled)]
    if scaling.minimum == 0 and scaled.waking is not None:
        wake = _wake_policy(spec, scaled)
        return [*steps, wake, _wake_alarm(spec, scaled.waking, wake)]
    return [*steps, *([_no_alarm(spec)] if alarm else ()), *([_no_policy(spec, scaled)] if policy else ())]


def _predefined(name: str) -> dict[str, Any]:
    return {"PredefinedMetricSpecification": {"PredefinedMetricType": name}}


def _register(spec: Endpoint, scaling: Scaling, scaled: Scaled) -> Configure:
    bounds = {"MinCapacity": scaling.minimum, "MaxCapacity": scaling.maximum}
    return Configure(
        kind="scalable target",
        name=f"{spec.name} ({scaling.minimum} to {scaling.maximum})",
        service="application-autoscaling",
        operation="register_scalable_target",
        request={**scaled.target, **bounds},
        look=LookAt(
            operation="describe_scalable_targets",
            params={
                **NAMESPACE,
                "ResourceIds": [scaled.resource],
                "ScalableDimension": scaled.dimension,
            },
            items="ScalableTargets",
        ),
        same=(bounds,),
        # A larger fleet costs more, and this is what lets it grow.
        bills=scaling.maximum > 1,
    )


def _policy(scaled: Scaled, name: str, kind: str, settings: dict[str, Any]) -> Configure:
    return Configure(
        kind="scaling policy",
        name=name,
        service="application-autoscaling",
        operation="put_scaling_policy",
        request={**scaled.target, "PolicyName": name, "PolicyType": kind, **settings},
        look=_policy_named(scaled, name),
        same=(settings,),
        result="PolicyARN",
    )


def _policy_named(scaled: Scaled, name: str) -> LookAt:
    return LookAt(
        operation="describe_scaling_policies",
        params={**scaled.target, "PolicyNames": [name]},
        items="ScalingPolicies",
    )


def _follow(spec: Endpoint, scaling: Scaling, scaled: Scaled) -> Configure:
    settings = {
        "TargetTrackingScalingPolicyConfiguration": {
            **scaled.metric,
            "TargetValue": scaled.aim,
            "ScaleInCooldown": scaling.scale_in_s,
            "ScaleOutCooldown": scaling.scale_out_s,
        }
    }
    return _policy(scaled, policy_names(spec.name)[0], "TargetTrackingScaling", settings)


def _wake_policy(spec: Endpoint, scaled: Scaled) -> Configure:
    settings = {
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Maximum",
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        }
    }
    return _policy(scaled, wake_name(spec.name), "StepScaling", settings)


def _wake_alarm(spec: Endpoint, waking: tuple[str, str], policy: Configure) -> Configure:
    metric, dimension = waking
    settings = {
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": spec.name}],
        "Statistic": "Maximum",
        "Period": 30 if dimension == "InferenceComponentName" else 60,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
    }
    name = wake_name(spec.name)
    return Configure(
        kind="alarm",
        name=name,
        service="cloudwatch",
        operation="put_metric_alarm",
        request={
            "AlarmName": name,
            "AlarmDescription": f"Somebody asks the endpoint {spec.name}, and it is scaled to zero.",
            **settings,
        },
        look=_alarm_named(name),
        same=(settings,),
        links={"AlarmActions": policy.id},
        # CloudWatch bills an alarm by the month; cents, but money.
        bills=True,
    )


def _alarm_named(name: str) -> LookAt:
    return LookAt(operation="describe_alarms", params={"AlarmNames": [name]}, items="MetricAlarms")


def _no_alarm(spec: Endpoint) -> Configure:
    name = wake_name(spec.name)
    return Configure(
        kind="alarm",
        name=name,
        service="cloudwatch",
        operation="delete_alarms",
        request={"AlarmNames": [name]},
        look=_alarm_named(name),
        same=(),
        removes=True,
    )


def _no_policy(spec: Endpoint, scaled: Scaled) -> Configure:
    name = wake_name(spec.name)
    return Configure(
        kind="scaling policy",
        name=name,
        service="application-autoscaling",
        operation="delete_scaling_policy",
        request={**scaled.target, "PolicyName": name},
        look=_policy_named(scaled, name),
        same=(),
        removes=True,
    )
