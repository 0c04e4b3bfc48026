"""What the service role of a customization job must be able to do, asked of the cloud's own IAM, S3 and KMS.

The refusals carry AWS's words (user guide, fine-tuning-troubleshooting); what a caller needs to mend it follows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.roles import Role, bucket_policy, read_role
from bedrock_distill.local.services.bedrock.state import Tables
from bedrock_distill.uris import Arn, S3Uri, partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.catalog import ModelRef
    from bedrock_distill.local.world import World

__all__ = ["PROPAGATION_S", "WRITE_PROBE", "Access", "cannot_read", "cannot_write"]

PROPAGATION_S = 10.0
"""Seconds that a new role is unknown to Bedrock. On AWS it is seconds to half a minute."""

WRITE_PROBE = ".write_access_check_file.temp"
"""The empty object that Bedrock leaves under the output prefix when it has made sure that it can write there."""

_PROBE_IN_WORDS = ".write_access_check_file.tmp"
"""How AWS's own message spells it."""

_UNASSUMABLE = "Could not assume provided IAM role."


def cannot_read(uri: S3Uri) -> str:
    """AWS's words for training data that the role cannot read, or that is not there."""
    return (
        f"Could not validate GetObject permissions to access Amazon S3 bucket: {uri.bucket} at key {uri.key}"
    )


def cannot_write(output: S3Uri) -> str:
    """AWS's words for an output location that the role cannot write to."""
    return (
        "Amazon S3 perms missing (PutObject): Could not validate PutObject permissions to access S3 bucket: "
        f"{output.bucket} at key {(output / _PROBE_IN_WORDS).key}"
    )


