"""A model's directory under a prefix of the cloud's own S3: looked at where it lies, then brought to this machine."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import DataError
from bedrock_distill.models.files import MOST_FILES, too_many_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bedrock_distill.uris import S3Uri

__all__ = ["ModelPrefix"]

_PIECE = 1 << 20


class ModelPrefix:
    """What is under a prefix, as a `bedrock_distill.models.ModelFiles`.

    Args:
        s3: A boto3 client of the cloud's own.
        prefix: The directory, with or without its last slash.
    """

    def __init__(self, s3: Any, prefix: S3Uri) -> None:
        self._s3 = s3
        self._prefix = prefix.as_prefix
        self._sizes: dict[str, int] | None = None

    @property
    def where(self) -> str:
        """The prefix, as messages name it."""
        return str(self._prefix)

    def uri(self, name: str) -> S3Uri:
        """Where a file lies."""
        return self._prefix / name

    def sizes(self) -> dict[str, int]:
        """Bytes of every file, by its name under the prefix. Listed once.

        Raises:
            DataError: If there are too many for one model.
        """
        if self._sizes is None:
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._prefix.bucket, Prefix=self._prefix.key
            )
            found: dict[str, int] = {}
            for page in pages:
                names = (
                    (item["Key"][len(self._prefix.key) :], item["Size"]) for item in page.get("Contents", ())
                )
                # What the console makes for an empty folder is no file.
                found |= {name: size for name, size in names if name and not name.endswith("/")}
                if len(found) > MOST_FILES:
                    raise too_many_files(self.where)
            self._sizes = found
        return self._sizes

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """A file's bytes from `start`: `length` of them, fewer where the file ends before, or all where None."""
        size = self.sizes().get(name)
        if size is None:
            raise DataError(f"{self.uri(name)}: there is no such object.")
        end = size if length is None else min(size, start + length)
        if start >= end:
            return b""
        answer = self._s3.get_object(**self._place(name), Range=f"bytes={start}-{end - 1}")
        data: bytes = answer["Body"].read()
        return data

    def download(self, directory: Path, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """Bring every file into a directory, which is replaced; subdirectories stay subdirectories.

        Args:
            directory: Where to.
            stopping: Looked at between pieces; the rest is left out once it says so.

        Raises:
            DataError: If an object's name would lead out of the directory.
        """
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in self.sizes():
            target = directory / name
            if not target.resolve().is_relative_to(directory.resolve()):
                raise DataError(f"{self.uri(name)}: a name with `..` in it is not a file of a directory.")
            target.parent.mkdir(parents=True, exist_ok=True)
            body = self._s3.get_object(**self._place(name))["Body"]
            with target.open("wb") as file:
                for piece in body.iter_chunks(_PIECE):
                    if stopping():
                        return
                    file.write(piece)

    def _place(self, name: str) -> dict[str, str]:
        uri = self.uri(name)
        return {"Bucket": uri.bucket, "Key": uri.key}
