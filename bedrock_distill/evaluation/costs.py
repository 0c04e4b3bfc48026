"""What answers cost, where prices are known. An unknown price gives an unknown cost, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Prices", "TokenPrice", "price_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """What a model charges for tokens, in USD."""

    input_usd_per_1k: float
    """For 1,000 tokens of prompts."""
    output_usd_per_1k: float
    """For 1,000 tokens of answers."""

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost."""
        return (input_tokens * self.input_usd_per_1k + output_tokens * self.output_usd_per_1k) / 1000


Prices: TypeAlias = Mapping[str, TokenPrice]
"""Prices by model id, or by side: `student`, `teacher`, `base`."""


def price_of(prices: Prices, side: str, model_id: str) -> TokenPrice | None:
    """The price of a side: by its own name first, then by its model id."""
    return prices.get(side) or prices.get(model_id)
