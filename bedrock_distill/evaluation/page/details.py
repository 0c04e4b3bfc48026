"""The lower half of the page: what the answers took, field by field, and how it was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page.markup import Child, Markup, element, join
from bedrock_distill.evaluation.page.numbers import DASH, TIMES, count, money, percent, seconds, times
from bedrock_distill.evaluation.page.plots import Distribution, distribution_plot, interval_bar
from bedrock_distill.evaluation.page.tables import SIDES, estimate_cell, table
from bedrock_distill.evaluation.resampling import MAX_DRAWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.evaluation.report import Method, Report
    from bedrock_distill.evaluation.summaries import SideSummary

__all__ = ["effort", "fields", "method"]

_RETENTION = {
    "references": "The student's mean score against the references, over the teacher's on the same prompts.",
    "agreement": "There are no references, so that the teacher's answer is the reference: retention is agreement.",
    "grades": "The student's mean score over the teacher's, on the prompts where the teacher was given one.",
}


def effort(report: Report) -> Markup:
    """Time, tokens and money."""
    sides = list(report.sides)
    student, teacher = report.sides["student"], report.sides["teacher"]
    rows: list[tuple[str, Callable[[SideSummary], Child]]] = [
        ("Latency, median", lambda side: seconds(side.latency_p50_s)),
        ("Latency, 95th percentile", lambda side: seconds(side.latency_p95_s)),
        ("First token, median", lambda side: seconds(side.first_token_p50_s)),
        ("First token, 95th percentile", lambda side: seconds(side.first_token_p95_s)),
        ("Answers from the cache", lambda side: count(side.cached)),
        ("All calls together", lambda side: seconds(side.seconds)),
        ("Input tokens", lambda side: _tokens(side.input_tokens)),
        ("Output tokens", lambda side: _tokens(side.output_tokens)),
        ("Cost", lambda side: money(side.cost_usd)),
        ("Answers in JSON", lambda side: percent(side.json_share)),
        ("Refusals", lambda side: count(side.refusals)),
        ("Failed calls", lambda side: _counts(side.failures) if side.failures else "0"),
        ("Stopped by", lambda side: _counts(side.stop_reasons)),
    ]
    tiles = (
        ("Median latency", times(student.latency_p50_s, teacher.latency_p50_s)),
        ("Output tokens of an answer", times(student.output_tokens_mean, teacher.output_tokens_mean)),
        ("Cost of an answer", times(student.cost_usd_mean, teacher.cost_usd_mean)),
    )
    return element(
        "section",
        element("h2", "Time, tokens and money"),
        element(
            "div",
            [
                element(
                    "div",
                    element("b", figure),
                    element("span", f"{label}, student to teacher"),
                    class_="tile",
                )
                for label, figure in tiles
            ],
            class_="tiles",
        ),
        table(
            ["", *(SIDES[side] for side in sides)],
            [[label, *(read(report.sides[side]) for side in sides)] for label, read in rows],
        ),
        _distribution(
            "Seconds for an answer",
            {
                side: [each.latency_s for each in given.answers if each.latency_s is not None]
                for side, given in report.answers.items()
            },
            write=seconds,
            title="Distribution of latencies by side",
        ),
        _distribution(
            "Output tokens of an answer",
            {
                side: [float(each.output_tokens) for each in given.answers if not each.failed]
                for side, given in report.answers.items()
            },
            write=count,
            title="Distribution of output tokens by side",
        ),
    )


def _distribution(
    heading: str, values: dict[str, list[float]], *, write: Callable[[float], str], title: str
) -> Markup | None:
    """How numbers are spread, or None where nobody measured any."""
    if not any(any(found) for found in values.values()):
        return None
    shown = [Distribution(SIDES[side], found, side) for side, found in values.items()]
    return join(element("h3", heading), distribution_plot(shown, write=write, title=title))


def _tokens(found: int) -> str:
    """So many tokens; none at all means that nobody counted them."""
    return count(found) if found else DASH


def _counts(found: dict[str, int]) -> Markup:
    lines: list[Child] = []
    for name, number in found.items():
        lines += [element("br") if lines else None, f"{name or 'no reason given'} {count(number)}"]
    return join(lines)


def fields(report: Report) -> Markup | None:
    """Field by field, where the teacher answers in JSON objects."""
    if not report.fields:
        return None
    has_base = report.fields[0].base is not None
    return element(
        "section",
        element("h2", "Field by field"),
        element(
            "p",
            "How often a field of the answer has the teacher's value, and what it is mistaken for most often.",
            class_="quiet",
        ),
        table(
            ["Field", "Prompts", "Student", "", *(["Base"] if has_base else []), "Most frequent differences"],
            [
                [
                    element("code", field.name),
                    count(field.n),
                    estimate_cell(field.student),
                    interval_bar(field.student, "student"),
                    *([estimate_cell(field.base)] if has_base else []),
                    [
                        element(
                            "div",
                            element("code", wanted),
                            " → ",
                            element("code", got) if got else "no value",
                            f" {times_}{TIMES}",
                        )
                        for wanted, got, times_ in field.confusions
                    ]
                    or DASH,
                ]
                for field in report.fields
            ],
            text_columns=(0, 3, 4 + has_base),
        ),
    )


def method(report: Report) -> Markup:
    """How it was measured: enough to do it again."""
    how, precision, metric = report.method, report.precision, report.metric
    references = sum(reference is not None for reference in report.task.references)
    interval_method = metric.student.retention.method
    rows: list[tuple[str, Child]] = [
        *((SIDES[side], [summary.name, _id(summary)]) for side, summary in report.sides.items()),
        (
            "Prompts",
            f"{count(len(report.task.prompts))} from {report.task.source}, {count(references)} with a reference",
        ),
        ("Training data", _training(report)),
        ("System prompt", _system(report)),
        ("Asked with", _asked_with(how)),
        *([("Scored by", how.scored_by)] if how.scored_by else []),
        (
            "Metrics",
            element(
                "ul", [element("li", element("code", each.name), ": ", each.about) for each in report.metrics]
            ),
        ),
        ("Retention", _RETENTION[metric.basis]),
        (
            "Intervals",
            (
                f"{precision.confidence:.0%}, two-sided. Retention: {interval_method}; rates: Wilson's score interval; mean "
                f"scores: percentile bootstrap. {count(precision.resamples)} resamples of whole prompts (fewer where scores "
                f"take many values and prompts are more than {count(MAX_DRAWS / precision.resamples)}), seed {precision.seed}."
            ),
        ),
        (
            "Gate",
            (
                "The one-sided lower bound of retention must reach what was asked for: for scores of 0 and 1 by a score test "
                "with continuity correction, for others by empirical likelihood with half a worst prompt added. Both hold "
                "their error rate where a bootstrap would pass too often."
            ),
        ),
        (
            "Failed calls",
            "Count as disagreement. A prompt that the teacher failed on is left out of retention on references.",
        ),
        ("Latency", "From sending the request to the whole answer, retries included, as the caller saw it."),
        ("Made by", f"bedrock-distill {how.version}"),
    ]
    return element(
        "section",
        element("h2", "How it was measured"),
        element("dl", [[element("dt", name), element("dd", text)] for name, text in rows]),
        class_="method",
    )


def _asked_with(how: Method) -> str:
    if not how.concurrency:
        return "by the service that scored, with its own settings"
    return f"max_tokens {how.max_tokens}, temperature {how.temperature}, {how.concurrency} calls at once"


def _training(report: Report) -> str:
    overlap = report.overlap
    if overlap is None:
        return "not compared with the prompts"
    if not overlap.copies:
        return f"compared with the prompts: none of them among {count(overlap.records)} records of {overlap.training}"
    return str(overlap)


def _system(report: Report) -> Child:
    if report.method.system is not None:
        return element("pre", report.method.system)
    own = {prompt.system_text for prompt in report.task.prompts}
    only = own.pop() if len(own) == 1 else None
    return "each record's own, where it has one" if only is None else element("pre", only)


def _id(summary: SideSummary) -> Markup | None:
    if not summary.model_id or summary.model_id == summary.name:
        return None
    return element("small", element("code", summary.model_id))
