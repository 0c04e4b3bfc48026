"""`instance="auto"`: the first instance that fits a model in a container and that nothing speaks against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.catalog import Catalog, load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.models.sizing import places, rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing import SizeRow
    from bedrock_distill.resources.endpoint.containers.problems import Problem
    from bedrock_distill.resources.endpoint.containers.settings import Container

__all__ = ["Choice", "choose_instance"]


@dataclass(frozen=True, slots=True)
class Choice:
    """An instance type for a model in a container."""

    row: SizeRow
    """What it holds of the model."""
    problems: tuple[Problem, ...]
    """Warnings that remain."""

    @property
    def instance(self) -> str:
        """The instance type."""
        return self.row.instance


def choose_instance(
    container: Container,
    shape: ModelShape,
    *,
    catalog: Catalog | None = None,
    instances: Sequence[str] | None = None,
    region: str | None = None,
) -> Choice:
    """The first instance, cheapest or smallest first, that holds `concurrency` requests of `context` tokens.

    One with fewer warnings comes before a smaller one with more.

    Args:
        container: The container's settings.
        shape: The model.
        catalog: Where instances, images and prices stand. Default: the shipped one.
        instances: Instance types to choose among. Default: every one in the catalog.
        region: Where it is to run.

    Raises:
        SpecError: If there is none; the message says why the largest does not do.
    """
    known = catalog or load_catalog()
    rows = rank(container.need(shape), places(known, instances, region or "*"))
    choices = [
        Choice(row, tuple(container.check(shape, row.instance, catalog=known, region=region)))
        for row in rows
        if row.fits
    ]
    allowed = [choice for choice in choices if all(found.severity != "error" for found in choice.problems)]
    if allowed:
        return min(allowed, key=lambda choice: len(choice.problems))
    largest = rows[-1]
    errors = [str(found) for choice in choices[-1:] for found in choice.problems if found.severity == "error"]
    reason = "; ".join(errors) or largest.why_not
    raise SpecError(
        f"instance 'auto': no instance does for {container.concurrency} requests of "
        f"{container.context_for(shape):,} tokens; {(choices[-1].row if errors else largest).instance}: {reason}. Lower context or "
        "concurrency, or quantize the weights",
        field="instance",
        value="auto",
    )
