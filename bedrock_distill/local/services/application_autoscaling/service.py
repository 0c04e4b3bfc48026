"""The operations of Application Auto Scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.application_autoscaling.scaling import Scaler
from bedrock_distill.local.services.application_autoscaling.state import Activity, Policy, Tables, Target
from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.store import paginate
from bedrock_distill.uris import Arn, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.sagemaker import SageMaker
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.world import World

__all__ = ["ApplicationAutoScaling"]

_PAGE = 50
_DIMENSIONS = {
    "sagemaker:variant:DesiredInstanceCount": "endpoint/",
    "sagemaker:inference-component:DesiredCopyCount": "inference-component/",
}
_SETTINGS = {
    "StepScaling": "StepScalingPolicyConfiguration",
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
}
_SLR = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


class ApplicationAutoScaling:
    """Scalable targets and policies of SageMaker; other namespaces are refused by name.

    Args:
        world: The cloud.
        hosting: Tells what happens at endpoints.
        sagemaker: Scales.
    """

    def __init__(self, world: World, hosting: Hosting, sagemaker: SageMaker) -> None:
        self._world = world
        self._ids = world.ids.spawn("autoscaling")
        self._scaler = Scaler(world, hosting, sagemaker)
        hosting.watch(self._scaler)

    def register_scalable_target(self, call: Call) -> dict[str, Any]:
        """Let a resource be scaled between two bounds; again with others, they change."""
        params, tables = call.params, Tables(self._world, call.region)
        _check(params)
        resource = params["ResourceId"]
        if not self._scaler.exists(call.region, resource):
            raise _invalid(
                f"No scalable resource found for service namespace: sagemaker, resource ID: {resource}."
            )
        with self._world.lock:
            known = tables.targets.get(_key(params))
            least = params.get("MinCapacity", known.least if known else None)
            most = params.get("MaxCapacity", known.most if known else None)
            if least is None or most is None:
                raise _invalid(
                    "MinCapacity and MaxCapacity are required when a scalable target is registered."
                )
            if not 0 <= least <= most:
                raise _invalid(
                    "Maximum capacity cannot be less than minimum capacity, nor either of them below 0."
                )
            if least == 0 and not self._may_be_zero(call, resource):
                raise _invalid(f"Minimum capacity of {resource} cannot be 0: it has no way back from there.")
            target = Target(
                resource=resource,
                dimension=params["ScalableDimension"],
                arn=known.arn if known else self._arn(call, f"scalable-target/{self._ids.token(20)}"),
                role_arn=str(Arn(partition_of(call.region), "iam", "", call.account_id, f"role/{_SLR}")),
                least=least,
                most=most,
                created=known.created if known else moment(self._world),
                suspended=params.get("SuspendedState") or (known.suspended if known else {}),
            )
            tables.targets.put(_key(params), target)
        return {"ScalableTargetARN": target.arn}

    def deregister_scalable_target(self, call: Call) -> dict[str, Any]:
        """Let a resource be; its policies go too."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            target = self._target(call)
            tables.targets.delete(_key(call.params))
            for policy in tables.policies:
                if (policy.resource, policy.dimension) == (target.resource, target.dimension):
                    tables.policies.delete(policy.arn)
        return {}

    def describe_scalable_targets(self, call: Call) -> dict[str, Any]:
        """The region's targets."""
        self._scaler.looked(call.region)
        wanted = call.params.get("ResourceIds")
        rows = Tables(self._world, call.region).targets.where(
            lambda each: _in_scope(call, each.dimension) and (not wanted or each.resource in wanted)
        )
        return _page(call, rows, "ScalableTargets", _target_summary)

    def put_scaling_policy(self, call: Call) -> dict[str, Any]:
        """Give a target a policy; again under the same name, it changes."""
        params, tables = call.params, Tables(self._world, call.region)
        _check(params)
        with self._world.lock:
            self._target(call)
            name, dimension = params["PolicyName"], params["ScalableDimension"]
            known = next((each for each in tables.policies if _same(each, params)), None)
            kind = params.get("PolicyType") or (known.kind if known else "StepScaling")
            if kind not in _SETTINGS:
                raise _invalid(
                    f"The local cloud has no policies of type {kind}; it has {', '.join(_SETTINGS)}."
                )
            settings = params.get(_SETTINGS[kind]) or (known.settings if known else None)
            if not settings:
                raise _invalid(f"{_SETTINGS[kind]} is required for a policy of type {kind}.")
            if kind == "TargetTrackingScaling":
                _check_tracking(settings)
            identity = f"{self._ids.uuid()}:resource/sagemaker/{params['ResourceId']}:policyName/{name}"
            policy = Policy(
                name=name,
                arn=known.arn
                if known
                else self._arn(call, f"scalingPolicy:{identity}", service="autoscaling"),
                resource=params["ResourceId"],
                dimension=dimension,
                kind=kind,
                settings=settings,
                created=known.created if known else moment(self._world),
            )
            tables.policies.put(policy.arn, policy)
        return {"PolicyARN": policy.arn, "Alarms": []}

    def delete_scaling_policy(self, call: Call) -> dict[str, Any]:
        """Take a policy from its target."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            found = next((each for each in tables.policies if _same(each, call.params)), None)
            if found is None:
                raise AwsError(
                    "ObjectNotFoundException",
                    f"No scaling policy found for service namespace: sagemaker, resource ID: {call.params['ResourceId']}, "
                    f"scalable dimension: {call.params['ScalableDimension']}, policy name: {call.params['PolicyName']}",
                )
            tables.policies.delete(found.arn)
        return {}

    def describe_scaling_policies(self, call: Call) -> dict[str, Any]:
        """The region's policies."""
        params = call.params
        rows = Tables(self._world, call.region).policies.where(
            lambda each: (
                _in_scope(call, each.dimension)
                and params.get("ResourceId") in (None, each.resource)
                and (not params.get("PolicyNames") or each.name in params["PolicyNames"])
            )
        )
        return _page(call, rows, "ScalingPolicies", _policy_summary)

    def describe_scaling_activities(self, call: Call) -> dict[str, Any]:
        """What the policies did, newest first."""
        self._scaler.looked(call.region)
        rows = Tables(self._world, call.region).activities.where(
            lambda each: (
                _in_scope(call, each.dimension) and call.params.get("ResourceId") in (None, each.resource)
            )
        )
        return _page(call, rows[::-1], "ScalingActivities", _activity_summary)

    def _target(self, call: Call) -> Target:
        found = Tables(self._world, call.region).targets.get(_key(call.params))
        if found is None:
            raise AwsError(
                "ObjectNotFoundException",
                f"No scalable target registered for service namespace: sagemaker, resource ID: {call.params['ResourceId']}, "
                f"scalable dimension: {call.params['ScalableDimension']}",
            )
        return found

    def _may_be_zero(self, call: Call, resource: str) -> bool:
        """Inference components may, and variants of asynchronous endpoints."""
        return resource.startswith("inference-component/") or self._scaler.is_asynchronous(
            call.region, resource
        )

    def _arn(self, call: Call, resource: str, service: str = "application-autoscaling") -> str:
        return str(Arn(partition_of(call.region), service, call.region, call.account_id, resource))


