"""What commands that read invocation logs share: which calls are selected."""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bedrock_distill.records.logs import Filter, LogQuery

__all__ = ["SELECTING", "query_of"]

_MINUTES = ["%Y-%m-%d", "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]

SELECTING: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--model",
        "models",
        multiple=True,
        help="Model that answered, whichever way it was called; may be repeated.",
    ),
    click.option("--exact-model", help="Model exactly as the log names it: one id, profile or ARN."),
    click.option(
        "--where", multiple=True, metavar="KEY=VALUE", help="Request metadata that a call must have."
    ),
    click.option(
        "--where-not", multiple=True, metavar="KEY=VALUE", help="Request metadata that it must not have."
    ),
    click.option(
        "--any", "any_", is_flag=True, help="One of the conditions on metadata is enough. Default: all."
    ),
    click.option("--since", type=click.DateTime(_MINUTES), help="Calls from this time on, in UTC."),
    click.option("--until", type=click.DateTime(_MINUTES), help="Calls before this time, in UTC."),
    click.option(
        "--operation", "operations", multiple=True, help="API operation, such as Converse; may be repeated."
    ),
)
"""Options that select calls."""


def query_of(wanted: dict[str, Any]) -> LogQuery:
    """The query that these options make, with the other conditions of it that a command has options for.

    Raises:
        click.BadParameter: If a condition on metadata is not KEY=VALUE.
    """
    from bedrock_distill.records.logs import LogQuery

    where = _filter(wanted.pop("where"), wanted.pop("where_not"), any_=wanted.pop("any_"))
    return LogQuery(where=where, **wanted)


def _filter(equal: Sequence[str], unequal: Sequence[str], *, any_: bool) -> Filter | None:
    from bedrock_distill.records.logs import Metadata

    filters: list[Filter] = []
    for texts, option in ((equal, "--where"), (unequal, "--where-not")):
        for text in texts:
            key, found, value = text.partition("=")
            if not found:
                raise click.BadParameter(
                    f"{text!r} is not KEY=VALUE, such as project=triage.", param_hint=option
                )
            filters.append(Metadata(key) == value if option == "--where" else Metadata(key) != value)
    return functools.reduce(operator.or_ if any_ else operator.and_, filters) if filters else None
