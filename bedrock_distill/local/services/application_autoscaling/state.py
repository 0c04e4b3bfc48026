"""What Application Auto Scaling remembers: scalable targets, scaling policies, and what they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.local.store import Table
    from bedrock_distill.local.world import World

__all__ = ["Activity", "Policy", "Tables", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A scalable target."""

    resource: str
    """Such as `inference-component/<name>`."""
    dimension: str
    arn: str
    role_arn: str
    least: int
    most: int
    created: datetime
    suspended: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A scaling policy of a target."""

    name: str
    arn: str
    resource: str
    dimension: str
    kind: str
    settings: Mapping[str, Any]
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One thing that a policy did."""

    identity: str
    policy: str
    resource: str
    dimension: str
    before: int
    after: int
    at: datetime
    cause: str


class Tables:
    """One region's tables, typed."""

    def __init__(self, world: World, region: str) -> None:
        self.targets: Table[Target] = world.store.table("autoscaling/targets", region)
        """By resource and dimension, with a space between."""
        self.policies: Table[Policy] = world.store.table("autoscaling/policies", region)
        """By ARN."""
        self.activities: Table[Activity] = world.store.table("autoscaling/activities", region)
        self.asked: Table[datetime] = world.store.table("autoscaling/asked", region)
        """When a resource was last asked, by its name."""
