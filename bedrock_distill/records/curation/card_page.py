"""The dataset card as a page of Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bedrock_distill.records.curation.card import top_counts
from bedrock_distill.records.curation.quality import RULES
from bedrock_distill.records.markdown import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bedrock_distill.records.curation.card import Card, Spread

__all__ = ["page"]

_SHOWN = 12
_SHORT = 12


def page(card: Card) -> str:
    """The page."""
    sections = (
        _head(card),
        _parts(card),
        _sources(card),
        _stages(card),
        _lengths(card),
        _languages(card),
        _templates(card),
        _strata(card),
        _near(card),
        _recipe(card),
    )
    return "\n\n".join(block for section in sections for block in section) + "\n"


def _head(card: Card) -> Iterator[str]:
    yield "# Dataset card"
    share = (
        f", {card.labelled:,} of them with a golden label ({card.labelled / card.records:.1%})"
        if card.records
        else ""
    )
    tokens = f" About {card.tokens.total:,} tokens." if card.tokens else ""
    yield f"**{card.records:,} records** in {_count(len(card.parts), 'file')}{share}.{tokens}"
    if card.warnings:
        yield "\n".join(f"- **Note:** {escaped(warning)}" for warning in card.warnings)


def _parts(card: Card) -> Iterator[str]:
    yield "## Files"
    golden = any(part.golden for part in card.parts)
    rows = [
        (
            _code(part.name),
            f"{part.records:,}",
            f"{part.labelled:,}",
            *((f"{part.golden:,}",) if golden else ()),
            f"{part.size_bytes:,}",
            f"{part.longest_line_bytes:,}",
            f"`{part.sha256[:_SHORT]}`",
        )
        for part in card.parts
    ]
    names = ("records", "labelled", *(("golden",) if golden else ()), "bytes", "longest line", "sha256")
    yield _table(("file", *names), rows)
    near = (
        "near-duplicates were not looked for"
        if card.near_across is None
        else f"{_count(card.near_across, 'group')} of near-duplicates in more than one"
    )
    if len(card.parts) > 1:
        yield f"Between the files: {_count(card.exact_across, 'prompt')} in more than one; {near}."


def _sources(card: Card) -> Iterator[str]:
    if card.recipe is None:
        return
    yield "## Sources"
    rows = [
        (
            f"{_code(source.path)}{' (golden)' if source.golden else ''}",
            f"{source.records:,}",
            f"{source.bad_lines:,}",
            f"{source.size_bytes:,}",
            f"`{source.sha256[:_SHORT]}`",
        )
        for source in card.sources
    ]
    yield _table(("file", "records", "bad lines", "bytes", "sha256"), rows)
    if card.redacted:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in top_counts(card.redacted).items())
        yield f"Taken out of texts: {kinds}."


def _stages(card: Card) -> Iterator[str]:
    if not card.stages:
        return
    yield "## From the sources to the files"
    rows = [
        (stage.name, f"{stage.entered:,}", f"{stage.entered - stage.left:,}", f"{stage.left:,}")
        for stage in card.stages
    ]
    yield _table(("step", "records", "left out", "went on"), rows)
    told = _explanations(card)
    reasons = [
        (f"{reason}{': ' if reason in told else ''}{escaped(told.get(reason, ''))}", f"{count:,}")
        for stage in card.stages
        for reason, count in top_counts(stage.reasons).items()
    ]
    if reasons:
        yield _table(("left out because", "records"), reasons)


_REASONS = {
    "offending-line": "the line is no record, or breaks a rule of Bedrock's",
    "nothing-left": "nothing but blanks is left of a text after redaction",
    "language": "the prompt is in another language than those asked for",
    "exact-duplicate": "the same prompt is kept already",
    "prompt-of-a-golden-record": "a golden record has the same prompt",
    "near-duplicate": "nearly the same prompt is kept already",
    "near-duplicate-of-a-golden-record": "a golden record has nearly the same prompt",
    "not-selected": "there are more than were asked for",
    "golden-beyond-its-share": "there are more golden records than their share",
}


def _explanations(card: Card) -> dict[str, str]:
    limits = {} if card.recipe is None else card.recipe["limits"]
    rules = {
        rule.name: rule.explained(limit) for rule in RULES if (limit := limits.get(rule.name)) is not None
    }
    return _REASONS | rules


def _lengths(card: Card) -> Iterator[str]:
    named: tuple[tuple[str, Spread | None], ...] = (
        ("prompt, characters", card.prompt_chars),
        ("completion, characters", card.completion_chars),
        ("record, tokens (estimated)", card.tokens),
    )
    rows = [
        (name, *(f"{value:,}" for value in (spread.min, spread.median, spread.p95, spread.max)))
        for name, spread in named
        if spread is not None
    ]
    if rows:
        yield "## Lengths"
        yield _table(("", "least", "median", "95 %", "most"), rows)


def _languages(card: Card) -> Iterator[str]:
    if card.languages:
        yield "## Languages"
        rows = [
            (f"`{code}`" if code else "too short to tell", f"{count:,}")
            for code, count in top_counts(card.languages).items()
        ]
        yield _table(("language", "records"), rows[:_SHOWN])


def _templates(card: Card) -> Iterator[str]:
    if card.templates:
        yield "## Templates"
        yield "What many prompts have in common at their beginning, or else at their end."
        rows = [(_code(each.text), f"{each.records:,}") for each in card.templates[:_SHOWN]]
        yield _table(("shared text", "records"), rows)


def _strata(card: Card) -> Iterator[str]:
    if card.strata:
        yield "## Selection"
        yield "The largest strata, and how many of each were chosen."
        rows = [
            (escaped(each.name), f"{each.candidates:,}", f"{each.chosen:,}") for each in card.strata[:_SHOWN]
        ]
        yield _table(("stratum", "candidates", "chosen"), rows)


def _near(card: Card) -> Iterator[str]:
    if card.near is not None:
        near = card.near
        yield "## Near-duplicates"
        found = (
            f"{_count(near.clusters, 'group')} of {near.members:,} records, the largest of {near.largest:,}"
            if near.clusters
            else "none"
        )
        yield f"Found at a similarity of {near.threshold:g} or more: {found}."


def _recipe(card: Card) -> Iterator[str]:
    if card.recipe is not None:
        yield "## Recipe"
        yield f"```json\n{json.dumps(card.recipe, indent=2, ensure_ascii=False)}\n```"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers and stand to the right."""
    marks = ["---", *("--:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, marks, *rows))


def _code(text: str) -> str:
    """Text in a code span, inside a table."""
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
