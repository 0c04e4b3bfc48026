"""The role that a plan makes where the spec brings none: its name, whether it is there, the step, the ARN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from bedrock_distill.aws import Roles, RoleState
from bedrock_distill.errors import AccessDeniedError
from bedrock_distill.plan import EnsureRole, fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.aws import Clients

__all__ = ["Documents", "find_role", "role_arn", "role_name", "role_step"]

Documents = tuple[dict[str, Any], dict[str, Any]]
"""Trust and permissions."""


class _Wants(Protocol):
    """A spec that may bring a role of its own."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str | None: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class _Place(Protocol):
    """Where the role is."""

    @property
    def partition(self) -> str: ...
    @property
    def account_id(self) -> str: ...


def role_name(spec: _Wants, documents: Documents) -> str:
    """Name of the role that is made: the same needs give the same role, whatever is done with it."""
    trust, policy = documents
    return f"BedrockDistill-{spec.name}-{fingerprint_of({'trust': trust, 'policy': policy})[:8]}"


def find_role(spec: _Wants, documents: Documents, clients: Clients) -> tuple[RoleState | None, bool]:
    """The role that would be made, if it is there, and whether these credentials may not look."""
    try:
        return Roles(clients).find(role_name(spec, documents)), False
    except AccessDeniedError:
        return None, True


def role_step(spec: _Wants, documents: Documents, found: RoleState | None) -> EnsureRole:
    """The step that makes the role.

    Args:
        spec: What it is made for.
        documents: Its trust and permissions.
        found: What is there under its name.
    """
    trust, policy = documents
    return EnsureRole(
        name=role_name(spec, documents),
        trust=trust,
        policy=policy,
        tags={"bedrock-distill": spec.name, **spec.tags},
        done=found is not None and found.policy == policy,
    )


def role_arn(spec: _Wants, place: _Place, made: EnsureRole | None) -> str:
    """ARN of the role: the spec's own, or of the one that is made."""
    return spec.role or f"arn:{place.partition}:iam::{place.account_id}:role/{made.name if made else ''}"
