"""From columns to the card: what is said of the records that a data set holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from bedrock_distill.records.curation.card import Near, Source, Spread, Template, top_counts
from bedrock_distill.records.curation.pool import NO_COMPLETION
from bedrock_distill.records.curation.surveying import shared_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bedrock_distill.records.curation.gathering import Gathered
    from bedrock_distill.records.curation.pool import Columns, Pool

__all__ = ["across", "facts_of", "near_of", "source_of", "templates_of"]

_TEMPLATES_SHOWN, _TEMPLATE_SHARE = 12, 0.01


def facts_of(columns: Columns, rows: NDArray[np.int64], languages: Sequence[str]) -> dict[str, Any]:
    """Lengths and languages of records, as fields of the card."""
    completions = columns.completion_chars[rows]
    told = len(languages) > 1
    counts = Counter(columns.languages[rows].tolist())
    return {
        "prompt_chars": Spread.of(columns.prompt_chars[rows]),
        "completion_chars": Spread.of(completions[completions != NO_COMPLETION]),
        "tokens": Spread.of(columns.tokens[rows]),
        "languages": top_counts({languages[code]: count for code, count in counts.items()}) if told else None,
    }


def source_of(read: Gathered) -> Source:
    """A source as the card has it."""
    return Source(
        path=read.path,
        sha256=read.sha256,
        size_bytes=read.size_bytes,
        lines=read.check.lines,
        records=read.check.prompts,
        bad_lines=read.check.bad_lines,
        golden=read.golden,
    )


def near_of(clusters: NDArray[np.int64] | None, threshold: float | None) -> Near | None:
    """The clusters of near-duplicates as the card has them."""
    if clusters is None or threshold is None:
        return None
    sizes = np.bincount(clusters) if len(clusters) else np.zeros(0, np.int64)
    sizes = sizes[sizes > 1]
    return Near(
        threshold=threshold,
        clusters=len(sizes),
        members=int(sizes.sum()),
        largest=int(sizes.max(initial=0)),
    )


def templates_of(pool: Pool, rows: NDArray[np.int64], templates: NDArray[np.uint64]) -> tuple[Template, ...]:
    """The most frequent templates of records.

    Args:
        pool: The pool.
        rows: The records, in an order that does not depend on the input's.
        templates: The template of each, or zero.
    """
    kinds, counts = np.unique(templates[templates != 0], return_counts=True)
    top = np.lexsort((kinds, -counts))[:_TEMPLATES_SHOWN]
    shown = [
        (kinds[each], int(counts[each])) for each in top if counts[each] > max(1, _TEMPLATE_SHARE * len(rows))
    ]
    found = [(shared_text(pool, rows[templates == kind]), count) for kind, count in shown]
    return tuple(Template(text=text, records=count) for text, count in found if text)


def across(values: NDArray[Any], parts: NDArray[np.int64]) -> int:
    """How many values stand in more than one part."""
    if not len(values):
        return 0
    order = np.lexsort((parts, values))
    ordered, sides = values[order], parts[order]
    torn = (ordered[1:] == ordered[:-1]) & (sides[1:] != sides[:-1])
    return len(np.unique(ordered[1:][torn]))
