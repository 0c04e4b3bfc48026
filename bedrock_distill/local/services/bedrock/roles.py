"""The service role: whether Bedrock may assume it, and what it then may do. Read from IAM, judged by `policies`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from bedrock_distill.local.services.bedrock.policies import Request, decide
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from datetime import datetime

    from bedrock_distill.local.world import World

__all__ = ["BEDROCK", "Role", "bucket_policy", "read_role"]

BEDROCK = "bedrock.amazonaws.com"
"""The service principal that assumes the role and that delivers logs."""

_ABSENT = frozenset({"NoSuchEntity", "NoSuchBucketPolicy", "NoSuchBucket"})


@dataclass(frozen=True, slots=True)
class Role:
    """A role and its policies, as IAM had them when it was read."""

    arn: str
    role_id: str
    created: datetime
    """By IAM's clock, which is the machine's."""
    trust: Mapping[str, Any]
    policies: tuple[Mapping[str, Any], ...]
    """Inline and attached policies together."""
    boundary: Mapping[str, Any] | None
    """Permissions boundary, or None where the role has none."""

    def trusts_bedrock(self, *, account_id: str, source_arn: str) -> bool:
        """Whether Bedrock may assume the role on behalf of a resource of this account."""
        context = {"aws:sourceaccount": account_id, "aws:sourcearn": source_arn}
        asked = Request("sts:AssumeRole", resource=self.arn, service=BEDROCK, context=context)
        return decide([self.trust], asked) == "allow"

    def may(
        self,
        action: str,
        resource: str,
        *,
        context: Mapping[str, str] | None = None,
        resource_policy: Mapping[str, Any] | None = None,
    ) -> bool:
        """Whether the role may do this: allowed by its own policies or by the resource's, denied by neither.

        Args:
            action: Such as `s3:GetObject`.
            resource: ARN of what is acted on.
            context: Condition keys in lower case; the role's account and ARN are added.
            resource_policy: The bucket's policy, if it has one.
        """
        account = Arn.parse(self.arn).account
        known = {
            "aws:principalarn": self.arn,
            "aws:principalaccount": account,
            "aws:resourceaccount": account,
            "aws:securetransport": "true",
        }
        principals = (self.arn, account, f"arn:{Arn.parse(self.arn).partition}:iam::{account}:root")
        asked = Request(action, resource, {**known, **(context or {})}, principals=principals)
        verdicts = [decide(self.policies, asked)]
        if resource_policy is not None:
            verdicts.append(decide([resource_policy], asked))
        if "deny" in verdicts or "allow" not in verdicts:
            return False
        return self.boundary is None or decide([self.boundary], asked) == "allow"


def read_role(world: World, region: str, arn: str) -> Role | None:
    """Read a role from the cloud's IAM; None where there is none by that ARN."""
    iam = world.client("iam", region)
    name = arn.rpartition("/")[2]
    try:
        found = iam.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise
    if found["Arn"] != arn:  # the same name under another path or account
        return None
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return Role(
        arn=arn,
        role_id=found["RoleId"],
        created=found["CreateDate"],
        trust=_document(found["AssumeRolePolicyDocument"]),
        policies=tuple(_policies(iam, name)),
        boundary=_managed(iam, boundary) if boundary else None,
    )


def bucket_policy(world: World, region: str, bucket: str) -> Mapping[str, Any] | None:
    """A bucket's policy, or None where it has none."""
    try:
        return _document(world.client("s3", region).get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise


def _policies(iam: Any, name: str) -> Iterator[Mapping[str, Any]]:
    for found in iam.get_paginator("list_role_policies").paginate(RoleName=name):
        for policy in found["PolicyNames"]:
            yield _document(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
    for found in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for policy in found["AttachedPolicies"]:
            yield _managed(iam, policy["PolicyArn"])


def _managed(iam: Any, arn: str) -> Mapping[str, Any]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
    return _document(found["PolicyVersion"]["Document"])


def _document(document: Any) -> Mapping[str, Any]:
    """IAM's documents come as mappings or as JSON, plain or URL-encoded."""
    if isinstance(document, Mapping):
        return document
    text = str(document)
    parsed = json.loads(text if text.lstrip().startswith("{") else unquote(text))
    return parsed if isinstance(parsed, dict) else {}
