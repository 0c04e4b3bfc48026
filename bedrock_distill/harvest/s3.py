"""Logs and parts' files on S3."""

from __future__ import annotations

import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bedrock_distill.aws import ObjectStore
from bedrock_distill.aws.fast_objects import list_objects, object_reader
from bedrock_distill.errors import NotFoundError, SpecError
from bedrock_distill.harvest.place import OURS
from bedrock_distill.harvest.sources import LogObject, read_overflow
from bedrock_distill.records.digest import digest_file
from bedrock_distill.records.logs.layout import is_log, prefix_may_hold
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["S3Logs", "S3Place"]

_FETCHERS = 16
_AHEAD_BYTES = 16 << 20
"""Bytes that are fetched ahead of the reader, at most, beyond one object."""


class S3Logs:
    """Logs on S3."""

    def __init__(self, root: S3Uri, clients: Clients) -> None:
        self._root, self._clients = root, clients
        self._get = object_reader(clients, root.bucket)

    @property
    def uri(self) -> str:
        """The S3 URI."""
        return str(self._root)

    def list(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[LogObject]:
        """Every log object under the prefix, page by page; with a time window, only the hours that can matter."""
        key, folder = self._root.key, self._root.as_prefix.key
        everything = since is None and until is None
        for name, size, tag in self._below(key) if everything else self._walk(key, since, until):
            relative = "" if name == key else name.removeprefix(folder)  # the source may be this one object
            if is_log(relative or key) and prefix_may_hold(name, since, until):
                yield LogObject(relative, size, tag)

    def _key(self, item: LogObject) -> str:
        return self._root.as_prefix.key + item.name if item.name else self._root.key

    def _below(self, root: str) -> Iterator[tuple[str, int, str]]:
        return list_objects(self._clients, self._root.bucket, root)

    def _level(self, what: str, prefix: str) -> Iterator[dict[str, Any]]:
        """What lies right under a prefix: `Contents`, or `CommonPrefixes`."""
        return self._clients.pages(
            "s3",
            "list_objects_v2",
            what,
            subject=f"s3://{self._root.bucket}/{prefix}",
            Bucket=self._root.bucket,
            Prefix=prefix,
            Delimiter="/",
        )

    def _walk(
        self, prefix: str, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[str, int, str]]:
        """What a whole listing yields, in its order, without the branches of other dates."""
        if "/BedrockModelInvocationLogs/" in f"/{prefix}" and prefix.count("/", prefix.rfind("Logs/")) >= 5:
            yield from self._below(prefix)
            return
        root, folder = self._root.key, self._root.as_prefix.key
        loose = {item["Key"]: item for item in self._level("Contents", prefix)}
        below = {item["Prefix"] for item in self._level("CommonPrefixes", prefix)}
        for name in sorted(below.union(loose)):
            if name != root and not name.startswith(folder):
                continue  # a neighbour whose name only begins alike
            if item := loose.get(name):
                yield name, int(item["Size"]), str(item.get("ETag", ""))
            elif prefix_may_hold(name, since, until):
                yield from self._walk(name, since, until)

    def read(self, objects: Iterable[LogObject]) -> Iterator[tuple[LogObject, Iterator[bytes]]]:
        """Each object with its bytes; some are fetched ahead, in threads, and come in their order all the same."""
        with ThreadPoolExecutor(_FETCHERS, thread_name_prefix="log-fetch") as pool:
            waiting: deque[tuple[LogObject, Future[bytes]]] = deque()
            ahead = 0
            for item in objects:
                while waiting and (ahead + item.size_bytes > _AHEAD_BYTES or len(waiting) >= 2 * _FETCHERS):
                    first, future = waiting.popleft()
                    ahead -= first.size_bytes
                    yield first, _result(future)
                waiting.append((item, pool.submit(self._get, self._key(item))))
                ahead += item.size_bytes
            while waiting:
                first, future = waiting.popleft()
                yield first, _result(future)

    def overflow(self, uri: str) -> bytes | None:
        """A body from its own object."""
        try:
            place = S3Uri.parse(uri)
            get = (
                self._get if place.bucket == self._root.bucket else object_reader(self._clients, place.bucket)
            )
            return read_overflow(iter((get(place.key),)), uri)
        except (NotFoundError, SpecError):  # a path that is no URI leads nowhere, too
            return None


def _result(future: Future[bytes]) -> Iterator[bytes]:
    yield future.result()


class S3Place:
    """A prefix on S3."""

    def __init__(self, root: S3Uri, clients: Clients) -> None:
        self._root, self._store = root, ObjectStore(clients)

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A stream to a temporary file that is put at the end."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            with path.open("wb") as stream:
                yield stream
            self._store.put_file(path, self._root / name, sha256=digest_file(path).sha256)

    def read(self, name: str) -> bytes | None:
        """The object's bytes."""
        try:
            return self._store.read(self._root / name)
        except NotFoundError:
            return None

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A copy of the object."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(self._store.read(self._root / name))
            yield path

    def clear(self) -> None:
        """Remove the parts' objects."""
        for uri, _ in self._store.list(self._root.as_prefix):
            if OURS.fullmatch(uri.name):
                self._store.delete(uri)
