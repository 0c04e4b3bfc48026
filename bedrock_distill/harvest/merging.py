"""Shards to one file: repeats left out, the order kept, in memory that does not grow with the texts."""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

from bedrock_distill.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["First", "Span", "copy_spans", "entries_of", "kept_spans"]

_BLOCK_BYTES = 1 << 18
_ENTRY = struct.Struct("<16sI")


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
        while block := stream.read(_ENTRY.size * 4096):
            yield from _ENTRY.iter_unpack(block)


Span = tuple[int, int]
"""Begin and end of neighbouring lines that are kept, in bytes of their shard."""


def kept_spans(entries: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """The spans to copy, from each line's length and whether it is kept (1 or 0)."""
    begin = at = 0
    for length, keep in entries:
        if not keep:
            if at > begin:
                yield begin, at
            begin = at + length
        at += length
    if at > begin:
        yield begin, at


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
