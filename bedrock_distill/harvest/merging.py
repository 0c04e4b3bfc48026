"""Shards to one file: repeats left out, the order kept, in memory that does not grow with the texts."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING

from bedrock_distill.errors import DataError
from bedrock_distill.harvest.partition import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["First", "Span", "copy_spans", "distinct_spans", "entries_of", "kept_spans"]

_FEW = 100_000
"""Up to so many keys, a set is small enough; loading numpy would cost more."""
_BUCKET = 500_000
"""Keys that are sorted at once: about 25 MB."""


_BLOCK_BYTES = 1 << 20


class First:
    """Tells the first of each key from its repeats, one key after the other. 135 bytes a key."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def __call__(self, key: bytes) -> bool:
        """Whether the key is new."""
        before = len(self._seen)
        self._seen.add(key)
        return len(self._seen) > before


def entries_of(path: Path) -> Iterator[tuple[bytes, int]]:
    """Key and line length of each record of a shard."""
    with path.open("rb") as stream:
        while block := stream.read(KEY_BYTES * 4096):
            for at in range(0, len(block), KEY_BYTES):
                yield block[at : at + 16], int.from_bytes(block[at + 16 : at + KEY_BYTES], "little")


Span = tuple[int, int]
"""Begin and end of neighbouring lines that are kept, in bytes of their shard."""


def kept_spans(entries: Iterable[tuple[int, bool]]) -> Iterator[Span]:
    """The spans to copy, from each line's length and whether it is kept."""
    begin = at = 0
    for length, keep in entries:
        if not keep:
            if at > begin:
                yield begin, at
            begin = at + length
        at += length
    if at > begin:
        yield begin, at


def distinct_spans(paths: Sequence[Path], records: int) -> tuple[int, Iterator[Iterable[Span]]]:
    """What to copy of each shard so that no prompt comes twice.

    Args:
        paths: The shards' `.keys` files, in order.
        records: How many records there are in all.

    Returns:
        How many records are kept, and each shard's spans.
    """
    if records > _FEW:
        return _by_sorting(paths, records)
    first = First()
    shards = [[(length, first(key)) for key, length in entries_of(path)] for path in paths]
    return sum(keep for shard in shards for _, keep in shard), map(kept_spans, shards)


def _by_sorting(paths: Sequence[Path], records: int) -> tuple[int, Iterator[Iterable[Span]]]:
    """The same by sorting, one bucket of the hashes at a time: memory for a byte a record, and for one bucket."""
    import numpy as np  # noqa: PLC0415 - only where there is much to sort

    kept = np.zeros(records, dtype=bool)
    entry = np.dtype([("low", "<u8"), ("high", "<u8"), ("length", "<u4")])
    begins = np.cumsum([0, *(path.stat().st_size // KEY_BYTES for path in paths)])
    buckets = np.uint64(-(-records // _BUCKET))
    for bucket in range(int(buckets)):
        found = []
        for path, begin in zip(paths, begins, strict=False):
            entries = np.fromfile(path, dtype=entry)
            here = np.flatnonzero(entries["low"] % buckets == bucket)
            found.append((entries["low"][here], entries["high"][here], here + begin))
        low, high, place = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((place, high, low))
        low, high, place = low[order], high[order], place[order]
        new = np.ones(len(low), dtype=bool)
        new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        kept[place[new]] = True

    def spans() -> Iterator[Iterable[Span]]:
        for path, begin in zip(paths, begins, strict=False):
            lengths = np.fromfile(path, dtype=entry)["length"].astype(np.int64)
            flags = kept[begin : begin + len(lengths)].astype(np.int8)
            ends = np.concatenate(([0], np.cumsum(lengths)))
            changes = np.diff(np.concatenate(([0], flags, [0])))
            yield zip(
                ends[np.flatnonzero(changes == 1)].tolist(),
                ends[np.flatnonzero(changes == -1)].tolist(),
                strict=True,
            )

    return int(kept.sum()), spans()


def copy_spans(shard: Path, spans: Iterable[Span], out: IO[bytes]) -> None:
    """Copy parts of a file to the end of another, which is written through its descriptor.

    Raises:
        DataError: If the file is too short.
    """
    with shard.open("rb") as stream:
        try:
            for begin, end in spans:
                _copy(stream.fileno(), out.fileno(), begin, end - begin)
        except EOFError as error:
            raise DataError(
                f"{str(shard)!r} is shorter than its keys say, so something else has changed it: "
                "remove the folder that it is in, and run again."
            ) from error


def _copy(source: int, target: int, begin: int, size: int) -> None:
    left = size
    while left:
        at = begin + size - left
        if sys.platform == "linux":
            sent = os.sendfile(target, source, at, left)  # in the kernel: the bytes never come here
        else:
            sent = os.write(target, os.pread(source, min(left, _BLOCK_BYTES), at))
        if not sent:
            raise EOFError
        left -= sent
