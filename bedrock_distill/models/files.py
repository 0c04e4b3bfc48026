"""The files of a model, wherever they lie: what they are called, how big they are, and bytes out of the middle of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bedrock_distill.errors import DataError, Offence

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOST_FILES", "Folder", "ModelFiles", "too_many_files"]

MOST_FILES = 10_000
"""More files than this are not one model: somebody named a home directory, or a whole bucket."""


class ModelFiles(Protocol):
    """A model's directory, to be looked at."""

    @property
    def where(self) -> str:
        """The directory, as messages name it."""

    def sizes(self) -> Mapping[str, int]:
        """Bytes of every file, by its name relative to the directory, with `/` between parts."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """A file's bytes from `start`: `length` of them, fewer where the file ends before, or all where None."""


class Folder:
    """A directory of this machine.

    Raises:
        DataError: If it is not a directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        if not self._path.is_dir():
            what = "is a file" if self._path.exists() else "does not exist"
            raise DataError(
                f"{str(path)!r} {what}: a model is a directory that holds config.json and *.safetensors."
            )

    @property
    def where(self) -> str:
        """The directory, as it was given."""
        return str(self._path)

    def sizes(self) -> dict[str, int]:
        """Bytes of every file. A link that leads nowhere counts as empty.

        Raises:
            DataError: If there are too many for one model.
        """
        found: dict[str, int] = {}
        for folder, _, names in os.walk(self._path):
            for name in names:
                path = Path(folder, name)
                found[path.relative_to(self._path).as_posix()] = path.stat().st_size if path.exists() else 0
            if len(found) > MOST_FILES:
                raise too_many_files(self.where)
        return dict(sorted(found.items()))

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """A file's bytes.

        Raises:
            DataError: If it cannot be read.
        """
        path = self._path / name
        try:
            with path.open("rb") as file:
                file.seek(start)
                return file.read() if length is None else file.read(length)
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            raise DataError(
                f"{path}: {reason}.", offences=(Offence(str(path), None, "", reason, "unreadable"),)
            ) from error


def too_many_files(where: str) -> DataError:
    """The error for a place that holds more than a model."""
    return DataError(
        f"{where} holds more than {MOST_FILES:,} files, so it is not one model's directory. "
        "Name the directory that holds config.json."
    )
