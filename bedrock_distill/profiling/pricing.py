"""Prices of the caller's own, laid over the catalog's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bedrock_distill.catalog import Price
from bedrock_distill.errors import SpecError
from bedrock_distill.profiling.calls import model_named

if TYPE_CHECKING:
    from datetime import date

    from bedrock_distill.catalog import Catalog, PriceKind

__all__ = ["KINDS", "with_prices"]

KINDS: Final[tuple[str, ...]] = ("input_1k_tokens", "output_1k_tokens", "training_1k_tokens", "storage_month")
"""Kinds of prices that a profile knows what to do with."""


def with_prices(catalog: Catalog, prices: Mapping[str, Mapping[PriceKind, float]], today: date) -> Catalog:
    """A catalog in which these prices hold, in every region.

    Raises:
        SpecError: If a price is negative or no number, or of a kind that nothing here is paid by.
    """
    rows = []
    for model, by_kind in prices.items():
        if not isinstance(by_kind, Mapping):
            raise SpecError(
                f"prices: {model} has {by_kind!r}; give USD by kind, such as {{'input_1k_tokens': 0.0008}}.",
                field="prices",
                value=by_kind,
            )
        for kind, usd in by_kind.items():
            if kind not in KINDS:
                raise SpecError(
                    f"prices: {model} has a price of the kind {kind!r}; a profile knows {', '.join(KINDS)}.",
                    field="prices",
                    value=kind,
                )
            if type(usd) not in (int, float) or not 0 <= usd <= 1e9:
                raise SpecError(
                    f"prices: the {kind} of {model} is {usd!r}; give USD, from 0 on.",
                    field="prices",
                    value=usd,
                )
            rows.append(
                Price(model=model_named(model), kind=kind, usd=float(usd), source="the caller", as_of=today)
            )
    given = {(row.model, row.kind) for row in rows}
    others = tuple(price for price in catalog.prices if (price.model, price.kind) not in given)
    return replace(catalog, prices=(*rows, *others))
