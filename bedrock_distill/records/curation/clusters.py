"""Near-duplicates among sketches: candidates by sorting, each pair verified, clusters by union."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bedrock_distill.records.curation.grouping import Roots
from bedrock_distill.records.curation.sketches import BINS, EDGE, EMPTY, Frequencies, Sketches, sketch
from bedrock_distill.records.curation.windows import mixed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["THRESHOLD", "cluster", "near_duplicates", "similarities"]

THRESHOLD = 0.8
"""Similarity from which prompts are near-duplicates, unless another is asked for."""

_CANDIDATE_SHARE = 0.96
_CHUNK = 1 << 12
_NEIGHBOURS = 4
_STRANGE_AT_EDGE = 3
_STEP = np.uint16(0x9E37)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFF_FFFF)


def near_duplicates(texts: Sequence[str], threshold: float = THRESHOLD) -> NDArray[np.int64]:
    """Which texts are near-duplicates of which: for each, the number of the first text of its cluster.

    Args:
        texts: The texts, all in memory.
        threshold: Least similarity (Jaccard, of the windows that are not common to many of the texts), above 0.
    """
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    firsts: dict[bytes, int] = {}
    for number, text in enumerate(encoded):
        firsts.setdefault(text, number)
    # Each once: many copies of one text would look like a template with nothing in it.
    found = cluster(sketch(firsts, np.arange(len(firsts)), Frequencies(firsts)), threshold)
    numbers = np.array(list(firsts.values()), np.int64)[found]
    places = {text: place for place, text in enumerate(firsts)}
    return numbers[[places[text] for text in encoded]] if encoded else numbers


def cluster(sketches: Sketches, threshold: float) -> NDArray[np.int64]:
    """Join all pairs that are alike, and give each row the lowest row of its cluster.

    Two rows are alike if their frames are the same, the estimated Jaccard similarity of their rare windows reaches the
    threshold, and at either end some of the same windows stand: a different question after the same long document
    makes a different prompt.
    """
    roots = Roots(len(sketches.bins))
    rows = np.flatnonzero(sketches.bins.min(axis=1, initial=EMPTY) != EMPTY)
    for keys in _keys(sketches, rows, _bands(threshold)):
        for left, right in _candidates(keys):
            apart = roots.apart(rows[left], rows[right])
            _join_alike(roots, sketches, rows[left[apart]], rows[right[apart]], threshold)
    return roots.of_all()


def _bands(threshold: float) -> list[range]:
    """The bins, in bands as wide as can be so that of pairs just at the threshold nearly all agree in some whole band."""
    for width in range(BINS, 1, -1):
        count = BINS // width
        if 1 - (1 - threshold ** (width + 1)) ** count >= _CANDIDATE_SHARE:
            break
    else:
        width, count = 1, BINS
    return [range(band * width, (band + 1) * width) for band in range(count)]


def _keys(sketches: Sketches, rows: NDArray[np.int64], bands: list[range]) -> NDArray[np.uint32]:
    """For each band, a key a row: rows that agree in all numbers of the band, and in their frame, share one.

    So may a few others: a key is a hash of 32 bits.
    """
    keys = np.empty((len(bands), len(rows)), np.uint32)
    factors = mixed(np.arange(1, BINS + 1, dtype=np.uint64)) | np.uint64(1)
    for start in range(0, len(rows), _CHUNK):
        some = slice(start, start + _CHUNK)
        numbers, frames = _filled(sketches.bins[rows[some]]), sketches.frames[rows[some]]
        for place, band in enumerate(bands):
            sums = frames.copy()
            # And one from the other side of the circle: many short prompts have a single window's number in common.
            for bin_ in (*band, (band[0] + BINS // 2) % BINS):
                sums += numbers[bin_] * factors[bin_]
            keys[place, some] = mixed(sums) >> _HALF
    return keys


def _filled(bins: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The numbers of sketches, a column each; empty bins filled from the next full one, in a circle.

    A number that is brought is changed by every step, so that not all gaps before the same number look the same.
    """
    numbers = np.ascontiguousarray(bins.T)
    empty = (numbers == EMPTY) * np.uint16(0xFFFF)
    numbers &= ~empty
    carried = np.zeros(numbers.shape[1], np.uint16)
    for bin_ in range(2 * BINS - 1, -1, -1):
        carried += _STEP
        carried &= empty[bin_ % BINS]
        carried |= numbers[bin_ % BINS]
        if bin_ < BINS:
            numbers[bin_] = carried
    return numbers


def _candidates(keys: NDArray[np.uint32]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of places with the same key: each with the first of its key, and with a few before it.

    Not all pairs: a key that a thousand rows share would have half a million.
    """
    # Each key with its place as one number: numbers sort many times faster than what they belong to.
    ordered = keys.astype(np.uint64) << _HALF
    ordered |= np.arange(len(keys), dtype=np.uint64)
    ordered.sort()
    begins = np.ones(len(keys), np.bool_)
    np.greater(ordered[1:] ^ ordered[:-1], _LOW, out=begins[1:])
    places = np.flatnonzero(~begins)
    if not len(places):
        return
    rows = (ordered & _LOW).view(np.int64)
    heads = np.flatnonzero(begins)
    firsts = heads[np.searchsorted(heads, places) - 1]
    yield rows[firsts], rows[places]
    for step in range(1, _NEIGHBOURS + 1):
        far = places[places - step > firsts]
        firsts = firsts[places - step > firsts]
        if not len(far):
            return
        places = far
        yield rows[places - step], rows[places]


def similarities(
    sketches: Sketches, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The estimated Jaccard similarity of the rare windows of pairs of rows; zero where there are none."""
    ours, theirs = sketches.bins[left], sketches.bins[right]
    same, full = ours == theirs, (ours != EMPTY) | (theirs != EMPTY)
    either = np.count_nonzero(full, axis=1)
    estimates: NDArray[np.float64] = np.count_nonzero(same & full, axis=1) / np.maximum(either, 1)
    return estimates


def _join_alike(
    roots: Roots, sketches: Sketches, left: NDArray[np.int64], right: NDArray[np.int64], threshold: float
) -> None:
    for start in range(0, len(left), _CHUNK):
        some, others = left[start : start + _CHUNK], right[start : start + _CHUNK]
        alike = _alike(sketches, some, others, threshold)
        roots.join(some[alike], others[alike])


def _alike(
    sketches: Sketches, left: NDArray[np.int64], right: NDArray[np.int64], threshold: float
) -> NDArray[np.int64]:
    """The places of the pairs that are alike."""
    # What reads least comes first: of short prompts that have a key in common, hardly any are alike.
    some = np.flatnonzero(sketches.frames[left] == sketches.frames[right])
    least = max(1, round(threshold * EDGE) - _STRANGE_AT_EDGE)
    for edge in (slice(0, EDGE), slice(EDGE, 2 * EDGE)):
        ours, theirs = sketches.edges[left[some], edge], sketches.edges[right[some], edge]
        shared = np.count_nonzero((ours[:, :, None] == theirs[:, None, :]).any(axis=2), axis=1)
        some = some[shared >= least]
    return some[similarities(sketches, left[some], right[some]) >= threshold]
