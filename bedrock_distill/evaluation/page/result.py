"""The upper half of the page: the verdict, what weakens it, and the quality behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page.markup import Markup, element, join
from bedrock_distill.evaluation.page.numbers import count, interval, p_value, percent
from bedrock_distill.evaluation.page.plots import IntervalRow, interval_plot
from bedrock_distill.evaluation.page.tables import SIDES, estimate_cell, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.scoring import Comparison, MetricResult
    from bedrock_distill.evaluation.statistics import Estimate
    from bedrock_distill.evaluation.verdict import Verdict

__all__ = ["heading", "quality", "remarks", "verdict"]


def heading(report: Report) -> Markup:
    """Who is compared, on what, when."""
    student, teacher = report.sides["student"], report.sides["teacher"]
    made_at = report.method.made_at
    return element(
        "header",
        element("p", "bedrock-distill · evaluation", class_="eyebrow"),
        element("h1", element("span", student.name), " against ", element("span", teacher.name)),
        element(
            "p",
            f"{count(len(report.task.prompts))} held-out prompts from {report.task.source} · "
            f"{made_at:%d %B %Y, %H:%M} {made_at.tzname() or ''}",
            class_="quiet",
        ),
    )


def verdict(report: Report, verdict: Verdict | None) -> Markup:
    """The result in one sentence, the criteria, and the interval drawn."""
    retention = report.retention
    state = "open" if verdict is None else "passed" if verdict.passed else "failed"
    word = {"open": "Measured", "passed": "The gate is passed", "failed": "The gate is not passed"}[state]
    bound = None if verdict is None else verdict.lower_bound
    plot = interval_plot(
        [IntervalRow("Retention", retention, "student", bound)],
        threshold=None if verdict is None else verdict.min_retention,
    )
    return element(
        "section",
        element("p", word, class_="badge"),
        element("p", _sentence(report), class_="statement"),
        _details(report, verdict),
        plot,
        None if verdict is None else _criteria(verdict),
        class_=f"verdict {state}",
    )


def _sentence(report: Report) -> Markup:
    value = report.retention.value
    if value is None:
        return join("Retention is undefined: by this metric the teacher itself is never right.")
    figure = element("strong", percent(value))
    if report.metric.absolute:
        where = " on the references" if report.metric.basis == "references" else ""
        return join("The student keeps ", figure, f" of the teacher's score{where}.")
    if report.metric.student.paired.binary:
        return join("The student agrees with the teacher on ", figure, " of the prompts.")
    return join("Against the teacher's answers, the student scores ", figure, ".")


def _details(report: Report, verdict: Verdict | None) -> Markup:
    retention = report.retention
    return element(
        "p",
        f"{retention.confidence:.0%} interval {interval(retention)}, by ",
        element("code", report.metric.name),
        f" on {count(retention.n)} prompts.",
        None if verdict is None else f" The bracket marks the lower bound at alpha {verdict.alpha:g}.",
        class_="quiet",
    )


def _criteria(verdict: Verdict) -> Markup:
    return element(
        "ul",
        [
            element(
                "li",
                element("span", "✓" if each.passed else "✗", class_="mark", aria_hidden="true"),
                element("span", each.text),
                class_="met" if each.passed else "missed",
            )
            for each in verdict.missed_first
        ],
        class_="criteria",
    )


def remarks(report: Report) -> Markup | None:
    """What weakens the result."""
    if not report.remarks:
        return None
    return element(
        "section",
        element("h2", "Before you rely on this"),
        element("ul", [element("li", remark) for remark in report.remarks]),
        class_="care",
    )


def quality(report: Report) -> Markup:
    """Every metric, for every side, and the paired tests."""
    metric = report.metric
    agrees, scored = _WORDS[metric.basis]
    rows = [IntervalRow(f"Student {agrees}", metric.student.agreement, "student")]
    if metric.base:
        rows.append(IntervalRow(f"Base {agrees}", metric.base.agreement, "base"))
    if metric.student.reference and metric.teacher:
        rows.append(IntervalRow(f"Student {scored}", metric.student.reference, "student"))
        rows.append(IntervalRow(f"Teacher {scored}", metric.teacher, "teacher"))
        if metric.base and metric.base.reference:
            rows.append(IntervalRow(f"Base {scored}", metric.base.reference, "base"))
    return element(
        "section",
        element("h2", "Quality"),
        element("p", _about(report), class_="quiet"),
        interval_plot(rows),
        _metrics_table(report),
        [_comparison(comparison) for comparison in metric.comparisons],
    )


_WORDS = {
    "references": ("agrees", "on references"),
    "agreement": ("agrees", "on references"),
    "grades": ("is not below", "scores"),
}
"""Basis of a metric -> what the page calls a side's agreement, and its own score."""


def _about(report: Report) -> Markup:
    agreement = (
        "Not below the teacher is 1 less what a score falls short of the teacher's on the same prompt, on average."
        if report.metric.basis == "grades"
        else "Agreement is with the teacher's answers."
    )
    return join(
        f"Scored by {report.method.scored_by}. " if report.method.scored_by else "",
        "Drawn by ",
        element("code", report.metric.name),
        f", which decides: {report.metric.about[:1].lower()}{report.metric.about[1:]} {agreement}",
    )


def _metrics_table(report: Report) -> Markup:
    columns = _metric_columns(report)
    return table(
        ["Metric", *(label for label, _ in columns)],
        [
            [element("code", result.name), *(estimate_cell(read(result)) for _, read in columns)]
            for result in report.metrics
        ],
    )


def _metric_columns(report: Report) -> list[tuple[str, Callable[[MetricResult], Estimate | None]]]:
    # What others graded stands in one table with what this package compares: the words must fit both.
    mixed = report.metric.basis == "grades"
    agrees, scored = ("agrees, or is not below", "scores") if mixed else _WORDS[report.metric.basis]
    columns: list[tuple[str, Callable[[MetricResult], Estimate | None]]] = [
        (f"Student {agrees}", lambda result: result.student.agreement)
    ]
    if report.metric.base:
        columns.append((f"Base {agrees}", lambda result: result.base.agreement if result.base else None))
    # A judge that decides has no such score, and the metrics beside it may.
    if any(result.absolute for result in report.metrics):
        columns += [
            (f"Student {scored}", lambda result: result.student.reference),
            (f"Teacher {scored}", lambda result: result.teacher),
            ("Retention", lambda result: result.student.retention),
        ]
    return columns


def _comparison(comparison: Comparison) -> Markup:
    first, second = SIDES[comparison.first], SIDES[comparison.second].lower()
    counts = comparison.counts
    right = "right" if comparison.against == "references" else "in agreement with the teacher"
    return element(
        "p",
        element("strong", f"{first} and {second}: "),
        f"both {right} on {count(counts.both)} prompts, only the {comparison.first} on {count(counts.first_only)}, "
        f"only the {second} on {count(counts.second_only)}, neither on {count(counts.neither)} "
        f"(McNemar's exact test, {p_value(comparison.p_value)}; mid-{p_value(comparison.mid_p_value)}).",
    )
