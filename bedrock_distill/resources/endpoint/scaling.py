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

__all__ = ["Scaled", "scaled_thing", "scaling_steps"]

_NAMESPACE = {"ServiceNamespace": "sagemaker"}


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
    """Metric, and the dimension that names this endpoint, which tell that somebody asks and nothing is there."""

    @property
    def target(self) -> dict[str, Any]:
        """How Application Auto Scaling names it."""
        return {**_NAMESPACE, "ResourceId": self.resource, "ScalableDimension": self.dimension}


def scaled_thing(spec: Endpoint) -> Scaled:
    """What is scaled of an endpoint."""
    if spec.component:
        return Scaled(
            resource=f"inference-component/{spec.name}",
            dimension="sagemaker:inference-component:DesiredCopyCount",
            metric=_predefined("SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"),
            aim=spec.aimed_at,
            waking=("NoCapacityInvocationFailures", "InferenceComponentName"),
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
            waking=("HasBacklogWithoutCapacity", "EndpointName"),
        )
    return Scaled(
        resource=variant,
        dimension="sagemaker:variant:DesiredInstanceCount",
        metric=_predefined("SageMakerVariantConcurrentRequestsPerModelHighResolution"),
        aim=spec.aimed_at,
        waking=None,
    )


def scaling_steps(spec: Endpoint) -> list[Configure]:
    """The steps, in order; none for an endpoint that is not scaled."""
    scaling = spec.scaling
    if scaling is None:
        return []
    scaled = scaled_thing(spec)
    steps = [_register(spec, scaling, scaled), _follow(spec, scaling, scaled)]
    if scaling.minimum == 0 and scaled.waking is not None:
        wake = _wake_policy(spec, scaled)
        steps += [wake, _wake_alarm(spec, scaled.waking, wake)]
    return steps


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
                **_NAMESPACE,
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
        look=LookAt(
            operation="describe_scaling_policies",
            params={
                **_NAMESPACE,
                "PolicyNames": [name],
                "ResourceId": scaled.resource,
                "ScalableDimension": scaled.dimension,
            },
            items="ScalingPolicies",
        ),
        same=(settings,),
        result="PolicyARN",
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
    return _policy(scaled, f"{spec.name}-follow", "TargetTrackingScaling", settings)


def _wake_policy(spec: Endpoint, scaled: Scaled) -> Configure:
    settings = {
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Maximum",
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        }
    }
    return _policy(scaled, f"{spec.name}-wake", "StepScaling", settings)


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
    name = f"{spec.name}-wake"
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
        look=LookAt(operation="describe_alarms", params={"AlarmNames": [name]}, items="MetricAlarms"),
        same=(settings,),
        links={"AlarmActions": policy.id},
        # CloudWatch bills an alarm by the month; cents, but money.
        bills=True,
    )
