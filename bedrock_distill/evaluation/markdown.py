"""The report as Markdown that fits into a pull request: the verdict first, the slices, the sides in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.records.markdown import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.statistics import Estimate
    from bedrock_distill.evaluation.summaries import SideSummary
    from bedrock_distill.evaluation.verdict import Verdict

__all__ = ["markdown"]

_STATES = {
    "kept": "shown to keep it",
    "short": "**shown to fall short**",
    "open": "not shown either way",
    "blind": "**too few prompts**",
}


def markdown(report: Report, verdict: Verdict | None = None) -> str:
    """The report in GitHub's Markdown. Texts of models and users are escaped.

    Args:
        report: The report.
        verdict: A verdict to put first.
    """
    student, teacher = (escaped(report.sides[side].name) for side in ("student", "teacher"))
    word = "Measured" if verdict is None else f"Gate {'passed' if verdict.passed else 'failed'}"
    retention = report.retention
    parts = [
        f"## {word}: {student} against {teacher}",
        (
            f"Retention **{_percent(retention)}** by `{report.metric.name}` on {retention.n} prompts of "
            f"{len(report.task.prompts)}, {retention.confidence:.0%} interval {_interval(retention)}."
        ),
        f"Scored by {escaped(report.method.scored_by)}." if report.method.scored_by else "",
        "" if verdict is None else _criteria(verdict),
        _metrics(report),
        _slices(report, verdict),
        _sides(report),
        "\n".join(f"- Note: {escaped(remark)}" for remark in report.remarks),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _criteria(verdict: Verdict) -> str:
    rows = [
        ["✅" if each.passed else "❌", escaped(each.name), escaped(each.text)]
        for each in verdict.missed_first
    ]
    return _table(["", "criterion", ""], rows)


def _metrics(report: Report) -> str:
    """What the metrics beside the one that decides say; nothing where it is the only one."""
    rows = [
        [escaped(each.name), _percent(each.student.retention), _interval(each.student.retention)]
        for each in report.metrics
    ]
    return f"### Metrics\n\n{_table(['metric', 'retention', 'interval'], rows)}" if len(rows) > 1 else ""


def _slices(report: Report, verdict: Verdict | None) -> str:
    if not report.slices:
        return ""
    guards = verdict.guards if verdict is not None else ()
    floor = verdict.min_slice_retention if verdict is not None else None
    header = ["slice", "prompts", "retention", "interval"]
    rows = [
        [escaped(each.name), str(each.n), _percent(each.retention), _interval(each.retention)]
        for each in report.slices
    ]
    if guards and floor is not None:
        header.append(f"against {floor:.1%}")
        rows = [[*row, _STATES[guard.state]] for row, guard in zip(rows, guards, strict=True)]
    return f"### Slices\n\n{_table(header, rows)}"


def _sides(report: Report) -> str:
    header = [
        "side",
        "model",
        "latency p50",
        "latency p95",
        "output tokens",
        "cost of 1,000 answers",
        "failed",
    ]
    return _table(header, [_side(side, summary) for side, summary in report.sides.items()])


def _side(side: str, summary: SideSummary) -> list[str]:
    cost = summary.cost_usd_mean
    return [
        side,
        escaped(summary.name),
        _seconds(summary.latency_p50_s),
        _seconds(summary.latency_p95_s),
        f"{summary.output_tokens:,}" if summary.output_tokens else "-",
        "unknown" if cost is None else f"{1000 * cost:,.3f} USD",
        f"{summary.failed} of {summary.calls}",
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _percent(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None or estimate.value is None else f"{estimate.value:.1%}"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "undefined"
    return f"{estimate.low:.1%} to {estimate.high:.1%}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"
