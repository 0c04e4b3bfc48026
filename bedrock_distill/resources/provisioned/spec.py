"""What is wanted: model units of one model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from bedrock_distill.catalog import read_model_id
from bedrock_distill.resources import fields
from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.spec import Spec, check_name

__all__ = ["Commitment", "ProvisionedThroughput"]

Commitment = Literal["OneMonth", "SixMonths"]


class ProvisionedThroughput(Spec):
    """Capacity for a custom model, or for a foundation model's variant, billed by the hour until it is deleted.

    Example:
        `ProvisionedThroughput(model=custom_model, name="triage", accept_hourly_cost=True)`
    """

    model: str
    """ARN of a custom model (a `CustomModel` is taken too), or a foundation model's id with its context variant."""
    name: str = "student"
    """Yours to choose; the throughput is named after it and the plan's fingerprint."""
    units: int = Field(default=1, ge=1)
    """Model units. What one unit serves, AWS tells each customer."""
    commitment: Commitment | None = None
    """How long it cannot be deleted, for a lower price. Default: not at all."""
    accept_hourly_cost: bool = False
    """It bills from the first hour on, used or not: say that this is wanted."""
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        arn = value.arn if isinstance(value, CustomModel) else value
        kind = read_model_id(arn).kind if isinstance(arn, str) else "name"
        if kind == "imported-model":
            raise ValueError(
                "is an imported model, which Bedrock scales by itself: call it by its ARN, nothing has to be provisioned"
            )
        if kind not in ("custom-model", "foundation"):
            raise ValueError("must be the ARN of a custom model, or the id of a foundation model's variant")
        return arn

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    _tags = field_validator("tags")(fields.check_tags)
