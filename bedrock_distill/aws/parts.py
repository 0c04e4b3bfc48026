"""A big file as the parts it is sent in: how large they are, and the digest that stands for the whole.

S3's own SHA-256 of an object in parts is the digest of the parts' digests. Using the same rule, a file's digest can be taken
part by part, by several threads and while the parts are being sent, so that nothing has to be read twice.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Part", "digest_files", "digest_of", "part_bytes_of", "parts_of", "read_part"]

PART_BYTES = 16 << 20
"""Size of a part. S3 takes 5 MiB to 5 GiB (S3 user guide, qfacts)."""

MOST_PARTS = 10_000
"""Most parts of one object (S3 user guide, qfacts)."""

_MIB = 1 << 20
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One part of one file."""

    path: Path
    number: int
    """From 1, as S3 counts."""
    start: int
    size: int
    """Bytes."""


def part_bytes_of(size_bytes: int) -> int:
    """How large the parts of a file are: `PART_BYTES`, or whole MiB more where the file would have too many."""
    needed = -(-size_bytes // MOST_PARTS)
    return max(PART_BYTES, -(-needed // _MIB) * _MIB)


def parts_of(path: Path, size_bytes: int) -> list[Part]:
    """The parts of a file, in order; an empty file has one empty part."""
    step = part_bytes_of(size_bytes)
    starts = range(0, size_bytes, step) or range(1)
    return [
        Part(path, number, start, min(step, size_bytes - start)) for number, start in enumerate(starts, 1)
    ]


def read_part(part: Part) -> bytes:
    """A part's bytes.

    Raises:
        DataError: If the file cannot be read, or has become shorter.
    """
    try:
        with part.path.open("rb") as file:
            data = os.pread(file.fileno(), part.size, part.start)
            while 0 < len(data) < part.size:
                more = os.pread(file.fileno(), part.size - len(data), part.start + len(data))
                if not more:
                    break
                data += more
    except OSError as error:
        raise DataError(f"Could not read {str(part.path)!r}: {error.strerror or error}.") from error
    if len(data) != part.size:
        raise DataError(
            f"{part.path} has become shorter than it was: it changed while it was read. Try again when it is whole."
        )
    return data


def digest_of(parts: Sequence[bytes]) -> str:
    """The digest that stands for a file, from the SHA-256 digests of its parts: hex, and `-N` where there are N of them."""
    if len(parts) == 1:
        return parts[0].hex()
    return f"{hashlib.sha256(b''.join(parts)).hexdigest()}-{len(parts)}"


def digest_files(paths: Iterable[Path]) -> list[tuple[int, str]]:
    """Size and digest of each file. Reads all of them once, several parts at a time, with constant memory.

    Raises:
        DataError: If a file cannot be read.
    """
    files = [parts_of(path, _size(path)) for path in paths]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="digest") as pool:
        digests: Iterator[bytes] = pool.map(_digest, (part for parts in files for part in parts))
        return [
            (sum(part.size for part in parts), digest_of([next(digests) for _ in parts])) for parts in files
        ]


def _digest(part: Part) -> bytes:
    return hashlib.sha256(read_part(part)).digest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"Could not read {str(path)!r}: {error.strerror or error}.") from error
