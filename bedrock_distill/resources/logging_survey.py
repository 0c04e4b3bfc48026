"""Looking before logging is switched on or off: the configuration, and the bucket that it is to write into. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketRules, Buckets, BucketState, KeyState, ObjectStore, Roles, Settings
from bedrock_distill.errors import AccessDeniedError, DataError, NotFoundError
from bedrock_distill.plan import Setting
from bedrock_distill.resources.invocation_logging import (
    LOGGING,
    InvocationLogging,
    LoggingOff,
    LoggingRestored,
    log_root,
)

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.resources.invocation_logging import CloudWatchLogs
    from bedrock_distill.uris import S3Uri

__all__ = ["LogGroupState", "LoggingSpec", "LoggingSurvey", "PolicyState", "policy_setting", "survey_logging"]

LoggingSpec = InvocationLogging | LoggingOff | LoggingRestored
"""What can be wanted of model invocation logging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """A bucket's policy."""

    document: dict[str, Any] | None = None
    """None where there is none."""
    hidden: bool = False
    """Whether these credentials may not read it."""
    broken: str = ""
    """Why it cannot be read as a policy, or an empty string."""

    @property
    def known(self) -> bool:
        """Whether it can be merged with."""
        return not (self.hidden or self.broken)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroupState:
    """A log group, and the role that is to write to it. None where these credentials may not ask."""

    exists: bool | None = None
    role_exists: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSurvey:
    """What was found."""

    region: str
    account_id: str
    partition: str
    configuration: dict[str, Any] | None = None
    """The account's configuration in the region, None where logging is off."""
    bucket: BucketState | None = None
    """None where the spec names no bucket."""
    rules: BucketRules | None = None
    """None where the bucket is not there, or may not be looked at."""
    policy: PolicyState = PolicyState()
    wanted_key: KeyState | None = None
    """The key that the spec asks for."""
    log_group: LogGroupState = LogGroupState()

    def root(self, uri: S3Uri) -> S3Uri:
        """The folder that Bedrock writes this account's logs into, for a destination."""
        return log_root(uri, self.account_id)


def policy_setting(bucket: str, account_id: str) -> Setting:
    """A bucket's policy as a setting. The owner is part of every request: a bucket that changed hands is left alone."""
    return Setting(
        service="s3",
        get="get_bucket_policy",
        put="put_bucket_policy",
        delete="delete_bucket_policy",
        member="Policy",
        where={"Bucket": bucket, "ExpectedBucketOwner": account_id},
        absent="NoSuchBucketPolicy",
        text=True,
    )


def survey_logging(spec: LoggingSpec, clients: Clients) -> LoggingSurvey:
    """Read what a plan for model invocation logging depends on.

    Raises:
        AccessDeniedError: If these credentials may not read the configuration.
        ServiceError: If AWS cannot be asked what must be known.
    """
    place: dict[str, Any] = {
        "region": clients.region,
        "account_id": clients.account_id,
        "partition": clients.partition,
        "configuration": read_configuration(clients),
    }
    if isinstance(spec, LoggingRestored):
        return LoggingSurvey(**place)
    if isinstance(spec, LoggingOff):
        policy = read_policy(clients, spec.bucket) if spec.remove_policy else PolicyState()
        return LoggingSurvey(**place, policy=policy)
    bucket = ObjectStore(clients).bucket(spec.bucket)
    buckets = Buckets(clients)
    seen = bucket.exists and not bucket.forbidden
    rules = buckets.rules(spec.bucket) if seen else None
    return LoggingSurvey(
        **place,
        bucket=bucket,
        rules=rules,
        policy=read_policy(clients, spec.bucket) if rules and not rules.foreign else PolicyState(),
        wanted_key=buckets.key(spec.kms_key) if spec.kms_key else None,
        log_group=_log_group(clients, spec.cloudwatch) if spec.cloudwatch else LogGroupState(),
    )


def read_configuration(clients: Clients) -> dict[str, Any] | None:
    """The account's configuration in the region, None where logging is off."""
    try:
        found: dict[str, Any] | None = Settings(clients).read(LOGGING)
    except AccessDeniedError as error:
        raise error.advised(
            "Setting the configuration replaces all of it, so nothing is done without reading it first: "
            "allow bedrock:GetModelInvocationLoggingConfiguration."
        ) from error
    return found


def read_policy(clients: Clients, bucket: str) -> PolicyState:
    """A bucket's policy, as far as these credentials may see it."""
    try:
        return PolicyState(document=Settings(clients).read(policy_setting(bucket, clients.account_id)))
    except AccessDeniedError:
        return PolicyState(hidden=True)
    except NotFoundError:
        # The bucket is gone, and its policy with it.
        return PolicyState()
    except DataError as error:
        return PolicyState(broken=error.message)


def _log_group(clients: Clients, wanted: CloudWatchLogs) -> LogGroupState:
    exists: bool | None
    try:
        groups = clients.pages(
            "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=wanted.log_group
        )
        exists = any(group["logGroupName"] == wanted.log_group for group in groups)
    except AccessDeniedError:
        exists = None
    role_exists: bool | None
    try:
        found = Roles(clients).find(wanted.role.rpartition("/")[2])
        role_exists = found is not None and found.arn == wanted.role
    except AccessDeniedError:
        role_exists = None
    return LogGroupState(exists=exists, role_exists=role_exists)
