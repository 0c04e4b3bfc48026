"""Shards to one file: repeats left out, the order kept, in memory that does not grow with the texts."""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

from bedrock_distill.errors import DataError
from bedrock_distill.harvest.partition import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["First", "Span", "copy_spans", "distinct_spans", "entries_of", "kept_spans"]

_FEW = 200_000
"""Up to so many keys, a set is small enough (25 MB); loading numpy would cost more."""
_BUCKET = 500_000
"""Keys that are sorted at once: about 25 MB."""
_BLOCK_BYTES = 1 << 18
_ENTRY = struct.Struct("<16sI")


class First:
    """Tells the first of each key from its repeats, one key after the other. 135 bytes a key."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    @property
    def count(self) -> int:
        """How many keys there were."""
        return len(self._seen)

    def __call__(self, key: bytes) -> bool:
        """Whether the key is new."""
        before = len(self._seen)
        self._seen.add(key)
        return len(self._seen) > before


def entries_of(path: Path) -> Iterator[tuple[bytes, int]]:
    """Key and line length of each record of a shard."""
    with path.open("rb") as stream:
        while block := stream.read(_ENTRY.size * 4096):
            yield from _ENTRY.iter_unpack(block)


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
    shards = [list(kept_spans((length, first(key)) for key, length in entries_of(path))) for path in paths]
    return first.count, iter(shards)


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
    """Copy parts of a file to the end of another.

    Raises:
        DataError: If the file is too short.
    """
    block, held = memoryview(bytearray(_BLOCK_BYTES)), range(0)
    pieces: list[memoryview] = []
    with shard.open("rb", buffering=0) as stream:
        for begin, end in spans:
            at = begin
            while at < end:
                if at not in held:
                    out.write(b"".join(pieces))
                    pieces.clear()  # they are views of the block
                    stream.seek(at)
                    held = range(at, at + stream.readinto(block))
                    if not held:
                        raise DataError(
                            f"{str(shard)!r} is shorter than its keys say, so something else has changed it: "
                            "remove the folder that it is in, and run again."
                        )
                stop = min(end, held.stop)
                pieces.append(block[at - held.start : stop - held.start])
                at = stop
        out.write(b"".join(pieces))
