"""The report as a short table of plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.scoring import MetricResult
    from bedrock_distill.evaluation.statistics import Estimate
    from bedrock_distill.evaluation.summaries import SideSummary

__all__ = ["table"]

_ROWS: tuple[tuple[str, Callable[[SideSummary], str]], ...] = (
    ("failed calls", lambda side: str(side.failed)),
    ("answers in JSON", lambda side: "-" if side.json_share is None else f"{side.json_share:.1%}"),
    ("latency p50", lambda side: _seconds(side.latency_p50_s)),
    ("latency p95", lambda side: _seconds(side.latency_p95_s)),
    ("first token p50", lambda side: _seconds(side.first_token_p50_s)),
    ("refusals", lambda side: str(side.refusals)),
    ("from the cache", lambda side: str(side.cached)),
    # Nobody counted the tokens of answers that a service asked for.
    ("input tokens", lambda side: f"{side.input_tokens:,}" if side.input_tokens else "-"),
    ("output tokens", lambda side: f"{side.output_tokens:,}" if side.output_tokens else "-"),
    ("cost", lambda side: "unknown" if side.cost_usd is None else f"{side.cost_usd:.4f} USD"),
)


def table(report: Report) -> str:
    """One row a number, one column a side."""
    sides = list(report.sides)
    metric = report.metric
    rows = [("", *sides)]
    agreements = {"student": metric.student.agreement, "base": metric.base.agreement if metric.base else None}
    agrees = "not below the teacher" if metric.basis == "grades" else "agreement"
    rows.append(_estimates(f"{agrees} ({metric.name})", [agreements.get(side) for side in sides]))
    if metric.absolute:
        scores = {
            "student": metric.student.reference,
            "teacher": metric.teacher,
            "base": metric.base.reference if metric.base else None,
        }
        where = "score" if metric.basis == "grades" else "score on references"
        rows.append(_estimates(where, [scores[side] for side in sides]))
    rows.append(_estimates("retention", [_kept(metric, side) for side in sides]))
    judged = dict.fromkeys(said.metric for said in report.judges)
    rows += [
        _estimates(f"retention ({other.name})", [_kept(other, side) for side in sides])
        for other in report.metrics[1:]
        if other.name not in judged  # whose win rate says the same
    ]
    rows += [
        _estimates(
            f"win rate ({name})",
            [
                next(
                    (said.win_rate for said in report.judges if (said.metric, said.side) == (name, side)),
                    None,
                )
                for side in sides
            ],
        )
        for name in judged
    ]
    rows += [(label, *(read(report.sides[side]) for side in sides)) for label, read in _ROWS]
    slices = _slices(report)
    head = (
        f"{report.sides['student'].name} against {report.sides['teacher'].name}, "
        f"{len(report.task.prompts)} prompts, {report.precision.confidence:.0%} intervals"
    )
    scored = [f"Scored by {report.method.scored_by}."] if report.method.scored_by else []
    return "\n".join(
        [head, *scored, "", *_aligned(rows), *slices, *(f"! {remark}" for remark in report.remarks)]
    )


def _kept(metric: MetricResult, side: str) -> Estimate | None:
    scores = {"student": metric.student, "base": metric.base}.get(side)
    return None if scores is None else scores.retention


def _slices(report: Report) -> list[str]:
    if not report.slices:
        return []
    rows: list[tuple[str, ...]] = [("slice", "prompts", "retention")]
    rows += [(each.name, str(each.n), str(each.retention or "undefined")) for each in report.slices]
    return ["", *_aligned(rows)]


def _estimates(label: str, found: list[Estimate | None]) -> tuple[str, ...]:
    return label, *("-" if estimate is None else str(estimate) for estimate in found)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
