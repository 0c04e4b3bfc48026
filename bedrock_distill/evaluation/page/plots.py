"""Plots as inline SVG: intervals on a common axis, and distributions side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page.markup import Child, Markup, element
from bedrock_distill.evaluation.page.numbers import interval, percent
from bedrock_distill.evaluation.statistics import Estimate, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Distribution", "IntervalRow", "distribution_plot", "interval_bar", "interval_plot"]

_WIDTH, _LEFT, _RIGHT = 860, 210, 190
_ROW = 38
_BINS = 48


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One estimate to draw."""

    label: str
    estimate: Estimate
    side: str
    """Whose it is: decides the colour."""
    bound: float | None = None
    """A one-sided lower bound to mark."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """One side's values to draw."""

    label: str
    values: Sequence[float]
    side: str


@dataclass(frozen=True, slots=True)
class _Axis:
    """A scale from values to pixels."""

    low: float
    high: float
    left: float
    right: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; values outside stick to the ends."""
        low, high, place = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, place = math.log(low), math.log(high), math.log(place)
        return self.left + (place - low) / (high - low) * (self.right - self.left)


def interval_plot(rows: Sequence[IntervalRow], *, threshold: float | None = None) -> Markup:
    """Points with their intervals, one below the other, and a line at a threshold.

    Args:
        rows: What to draw; undefined estimates are written, not drawn.
        threshold: What was asked for, or None.
    """
    ends = [end for row in rows for end in (row.estimate.low, row.estimate.high) if end is not None]
    ends += [end for end in (threshold, *(row.bound for row in rows)) if end is not None]
    low, high, step = _nice(min(ends, default=0.0), max(ends, default=1.0))
    axis = _Axis(low, high, _LEFT, _WIDTH - _RIGHT)
    top = 26 if threshold is not None else 8
    bottom = top + _ROW * len(rows)
    ticks = [low + step * index for index in range(round((high - low) / step) + 1)]
    digits = 0 if step >= 0.01 else 1
    return _svg(
        bottom + 28,
        "Estimates with their intervals",
        [_tick(axis.at(tick), top, bottom, percent(tick, digits)) for tick in ticks],
        None if threshold is None else _threshold(axis.at(threshold), top, bottom, threshold),
        [_interval(row, axis, top + _ROW * (index + 0.5)) for index, row in enumerate(rows)],
    )


def _interval(row: IntervalRow, axis: _Axis, y: float) -> Markup:
    estimate = row.estimate
    label = element("text", row.label, x=0, y=y + 5, class_="label")
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return element("g", label, element("text", "undefined", x=_WIDTH, y=y + 5, class_="figure"))
    left, right = axis.at(estimate.low), axis.at(estimate.high)
    return element(
        "g",
        label,
        element("line", x1=left, x2=right, y1=y, y2=y, class_="whisker"),
        element("line", x1=left, x2=left, y1=y - 5, y2=y + 5, class_="whisker"),
        element("line", x1=right, x2=right, y1=y - 5, y2=y + 5, class_="whisker"),
        element("circle", cx=axis.at(estimate.value), cy=y, r=5.5, class_="point"),
        None if row.bound is None else _bound(axis.at(row.bound), y),
        element("text", percent(estimate.value), x=_WIDTH - 108, y=y + 5, class_="figure strong"),
        element("text", interval(estimate), x=_WIDTH, y=y + 5, class_="figure"),
        class_=f"side-{row.side}",
    )


def _bound(x: float, y: float) -> Markup:
    """A bracket that opens to the right: not below this."""
    return element("path", d=f"M{x + 6:.1f} {y - 11:.1f}H{x:.1f}V{y + 11:.1f}h6", class_="bound")


def interval_bar(estimate: Estimate, side: str) -> Markup:
    """A small bar from 0 to 1 with its interval, to stand in a table's cell."""
    width, height, y = 150.0, 14.0, 7.0
    axis = _Axis(0.0, 1.0, 2.0, width - 2)
    return element(
        "svg",
        element("rect", x=2.0, y=3.0, width=width - 4, height=8.0, rx=2, class_="track"),
        element("rect", x=2.0, y=3.0, width=axis.at(estimate.value or 0) - 2, height=8.0, rx=2, class_="bar"),
        element(
            "line", x1=axis.at(estimate.low or 0), x2=axis.at(estimate.high or 0), y1=y, y2=y, class_="over"
        ),
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        class_=f"mini side-{side}",
        aria_hidden="true",
    )


