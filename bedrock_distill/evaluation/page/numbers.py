"""How figures are written on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bedrock_distill.evaluation.statistics import Estimate

__all__ = [
    "DASH",
    "NARROW_SPACE",
    "TIMES",
    "count",
    "interval",
    "money",
    "p_value",
    "percent",
    "seconds",
    "times",
]

NARROW_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"
DASH: Final = "\N{EN DASH}"
TIMES: Final = "\N{MULTIPLICATION SIGN}"


def percent(share: float | None, digits: int = 1) -> str:
    """`0.95` as `95.0 %`."""
    return DASH if share is None else f"{share * 100:.{digits}f}{NARROW_SPACE}%"


def interval(estimate: Estimate) -> str:
    """`90.9-97.7 %`, with a proper dash."""
    if estimate.low is None or estimate.high is None:
        return "undefined"
    return f"{estimate.low * 100:.1f}{DASH}{percent(estimate.high)}"


def seconds(value: float | None) -> str:
    """A duration, in the unit that suits it."""
    if value is None:
        return DASH
    if value < 1:
        return f"{value * 1000:.3g}{NARROW_SPACE}ms" if value < 0.1 else f"{value * 1000:.0f}{NARROW_SPACE}ms"
    return f"{value:.3g}{NARROW_SPACE}s" if value < 100 else f"{value:,.0f}{NARROW_SPACE}s"


def count(value: float) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,.0f}".replace(",", NARROW_SPACE)


def money(value: float | None) -> str:
    """An amount of USD."""
    if value is None:
        return "unknown"
    return f"{value:,.2f}{NARROW_SPACE}USD" if value >= 1 else f"{value:.4f}{NARROW_SPACE}USD"


def times(value: float | None, other: float | None) -> str:
    """How many times `other` a value is."""
    if value is None or not other:
        return "unknown"
    return f"{value / other:.2f}{TIMES}"


def p_value(value: float) -> str:
    """A p value, down to where more digits say nothing."""
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.4f}"
