"""The report as a page: one file, no script, nothing fetched; light and dark, on screen and on paper.

`markup` escapes, `plots` draws, `numbers` writes figures, `result`, `details`, `opinions` and `differences` say what is shown.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from bedrock_distill.evaluation.page import details, result
from bedrock_distill.evaluation.page.differences import differences
from bedrock_distill.evaluation.page.markup import Markup, element
from bedrock_distill.evaluation.page.opinions import judges, labels
from bedrock_distill.evaluation.page.slices import slices

if TYPE_CHECKING:
    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.verdict import Verdict

__all__ = ["fragment", "page"]


def page(report: Report, verdict: Verdict | None = None) -> str:
    """The whole report as an HTML document.

    Args:
        report: The report.
        verdict: A verdict to put first.
    """
    title = f"{report.sides['student'].name} against {report.sides['teacher'].name}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"Evaluation: {title}"),
        _style(),
    )
    body = element(
        "body",
        element(
            "main",
            result.heading(report),
            result.verdict(report, verdict),
            result.remarks(report),
            result.quality(report),
            slices(report, verdict),
            judges(report),
            details.effort(report),
            details.fields(report),
            labels(report),
            differences(report),
            details.method(report),
        ),
        class_="bd-evaluation bd-page",
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def fragment(report: Report) -> str:
    """What a notebook shows: the result and what weakens it, with the style it needs and no more."""
    return element(
        "div",
        _style(),
        result.heading(report),
        result.verdict(report, None),
        result.remarks(report),
        result.quality(report),
        class_="bd-evaluation",
    )


def _style() -> Markup:
    return element("style", Markup(_css()))


@cache
def _css() -> str:
    return resources.files("bedrock_distill.evaluation.page").joinpath("style.css").read_text("utf-8")
