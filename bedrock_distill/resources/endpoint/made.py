"""Configurations and models of endpoints: which of them plans have made, and which of these nothing uses any more.

Each update leaves those of before, and so does a plan that another one was faster than. They cost nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import NotFoundError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.aws import Clients

__all__ = ["Part", "delete_if_there", "made_parts", "unused_parts"]

_NAME = re.compile(r"(.+)-[0-9a-f]{8}")
"""What plans call them: the endpoint's name, and some of a fingerprint."""

_KINDS = {"endpoint configuration": ("endpoint_config", "EndpointConfig"), "model": ("model", "Model")}
"""Kind -> how SageMaker's operations and members are called; what uses before what is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A configuration or a model that a plan of an endpoint has made."""

    clients: Clients
    kind: str
    name: str
    arn: str
    endpoint: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def delete(self) -> None:
        """Delete it; nothing happens where it is gone."""
        operation, member = _KINDS[self.kind]
        delete_if_there(
            self.clients, f"delete_{operation}", subject=self.name, **{f"{member}Name": self.name}
        )


def made_parts(clients: Clients, endpoint: str = "") -> Iterator[Part]:
    """What plans have made, by name and tag, configurations first.

    Args:
        clients: The gate to AWS.
        endpoint: Only those of this endpoint. Default: of any.
    """
    near = {"NameContains": endpoint} if endpoint else {}
    for kind, (operation, member) in _KINDS.items():
        for item in list(clients.pages("sagemaker", f"list_{operation}s", f"{member}s", **near)):
            name, arn = item[f"{member}Name"], item[f"{member}Arn"]
            named = _NAME.fullmatch(name)
            if named is None or (endpoint and named[1] != endpoint) or not _tagged(clients, arn, named[1]):
                continue
            yield Part(clients=clients, kind=kind, name=name, arn=arn, endpoint=named[1])


def unused_parts(clients: Clients, endpoint: str = "") -> Iterator[Part]:
    """Of what plans have made, what their endpoint does not use; the arguments are those of `made_parts`."""
    used: dict[str, set[tuple[str, str]]] = {}
    for part in made_parts(clients, endpoint):
        if part.endpoint not in used:
            used[part.endpoint] = _used(clients, part.endpoint)
        if (part.kind, part.name) not in used[part.endpoint]:
            yield part


def delete_if_there(clients: Clients, operation: str, *, subject: str, **params: Any) -> None:
    """Delete something of SageMaker's; nothing happens where a deletion beside this one was faster."""
    try:
        clients.call("sagemaker", operation, subject=subject, **params)
    except ServiceError as error:
        # SageMaker says of what is not there that the request is invalid.
        gone = isinstance(error, NotFoundError) or "could not find" in error.message.lower()
        if not gone:
            raise


def _tagged(clients: Clients, arn: str, endpoint: str) -> bool:
    tags = clients.pages("sagemaker", "list_tags", "Tags", ResourceArn=arn)
    return any(tag["Key"] == "bedrock-distill" and tag["Value"] == endpoint for tag in tags)


def _used(clients: Clients, endpoint: str) -> set[tuple[str, str]]:
    """Kind and name of what an endpoint serves with, or is being updated to."""
    there = clients.find("sagemaker", "describe_endpoint", subject=endpoint, EndpointName=endpoint)
    if there is None:
        return set()
    pending = (there.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
    configs = {name for name in (there.get("EndpointConfigName"), pending) if name}
    models = set()
    for config in configs:
        described = clients.find(
            "sagemaker", "describe_endpoint_config", subject=config, EndpointConfigName=config
        )
        models |= {variant.get("ModelName") for variant in (described or {}).get("ProductionVariants", ())}
    for item in clients.pages(
        "sagemaker", "list_inference_components", "InferenceComponents", EndpointNameEquals=endpoint
    ):
        name = item["InferenceComponentName"]
        component = clients.find(
            "sagemaker", "describe_inference_component", subject=name, InferenceComponentName=name
        )
        models.add(((component or {}).get("Specification") or {}).get("ModelName"))
    return {("endpoint configuration", name) for name in configs} | {("model", name) for name in models}
