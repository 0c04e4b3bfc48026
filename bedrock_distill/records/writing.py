"""Writing records to a file that appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from bedrock_distill.errors import DataError
from bedrock_distill.records.schema import encode_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from bedrock_distill.records.schema import Record

__all__ = ["RecordWriter", "write_records"]

_BATCH_BYTES = 1 << 17


class RecordWriter:
    """A context manager that writes JSON Lines beside the target and puts them in its place at the end.

    If the block raises, the target stays as it was. Missing folders are made.

    Attributes:
        path: The target.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._flushed_records = self._flushed_bytes = 0
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._stream: IO[bytes] | None = None
        self._draft = self.path.with_name(f".{self.path.name}.{os.urandom(4).hex()}.draft")

    @property
    def records(self) -> int:
        """Lines written so far."""
        return self._flushed_records + len(self._batch)

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return self._flushed_bytes + self._batch_bytes

    def __enter__(self) -> Self:
        """Open the draft.

        Raises:
            DataError: If the folder cannot be written to.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._draft.open("xb")
        except OSError as error:
            raise self._failed(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the draft in its place, or remove it."""
        stream = self._open_stream()
        try:
            if kind is None:
                self._flush(stream)
            stream.close()
            if kind is None:
                self._draft.replace(self.path)
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            self._stream = None
            stream.close()
            self._draft.unlink(missing_ok=True)

    def write(self, record: Record) -> None:
        """Write one record.

        Raises:
            DataError: If the disk refuses.
        """
        self.write_line(encode_record(record))

    def write_line(self, line: bytes) -> None:
        """Write one encoded record, given without its newline.

        Raises:
            DataError: If the disk refuses.
        """
        # Lines are gathered and joined: one copy and one call instead of three and two a line.
        stream = self._stream or self._open_stream()
        self._batch.append(line)
        self._batch_bytes += len(line) + 1
        if self._batch_bytes > _BATCH_BYTES:
            try:
                self._flush(stream)
            except OSError as error:
                raise self._failed(error) from error

    def _flush(self, stream: IO[bytes]) -> None:
        lines, self._batch = self._batch, []
        self._flushed_records += len(lines)
        self._flushed_bytes += self._batch_bytes
        self._batch_bytes = 0
        stream.write(b"\n".join([*lines, b""]))

    def _open_stream(self) -> IO[bytes]:
        if self._stream is None:
            raise ValueError(f"RecordWriter({str(self.path)!r}) is not open: use it in a with statement.")
        return self._stream

    def _failed(self, error: OSError) -> DataError:
        return DataError(f"Could not write the data file {str(self.path)!r}: {error.strerror or error}.")


def write_records(path: str | os.PathLike[str], records: Iterable[Record]) -> int:
    """Write records to a file, atomically, and return how many there were.

    Raises:
        DataError: If the file cannot be written.
    """
    with RecordWriter(path) as writer:
        for record in records:
            writer.write(record)
        return writer.records
