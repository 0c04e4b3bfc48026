"""Model invocation logging of an account and region: what the user writes.

There is one configuration per account and region, and putting it replaces all of it. So the plans made from these specs
(`logging_plan`) change what the spec speaks of and keep the rest, and carry the value that they replace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from bedrock_distill.plan import Setting
from bedrock_distill.resources import fields
from bedrock_distill.resources.spec import Spec
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LOGGING",
    "CloudWatchLogs",
    "InvocationLogging",
    "LoggingOff",
    "LoggingRestored",
    "destination_of",
    "log_root",
]

LOGGING = Setting(
    service="bedrock",
    get="get_model_invocation_logging_configuration",
    put="put_model_invocation_logging_configuration",
    delete="delete_model_invocation_logging_configuration",
    member="loggingConfig",
)
"""Where AWS keeps the configuration."""

_LONGEST_PREFIX = 800
"""Characters of a prefix: S3 allows keys of 1,024, and Bedrock's own part of a key needs the rest."""


class _Destination(Spec):
    """A place in S3 that logs go to."""

    bucket: str
    """Name of a bucket of this account, in the same region."""
    prefix: str = ""
    """What the keys of all log objects begin with, without slashes at its ends. Default: nothing."""

    @field_validator("bucket")
    @classmethod
    def _bucket(cls, value: str) -> str:
        if S3Uri.parse(f"s3://{value}").key or value.endswith("/"):
            raise ValueError("must be a bucket's name alone; what follows it is the prefix")
        return value

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        value = value.strip("/")
        if "//" in value or any(not char.isprintable() for char in value):
            raise ValueError("must have single slashes and printable characters only")
        if len(value) > _LONGEST_PREFIX:
            raise ValueError(f"must have at most {_LONGEST_PREFIX} characters")
        return value

    @property
    def uri(self) -> S3Uri:
        """Bucket and prefix as a URI."""
        return S3Uri(self.bucket, self.prefix)

    def s3_config(self) -> dict[str, str]:
        """The destination as Bedrock writes it."""
        return {"bucketName": self.bucket} | ({"keyPrefix": self.prefix} if self.prefix else {})


class CloudWatchLogs(Spec):
    """A log group that gets the records, too."""

    log_group: str = Field(min_length=1, max_length=512)
    """Name of the log group, which must be there."""
    role: str
    """ARN of a role that Bedrock may assume, and that may write to the group."""
    large_bodies: bool = True
    """Whether bodies that are too large for an event (above 100 KB) go to the S3 destination."""

    _role = field_validator("role")(fields.check_role)


class InvocationLogging(_Destination):
    """Log every model invocation of an account and region to S3."""

    text: bool = True
    """Whether prompts and answers are logged. Without them the records say only who called what, and when."""
    image: bool | None = None
    """Whether images are logged, too. Default for this and the next three: as it is, and where logging is off, not."""
    embedding: bool | None = None
    video: bool | None = None
    audio: bool | None = None
    cloudwatch: CloudWatchLogs | None = None
    """A log group beside S3. Default: as it is."""
    kms_key: str | None = None
    """The key that the bucket must be encrypted with. It is checked, and nothing is encrypted or changed."""
    replace: bool = False
    """Whether a destination that is set and differs may be replaced."""

    _key = field_validator("kms_key")(fields.check_key)


class LoggingOff(_Destination):
    """No more logs to this place in S3. Other destinations and the log objects stay."""

    remove_policy: bool = False
    """Whether the bucket policy's statement for this destination is removed, too."""


class LoggingRestored(Spec):
    """The configuration as it was before, such as a plan's step or the journal remembers it."""

    configuration: dict[str, Any] | None
    """As Bedrock writes it; None where logging was off."""


def log_root(uri: S3Uri, account_id: str) -> S3Uri:
    """The folder that Bedrock writes an account's logs into, for a destination."""
    return uri / f"AWSLogs/{account_id}/BedrockModelInvocationLogs"


def destination_of(configuration: Mapping[str, Any] | None) -> S3Uri | None:
    """Where a configuration sends logs in S3, or None."""
    target = (configuration or {}).get("s3Config")
    return S3Uri(target["bucketName"], (target.get("keyPrefix") or "").strip("/")) if target else None
