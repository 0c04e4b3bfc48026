"""Which of a few texts are nearly the same as which of many: counted out, by the windows of curation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from bedrock_distill.records.curation.sketches import EDGE, Frequencies
from bedrock_distill.records.curation.windows import batched, windows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["similar_pairs"]

_TEXT_BITS: Final = np.uint64(32)


def similar_pairs(
    few: Sequence[bytes], many: Sequence[bytes], threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Pairs of texts that have enough windows in common, with Jaccard's similarity.

    Windows that many of the texts hold do not count. And some of the first windows must be the same, and some of the
    last. A text of the many costs what it has in common with the few, so they may be any number.

    Args:
        few: Texts in UTF-8, each once.
        many: The others, each once; or the same list again, to compare its texts with each other.
        threshold: Least similarity, above 0.

    Yields:
        The place of the one, the place of the other, and the similarity.
    """
    frequencies = Frequencies(many if few is many else [*many, *few])
    hashes, owners = _rare(few, frequencies)
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    sizes = np.bincount(owners, minlength=len(few))
    ends, done = cache(_ends), 0
    for batch in batched(many):
        found, texts = _rare(batch, frequencies)
        others = np.bincount(texts, minlength=len(batch))
        for row, place, shared in _shared(found, texts, hashes, owners):
            similarity = shared / (sizes[row] + others[place] - shared)
            if similarity >= threshold and _meet(ends(few[row]), ends(batch[place])):
                yield row, done + place, float(similarity)
        done += len(batch)


def _rare(texts: Sequence[bytes], frequencies: Frequencies) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The windows of texts that are not common, each once a text, and whose each is."""
    windows = windows_of(texts)
    rare = np.ones(len(windows.hashes), np.bool_)
    rare[frequencies.common_among(windows.hashes)] = False
    owners = windows.each(np.arange(len(texts)))[rare]
    pairs = np.unique(np.stack((owners.astype(np.uint64), windows.hashes[rare]), axis=1), axis=0)
    return pairs[:, 1], pairs[:, 0].astype(np.int64)


def _shared(
    found: NDArray[np.uint64],
    texts: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    owners: NDArray[np.int64],
) -> Iterator[tuple[int, int, int]]:
    """Pairs of texts that have windows in common: one of the few, one of the batch, and how many they have."""
    begins, ends = (np.searchsorted(hashes, found, side=side) for side in ("left", "right"))
    counts = ends - begins
    steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = owners[np.repeat(begins, counts) + steps].astype(np.uint64)
    keys, times = np.unique(
        (np.repeat(texts, counts).astype(np.uint64) << _TEXT_BITS) | rows, return_counts=True
    )
    pairs = zip(keys.tolist(), times.tolist(), strict=True)
    return ((key & 0xFFFF_FFFF, key >> 32, shared) for key, shared in pairs)


def _ends(text: bytes) -> tuple[frozenset[int], frozenset[int]]:
    """The first windows of a text, and the last."""
    hashes = windows_of([text]).hashes
    return frozenset(hashes[:EDGE].tolist()), frozenset(hashes[-EDGE:].tolist())


def _meet(one: tuple[frozenset[int], ...], other: tuple[frozenset[int], ...]) -> bool:
    """Whether two texts have something in common at either end."""
    return not any(ours.isdisjoint(theirs) for ours, theirs in zip(one, other, strict=True))
