"""Everything in a region that serves or is kept and costs money: what it is, what it bills by, whose it is, how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError
from bedrock_distill.resources.custom_model import CustomModel, custom_models
from bedrock_distill.resources.deployment import Deployment, deployments
from bedrock_distill.resources.endpoint import LiveEndpoint, endpoints, unused_parts
from bedrock_distill.resources.model_import import ImportedModel, imported_models
from bedrock_distill.resources.provisioned import Provisioned, provisioned_throughputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.aws import Clients

__all__ = ["Item", "inventory"]

TAG = "bedrock-distill"
"""The tag of everything that a plan makes; its value is the spec's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing."""

    kind: str
    name: str
    status: str
    bills: str
    """What it is paid by, in words."""
    made_by: str
    """Name of the spec that it was made from; empty where this package did not make it, or may not ask."""
    arn: str
    handle: Any
    """What can `delete` it."""

    def to_dict(self) -> dict[str, str]:
        """The item as plain values."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "handle"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where one kind of thing is listed, and under which members."""

    kind: str
    bills: str
    listed: Callable[[Clients], list[dict[str, Any]]]
    name: str
    arn: str
    status: str
    handle: Callable[[Clients, str], Any]


_SOURCES = (
    _Source(
        kind="endpoint",
        bills="the hour, used or not",
        listed=endpoints,
        name="EndpointName",
        arn="EndpointArn",
        status="EndpointStatus",
        handle=LiveEndpoint,
    ),
    _Source(
        kind="provisioned throughput",
        bills="the hour, used or not",
        listed=provisioned_throughputs,
        name="provisionedModelName",
        arn="provisionedModelArn",
        status="status",
        handle=Provisioned,
    ),
    _Source(
        kind="on-demand deployment",
        bills="the token",
        listed=deployments,
        name="customModelDeploymentName",
        arn="customModelDeploymentArn",
        status="status",
        handle=Deployment,
    ),
    _Source(
        kind="imported model",
        bills="the month, and the minute while loaded",
        listed=imported_models,
        name="modelName",
        arn="modelArn",
        status="",
        handle=ImportedModel,
    ),
    _Source(
        kind="custom model",
        bills="the month",
        listed=custom_models,
        name="modelName",
        arn="modelArn",
        status="modelStatus",
        handle=CustomModel,
    ),
)
"""In the order in which things must go: what serves before what is served."""


def inventory(clients: Clients) -> Iterator[Item]:
    """Everything there is in the region, what serves first, and last what endpoints no longer use.

    A kind that these credentials may not list is passed over: who may not see endpoints has made none.
    """
    for source in _SOURCES:
        try:
            found = source.listed(clients)
        except AccessDeniedError:
            continue
        for row in found:
            yield Item(
                kind=source.kind,
                name=row[source.name],
                status=str(row.get(source.status) or ""),
                bills=source.bills,
                made_by=_made_by(clients, row[source.arn]),
                arn=row[source.arn],
                handle=source.handle(clients, row[source.arn]),
            )
    yield from _unused(clients)


def _unused(clients: Clients) -> Iterator[Item]:
    """Configurations and models that updates of endpoints have left."""
    try:
        for part in unused_parts(clients):
            yield Item(
                kind=f"SageMaker {part.kind}",
                name=part.name,
                status="unused",
                bills="nothing",
                made_by=part.endpoint,
                arn=part.arn,
                handle=part,
            )
    except AccessDeniedError:
        return


def _made_by(clients: Clients, arn: str) -> str:
    try:
        if ":sagemaker:" in arn:
            tags = {
                tag["Key"]: tag["Value"]
                for tag in clients.pages("sagemaker", "list_tags", "Tags", ResourceArn=arn)
            }
        else:
            answer = clients.call("bedrock", "list_tags_for_resource", subject=arn, resourceARN=arn)
            tags = {tag["key"]: tag["value"] for tag in answer.get("tags", ())}
    except AccessDeniedError:
        return ""
    except ServiceError as error:
        # It went between the listing and this look; SageMaker calls that an invalid request.
        if not isinstance(error, NotFoundError) and error.code != "ValidationException":
            raise
        return ""
    return str(tags.get(TAG, ""))
