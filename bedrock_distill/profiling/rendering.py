"""A profile for people: a table in a terminal, Markdown, and HTML for notebooks, all from the same rows."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from bedrock_distill.records.markdown import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bedrock_distill.profiling.report import Group, Profile

__all__ = ["html", "markdown", "page", "plain"]

_NAME_CHARS: Final = 80
_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{padding:.3em .7em;border-bottom:1px solid;text-align:left}"
    "td:not(:last-child){white-space:nowrap}td:last-child{min-width:18em}.number{text-align:right}"
)


def _usd(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def _payback(group: Group) -> str:
    saving = group.saving
    if saving is None:
        return "-"
    if saving.payback_days is not None:
        return f"{saving.payback_days:,.1f} days ({saving.payback_on})"
    if saving.usd_per_day is not None and saving.usd_per_day <= 0:
        return "never"
    return "unknown"


_COLUMNS: Final[tuple[tuple[str, Callable[[Group], str]], ...]] = (
    ("rank", lambda group: str(group.rank)),
    ("group", lambda group: group.id),
    ("score", lambda group: f"{group.score.value:.2f}"),
    ("calls/day", lambda group: f"{group.calls_per_day:,.1f}"),
    (
        "tokens/call",
        lambda group: f"{group.input_tokens / group.calls:,.0f}+{group.output_tokens / group.calls:,.0f}",
    ),
    ("USD/day", lambda group: _usd(group.usd_per_day)),
    ("prompts", lambda group: f"{'' if group.exact else '~'}{group.distinct_prompts:,}"),
    ("fixed", lambda group: "-" if group.prompts.fixed_share is None else f"{group.prompts.fixed_share:.0%}"),
    ("answers", lambda group: group.answer_kind),
    ("usable", lambda group: f"{group.usable_calls / group.calls:.0%}"),
)
_SAVING: Final[tuple[tuple[str, Callable[[Group], str]], ...]] = (
    ("saves USD/day", lambda group: "-" if group.saving is None else _usd(group.saving.usd_per_day)),
    ("one-off USD", lambda group: "-" if group.saving is None else _usd(group.saving.one_off_usd)),
    ("pay-back", _payback),
)
_TEXT_COLUMNS: Final = ("group", "answers", "pay-back", "what it is")


def _rows(profile: Profile) -> tuple[list[str], list[list[str]]]:
    columns = [*_COLUMNS, *(_SAVING if profile.student else ()), ("what it is", _named)]
    return [name for name, _ in columns], [[read(group) for _, read in columns] for group in profile.groups]


def _named(group: Group) -> str:
    name = group.name
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"


def _heads(profile: Profile) -> list[str]:
    """Sentences about the whole."""
    skipped = sum(profile.skipped.values())
    where = f"of {profile.scanned:,} lines of {profile.source}, {profile.objects:,} objects"
    heads = [f"{profile.calls:,} calls in {len(profile.groups)} groups, {where}."]
    if profile.first is not None and profile.last is not None:
        heads.append(
            f"From {profile.first:%Y-%m-%d %H:%M} to {profile.last:%Y-%m-%d %H:%M} UTC, counted as {profile.days:,.1f} days."
        )
    if skipped:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in profile.skipped.items())
        heads.append(f"{skipped:,} lines are no calls that were looked at: {reasons}.")
    if profile.student is not None:
        assumed = profile.assumptions
        heads.append(
            f"Savings: {profile.student} instead of {profile.teacher or 'whoever answered'} for {assumed.student_share:.0%} of "
            f"the usable calls, {assumed.passes:g} pass(es) of training."
        )
    return heads


def plain(profile: Profile) -> str:
    """The profile as text."""
    header, rows = _rows(profile)
    lines = [*_heads(profile), "", *_aligned(header, rows)]
    lines += [""] * bool(profile.remarks) + [f"! {remark}" for remark in profile.remarks]
    if profile.curve is not None:
        lines += ["", f"{profile.curve_of}: {profile.curve}"]
    return "\n".join(lines)


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if name in _TEXT_COLUMNS else cell.rjust(width)
            for name, cell, width in zip(header, row, widths, strict=True)
        ).rstrip()
        for row in (header, *rows)
    ]


def markdown(profile: Profile) -> str:
    """The profile in GitHub's Markdown. Texts of the logs are escaped."""
    header, rows = _rows(profile)
    marks = [":--" if name in _TEXT_COLUMNS else "--:" for name in header]
    table = [header, marks, *([escaped(cell) for cell in row] for row in rows)]
    parts = [
        "## Profile of invocation logs",
        "\n".join(map(escaped, _heads(profile))),
        "\n".join(f"| {' | '.join(row)} |" for row in table),
        "\n".join(f"- Note: {escaped(remark)}" for remark in profile.remarks),
    ]
    if profile.curve is not None:
        parts.append(f"### Learning curve of {profile.curve_of}\n\n```\n{profile.curve}\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def html(profile: Profile) -> str:
    """The profile as one HTML element; every text in it is escaped."""
    header, rows = _rows(profile)
    heads = "".join(f"<p>{escape(head)}</p>" for head in _heads(profile))
    kinds = ["" if name in _TEXT_COLUMNS else ' class="number"' for name in header]

    def line(tag: str, cells: Sequence[str]) -> str:
        told = (f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(told)}</tr>"

    body = "".join(line("td", row) for row in rows)
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in profile.remarks)
    curve = "" if profile.curve is None else f"<pre>{escape(f'{profile.curve_of}: {profile.curve}')}</pre>"
    return f"<div>{heads}<table>{line('th', header)}{body}</table><ul>{remarks}</ul>{curve}</div>"


def page(profile: Profile) -> str:
    """The same as a page of its own."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Profile of invocation logs</title>'
        f"<style>{_STYLE}</style><h1>Profile of invocation logs</h1>{html(profile)}</html>\n"
    )
