"""A step for a directory of large files: put what is missing of it under a prefix in S3."""

from __future__ import annotations

import msgspec

from bedrock_distill.plan.listed import size_in_words
from bedrock_distill.plan.staged import Staged

__all__ = ["FolderFile", "StageFolder"]


class FolderFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a staged directory."""

    name: str
    """Path inside the directory, with `/` between its parts."""
    size_bytes: int
    digest: str
    """SHA-256 of its content; of a file in N parts, of the parts' digests, with `-N`."""


class StageFolder(Staged, msgspec.Struct, frozen=True, kw_only=True, tag="stage-folder"):
    """Put the files of a local directory under a prefix in S3, except those whose content is there."""

    path: str
    """The directory."""
    uri: str
    """The prefix, with a slash at its end; nothing else lies under it."""
    files: tuple[FolderFile, ...]
    kms_key_id: str | None = None
    done: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Stage {len(self.files)} files of {self.path} ({size_in_words(self.size_bytes)}) under {self.uri}"
