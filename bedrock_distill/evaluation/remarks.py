"""What a careful reader of a report should be told before believing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.evaluation.judging import Outcome
    from bedrock_distill.evaluation.report import Report

__all__ = ["remarks"]

_FEW_PROMPTS = 100

_NO_VERDICT: tuple[tuple[Outcome, str], ...] = (
    ("unparsed", "gave no verdict"),
    ("failed", "could not be asked"),
)
"""Outcomes that say nothing of the answers, and what to call them."""


def remarks(report: Report) -> tuple[str, ...]:
    """Sentences on what weakens the result; empty where nothing does."""
    return (
        *_on_data(report),
        *_on_answers(report),
        *_on_grades(report),
        *_on_judges(report),
        *_on_statistics(report),
    )


def _on_data(report: Report) -> Iterator[str]:
    task, n = report.task, len(report.task.prompts)
    if report.overlap and report.overlap.copies:
        yield f"{report.overlap} What a student was trained on says nothing about it."
    if task.cut:
        yield f"Only the first {n} prompts of {task.source} were asked."
    if task.repeated:
        yield (
            f"{task.repeated} of {n} prompts occur more than once. They count each time, so that the intervals are "
            "narrower than they should be."
        )
    if task.contradicted:
        yield (
            f"{task.contradicted} of the repeated prompts have several references that differ: whoever gives the same answer each "
            "time is wrong on some of them."
        )
    labelled = sum(reference is not None for reference in task.references)
    if 0 < labelled < n and report.metric.basis == "references":
        yield f"Only {labelled} of {n} prompts have a reference; retention rests on these."


def _on_answers(report: Report) -> Iterator[str]:
    for side, summary in report.sides.items():
        if summary.failed:
            codes = ", ".join(f"{code} {count}x" for code, count in summary.failures.items())
            yield (
                f"{summary.failed} of {summary.calls} calls of the {side} failed ({codes}) and count as disagreement. "
                f"The first said: {report.answers[side].first_error}"
            )
        if cut := summary.stop_reasons.get("max_tokens", 0):
            at = (
                "when they were recorded" if summary.recorded else f"at max_tokens={report.method.max_tokens}"
            )
            yield f"{cut} of {summary.calls} answers of the {side} were cut off {at}; allow more."
        for reason in ("guardrail_intervened", "content_filtered"):
            if stopped := summary.stop_reasons.get(reason, 0):
                yield f"{stopped} of {summary.calls} answers of the {side} were stopped: {reason}."
        if summary.cached:
            oldest = min(each.asked_at for each in report.answers[side].answers if each.cached)
            yield (
                f"{summary.cached} of {summary.calls} answers of the {side} came from the cache, the oldest from "
                f"{oldest[:10]}. A model that was replaced under the same id since would answer differently."
            )
        if summary.recorded:
            yield (
                f"The answers of the {side} were recorded, not asked for now ({summary.name}): they have no latencies to compare, "
                "and max_tokens and temperature were those of the recording."
            )
        if summary.empty:
            yield f"{summary.empty} of {summary.calls} answers of the {side} are empty."


def _on_grades(report: Report) -> Iterator[str]:
    grades, n = report.metric.grades, len(report.task.prompts)
    for side in grades.scores if grades is not None else ():
        if grades is not None and (missing := grades.missing(side)):
            effect = "are left out of retention" if side == "teacher" else f"count against the {side}"
            yield f"{missing} of {n} answers of the {side} have no {report.metric.name}; these {effect}."


def _on_judges(report: Report) -> Iterator[str]:
    for said in report.judges:
        counts, of = said.outcomes, f"{said.metric} on the {said.side}"
        if flipped := counts.get("disagreement", 0):
            yield (
                f"{of}: on {flipped} of {sum(counts.values())} prompts the judge changed its mind with the order of the "
                f"answers; these count as ties. Of its preferences, {said.first_share or 0:.0%} went to the first answer."
            )
        for outcome, what in _NO_VERDICT:
            if lost := counts.get(outcome, 0):
                yield f"{of}: on {lost} prompts the judge {what}; these count against the {said.side}."
        errors = [reply.error for each in said.judgements for reply in each.replies if reply.failed]
        if errors:
            yield f"{of}: the first call of the judge that failed said: {errors[0]}"


def _on_statistics(report: Report) -> Iterator[str]:
    metric = report.metric
    n = report.retention.n
    if n < _FEW_PROMPTS:
        yield f"{n} prompts are few: the intervals are wide, and what they stand for may be too."
    if metric.teacher is not None and metric.teacher.value is not None and metric.teacher.value < 0.5:
        yield (
            f"By {metric.name} the teacher itself scores only {metric.teacher.value:.1%}"
            f"{' on the references' if metric.basis == 'references' else ''}: a student that keeps all of that keeps little."
        )
