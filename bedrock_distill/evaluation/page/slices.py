"""Retention slice by slice, drawn on one axis, with what the guards say of each."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page.markup import Child, Markup, element
from bedrock_distill.evaluation.page.numbers import DASH, count, percent
from bedrock_distill.evaluation.page.plots import IntervalRow, interval_plot
from bedrock_distill.evaluation.page.tables import estimate_cell, table
from bedrock_distill.evaluation.statistics import Estimate

if TYPE_CHECKING:
    from bedrock_distill.evaluation.guards import Guard
    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.slices import SliceResult
    from bedrock_distill.evaluation.verdict import Verdict

__all__ = ["slices"]

_LABEL_CHARS = 24

_STATES = {
    "kept": "shown to keep it",
    "short": "shown to fall short",
    "open": "not shown either way",
    "blind": "too few prompts",
}


def slices(report: Report, verdict: Verdict | None) -> Markup | None:
    """The section of slices, or None where none were asked for.

    Args:
        report: The report.
        verdict: A verdict whose guards to show, or None.
    """
    if not report.slices:
        return None
    floor = None if verdict is None else verdict.min_slice_retention
    guards = verdict.guards if verdict is not None and verdict.guards else (None,) * len(report.slices)
    pairs = list(zip(report.slices, guards, strict=True))
    return element(
        "section",
        element("h2", "Slice by slice"),
        element("p", _about(report, verdict), class_="quiet"),
        [
            [
                element("h3", "By ", element("code", name)),
                interval_plot([_row(found) for found, _ in members], threshold=floor),
                _table(members, floor),
            ]
            for name, members in (
                (name, list(some)) for name, some in groupby(pairs, key=lambda pair: pair[0].by)
            )
        ],
        class_="slices",
    )


def _about(report: Report, verdict: Verdict | None) -> str:
    text = f"Retention by {report.metric.name}, which decides, on the prompts of one kind. The fewer they are, the wider the interval."
    if verdict is None or not verdict.guards:
        return text
    return (
        f"{text} All {len(verdict.guards)} slices are judged together, their p values corrected by Holm's method: the chance "
        f"that any sound slice is called short is at most {verdict.alpha:g}."
    )


def _row(found: SliceResult) -> IntervalRow:
    value = " ".join(found.value.split())
    label = value if len(value) <= _LABEL_CHARS else value[: _LABEL_CHARS - 1] + "…"
    undefined = Estimate(value=None, low=None, high=None, confidence=0.95, method="undefined", n=0)
    return IntervalRow(label, found.retention or undefined, "student")


def _table(members: list[tuple[SliceResult, Guard | None]], floor: float | None) -> Markup:
    header = ["Slice", "Prompts", "Retention"]
    guarded = floor is not None and all(guard is not None for _, guard in members)
    if guarded:
        header += [f"Against {percent(floor)}", "p, short", "p, kept"]
    rows: list[list[Child]] = []
    for found, guard in members:
        row: list[Child] = [found.value, count(found.n), estimate_cell(found.retention) if found.n else DASH]
        if guarded and guard is not None:
            word = _STATES[guard.state]
            stopping = guard.state in ("short", "blind")
            row += [
                element("strong", word) if stopping else word,
                f"{guard.p_short:.4f}",
                f"{guard.p_kept:.4f}",
            ]
        rows.append(row)
    return table(header, rows, text_columns=(0, 3))
