"""Where log objects come from: a file, a directory, or a prefix on S3.

A source names its objects relative to its root, so that a bucket and its copy on a disk have the same names in the same
order.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records.lines import raw_chunks, unpack
from bedrock_distill.records.logs.layout import is_log, overflow_path, prefix_may_hold
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["LocalLogs", "LogObject", "LogSource", "open_source", "read_overflow"]


class LogObject(msgspec.Struct, frozen=True, array_like=True):
    """One object of a log."""

    name: str
    """Key or path, relative to the source's root."""
    size_bytes: int
    tag: str = ""
    """What changes when the content does: S3's ETag, a file's time."""


class LogSource(Protocol):
    """A place with log objects."""

    @property
    def uri(self) -> str:
        """The root, as it is written."""

    def list(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[LogObject]:
        """Log objects that can hold records of a time window, in the order of their names."""

    def read(self, objects: Iterable[LogObject]) -> Iterator[tuple[LogObject, Iterator[bytes]]]:
        """Each object with its chunks, as they lie there. A chunk may raise DataError or ServiceError."""

    def overflow(self, uri: str) -> bytes | None:
        """The unpacked bytes of a body that overflowed, or None where it is not there."""


class LocalLogs:
    """Logs on a disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        if not root.exists():
            raise DataError(f"Could not read logs from {str(root)!r}: there is no such file or directory.")

    @property
    def uri(self) -> str:
        """The path."""
        return str(self._root)

    def list(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[LogObject]:
        """Every log object below the root; the root itself, if it is a file."""
        if self._root.is_file():
            yield _on_disk("", self._root)
            return
        # Sorted as S3 sorts: by the bytes of the whole name.
        for name in sorted(_files_below(self._root)):
            if is_log(name) and prefix_may_hold(name, since, until):
                yield _on_disk(name, self._root / name)

    def read(self, objects: Iterable[LogObject]) -> Iterator[tuple[LogObject, Iterator[bytes]]]:
        """Each object with its chunks."""
        for item in objects:
            yield item, raw_chunks(self._root / item.name if item.name else self._root)

    def overflow(self, uri: str) -> bytes | None:
        """A body from the copy of the bucket: its key, or that from `AWSLogs/` on, below the root or a folder above it."""
        path, (_, _, key) = overflow_path(uri), uri.removeprefix("s3://").partition("/")
        if not path or ".." in key.split("/"):
            return None  # it names no object of a log, and nothing else is read on a log's word
        for base in (self._root, *self._root.parents):
            for name in (key, path):
                found = base / name
                if found.is_file():
                    return read_overflow(raw_chunks(found), uri)
        return None


def _files_below(root: Path, folder: str = "") -> Iterator[str]:
    """Names of all files below a directory, without a path object for each: there may be a file for every record."""
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files_below(root, f"{folder}{entry.name}/")
                elif entry.is_file():
                    yield folder + entry.name
    except OSError as error:
        raise DataError(
            f"Could not read the folder {str(root / folder)!r} of the logs: {error.strerror or error}. "
            "Make it readable, or read from a folder that holds no other."
        ) from error


def _on_disk(name: str, path: Path) -> LogObject:
    stat = path.stat()
    return LogObject(name, stat.st_size, str(stat.st_mtime_ns))


def read_overflow(chunks: Iterator[bytes], name: str) -> bytes | None:
    """A body that stands in an object of its own, unpacked; None where it is damaged."""
    try:
        return b"".join(unpack(chunks, name))
    except DataError:
        return None  # it cannot be read, so it counts as not there


def open_source(uri: str, clients: Clients | None) -> LogSource:
    """The source that a URI or path names.

    Raises:
        DataError: If there is no such file.
        SpecError: If the URI is wrong, or there is nobody to ask S3.
        ServiceError: If S3 refuses the bucket.
    """
    if not uri.startswith("s3:"):
        return LocalLogs(Path(uri).expanduser())
    if clients is None:
        raise SpecError(f"{uri!r} lies on S3: give a session that may read it.", field="source", value=uri)
    from bedrock_distill.harvest.s3 import S3Logs  # noqa: PLC0415 - it loads boto3, which a disk does not need

    return S3Logs(S3Uri.parse(uri), clients)
