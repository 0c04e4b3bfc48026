"""`bedrock-distill import`: Custom Model Import."""

from __future__ import annotations

from typing import Any

import click

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

__all__ = ["command"]


@click.group(
    "import",
    cls=DefaultGroup,
    default="create",
    short_help="Import a Hugging Face model into Bedrock; list and delete imported models.",
)
def command() -> None:
    """Import a Hugging Face model into Bedrock; list, watch and delete imported models.

    `bedrock-distill import MODEL` is short for `import create MODEL`.
    """


@command.command("create")
@click.argument("model")
@click.option("--name", default="student", show_default=True, help="What to name job and model after.")
@click.option("--staging", help="S3 folder to stage a local directory in, such as s3://BUCKET/models/.")
@click.option("--role", help="ARN of the role Bedrock assumes. Default: one is made.")
@click.option("--kms-key", help="KMS key that encrypts the imported model.")
@click.option("--data-kms-key", help="KMS key that encrypts the staged files.")
@creating_options("4h", "until it is imported")
@common_options
def create(
    settings: Settings, model: str, dry_run: bool, wait: bool, timeout: float, yes: bool, **wanted: Any
) -> None:
    """Import MODEL, a directory or an s3:// prefix, and print the imported model's ARN."""
    from bedrock_distill.resources import ModelImport

    spec = ModelImport(model=model, **wanted)
    make(settings, spec, dry_run=dry_run, wait=wait, timeout=timeout, yes=yes, prints="model_arn")


@command.command("list")
@click.option("--name", help="Only models whose name contains this.")
@common_options
def list_models(settings: Settings, name: str | None) -> None:
    """List imported models, newest first."""
    found = settings.session().imported_models(name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (
            item["modelName"],
            item.get("modelArchitecture", ""),
            "Converse" if item.get("instructSupported") else "InvokeModel",
            f"{item['creationTime']:%Y-%m-%d %H:%M}",
            item["modelArn"],
        )
        for item in found
    ]
    settings.emit(found, lambda: table(rows, ("model", "architecture", "answers", "created", "arn")))


@command.command("jobs")
@click.option("--name", help="Only jobs whose name contains this.")
@common_options
def list_jobs(settings: Settings, name: str | None) -> None:
    """List import jobs, newest first."""
    found = settings.session().import_jobs(name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (job["jobName"], job["status"], f"{job['creationTime']:%Y-%m-%d %H:%M}", job["jobArn"])
        for job in found
    ]
    settings.emit(found, lambda: table(rows, ("job", "status", "created", "arn")))


@command.command("show")
@click.argument("name")
@common_options
def show(settings: Settings, name: str) -> None:
    """Show one import job or one imported model, by name or ARN."""
    from bedrock_distill.errors import NotFoundError, ServiceError, SpecError

    session = settings.session()
    try:
        document = session.imported_model(name).describe()
    except (NotFoundError, SpecError):
        document = session.import_job(name).describe()
    except ServiceError as error:
        if error.code != "ValidationException":
            raise
        document = session.import_job(name).describe()
    settings.emit(document, lambda: lines_of(document))


@command.command("wait")
@click.argument("job")
@click.option("--timeout", type=duration, default="4h", show_default=True, help="Wait this long at most.")
@common_options
def wait_for(settings: Settings, job: str, timeout: float) -> None:
    """Wait until a model is imported; exit code 1 if it failed, 4 if it still runs after --timeout."""
    handle = settings.session().import_job(job)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["model_arn"]))


@command.command("delete")
@click.argument("model")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@common_options
def delete(settings: Settings, model: str, yes: bool) -> None:
    """Delete an imported model, by name or ARN; the files it came from stay. Where there is none, nothing happens."""
    from bedrock_distill.errors import NotFoundError

    try:
        handle = settings.session().imported_model(model)
        handle.describe()
    except NotFoundError:
        settings.note(f"There is no imported model {model}: nothing was deleted.")
        settings.emit({"deleted": None}, "")
        return
    if not yes:
        settings.confirm(
            f"Delete the imported model {model} for good?",
            otherwise="This deletes the model for good, and there is no terminal to ask: give --yes to consent.",
        )
    handle.delete()
    settings.emit({"deleted": handle.arn}, f"Deleted {handle.arn}")


@command.command("abandon")
@click.argument("prefix")
@common_options
def abandon(settings: Settings, prefix: str) -> None:
    """Remove what uploads that never finished have left under PREFIX (s3://…), and are billed for as storage."""
    from bedrock_distill.aws import FolderStage
    from bedrock_distill.uris import S3Uri

    count = FolderStage(settings.session().clients).abandon(S3Uri.parse(prefix))
    settings.emit({"abandoned": count}, f"Removed {count} unfinished uploads.")
