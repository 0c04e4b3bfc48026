"""Answers kept on disk by what was asked: after a crash, for a second metric or in a second run nothing is asked twice."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self

import msgspec

from bedrock_distill.errors import DataError
from bedrock_distill.evaluation.answers import Answer
from bedrock_distill.records.schema import encode_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.records.schema import Record

__all__ = ["AnswerCache", "content_key"]

_FILE: Final = "answers-1.sqlite"
"""The number is the layout's: another layout is another file, and old caches are left alone."""

_TABLE: Final = """
CREATE TABLE answers (
    key BLOB PRIMARY KEY,
    target TEXT NOT NULL,
    answer TEXT NOT NULL
) WITHOUT ROWID
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)


def content_key(target: str, prompt: Record, parameters: Mapping[str, object], sample: int = 0) -> bytes:
    """What a reply depends on, as 32 bytes.

    Args:
        target: Id of who is asked.
        prompt: What is asked; a completion is no part of it.
        parameters: How it is asked.
        sample: How many times the same was asked before in the same run: where answers are random, each of several equal
            prompts keeps an answer of its own.
    """
    asked = [target, encode_record(prompt.prompt).decode(), sorted(parameters.items()), sample]
    return hashlib.sha256(_encode(asked)).digest()


class AnswerCache:
    """Answers in a folder, one SQLite file; for any number of threads and processes at once.

    An answer is written the moment it comes, in a transaction of its own: a kill loses the calls that are under way and
    nothing else. Nothing is ever changed or removed; where two processes ask the same at the same time, the answer that
    came first stays, and both use it. Failed calls are not kept. Delete the folder to forget.

    Args:
        folder: Where to; made if it is not there.
        scope: What else sets answers apart, such as the account or endpoint: other scopes share none.

    Raises:
        DataError: If the file there is not such a cache, or cannot be used.
    """

    def __init__(self, folder: str | os.PathLike[str], *, scope: str = "") -> None:
        self._path, self._scope = Path(folder) / _FILE, scope
        self._lock = threading.Lock()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._path.exists():
                self._create()
        except OSError as error:
            raise DataError(
                f"Could not keep answers in {folder}: {error}. Name a folder that may be written."
            ) from error
        with self._explained():
            self._db = _connect(self._path)
            try:
                # What is committed survives the death of the process; the loss of power may take the last answers with it.
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._db.execute("SELECT key, target, answer FROM answers LIMIT 1").fetchall()
            except sqlite3.Error:
                self.close()
                raise

    def _create(self) -> None:
        """Put an empty cache in place, whole: processes that come at the same time must not see it half made.

        SQLite cannot be made to wait for its turn while it changes to a write-ahead log, which lets writers and readers go
        on side by side. So a file of this process's own is changed, and then linked to where it belongs, once.
        """
        with TemporaryDirectory(dir=self._path.parent) as own, self._explained():
            made = Path(own) / _FILE
            db = _connect(made)
            try:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute(_TABLE)
            finally:
                db.close()
            with suppress(FileExistsError):
                os.link(made, self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many answers there are, of all scopes."""
        with self._explained(), self._lock:
            return int(self._db.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._db.close()

    def key(self, target: str, prompt: Record, parameters: Mapping[str, object], sample: int) -> bytes:
        """Where the answer to this belongs; see `content_key`."""
        return content_key(f"{self._scope}\n{target}", prompt, parameters, sample)

    def get(self, key: bytes) -> Answer | None:
        """The answer that was kept, marked as cached, or None."""
        with self._explained(), self._lock:
            row = self._db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else replace(self._read(row[0]), cached=True)

    def put(self, key: bytes, target: str, answer: Answer) -> Answer:
        """Keep an answer.

        Returns:
            The answer that is kept: this one, or one that another process has put there first.
        """
        row = (key, target, _encode(answer).decode())
        with self._explained(), self._lock:
            new = self._db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", row).rowcount
        return answer if new else self.get(key) or answer

    def answers(self) -> Iterator[tuple[str, Answer]]:
        """Every target's id with each of its answers, to count what they took."""
        with self._explained(), self._lock:
            rows = self._db.execute("SELECT target, answer FROM answers").fetchall()
        return ((target, self._read(text)) for target, text in rows)

    def _read(self, text: str) -> Answer:
        try:
            return _decode(text)
        except msgspec.MsgspecError as error:
            raise self._unusable(error) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DataError:
        return DataError(
            f"Could not use the answers in {self._path}: {error}. It must be a file of this package's on a local disk, "
            "with room left; to begin afresh, name another folder."
        )