def distribution_plot(
    rows: Sequence[Distribution], *, write: Callable[[float], str], title: str
) -> Markup | None:
    """A histogram for each side over one axis, with the median and the 95th percentile.

    The axis is logarithmic where the sides lie far apart.

    Args:
        rows: What to draw; sides without values are left out.
        write: How a value is written.
        title: What the plot shows, for who cannot see it.

    Returns:
        The plot, or None where there is nothing to draw.
    """
    kept = [(row, sorted(row.values)) for row in rows if row.values]
    if not kept:
        return None
    low = min(quantile(values, 0.01) for _, values in kept)
    high = max(quantile(values, 0.99) for _, values in kept)
    axis, ticks = _value_axis(low, high)
    height, top = 62, 6
    bottom = top + height * len(kept)
    return _svg(
        bottom + 28,
        title,
        [_tick(axis.at(tick), top, bottom, write(tick)) for tick in ticks],
        [
            _histogram(row, values, axis, top + height * index, height, write=write)
            for index, (row, values) in enumerate(kept)
        ],
    )


def _histogram(
    row: Distribution,
    values: Sequence[float],
    axis: _Axis,
    top: float,
    height: float,
    *,
    write: Callable[[float], str],
) -> Markup:
    width = (axis.right - axis.left) / _BINS
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int((axis.at(value) - axis.left) / width))] += 1
    base, scale = top + height - 8, (height - 16) / max(counts)
    median, tail = quantile(values, 0.5), quantile(values, 0.95)
    return element(
        "g",
        element("text", row.label, x=0, y=base - 12, class_="label"),
        [
            element(
                "rect",
                x=axis.left + width * index + 0.5,
                y=base - count * scale,
                width=width - 1,
                height=count * scale,
                class_="bar",
            )
            for index, count in enumerate(counts)
            if count
        ],
        element("line", x1=axis.left, x2=axis.right, y1=base, y2=base, class_="floor"),
        element("path", d=f"M{axis.at(median):.1f} {base:.1f}l-5 7h10z", class_="point"),
        element(
            "text",
            "p50 ",
            element("tspan", write(median), class_="strong"),
            x=_WIDTH,
            y=base - 22,
            class_="figure",
        ),
        element("text", f"p95 {write(tail)}", x=_WIDTH, y=base - 4, class_="figure"),
        class_=f"side-{row.side}",
    )


def _value_axis(low: float, high: float) -> tuple[_Axis, list[float]]:
    left, right = float(_LEFT), float(_WIDTH - _RIGHT)
    if low > 0 and high / low > 50:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        factors = (1,) if len(decades) > 3 else (1, 3)
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        axis = _Axis(low * 0.9, high * 1.1, left, right, logarithmic=True)
        return axis, [tick for tick in ticks if axis.low <= tick <= axis.high]
    _, top, step = _nice(0.0, high or 1.0)
    return _Axis(0.0, top, left, right), [step * index for index in range(round(top / step) + 1)]


def _nice(low: float, high: float) -> tuple[float, float, float]:
    """An axis that holds both values: its ends, and a step of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-3 * max(abs(high), 1e-3))
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    bottom, top = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return bottom, top if top > bottom else bottom + step, step


def _tick(x: float, top: float, bottom: float, text: str) -> Markup:
    return element(
        "g",
        element("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid"),
        element("text", text, x=x, y=bottom + 18, class_="tick"),
    )


def _threshold(x: float, top: float, bottom: float, value: float) -> Markup:
    return element(
        "g",
        element("line", x1=x, x2=x, y1=top - 6, y2=bottom, class_="threshold"),
        element("text", f"asked for: {percent(value)}", x=x, y=top - 11, class_="tick"),
    )


def _svg(height: float, title: str, *children: Child) -> Markup:
    drawing = element(
        "svg",
        element("title", title),
        *children,
        viewBox=f"0 0 {_WIDTH} {height:g}",
        class_="plot",
        role="img",
    )
    return element("div", drawing, class_="wide")
