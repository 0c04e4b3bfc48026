"""The requests to SageMaker. Pure: a spec and what was found in, boto3's parameters out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import fingerprint_of
from bedrock_distill.resources.spec import plan_tags

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.models import ModelShape
    from bedrock_distill.resources.endpoint.choosing import Place
    from bedrock_distill.resources.endpoint.spec import Endpoint
    from bedrock_distill.uris import S3Uri

__all__ = ["VARIANT", "Parts", "Requests", "requests_for"]

VARIANT = "AllTraffic"
"""The one variant an endpoint has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What requests are made of, beside the spec."""

    shape: ModelShape | None
    """The model's numbers, or None where its files do not tell."""
    model_uri: S3Uri
    image: str
    """URI of the container's image."""
    ami: str | None
    """The host's image, or None for SageMaker's own on."""
    role_arn: str
    place: Place
    catalog: Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What SageMaker is asked. Model and config are named after their content: the same again is the same, and is found."""

    model: dict[str, Any]
    config: dict[str, Any]
    endpoint: dict[str, Any]
    component: dict[str, Any] | None
    """The inference component, where there is one."""
    deployment: dict[str, Any] | None
    """How an update is rolled out; None for SageMaker's own way."""


def requests_for(spec: Endpoint, parts: Parts) -> Requests:
    """Every request of an endpoint.

    Raises:
        SpecError: If the container's settings make an environment that SageMaker would refuse.
    """
    # The plan's fingerprint is no part of these tags: it would give the same model another name in every plan.
    tags = [
        {"Key": tag["key"], "Value": tag["value"]}
        for tag in plan_tags(spec.name, "", spec.tags)
        if tag["value"]
    ]
    model = _model(spec, parts)
    model_name = f"{spec.name}-{fingerprint_of(model)[:8]}"
    config = _config(spec, parts, model_name)
    config_name = f"{spec.name}-{fingerprint_of(config)[:8]}"
    endpoint = {"EndpointName": spec.name, "EndpointConfigName": config_name, "Tags": tags}
    return Requests(
        model={"ModelName": model_name, **model, "Tags": tags},
        config={"EndpointConfigName": config_name, **config, "Tags": tags},
        endpoint=endpoint,
        component=_component(spec, parts, model_name) | {"Tags": tags} if spec.component else None,
        deployment=_deployment(spec),
    )


def _model(spec: Endpoint, parts: Parts) -> dict[str, Any]:
    request: dict[str, Any] = {
        "PrimaryContainer": {
            "Image": parts.image,
            "ModelDataSource": {
                "S3DataSource": {
                    "S3Uri": str(parts.model_uri.as_prefix),
                    "S3DataType": "S3Prefix",
                    "CompressionType": "None",
                }
            },
            "Environment": spec.container.environment(
                parts.shape,
                tensor_parallel=parts.place.tensor_parallel,
                network_isolation=spec.network_isolation,
                catalog=parts.catalog,
            ),
        },
        "ExecutionRoleArn": parts.role_arn,
        "EnableNetworkIsolation": spec.network_isolation,
    }
    if spec.vpc:
        request["VpcConfig"] = {
            "SecurityGroupIds": list(spec.vpc.security_group_ids),
            "Subnets": list(spec.vpc.subnet_ids),
        }
    return request


def _startup(spec: Endpoint, shape: ModelShape | None) -> dict[str, int]:
    """How long the model may take to arrive and to load."""
    times = spec.container.timeouts(shape.weight_bytes if shape else 0)
    return {
        "ModelDataDownloadTimeoutInSeconds": spec.download_timeout_s or times.download_s,
        "ContainerStartupHealthCheckTimeoutInSeconds": spec.startup_timeout_s or times.startup_s,
    }


def _config(spec: Endpoint, parts: Parts, model_name: str) -> dict[str, Any]:
    variant: dict[str, Any] = {
        "VariantName": VARIANT,
        "InstanceType": parts.place.instance,
        "InitialInstanceCount": spec.instances,
        # Answers differ much in length: the instance with the least to do is not the next in turn.
        "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        **_startup(spec, parts.shape),
    }
    if parts.ami:
        variant["InferenceAmiVersion"] = parts.ami
    request: dict[str, Any] = {"ProductionVariants": [variant]}
    if spec.component and spec.scaling is not None:
        variant["ManagedInstanceScaling"] = {
            "Status": "ENABLED",
            "MinInstanceCount": 0,
            "MaxInstanceCount": spec.scaling.maximum,
        }
        # An endpoint of inference components has a role of its own, and names its models later.
        request |= {"ExecutionRoleArn": parts.role_arn, "EnableNetworkIsolation": spec.network_isolation}
        if spec.vpc:
            request["VpcConfig"] = {
                "SecurityGroupIds": list(spec.vpc.security_group_ids),
                "Subnets": list(spec.vpc.subnet_ids),
            }
    else:
        variant |= {"ModelName": model_name, "InitialVariantWeight": 1.0}
    if spec.kms_key:
        request["KmsKeyId"] = spec.kms_key
    if spec.asynchronous is not None:
        request["AsyncInferenceConfig"] = _asynchronous(spec)
    return request


def _asynchronous(spec: Endpoint) -> dict[str, Any]:
    wanted = spec.asynchronous
    assert wanted is not None  # noqa: S101 - asked for only where there is one
    topics = {"SuccessTopic": wanted.success_topic, "ErrorTopic": wanted.error_topic}
    output: dict[str, Any] = {
        "S3OutputPath": wanted.output,
        "S3FailurePath": wanted.failures or f"{wanted.output}failures/",
    }
    told = {name: arn for name, arn in topics.items() if arn}
    if told:
        output["NotificationConfig"] = told
    return {
        "OutputConfig": output,
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": min(1000, spec.container.concurrency)},
    }


def _component(spec: Endpoint, parts: Parts, model_name: str) -> dict[str, Any]:
    """One copy of the model as an inference component. A copy takes as many GPUs as its parts are split over."""
    shape, on = parts.shape, parts.place
    # Asked of the host: what loading needs, and never more than an instance can promise beside what runs there.
    weights_mib = (shape.weight_bytes if shape else 0) >> 20
    share = max(1, on.gpus // on.tensor_parallel)
    ceiling = int(on.host_mib * 0.8) // share if on.host_mib else weights_mib
    return {
        "InferenceComponentName": spec.name,
        "EndpointName": spec.name,
        "VariantName": VARIANT,
        "Specification": {
            "ModelName": model_name,
            "StartupParameters": _startup(spec, shape),
            "ComputeResourceRequirements": {
                "NumberOfAcceleratorDevicesRequired": on.tensor_parallel,
                "MinMemoryRequiredInMb": max(1024, min(weights_mib, ceiling)),
            },
        },
        # SageMaker refuses a component without a copy; scaling takes it away when nobody asks.
        "RuntimeConfig": {"CopyCount": 1},
    }


def _deployment(spec: Endpoint) -> dict[str, Any] | None:
    rollout = spec.rollout
    if rollout is None:
        return None
    deployment: dict[str, Any] = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": rollout.batch_percent},
            "WaitIntervalInSeconds": rollout.wait_s,
        }
    }
    if rollout.alarms:
        deployment["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in rollout.alarms]}
    return deployment
