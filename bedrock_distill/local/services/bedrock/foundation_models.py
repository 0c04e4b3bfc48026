"""ListFoundationModels and GetFoundationModel, from the catalog and the cloud's own date.

As in Bedrock, a context variant (`amazon.nova-micro-v1:0:128k`) is a model of its own beside the plain id: the plain
id answers on demand, the variant is what can be customized and provisioned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import read_model_id
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import foundation_model_arn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.catalog import Catalog, Model
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["FoundationModels", "customizations", "today"]


@dataclass(frozen=True, slots=True)
class _Variant:
    """A model under one of its ids."""

    model: Model
    suffix: str

    @property
    def id(self) -> str:
        return f"{self.model.id}:{self.suffix}" if self.suffix else self.model.id


def today(world: World) -> date:
    """The date on the cloud's clock, in UTC."""
    return world.clock.now().astimezone(UTC).date()


class FoundationModels:
    """The foundation models of the catalog, as Bedrock shows them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def list_foundation_models(self, call: Call) -> dict[str, Any]:
        """Every model that has not reached its end of life, filtered."""
        wanted = call.params
        day = today(self._world)
        shown = [
            _details(self._world, variant, call.region)
            for variant in _variants(self._world.catalog)
            if variant.model.lifecycle(day) != "EOL"
        ]
        return {"modelSummaries": [summary for summary in shown if _passes(summary, wanted)]}

    def get_foundation_model(self, call: Call) -> dict[str, Any]:
        """One model, by id or ARN.

        Raises:
            AwsError: ValidationException where there is no such model, ResourceNotFoundException where an ARN is of
                another region.
        """
        identifier = call.params["modelIdentifier"]
        ref = read_model_id(identifier)
        wanted = f"{ref.model}:{ref.suffix}" if ref.suffix else ref.model
        for variant in _variants(self._world.catalog):
            if ref.kind == "foundation" and variant.id == wanted:
                details = _details(self._world, variant, call.region)
                if identifier.startswith("arn:") and identifier != details["modelArn"]:
                    break
                return {"modelDetails": details}
        if identifier.startswith("arn:"):
            raise AwsError("ResourceNotFoundException", f"Could not find the foundation model {identifier}.")
        raise AwsError("ValidationException", "The provided model identifier is invalid.")


def _variants(catalog: Catalog) -> Iterator[_Variant]:
    for model in catalog.models:
        yield _Variant(model, "")
        for suffix in model.suffixes:
            yield _Variant(model, suffix)


def _details(world: World, variant: _Variant, region: str) -> dict[str, Any]:
    model = variant.model
    return {
        "modelArn": foundation_model_arn(region, variant.id),
        "modelId": variant.id,
        "modelName": model.name,
        "providerName": model.provider,
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": customizations(world.catalog, variant.id, region),
        "inferenceTypesSupported": _inference(variant),
        "modelLifecycle": _lifecycle(model, today(world)),
    }


def customizations(catalog: Catalog, variant_id: str, region: str) -> list[str]:
    """A variant that some pair sends to this region can be distilled into, and fine-tuned by the same trainer."""
    offered = any(pair.send == variant_id and region in pair.regions for pair in catalog.pairs)
    return ["FINE_TUNING", "DISTILLATION"] if offered else []


def _inference(variant: _Variant) -> list[str]:
    """Profile-only models support neither of the two kinds that the API can name."""
    if variant.suffix:
        return ["PROVISIONED"]
    return ["ON_DEMAND"] if "id" in variant.model.called else []


def _lifecycle(model: Model, day: date) -> dict[str, Any]:
    """AWS knows two states; a model past its end of life is legacy with that date behind it."""
    dates = {"legacyTime": model.legacy_on, "endOfLifeTime": model.eol_on}
    moments = {
        key: datetime(day.year, day.month, day.day, tzinfo=UTC)
        for key, day in dates.items()
        if day is not None
    }
    return {"status": "ACTIVE" if model.lifecycle(day) == "ACTIVE" else "LEGACY", **moments}


def _passes(summary: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    lists = {
        "byCustomizationType": "customizationsSupported",
        "byOutputModality": "outputModalities",
        "byInferenceType": "inferenceTypesSupported",
    }
    if any(wanted[name] not in summary[member] for name, member in lists.items() if wanted.get(name)):
        return False
    provider = wanted.get("byProvider")
    return provider is None or bool(summary["providerName"].lower() == provider.lower())
