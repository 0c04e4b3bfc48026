"""The verdict as JUnit XML, which every CI system shows: a test case for each criterion."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.verdict import Verdict

__all__ = ["junit_xml"]

_SUITE = "bedrock-distill evaluate"


def junit_xml(report: Report, verdict: Verdict) -> str:
    """An XML document with one suite.

    Args:
        report: What was measured.
        verdict: What the gate says of it.
    """
    missed = len(verdict.failures)
    seconds = sum(side.seconds for side in report.sides.values())
    totals = {
        "tests": str(len(verdict.criteria)),
        "failures": str(missed),
        "errors": "0",
        "time": f"{seconds:.3f}",
    }
    root = ET.Element("testsuites", {"name": _SUITE, **totals})
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": _clean(f"{verdict.student} against {verdict.teacher}"),
            **totals,
            "skipped": "0",
            "timestamp": report.method.made_at.isoformat(timespec="seconds"),
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _figures(report, verdict).items():
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for criterion in verdict.criteria:
        case = ET.SubElement(
            suite,
            "testcase",
            {"classname": "bedrock_distill.gate", "name": _clean(criterion.name), "time": "0"},
        )
        if criterion.passed:
            ET.SubElement(case, "system-out").text = _clean(criterion.text)
        else:
            failure = ET.SubElement(
                case, "failure", {"type": "GateFailedError", "message": _clean(criterion.text)}
            )
            failure.text = _clean(criterion.text)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _figures(report: Report, verdict: Verdict) -> dict[str, str]:
    return {
        "metric": report.metric.name,
        "prompts": str(len(report.task.prompts)),
        "retention": str(report.retention),
        "agreement": str(report.agreement),
        "alpha": f"{verdict.alpha:g}",
        "version": report.method.version,
        **({"scored by": report.method.scored_by} if report.method.scored_by else {}),
    }


def _clean(text: str) -> str:
    """The text without the characters that XML cannot hold, even escaped."""
    return "".join(mark if _allowed(ord(mark)) else "\N{REPLACEMENT CHARACTER}" for mark in text)


def _allowed(code: int) -> bool:
    if code < 0x20:
        return code in (0x9, 0xA, 0xD)
    return code < 0xD800 or 0xE000 <= code <= 0xFFFD or code >= 0x10000
