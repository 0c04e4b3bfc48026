"""What every step has in common that puts something into S3."""

from __future__ import annotations

__all__ = ["Staged"]


class Staged:
    """A step that stages something. No struct, so that the fields of a step, and with them the seal of a plan, stay its own."""

    __slots__ = ()

    uri: str

    @property
    def id(self) -> str:
        """Name of the step in the journal."""
        return f"stage:{self.uri}"

    @property
    def bills(self) -> bool:
        """Whether the step costs money beyond requests and storage."""
        return False
