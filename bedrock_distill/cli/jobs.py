"""`bedrock-distill jobs`: list, show, wait, stop."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, duration, table
from bedrock_distill.cli.waiting import wait_and_emit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.resources import JobStatus

__all__ = ["command"]


@click.group("jobs", short_help="List, show, wait for and stop distillation jobs.")
def command() -> None:
    """List, show, wait for and stop distillation jobs."""


@command.command("list")
@click.option("--status", type=click.Choice(["InProgress", "Completed", "Failed", "Stopping", "Stopped"]))
@click.option("--name", help="Only jobs whose name contains this.")
@common_options
def list_jobs(settings: Settings, status: str | None, name: str | None) -> None:
    """List customization jobs, newest first."""
    jobs = settings.session().jobs(status=status, name_contains=name)
    rows = [
        (job["jobName"], job["status"], f"{job['creationTime']:%Y-%m-%d %H:%M}", job["jobArn"])
        for job in jobs
    ]
    settings.emit(jobs, lambda: table(rows, ("job", "status", "created", "arn")))


@command.command("show")
@click.argument("job")
@click.option("--artifacts", is_flag=True, help="List what the job has written to S3, too.")
@common_options
def show(settings: Settings, job: str, artifacts: bool) -> None:
    """Show one job, by name or ARN."""
    from bedrock_distill.resources import JobStatus

    with _known():
        handle = settings.session().job(job)
        description = handle.describe()
    state = JobStatus.of(description)
    if artifacts:
        description["artifacts"] = [str(uri) for uri in handle.artifacts()]
    settings.emit(description, lambda: _text(state, description))


@command.command("wait")
@click.argument("job")
@click.option(
    "--timeout", type=duration, help="Wait this long at most, such as 6h. Default: as long as it takes."
)
@common_options
def wait(settings: Settings, job: str, timeout: float | None) -> None:
    """Wait until a job has completed; exit code 1 if it failed, 4 if it is still running after --timeout."""
    with _known():
        handle = settings.session().job(job)
        wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["model_arn"]))


@command.command("stop")
@click.argument("job")
@common_options
def stop(settings: Settings, job: str) -> None:
    """Ask a job to stop; what was trained so far is billed."""
    with _known():
        handle = settings.session().job(job)
        handle.stop()
    status = handle.status().status
    settings.emit({"arn": handle.arn, "status": status}, f"{handle.arn}\n{status}")


@contextmanager
def _known() -> Iterator[None]:
    """Where there is no such job, say how to find its name: it is not the spec's."""
    from bedrock_distill.errors import NotFoundError

    try:
        yield
    except NotFoundError as error:
        raise error.advised(
            "A job's name is its spec's with a part of the plan's fingerprint: see `bedrock-distill jobs list`."
        ) from error


def _text(state: JobStatus, description: dict[str, Any]) -> str:
    rows = [("status", state.status), *state.phases.items(), ("model", state.model_arn or "(none yet)")]
    if state.training_loss is not None:
        rows.append(("training loss", f"{state.training_loss:.4f}"))
    if state.reason:
        rows.append(("reason", state.reason))
    rows += [("artifact", uri) for uri in description.get("artifacts", ())]
    return f"{state.name}\n{state.arn}\n" + "\n".join(f"  {key:<16} {value}" for key, value in rows)
