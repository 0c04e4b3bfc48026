"""`bedrock-distill evaluate-jobs`: Bedrock's evaluation jobs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, duration, table
from bedrock_distill.cli.waiting import wait_and_emit

if TYPE_CHECKING:
    from bedrock_distill.resources import EvaluationStatus

__all__ = ["command"]

_STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped", "Deleting")
"""The service's statuses, spelt out so that --help loads nothing; a test holds them equal to its model's."""


@click.group(
    "evaluate-jobs",
    short_help="List, show, wait for, stop, read and delete Bedrock's evaluation jobs.",
)
def command() -> None:
    """List, show, wait for, stop, read and delete Bedrock's evaluation jobs. `evaluate --runner bedrock` makes them."""


@command.command("list")
@click.option("--status", type=click.Choice(_STATUSES))
@click.option("--name", help="Only jobs whose name contains this.")
@common_options
def list_jobs(settings: Settings, status: str | None, name: str | None) -> None:
    """List evaluation jobs, newest first."""
    found = settings.session().evaluation_jobs(status=status, name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (
            job["jobName"],
            job["status"],
            " ".join(job.get("modelIdentifiers", ())),
            " ".join(job.get("evaluatorModelIdentifiers", ())),
            f"{job['creationTime']:%Y-%m-%d %H:%M}",
            job["jobArn"],
        )
        for job in found
    ]
    settings.emit(found, lambda: table(rows, ("job", "status", "model", "judge", "created", "arn")))


@command.command("show")
@click.argument("job")
@common_options
def show(settings: Settings, job: str) -> None:
    """Show one job, by name or ARN."""
    from bedrock_distill.resources import EvaluationStatus

    description = settings.session().evaluation_job(job).describe()
    settings.emit(description, lambda: _text(EvaluationStatus.of(description)))


@command.command("wait")
@click.argument("job")
@click.option("--timeout", type=duration, default="24h", show_default=True, help="Wait this long at most.")
@common_options
def wait_for(settings: Settings, job: str, timeout: float) -> None:
    """Wait until a job has completed; exit code 1 if it failed or was stopped, 4 if it still runs after --timeout."""
    handle = settings.session().evaluation_job(job)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["arn"]))


@command.command("stop")
@click.argument("job")
@common_options
def stop(settings: Settings, job: str) -> None:
    """Ask a job to stop; what was asked so far is billed."""
    handle = settings.session().evaluation_job(job)
    handle.stop()
    status = handle.status().status
    settings.emit({"arn": handle.arn, "status": status}, f"{handle.arn}\n{status}")


@command.command("results")
@click.argument("job")
@common_options
def results(settings: Settings, job: str) -> None:
    """Print what a job found, prompt by prompt."""
    found = settings.session().evaluation_job(job).results()
    metrics = list(dict.fromkeys(name for each in found for name in each.scores))
    rows: list[tuple[Any, ...]] = [
        (
            _line(each.prompt),
            _line(each.response or "(no answer)"),
            *(each.scores.get(name) for name in metrics),
        )
        for each in found
    ]
    settings.emit([asdict(each) for each in found], lambda: table(rows, ("prompt", "answer", *metrics)))


@command.command("delete")
@click.argument("job")
@common_options
def delete(settings: Settings, job: str) -> None:
    """Delete a job that is over, by name or ARN; its results in S3 stay."""
    from bedrock_distill.errors import NotFoundError

    try:
        handle = settings.session().evaluation_job(job)
        handle.describe()
    except NotFoundError:
        settings.note(f"There is no evaluation job {job}: nothing was deleted.")
        settings.emit({"deleted": None}, "")
        return
    handle.delete()
    settings.emit({"deleted": handle.arn}, f"Deleted {handle.arn}")


def _line(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 40 else f"{one[:39]}…"


def _text(state: EvaluationStatus) -> str:
    rows = [
        ("status", state.status),
        ("model", state.model),
        ("judge", state.judge or "none"),
        ("metrics", ", ".join(state.metrics)),
        ("results", state.output),
        *([("reason", state.reason)] if state.reason else []),
    ]
    return f"{state.name}\n{state.arn}\n" + "\n".join(f"  {key:<8} {value}" for key, value in rows)
