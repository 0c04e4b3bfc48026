"""`bedrock-distill provisioned`: provisioned throughput."""

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
    "provisioned",
    cls=DefaultGroup,
    default="create",
    short_help="Buy provisioned throughput for a model; list, change and end it.",
)
def command() -> None:
    """Buy provisioned throughput for a model; list, watch, change and end it.

    `bedrock-distill provisioned MODEL` is short for `provisioned create MODEL`.
    """


@command.command("create")
@click.argument("model")
@click.option("--name", default="student", show_default=True, help="What to name the throughput after.")
@click.option("--units", type=click.IntRange(min=1), default=1, show_default=True, help="Model units.")
@click.option(
    "--commitment",
    type=click.Choice(["OneMonth", "SixMonths"]),
    help="Bind yourself for a lower price; it cannot be deleted before.",
)
@click.option(
    "--accept-hourly-cost", is_flag=True, help="Say that a bill by the hour, used or not, is wanted."
)
@creating_options("1h", "until it answers")
@common_options
def create(
    settings: Settings, model: str, dry_run: bool, wait: bool, timeout: float, yes: bool, **wanted: Any
) -> None:
    """Buy throughput for MODEL (a custom model's ARN, or a foundation model's variant), and print what to call."""
    from bedrock_distill.resources import ProvisionedThroughput

    spec = ProvisionedThroughput(model=model, **wanted)
    make(settings, spec, dry_run=dry_run, wait=wait, timeout=timeout, yes=yes)


@command.command("list")
@click.option("--name", help="Only those whose name contains this.")
@common_options
def list_provisioned(settings: Settings, name: str | None) -> None:
    """List provisioned throughputs, newest first. Each bills by the hour."""
    found = settings.session().provisioned_throughputs(name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (
            item["provisionedModelName"],
            item["status"],
            item["modelUnits"],
            item.get("commitmentDuration", "none"),
            item["provisionedModelArn"],
        )
        for item in found
    ]
    settings.emit(found, lambda: table(rows, ("name", "status", "units", "commitment", "arn")))


@command.command("show")
@click.argument("provisioned")
@common_options
def show(settings: Settings, provisioned: str) -> None:
    """Show one provisioned throughput, by name or ARN."""
    document = settings.session().provisioned(provisioned).describe()
    settings.emit(document, lambda: lines_of(document))


@command.command("wait")
@click.argument("provisioned")
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def wait_for(settings: Settings, provisioned: str, timeout: float) -> None:
    """Wait until a provisioned throughput answers; exit code 1 if it failed, 4 if it does not answer after --timeout."""
    handle = settings.session().provisioned(provisioned)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["arn"]))


@command.command("update")
@click.argument("provisioned")
@click.option("--model", help="The custom model that is to answer, of the same base.")
@click.option("--name", help="The new name.")
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def update(settings: Settings, provisioned: str, model: str | None, name: str | None, timeout: float) -> None:
    """Let PROVISIONED (its name or ARN) serve another custom model, or change its name, under the same ARN."""
    handle = settings.session().provisioned(provisioned)
    handle.update(model=model, name=name)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["arn"]))


@command.command("delete")
@click.argument("provisioned")
@common_options
def delete(settings: Settings, provisioned: str) -> None:
    """Delete a provisioned throughput, by name or ARN, and end its bill; the model stays."""
    from bedrock_distill.errors import NotFoundError

    try:
        handle = settings.session().provisioned(provisioned)
        handle.describe()
    except NotFoundError:
        settings.note(f"There is no provisioned throughput {provisioned}: nothing was deleted.")
        settings.emit({"deleted": None}, "")
        return
    handle.delete()
    settings.emit({"deleted": handle.arn}, f"Deleted {handle.arn}")
