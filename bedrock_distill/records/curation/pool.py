"""The pool: records that were read, on disk, and beside them some seventy bytes each in memory.

Lines wait in a nameless temporary file, so a source is read once (a pipe will do) and what was redacted is redacted
once, while the columns answer everything that does not need the texts.
"""

from __future__ import annotations

import tempfile
from array import array
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

import numpy as np
import xxhash

from bedrock_distill.errors import DataError
from bedrock_distill.records.schema import decode_record
from bedrock_distill.records.tokens import BYTES_PER_TOKEN, SEPARATOR, joined_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from numpy.typing import NDArray

    from bedrock_distill.records.schema import Record

__all__ = ["GOLDEN", "LABELLED", "NO_COMPLETION", "UNLABELLED", "Columns", "Pool"]

UNLABELLED, LABELLED, GOLDEN = range(3)
"""Ranks of records: of several for one prompt, the highest is kept."""

NO_COMPLETION = 0xFFFFFFFF
"""Length of a completion that is not there."""

_TYPES = {
    "places": "Q",
    "sizes": "I",
    "key_high": "Q",
    "key_low": "Q",
    "points": "Q",
    "line_hashes": "Q",
    "prompt_chars": "I",
    "completion_chars": "I",
    "tokens": "I",
    "systems": "Q",
    "sessions": "Q",
    "sources": "H",
    "ranks": "B",
    "languages": "H",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of each record of the pool."""

    places: NDArray[np.uint64]
    """Where its line begins."""
    sizes: NDArray[np.uint32]
    """Bytes of its line, without a newline."""
    key_high: NDArray[np.uint64]
    """Hash of its prompt, 128 bits: equal for records with the same system prompt and messages, golden label apart."""
    key_low: NDArray[np.uint64]
    points: NDArray[np.uint64]
    """Hash of its prompt by which it is put into a share, as `splitting` has it."""
    line_hashes: NDArray[np.uint64]
    prompt_chars: NDArray[np.uint32]
    """Characters of the system prompt and the messages, without the golden label."""
    completion_chars: NDArray[np.uint32]
    """Characters of the golden label, or `NO_COMPLETION`."""
    tokens: NDArray[np.uint32]
    """Tokens of all of it, estimated."""
    systems: NDArray[np.uint64]
    """Hash of the system prompt, or zero."""
    sessions: NDArray[np.uint64]
    """Hash of the group it was given, or zero."""
    sources: NDArray[np.uint16]
    """Number of the file it came from."""
    ranks: NDArray[np.uint8]
    """`GOLDEN`, `LABELLED` or `UNLABELLED`."""
    languages: NDArray[np.uint16]
    """Number of its language."""

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.places)

    def order(self, seed: int) -> NDArray[np.uint64]:
        """A number for each record by which to shuffle, from its prompt and the seed alone."""
        salt = np.uint64(xxhash.xxh3_64_intdigest(b"order", seed))
        mixed = (self.key_low ^ salt) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
        return (mixed ^ self.key_high) * np.uint64(0xC2B2AE3D27D4EB4F)


class Pool:
    """Takes records one by one; afterwards gives out lines, and the columns.

    A context manager: at its end the lines are gone.

    Args:
        folder: Where the lines wait.
        seed: Of the points; see `Columns`.
    """

    def __init__(self, folder: str | os.PathLike[str], seed: int) -> None:
        self._seed = seed
        self._size = 0
        self._rows: dict[str, array[int]] = {name: array(code) for name, code in _TYPES.items()}
        try:
            self._lines: IO[bytes] = tempfile.TemporaryFile(dir=folder, prefix=".curate-")  # noqa: SIM115 - until close
        except OSError as error:
            raise DataError(f"Could not write to {str(folder)!r}: {error.strerror or error}.") from error

    def __enter__(self) -> Self:
        """The pool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lines go."""
        self._lines.close()

    def __len__(self) -> int:
        """How many records were added."""
        return len(self._rows["places"])

    def add(
        self,
        record: Record,
        texts: bytes,
        line: bytes,
        *,
        source: int,
        golden: bool,
        session: int,
        language: int,
    ) -> None:
        """Add a record.

        Args:
            record: The record.
            texts: Its `joined_texts`.
            line: Its line.
            source: Number of the file it came from.
            golden: Whether it is one of those that go before others.
            session: Hash of the group it was given, or zero.
            language: Number of its language.

        Raises:
            DataError: If the disk refuses.
        """
        completion, system = record.completion, record.system_text
        prompt = texts if completion is None else texts[: texts.rindex(SEPARATOR)]
        key = xxhash.xxh3_128_intdigest(prompt)
        labelled = UNLABELLED if completion is None else LABELLED
        said = sum(len(message.text) for message in record.messages)
        values = (
            self._size,
            len(line),
            key >> 64,
            key & 0xFFFF_FFFF_FFFF_FFFF,
            xxhash.xxh3_64_intdigest(prompt, self._seed),
            xxhash.xxh3_64_intdigest(line),
            said + len(system or "") - len(completion or ""),
            NO_COMPLETION if completion is None else len(completion),
            -(-len(texts) // BYTES_PER_TOKEN),
            xxhash.xxh3_64_intdigest(system.encode("utf-8", "surrogatepass")) if system else 0,
            session,
            source,
            GOLDEN if golden else labelled,
            language,
        )
        for column, value in zip(self._rows.values(), values, strict=True):
            column.append(value)
        try:
            self._lines.write(line)
        except OSError as error:
            raise DataError(f"Could not write a temporary file: {error.strerror or error}.") from error
        self._size += len(line)

    def columns(self) -> Columns:
        """The columns of all records."""
        return Columns(**{name: np.frombuffer(rows, rows.typecode) for name, rows in self._rows.items()})

    def lines(self, rows: Iterable[int]) -> Iterator[bytes]:
        """The lines of these rows, in their order."""
        places, sizes = self._rows["places"], self._rows["sizes"]
        for row in rows:
            self._lines.seek(places[row])
            yield self._lines.read(sizes[row])

    def prompts(self, rows: Iterable[int]) -> Iterator[bytes]:
        """The `joined_texts` of the prompts of these rows, in their order."""
        for line in self.lines(rows):
            yield joined_texts(decode_record(line).prompt)
