"""Which models a customization job may be about: the base, the teacher, the pair, the region, the lifecycle.

Refusals carry AWS's own words where those are known; docs/explanation/local-cloud-fidelity.md says which are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import Model, ModelRef, read_model_id
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.foundation_models import customizations, today
from bedrock_distill.local.services.bedrock.hyperparameters import check_hyperparameters
from bedrock_distill.local.services.bedrock.state import Tables, find_model
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.world import World

__all__ = ["INVALID_MODEL", "JobModels", "check_alive", "check_models"]

INVALID_MODEL = "The provided model identifier is invalid."

_LEGACY = (
    "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model in the "
    "last 15 days. Please upgrade to an active model on Amazon Bedrock"
)
_END_OF_LIFE = "This model version has reached the end of its life. Please refer to the AWS documentation for more details."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobModels:
    """What a job's request says of models, checked."""

    kind: str
    """Customization type."""
    base_id: str
    """The student's id with its context suffix."""
    start_arn: str
    """ARN of the custom model to start from, or an empty string."""
    teacher: ModelRef | None
    """The teacher as it was named; None where the job has none."""


def check_models(world: World, region: str, params: Mapping[str, Any]) -> JobModels:
    """Check everything about models in a CreateModelCustomizationJob request.

    Raises:
        AwsError: ValidationException, or ResourceNotFoundException for a model past its days.
    """
    config = params.get("customizationConfig") or {}
    kind = params.get("customizationType") or (
        "DISTILLATION" if "distillationConfig" in config else "FINE_TUNING"
    )
    if kind not in ("DISTILLATION", "FINE_TUNING"):
        raise _invalid(
            f"The customization type {kind} is not supported by the local cloud: use DISTILLATION."
        )
    base_id, start_arn = _base(world, region, params["baseModelIdentifier"])
    student = world.catalog.model(base_id)
    if kind == "FINE_TUNING":
        _fine_tuning(world, region, config, base_id)
        check_alive(world, student)
        check_hyperparameters(student.family, params.get("hyperParameters") or {})
        return JobModels(kind=kind, base_id=base_id, start_arn=start_arn, teacher=None)
    if params.get("hyperParameters"):
        raise _invalid("Hyperparameters cannot be set for a DISTILLATION job: Amazon Bedrock chooses them.")
    teacher = _teacher(world, region, config)
    check_alive(world, student)
    _pair(world, region, teacher, base_id)
    return JobModels(kind=kind, base_id=base_id, start_arn=start_arn, teacher=teacher)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _base(world: World, region: str, identifier: str) -> tuple[str, str]:
    """The foundation model's id with its suffix, and the custom model to start from if one was named."""
    ref = read_model_id(identifier)
    if ref.kind in ("custom-model", "name"):
        model = find_model(Tables(world, region), identifier)
        if model is None:
            raise _invalid(INVALID_MODEL)
        return model.job.base_id, model.arn
    known = world.catalog.find(ref)
    if ref.kind != "foundation" or known is None or _elsewhere(identifier, region):
        raise _invalid(INVALID_MODEL)
    if ref.suffix and ref.suffix not in known.suffixes:
        raise _invalid(INVALID_MODEL)
    return (f"{ref.model}:{ref.suffix}" if ref.suffix else ref.model), ""


def _elsewhere(identifier: str, region: str) -> bool:
    return Arn.looks_like(identifier) and Arn.parse(identifier).region != region


def _fine_tuning(world: World, region: str, config: Mapping[str, Any], base_id: str) -> None:
    if config:
        raise _invalid("customizationConfig does not go with the customization type FINE_TUNING.")
    if "FINE_TUNING" not in customizations(world.catalog, base_id, region):
        raise _invalid(
            f"The model {base_id} does not support the customization type FINE_TUNING in {region}."
        )


def _teacher(world: World, region: str, config: Mapping[str, Any]) -> ModelRef:
    distillation = config.get("distillationConfig")
    if not distillation:
        raise _invalid(
            "customizationConfig.distillationConfig is required for the customization type DISTILLATION."
        )
    teacher = distillation["teacherModelConfig"]
    longest = teacher.get("maxResponseLengthForInference")
    if longest is not None and longest < 1:
        raise _invalid(f"maxResponseLengthForInference must be at least 1, not {longest}.")
    identifier = teacher["teacherModelIdentifier"]
    ref = read_model_id(identifier)
    model = world.catalog.find(ref)
    if model is None or ref.suffix or _elsewhere(identifier, region):
        raise _invalid(INVALID_MODEL)
    check_alive(world, model)
    _called(model, ref, region)
    return ref


def _called(model: Model, ref: ModelRef, region: str) -> None:
    """Whether a teacher may be named this way from this region."""
    if ref.kind == "foundation" and "id" not in model.called:
        raise _invalid(
            f"Invocation of model ID {ref.text} with on-demand throughput isn’t supported. Retry your request with "  # noqa: RUF001 - AWS's own apostrophe
            "the ID or ARN of an inference profile that contains this model."
        )
    if ref.kind == "profile":
        profile = f"{ref.geography}.{ref.model}"
        if profile not in model.profiles or profile not in (model.profile_for(region), f"global.{ref.model}"):
            raise _invalid(INVALID_MODEL)


def check_alive(world: World, model: Model) -> None:
    """Refuse a model past its days: AWS answers as if it were not there, and says why in words.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    state = model.lifecycle(today(world))
    if state == "EOL":
        raise AwsError("ResourceNotFoundException", _END_OF_LIFE)
    if state == "LEGACY":
        raise AwsError("ResourceNotFoundException", _LEGACY)


def _pair(world: World, region: str, teacher: ModelRef, base_id: str) -> None:
    pair = world.catalog.pair(teacher.model, base_id)
    if pair is None:
        raise _invalid(
            f"The base model {base_id} is not supported as a student of the teacher model {teacher.text}."
        )
    if pair.withdrawn:
        raise _invalid(pair.withdrawn)
    if base_id != pair.send:
        raise _invalid(
            f"The model {base_id} does not support the customization type DISTILLATION; use {pair.send}."
        )
    if region not in pair.regions:
        raise _invalid(
            f"Distilling {teacher.text} into {base_id} is not supported in {region}; "
            f"it is supported in {', '.join(pair.regions)}."
        )
