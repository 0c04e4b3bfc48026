"""The rows of the catalog: dated facts about models, pairs, quotas and prices."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

__all__ = ["BodyFormat", "Called", "Lifecycle", "Model", "Pair", "Price", "PriceKind", "Quota"]

BodyFormat = Literal["nova", "llama", "anthropic", "mistral", "cohere", "titan", "deepseek", "qwen", "openai"]
"""InvokeModel's request and response format, one a model family."""

Called = Literal["id", "profile"]
"""How an on-demand caller may name a model: by its own id, or only through an inference profile."""

PriceKind = Literal[
    "input_1k_tokens",
    "output_1k_tokens",
    "training_1k_tokens",
    "storage_month",
    "model_unit_hour",
    "model_unit_minute",
    "instance_hour",
    "vcpu_hour",
    "memory_gb_hour",
    "get_1k_requests",
    "put_1k_requests",
]
"""What `model` names differs: `instance_hour` is of a SageMaker instance type (`ml.g5.xlarge`), and the last four are of
services (`emr-serverless`, `s3`)."""

Lifecycle = Literal["ACTIVE", "LEGACY", "EOL"]
"""AWS's own two states, and ours for a model whose end of life has passed."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A foundation model."""

    id: str
    """The plain id, such as `amazon.nova-pro-v1:0`."""
    name: str
    """Name for people."""
    provider: str
    family: str
    body: BodyFormat
    called: tuple[Called, ...]
    profiles: tuple[str, ...] = ()
    """System inference profile ids, such as `us.amazon.nova-pro-v1:0`."""
    suffixes: tuple[str, ...] = ()
    """Context variants for customization and provisioned throughput; ids that carry one cannot be invoked."""
    turns: Literal["single", "multi"] = "single"
    """What a training conversation for this family may hold."""
    context_tokens: int | None = None
    """Context window in tokens, or None where unknown."""
    training_context_tokens: int | None = None
    """Longest training record as a student, in tokens, or None where no quota is published."""
    status: Literal["ACTIVE", "LEGACY"] = "ACTIVE"
    """State on `as_of`."""
    legacy_on: date | None = None
    eol_on: date | None = None
    on_demand_deployment_regions: tuple[str, ...] = ()
    """Where a model customized from this one can be deployed on demand."""
    provisioned_regions: tuple[str, ...] = ()
    """Where Provisioned Throughput can be bought for the model itself, by one of its `suffixes`."""
    copy_regions: tuple[str, ...] = ()
    """Regions to which a model customized from this one can be copied."""
    source: str
    as_of: date

    def lifecycle(self, today: date) -> Lifecycle:
        """State on a day, from the dates where there are any."""
        if self.eol_on is not None and today >= self.eol_on:
            return "EOL"
        if self.legacy_on is not None and today >= self.legacy_on:
            return "LEGACY"
        return self.status

    def profile_for(self, region: str) -> str | None:
        """The system inference profile that callers in a region use, or None where the model has none there."""
        geographies = {"us-gov": "us-gov.", "us": "us.", "ca": "us.", "eu": "eu.", "ap": "apac."}
        geography = next((geo for start, geo in geographies.items() if region.startswith(f"{start}-")), None)
        if geography is None:
            return None
        return next((profile for profile in self.profiles if profile.startswith(geography)), None)


class Pair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A teacher and a student that Bedrock distils."""

    teacher: str
    """The teacher's plain id."""
    student: str
    """The student's plain id."""
    send: str
    """What `baseModelIdentifier` must be."""
    regions: tuple[str, ...]
    withdrawn: str = ""
    """Why the pair is no longer offered anywhere, or an empty string."""
    source: str
    as_of: date


class Quota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit of the service."""

    name: str
    value: int
    unit: str
    code: str = ""
    """Service Quotas code, or an empty string where none is published."""
    source: str
    as_of: date


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated price."""

    model: str
    kind: PriceKind
    usd: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    region: str = "*"
    """Region the price holds in, or `*`."""
    source: str
    as_of: date
