"""Curation: from all the records there are to those worth training on, in files that Bedrock takes.

Sources are read once, into a pool. Then each step says what it leaves out and why: the quality rules, exact duplicates,
near-duplicates, the selection. What remains is split so that nothing that belongs together is torn apart, and written
with a card that says all of this. The order of the input decides nothing: the same records and recipe give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records.curation.card import Card, Stage, top_counts
from bedrock_distill.records.curation.facts import across, facts_of, near_of, source_of, templates_of
from bedrock_distill.records.curation.gathering import Gathered, Gatherer
from bedrock_distill.records.curation.grouping import sides, tied
from bedrock_distill.records.curation.pool import GOLDEN, Columns, Pool
from bedrock_distill.records.curation.publishing import publish
from bedrock_distill.records.curation.quality import Judge
from bedrock_distill.records.curation.recipe import Recipe, Redactor
from bedrock_distill.records.curation.selecting import select
from bedrock_distill.records.curation.surveying import Survey, conflicts_among, first_of_each_prompt, survey
from bedrock_distill.records.splitting import Shares

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bedrock_distill.records.rules import Rules

    StrPath = str | os.PathLike[str]

__all__ = ["curate"]


def curate(
    source: StrPath | Sequence[StrPath],
    out: StrPath,
    recipe: Recipe | None = None,
    *,
    golden: StrPath | None = None,
    groups: StrPath | Sequence[StrPath] = (),
    redactor: Redactor | None = None,
    rules: Rules | None = None,
) -> Card:
    """Curate records into `OUT/NAME.jsonl`, one file a share, with `OUT/card.json` and `OUT/card.md`.

    All files appear at the end, or, if anything fails, none. Memory: some 70 bytes for each record read, 300 to 500
    more for each distinct prompt, whatever their length. Disk: as much again as the records, until the end.

    Args:
        source: One or more files of records; gzip is unpacked. Each is read once, from beginning to end.
        out: Folder for the files; made if it is missing.
        recipe: How to curate. Default: the recipe of the defaults.
        golden: A file of records with golden labels that go before all others: they are not judged, and where one has
            the prompt of another record, or nearly so, it is the one that is kept. `Recipe.golden_share` says how many
            there will be.
        groups: For each source, in order, a file with a JSON string, number or null for each line: records with the
            same one stay on one side of the split.
        redactor: Takes out of texts what must not be learned, before anything else looks at them.
        rules: Check lines by a teacher's and a student's rules, as `rules.rules_for` makes them.

    Returns:
        The card.

    Raises:
        DataError: If a file cannot be read or written, a line offends and `Recipe.skip_bad` is not set, or nothing is
            left.
        SpecError: If the number of groups files is not that of the sources.
        MissingDependencyError: If languages are wanted and py3langid is not installed.
    """
    recipe = recipe or Recipe()
    sources = _paths(source)
    beside: list[StrPath | None] = [*_paths(groups)]
    if beside and len(beside) != len(sources):
        raise SpecError(
            f"There are {len(sources)} sources and {len(beside)} files of groups; give one for each source, in order.",
            field="groups",
            value=len(beside),
        )
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Could not make the folder {str(folder)!r}: {error.strerror or error}.") from error
    with Pool(folder, recipe.seed) as pool:
        gatherer = Gatherer(
            pool,
            judge=Judge(recipe.all_limits()),
            rules=rules,
            redactor=redactor,
            languages=recipe.languages or None,
            skip_bad=recipe.skip_bad,
        )
        gathered = [
            gatherer.read(path, groups=each)
            for path, each in zip(sources, beside or [None] * len(sources), strict=True)
        ]
        if golden is not None:
            gathered.append(gatherer.read(golden, golden=True))
        return _curated(pool, gatherer, gathered, recipe, folder)


def _paths(given: StrPath | Sequence[StrPath]) -> list[StrPath]:
    return list(given) if isinstance(given, (list, tuple)) else [given]  # type: ignore[list-item]


def _curated(pool: Pool, gatherer: Gatherer, gathered: list[Gathered], recipe: Recipe, folder: Path) -> Card:
    """The steps, one after the other."""
    columns = pool.columns()
    stages = list(_reading(gathered))
    everything = np.arange(len(columns))
    kept, kept_for = first_of_each_prompt(columns, everything)
    stages.append(_exact(columns, kept, kept_for))
    seen = survey(pool, columns, kept, recipe.seed, recipe.near_threshold)
    apart = _apart(seen, recipe)
    stages.append(_near(columns, seen, apart))
    selected = select(pool, columns, seen, apart, recipe)
    stages.append(selected.stage)
    places = selected.places
    if not len(places):
        raise _nothing_left(stages)
    places = places[np.argsort(columns.order(recipe.seed)[seen.rows[places]], kind="stable")]
    rows = seen.rows[places]
    shares = Shares.of(recipe.shares)
    split = _split(columns, seen, places, recipe, shares)
    facts: dict[str, Any] = {
        "sources": tuple(map(source_of, gathered)),
        "stages": tuple(stages),
        **facts_of(columns, rows, gatherer.languages),
        "templates": templates_of(pool, rows, seen.sketches.templates[places]),
        "strata": selected.strata,
        "near": near_of(seen.clusters, recipe.near_threshold),
        "exact_across": across(rows, split),
        "near_across": None if seen.clusters is None else across(seen.clusters[places], split),
        "conflicts": conflicts_among(columns, kept_for),
        "redacted": dict(sorted(gatherer.redacted.items())),
        "recipe": recipe.to_dict(),
        "notes": selected.notes,
    }
    return publish(folder, pool, columns, rows, split=split, shares=shares, facts=facts)


def _reading(gathered: list[Gathered]) -> list[Stage]:
    lines = sum(each.check.lines - each.check.blank for each in gathered)
    records = sum(each.check.prompts for each in gathered)
    bad = sum(each.check.bad_lines for each in gathered)
    dropped = sum((each.dropped for each in gathered), start=Counter[str]())
    added = sum(each.added for each in gathered)
    return [
        Stage(
            name="lines that are records",
            entered=lines,
            left=records,
            reasons={"offending-line": bad} if bad else {},
        ),
        Stage(name="quality rules", entered=records, left=added, reasons=top_counts(dropped)),
    ]


def _exact(columns: Columns, kept: NDArray[np.int64], kept_for: NDArray[np.int64]) -> Stage:
    gone = np.flatnonzero(kept_for != np.arange(len(columns)))
    golden = int(
        np.count_nonzero((columns.ranks[kept_for[gone]] == GOLDEN) & (columns.ranks[gone] != GOLDEN))
    )
    reasons = {"exact-duplicate": len(gone) - golden, "prompt-of-a-golden-record": golden}
    return _stage("exact duplicates", len(columns), len(kept), reasons)


def _apart(seen: Survey, recipe: Recipe) -> NDArray[np.int64]:
    """The places of the records that are no near-duplicates of one that is kept."""
    places = np.arange(len(seen.rows))
    if seen.clusters is None or recipe.keep_near:
        return places
    kept: NDArray[np.int64] = places[seen.clusters == places]
    return kept


def _near(columns: Columns, seen: Survey, apart: NDArray[np.int64]) -> Stage:
    gone = np.ones(len(seen.rows), np.bool_)
    gone[apart] = False
    places = np.flatnonzero(gone)
    golden = 0
    if seen.clusters is not None:
        ranks = columns.ranks[seen.rows]
        golden = int(np.count_nonzero((ranks[seen.clusters[places]] == GOLDEN) & (ranks[places] != GOLDEN)))
    reasons = {"near-duplicate": len(places) - golden, "near-duplicate-of-a-golden-record": golden}
    return _stage("near-duplicates", len(seen.rows), len(apart), reasons)


def _stage(name: str, entered: int, left: int, reasons: dict[str, int]) -> Stage:
    return Stage(
        name=name, entered=entered, left=left, reasons={key: count for key, count in reasons.items() if count}
    )


def _split(
    columns: Columns, seen: Survey, places: NDArray[np.int64], recipe: Recipe, shares: Shares
) -> NDArray[np.int64]:
    """The number of the share that each record goes to."""
    rows = seen.rows[places]
    ties: dict[str, NDArray[np.uint64]] = {
        "session": columns.sessions[rows],
        "template": seen.sketches.templates[places],
        "system": columns.systems[rows],
    }
    if seen.clusters is not None:
        ties["cluster"] = (seen.clusters[places] + 1).astype(np.uint64)
    groups = tied([ties[name] for name in recipe.keep_together if name in ties], len(rows))
    # Not the lower half of the key: that of a long prompt is its point, if the seed is zero.
    return sides(groups, columns.key_high[rows], columns.points[rows], shares)


def _nothing_left(stages: list[Stage]) -> DataError:
    why = ", ".join(f"{count:,} {reason}" for stage in stages for reason, count in stage.reasons.items())
    return DataError(
        f"Nothing is left of {stages[0].entered:,} lines{f' ({why})' if why else ''}: check the sources, or loosen the "
        "recipe's limits."
    )
