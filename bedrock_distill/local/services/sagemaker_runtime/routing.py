"""Who answers a request: the endpoint's variant, or one of its inference components."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.sagemaker.state import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.sagemaker.state import Component, Endpoint, Served, Variant
    from bedrock_distill.local.world import World

__all__ = ["NO_CAPACITY", "Place", "find_endpoint", "invalid", "route"]

_SERVING = ("InService", "Updating", "RollingBack", "UpdateRollbackFailed")

NO_CAPACITY = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if configured) "
    "or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who answers a request."""

    endpoint: Endpoint
    variant: Variant
    served: Served | None
    """None where there is no copy left to answer."""
    component: Component | None = None

    @property
    def counters(self) -> tuple[str, ...]:
        """The names under which the request counts as under way."""
        names = [f"endpoint/{self.endpoint.name}/variant/{self.variant.name}"]
        if self.component is not None:
            names.append(f"inference-component/{self.component.name}")
        return tuple(names)

    @property
    def async_config(self) -> Mapping[str, Any] | None:
        """The endpoint's asynchronous configuration, if it has one."""
        found: Mapping[str, Any] | None = self.endpoint.config.request.get("AsyncInferenceConfig")
        return found


def invalid(message: str) -> AwsError:
    """The runtime's own name for a refusal."""
    return AwsError("ValidationError", message)


def find_endpoint(world: World, call: Call) -> Endpoint:
    """The endpoint, if it serves.

    Raises:
        AwsError: ValidationError.
    """
    name = call.params["EndpointName"]
    found = Tables(world, call.region).endpoints.get(name)
    if found is None:
        raise invalid(f"Endpoint {name} of account {call.account_id} not found.")
    if found.status not in _SERVING or not found.variants:
        raise invalid(
            f"Endpoint {name} of account {call.account_id} not found. (Its status is {found.status}, not InService.)"
        )
    return found


def route(world: World, call: Call) -> Place:
    """Who answers.

    Raises:
        AwsError: ValidationError where nobody can.
    """
    endpoint = find_endpoint(world, call)
    name = call.params.get("InferenceComponentName")
    if all(variant.served is not None for variant in endpoint.variants):
        if name:
            raise invalid(f"Endpoint {endpoint.name} has no inference components, and {name} was asked for.")
        variant = _variant(endpoint, call)
        return Place(endpoint=endpoint, variant=variant, served=variant.served)
    if not name:
        raise invalid(
            "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
            "Please include Inference Component Name header or consider using SageMaker models."
        )
    component = Tables(world, call.region).components.get(name)
    if component is None or component.endpoint != endpoint.name:
        raise invalid(f"Inference Component {name} not found at endpoint {endpoint.name}.")
    variant_of = endpoint.variant(component.variant)
    if variant_of is None or component.status in ("Creating", "Failed", "Deleting"):
        raise invalid(f"Inference Component {name} is not in service: its status is {component.status}.")
    served = component.served if component.copies > 0 else None
    return Place(endpoint=endpoint, variant=variant_of, served=served, component=component)


def _variant(endpoint: Endpoint, call: Call) -> Variant:
    wanted = call.params.get("TargetVariant")
    if wanted:
        found = endpoint.variant(wanted)
        if found is None:
            raise invalid(f"Variant {wanted} not found at endpoint {endpoint.name}.")
        return found
    weights = [variant.weight for variant in endpoint.variants]
    if not any(weights):
        raise invalid(
            f"No variant of endpoint {endpoint.name} has a weight above 0; name one with TargetVariant."
        )
    dice = random.Random(call.request_id)  # noqa: S311 - traffic, not secrets
    return dice.choices(endpoint.variants, weights)[0]
