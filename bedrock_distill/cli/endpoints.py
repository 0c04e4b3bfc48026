"""`bedrock-distill endpoints`: models on SageMaker endpoints."""

from __future__ import annotations

from typing import Any

import click

from bedrock_distill.cli.common import Settings, common_options, duration, lines_of, table
from bedrock_distill.cli.endpoints_create import create
from bedrock_distill.cli.endpoints_size import size
from bedrock_distill.cli.waiting import emit_unfinished, wait_and_emit

__all__ = ["command"]


@click.group(
    "endpoints", short_help="Serve a model on a SageMaker endpoint; size, list, update and delete endpoints."
)
def command() -> None:
    """Serve a model on a SageMaker endpoint; say what it fits on; list, watch, update and delete endpoints."""


command.add_command(size)
command.add_command(create)


@command.command("list")
@click.option("--name", help="Only endpoints whose name contains this.")
@common_options
def list_endpoints(settings: Settings, name: str | None) -> None:
    """List SageMaker endpoints, newest first."""
    found = settings.session().endpoints(name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (
            item["EndpointName"],
            item["EndpointStatus"],
            f"{item['CreationTime']:%Y-%m-%d %H:%M}",
            item["EndpointArn"],
        )
        for item in found
    ]
    settings.emit(found, lambda: table(rows, ("endpoint", "status", "created", "arn")))


@command.command("show")
@click.argument("endpoint")
@common_options
def show(settings: Settings, endpoint: str) -> None:
    """Show one endpoint, by name or ARN."""
    document = settings.session().endpoint(endpoint).describe()
    settings.emit(document, lambda: lines_of(document))


@command.command("wait")
@click.argument("endpoint")
@click.option("--timeout", type=duration, default="2h", show_default=True, help="Wait this long at most.")
@common_options
def wait_for(settings: Settings, endpoint: str, timeout: float) -> None:
    """Wait until an endpoint answers, or an update is through.

    Exit code 1 if it failed or the update was rolled back, 4 if it is not settled after --timeout.
    """
    handle = settings.session().endpoint(endpoint)
    wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document["arn"]))


@command.command("logs")
@click.argument("endpoint")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The newest lines, so many."
)
@common_options
def logs(settings: Settings, endpoint: str, limit: int) -> None:
    """Print what the container of an endpoint has written, by name or ARN; also of one that is gone."""
    from bedrock_distill.resources import LiveEndpoint
    from bedrock_distill.resources.endpoint import endpoint_arn
    from bedrock_distill.uris import Arn

    session = settings.session()
    if Arn.looks_like(endpoint):
        handle = session.endpoint(endpoint)
    else:
        handle = LiveEndpoint(session.clients, endpoint_arn(endpoint, session.clients))
    lines = handle.logs(limit=limit)
    if not lines:
        handle.describe()  # where there is no such endpoint either, that is what to say
        settings.note("The container has written nothing yet.")
    settings.emit(lines, lambda: "\n".join(lines))


@command.command("delete")
@click.argument("endpoint")
@click.option(
    "--timeout", type=duration, default="30m", show_default=True, help="Wait this long at most for each part."
)
@click.option(
    "--unused",
    is_flag=True,
    help="Delete only configurations and models that updates have left, and leave what serves.",
)
@common_options
def delete(settings: Settings, endpoint: str, timeout: float, unused: bool) -> None:
    """Delete an endpoint with all that was made for it, by name or ARN, and end its bill.

    Scaling, alarms, components, configurations and models go with it; the staged files and the role stay, for the next
    endpoint, and so do policies and alarms that others have made. Parts that an interrupted deletion has left over go, too.
    Where there is none, nothing happens. Exit code 4 if a part is still going after --timeout: delete again then.
    """
    from bedrock_distill.errors import ServiceError, WaitTimeoutError
    from bedrock_distill.resources import LiveEndpoint
    from bedrock_distill.resources.endpoint import endpoint_arn
    from bedrock_distill.uris import Arn

    session = settings.session()
    if Arn.looks_like(endpoint):
        handle = session.endpoint(endpoint)
    else:
        # Not looked up: what it has left behind may be there when the endpoint itself is gone.
        handle = LiveEndpoint(session.clients, endpoint_arn(endpoint, session.clients))
    if unused:
        left = handle.delete_unused()
        if not left:
            settings.note("Everything that was made for it is used: nothing was deleted.")
        settings.emit(
            {"deleted": None, "parts": left}, lambda: "\n".join(f"Deleted the {part}" for part in left)
        )
        return
    parts: dict[str, str] = {}
    try:
        removed = handle.delete(timeout_s=timeout, on_change=parts.__setitem__)
    except (ServiceError, WaitTimeoutError):
        emit_unfinished(settings, parts)
        raise
    if not removed:
        settings.note(f"There is no endpoint {endpoint}: nothing was deleted.")
    settings.emit(
        {"deleted": handle.arn if removed else None, "parts": removed},
        lambda: "\n".join(f"Deleted the {part}" for part in removed),
    )