def _check(params: Any) -> None:
    if params["ServiceNamespace"] != "sagemaker":
        raise _invalid(f"The local cloud scales sagemaker only, and not {params['ServiceNamespace']}.")
    prefix = _DIMENSIONS.get(params["ScalableDimension"])
    if prefix is None or not params["ResourceId"].startswith(prefix):
        raise _invalid(
            f"Unsupported service namespace, resource type or scalable dimension: {params['ResourceId']}, "
            f"{params['ScalableDimension']}."
        )


def _check_tracking(settings: Any) -> None:
    given = [
        name
        for name in ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
        if settings.get(name)
    ]
    if len(given) != 1:
        raise _invalid("A target tracking policy needs exactly one of a predefined and a customized metric.")
    if settings["TargetValue"] <= 0:
        raise _invalid("TargetValue must be above 0.")


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _key(params: Any) -> str:
    return f"{params['ResourceId']} {params['ScalableDimension']}"


def _same(policy: Policy, params: Any) -> bool:
    wanted = (params["PolicyName"], params["ResourceId"], params["ScalableDimension"])
    return (policy.name, policy.resource, policy.dimension) == wanted


def _in_scope(call: Call, dimension: str) -> bool:
    right = call.params["ServiceNamespace"] == "sagemaker"
    return right and call.params.get("ScalableDimension") in (None, dimension)


def _page(
    call: Call, rows: Sequence[Any], member: str, summary: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    page, token = paginate(
        rows,
        max_results=call.params.get("MaxResults"),
        next_token=call.params.get("NextToken"),
        default=_PAGE,
    )
    answer: dict[str, Any] = {member: [{"ServiceNamespace": "sagemaker", **summary(row)} for row in page]}
    return answer | ({"NextToken": token} if token else {})


def _target_summary(target: Target) -> dict[str, Any]:
    return {
        "ResourceId": target.resource,
        "ScalableDimension": target.dimension,
        "MinCapacity": target.least,
        "MaxCapacity": target.most,
        "RoleARN": target.role_arn,
        "CreationTime": target.created,
        "SuspendedState": {
            name: bool(target.suspended.get(name))
            for name in (
                "DynamicScalingInSuspended",
                "DynamicScalingOutSuspended",
                "ScheduledScalingSuspended",
            )
        },
        "ScalableTargetARN": target.arn,
    }


def _policy_summary(policy: Policy) -> dict[str, Any]:
    return {
        "PolicyARN": policy.arn,
        "PolicyName": policy.name,
        "ResourceId": policy.resource,
        "ScalableDimension": policy.dimension,
        "PolicyType": policy.kind,
        _SETTINGS[policy.kind]: policy.settings,
        "Alarms": [],
        "CreationTime": policy.created,
    }


def _activity_summary(activity: Activity) -> dict[str, Any]:
    what = "copy" if activity.resource.startswith("inference-component/") else "instance"
    return {
        "ActivityId": activity.identity,
        "ResourceId": activity.resource,
        "ScalableDimension": activity.dimension,
        "Description": f"Setting desired {what} count to {activity.after}.",
        "Cause": activity.cause,
        "StartTime": activity.at,
        "EndTime": activity.at,
        "StatusCode": "Successful",
        "StatusMessage": f"Successfully set desired {what} count to {activity.after}. Change successfully fulfilled by sagemaker.",
    }
