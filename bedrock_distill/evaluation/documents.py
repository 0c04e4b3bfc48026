"""The report as JSON types: what `report.json` and `--output json` hold."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from bedrock_distill.evaluation.judging import JudgeSummary
    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.scoring import MetricResult, SideScores
    from bedrock_distill.evaluation.slices import SliceResult
    from bedrock_distill.evaluation.verdict import Verdict

__all__ = ["FORMAT", "document"]

FORMAT = "bedrock-distill-evaluation/1"
"""Name and version of the document's layout."""


def document(report: Report, *, answers: bool, verdict: Verdict | None) -> dict[str, Any]:
    """The report as dictionaries, lists, strings, numbers and None.

    Args:
        report: The report.
        answers: Whether to include every prompt with all answers.
        verdict: A verdict to include.
    """
    found: dict[str, Any] = {
        "format": FORMAT,
        "verdict": None if verdict is None else verdict.to_dict(),
        "metric": report.metric.name,
        "basis": report.metric.basis,
        "retention": asdict(report.retention),
        "agreement": asdict(report.agreement),
        "prompts": len(report.task.prompts),
        "references": sum(reference is not None for reference in report.task.references),
        "source": report.task.source,
        "remarks": list(report.remarks),
        "sides": {
            side: {**asdict(summary), "failed": summary.failed} for side, summary in report.sides.items()
        },
        "metrics": [_metric(result) for result in report.metrics],
        "fields": [asdict(field) for field in report.fields],
        "slices": [_slice(found) for found in report.slices],
        "overlap": None if report.overlap is None else asdict(report.overlap),
        "labels": [asdict(found) for found in report.labels],
        "judges": [_judge(found) for found in report.judges],
        "method": {
            **asdict(report.method),
            **asdict(report.precision),
            "made_at": report.method.made_at.isoformat(),
        },
    }
    if answers:
        found["answers"] = [_prompt(report, place) for place in range(len(report.task.prompts))]
    return found


def _metric(result: MetricResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "about": result.about,
        "basis": result.basis,
        "student": _side(result.student),
        "base": None if result.base is None else _side(result.base),
        "teacher": None if result.teacher is None else asdict(result.teacher),
        "comparisons": [asdict(comparison) for comparison in result.comparisons],
        **(
            {}
            if result.grades is None
            else {"missing": {side: result.grades.missing(side) for side in result.grades.scores}}
        ),
    }


def _side(scores: SideScores) -> dict[str, Any]:
    return {
        "agreement": asdict(scores.agreement),
        "reference": None if scores.reference is None else asdict(scores.reference),
        "retention": asdict(scores.retention),
    }


def _judge(said: JudgeSummary) -> dict[str, Any]:
    counted = asdict(replace(said, judgements=()))
    del counted["judgements"]
    return counted | {"uninformative_share": said.uninformative_share}


def _slice(found: SliceResult) -> dict[str, Any]:
    return {
        "by": found.by,
        "value": found.value,
        "n": found.n,
        "retention": None if found.retention is None else asdict(found.retention),
    }


def _prompt(report: Report, place: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "record": msgspec.to_builtins(report.task.prompts[place]),
        "reference": report.task.references[place],
        "scores": {result.name: result.student.by_prompt[place] for result in report.metrics},
    }
    graded = {result.name: result.grades for result in report.metrics if result.grades is not None}
    if graded:
        found["grades"] = {
            name: {
                side: {"score": scores[place], "reason": grades.reasons[side][place]}
                for side, scores in grades.scores.items()
            }
            for name, grades in graded.items()
        }
    if report.judges:
        found["judgements"] = [
            {"metric": said.metric, "side": said.side, **asdict(said.judgements[place])}
            for said in report.judges
        ]
    return found | {side: asdict(given.answers[place]) for side, given in report.answers.items()}
