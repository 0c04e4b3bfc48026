"""What a scan counted; tallies of parts add up to the tally of the whole."""

from __future__ import annotations

from collections import Counter

import msgspec

__all__ = ["Broken", "Tally"]


class Broken(msgspec.Struct, frozen=True):
    """An object that could not be read to its end."""

    name: str
    reason: str


class Tally(msgspec.Struct):
    """Counts of a scan."""

    scanned: int = 0
    """Lines, blank ones left out."""
    matched: int = 0
    """Records that are wanted and can be used."""
    skipped: dict[str, int] = {}
    """Reason -> lines."""
    by_model_id: dict[str, int] = {}
    """Model as the log names it -> matched records."""
    cut_off: dict[str, int] = {}
    """Model as the log names it -> matched records whose answer was cut off, where such are not left out."""
    filtered: dict[str, int] = {}
    """The same for answers that a guardrail or filter stopped."""
    redacted: dict[str, int] = {}
    """Kind of personal data or secret -> how many were replaced."""
    objects: int = 0
    bytes_read: int = 0
    """Bytes as they lie, packed."""
    bytes_unpacked: int = 0
    broken: list[Broken] = []
    """Objects that could not be read to their end; what came before was read."""

    def add(self, other: Tally) -> None:
        """Add the counts of another part."""
        for name in ("scanned", "matched", "objects", "bytes_read", "bytes_unpacked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("skipped", "by_model_id", "cut_off", "filtered", "redacted"):
            setattr(self, name, dict(Counter(getattr(self, name)) + Counter(getattr(other, name))))
        self.broken = [*self.broken, *other.broken]
