"""Bytes to lines, in constant memory: from a file or any stream of chunks, packed with gzip or not.

The memory bound holds for hostile input too: of a line longer than `KEEP_BYTES` only the head is kept, with its true
size beside it.
"""

from __future__ import annotations

from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from isal import isal_zlib
from isal.igzip_lib import IsalError

from bedrock_distill.errors import DataError, Offence

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "KEEP_BYTES",
    "CutLine",
    "line_size",
    "raw_chunks",
    "read_chunks",
    "read_lines",
    "split_lines",
    "unpack",
]

KEEP_BYTES = 1 << 20
"""Longest line, in bytes, that is kept whole: far beyond what Bedrock takes, enough to say what is wrong with it."""

_CHUNK_BYTES = 1 << 16  # small enough to stay in the processor's cache while its lines are judged
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's way to ask for gzip's header and trailer


class CutLine(bytes):
    """The head of a line that was too long to keep."""

    size_bytes: int
    """Length of the whole line."""

    @classmethod
    def of(cls, head: bytes, size_bytes: int) -> CutLine:
        """A head with the size of what it was cut from."""
        line = cls(head)
        line.size_bytes = size_bytes
        return line


def line_size(line: bytes) -> int:
    """Bytes of a line without its line ending, whether it was cut or not."""
    if isinstance(line, CutLine):
        return line.size_bytes
    return len(line) - line.endswith((b"\n", b"\r")) - line.endswith(b"\r\n")


def split_lines(chunks: Iterable[bytes], *, keepends: bool = False) -> Iterator[bytes]:
    r"""Lines without their `\n`, however the stream was cut into chunks.

    A last line needs no newline. What comes after a carriage return is left to JSON, which reads it as a blank.

    Args:
        chunks: The stream, however it is cut.
        keepends: Leave lines their `\n`, for those who do not mind it: long lines are found several times as fast.
    """
    # The chain runs in C: a generator that yielded line by line would cost more than finding the lines.
    return chain.from_iterable(_line_batches(chunks, _cut_behind if keepends else _cut_at))


def _cut_at(chunk: bytes) -> list[bytes]:
    return chunk.split(b"\n")


def _cut_behind(chunk: bytes) -> list[bytes]:
    """Lines with their newlines, and what is left behind the last."""
    batch = BytesIO(chunk).readlines()  # it searches with memchr, and `split` does not
    if not batch or batch[-1].endswith(b"\n"):
        batch.append(b"")
    return batch


def _line_batches(chunks: Iterable[bytes], cut: Callable[[bytes], list[bytes]]) -> Iterator[list[bytes]]:
    pending = bytearray()
    size = 0  # of the line that `pending` begins
    for chunk in chunks:
        batch = cut(chunk)
        size += len(batch[0])
        if len(pending) <= KEEP_BYTES:
            pending += batch[0]
        if len(batch) > 1:
            batch[0] = _finish(pending, size)
            last = batch.pop()
            pending, size = bytearray(last), len(last)
            yield batch
    if size:
        yield [_finish(pending, size)]


def _finish(pending: bytearray, size: int) -> bytes:
    return bytes(pending) if size == len(pending) else CutLine.of(bytes(pending[: KEEP_BYTES + 1]), size)


def unpack(
    chunks: Iterable[bytes], name: str, *, on_gzip: Callable[[], None] = lambda: None
) -> Iterator[bytes]:
    """The bytes of a stream, gunzipped if they begin as gzip does, whatever the stream's name; else as they are.

    Args:
        chunks: The stream, however it is cut.
        name: What errors call it.
        on_gzip: Called once if the stream is packed.

    Raises:
        DataError: If the gzip stream is broken, with the offence `bad-gzip`.
    """
    source, head = iter(chunks), b""
    for chunk in source:
        head += chunk
        if len(head) >= len(_GZIP_MAGIC):
            break
    whole = chain((head,), source)
    if not head.startswith(_GZIP_MAGIC):
        yield from whole
        return
    on_gzip()
    try:
        yield from _gunzip(whole)
    except (EOFError, IsalError) as error:  # type: ignore[misc]  # its stub has an instance where the class is
        reason = f"the gzip stream is broken ({error}); what follows is lost: make or fetch the file again"
        offence = Offence(name, None, "", reason, "bad-gzip")
        raise DataError(f"Could not unpack {name!r}: {reason}.", offences=(offence,)) from error


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The members of a gzip stream, one after the other, never more than a chunk at a time."""
    member = isal_zlib.decompressobj(_GZIP_WINDOW)
    for chunk in chunks:
        data, more = chunk, False
        while data or more:
            if member.eof:
                data = data.lstrip(b"\0")  # padding may follow a member
                if not data:
                    break
                member = isal_zlib.decompressobj(_GZIP_WINDOW)
            piece = member.decompress(data, _CHUNK_BYTES)
            if piece:
                yield piece
            data, more = member.unconsumed_tail or member.unused_data, len(piece) == _CHUNK_BYTES
    if not member.eof:
        raise EOFError("it ends too early")


def read_chunks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The bytes of a data file, piece by piece and unpacked; a pipe will do.

    Raises:
        DataError: If the file cannot be read, or its gzip stream is broken (then with an offence, `bad-gzip`).
    """
    return unpack(raw_chunks(path), str(path))


def raw_chunks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The bytes of a file as they lie there, piece by piece.

    Raises:
        DataError: If the file cannot be read.
    """
    try:
        with Path(path).open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"Could not read the data file {str(path)!r}: {reason}.") from error


def read_lines(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The lines of a data file, as `split_lines` gives them."""
    return split_lines(read_chunks(path))
