"""`bedrock-distill catalog`: what this version knows, with sources and dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, table

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog

__all__ = ["command"]


@click.group("catalog", short_help="Show the models, pairs and quotas this version knows.")
def command() -> None:
    """Show the models, pairs, quotas and prices this version knows, each with its source and date.

    They are perishable: lay your own file over them with --catalog or BEDROCK_DISTILL_CATALOG.
    """


@command.command("models")
@common_options
def models(settings: Settings) -> None:
    """Foundation models, with their lifecycle today."""
    from bedrock_distill.clock import SystemClock

    today = SystemClock().now().date()
    catalog = _catalog(settings)
    rows = [(m.id, m.name, m.lifecycle(today), "/".join(m.called), m.eol_on, m.as_of) for m in catalog.models]
    settings.emit(
        _plain(catalog.models),
        lambda: table(rows, ("model", "name", "lifecycle", "called by", "ends", "as of")),
    )


@command.command("pairs")
@click.option("--teacher", help="Only pairs of this teacher.")
@common_options
def pairs(settings: Settings, teacher: str | None) -> None:
    """Teacher and student pairs, where they are offered, and the id to send."""
    catalog = _catalog(settings)
    wanted = catalog.model(teacher).id if teacher else None
    found = [pair for pair in catalog.pairs if wanted in (None, pair.teacher)]
    rows = [(p.teacher, p.send, ", ".join(p.regions) or "withdrawn", p.as_of) for p in found]
    settings.emit(_plain(found), lambda: table(rows, ("teacher", "student, as sent", "regions", "as of")))


@command.command("quotas")
@common_options
def quotas(settings: Settings) -> None:
    """Quotas that decide whether a job can work."""
    catalog = _catalog(settings)
    rows = [(q.name, q.value, q.unit, q.code, q.as_of) for q in catalog.quotas]
    settings.emit(_plain(catalog.quotas), lambda: table(rows, ("quota", "value", "unit", "code", "as of")))


@command.command("prices")
@common_options
def prices(settings: Settings) -> None:
    """Prices with a dated source. What is not listed is unknown, and shown so in plans."""
    catalog = _catalog(settings)
    rows = [(p.model, p.kind, p.usd, p.region, p.as_of) for p in catalog.prices]
    settings.emit(_plain(catalog.prices), lambda: table(rows, ("price", "kind", "USD", "region", "as of")))


def _catalog(settings: Settings) -> Catalog:
    from bedrock_distill.catalog import load_catalog

    return load_catalog(settings.catalog)


def _plain(rows: Any) -> list[Any]:
    import msgspec

    return [msgspec.to_builtins(row, builtin_types=()) for row in rows]