@dataclass(frozen=True, slots=True)
class Access:
    """The checks for one request, in one account and region."""

    world: World
    region: str
    account_id: str

    def role(self, arn: str, *, source_arn: str) -> Role:
        """The role, if Bedrock may assume it for this job.

        Raises:
            AwsError: ValidationException, with the words that callers wait out while IAM spreads a new role;
                AccessDeniedException for another account's role.
        """
        if Arn.parse(arn).account != self.account_id:
            raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.")
        role = read_role(self.world, self.region, arn)
        if role is None:
            raise _refused(_UNASSUMABLE, f"There is no role {arn}.")
        if not role.trusts_bedrock(account_id=self.account_id, source_arn=source_arn):
            raise _refused(
                _UNASSUMABLE, f"The trust policy of {arn} does not let bedrock.amazonaws.com assume it."
            )
        if not self._spread(role):
            raise _refused(
                _UNASSUMABLE, f"IAM has not yet spread {arn}, which is new: try again in a moment."
            )
        return role

    def readable(self, role: Role, uri: S3Uri) -> None:
        """Check that an object is there and that the role may read it.

        Raises:
            AwsError: ValidationException, with AWS's words.
        """
        refusal = cannot_read(uri)
        self._bucket(uri.bucket, refusal)
        try:
            head = self._s3.head_object(Bucket=uri.bucket, Key=uri.key)
        except ClientError as error:
            raise _refused(refusal, f"S3 has no object {uri}.") from error
        self._may_read(role, uri, refusal)
        self._may_use_key(role, head, refusal)

    def listable(self, role: Role, prefix: S3Uri) -> None:
        """Check that a prefix's bucket is there, and that the role may list and read what is under it.

        Raises:
            AwsError: ValidationException, with AWS's words.
        """
        refusal = cannot_read(prefix)
        self._bucket(prefix.bucket, refusal)
        self._may_read(role, prefix.as_prefix / "any-object", refusal)

    def writable(self, role: Role, output: S3Uri) -> None:
        """Check that the role may write under the output prefix, and leave the probe there as Bedrock does.

        Raises:
            AwsError: ValidationException, with AWS's words.
        """
        refusal = cannot_write(output)
        self._bucket(output.bucket, refusal)
        probe = output / WRITE_PROBE
        if not self._may(role, "s3:PutObject", probe):
            raise _refused(
                refusal, f"The role {role.arn} needs s3:PutObject on {_object_arn(self.region, probe)}."
            )
        try:
            self._s3.put_object(Bucket=probe.bucket, Key=probe.key, Body=b"")
        except ClientError as error:
            raise _refused(refusal, f"S3 answered {error.response['Error']['Code']}.") from error

    def invocable(self, role: Role, teacher: ModelRef) -> None:
        """Check that the role may invoke a teacher that is called through an inference profile.

        Raises:
            AwsError: ValidationException, naming the resource that is missing from the role's policy.
        """
        if teacher.kind != "profile":
            return
        partition = partition_of(self.region)
        profile = f"{teacher.geography}.{teacher.model}"
        needed = (
            f"arn:{partition}:bedrock:{self.region}:{self.account_id}:inference-profile/{profile}",
            f"arn:{partition}:bedrock:{self.region}::foundation-model/{teacher.model}",
        )
        for resource in needed:
            if not role.may("bedrock:InvokeModel", resource, context={"aws:requestedregion": self.region}):
                raise _refused(
                    f"The role {role.arn} is not authorized to perform: bedrock:InvokeModel on resource: {resource}.",
                    "A teacher called by an inference profile needs it on the profile and on the models behind it.",
                )

    def key_arn(self, key_id: str | None) -> str:
        """The ARN of a KMS key given by id, alias or ARN; an empty string for none.

        Raises:
            AwsError: ValidationException where there is no such key.
        """
        if key_id is None:
            return ""
        try:
            return str(self.world.client("kms", self.region).describe_key(KeyId=key_id)["KeyMetadata"]["Arn"])
        except ClientError as error:
            raise _refused(
                f"The KMS key {key_id} is not valid.", "KMS has no such key in this region."
            ) from error

    @property
    def _s3(self) -> Any:
        return self.world.client("s3", self.region)

    def _spread(self, role: Role) -> bool:
        """Whether IAM has spread a role: old enough by the machine's clock, or waited out by the cloud's.

        The cloud's clock may run ahead of the machine's, by which IAM dates its roles, so that alone cannot tell.
        """
        if (datetime.now(UTC) - role.created).total_seconds() >= PROPAGATION_S:
            return True
        now = self.world.clock.monotonic()
        with self.world.lock:
            seen = Tables(self.world, self.region).roles
            first = seen.get(role.role_id)
            if first is None:
                first = seen.put(role.role_id, now)
        return now - first >= PROPAGATION_S

    def _bucket(self, bucket: str, refusal: str) -> None:
        try:
            found = self._s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"
        except ClientError as error:
            raise _refused(refusal, f"S3 answered {error.response['Error']['Code']}.") from error
        if found != self.region:
            raise _refused(
                refusal, f"The bucket is in {found}, and must be in the job's region, {self.region}."
            )

    def _may_read(self, role: Role, uri: S3Uri, refusal: str) -> None:
        if not self._may(role, "s3:GetObject", uri):
            raise _refused(
                refusal, f"The role {role.arn} needs s3:GetObject on {_object_arn(self.region, uri)}."
            )
        policy = bucket_policy(self.world, self.region, uri.bucket)
        bucket = f"arn:{partition_of(self.region)}:s3:::{uri.bucket}"
        # Which prefix Bedrock lists is not documented, so a condition that admits any of these is enough.
        if not any(
            role.may("s3:ListBucket", bucket, context={"s3:prefix": prefix}, resource_policy=policy)
            for prefix in _prefixes(uri.key)
        ):
            raise _refused(refusal, f"The role {role.arn} needs s3:ListBucket on {bucket}.")

    def _may(self, role: Role, action: str, uri: S3Uri) -> bool:
        policy = bucket_policy(self.world, self.region, uri.bucket)
        return role.may(action, _object_arn(self.region, uri), resource_policy=policy)

    def _may_use_key(self, role: Role, head: Mapping[str, Any], refusal: str) -> None:
        """An object under a customer's own key also takes kms:Decrypt."""
        if head.get("ServerSideEncryption") != "aws:kms" or not head.get("SSEKMSKeyId"):
            return
        try:
            key = self.world.client("kms", self.region).describe_key(KeyId=head["SSEKMSKeyId"])["KeyMetadata"]
        except ClientError:
            return  # moto stores objects under keys that are not there; nothing can be said about those
        via = {"kms:viaservice": f"s3.{self.region}.amazonaws.com"}
        if key.get("KeyManager") == "CUSTOMER" and not role.may("kms:Decrypt", key["Arn"], context=via):
            raise _refused(refusal, f"The role {role.arn} needs kms:Decrypt on {key['Arn']}.")


def _object_arn(region: str, uri: S3Uri) -> str:
    return f"arn:{partition_of(region)}:s3:::{uri.bucket}/{uri.key}"


def _prefixes(key: str) -> Iterator[str]:
    folder = key.rpartition("/")[0]
    yield from (key, f"{folder}/", folder, "")


def _refused(words: str, hint: str) -> AwsError:
    return AwsError("ValidationException", f"{words} {hint}")
