"""From a `modelId` to what answers it, with AWS's reasons to refuse."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import BedrockDistillError
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.serving import imported_model, provisioned_model
from bedrock_distill.local.services.bedrock.state import Tables, deployed_model, find_model
from bedrock_distill.local.students import base_dir, imported_dir, is_student, weights_dir
from bedrock_distill.local.teachers import teacher_for
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bedrock_distill.catalog import IdKind, Model, ModelRef
    from bedrock_distill.local.services.bedrock.serving import ImportedModel
    from bedrock_distill.local.services.runtime.asks import Body
    from bedrock_distill.local.teachers import Teacher
    from bedrock_distill.local.world import World

__all__ = ["Target", "resolve", "resolve_batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a model id stands for."""

    called: str
    """The id as the caller wrote it."""
    model_id: str
    """Id of the foundation model, or of the one under the custom model; what an imported model calls itself."""
    body: Body
    """How InvokeModel speaks to it."""
    voice: Teacher | Path
    """Who answers: a teacher, or the weights in a directory."""
    inference_region: str = ""
    """Where a profile sent the request, or an empty string where the caller named the model itself."""
    imported: ImportedModel | None = None
    """The imported model, where it is one."""


def resolve(world: World, called: str, region: str) -> Target:
    """Find what answers for a `modelId`.

    Raises:
        AwsError: ValidationException, ResourceNotFoundException or AccessDeniedException, as AWS answers.
    """
    ref = read_model_id(called)
    resolver = _RESOLVERS.get(ref.kind)
    if resolver is None:
        raise _invalid()
    return resolver(world, ref, region)


def resolve_batch(world: World, called: str, region: str) -> Target:
    """Find what answers for the `modelId` of a batch inference job: custom models too, which need no deployment there.

    Raises:
        AwsError: ValidationException, ResourceNotFoundException or AccessDeniedException, as AWS answers.
    """
    ref = read_model_id(called)
    resolver = _BATCH_RESOLVERS.get(ref.kind)
    if resolver is None:
        raise _invalid()
    return resolver(world, ref, region)


def _resolve_foundation(world: World, ref: ModelRef, region: str) -> Target:
    model = _known(world, ref, region)
    if ref.suffix:
        raise AwsError(
            "ResourceNotFoundException",
            "Could not resolve the foundation model from the provided model identifier. Context variants such as "
            f"{ref.text} are for customization and Provisioned Throughput; invoke {ref.model} instead.",
        )
    _check_life(world, model)
    if "id" not in model.called:
        raise AwsError(
            "ValidationException",
            f"Invocation of model ID {ref.text} with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t "
            "supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
        )
    return _target(ref, model, _voice(world, model))


def _resolve_profile(world: World, ref: ModelRef, region: str) -> Target:
    model = _known(world, ref, region)
    profile = f"{ref.geography}.{ref.model}"
    if profile not in model.profiles or profile not in (model.profile_for(region), f"global.{ref.model}"):
        raise _invalid()
    _check_life(world, model)
    return _target(ref, model, _voice(world, model), inference_region=region)


def _resolve_deployment(world: World, ref: ModelRef, region: str) -> Target:
    _check_place(world, ref, region)
    return _served(world, ref, deployed_model(world, region, ref.text))


def _resolve_provisioned(world: World, ref: ModelRef, region: str) -> Target:
    _check_place(world, ref, region)
    return _served(world, ref, provisioned_model(world, region, ref.text))


def _resolve_imported(world: World, ref: ModelRef, region: str) -> Target:
    _check_place(world, ref, region)
    model = imported_model(world, region, ref.text)
    if model is None:
        raise _invalid()
    arn = Arn.parse(model.arn)
    return Target(
        called=ref.text,
        model_id=f"{arn.account}-{arn.resource_id}",
        body="imported",
        voice=imported_dir(world, model.arn),
        imported=model,
    )


