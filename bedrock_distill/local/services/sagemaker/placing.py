"""Where an inference component's copies find room, what is refused, and their container's start."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.sagemaker.access import Access, source_of
from bedrock_distill.local.services.sagemaker.alarms import first_in_alarm
from bedrock_distill.local.services.sagemaker.hosting import HostingError, Order
from bedrock_distill.local.services.sagemaker.models import check_container
from bedrock_distill.local.services.sagemaker.state import (
    Component,
    Endpoint,
    Tables,
    Variant,
    container_of,
    not_found,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.catalog.serving import Instance
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.services.sagemaker.state import Served
    from bedrock_distill.local.world import World

__all__ = ["Placing", "no_capacity"]


class Placing:
    """Places inference components on the instances of their variant."""

    def __init__(self, world: World, hosting: Hosting) -> None:
        self._world = world
        self._hosting = hosting

    def start(self, call: Call, component: Component) -> Served:
        """Start a component's container where there is room for its copies.

        Raises:
            HostingError: If it does not start, there is no room, or a rollback alarm is up.
        """
        if name := first_in_alarm(self._world, call.region, component.deployment):
            raise HostingError(f"Alarm {name} is in ALARM state; the update was rolled back.")
        served = self._started(call, component)
        endpoint, _ = self.running(call, component)
        room = self.room(call.region, component, endpoint)
        if component.desired > room:
            raise HostingError(no_capacity(component, component.desired, room))
        return served

    def _started(self, call: Call, component: Component) -> Served:
        endpoint, variant = self.running(call, component)
        specification = component.specification
        role = endpoint.config.request["ExecutionRoleArn"]
        if base := specification.get("BaseInferenceComponentName"):
            found = Tables(self._world, call.region).components.get(base)
            if found is None or found.served is None:
                raise HostingError(f"The base inference component {base} does not run.")
            return found.served
        if name := specification.get("ModelName"):
            model = Tables(self._world, call.region).models.get(name)
            if model is None:
                raise HostingError(f'Could not find model "{name}": it was deleted.')
            container, role = container_of(model), model.request["ExecutionRoleArn"]
        else:
            container = _container(specification["Container"])
        startup = specification.get("StartupParameters") or {}
        return self._hosting.start(
            Order(
                endpoint=endpoint.name,
                variant=variant.name,
                container=container,
                role_arn=role,
                settings={**variant.request, "InstanceType": variant.instance_type, **startup},
                region=call.region,
                account_id=call.account_id,
                accelerators=int(_accelerators(component)) or None,
            )
        )

    def check(
        self, call: Call, endpoint: Endpoint, variant: Variant, specification: Mapping[str, Any]
    ) -> None:
        """Refuse what AWS refuses when a component is created or updated.

        Raises:
            AwsError: ValidationException.
        """
        tables = Tables(self._world, call.region)
        given = [
            part
            for part in ("ModelName", "Container", "BaseInferenceComponentName")
            if specification.get(part)
        ]
        if len(given) != 1 and given != ["Container", "BaseInferenceComponentName"]:
            raise refused(
                "A specification names exactly one of ModelName, Container and BaseInferenceComponentName."
            )
        name = specification.get("ModelName")
        if name is not None and name not in tables.models:
            raise not_found(call, "model", name)
        if specification.get("BaseInferenceComponentName"):
            return
        if container := specification.get("Container"):
            definition = _container(container)
            check_container(definition)
            source = source_of(definition)
            if source is not None:
                access = Access(self._world, call.region, call.account_id)
                access.readable(access.role(endpoint.config.request["ExecutionRoleArn"]), source)
        needs = specification.get("ComputeResourceRequirements")
        if not needs:
            raise refused("ComputeResourceRequirements is required.")
        instance = self._instance(variant)
        accelerators = needs.get("NumberOfAcceleratorDevicesRequired", 0)
        if instance is not None and accelerators > instance.gpus:
            raise refused(
                f"The inference component needs {accelerators:g} accelerator devices, and {instance.name} has {instance.gpus}."
            )
        if instance is not None and needs["MinMemoryRequiredInMb"] > instance.memory_mib:
            raise refused(
                f"The inference component needs {needs['MinMemoryRequiredInMb']} MB of memory, and {instance.name} has "
                f"{instance.memory_mib}."
            )

    def room(self, region: str, component: Component, endpoint: Endpoint) -> int:
        """Copies that fit on the instances which the variant has or may add, beside the other components."""
        variant = endpoint.variant(component.variant)
        if variant is None:
            return 0
        scaling = variant.request.get("ManagedInstanceScaling") or {}
        instances = max(int(scaling.get("MaxInstanceCount", 0)), variant.instances)
        instance = self._instance(variant)
        wanted = _accelerators(component)
        if instance is None or wanted == 0:
            return instances
        others = Tables(self._world, region).components.where(
            lambda each: each.endpoint == endpoint.name and each.name != component.name
        )
        taken = sum(each.copies * _accelerators(each) for each in others)
        # A copy does not reach over two instances.
        return max(0, instances * int(instance.gpus // wanted) - ceil(taken / wanted))

    def settle_instances(self, region: str, name: str) -> None:
        """Bring a variant with managed instance scaling to the instances that its components' copies need."""
        tables = Tables(self._world, region)
        endpoint = tables.endpoints.get(name)
        if endpoint is None:
            return
        parts = tables.components.where(lambda each: each.endpoint == name)
        variants = tuple(self._sized(variant, parts) for variant in endpoint.variants)
        tables.endpoints.update(name, lambda row: replace(row, variants=variants))

    def _sized(self, variant: Variant, parts: list[Component]) -> Variant:
        scaling = variant.request.get("ManagedInstanceScaling") or {}
        instance = self._instance(variant)
        if scaling.get("Status") != "ENABLED" or instance is None:
            return variant
        taken = sum(each.copies * _accelerators(each) for each in parts if each.variant == variant.name)
        least = scaling.get("MinInstanceCount", 1)
        most = scaling.get("MaxInstanceCount", max(variant.instances, 1))
        return replace(variant, instances=min(max(ceil(taken / instance.gpus), least), most))

    def _instance(self, variant: Variant) -> Instance | None:
        rows = self._world.catalog.instances
        return next((row for row in rows if row.name == variant.instance_type), None)

    def running(self, call: Call, component: Component) -> tuple[Endpoint, Variant]:
        """The endpoint and the variant that a component belongs to.

        Raises:
            HostingError: If they are gone.
        """
        endpoint = Tables(self._world, call.region).endpoints.get(component.endpoint)
        variant = endpoint.variant(component.variant) if endpoint is not None else None
        if endpoint is None or variant is None:
            raise HostingError(f'Could not find endpoint "{component.endpoint}".')
        return endpoint, variant


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    """A component's container, in the words of CreateModel: its artefacts are a prefix, or an archive."""
    definition = {"Image": container.get("Image"), "Environment": container.get("Environment") or {}}
    if url := container.get("ArtifactUrl"):
        packed = url.endswith((".tar.gz", ".tgz"))
        data = {
            "S3Uri": url,
            "S3DataType": "S3Object" if packed else "S3Prefix",
            "CompressionType": "Gzip" if packed else "None",
        }
        definition["ModelDataSource"] = {"S3DataSource": data}
    return definition


def _accelerators(component: Component) -> float:
    needs = component.specification.get("ComputeResourceRequirements") or {}
    return float(needs.get("NumberOfAcceleratorDevicesRequired") or 0)


def no_capacity(component: Component, wanted: int, room: int) -> str:
    """Why not all copies that are wanted run."""
    return (
        f"There is not enough hardware resources on the instances to create {wanted} copies of inference component "
        f"{component.name}: {room} fit. Check the compute resource requirements, or scale out the variant."
    )
