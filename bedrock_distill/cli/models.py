"""`bedrock-distill models`: custom models, and looking at a model's directory before it is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bedrock_distill.cli.common import Settings, common_options, duration, table
from bedrock_distill.cli.creating import create as make
from bedrock_distill.cli.creating import creating_options
from bedrock_distill.cli.waiting import wait_and_emit

if TYPE_CHECKING:
    from bedrock_distill.catalog import TargetName

__all__ = ["command"]


@click.group("models", short_help="List, show, copy and delete custom models; inspect a model's directory.")
def command() -> None:
    """List, show, copy and delete custom models; inspect a model's directory before it is moved."""


@command.command("list")
@click.option("--name", help="Only models whose name contains this.")
@common_options
def list_models(settings: Settings, name: str | None) -> None:
    """List custom models, newest first."""
    models = settings.session().models(name_contains=name)
    rows = [
        (
            model["modelName"],
            model["baseModelName"],
            f"{model['creationTime']:%Y-%m-%d %H:%M}",
            model["modelArn"],
        )
        for model in models
    ]
    settings.emit(models, lambda: table(rows, ("model", "base", "created", "arn")))


@command.command("show")
@click.argument("model")
@common_options
def show(settings: Settings, model: str) -> None:
    """Show one custom model, by name or ARN."""
    answer = settings.session().clients.call(
        "bedrock", "get_custom_model", subject=model, modelIdentifier=model
    )
    document = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    settings.emit(document, lambda: "\n".join(f"{key:<22} {value}" for key, value in document.items()))


@command.command("delete")
@click.argument("model")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@common_options
def delete(settings: Settings, model: str, yes: bool) -> None:
    """Delete a custom model; its deployments must be gone."""
    if not yes:
        settings.confirm(
            f"Delete the custom model {model} for good?",
            otherwise="This deletes the model for good, and there is no terminal to ask: give --yes to consent.",
        )
    settings.session().clients.call("bedrock", "delete_custom_model", subject=model, modelIdentifier=model)
    settings.emit({"deleted": model}, f"Deleted {model}")


@command.command("copy")
@click.argument("model")
@click.option("--name", default="student", show_default=True, help="What to name the copy after.")
@click.option("--kms-key", help="KMS key, in the new region, that encrypts the copy.")
@creating_options("4h", "until it is copied")
@common_options
def copy(
    settings: Settings,
    model: str,
    name: str,
    kms_key: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float,
    yes: bool,
) -> None:
    """Copy the custom model MODEL (its ARN) to the region that --region names, and print the copy's ARN."""
    from bedrock_distill.resources import ModelCopy

    spec = ModelCopy(model=model, name=name, kms_key=kms_key)
    make(settings, spec, dry_run=dry_run, wait=wait, timeout=timeout, yes=yes, prints="model_arn")


@command.command("wait-copy")
@click.argument("job", metavar="JOB_ARN")
@click.option("--timeout", type=duration, default="4h", show_default=True, help="Wait this long at most.")
@common_options
def wait_copy(settings: Settings, job: str, timeout: float) -> None:
    """Wait until a model is copied; exit code 1 if that failed, 4 if it still runs after --timeout.

    --region is the one that is copied to.
    """
    handle = settings.session().copy_job(job)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["model_arn"]))


@command.command("inspect")
@click.argument("where", metavar="DIR|S3_URI")
@click.option(
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(["model-import", "lmi", "vllm", "tgi"]),
    help="Leave with exit code 2 if this target refuses the model; may be repeated.",
)
@common_options
def inspect(settings: Settings, where: str, targets: tuple[TargetName, ...]) -> int:
    """Say what a model's directory holds, what is wrong with it, and who takes it.

    Reads config files and the headers of the weights, never the weights. --region is where Custom Model Import is
    meant; without it, any region that has it will do.
    """
    from bedrock_distill.resources.model_inspection import inspect_model

    session = settings.session() if "://" in where else None
    report = inspect_model(where, session=session, region=settings.region, catalog=settings.catalog)
    settings.emit(report.to_dict(), lambda: str(report))
    refusing = [target for target in targets if not report.verdict(target).ok]
    for target in refusing:
        settings.note(f"{report.titles.get(target, target)} refuses it.")
    return 2 if refusing else 0
