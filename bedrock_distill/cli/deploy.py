"""`bedrock-distill deploy`: on-demand deployments."""

from __future__ import annotations

from typing import Any

import click

from bedrock_distill.cli.common import DefaultGroup, Settings, common_options, duration, lines_of, table
from bedrock_distill.cli.creating import create as make
from bedrock_distill.cli.waiting import wait_and_emit

__all__ = ["command"]


@click.group(
    "deploy",
    cls=DefaultGroup,
    default="create",
    short_help="Deploy a custom model on demand; list and delete deployments.",
)
def command() -> None:
    """Deploy a custom model on demand; list, watch, update and delete deployments.

    `bedrock-distill deploy MODEL_ARN` is short for `deploy create MODEL_ARN`.
    """


@command.command("create")
@click.argument("model")
@click.option("--name", default="student", show_default=True, help="What to name the deployment after.")
@click.option("--description", help="Kept with the deployment.")
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it answers.")
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def create(
    settings: Settings,
    model: str,
    name: str,
    description: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Deploy the custom model MODEL (its ARN), and print what to call."""
    from bedrock_distill.resources import OnDemandDeployment

    spec = OnDemandDeployment(model=model, name=name, description=description)
    # Nothing is billed for the deployment itself, so that nobody need be asked.
    make(settings, spec, dry_run=dry_run, wait=wait, timeout=timeout, yes=True)


@command.command("list")
@click.option("--name", help="Only deployments whose name contains this.")
@common_options
def list_deployments(settings: Settings, name: str | None) -> None:
    """List on-demand deployments, newest first."""
    found = settings.session().deployments(name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (
            item["customModelDeploymentName"],
            item["status"],
            f"{item['createdAt']:%Y-%m-%d %H:%M}",
            item["customModelDeploymentArn"],
        )
        for item in found
    ]
    settings.emit(found, lambda: table(rows, ("deployment", "status", "created", "arn")))


@command.command("show")
@click.argument("deployment")
@common_options
def show(settings: Settings, deployment: str) -> None:
    """Show one deployment, by name or ARN."""
    document = settings.session().deployment(deployment).describe()
    settings.emit(document, lambda: lines_of(document))


@command.command("wait")
@click.argument("deployment")
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def wait_for(settings: Settings, deployment: str, timeout: float) -> None:
    """Wait until a deployment answers; exit code 1 if it failed, 4 if it does not answer after --timeout."""
    handle = settings.session().deployment(deployment)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["arn"]))


@command.command("update")
@click.argument("deployment")
@click.argument("model")
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def update(settings: Settings, deployment: str, model: str, timeout: float) -> None:
    """Let DEPLOYMENT (its name or ARN) serve the custom model MODEL, under the same ARN."""
    handle = settings.session().deployment(deployment)
    handle.update(model)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["model_arn"]))


@command.command("delete")
@click.argument("deployment")
@common_options
def delete(settings: Settings, deployment: str) -> None:
    """Delete a deployment, by its ARN or name; the custom model stays. Where there is none, nothing happens."""
    from bedrock_distill.errors import NotFoundError

    try:
        handle = settings.session().deployment(deployment)
        handle.describe()
    except NotFoundError:
        settings.note(f"There is no deployment {deployment}: nothing was deleted.")
        settings.emit({"deleted": None}, "")
        return
    handle.delete()
    settings.emit({"deleted": handle.arn}, f"Deleted {handle.arn}")
