"""Start, Get, List and CancelJobRun."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.emr_serverless.applications import DEFAULT_PAGE
from bedrock_distill.local.services.emr_serverless.running import Running, details_of
from bedrock_distill.local.services.emr_serverless.state import (
    JobRun,
    Tables,
    answered_before,
    remember,
)

if TYPE_CHECKING:
    from datetime import datetime

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.emr_serverless.applications import Applications
    from bedrock_distill.local.services.emr_serverless.running import Launcher
    from bedrock_distill.local.world import World

__all__ = ["JobRuns"]

_ECHOED = ("name", "configurationOverrides", "tags", "retryPolicy", "executionIamPolicy")
"""Members of the request that the answer repeats."""

_DEFAULT_TIMEOUT_MINUTES = 720
"""AWS's own, for batch runs."""

_WORKER = {"vCPUHour": 4.0, "memoryGBHour": 16.0, "storageGBHour": 0.0}
"""What an hour of one worker counts; a run here counts as a driver and one executor."""
_WORKERS = 2


class JobRuns:
    """Job runs.

    Args:
        world: The cloud.
        applications: The applications they run in.
        launcher: Who runs entry points.
    """

    def __init__(self, world: World, applications: Applications, *, launcher: Launcher) -> None:
        self._world, self._applications, self._launcher = world, applications, launcher
        self._slot = threading.Semaphore(1)
        self._ids = world.ids.spawn("emr-serverless/job-runs")

    def start(self, call: Call) -> dict[str, Any]:
        """Start a run, unless the token has started one."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            if known := answered_before(tables, call):
                return _started(_row(tables, call.params["applicationId"], known))
            _check(call)
            application = self._applications.ready_for_runs(call, call.params["applicationId"])
            _fits(call, application.request["type"])
            running = Running(
                self._world,
                call,
                launcher=self._launcher,
                slot=self._slot,
                timeout_s=60.0 * (call.params.get("executionTimeoutMinutes") or _DEFAULT_TIMEOUT_MINUTES),
            )
            run = JobRun(
                id=f"00f{self._ids.token(13)}",
                serial=tables.next_serial(),
                application=application,
                request=dict(call.params),
                created_by=call.caller_arn,
                created=moment(self._world),
                phases=running.phases,
            )
            tables.runs.put(run.id, run)
            remember(tables, call, run.id)
        running.start(run)
        return _started(run)

    def get(self, call: Call) -> dict[str, Any]:
        """One run."""
        tables = Tables(self._world, call.region)
        run = _row(tables, call.params["applicationId"], call.params["jobRunId"])
        if call.params.get("attempt", 1) != 1:
            raise AwsError("ResourceNotFoundException", f"Job run {run.id} has one attempt.")
        # The run starts its application: whoever watches the one moves the other.
        self._applications.look(call, run.application.id)
        run.phases.observe()
        phases = run.phases
        answer: dict[str, Any] = {
            **_common(run),
            "jobRunId": run.id,
            "jobDriver": run.request["jobDriver"],
            "executionTimeoutMinutes": run.request.get("executionTimeoutMinutes") or _DEFAULT_TIMEOUT_MINUTES,
            **{name: run.request[name] for name in _ECHOED if run.request.get(name) is not None},
        }
        if "RUNNING" in phases.entered:
            answer["startedAt"] = phases.entered["RUNNING"]
        if phases.ended_at is not None:
            seconds = (phases.ended_at - answer.get("startedAt", run.created)).total_seconds()
            used = {name: round(value * _WORKERS * seconds / 3600, 3) for name, value in _WORKER.items()}
            answer |= {
                "endedAt": phases.ended_at,
                "totalExecutionDurationSeconds": int(seconds),
                "totalResourceUtilization": used,
                "billedResourceUtilization": used,
            }
        return {"jobRun": answer}

    def list(self, call: Call) -> dict[str, Any]:
        """An application's runs, filtered and paged, newest first."""
        wanted = call.params
        tables = Tables(self._world, call.region)
        if wanted["applicationId"] not in tables.applications:
            # The operation's model has no ResourceNotFoundException.
            raise AwsError("ValidationException", f"Application {wanted['applicationId']} does not exist.")
        runs = tables.runs.where(
            lambda run: (
                run.application.id == wanted["applicationId"]
                and (not wanted.get("states") or run.state in wanted["states"])
                and wanted.get("mode") in (None, "BATCH")
                and created_within(run, wanted, after="createdAtAfter", before="createdAtBefore")
            )
        )
        size = wanted.get("maxResults") or DEFAULT_PAGE
        return page(runs, {**wanted, "maxResults": size}, member="jobRuns", summary=_summary)

    def cancel(self, call: Call) -> dict[str, Any]:
        """Ask a run to end."""
        tables = Tables(self._world, call.region)
        run = _row(tables, call.params["applicationId"], call.params["jobRunId"])
        if run.over:
            raise AwsError(
                "ValidationException", f"Job run {run.id} cannot be cancelled: its state is {run.state}."
            )
        run.phases.stop()
        return {"applicationId": run.application.id, "jobRunId": run.id}


def _row(tables: Tables, application_id: str, identifier: str) -> JobRun:
    run = tables.runs.get(identifier)
    if application_id not in tables.applications or run is None or run.application.id != application_id:
        raise AwsError(
            "ResourceNotFoundException",
            f"Job run {identifier} does not exist in application {application_id}.",
        )
    return run


def _check(call: Call) -> None:
    if call.params.get("mode", "BATCH") != "BATCH":
        raise AwsError("ValidationException", "The local cloud has runs of mode BATCH only.")
    if call.params.get("jobDriver") is None:
        raise AwsError("ValidationException", "jobDriver must not be null.")


def _fits(call: Call, engine: str) -> None:
    driver = next(iter(call.params["jobDriver"]))
    if {"sparkSubmit": "spark", "hive": "hive"}.get(driver) != engine.lower():
        raise AwsError(
            "ValidationException", f"A job driver {driver} does not fit an application of type {engine}."
        )


def _started(run: JobRun) -> dict[str, Any]:
    return {"applicationId": run.application.id, "jobRunId": run.id, "arn": run.arn}


def _updated(run: JobRun) -> datetime:
    phases = run.phases
    return max([run.created, *phases.entered.values(), *phases.left.values()])


def _common(run: JobRun) -> dict[str, Any]:
    return {
        "applicationId": run.application.id,
        "arn": run.arn,
        "createdBy": run.created_by,
        "createdAt": run.created,
        "updatedAt": _updated(run),
        "executionRole": run.request["executionRoleArn"],
        "state": run.state,
        "stateDetails": details_of(run),
        "releaseLabel": run.application.request["releaseLabel"],
        "mode": "BATCH",
        "attempt": 1,
        "attemptCreatedAt": run.created,
        "attemptUpdatedAt": _updated(run),
    }


def _summary(run: JobRun) -> dict[str, Any]:
    summary = _common(run) | {"id": run.id, "type": next(iter(run.request["jobDriver"]))}
    name = run.request.get("name")
    return summary | ({"name": name} if name else {})
