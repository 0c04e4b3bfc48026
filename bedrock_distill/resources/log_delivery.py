"""What is delivered now: whether logging is on, where logs go, whether they can get there, and when the last one came."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import Settings
from bedrock_distill.errors import AccessDeniedError, NotFoundError
from bedrock_distill.plan import PutSetting
from bedrock_distill.resources.bucket_policy import delivery_statement, judge
from bedrock_distill.resources.invocation_logging import destination_of, log_root
from bedrock_distill.resources.logging_plan import FLAGS, plan_logging
from bedrock_distill.resources.logging_survey import (
    LoggingSpec,
    PolicyState,
    read_configuration,
    read_policy,
    survey_logging,
)
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.plan import Plan

__all__ = ["LogDelivery", "LoggingStatus"]

_LATEST_HOURS = 3
"""Newest hours that are looked into for a log object; an hour may hold only large bodies."""

_LISTED_OBJECTS = 10_000
"""Objects of one hour that are looked at: ten requests. In an hour with more, the newest may be a later one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingStatus:
    """Model invocation logging of an account and region at one moment."""

    region: str
    account_id: str
    enabled: bool
    """Whether anything is logged to anywhere."""
    configuration: dict[str, Any] | None
    """As Bedrock writes it."""
    destination: str | None = None
    """S3 URI of bucket and prefix, as `logs enable` takes it."""
    folder: str | None = None
    """S3 URI of the folder that the region's log objects lie under."""
    log_group: str | None = None
    delivered: tuple[str, ...] = ()
    """Kinds of data that are delivered: text, image, embedding, video, audio."""
    policy: str | None = None
    """What the bucket policy says to Bedrock: `allows`, `may deny`, `does not allow`, or `unknown`; None without a bucket."""
    newest: str | None = None
    """S3 URI of the newest log object, or None where none was found."""
    newest_at: datetime | None = None
    hints: dict[str, str] = field(default_factory=dict)
    """What to know or do, by a short stable name."""

    def to_dict(self) -> dict[str, Any]:
        """The status as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class LogDelivery:
    """Handle of an account's model invocation logging in a region."""

    clients: Clients

    def describe(self) -> dict[str, Any] | None:
        """The configuration as Bedrock writes it, None where logging is off."""
        return read_configuration(self.clients)

    def plan(self, spec: LoggingSpec) -> Plan:
        """Say what a spec would change. Reads, and writes nothing.

        Raises:
            SpecError: If AWS's model refuses what would be put.
            ServiceError: If AWS cannot be asked what must be known.
        """
        plan = plan_logging(spec, survey_logging(spec, self.clients))
        for step in plan.steps:
            if isinstance(step, PutSetting):
                Settings(self.clients).check(step.setting, step.after)
        return plan

    def status(self) -> LoggingStatus:
        """Look at the configuration, the bucket policy and the newest log object; about eight requests.

        Raises:
            AccessDeniedError: If these credentials may not read the configuration.
        """
        configuration = self.describe()
        region, account_id = self.clients.region, self.clients.account_id
        uri = destination_of(configuration)
        group = (configuration or {}).get("cloudWatchConfig") or {}
        seen: dict[str, Any] = {"log_group": group.get("logGroupName")}
        hints: dict[str, str] = {}
        if configuration is not None:
            seen["delivered"] = tuple(name for name, flag in FLAGS.items() if configuration.get(flag))
        if uri is not None:
            folder = log_root(uri, account_id) / f"{region}/"
            seen |= {"destination": str(uri), "folder": str(folder)}
            seen["policy"], about_policy = self._policy(uri)
            (newest, seen["newest_at"]), about_newest = self._newest(folder)
            seen["newest"] = None if newest is None else str(newest)
            # Where the bucket is gone, its policy is no news.
            hints |= about_newest if "no-bucket" in about_newest else about_policy | about_newest
        return LoggingStatus(
            region=region,
            account_id=account_id,
            enabled=configuration is not None,
            configuration=configuration,
            hints=_hints(configuration, uri) | hints,
            **seen,
        )

    def _policy(self, uri: S3Uri) -> tuple[str, dict[str, str]]:
        account_id = self.clients.account_id
        state: PolicyState = read_policy(self.clients, uri.bucket)
        if not state.known:
            return "unknown", {}
        statement = delivery_statement(
            partition=self.clients.partition,
            region=self.clients.region,
            account_id=account_id,
            root=log_root(uri, account_id),
        )
        verdict = judge(state.document, statement)
        if verdict.denied_by:
            return "may deny", {
                "policy-may-deny": f"Statements of the bucket policy of {uri.bucket} may keep Bedrock from writing: "
                f"{', '.join(verdict.denied_by)}."
            }
        if verdict.allows:
            return "allows", {}
        return "does not allow", {
            "policy": f"The bucket policy of {uri.bucket} does not let Bedrock write there, so logs are lost: "
            f"bedrock-distill logs enable {uri} adds the statement."
        }

    def _newest(self, folder: S3Uri) -> tuple[tuple[S3Uri | None, datetime | None], dict[str, str]]:
        try:
            found = newest_log(self.clients, folder)
        except NotFoundError:
            return (None, None), {"no-bucket": f"The bucket {folder.bucket} is gone, and logs with it."}
        except AccessDeniedError:
            return (None, None), {
                "not-listed": f"These credentials may not list {folder} (s3:ListBucket): whether logs come is not known."
            }
        if found is None:
            return (None, None), {"nothing-yet": "No log object yet: they come minutes after a call."}
        return found, {}


def newest_log(clients: Clients, folder: S3Uri) -> tuple[S3Uri, datetime] | None:
    """The newest log object under a region's folder, and when it came.

    Years, months, days and hours are folders, so that their newest ones are found without listing what lies in the others.
    """
    for hour in islice(_newest_folders(clients, folder, depth=4), _LATEST_HOURS):
        objects = clients.pages(
            "s3", "list_objects_v2", "Contents", Bucket=hour.bucket, Prefix=hour.key, Delimiter="/"
        )
        logs = [
            (item["LastModified"], S3Uri(hour.bucket, item["Key"]))
            for item in islice(objects, _LISTED_OBJECTS)
        ]
        if logs:
            at, uri = max(logs)
            return uri, at.astimezone(UTC)
    return None


def _newest_folders(clients: Clients, folder: S3Uri, *, depth: int) -> Iterator[S3Uri]:
    """Folders `depth` levels down, newest first, by their names."""
    if depth == 0:
        yield folder
        return
    inner = clients.pages(
        "s3", "list_objects_v2", "CommonPrefixes", Bucket=folder.bucket, Prefix=folder.key, Delimiter="/"
    )
    for prefix in sorted((item["Prefix"] for item in inner), reverse=True):
        yield from _newest_folders(clients, S3Uri(folder.bucket, prefix), depth=depth - 1)


def _hints(configuration: dict[str, Any] | None, uri: S3Uri | None) -> dict[str, str]:
    """What holds whatever the bucket says."""
    if configuration is None:
        return {"off": "Nothing is logged: bedrock-distill logs enable s3://BUCKET/PREFIX"}
    found = {}
    if not configuration.get(FLAGS["text"]):
        found["no-bodies"] = (
            "Text is not delivered: the records hold neither prompts nor answers, and cannot become training data. "
            + (f"bedrock-distill logs enable {uri} delivers it." if uri else "")
        ).strip()
    if uri is None:
        found["no-bucket-destination"] = (
            "Logs go to a log group only: neither Bedrock's distillation jobs nor this package read them there."
        )
    found["mantle"] = "Calls through the bedrock-mantle endpoint are not logged, whatever is set here."
    return found
