"""A report as text for people: what the model is, who takes it, and what was found."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from bedrock_distill.models.report import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.models.report import ModelReport, Verdict

__all__ = ["render"]

_WIDTH = 110


def render(report: ModelReport) -> str:
    """The report as lines."""
    return "\n".join([report.where, *_facts(report), "", *_verdicts(report), *_findings(report)])


def _facts(report: ModelReport) -> Iterator[str]:
    shape = report.shape
    family = f" ({report.family})" if report.family else ""
    facts = {"architecture": f"{report.architecture or 'unknown'}{family}"}
    if shape is not None:
        quantized = shape.quantization
        group = f" in groups of {quantized.group_size}" if quantized and quantized.group_size else ""
        kind = f", {quantized.method} {quantized.bits} bit{group}" if quantized else ""
        experts = f", {shape.experts} experts" if shape.experts else ""
        facts["parameters"] = f"{shape.parameters:,}{experts}"
        facts["weights"] = f"{shape.weight_bytes:,} bytes, {shape.dtype}{kind}"
        facts["layers"] = f"{shape.layers}, {shape.heads} heads over {shape.kv_heads} of {shape.head_dim}"
        facts["context"] = f"{shape.context:,} tokens"
    facts["files"] = f"{report.files}, {report.total_bytes:,} bytes"
    facts["tokenizer"] = report.tokenizer_class or "unknown"
    facts["chat template"] = report.chat_template or "none"
    if report.saved_by:
        facts["saved by"] = f"transformers {report.saved_by}"
    return (f"  {name:<14}{value}" for name, value in facts.items())


def _verdicts(report: ModelReport) -> Iterator[str]:
    names = {target: report.titles.get(target, target) for target in TARGETS}
    region = f" in {report.region}" if report.region else ""
    names["model-import"] += region
    width = max(map(len, names.values()))
    return (f"  {names[target]:<{width}}  {_answer(report.verdict(target))}" for target in TARGETS)


def _answer(verdict: Verdict) -> str:
    if not verdict.ok:
        return f"no: {_counted(len(verdict.reasons), 'error')}"
    return "yes" + (f", with {_counted(len(verdict.warnings), 'warning')}" if verdict.warnings else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _findings(report: ModelReport) -> Iterator[str]:
    if report.findings:
        yield ""
    errors = {finding.code for finding in report.findings if finding.severity == "error"}
    for finding in report.findings:
        if finding.severity == "warning" and finding.code in errors:
            continue  # said already, of the targets that surely refuse it
        lesser = [
            target
            for other in report.findings
            if other.code == finding.code and other.severity == "warning" != finding.severity
            for target in other.targets
        ]
        perhaps = f"; perhaps {', '.join(lesser)} too" if lesser else ""
        yield textwrap.fill(
            f"{finding}{perhaps}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
