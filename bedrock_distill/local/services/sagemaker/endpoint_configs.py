"""CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs and DeleteEndpointConfig."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.sagemaker.access import Access
from bedrock_distill.local.services.sagemaker.listing import listed
from bedrock_distill.local.services.sagemaker.state import (
    EndpointConfig,
    Tables,
    arn_of,
    exists_already,
    not_found,
    refused,
)
from bedrock_distill.local.services.sagemaker.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["EndpointConfigs"]

_ECHOED = (
    "ProductionVariants",
    "DataCaptureConfig",
    "KmsKeyId",
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
    "MetricsConfig",
)


class EndpointConfigs:
    """Endpoint configurations."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_endpoint_config(self, call: Call) -> dict[str, Any]:
        """Remember what an endpoint is to run."""
        params, tables = call.params, Tables(self._world, call.region)
        name = params["EndpointConfigName"]
        tags = read_tags(params.get("Tags"))
        self._check(call)
        with self._world.lock:
            if name in tables.configs:
                raise exists_already(call, "endpoint-config", name)
            config = EndpointConfig(
                name=name,
                arn=arn_of(call, "endpoint-config", name),
                serial=tables.next_serial(),
                request=dict(params),
                created=moment(self._world),
            )
            tables.configs.put(name, config)
            tables.tags.put(config.arn, tags)
        return {"EndpointConfigArn": config.arn}

    def describe_endpoint_config(self, call: Call) -> dict[str, Any]:
        """One endpoint configuration."""
        config = self._find(call)
        answer: dict[str, Any] = {
            "EndpointConfigName": config.name,
            "EndpointConfigArn": config.arn,
            "CreationTime": config.created,
        }
        return answer | {
            name: config.request[name] for name in _ECHOED if config.request.get(name) is not None
        }

    def list_endpoint_configs(self, call: Call) -> dict[str, Any]:
        """The region's endpoint configurations."""
        return listed(
            Tables(self._world, call.region).configs.values(),
            call.params,
            member="EndpointConfigs",
            summary=lambda config: {
                "EndpointConfigName": config.name,
                "EndpointConfigArn": config.arn,
                "CreationTime": config.created,
            },
        )

    def delete_endpoint_config(self, call: Call) -> dict[str, Any]:
        """Forget an endpoint configuration that no endpoint uses."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            config = self._find(call)
            users = tables.endpoints.where(
                lambda each: (
                    each.status != "Deleting"
                    and config.arn in (each.config.arn, each.target and each.target.arn)
                )
            )
            if users:
                raise refused(
                    f'Cannot delete endpoint configuration "{config.arn}" while endpoint "{users[0].name}" uses it.'
                )
            tables.configs.delete(config.name)
            tables.tags.delete(config.arn)
        return {}

    def _find(self, call: Call) -> EndpointConfig:
        name = call.params["EndpointConfigName"]
        found = Tables(self._world, call.region).configs.get(name)
        if found is None:
            raise not_found(call, "endpoint-config", name)
        return found

    def _check(self, call: Call) -> None:
        params, tables = call.params, Tables(self._world, call.region)
        variants = params["ProductionVariants"]
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) < len(names):
            raise refused(f"Production variant names must be unique; these are not: {', '.join(names)}.")
        if params.get("ShadowProductionVariants"):
            raise refused("The local cloud has no shadow variants.")
        for variant in variants:
            model = variant.get("ModelName")
            if model is not None and model not in tables.models:
                raise not_found(call, "model", model)
            _check_variant(variant)
        without_model = [variant for variant in variants if not variant.get("ModelName")]
        if without_model and len(without_model) < len(variants):
            raise refused(
                "Either every production variant names a model, or none does (inference components)."
            )
        if without_model and not params.get("ExecutionRoleArn"):
            raise refused(
                "ExecutionRoleArn is required for an endpoint configuration whose production variants have no ModelName."
            )
        if not without_model and params.get("ExecutionRoleArn"):
            raise refused("ExecutionRoleArn is only for production variants without a ModelName.")
        if role := params.get("ExecutionRoleArn"):
            Access(self._world, call.region, call.account_id).role(role)


def _check_variant(variant: Mapping[str, Any]) -> None:
    """Refuse a variant that AWS refuses.

    Raises:
        AwsError: ValidationException.
    """
    name = variant["VariantName"]
    if variant.get("ServerlessConfig"):
        raise refused(f"The local cloud has no serverless variants, and {name} is one.")
    if bool(variant.get("InstanceType")) == bool(variant.get("InstancePools")):
        raise refused(f"Production variant {name} needs exactly one of InstanceType and InstancePools.")
    if not variant.get("InitialInstanceCount"):
        raise refused(f"Production variant {name} needs an InitialInstanceCount of at least 1.")
    scaling = variant.get("ManagedInstanceScaling") or {}
    least, most = scaling.get("MinInstanceCount"), scaling.get("MaxInstanceCount")
    if scaling and variant.get("ModelName"):
        raise refused(
            f"ManagedInstanceScaling of {name} is only for variants without a ModelName (inference components)."
        )
    if least is not None and most is not None and least > most:
        raise refused(f"MinInstanceCount {least} of {name} is above its MaxInstanceCount {most}.")
    if most is not None and variant["InitialInstanceCount"] > most:
        raise refused(f"InitialInstanceCount of {name} is above its MaxInstanceCount {most}.")
