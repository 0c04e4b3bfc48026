"""Answers side by side where student and teacher differ, with the differing words marked."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page.markup import Child, Markup, element, join
from bedrock_distill.evaluation.page.numbers import count

if TYPE_CHECKING:
    from bedrock_distill.evaluation.answers import Answer
    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.records.schema import Record

__all__ = ["MOST_SHOWN", "differences", "marked"]

MOST_SHOWN = 60
"""Disagreements on the page; `report.json` has all answers."""

_MOST_WORDS = 3_000
"""Longer answers are shown without marks: comparing them would take longer than reading them."""

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def differences(report: Report) -> Markup:
    """The section of disagreements."""
    places = report.disagreements
    if not places:
        return element(
            "section",
            element("h2", "Where they differ"),
            element("p", "Nowhere: the student matches the teacher on every prompt.")
            if report.metric.grades is None
            else element(
                "p", "Nowhere: the student scores as high as the teacher on every prompt, or higher."
            ),
        )
    shown = places[:MOST_SHOWN]
    more = (
        ""
        if len(shown) == len(places)
        else f" The first {len(shown)} are here; report.json has every answer."
    )
    return element(
        "section",
        element("h2", "Where they differ"),
        element(
            "p",
            f"{count(len(places))} of {count(len(report.task.prompts))} prompts, the worst scores first.{more}",
            class_="quiet",
        ),
        [_case(report, place) for place in shown],
        class_="differences",
    )


def _case(report: Report, place: int) -> Markup:
    teacher = report.answers["teacher"].answers[place]
    student = report.answers["student"].answers[place]
    reference = report.task.references[place]
    left, right = marked(teacher.text or "", student.text or "")
    columns = [
        _column("Teacher", "teacher", left, teacher, _grade(report, "teacher", place)),
        _column("Student", "student", right, student, _grade(report, "student", place)),
    ]
    if reference is not None:
        columns.append(element("div", element("h4", "Reference"), element("pre", reference)))
    return element(
        "article",
        element(
            "p",
            f"Prompt {place + 1}",
            element("span", f"score {report.metric.student.by_prompt[place]:.2f}"),
            class_="number-line",
        ),
        _prompt(report.task.prompts[place]),
        element("div", columns, class_="columns"),
    )


def _prompt(record: Record) -> Markup:
    earlier = record.messages[:-1]
    return join(
        element(
            "details",
            element("summary", f"{len(earlier)} earlier messages"),
            [element("pre", f"{message.role}: {message.text}") for message in earlier],
        )
        if earlier
        else None,
        element("pre", record.prompt_text, class_="prompt"),
    )


def _grade(report: Report, side: str, place: int) -> Markup | None:
    """The score that somebody else gave an answer, and why."""
    grades = report.metric.grades
    if grades is None:
        return None
    score = grades.scores[side][place]
    said = "no score" if score is None else f"scored {score:.2f}"
    reason = grades.reasons[side][place]
    return element("p", said, f": {reason}" if reason else "", class_="quiet")


def _column(title: str, side: str, text: Markup, answer: Answer, grade: Markup | None) -> Markup:
    if answer.failed:
        body = element("p", f"No answer: {answer.error_code}. {answer.error}", class_="failed")
    elif not answer.text:
        body = element("p", "An empty answer.", class_="failed")
    else:
        body = element("pre", text)
    note: Child = None
    if answer.stop_reason not in ("", "end_turn", "stop_sequence"):
        note = element("p", f"stopped by {answer.stop_reason}", class_="failed")
    return element("div", element("h4", title), body, note, grade, class_=f"side-{side}")


def marked(one: str, other: str) -> tuple[Markup, Markup]:
    """Both texts, with the words that only one of them has marked."""
    words, others = _WORDS.findall(one), _WORDS.findall(other)
    if not words or not others or len(words) + len(others) > _MOST_WORDS:
        return join(one), join(other)
    left: list[Child] = []
    right: list[Child] = []
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        texts = "".join(words[start:end]), "".join(others[other_start:other_end])
        for parts, text in zip((left, right), texts, strict=True):
            parts.append(text if tag == "equal" or not text else element("mark", text))
    return join(left), join(right)
