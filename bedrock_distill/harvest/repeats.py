"""Which records have a prompt that no record before has, in memory that does not grow with their number.

Some keys fit into a set. More are dealt out to files by a byte of the key, so that all repeats of a key are in one file;
each file is a smaller task of the same kind. Keys keep their order in the files, so the answers, read in the order of the
keys, need no places beside them.
"""

from __future__ import annotations

import functools
import itertools
import struct
import tempfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from bedrock_distill.harvest.partition import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["first_flags"]

_MOST = 1 << 16
"""So many distinct keys are held in memory at once: 8 MB."""
_FILES = 64
"""Open at once on each level."""
_LEVELS = 3
"""Dealt out so often, 17 billion distinct hashes fit; keys that are still together are no hashes, and a set takes them all."""
_FILE_OF = bytes(byte % _FILES for byte in range(256))
_BLOCK_BYTES = KEY_BYTES * 4096
_KEY = struct.Struct("<16s4x")
_ENTRY = struct.Struct(f"<{KEY_BYTES}s")


def first_flags(paths: Sequence[Path], scratch: Path) -> Iterator[bytes]:
    """Tell, for each record of each shard, whether its prompt comes for the first time.

    Args:
        paths: The shards' `.keys` files, in order.
        scratch: A directory with room for 21 bytes a record.

    Yields:
        For each shard a byte a record: 1 if it is the first of its prompt, 0 if it is a repeat.
    """
    with tempfile.TemporaryFile(dir=scratch) as flags:
        _mark(lambda: itertools.chain.from_iterable(map(_shard, paths)), flags, scratch, 0)
        flags.seek(0)
        for path in paths:
            yield flags.read(path.stat().st_size // KEY_BYTES)


def _mark(read: Callable[[], Iterator[bytes]], flags: IO[bytes], scratch: Path, level: int) -> None:
    """Write the flags of all entries.

    Args:
        read: Gives the entries from the first on, in blocks of whole ones, each time it is called.
        flags: Where to.
        scratch: A directory for files.
        level: Which byte of the keys deals them out.
    """
    if _mark_at_once(read(), flags, _MOST if level < _LEVELS else None):
        return
    flags.seek(0)
    flags.truncate()
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile(dir=scratch)) for _ in range(_FILES)]
        for block in read():
            for file, dealt in zip(files, _deal(block, level), strict=True):
                file.write(dealt)
        answers = []
        for file in files:
            answer = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
            _mark(functools.partial(_blocks, file), answer, scratch, level + 1)
            file.close()  # the answers take its place, on the disk and among what is open
            answers.append(itertools.chain.from_iterable(_blocks(answer)))
        for block in read():
            flags.write(bytes(map(next, map(answers.__getitem__, _files_of(block, level)))))


def _mark_at_once(blocks: Iterable[bytes], flags: IO[bytes], most: int | None) -> bool:
    """Write the flags by means of a set; False, and not all of them, if it would hold more than so many keys."""
    seen: set[bytes] = set()
    add = seen.add
    for block in blocks:
        # `add` gives None, so `not add(key)` is true; a loop with statements would take twice the time.
        flags.write(bytes([key not in seen and not add(key) for (key,) in _KEY.iter_unpack(block)]))
        if most is not None and len(seen) > most:
            return False
    return True


def _deal(block: bytes, level: int) -> Iterator[bytes]:
    """The entries that go to each file."""
    hands: list[list[bytes]] = [[] for _ in range(_FILES)]
    takes = [hand.append for hand in hands]
    for (entry,), file in zip(_ENTRY.iter_unpack(block), _files_of(block, level), strict=True):
        takes[file](entry)
    return map(b"".join, hands)


def _files_of(block: bytes, level: int) -> bytes:
    """For each entry, the number of its file."""
    return block[level::KEY_BYTES].translate(_FILE_OF)


def _shard(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from _blocks(stream)


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    stream.seek(0)
    return iter(functools.partial(stream.read, _BLOCK_BYTES), b"")
