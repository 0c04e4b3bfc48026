"""`bedrock-distill harvest`: runs on EMR Serverless, and the applications they run in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, duration, table
from bedrock_distill.cli.waiting import emit_unfinished, wait_and_emit

if TYPE_CHECKING:
    from bedrock_distill.resources import HarvestStatus

__all__ = ["command"]


@click.group("harvest", short_help="List, show, wait for and stop harvests on EMR Serverless.")
def command() -> None:
    """List, show, wait for and stop harvests on EMR Serverless, and remove their applications.

    A harvest is planned from a job file with a [harvest] table: `bedrock-distill plan harvest.toml`.
    """


@command.command("list")
@common_options
def list_runs(settings: Settings) -> None:
    """List the runs of this package's applications, newest first."""
    runs = settings.session().harvests()
    rows = [
        (run.get("name", ""), run["state"], f"{run['createdAt']:%Y-%m-%d %H:%M}", run["arn"]) for run in runs
    ]
    settings.emit(runs, lambda: table(rows, ("run", "state", "created", "arn")))


@command.command("show")
@click.argument("run")
@common_options
def show(settings: Settings, run: str) -> None:
    """Show one run, by its ARN: its state, what it used so far, and where its output goes."""
    from bedrock_distill.resources import HarvestStatus

    handle = settings.session().harvest(run)
    description = handle.describe()
    state = HarvestStatus.of(description)
    description["logs"] = str(handle.logs or "")
    settings.emit(description, lambda: _text(state, description))


@command.command("wait")
@click.argument("run")
@click.option(
    "--timeout", type=duration, help="Wait this long at most, such as 6h. Default: as long as it takes."
)
@common_options
def wait(settings: Settings, run: str, timeout: float | None) -> None:
    """Wait until a run has succeeded; exit code 1 if it failed, 4 if it is still running after --timeout."""
    handle = settings.session().harvest(run)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["status"]))


@command.command("stop")
@click.argument("run")
@common_options
def stop(settings: Settings, run: str) -> None:
    """Ask a run to stop; what it used so far is billed, and a later run goes on with what it has done."""
    handle = settings.session().harvest(run)
    handle.stop()
    status = handle.status().status
    settings.emit({"arn": handle.arn, "status": status}, f"{handle.arn}\n{status}")


@command.command("applications")
@common_options
def applications(settings: Settings) -> None:
    """List the applications that this package made; by themselves they cost nothing."""
    found = settings.session().harvest_applications()
    rows = [(item.get("name", ""), item["state"], item["releaseLabel"], item["arn"]) for item in found]
    settings.emit(found, lambda: table(rows, ("application", "state", "release", "arn")))


@command.command("delete")
@click.argument("application")
@click.option("--timeout", type=duration, default="15m", show_default=True, help="Wait this long at most.")
@common_options
def delete(settings: Settings, application: str, timeout: float) -> None:
    """Stop and delete an application, by its ARN; results in S3 stay. Where there is none, nothing happens.

    Exit code 4 if it has not stopped after --timeout: delete again then.
    """
    from bedrock_distill.errors import SpecError, WaitTimeoutError
    from bedrock_distill.resources import HarvestApplication

    handle = settings.session().attach(application)
    if not isinstance(handle, HarvestApplication):
        raise SpecError(
            f"{application!r} is not the ARN of an EMR Serverless application.", field="application"
        )
    try:
        handle.delete(timeout_s=timeout)
    except WaitTimeoutError as error:
        emit_unfinished(settings, {f"application {handle.arn}": error.status})
        raise
    settings.emit({"deleted": handle.arn}, f"Deleted {handle.arn}")


def _text(state: HarvestStatus, description: dict[str, Any]) -> str:
    rows = [("state", state.status), ("logs", description["logs"] or "(not kept in S3)")]
    if state.vcpu_hours is not None:
        rows.append(("billed", f"{state.vcpu_hours:g} vCPU-hours, {state.gb_hours or 0:g} GB-hours"))
    if state.reason:
        rows.append(("reason", state.reason))
    return f"{state.name}\n{state.arn}\n" + "\n".join(f"  {key:<8} {value}" for key, value in rows)
