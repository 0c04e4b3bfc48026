"""`bedrock-distill ls`: what there is, and what it costs."""

from __future__ import annotations

from typing import Any

import click

from bedrock_distill.cli.common import Settings, common_options, table

__all__ = ["command"]


@click.command("ls", short_help="List all that serves or is kept in the region, and what it is billed by.")
@click.option("--all", "everything", is_flag=True, help="What this package did not make, too.")
@common_options
def command(settings: Settings, everything: bool) -> None:
    """List all that serves or is kept in the region, and what it is billed by.

    Only what was made with this package (it is tagged) unless --all is given.
    """
    from bedrock_distill.resources.inventory import inventory

    items = [item for item in inventory(settings.session().clients) if everything or item.made_by]
    rows: list[tuple[Any, ...]] = [
        (item.kind, item.name, item.status, item.bills, item.made_by) for item in items
    ]
    settings.emit(
        [item.to_dict() for item in items],
        lambda: table(rows, ("kind", "name", "status", "billed by", "made from")) if rows else "(nothing)",
    )
    if not items and not everything:
        settings.note("Nothing here was made with this package; --all lists the rest, too.")
