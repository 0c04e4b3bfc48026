"""The `sagemaker` service: models, endpoint configurations, endpoints and inference components, with real models behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.sagemaker.components import InferenceComponents
from bedrock_distill.local.services.sagemaker.endpoint_configs import EndpointConfigs
from bedrock_distill.local.services.sagemaker.endpoints import Endpoints
from bedrock_distill.local.services.sagemaker.models import Models
from bedrock_distill.local.services.sagemaker.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.world import World

__all__ = ["SageMaker"]

_NOT_OPERATIONS = frozenset({"scale"})


class SageMaker:
    """Every operation of `sagemaker` that the local cloud has, as a method; one that is missing here it has not.

    Args:
        world: The cloud.
        hosting: What this service shares with the runtime.
    """

    def __init__(self, world: World, hosting: Hosting) -> None:
        self.components = InferenceComponents(world, hosting)
        self.endpoints = Endpoints(world, hosting)
        nouns = (Models(world), EndpointConfigs(world), self.endpoints, self.components, Tags(world))
        self._operations: dict[str, Callable[[Call], dict[str, Any]]] = {
            name: getattr(noun, name)
            for noun in nouns
            for name in vars(type(noun))
            if not name.startswith("_") and name not in _NOT_OPERATIONS
        }

    def __getattr__(self, name: str) -> Callable[[Call], dict[str, Any]]:
        """The operation of this name, of whichever noun has it."""
        try:
            return self.__dict__["_operations"][name]  # type: ignore[no-any-return] # filled in __init__, and so named
        except KeyError:
            raise AttributeError(f"The local cloud's sagemaker has no operation {name!r}.") from None

    def __dir__(self) -> list[str]:
        """The operations, beside what every object has."""
        return sorted([*super().__dir__(), *self._operations])
