"""What answers cost, where prices are known. An unknown price gives an unknown cost, never a guess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bedrock_distill.errors import SpecError

__all__ = ["Prices", "TokenPrice", "check_prices", "price_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """What a model charges for tokens, in USD."""

    input_usd_per_1k: float
    """For 1,000 tokens of prompts."""
    output_usd_per_1k: float
    """For 1,000 tokens of answers."""

    def __post_init__(self) -> None:
        """Check that both are prices.

        Raises:
            SpecError: If one is negative or no number.
        """
        for field, usd in (
            ("input_usd_per_1k", self.input_usd_per_1k),
            ("output_usd_per_1k", self.output_usd_per_1k),
        ):
            if not 0 <= usd < math.inf:
                raise SpecError(f"{field} must be USD, from 0 on, not {usd!r}.", field=field, value=usd)

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost."""
        return (input_tokens * self.input_usd_per_1k + output_tokens * self.output_usd_per_1k) / 1000


Prices: TypeAlias = Mapping[str, TokenPrice]
"""Prices by model id, or by side: `student`, `teacher`, `base`."""


def check_prices(prices: Prices) -> None:
    """Refuse what is no price before anything is paid for.

    Raises:
        SpecError: Naming the first that is no `TokenPrice`.
    """
    for name, price in prices.items():
        if not isinstance(price, TokenPrice):
            raise SpecError(
                f"prices[{name!r}] is {price!r}: give a TokenPrice(input_usd_per_1k=…, output_usd_per_1k=…).",
                field="prices",
                value=price,
            )


def price_of(prices: Prices, side: str, model_id: str) -> TokenPrice | None:
    """The price of a side: by its own name first, then by its model id."""
    return prices.get(side) or prices.get(model_id)
