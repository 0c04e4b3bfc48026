"""What SageMaker remembers: models, endpoint configurations, endpoints with what they serve, inference components, tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.uris import Arn, partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.clock import Phases
    from bedrock_distill.local.services.sagemaker.containers.launch import Launch
    from bedrock_distill.local.store import Table
    from bedrock_distill.local.world import World

__all__ = [
    "Component",
    "Endpoint",
    "EndpointConfig",
    "Model",
    "Served",
    "Tables",
    "Variant",
    "arn_of",
    "container_of",
    "exists_already",
    "not_found",
    "refused",
    "served_in",
]

Kind = Literal["model", "endpoint-config", "endpoint", "inference-component"]

_WORDS: dict[Kind, str] = {
    "model": "model",
    "endpoint-config": "endpoint configuration",
    "endpoint": "endpoint",
    "inference-component": "inference component",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A container that runs: which files it serves, and how it was started."""

    directory: Path
    launch: Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model: an image, its environment, and where its files lie."""

    name: str
    arn: str
    serial: int
    request: Mapping[str, Any]
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """An endpoint configuration."""

    name: str
    arn: str
    serial: int
    request: Mapping[str, Any]
    created: datetime

    @property
    def variants(self) -> list[Mapping[str, Any]]:
        """Its production variants, as they were given."""
        return list(self.request["ProductionVariants"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A production variant that an endpoint runs."""

    request: Mapping[str, Any]
    """As the endpoint configuration has it."""
    served: Served | None
    """Its container; None where inference components bring theirs."""
    weight: float
    instances: int
    started: datetime

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.request["VariantName"])

    @property
    def instance_type(self) -> str:
        """Its instance type; of instance pools, the first."""
        pools = self.request.get("InstancePools") or [{}]
        return str(self.request.get("InstanceType") or pools[0].get("InstanceType", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint."""

    name: str
    arn: str
    serial: int
    region: str
    created: datetime
    modified: datetime
    config: EndpointConfig
    """What it serves, or, before it has served anything, what it is made with."""
    variants: tuple[Variant, ...] = ()
    """What runs. Empty while it is created and after that failed."""
    target: EndpointConfig | None = None
    """What an update under way leads to."""
    deployment: Mapping[str, Any] | None = None
    """The last update's deployment configuration."""
    settled: str = "InService"
    """Its status when nothing is under way and nothing failed."""
    failure: str = ""
    passing: Phases | None = field(default=None, repr=False)

    @property
    def status(self) -> str:
        """The status, as AWS names it."""
        if self.passing is not None:
            if self.passing.current is not None:
                return self.passing.current
            if self.passing.outcome != "done":
                return "Failed"
        return self.settled

    @property
    def in_progress(self) -> bool:
        """Whether something is under way."""
        return self.passing is not None and self.passing.outcome == "running"

    def variant(self, name: str) -> Variant | None:
        """A running variant."""
        return next((each for each in self.variants if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """An inference component: a model with a share of an endpoint's instances."""

    name: str
    arn: str
    serial: int
    endpoint: str
    variant: str
    specification: Mapping[str, Any]
    created: datetime
    modified: datetime
    desired: int
    copies: int = 0
    """Copies that run."""
    served: Served | None = None
    deployment: Mapping[str, Any] | None = None
    failure: str = ""
    passing: Phases | None = field(default=None, repr=False)

    @property
    def status(self) -> str:
        """The status, as AWS names it."""
        if self.passing is not None:
            if self.passing.current is not None:
                return self.passing.current
            if self.passing.outcome != "done":
                return "Failed"
        return "InService"

    @property
    def in_progress(self) -> bool:
        """Whether something is under way."""
        return self.passing is not None and self.passing.outcome == "running"


class Tables:
    """One region's tables, typed."""

    def __init__(self, world: World, region: str) -> None:
        self.models: Table[Model] = world.store.table("sagemaker/models", region)
        self.configs: Table[EndpointConfig] = world.store.table("sagemaker/endpoint-configs", region)
        self.endpoints: Table[Endpoint] = world.store.table("sagemaker/endpoints", region)
        self.components: Table[Component] = world.store.table("sagemaker/inference-components", region)
        self.tags: Table[dict[str, str]] = world.store.table("sagemaker/tags", region)
        self._serials: Table[int] = world.store.table("sagemaker/serials", region)

    def next_serial(self) -> int:
        """The next number in the order of making. Hold the world's lock."""
        return self._serials.put("last", (self._serials.get("last") or 0) + 1)


def served_in(tables: Tables) -> list[Served]:
    """Every container that runs in a region."""
    of_variants = (variant.served for endpoint in tables.endpoints for variant in endpoint.variants)
    of_components = (component.served for component in tables.components)
    return [served for served in (*of_variants, *of_components) if served is not None]


def container_of(model: Model) -> Mapping[str, Any]:
    """The container that answers: the primary one, or the first of a list."""
    request = model.request
    found: Mapping[str, Any] = request.get("PrimaryContainer") or request["Containers"][0]
    return found


def arn_of(call: Call, kind: Kind, name: str) -> str:
    """The ARN of a resource. SageMaker writes names in lower case there."""
    resource = f"{kind}/{name.lower()}"
    return str(Arn(partition_of(call.region), "sagemaker", call.region, call.account_id, resource))


def refused(message: str) -> AwsError:
    """SageMaker's one word for nearly every refusal, with a sentence."""
    return AwsError("ValidationException", message)


def not_found(call: Call, kind: Kind, name: str) -> AwsError:
    """The refusal of a name that nothing has: a model is named by its ARN, the others by their own."""
    shown = arn_of(call, kind, name) if kind in ("model", "inference-component") else name
    return refused(f'Could not find {_WORDS[kind]} "{shown}".')


def exists_already(call: Call, kind: Kind, name: str) -> AwsError:
    """The refusal of a name that is taken."""
    return refused(f'Cannot create already existing {_WORDS[kind]} "{arn_of(call, kind, name)}".')
