"""The operations on inference components: models that share an endpoint's instances, each in its number of copies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.clock import Phase
from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.sagemaker.hosting import HostingError
from bedrock_distill.local.services.sagemaker.listing import listed
from bedrock_distill.local.services.sagemaker.placing import Placing, no_capacity
from bedrock_distill.local.services.sagemaker.state import (
    Component,
    Endpoint,
    Tables,
    Variant,
    arn_of,
    exists_already,
    not_found,
    refused,
)
from bedrock_distill.local.services.sagemaker.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.clock import Phases
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.world import World

__all__ = ["InferenceComponents"]

_DELETING_S, _SCALING_S = 20.0, 60.0


class InferenceComponents:
    """Inference components."""

    def __init__(self, world: World, hosting: Hosting) -> None:
        self._world = world
        self._hosting = hosting
        self._placing = Placing(world, hosting)

    def create_inference_component(self, call: Call) -> dict[str, Any]:
        """Put copies of a model on an endpoint's instances."""
        params, tables = call.params, Tables(self._world, call.region)
        name = params["InferenceComponentName"]
        specification = _specification(params)
        copies = (params.get("RuntimeConfig") or {}).get("CopyCount", 1)
        if specification is None:
            raise refused("Exactly one of Specification and Specifications must be given.")
        if copies < 1:
            raise refused(
                "CopyCount must be at least 1 when an inference component is created; scale it to 0 later."
            )
        tags = read_tags(params.get("Tags"))
        with self._world.lock:
            endpoint, variant = self._place(call)
            if name in tables.components:
                raise exists_already(call, "inference-component", name)
            self._placing.check(call, endpoint, variant, specification)
            now = moment(self._world)
            component = Component(
                name=name,
                arn=arn_of(call, "inference-component", name),
                serial=tables.next_serial(),
                endpoint=endpoint.name,
                variant=variant.name,
                specification=specification,
                created=now,
                modified=now,
                desired=copies,
            )
            tables.tags.put(component.arn, tags)
            start = self._bring_up(call, component, "Creating")
        start()
        return {"InferenceComponentArn": component.arn}

    def describe_inference_component(self, call: Call) -> dict[str, Any]:
        """One inference component."""
        self._hosting.looked(call.region)
        passing = self._find(call).passing
        if passing is not None:
            passing.observe()
        component = self._find(call)
        endpoint = Tables(self._world, call.region).endpoints.get(component.endpoint)
        answer: dict[str, Any] = {
            "InferenceComponentName": component.name,
            "InferenceComponentArn": component.arn,
            "EndpointName": component.endpoint,
            "EndpointArn": endpoint.arn if endpoint else arn_of(call, "endpoint", component.endpoint),
            "VariantName": component.variant,
            "Specification": _summary_of(component),
            "RuntimeConfig": {"DesiredCopyCount": component.desired, "CurrentCopyCount": component.copies},
            "CreationTime": component.created,
            "LastModifiedTime": component.modified,
            "InferenceComponentStatus": component.status,
        }
        if component.failure:
            answer["FailureReason"] = component.failure[:1024]
        if component.deployment:
            answer["LastDeploymentConfig"] = component.deployment
        return answer

    def list_inference_components(self, call: Call) -> dict[str, Any]:
        """The region's inference components."""
        params = call.params
        rows = Tables(self._world, call.region).components.where(
            lambda each: (
                params.get("EndpointNameEquals") in (None, each.endpoint)
                and params.get("VariantNameEquals") in (None, each.variant)
            )
        )
        return listed(rows, params, member="InferenceComponents", summary=lambda each: self._row(call, each))

    def update_inference_component(self, call: Call) -> dict[str, Any]:
        """Another model, other resources, or another number of copies."""
        params = call.params
        with self._world.lock:
            component = self._settled(call)
            specification = _specification(params) or component.specification
            endpoint, variant = self._placing.running(call, component)
            self._placing.check(call, endpoint, variant, specification)
            changed = replace(
                component,
                specification=specification,
                desired=(params.get("RuntimeConfig") or {}).get("CopyCount", component.desired),
                deployment=params.get("DeploymentConfig"),
                failure="",
                modified=moment(self._world),
            )
            start = self._bring_up(call, changed, "Updating", before=component)
        start()
        return {"InferenceComponentArn": component.arn}

    def update_inference_component_runtime_config(self, call: Call) -> dict[str, Any]:
        """Another number of copies; 0 frees the instances."""
        with self._world.lock:
            component = self._settled(call)
            start = self.scale(call.region, component, call.params["DesiredRuntimeConfig"]["CopyCount"])
        start()
        return {"InferenceComponentArn": component.arn}

    def delete_inference_component(self, call: Call) -> dict[str, Any]:
        """Take an inference component off its endpoint."""
        with self._world.lock:
            component = self._settled(call, failed_too=True)
            tables = Tables(self._world, call.region)

            def done(phases: Phases) -> None:
                if phases.outcome != "running":
                    tables.components.delete(component.name)
                    tables.tags.delete(component.arn)
                self._hosting.unload_unused()

            passing = self._world.clock.phases([Phase("Deleting", lasts_s=_DELETING_S)], on_change=done)
            tables.components.put(component.name, replace(component, passing=passing))
        passing.start()
        return {}

    def scale(self, region: str, component: Component, copies: int) -> Callable[[], object]:
        """Bring a component to so many copies, as far as instances are left; returns what begins it."""
        tables = Tables(self._world, region)

        def done(phases: Phases) -> None:
            if phases.outcome == "done":
                endpoint = tables.endpoints.get(component.endpoint)
                room = self._placing.room(region, component, endpoint) if endpoint is not None else 0
                tables.components.update(
                    component.name,
                    lambda row: replace(
                        row,
                        copies=min(copies, room),
                        failure="" if copies <= room else no_capacity(component, copies, room),
                        modified=moment(self._world),
                    ),
                )
                self._placing.settle_instances(region, component.endpoint)

        passing = self._world.clock.phases([Phase("Updating", lasts_s=_SCALING_S)], on_change=done)
        tables.components.put(
            component.name,
            replace(component, desired=copies, passing=passing, modified=moment(self._world)),
        )
        return passing.start

    # What is behind it --------------------------------------------------------------------------------------------

    def _bring_up(
        self, call: Call, component: Component, state: str, before: Component | None = None
    ) -> Callable[[], object]:
        tables = Tables(self._world, call.region)

        def work() -> None:
            try:
                served = self._placing.start(call, component)
            except HostingError as error:
                reason = str(error)
                if before is not None:
                    kept = replace(before, failure=reason, modified=moment(self._world))
                    tables.components.update(component.name, lambda row: replace(kept, passing=row.passing))
                    return
                tables.components.update(component.name, lambda row: replace(row, failure=reason))
                raise
            tables.components.update(
                component.name,
                lambda row: replace(row, served=served, copies=row.desired, modified=moment(self._world)),
            )
            self._placing.settle_instances(call.region, component.endpoint)

        passing = self._world.clock.phases([Phase(state, work)])
        tables.components.put(component.name, replace(component, passing=passing))
        return passing.start

    def _place(self, call: Call) -> tuple[Endpoint, Variant]:
        tables = Tables(self._world, call.region)
        name = call.params["EndpointName"]
        endpoint = tables.endpoints.get(name)
        if endpoint is None:
            raise not_found(call, "endpoint", name)
        if endpoint.status != "InService":
            raise refused(
                f'Endpoint "{endpoint.name}" must be InService to take inference components; it is {endpoint.status}.'
            )
        wanted = call.params.get("VariantName") or endpoint.variants[0].name
        variant = endpoint.variant(wanted)
        if variant is None:
            raise refused(f'Could not find production variant "{wanted}" of endpoint "{endpoint.name}".')
        if variant.request.get("ModelName"):
            raise refused(
                f'Production variant "{wanted}" has a model of its own, and takes no inference components.'
            )
        return endpoint, variant

    def _find(self, call: Call) -> Component:
        name = call.params["InferenceComponentName"]
        found = Tables(self._world, call.region).components.get(name)
        if found is None:
            raise not_found(call, "inference-component", name)
        return found

    def _settled(self, call: Call, *, failed_too: bool = False) -> Component:
        component = self._find(call)
        if component.in_progress or (component.status == "Failed" and not failed_too):
            raise refused(
                f'Cannot update inference component "{component.arn}" while its status is {component.status}.'
            )
        return component

    def _row(self, call: Call, component: Component) -> dict[str, Any]:
        return {
            "InferenceComponentName": component.name,
            "InferenceComponentArn": component.arn,
            "EndpointName": component.endpoint,
            "EndpointArn": arn_of(call, "endpoint", component.endpoint),
            "VariantName": component.variant,
            "CreationTime": component.created,
            "LastModifiedTime": component.modified,
            "InferenceComponentStatus": component.status,
        }


def _specification(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one specification; of a list for several instance types, the first."""
    several = params.get("Specifications")
    one: Mapping[str, Any] | None = params.get("Specification")
    if several and one:
        return None
    return several[0] if several else one


def _summary_of(component: Component) -> dict[str, Any]:
    summary = dict(component.specification)
    if container := summary.get("Container"):
        shown = {name: value for name, value in container.items() if name != "Image"}
        image = container.get("Image")
        if image:
            shown["DeployedImage"] = {
                "SpecifiedImage": image,
                "ResolvedImage": image,
                "ResolutionTime": component.created,
            }
        summary["Container"] = shown
    return summary
