"""The page's part on what a judge said, and on labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page.markup import Child, Markup, element, join
from bedrock_distill.evaluation.page.numbers import count, money, percent
from bedrock_distill.evaluation.page.tables import SIDES, estimate_cell, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.evaluation.judging import JudgeSummary, Outcome
    from bedrock_distill.evaluation.labels import ClassificationReport
    from bedrock_distill.evaluation.report import Report

__all__ = ["judges", "labels"]

_OUTCOMES: tuple[tuple[Outcome, str], ...] = (
    ("win", "Preferred in both orders"),
    ("tie", "A tie in both orders"),
    ("identical", "The same text, not shown"),
    ("disagreement", "The orders disagreed, a tie"),
    ("loss", "The teacher's preferred in both orders"),
    ("unparsed", "No verdict, counts as lost"),
    ("failed", "Judge not reached, counts as lost"),
    ("missing", "An answer is missing, counts as lost"),
)
_MOST_LABELS = 20


def judges(report: Report) -> Markup | None:
    """What each judge said of each side."""
    if not report.judges:
        return None
    rows: list[tuple[str, Callable[[JudgeSummary], Child]]] = [
        ("Win rate, ties half", lambda said: estimate_cell(said.win_rate)),
        *((words, _counting(outcome)) for outcome, words in _OUTCOMES),
        ("Preferences for the first answer shown", lambda said: percent(said.first_share)),
        ("Replies", lambda said: f"{count(said.calls)}, {count(said.cached)} from the cache"),
        ("Cost of the replies", lambda said: money(said.cost_usd)),
    ]
    return element(
        "section",
        element("h2", "What the judge says"),
        element(
            "p",
            "Every pair is shown twice, the answers swapped; an answer wins where it is preferred both times. "
            "A win rate of 50 % is parity with the teacher.",
        ),
        table(
            ["", *(f"{said.metric}: {SIDES[said.side]}" for said in report.judges)],
            [[label, *(read(said) for said in report.judges)] for label, read in rows],
        ),
    )


def _counting(outcome: Outcome) -> Callable[[JudgeSummary], Child]:
    return lambda said: count(said.outcomes.get(outcome, 0))


def labels(report: Report) -> Markup | None:
    """Precision, recall and F1 of each label."""
    if not report.labels:
        return None
    return element("section", element("h2", "Label by label"), [_classes(found) for found in report.labels])


def _classes(found: ClassificationReport) -> Markup:
    where = f", field {found.field}" if found.field else ""
    wanted = "the references" if found.against == "references" else "the teacher's answers"
    rows: list[list[Child]] = [
        [
            score.label,
            count(score.support),
            estimate_cell(score.precision),
            estimate_cell(score.recall),
            percent(score.f1),
        ]
        for score in found.labels[:_MOST_LABELS]
    ]
    mean: list[Child] = [
        "mean of all labels",
        count(found.n),
        percent(found.macro_precision),
        percent(found.macro_recall),
        estimate_cell(found.macro_f1),
    ]
    left_out = len(found.labels) - len(rows)
    return join(
        [
            element("h3", f"{SIDES[found.side]}{where}, against {wanted}"),
            table(["Label", "Prompts", "Precision", "Recall", "F1"], [*rows, mean]),
            element("p", f"{left_out} rarer labels are in the JSON report.") if left_out else None,
        ]
    )
