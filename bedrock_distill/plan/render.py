"""A plan for people: a table in a terminal, the same in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedrock_distill.plan.estimate import Line
    from bedrock_distill.plan.plan import Plan
    from bedrock_distill.plan.steps import Step

__all__ = ["as_html", "as_table"]


def as_table(plan: Plan) -> str:
    """The plan as text of about 100 columns."""
    lines = [f"Plan {plan.name} · {plan.fingerprint} · {plan.region} · account {plan.account_id}"]
    width = max((len(key) for key in plan.facts), default=0)
    lines += [f"  {key.ljust(width)}  {value}" for key, value in plan.facts.items()]
    lines += ["", "Steps"]
    lines += [f"  {number}. {step.says}{_mark(step)}" for number, step in enumerate(plan.steps, 1)]
    if plan.estimate.lines:
        lines += ["", "Cost"]
        what = max(len(line.what) for line in plan.estimate.lines)
        lines += [
            f"  {line.what.ljust(what)}  {_quantity(line)}  {_usd(line.usd)}  ({line.source})"
            for line in plan.estimate.lines
        ]
        lines.append(f"  Total: {_total(plan)}")
    if plan.warnings:
        lines += ["", "Warnings"]
        lines += [
            f"  {'STOP' if warning.blocks else 'note'}  {warning.code}: {warning.text}"
            for warning in plan.warnings
        ]
    return "\n".join(lines)


def as_html(plan: Plan) -> str:
    """The plan as one HTML element; every text in it is escaped."""
    facts = "".join(
        f"<tr><th style='text-align:left'>{escape(k)}</th><td>{escape(v)}</td></tr>"
        for k, v in plan.facts.items()
    )
    steps = "".join(f"<li>{escape(step.says)}<em>{escape(_mark(step))}</em></li>" for step in plan.steps)
    cost = "".join(
        f"<tr><td>{escape(line.what)}</td><td>{escape(_quantity(line))}</td><td>{escape(_usd(line.usd))}</td>"
        f"<td>{escape(line.source)}</td></tr>"
        for line in plan.estimate.lines
    )
    warnings = "".join(
        f"<li><strong>{'Stop' if w.blocks else 'Note'}: {escape(w.code)}</strong> {escape(w.text)}</li>"
        for w in plan.warnings
    )
    parts = [
        f"<h4>Plan {escape(plan.name)} <code>{escape(plan.fingerprint)}</code></h4>",
        f"<p>{escape(plan.region)}, account {escape(plan.account_id)}</p>",
        f"<table>{facts}</table>",
        f"<ol>{steps}</ol>",
    ]
    if cost:
        parts.append(f"<table>{cost}</table><p>Total: {escape(_total(plan))}</p>")
    if warnings:
        parts.append(f"<ul>{warnings}</ul>")
    return f"<div class='bedrock-distill-plan'>{''.join(parts)}</div>"


def _mark(step: Step) -> str:
    if step.done:
        return "  [already done]"
    return "  [costs money]" if step.bills else ""


def _quantity(line: Line) -> str:
    return f"? {line.unit}" if line.quantity is None else f"{line.quantity:,.1f} {line.unit}"


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f} USD"


def _total(plan: Plan) -> str:
    total = plan.estimate.total_usd
    if total is not None:
        return _usd(total)
    known = plan.estimate.known_usd
    return f"unknown (known parts: {_usd(known)})" if known else "unknown"
