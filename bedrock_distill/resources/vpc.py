"""A VPC to run in."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bedrock_distill.resources.spec import Spec

__all__ = ["Vpc"]


class Vpc(Spec):
    """Where a job or an endpoint runs, when it must run in a VPC of yours."""

    subnet_ids: tuple[str, ...] = Field(min_length=1, max_length=16)
    security_group_ids: tuple[str, ...] = Field(min_length=1, max_length=5)

    @property
    def request(self) -> dict[str, Any]:
        """The `vpcConfig` of Bedrock's requests."""
        return {"subnetIds": list(self.subnet_ids), "securityGroupIds": list(self.security_group_ids)}

    @property
    def ids(self) -> dict[str, tuple[str, ...]]:
        """What a role's policy names."""
        return {"subnet_ids": self.subnet_ids, "security_group_ids": self.security_group_ids}
