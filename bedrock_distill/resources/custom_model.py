"""A custom model: what a job made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.resources.listing import newest_first

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients

__all__ = ["CustomModel", "custom_models"]


@dataclass(frozen=True, slots=True)
class CustomModel:
    """Handle of a custom model."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetCustomModel answers, without its metadata."""
        answer = self.clients.call("bedrock", "get_custom_model", subject=self.arn, modelIdentifier=self.arn)
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.describe()["modelName"])

    def delete(self) -> None:
        """Delete the model; its deployments must be gone.

        Raises:
            ConflictError: If it is still deployed.
        """
        self.clients.call("bedrock", "delete_custom_model", subject=self.arn, modelIdentifier=self.arn)

    def __repr__(self) -> str:
        return f"CustomModel({self.arn!r})"


def custom_models(clients: Clients, *, name_contains: str | None = None) -> list[dict[str, Any]]:
    """Every custom model of the account in the region, newest first, as ListCustomModels gives them."""
    return newest_first(clients, "list_custom_models", "modelSummaries", name_contains=name_contains)