def _resolve_custom(world: World, ref: ModelRef, region: str) -> Target:
    _check_place(world, ref, region)
    model = find_model(Tables(world, region), ref.text)
    if model is None:
        raise _invalid()
    return _served(world, ref, model.arn)


def _served(world: World, ref: ModelRef, model_arn: str) -> Target:
    """What answers for a model that was deployed or provisioned: a custom model's weights, or a foundation model."""
    model = world.catalog.find(model_arn)
    if model is None:
        raise AwsError(
            "InternalServerException", f"The base of the custom model {model_arn} is not in the catalog."
        )
    custom = Arn.parse(model_arn).kind == "custom-model"
    return _target(ref, model, weights_dir(world, model_arn) if custom else _voice(world, model))


def _target(ref: ModelRef, model: Model, voice: Teacher | Path, *, inference_region: str = "") -> Target:
    return Target(
        called=ref.text,
        model_id=model.id,
        body=model.body,
        voice=voice,
        inference_region=inference_region,
    )


_RESOLVERS: Mapping[IdKind, Callable[[World, ModelRef, str], Target]] = MappingProxyType(
    {
        "foundation": _resolve_foundation,
        "profile": _resolve_profile,
        "custom-model-deployment": _resolve_deployment,
        "provisioned-model": _resolve_provisioned,
        "imported-model": _resolve_imported,
    }
)
"""How each kind of id is resolved; a kind that is not here is an invalid identifier. So is a custom model: it answers
through a deployment or provisioned throughput only. AWS documents the ARN, not the name, of these two."""


_BATCH_RESOLVERS: Mapping[IdKind, Callable[[World, ModelRef, str], Target]] = MappingProxyType(
    {
        "foundation": _resolve_foundation,
        "profile": _resolve_profile,
        "custom-model": _resolve_custom,
        "name": _resolve_custom,
    }
)
"""The same for batch inference, whose `modelId` takes neither deployments nor provisioned throughput nor imported models."""


def _invalid() -> AwsError:
    return AwsError("ValidationException", "The provided model identifier is invalid.")


def _known(world: World, ref: ModelRef, region: str) -> Model:
    _check_place(world, ref, region)
    model = world.catalog.find(ref)
    if model is None:
        raise _invalid()
    return model


def _check_place(world: World, ref: ModelRef, region: str) -> None:
    """An ARN must be of the endpoint's region, and of this account or of nobody."""
    if Arn.looks_like(ref.text):
        arn = Arn.parse(ref.text)
        if arn.region != region or arn.account not in ("", world.account_id):
            raise _invalid()


def _check_life(world: World, model: Model) -> None:
    """Refuse a model that has ended, and a legacy one that this account never used.

    Configuring a teacher for a model, or having customized it, says that the account has been using it.
    """
    state = model.lifecycle(world.clock.now().date())
    if state == "EOL":
        raise AwsError(
            "ResourceNotFoundException",
            "This model version has reached the end of its life. Please refer to the AWS documentation for more "
            "details.",
        )
    if state == "LEGACY" and not _in_use(world, model):
        raise AwsError(
            "ResourceNotFoundException",
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model "
            "in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
        )


def _in_use(world: World, model: Model) -> bool:
    if teacher_for(world.teachers, model.id) is not None:
        return True
    return any(
        read_model_id(custom.arn).model == model.id
        for region in world.store.regions("bedrock/custom-models")
        for custom in Tables(world, region).models
    )


def _voice(world: World, model: Model) -> Teacher | Path:
    teacher = teacher_for(world.teachers, model.id)
    if teacher is not None:
        return teacher
    if is_student(world, model.id):
        try:
            return base_dir(world, model.id)
        except BedrockDistillError as error:
            raise AwsError("ModelErrorException", str(error), originalStatusCode=500) from error
    raise AwsError(
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID. In the local cloud nothing stands for "
        f"{model.id}: name who answers for it, as in Cloud(teachers={{{model.id!r}: function_or_path}}).",
    )
