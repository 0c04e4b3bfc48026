"""Create, Get, List, Start, Stop and DeleteApplication."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.clock import Phase
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.listing import page
from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.emr_serverless.state import (
    Application,
    Tables,
    answered_before,
    remember,
)

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["DEFAULT_PAGE", "Applications"]

DEFAULT_PAGE = 50
"""Results a page where the caller does not say: the most that the model allows, for AWS does not publish its own number."""

_LASTS_S = {"CREATING": 10.0, "STARTING": 20.0, "STOPPING": 10.0}
"""Seconds of each passage under the `real` clock. AWS states none; seconds to a minute are usual."""

_RELEASE = re.compile(r"emr-(spark-)?\d+\.\d+[A-Za-z0-9._/-]*")
_ENGINES = ("spark", "hive")

_ECHOED = (
    "name",
    "releaseLabel",
    "initialCapacity",
    "maximumCapacity",
    "tags",
    "networkConfiguration",
    "runtimeConfiguration",
    "monitoringConfiguration",
    "diskEncryptionConfiguration",
    "interactiveConfiguration",
    "schedulerConfiguration",
)
"""Members of the request that the answer repeats."""


class Applications:
    """Applications."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("emr-serverless/applications")

    def create(self, call: Call) -> dict[str, Any]:
        """Make an application, unless the token has made one."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            if known := answered_before(tables, call):
                return _created(self._row(tables, known))
            _check(call)
            now = moment(self._world)
            application = Application(
                id=f"00f{self._ids.token(13)}",
                serial=tables.next_serial(),
                region=call.region,
                account_id=call.account_id,
                request=dict(call.params),
                created=now,
                updated=now,
                settles="CREATED",
                passing=self._world.clock.phases([Phase("CREATING", lasts_s=_LASTS_S["CREATING"])]),
            )
            tables.applications.put(application.id, application)
            remember(tables, call, application.id)
        if application.passing is not None:
            application.passing.start()
        return _created(application)

    def get(self, call: Call) -> dict[str, Any]:
        """One application; a deleted one is shown as TERMINATED."""
        application = self.look(call, call.params["applicationId"])
        answer: dict[str, Any] = {
            "applicationId": application.id,
            "arn": application.arn,
            "type": _type_of(application),
            "state": application.state,
            "createdAt": application.created,
            "updatedAt": application.updated,
            "architecture": application.request.get("architecture", "X86_64"),
            "autoStartConfiguration": {"enabled": application.starts_itself},
            "autoStopConfiguration": {"enabled": application.idle_s is not None},
        }
        if application.idle_s is not None:
            answer["autoStopConfiguration"]["idleTimeoutMinutes"] = int(application.idle_s // 60)
        repeated = {name: application.request.get(name) for name in _ECHOED}
        return {
            "application": answer | {name: value for name, value in repeated.items() if value is not None}
        }

    def list(self, call: Call) -> dict[str, Any]:
        """The region's applications, deleted ones too, newest first."""
        tables = Tables(self._world, call.region)
        for application in tables.applications:
            self._see(tables, application)
        wanted = call.params.get("states")
        found = tables.applications.where(lambda each: not wanted or each.state in wanted)
        size = call.params.get("maxResults") or DEFAULT_PAGE
        return page(found, {**call.params, "maxResults": size}, member="applications", summary=_summary)

    def start(self, call: Call) -> dict[str, Any]:
        """Bring an application to STARTED."""
        self._go(call, allowed=("CREATED", "STOPPED"), through="STARTING", to="STARTED")
        return {}

    def stop(self, call: Call) -> dict[str, Any]:
        """Bring an application to STOPPED; its runs must be over."""
        tables = Tables(self._world, call.region)
        identifier = call.params["applicationId"]
        with self._world.lock:
            if busy := tables.runs.where(lambda run: run.application.id == identifier and not run.over):
                raise AwsError(
                    "ValidationException",
                    f"Application {identifier} has {len(busy)} job runs that are not over. Cancel them, or wait for them.",
                )
        self._go(call, allowed=("STARTED",), through="STOPPING", to="STOPPED")
        return {}

    def delete(self, call: Call) -> dict[str, Any]:
        """Terminate an application that is created or stopped."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            application = self.look(call, call.params["applicationId"])
            _must_be(application, ("CREATED", "STOPPED"))
            gone = replace(application, settles="TERMINATED", passing=None, updated=moment(self._world))
            tables.applications.put(gone.id, gone)
        return {}

    def look(self, call: Call, identifier: str) -> Application:
        """An application as it is now; a look moves it on where the clock counts looks.

        Raises:
            AwsError: ResourceNotFoundException where there is none.
        """
        tables = Tables(self._world, call.region)
        application = self._row(tables, identifier)
        return self._see(tables, application)

    def ready_for_runs(self, call: Call, identifier: str) -> Application:
        """An application that a run can be started in, on its way to STARTED if it was not.

        Raises:
            AwsError: ResourceNotFoundException where there is none, ValidationException in any other state.
        """
        with self._world.lock:
            application = self.look(call, identifier)
            itself = ("CREATED", "STOPPED") if application.starts_itself else ()
            _must_be(application, (*itself, "STARTING", "STARTED"))
            if application.state in itself:
                application = self._pass(application, through="STARTING", to="STARTED")
        return application

    def _go(self, call: Call, *, allowed: tuple[str, ...], through: str, to: str) -> None:
        with self._world.lock:
            application = self.look(call, call.params["applicationId"])
            _must_be(application, allowed)
            self._pass(application, through=through, to=to)

    def _pass(self, application: Application, *, through: str, to: str) -> Application:
        passing = self._world.clock.phases([Phase(through, lasts_s=_LASTS_S[through])])
        moved = replace(application, settles=to, passing=passing, updated=moment(self._world))
        Tables(self._world, application.region).applications.put(moved.id, moved)
        passing.start()
        return moved

    def _see(self, tables: Tables, application: Application) -> Application:
        if application.passing is not None:
            application.passing.observe()
        return self._stop_if_idle(tables, application)

    def _stop_if_idle(self, tables: Tables, application: Application) -> Application:
        """Stop an application that has been idle for as long as it wants to be."""
        if application.state != "STARTED" or application.idle_s is None:
            return application
        with self._world.lock:
            runs = tables.runs.where(lambda run: run.application.id == application.id)
            if any(not run.over for run in runs):
                return application
            ends = [run.phases.ended_at for run in runs if run.phases.ended_at is not None]
            idle = self._world.clock.now() - max([application.updated, *ends])
            if idle.total_seconds() < application.idle_s:
                return application
            stopped = replace(application, settles="STOPPED", passing=None, updated=moment(self._world))
            return tables.applications.put(stopped.id, stopped)

    def _row(self, tables: Tables, identifier: str) -> Application:
        application = tables.applications.get(identifier)
        if application is None:
            raise AwsError("ResourceNotFoundException", f"Application {identifier} does not exist.")
        return application


def _check(call: Call) -> None:
    """What AWS refuses beyond its model."""
    if call.params["type"].lower() not in _ENGINES:
        raise AwsError(
            "ValidationException",
            f"Type {call.params['type']} is not supported. Supported types: SPARK, HIVE.",
        )
    if not _RELEASE.fullmatch(call.params["releaseLabel"]):
        raise AwsError("ValidationException", f"Release label {call.params['releaseLabel']} does not exist.")


def _must_be(application: Application, allowed: tuple[str, ...]) -> None:
    if application.state not in allowed:
        raise AwsError(
            "ValidationException",
            f"Application {application.id} must be in one of the following statuses [{', '.join(allowed)}]. "
            f"Current status: {application.state}",
        )


def _created(application: Application) -> dict[str, Any]:
    answer = {"applicationId": application.id, "arn": application.arn}
    name = application.request.get("name")
    return answer | ({"name": name} if name else {})


def _type_of(application: Application) -> str:
    """AWS answers `Spark` whatever the case of the request was."""
    return str(application.request["type"]).capitalize()


def _summary(application: Application) -> dict[str, Any]:
    summary = {
        "id": application.id,
        "arn": application.arn,
        "releaseLabel": application.request["releaseLabel"],
        "type": _type_of(application),
        "state": application.state,
        "createdAt": application.created,
        "updatedAt": application.updated,
        "architecture": application.request.get("architecture", "X86_64"),
    }
    name = application.request.get("name")
    return summary | ({"name": name} if name else {})
