"""The operations on endpoints; what goes on between two states is in `deploying`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.sagemaker.deploying import Deploying
from bedrock_distill.local.services.sagemaker.listing import listed
from bedrock_distill.local.services.sagemaker.state import (
    Endpoint,
    EndpointConfig,
    Tables,
    Variant,
    arn_of,
    container_of,
    exists_already,
    not_found,
    refused,
)
from bedrock_distill.local.services.sagemaker.tags import read_tags

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.world import World

__all__ = ["Endpoints"]

_ENDED_ILL = ("Failed", "UpdateRollbackFailed")


class Endpoints:
    """Endpoints."""

    def __init__(self, world: World, hosting: Hosting) -> None:
        self._world = world
        self._hosting = hosting
        self.deploying = Deploying(world, hosting)

    def create_endpoint(self, call: Call) -> dict[str, Any]:
        """Bring up what a configuration names."""
        params, tables = call.params, Tables(self._world, call.region)
        name = params["EndpointName"]
        tags = read_tags(params.get("Tags"))
        with self._world.lock:
            config = self._config(call)
            if name in tables.endpoints:
                raise exists_already(call, "endpoint", name)
            now = moment(self._world)
            endpoint = Endpoint(
                name=name,
                arn=arn_of(call, "endpoint", name),
                serial=tables.next_serial(),
                region=call.region,
                created=now,
                modified=now,
                config=config,
                deployment=params.get("DeploymentConfig"),
            )
            tables.tags.put(endpoint.arn, tags)
            start = self.deploying.create(endpoint, call.account_id)
        start()
        return {"EndpointArn": endpoint.arn}

    def describe_endpoint(self, call: Call) -> dict[str, Any]:
        """One endpoint; a look moves it on where the clock counts looks."""
        self._hosting.looked(call.region)
        endpoint = self._look(call)
        answer: dict[str, Any] = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.config.name,
            "EndpointStatus": endpoint.status,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
        }
        if endpoint.variants:
            answer["ProductionVariants"] = [self._variant(call, each) for each in endpoint.variants]
        if endpoint.failure:
            answer["FailureReason"] = endpoint.failure[:1024]
        if endpoint.deployment:
            answer["LastDeploymentConfig"] = endpoint.deployment
        if endpoint.target is not None and endpoint.status == "Updating":
            answer["PendingDeploymentSummary"] = {
                "EndpointConfigName": endpoint.target.name,
                "StartTime": endpoint.modified,
            }
        for echoed in ("AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig"):
            if endpoint.config.request.get(echoed):
                answer[echoed] = endpoint.config.request[echoed]
        return answer

    def list_endpoints(self, call: Call) -> dict[str, Any]:
        """The region's endpoints."""
        return listed(
            Tables(self._world, call.region).endpoints.values(),
            call.params,
            member="Endpoints",
            summary=lambda each: {
                "EndpointName": each.name,
                "EndpointArn": each.arn,
                "CreationTime": each.created,
                "LastModifiedTime": each.modified,
                "EndpointStatus": each.status,
            },
        )

    def update_endpoint(self, call: Call) -> dict[str, Any]:
        """Put another configuration behind an endpoint; the old one answers until the new one is healthy."""
        with self._world.lock:
            endpoint = self._settled(call)
            target = self._config(call)
            retained = _retained(call, endpoint) if call.params.get("RetainAllVariantProperties") else {}
            changed = replace(
                endpoint,
                target=target,
                deployment=call.params.get("DeploymentConfig"),
                failure="",
                modified=moment(self._world),
            )
            start = self.deploying.update(changed, call.account_id, retained)
        start()
        return {"EndpointArn": endpoint.arn}

    def update_endpoint_weights_and_capacities(self, call: Call) -> dict[str, Any]:
        """Change the traffic and the instances of variants."""
        with self._world.lock:
            endpoint = self._settled(call)
            desired = {each["VariantName"]: each for each in call.params["DesiredWeightsAndCapacities"]}
            missing = sorted(set(desired) - {variant.name for variant in endpoint.variants})
            if missing:
                raise refused(
                    f'Could not find production variant "{missing[0]}" of endpoint "{endpoint.name}".'
                )
            variants = tuple(
                replace(
                    variant,
                    weight=desired.get(variant.name, {}).get("DesiredWeight", variant.weight),
                    instances=desired.get(variant.name, {}).get("DesiredInstanceCount", variant.instances),
                )
                for variant in endpoint.variants
            )
            changed = replace(endpoint, modified=moment(self._world), failure="")
            start = self.deploying.resize(changed, variants)
        start()
        return {"EndpointArn": endpoint.arn}

    def delete_endpoint(self, call: Call) -> dict[str, Any]:
        """Take an endpoint down. One that is being created or updated cannot be: wait, or let it fail."""
        with self._world.lock:
            endpoint = self._find(call)
            if endpoint.in_progress:
                raise refused(f'Cannot update in-progress endpoint "{endpoint.arn}".')
            tables = Tables(self._world, call.region)
            if parts := tables.components.where(lambda each: each.endpoint == endpoint.name):
                names = ", ".join(part.name for part in parts)
                raise refused(
                    f'Cannot delete endpoint "{endpoint.arn}" with inference components: {names}. Delete them first.'
                )
            start = self.deploying.delete(endpoint)
        start()
        return {}

    def _find(self, call: Call) -> Endpoint:
        name = call.params["EndpointName"]
        found = Tables(self._world, call.region).endpoints.get(name)
        if found is None:
            raise not_found(call, "endpoint", name)
        return found

    def _look(self, call: Call) -> Endpoint:
        passing = self._find(call).passing
        if passing is not None:
            passing.observe()
        return self._find(call)

    def _settled(self, call: Call) -> Endpoint:
        endpoint = self._find(call)
        if endpoint.in_progress or endpoint.status in _ENDED_ILL:
            raise refused(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        return endpoint

    def _config(self, call: Call) -> EndpointConfig:
        name = call.params["EndpointConfigName"]
        found = Tables(self._world, call.region).configs.get(name)
        if found is None:
            raise not_found(call, "endpoint-config", name)
        return found

    def _variant(self, call: Call, variant: Variant) -> dict[str, Any]:
        summary: dict[str, Any] = {
            "VariantName": variant.name,
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.weight,
            "CurrentInstanceCount": variant.instances,
            "DesiredInstanceCount": variant.instances,
        }
        model = Tables(self._world, call.region).models.get(variant.request.get("ModelName", ""))
        if model is not None:
            image = container_of(model)["Image"]
            summary["DeployedImages"] = [
                {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": variant.started}
            ]
        for echoed in ("ManagedInstanceScaling", "RoutingConfig"):
            if variant.request.get(echoed):
                summary[echoed] = variant.request[echoed]
        return summary


def _retained(call: Call, endpoint: Endpoint) -> dict[str, dict[str, Any]]:
    """Weights and instance counts that the variants keep, by variant, minus what is excluded."""
    excluded = {
        each["VariantPropertyType"] for each in call.params.get("ExcludeRetainedVariantProperties") or ()
    }
    kept = {"DesiredWeight": "weight", "DesiredInstanceCount": "instances"}
    return {
        variant.name: {
            field: getattr(variant, field) for property_, field in kept.items() if property_ not in excluded
        }
        for variant in endpoint.variants
    }
