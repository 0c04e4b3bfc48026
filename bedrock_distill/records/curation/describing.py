"""A card of files that are there already: what they hold, and what they have in common."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np

from bedrock_distill.errors import SpecError
from bedrock_distill.records.curation.card import Card, Part
from bedrock_distill.records.curation.facts import across, facts_of, near_of, source_of, templates_of
from bedrock_distill.records.curation.gathering import Gathered, Gatherer
from bedrock_distill.records.curation.pool import UNLABELLED, Columns, Pool
from bedrock_distill.records.curation.quality import Judge
from bedrock_distill.records.curation.surveying import conflicts_among, first_of_each_prompt, survey

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["describe"]


def describe(
    paths: Sequence[str | os.PathLike[str]],
    *,
    near_threshold: float | None = 0.8,
    languages: bool = False,
    skip_bad: bool = False,
) -> Card:
    """Describe files of records, and change nothing.

    Args:
        paths: The files; gzip is unpacked.
        near_threshold: Least similarity of near-duplicates, above 0 and at most 1; None does not look for them.
        languages: Whether to tell languages.
        skip_bad: Leave lines out that are no records, and count them, instead of failing.

    Raises:
        DataError: If a file cannot be read, or a line is no record and `skip_bad` is not set.
        SpecError: If no file is given, or the threshold is out of range.
        MissingDependencyError: If languages are wanted and py3langid is not installed.
    """
    if not paths:
        raise SpecError("There is no file to describe; give at least one.", field="paths")
    if near_threshold is not None and not 0 < near_threshold <= 1:
        raise SpecError(
            f"The threshold {near_threshold!r} is not above 0 and at most 1.",
            field="near_threshold",
            value=near_threshold,
        )
    with Pool(tempfile.gettempdir(), 0) as pool:
        gatherer = Gatherer(pool, judge=Judge({}), languages=() if languages else None, skip_bad=skip_bad)
        gathered = [gatherer.read(path) for path in paths]
        columns = pool.columns()
        parts = columns.sources.astype(np.int64)
        everything = np.arange(len(columns))
        kept, kept_for = first_of_each_prompt(columns, everything)
        # Each prompt once: many copies of one would look like a template with nothing in it.
        seen = survey(pool, columns, kept, 0, near_threshold)
        places = np.empty(len(columns), np.int64)
        places[seen.rows] = np.arange(len(seen.rows))
        places = places[kept_for]
        return Card(
            sources=tuple(map(source_of, gathered)),
            stages=(),
            parts=tuple(_part(each, columns, number) for number, each in enumerate(gathered)),
            **facts_of(columns, everything, gatherer.languages),
            templates=templates_of(pool, everything, seen.sketches.templates[places]),
            strata=(),
            near=near_of(seen.clusters, near_threshold),
            exact_across=across(kept_for, parts),
            near_across=None if seen.clusters is None else across(seen.clusters[places], parts),
            duplicates=int(np.count_nonzero(kept_for != everything)),
            conflicts=conflicts_among(columns, kept_for),
            redacted={},
            recipe=None,
        )


def _part(read: Gathered, columns: Columns, number: int) -> Part:
    rows = np.flatnonzero(columns.sources == number)
    return Part(
        name=read.path,
        path=read.path,
        records=len(rows),
        labelled=int(np.count_nonzero(columns.ranks[rows] != UNLABELLED)),
        golden=0,
        size_bytes=read.check.size_bytes,
        sha256=read.sha256,
        longest_line_bytes=read.check.longest_line_bytes,
    )
