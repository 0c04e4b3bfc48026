"""What the pool's records have in common: sketches, near-duplicates and templates of those that are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bedrock_distill.records.curation.clusters import cluster
from bedrock_distill.records.curation.pool import UNLABELLED
from bedrock_distill.records.curation.sketches import SAMPLE, Frequencies, Sketches, sketch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bedrock_distill.records.curation.pool import Columns, Pool

__all__ = ["Survey", "conflicts_among", "first_of_each_prompt", "shared_text", "survey"]

_SHOWN_CHARS, _COMPARED = 120, 8


@dataclass(frozen=True, slots=True)
class Survey:
    """Records that are looked at, and what was seen."""

    rows: NDArray[np.int64]
    """Their rows in the pool: golden ones first, then labelled ones, then the others, each shuffled by the seed."""
    sketches: Sketches
    """Their sketches, in this order."""
    clusters: NDArray[np.int64] | None
    """For each, the place of the first of its cluster of near-duplicates; None if nobody looked."""


def survey(
    pool: Pool, columns: Columns, rows: NDArray[np.int64], seed: int, threshold: float | None
) -> Survey:
    """Sketch records, and find near-duplicates among them.

    Args:
        pool: The pool.
        columns: Its columns.
        rows: Which records.
        seed: Of the order.
        threshold: Least similarity of near-duplicates, or None.
    """
    order = columns.order(seed)[rows]
    rows = rows[np.lexsort((order, -columns.ranks[rows].astype(np.int64)))]
    keys = columns.key_low[rows]
    least = np.partition(keys, SAMPLE)[SAMPLE] if len(rows) > SAMPLE else None
    sample = rows if least is None else rows[keys < least]
    frequencies = Frequencies(pool.prompts(np.sort(sample).tolist()), themes=True)
    # Read as they lie on disk, each into its own place.
    reading = np.argsort(rows)
    sketches = sketch(pool.prompts(rows[reading].tolist()), reading, frequencies)
    return Survey(rows, sketches, None if threshold is None else cluster(sketches, threshold))


def first_of_each_prompt(
    columns: Columns, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of records with the same prompt, the one to keep: golden before labelled before others, then by hash of the line.

    Returns:
        The rows to keep, ascending, and for each of the given rows the row that is kept for it.
    """
    high, low = columns.key_high[rows], columns.key_low[rows]
    ranks = -columns.ranks[rows].astype(np.int64)
    order = np.lexsort((columns.line_hashes[rows], ranks, low, high))
    new = np.ones(len(order), np.bool_)
    new[1:] = (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1])
    heads = rows[order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]]
    kept = np.empty(len(rows), np.int64)
    kept[order] = heads
    return np.sort(heads[new]), kept


def conflicts_among(columns: Columns, kept_for: NDArray[np.int64]) -> int:
    """How many prompts came with different golden labels, given for each record the one that is kept for it."""
    labelled = np.flatnonzero(columns.ranks != UNLABELLED)
    pairs = np.unique(np.stack((kept_for[labelled].astype(np.uint64), columns.line_hashes[labelled])), axis=1)
    _, counts = np.unique(pairs[0], return_counts=True)
    return int(np.count_nonzero(counts > 1))


def shared_text(pool: Pool, rows: NDArray[np.int64]) -> str:
    """What the prompts of one template begin or end with, shortened, for people to know it by."""
    texts = [
        prompt.decode("utf-8", "replace").replace("\ufffd", "\n")
        for prompt in pool.prompts(rows[:_COMPARED].tolist())
    ]
    opening = _common_beginning(texts)
    closing = _common_beginning([text[::-1] for text in texts])[::-1]
    shown = " ".join((opening if opening.strip() else closing).split())
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS].rstrip()}…"


def _common_beginning(texts: list[str]) -> str:
    """What all texts begin with; the least and the greatest of them tell."""
    least, greatest = min(texts), max(texts)
    same = next((place for place, mark in enumerate(least) if mark != greatest[place]), len(least))
    return least[:same]
