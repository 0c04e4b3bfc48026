"""What is asked about a bucket that another service is to write into: whose it is, its ACLs, its key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import AccessDeniedError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.aws.clients import Clients

__all__ = ["HIDDEN", "BucketRules", "Buckets", "KeyState"]

HIDDEN = "hidden"
"""Stands for an answer that these credentials may not have."""

_NO_OWNERSHIP = "OwnershipControlsNotFoundError"
_NO_ENCRYPTION = "ServerSideEncryptionConfigurationNotFoundError"
_NO_KEY = frozenset({"NotFoundException", "InvalidArnException"})
"""KMS's codes for a key that is not there, or lies in another region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """What could be learnt of a KMS key."""

    named: str
    """The key as it was named: id, alias or ARN; empty for the account's own `aws/s3` key."""
    arn: str | None = None
    """Its ARN, or None where KMS did not say."""
    aws_managed: bool = False
    """Whether its policy is AWS's and cannot be edited."""
    policy: Mapping[str, Any] | None = None
    """Its policy, or None where these credentials may not read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRules:
    """What a bucket asks of whoever writes into it. `hidden` stands for what these credentials may not see."""

    foreign: bool = False
    """Whether it belongs to another account."""
    ownership: str | None = None
    """`BucketOwnerEnforced` where ACLs are disabled; None where nothing is set, as in older buckets."""
    encryption: str | None = None
    """Default encryption, such as `AES256` or `aws:kms`; None where nothing is set."""
    key: KeyState | None = None
    """The key of the default encryption, if that is with KMS."""


class Buckets:
    """S3's bucket settings, and KMS's keys, through the gate."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def rules(self, name: str) -> BucketRules:
        """What a bucket asks of whoever writes into it. The bucket is there, and may be looked at."""
        if self._foreign(name):
            return BucketRules(foreign=True)
        encryption, named = self._encryption(name)
        return BucketRules(
            ownership=self._ownership(name),
            encryption=encryption,
            key=None if named is None else self.key(named),
        )

    def key(self, named: str) -> KeyState:
        """What could be learnt of a key by its id, alias or ARN."""
        if not named or named.rpartition(":")[2].startswith("alias/aws/"):
            return KeyState(named=named, aws_managed=True)
        try:
            found = self._clients.call("kms", "describe_key", subject=named, KeyId=named)["KeyMetadata"]
        except ServiceError as error:
            if not isinstance(error, AccessDeniedError) and error.code not in _NO_KEY:
                raise
            return KeyState(named=named)
        arn = str(found["Arn"])
        return KeyState(
            named=named,
            arn=arn,
            aws_managed=found.get("KeyManager") == "AWS",
            policy=self._key_policy(arn),
        )

    def _foreign(self, name: str) -> bool:
        try:
            self._clients.call(
                "s3",
                "head_bucket",
                subject=name,
                Bucket=name,
                ExpectedBucketOwner=self._clients.account_id,
            )
        except AccessDeniedError:
            # The bucket could be looked at a moment ago, so it is the owner that is not as expected.
            return True
        return False

    def _ownership(self, name: str) -> str | None:
        try:
            answer = self._clients.call("s3", "get_bucket_ownership_controls", subject=name, Bucket=name)
        except AccessDeniedError:
            return HIDDEN
        except ServiceError as error:
            if error.code != _NO_OWNERSHIP:
                raise
            return None
        return str(answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"])

    def _encryption(self, name: str) -> tuple[str | None, str | None]:
        """The algorithm, and the key as it is named (empty for the account's own), or None where there is none."""
        try:
            answer = self._clients.call("s3", "get_bucket_encryption", subject=name, Bucket=name)
        except AccessDeniedError:
            return HIDDEN, None
        except ServiceError as error:
            if error.code != _NO_ENCRYPTION:
                raise
            return None, None
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if rules else {}
        algorithm = str(default.get("SSEAlgorithm", "")) or None
        with_kms = algorithm is not None and algorithm.startswith("aws:kms")
        return algorithm, default.get("KMSMasterKeyID", "") if with_kms else None

    def _key_policy(self, arn: str) -> Mapping[str, Any] | None:
        try:
            text = self._clients.call("kms", "get_key_policy", subject=arn, KeyId=arn, PolicyName="default")[
                "Policy"
            ]
            policy = json.loads(text)
        except AccessDeniedError:
            return None
        return policy if isinstance(policy, dict) else None
