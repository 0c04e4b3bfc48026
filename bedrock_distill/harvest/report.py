"""What a harvest gave, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.catalog import read_model_id

if TYPE_CHECKING:
    from bedrock_distill.records.logs.tally import Tally

__all__ = ["LogCount", "LogReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What `from_logs` read and wrote. A value: `to_dict` is ready for JSON."""

    source: str
    out: str
    tally: Tally
    """What was scanned; its `by_model_id` counts matched records."""
    written: int
    """Records in the file."""
    duplicates: int
    """Matched records left out because an earlier one has the same prompt."""
    objects_listed: int
    """Log objects that can hold what is wanted."""
    complete: bool
    """Whether every object was read; False where the maximum was reached before."""
    seconds: float

    @property
    def matched(self) -> int:
        """Records that are wanted and can be used."""
        return self.tally.matched

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        tally = self.tally
        return {
            "source": self.source,
            "out": self.out,
            "scanned": tally.scanned,
            "matched": tally.matched,
            "written": self.written,
            "duplicates": self.duplicates,
            "skipped": dict(sorted(tally.skipped.items())),
            "redacted": dict(sorted(tally.redacted.items())),
            "by_model_id": dict(sorted(tally.by_model_id.items())),
            "objects": tally.objects,
            "objects_listed": self.objects_listed,
            "complete": self.complete,
            "broken_objects": msgspec.to_builtins(tally.broken),
            "bytes_read": tally.bytes_read,
            "bytes_unpacked": tally.bytes_unpacked,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCount:
    """What logs hold for a job that reads them itself."""

    tally: Tally
    prompts: int
    """Single-turn text prompts that pass the filter, answered by whatever model."""
    pairs: dict[str, int]
    """Model as the log names it -> of these, those with a usable answer."""

    def pairs_of(self, teacher: str) -> int:
        """Pairs that the service surely counts: those whose model is named exactly as the job names the teacher."""
        return self.pairs.get(teacher, 0)

    def others_of(self, teacher: str) -> dict[str, int]:
        """Pairs of the same model under other names."""
        model = read_model_id(teacher).model
        return {
            name: count
            for name, count in sorted(self.pairs.items())
            if name != teacher and model and read_model_id(name).model == model
        }
