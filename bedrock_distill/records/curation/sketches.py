"""Sketches: what is kept of a prompt, some 290 bytes, so that near-duplicates can be found without the texts.

Prompts made from one template share most of their windows, and are no duplicates for that. So windows that many
prompts share are counted first (`Frequencies`) and then left out of the sketch: what is compared is the part that
varies. The common windows that a prompt opens and closes with are its template, and only prompts of the same template
are ever compared: the same letter with the order to translate it and with the order to answer it are two prompts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from bedrock_distill.records.curation.windows import Windows, batched, mixed, windows_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = [
    "BINS",
    "EDGE",
    "EMPTY",
    "NO_THEME",
    "ROW",
    "SAMPLE",
    "TEMPLATE_COUNT",
    "TEMPLATE_SHARE",
    "Frequencies",
    "Sketches",
    "sketch",
]

BINS = 128
"""Numbers in a sketch; the similarity of two is estimated to about 0.04."""

EDGE = 8
"""Windows kept from each end of a prompt."""

EMPTY = 0xFFFF
"""A bin that no window fell into."""

NO_THEME = 0xFFFFFFFF
"""The theme of a text without a word."""

TEMPLATE_SHARE = 0.002
"""A window is common if at least this share of all prompts holds it ..."""

TEMPLATE_COUNT = 16
"""... and at least so many."""

SAMPLE = 1 << 13
"""How many prompts are enough to count frequencies by."""

ROW = np.dtype([("bins", "<u2", BINS), ("edges", "u1", 2 * EDGE), ("frames", "<u8")])
"""A sketch as it is written down, in 280 bytes: what is compared of it."""

_HINT_BITS, _ROW_BITS, _STEM_BITS = 17, 4, 16
_SLOT_BITS = _HINT_BITS + _ROW_BITS
_COMMON_STEM = 0.02
_DROP = 4
_BIN_SHIFT, _VALUE_SHIFT, _EDGE_SHIFT, _WORD_SHIFT = (np.uint64(bits) for bits in (57, 41, 33, 32))
_TAIL = np.uint64(0xD6E8FEB86659FD93)


class Frequencies:
    """How many prompts hold a window, counted over all prompts or a sample of them.

    Counting takes 8 MB however many prompts there are; what is kept, one. Two windows may share a counter, so a count
    may be too high: then a rare window is left out, of all sketches alike.

    Args:
        texts: The prompts, given as `joined_texts` has them.
        themes: Count long words, too, so that sketches will have themes.

    Attributes:
        prompts: How many prompts were counted.
        common: The count from which a window is common.
        themes: Whether long words were counted.
    """

    def __init__(self, texts: Iterable[bytes], *, themes: bool = False) -> None:
        self.prompts, self.themes = 0, themes
        counts = np.zeros(1 << _SLOT_BITS, np.uint32)
        stems = np.zeros(1 << _STEM_BITS, np.uint32)
        for batch in batched(texts):
            windows = windows_of(batch)
            self.prompts += len(batch)
            numbers = windows.each(np.arange(len(batch)))
            _count(counts, _slots(windows.hashes, _SLOT_BITS), numbers)
            if themes:
                long, hashes = windows.long_words()
                _count(stems, _slots(hashes, _STEM_BITS), numbers[long])
        rows = counts.reshape(1 << _HINT_BITS, -1)
        self.common = max(TEMPLATE_COUNT, math.ceil(TEMPLATE_SHARE * self.prompts))
        # Asked for every window, so first a table small enough for the processor's cache: most windows end there. Only
        # the rows that hold something common are kept, behind one of zeros for all others.
        self._hint: NDArray[np.bool_] = rows.max(axis=1) >= self.common
        self._counts: NDArray[np.uint32] = np.concatenate((np.zeros_like(rows[:1]), rows[self._hint]))
        self._row_of = np.cumsum(self._hint, dtype=np.int32) * self._hint
        self._is_rare_stem: NDArray[np.bool_] = stems < max(TEMPLATE_COUNT, _COMMON_STEM * self.prompts)

    def of(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """How often windows were counted; maybe zero for those that are not common."""
        slots = _slots(hashes, _SLOT_BITS)
        found: NDArray[np.uint32] = self._counts[self._row_of[slots >> _ROW_BITS], slots % (1 << _ROW_BITS)]
        return found

    def common_among(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The places of the windows that are common."""
        maybe = np.flatnonzero(self._hint.take(_slots(hashes, _HINT_BITS)))
        return maybe[self.of(hashes[maybe]) >= self.common]

    def digest(self) -> str:
        """A name for what sketches depend on: the same frequencies make the same sketches."""
        return xxhash.xxh3_128_hexdigest(
            b"".join([self.prompts.to_bytes(8, "little"), self._hint.tobytes(), self._counts.tobytes()])
        )

    def rare_stems(self, stems: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these words are not in too many prompts to tell one subject from another."""
        return self._is_rare_stem[_slots(stems, _STEM_BITS)]


def _slots(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - bits)).view(np.int64)


def _count(table: NDArray[np.uint32], slots: NDArray[np.int64], texts: NDArray[np.int64]) -> None:
    """Add one for each slot, once a text."""
    keys = texts * len(table)
    keys |= slots
    keys.sort()
    first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    np.add.at(table, keys[first] & (len(table) - 1), np.uint32(1))


@dataclass(frozen=True, slots=True)
class Sketches:
    """The sketches of many prompts, a row each."""

    bins: NDArray[np.uint16]
    """One-permutation MinHash of the rare windows: the smallest hash of each bin, or `EMPTY`."""
    edges: NDArray[np.uint8]
    """Hashes of the first and last `EDGE` windows, whether rare or common."""
    frames: NDArray[np.uint64]
    """The common windows at the beginning and at the end, as one hash; zero if there are none."""
    templates: NDArray[np.uint64]
    """The template: as the frame, but cut where what follows is much rarer; zero if there is none."""
    themes: NDArray[np.uint32]
    """One long, rare word of the varying part, drawn by hash, if `Frequencies` was told that themes are wanted."""

    @classmethod
    def blank(cls, count: int) -> Sketches:
        """Rows to be filled."""
        return cls(
            bins=np.full((count, BINS), EMPTY, np.uint16),
            edges=np.zeros((count, 2 * EDGE), np.uint8),
            frames=np.zeros(count, np.uint64),
            templates=np.zeros(count, np.uint64),
            themes=np.full(count, NO_THEME, np.uint32),
        )

    def put(self, rows: NDArray[np.int64], others: Sketches) -> None:
        """Put the rows of others in the place of these rows."""
        for name in ("bins", "edges", "frames", "templates", "themes"):
            getattr(self, name)[rows] = getattr(others, name)

    def packed(self) -> NDArray[np.void]:
        """What is compared, to be written down."""
        rows = np.empty(len(self.bins), ROW)
        for name in ("bins", "edges", "frames"):
            rows[name] = getattr(self, name)
        return rows

    @classmethod
    def unpacked(cls, rows: NDArray[np.void]) -> Sketches:
        """Rows that `packed` gave, without templates and themes. Nothing is copied."""
        blank = cls.blank(0)
        return cls(rows["bins"], rows["edges"], rows["frames"], blank.templates, blank.themes)


def sketch(texts: Iterable[bytes], rows: NDArray[np.int64], frequencies: Frequencies) -> Sketches:
    """Sketch prompts, given as `joined_texts` has them.

    Args:
        texts: The prompts.
        rows: Which row of the result each of them fills: the numbers from zero, in any order.
        frequencies: What is common among them.
    """
    sketches, done = Sketches.blank(len(rows)), 0
    for batch in batched(texts):
        windows = windows_of(batch)
        filled = Sketches.blank(len(batch))
        if len(windows.hashes):
            _fill(filled, windows, frequencies)
        sketches.put(rows[done : done + len(batch)], filled)
        done += len(batch)
    return sketches


def _fill(sketches: Sketches, windows: Windows, frequencies: Frequencies) -> None:
    common = frequencies.common_among(windows.hashes)
    # The upper 7 bits of the hash are the bin, the next 16 the value. The few windows of the highest value look like
    # empty bins, and so are left out, of all sketches alike.
    places = (windows.hashes >> _BIN_SHIFT).view(np.int64)
    places += windows.each(np.arange(0, sketches.bins.size, BINS))
    values = (windows.hashes >> _VALUE_SHIFT).astype(np.uint16)
    values[common] = EMPTY
    np.minimum.at(sketches.bins.reshape(-1), places, values)
    _fill_edges(sketches.edges, windows)
    if frequencies.themes:
        _fill_themes(sketches, windows, frequencies)
    if len(common):
        _fill_frames(sketches, windows, common, frequencies)


def _fill_edges(edges: NDArray[np.uint8], windows: Windows) -> None:
    starts, ends = windows.bounds[:-1, None], windows.bounds[1:, None]
    steps = np.arange(EDGE)
    places = np.concatenate((starts + steps, ends - 1 - steps), axis=1)
    inside = (places >= starts) & (places < ends)
    edges[inside] = windows.hashes[places[inside]] >> _EDGE_SHIFT


def _fill_frames(
    sketches: Sketches, windows: Windows, common: NDArray[np.int64], frequencies: Frequencies
) -> None:
    starts, ends = windows.bounds[:-1], windows.bounds[1:]
    # Runs of common windows that follow one another: where each begins and ends.
    breaks = np.flatnonzero(common[1:] - common[:-1] > 1)
    firsts, lasts = common[np.append(0, breaks + 1)], common[np.append(breaks, len(common) - 1)] + 1
    run = np.maximum(np.searchsorted(firsts, starts, side="right") - 1, 0)
    opening = np.where((firsts[run] <= starts) & (starts < lasts[run]), np.minimum(lasts[run], ends), starts)
    run = np.maximum(np.searchsorted(firsts, ends - 1, side="right") - 1, 0)
    closing = np.where((firsts[run] < ends) & (ends <= lasts[run]), np.maximum(firsts[run], starts), ends)
    # What closes must hold a whole window, or it is but a common last word; and where all is common, all of it opens.
    closing = np.where((closing < windows.whole) & (opening < ends), closing, ends)
    # The openings from the first window on, the closings from the last one back.
    both = _runs(
        windows.hashes,
        np.concatenate((starts, ends - 1)),
        np.concatenate((opening - starts, closing - ends)),
        frequencies,
    )
    (head, tail), (cut_head, cut_tail) = (sums.reshape(2, -1) for sums in both)
    sketches.frames[:] = mixed(head + tail * _TAIL)
    sketches.templates[:] = mixed(np.where(cut_head != 0, cut_head, cut_tail * _TAIL))


def _runs(
    hashes: NDArray[np.uint64],
    firsts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    frequencies: Frequencies,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The sum of each run of windows, and the sum of what of it comes before a fall in frequency.

    Runs of negative length go backwards.
    """
    whole, cut = np.zeros(len(firsts), np.uint64), np.zeros(len(firsts), np.uint64)
    some = np.flatnonzero(lengths)
    if len(some):
        firsts, ways, lengths = firsts[some], np.sign(lengths[some]), np.abs(lengths[some])
        begins = np.cumsum(lengths) - lengths
        steps = np.arange(begins[-1] + lengths[-1]) - np.repeat(begins, lengths)
        run = hashes[np.repeat(firsts, lengths) + np.repeat(ways, lengths) * steps]
        counts = frequencies.of(run)
        falls = np.zeros(len(counts), np.int64)
        np.less(counts[1:] * np.uint64(_DROP), counts[:-1], out=falls[1:], casting="unsafe")
        falls[begins] = 0
        fallen = np.cumsum(falls)
        before = fallen == np.repeat(fallen[begins], lengths)
        whole[some] = np.add.reduceat(run, begins)
        cut[some] = np.add.reduceat(run * before, begins)
    return whole, cut


def _fill_themes(sketches: Sketches, windows: Windows, frequencies: Frequencies) -> None:
    themes = sketches.themes
    long, stems = windows.long_words()
    words = (stems >> _WORD_SHIFT).astype(np.uint32)
    words[~frequencies.rare_stems(stems)] = NO_THEME
    np.minimum.at(themes, windows.each(np.arange(len(themes)))[long], words)
    # Where a text has no long, rare word, one of its rare windows has to do.
    without = np.flatnonzero(themes == NO_THEME)
    themes[without] = sketches.bins[without].min(axis=1, initial=EMPTY)
