"""An imported model: what an import job made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import NotFoundError
from bedrock_distill.resources.listing import newest_first

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients

__all__ = ["ImportedModel", "imported_models"]


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """Handle of an imported model. It answers at once by its ARN (`Session.model`); nothing has to be deployed."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetImportedModel answers, without its metadata."""
        answer = self.clients.call(
            "bedrock", "get_imported_model", subject=self.arn, modelIdentifier=self.arn
        )
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.describe()["modelName"])

    def delete(self) -> None:
        """Delete the model, and with it the monthly charge for keeping it; nothing happens where it is gone already."""
        try:
            self.clients.call("bedrock", "delete_imported_model", subject=self.arn, modelIdentifier=self.arn)
        except NotFoundError:
            return

    def __repr__(self) -> str:
        return f"ImportedModel({self.arn!r})"


def imported_models(clients: Clients, *, name_contains: str | None = None) -> list[dict[str, Any]]:
    """Every imported model of the account in the region, newest first, as ListImportedModels gives them."""
    return newest_first(clients, "list_imported_models", "modelSummaries", name_contains=name_contains)
