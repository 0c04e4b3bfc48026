"""Tables, and the words that all sections use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page.markup import Child, Markup, element, join
from bedrock_distill.evaluation.page.numbers import DASH, interval, percent

if TYPE_CHECKING:
    from bedrock_distill.evaluation.statistics import Estimate

__all__ = ["SIDES", "estimate_cell", "table"]

SIDES = {"teacher": "Teacher", "student": "Student", "base": "Base"}
"""What the page calls each side."""


def estimate_cell(estimate: Estimate | None) -> Markup:
    """An estimate over its interval."""
    if estimate is None:
        return join(DASH)
    return join(percent(estimate.value), element("small", interval(estimate)))


def table(header: list[str], rows: list[list[Child]], *, text_columns: tuple[int, ...] = (0,)) -> Markup:
    """A table whose columns are numbers, but for the ones named."""

    def classed(name: str, cells: list[Child]) -> Markup:
        return element(
            "tr",
            [
                element(name, cell, class_=None if place in text_columns else "number")
                for place, cell in enumerate(cells)
            ],
        )

    body = [classed("td", row) for row in rows]
    return element(
        "div",
        element("table", element("thead", classed("th", list(header))), element("tbody", body)),
        class_="wide",
    )
