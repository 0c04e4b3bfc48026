"""What the EMR Serverless service remembers: applications, job runs, and the tokens they were asked for with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.uris import Arn, partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.clock import Phases
    from bedrock_distill.local.store import Table
    from bedrock_distill.local.world import World

__all__ = ["Application", "JobRun", "Tables", "answered_before", "remember"]

_ENDED = {"done": "SUCCESS", "failed": "FAILED", "stopped": "CANCELLED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application."""

    id: str
    serial: int
    region: str
    account_id: str
    request: Mapping[str, Any]
    """The parameters it was created with."""
    created: datetime
    updated: datetime
    settles: str
    """The state it is in once it has passed through what it passes through now."""
    passing: Phases | None = field(default=None, repr=False)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(
            Arn(
                partition_of(self.region),
                "emr-serverless",
                self.region,
                self.account_id,
                f"/applications/{self.id}",
            )
        )

    @property
    def state(self) -> str:
        """The state, as AWS names it."""
        return (self.passing.current if self.passing is not None else None) or self.settles

    @property
    def starts_itself(self) -> bool:
        """Whether a run starts it."""
        return bool((self.request.get("autoStartConfiguration") or {}).get("enabled", True))

    @property
    def idle_s(self) -> float | None:
        """Seconds without a run after which it stops by itself; None for never."""
        configured = self.request.get("autoStopConfiguration") or {}
        return 60.0 * configured.get("idleTimeoutMinutes", 15) if configured.get("enabled", True) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """A job run."""

    id: str
    serial: int
    application: Application
    request: Mapping[str, Any]
    """The parameters it was started with."""
    created_by: str
    created: datetime
    phases: Phases = field(repr=False)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"{self.application.arn}/jobruns/{self.id}"

    @property
    def state(self) -> str:
        """The state, as AWS names it."""
        if self.phases.outcome != "running":
            return _ENDED[self.phases.outcome]
        if self.phases.stopping.is_set():
            return "CANCELLING"
        return self.phases.current or "SUBMITTED"

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.phases.outcome != "running"


class Tables:
    """One region's tables, typed."""

    def __init__(self, world: World, region: str) -> None:
        self.applications: Table[Application] = world.store.table("emr-serverless/applications", region)
        self.runs: Table[JobRun] = world.store.table("emr-serverless/job-runs", region)
        self.tokens: Table[tuple[str, str]] = world.store.table("emr-serverless/client-tokens", region)
        """`operation:token` -> digest of the request, and the id it was answered with."""
        self._serials: Table[int] = world.store.table("emr-serverless/serials", region)

    def next_serial(self) -> int:
        """The next number in the order of making. Hold the world's lock."""
        return self._serials.put("last", (self._serials.get("last") or 0) + 1)


def answered_before(tables: Tables, call: Call) -> str | None:
    """The id that an earlier request with this client token was answered with; None for a new token.

    Raises:
        AwsError: ConflictException for a token that came before with other parameters.
    """
    known = tables.tokens.get(_token(call))
    if known is None:
        return None
    digest, answered = known
    if digest != _digest(call):
        raise AwsError(
            "ConflictException",
            "The client token was used before with other parameters. Use a new token for a new request.",
        )
    return answered


def remember(tables: Tables, call: Call, answered: str) -> None:
    """Note what a token was answered with."""
    tables.tokens.put(_token(call), (_digest(call), answered))


def _token(call: Call) -> str:
    return f"{call.operation}:{call.params['clientToken']}"


def _digest(call: Call) -> str:
    return hashlib.sha256(json.dumps(dict(call.params), sort_keys=True, default=str).encode()).hexdigest()
