"""What a plan costs, where prices are known. An unknown price stays unknown: it is never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bedrock_distill.catalog import PriceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.catalog import Catalog

__all__ = ["Estimate", "Line", "Use", "estimate"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is paid for."""

    what: str
    quantity: float | None
    """How much, in `unit`; None where it cannot be known beforehand."""
    unit: str
    unit_usd: float | None
    """Price of one unit, or None where no dated source states it."""
    source: str
    """Where the price is from and of which day, or why it is unknown."""

    @property
    def usd(self) -> float | None:
        """Quantity times price, or None where either is unknown."""
        if self.quantity is None or self.unit_usd is None:
            return None
        return self.quantity * self.unit_usd


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """All lines. Estimates are upper bounds where a bound is known, and say so in their line."""

    lines: tuple[Line, ...]

    @property
    def total_usd(self) -> float | None:
        """The sum, or None where any line is unknown."""
        costs = [line.usd for line in self.lines]
        return (
            None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)
        )

    @property
    def known_usd(self) -> float:
        """The sum of the lines that are known."""
        return sum(line.usd or 0.0 for line in self.lines)


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what a plan will use, before prices."""

    what: str
    model: str
    kind: PriceKind
    quantity: float | None
    unit: str


def estimate(uses: Sequence[Use], *, catalog: Catalog, region: str) -> Estimate:
    """Price what a plan will use.

    Args:
        uses: What is used.
        catalog: Where prices are looked up.
        region: Where it is used.
    """
    lines = []
    for use in uses:
        price = catalog.price(use.model, use.kind, region)
        lines.append(
            Line(
                what=use.what,
                quantity=use.quantity,
                unit=use.unit,
                unit_usd=price.usd if price else None,
                source=f"{price.source}, {price.as_of.isoformat()}"
                if price
                else "price unknown: add it to a catalog override",
            )
        )
    return Estimate(lines=tuple(lines))
