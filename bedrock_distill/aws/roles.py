"""What is asked of IAM: one role, with exactly one inline policy, made once however often it is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.aws.clients import Clients

__all__ = ["RoleState", "Roles"]

POLICY_NAME = "bedrock-distill"
"""Name of the inline policy this package writes."""


@dataclass(frozen=True, slots=True)
class RoleState:
    """What was found under a role's name."""

    arn: str
    policy: Mapping[str, Any] | None
    """This package's inline policy in it, or None."""


class Roles:
    """IAM through the gate."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def find(self, name: str) -> RoleState | None:
        """The role of this name, or None."""
        try:
            role = self._clients.call("iam", "get_role", subject=name, RoleName=name)["Role"]
        except NotFoundError:
            return None
        try:
            answer = self._clients.call(
                "iam", "get_role_policy", subject=name, RoleName=name, PolicyName=POLICY_NAME
            )
        except NotFoundError:
            return RoleState(role["Arn"], None)
        document = answer["PolicyDocument"]
        return RoleState(role["Arn"], json.loads(document) if isinstance(document, str) else document)

    def ensure(
        self,
        name: str,
        *,
        trust: Mapping[str, Any],
        policy: Mapping[str, Any],
        tags: Mapping[str, str],
        description: str,
    ) -> str:
        """Make the role if it is missing, and give it this policy if it has another. Safe to repeat.

        Returns:
            The role's ARN.
        """
        found = self.find(name)
        if found is None:
            found = RoleState(self._create(name, trust, tags, description), None)
        if found.policy != policy:
            self._clients.call(
                "iam",
                "put_role_policy",
                subject=name,
                RoleName=name,
                PolicyName=POLICY_NAME,
                PolicyDocument=json.dumps(policy),
            )
        return found.arn

    def _create(self, name: str, trust: Mapping[str, Any], tags: Mapping[str, str], description: str) -> str:
        try:
            answer = self._clients.call(
                "iam",
                "create_role",
                subject=name,
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps(trust),
                Description=description,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except ConflictError:
            # Another process made it between the look and the call.
            return str(self._clients.call("iam", "get_role", subject=name, RoleName=name)["Role"]["Arn"])
        return str(answer["Role"]["Arn"])

    def delete(self, name: str) -> None:
        """Remove the role and its policy; nothing happens where there is none."""
        steps: tuple[tuple[str, dict[str, Any]], ...] = (
            ("delete_role_policy", {"PolicyName": POLICY_NAME}),
            ("delete_role", {}),
        )
        for operation, extra in steps:
            try:
                self._clients.call("iam", operation, subject=name, RoleName=name, **extra)
            except NotFoundError:
                continue
