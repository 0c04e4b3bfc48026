"""The selection: golden records at their share, the others by strata and themes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bedrock_distill.records.curation.card import Stage, Stratum
from bedrock_distill.records.curation.pool import GOLDEN, UNLABELLED
from bedrock_distill.records.curation.selection import (
    LENGTH_BANDS,
    choose,
    golden_count,
    length_bands,
    major,
    strata_of,
)
from bedrock_distill.records.curation.surveying import shared_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bedrock_distill.records.curation.pool import Columns, Pool
    from bedrock_distill.records.curation.recipe import Recipe
    from bedrock_distill.records.curation.surveying import Survey

__all__ = ["Selected", "select"]

_STRATA_SHOWN, _NAME_CHARS = 20, 48


@dataclass(frozen=True, slots=True)
class Selected:
    """What was selected."""

    places: NDArray[np.int64]
    """Places in the survey, ascending."""
    stage: Stage
    strata: tuple[Stratum, ...]
    """The largest strata, where there was a choice to make."""
    notes: tuple[str, ...]


def select(
    pool: Pool, columns: Columns, seen: Survey, candidates: NDArray[np.int64], recipe: Recipe
) -> Selected:
    """Select among the candidates, which are places in the survey."""
    is_golden = columns.ranks[seen.rows[candidates]] == GOLDEN
    golden, others = candidates[is_golden], candidates[~is_golden]
    most = recipe.max_records
    wanted = golden_count(len(others), len(golden), recipe.golden_share, most)
    room = len(others) if most is None else min(len(others), most - wanted)
    keys = _strata_keys(columns, seen, recipe)
    strata = strata_of([keys[name][others] for name in recipe.strata], len(others))
    order = columns.order(recipe.seed)[seen.rows]
    themes = seen.sketches.themes
    picked = choose(strata, themes[others], order[others], room, recipe.stratum_floor)
    picked_golden = choose(np.zeros(len(golden), np.int64), themes[golden], order[golden], wanted, 0)
    chosen = np.sort(np.concatenate((others[picked], golden[picked_golden])))
    reasons = {"not-selected": len(others) - room, "golden-beyond-its-share": len(golden) - wanted}
    names = _Names(pool, seen, keys, recipe.strata)
    shown = () if room == len(others) else tuple(_shown(strata, others, picked, names))
    return Selected(
        places=chosen,
        stage=Stage(
            name="selection",
            entered=len(candidates),
            left=len(chosen),
            reasons={reason: count for reason, count in reasons.items() if count},
        ),
        strata=shown,
        notes=tuple(_notes(len(golden), wanted, len(chosen), recipe)),
    )


def _strata_keys(columns: Columns, seen: Survey, recipe: Recipe) -> dict[str, NDArray[np.uint64]]:
    """For each thing that strata are made of, its value for every record of the survey."""
    rows = seen.rows
    keys = {
        "template": major(seen.sketches.templates),
        "system": major(columns.systems[rows]),
        "length": length_bands(columns.tokens[rows]).astype(np.uint64),
        "labelled": (columns.ranks[rows] != UNLABELLED).astype(np.uint64),
    }
    return {name: keys[name] for name in recipe.strata}


def _notes(golden: int, wanted: int, chosen: int, recipe: Recipe) -> Iterator[str]:
    if wanted == chosen and golden and recipe.golden_share < 1:
        yield "All records are golden: no others are left to mix them with."
    if golden and wanted < int(recipe.golden_share * chosen):
        yield (
            f"Golden records make up {wanted / chosen:.1%} of the records, and {recipe.golden_share:.1%} were asked for: "
            "there are no more of them."
        )


class _Names:
    """Names strata for people."""

    def __init__(
        self, pool: Pool, seen: Survey, keys: dict[str, NDArray[np.uint64]], parts: tuple[str, ...]
    ) -> None:
        self._pool, self._seen, self._keys, self._parts = pool, seen, keys, parts

    def of(self, place: int) -> str:
        """The name of the stratum that a record of the survey is in."""
        return ", ".join(self._part(part, int(self._keys[part][place])) for part in self._parts) or "all"

    def _part(self, part: str, value: int) -> str:
        if part == "length":
            edges = (0, *LENGTH_BANDS)
            end = f" to {edges[value + 1] - 1:,}" if value + 1 < len(edges) else " or more"
            return f"{edges[value]:,}{end} tokens"
        if part == "labelled":
            return "labelled" if value else "not labelled"
        if not value:
            return f"no frequent {'system prompt' if part == 'system' else part}"
        alike = self._seen.rows[self._keys[part] == np.uint64(value)]
        text = shared_text(self._pool, alike)
        return f"“{text if len(text) <= _NAME_CHARS else text[:_NAME_CHARS].rstrip() + '…'}”"


def _shown(
    strata: NDArray[np.int64], places: NDArray[np.int64], picked: NDArray[np.int64], names: _Names
) -> Iterator[Stratum]:
    sizes = np.bincount(strata)
    taken = np.bincount(strata[picked], minlength=len(sizes))
    for stratum in np.lexsort((np.arange(len(sizes)), -sizes))[:_STRATA_SHOWN]:
        first = places[np.flatnonzero(strata == stratum)[0]]
        yield Stratum(name=names.of(int(first)), candidates=int(sizes[stratum]), chosen=int(taken[stratum]))
