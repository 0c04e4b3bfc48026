"""CreateModel, DescribeModel, ListModels and DeleteModel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.sagemaker.access import Access, source_of
from bedrock_distill.local.services.sagemaker.listing import listed
from bedrock_distill.local.services.sagemaker.state import (
    Model,
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

__all__ = ["Models", "check_container"]

_ECR = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.[a-z.]+/.+")
_ECHOED = (
    "PrimaryContainer",
    "Containers",
    "InferenceExecutionConfig",
    "ExecutionRoleArn",
    "VpcConfig",
)


class Models:
    """Models."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_model(self, call: Call) -> dict[str, Any]:
        """Remember an image and where its files lie, if the role may read them."""
        params, tables = call.params, Tables(self._world, call.region)
        name = params["ModelName"]
        _check_shape(params)
        tags = read_tags(params.get("Tags"))
        access = Access(self._world, call.region, call.account_id)
        role = access.role(params["ExecutionRoleArn"])
        for container in params.get("Containers") or [params["PrimaryContainer"]]:
            check_container(container)
            source = source_of(container)
            if source is not None:
                access.readable(role, source)
        with self._world.lock:
            if name in tables.models:
                raise exists_already(call, "model", name)
            model = Model(
                name=name,
                arn=arn_of(call, "model", name),
                serial=tables.next_serial(),
                request=dict(params),
                created=moment(self._world),
            )
            tables.models.put(name, model)
            tables.tags.put(model.arn, tags)
        return {"ModelArn": model.arn}

    def describe_model(self, call: Call) -> dict[str, Any]:
        """One model."""
        model = self._find(call)
        answer: dict[str, Any] = {
            "ModelName": model.name,
            "ModelArn": model.arn,
            "CreationTime": model.created,
            "EnableNetworkIsolation": bool(model.request.get("EnableNetworkIsolation")),
        }
        return answer | {name: model.request[name] for name in _ECHOED if model.request.get(name)}

    def list_models(self, call: Call) -> dict[str, Any]:
        """The region's models."""
        return listed(
            Tables(self._world, call.region).models.values(),
            call.params,
            member="Models",
            summary=lambda model: {
                "ModelName": model.name,
                "ModelArn": model.arn,
                "CreationTime": model.created,
            },
        )

    def delete_model(self, call: Call) -> dict[str, Any]:
        """Forget a model. Endpoints that run it go on; the files stay in S3."""
        with self._world.lock:
            model = self._find(call)
            tables = Tables(self._world, call.region)
            tables.models.delete(model.name)
            tables.tags.delete(model.arn)
        return {}

    def _find(self, call: Call) -> Model:
        name = call.params["ModelName"]
        found = Tables(self._world, call.region).models.get(name)
        if found is None:
            raise not_found(call, "model", name)
        return found


def _check_shape(params: Mapping[str, Any]) -> None:
    if bool(params.get("PrimaryContainer")) == bool(params.get("Containers")):
        raise refused("Exactly one of PrimaryContainer and Containers must be given.")
    if not params.get("ExecutionRoleArn"):
        raise refused(
            "ExecutionRoleArn is required: the role that SageMaker assumes to read the model and to write logs."
        )


def check_container(container: Mapping[str, Any]) -> None:
    """Refuse a container definition that AWS refuses.

    Raises:
        AwsError: ValidationException.
    """
    image = container.get("Image")
    if not image:
        raise refused("Image is required: the local cloud has no model packages.")
    if not _ECR.fullmatch(image) and not container.get("ImageConfig"):
        raise refused(f'Using non-ECR image "{image}" without Vpc repository access mode is not supported.')
    if container.get("ModelDataUrl") and container.get("ModelDataSource"):
        raise refused("ModelDataUrl and ModelDataSource cannot be given together.")
    try:
        source = source_of(container)
    except SpecError as error:
        raise refused(str(error)) from error
    if source is not None and source.is_prefix and not source.uri.key.endswith("/"):
        raise refused(
            f"S3Uri {source.uri} must end with a forward slash (/) where S3DataType is S3Prefix: only then it is a folder."
        )
