"""The `emr-serverless` service: applications, and job runs that really run on this machine's Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.local.services.emr_serverless.applications import Applications
from bedrock_distill.local.services.emr_serverless.driver_process import run_driver
from bedrock_distill.local.services.emr_serverless.job_runs import JobRuns

if TYPE_CHECKING:
    from typing import Any

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.emr_serverless.running import Launcher
    from bedrock_distill.local.world import World

__all__ = ["EmrServerless"]


class EmrServerless:
    """Every operation of `emr-serverless` that the local cloud has, as a method; one that is missing here it has not.

    Args:
        world: The cloud.
        launcher: Who runs entry points. None takes `driver_process.run_driver`, a process with a Spark of its own; a
            stand-in makes tests of everything else fast.
    """

    def __init__(self, world: World, *, launcher: Launcher | None = None) -> None:
        self._applications = Applications(world)
        self._runs = JobRuns(world, self._applications, launcher=launcher or run_driver)

    def create_application(self, call: Call) -> dict[str, Any]:
        """Make an application."""
        return self._applications.create(call)

    def get_application(self, call: Call) -> dict[str, Any]:
        """One application, deleted ones too."""
        return self._applications.get(call)

    def list_applications(self, call: Call) -> dict[str, Any]:
        """The region's applications."""
        return self._applications.list(call)

    def start_application(self, call: Call) -> dict[str, Any]:
        """Bring an application to STARTED."""
        return self._applications.start(call)

    def stop_application(self, call: Call) -> dict[str, Any]:
        """Bring an application to STOPPED."""
        return self._applications.stop(call)

    def delete_application(self, call: Call) -> dict[str, Any]:
        """Terminate an application that is not started."""
        return self._applications.delete(call)

    def start_job_run(self, call: Call) -> dict[str, Any]:
        """Start a run of an entry point."""
        return self._runs.start(call)

    def get_job_run(self, call: Call) -> dict[str, Any]:
        """One run."""
        return self._runs.get(call)

    def list_job_runs(self, call: Call) -> dict[str, Any]:
        """An application's runs."""
        return self._runs.list(call)

    def cancel_job_run(self, call: Call) -> dict[str, Any]:
        """Ask a run to end."""
        return self._runs.cancel(call)
