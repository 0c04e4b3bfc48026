"""`bedrock-distill batch`: many prompts answered by one job of Bedrock's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.asking import asking_options
from bedrock_distill.cli.common import (
    DefaultGroup,
    Settings,
    common_options,
    duration,
    lines_of,
    table,
)
from bedrock_distill.cli.creating import create as make
from bedrock_distill.cli.creating import creating_options
from bedrock_distill.cli.waiting import wait_and_emit

if TYPE_CHECKING:
    from bedrock_distill.resources import BatchAnswer

__all__ = ["command"]

_STATUSES = (
    "Submitted",
    "Validating",
    "Scheduled",
    "InProgress",
    "Completed",
    "PartiallyCompleted",
    "Failed",
    "Stopping",
    "Stopped",
    "Expired",
)
"""The service's statuses, spelt out so that --help loads nothing; a test holds them equal to its model's."""


@click.group(
    "batch",
    cls=DefaultGroup,
    default="create",
    short_help="Have a file of prompts answered by one batch inference job; list, stop and read such jobs.",
)
def command() -> None:
    """Have a file of prompts answered by one batch inference job of Bedrock's; list, watch, stop and read such jobs.

    `bedrock-distill batch PROMPTS` is short for `batch create PROMPTS`.
    """


@command.command("create")
@click.argument("prompts", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--model", required=True, metavar="ID", help="Model id, inference profile, or a custom model's ARN."
)
@click.option(
    "--to", "place", required=True, metavar="S3URI", help="Folder for the requests and the answers."
)
@click.option("--name", default="batch", show_default=True, help="What to name the job after.")
@asking_options
@click.option("--role", metavar="ARN", help="Role that Bedrock assumes. Default: one is made.")
@click.option(
    "--timeout-hours",
    type=click.IntRange(24, 168),
    help="Hours after which Bedrock gives the job up. Default: AWS's own.",
)
@click.option(
    "--invocation",
    type=click.Choice(["Converse", "InvokeModel"]),
    default="Converse",
    show_default=True,
    help="The requests' form: one for all models, or the family's own.",
)
@creating_options("7d", "until it is over")
@common_options
def create(
    settings: Settings,
    prompts: str,
    place: str,
    dry_run: bool,
    wait: bool,
    timeout: float,
    yes: bool,
    **wanted: Any,
) -> None:
    """Have every prompt of PROMPTS (JSONL records) answered, and print the job's ARN.

    `batch answers ARN` then gives the answers, and `evaluate --teacher ARN` holds a student against them.
    """
    from bedrock_distill.resources import BatchInference, Prompts

    spec = BatchInference(data=Prompts(prompts), output=place, **wanted)
    make(settings, spec, dry_run=dry_run, wait=wait, timeout=timeout, yes=yes)


@command.command("list")
@click.option("--status", type=click.Choice(_STATUSES))
@click.option("--name", help="Only jobs whose name contains this.")
@common_options
def list_jobs(settings: Settings, status: str | None, name: str | None) -> None:
    """List batch inference jobs, newest first."""
    found = settings.session().batches(status=status, name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (
            job["jobName"],
            job.get("status", ""),
            job.get("totalRecordCount", ""),
            job.get("errorRecordCount", ""),
            f"{job['submitTime']:%Y-%m-%d %H:%M}",
            job["jobArn"],
        )
        for job in found
    ]
    settings.emit(found, lambda: table(rows, ("job", "status", "records", "errors", "submitted", "arn")))


@command.command("show")
@click.argument("job")
@common_options
def show(settings: Settings, job: str) -> None:
    """Show one job, by its name, its ARN or the last part of that."""
    document = settings.session().batch(job).describe()
    settings.emit(document, lambda: lines_of(document))


@command.command("wait")
@click.argument("job")
@click.option("--timeout", type=duration, default="7d", show_default=True, help="Wait this long at most.")
@common_options
def wait_for(settings: Settings, job: str, timeout: float) -> None:
    """Wait until a job is over.

    Exit code 1 if it failed, expired or was stopped, 4 if it still runs after --timeout. A job that completed in part is over,
    too: see `batch answers`.
    """
    handle = settings.session().batch(job)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["arn"]))


@command.command("stop")
@click.argument("job")
@common_options
def stop(settings: Settings, job: str) -> None:
    """Ask a job to stop; what was answered so far may be billed."""
    handle = settings.session().batch(job)
    handle.stop()
    status = handle.status().status
    settings.emit({"arn": handle.arn, "status": status}, f"{handle.arn}\n{status}")


@command.command("answers")
@click.argument("job")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False),
    help="Write prompts and answers there, as JSONL records with completions.",
)
@common_options
def answers(settings: Settings, job: str, out: str) -> None:
    """Write the answers of a job that is over as records, and say how many failed.

    Exit code 4 if it is not over, 1 if it has written nothing. Prompts that failed are left out and counted.
    """
    from bedrock_distill.records.writing import write_records

    handle = settings.session().batch(job)
    found = handle.answers()
    written = write_records(out, (answer.record for answer in found if answer.record is not None))
    errors = _errors(found)
    state = handle.status()
    done = state.processed if state.processed is not None else len(found)
    document = {
        "arn": handle.arn,
        "out": out,
        "answered": written,
        "failed": sum(errors.values()),
        "errors": dict(errors.most_common()),
        "not_asked": max(0, state.total - done) if state.total is not None else None,
    }
    settings.emit(document, lambda: _text(document))


def _errors(found: tuple[BatchAnswer, ...]) -> Counter[str]:
    """Why records have no answer that can be learned from, and how many."""
    return Counter(
        answer.error_code or ("EmptyAnswer" if answer.prompt else "NotText")
        for answer in found
        if answer.record is None
    )


def _text(document: dict[str, Any]) -> str:
    said = f"{document['answered']} answers written to {document['out']}"
    if document["failed"]:
        codes = ", ".join(f"{code} {count}x" for code, count in document["errors"].items())
        said += f"; {document['failed']} records have none ({codes})"
    if document["not_asked"]:
        said += f"; {document['not_asked']} prompts were not asked"
    return said
