"""The dataset card: what a data set is made of and how it was made, as one value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = [
    "LINE_BYTES",
    "MAX_PROMPTS",
    "MIN_PROMPTS",
    "Card",
    "Near",
    "Part",
    "Source",
    "Spread",
    "Stage",
    "Stratum",
    "Template",
]

MIN_PROMPTS, MAX_PROMPTS, LINE_BYTES = 100, 15_000, 16 * 1024
"""What Bedrock takes in one job, and in a line."""

_WIDE = 0.25
_DOMINANT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that was read."""

    path: str
    sha256: str
    """Of the file as it lies there, packed or not."""
    size_bytes: int
    lines: int
    records: int
    """Valid records among the lines."""
    bad_lines: int
    golden: bool = False
    """Whether its records go before those of other files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A step, and what it left out."""

    name: str
    entered: int
    left: int
    """Records that went on."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why the others did not, and how many of each."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number is spread over the records."""

    min: int
    median: int
    p95: int
    max: int
    total: int

    @classmethod
    def of(cls, values: NDArray[Any]) -> Spread | None:
        """The spread of values; None if there are none."""
        if not len(values):
            return None
        median, p95 = np.percentile(values, (50, 95), method="lower").tolist()
        return cls(
            int(values.min()), int(median), int(p95), int(values.max()), int(values.sum(dtype=np.int64))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Records whose prompts share their beginning, or their end."""

    text: str
    """What they share, shortened."""
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Records that the selection counted together."""

    name: str
    candidates: int
    chosen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Near-duplicates that were found."""

    threshold: float
    clusters: int
    """Groups of two or more."""
    members: int
    """Records in these."""
    largest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of the data set."""

    name: str
    path: str
    records: int
    labelled: int
    golden: int
    size_bytes: int
    sha256: str
    longest_line_bytes: int
    share: float | None = None
    """The share that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The card. A value: `to_dict` is ready for JSON, `to_markdown` for reading."""

    sources: tuple[Source, ...]
    stages: tuple[Stage, ...]
    parts: tuple[Part, ...]
    prompt_chars: Spread | None
    completion_chars: Spread | None
    tokens: Spread | None
    """Estimated at four bytes each."""
    languages: dict[str, int] | None
    """Records by language; an empty code where there is too little to tell; None if nobody looked."""
    templates: tuple[Template, ...]
    """The most frequent ones."""
    strata: tuple[Stratum, ...]
    """The largest ones."""
    near: Near | None
    exact_across: int
    """Prompts that stand in more than one part."""
    near_across: int | None
    """Clusters of near-duplicates with records in more than one part; a prompt that stands in both is one too."""
    conflicts: int
    """Prompts that came with different golden labels."""
    redacted: dict[str, int]
    """What was taken out of texts, by kind."""
    recipe: dict[str, Any] | None
    """How the data was made; None where files were only looked at."""
    duplicates: int = 0
    """Records whose prompt another record has too, the first of each apart."""
    notes: tuple[str, ...] = ()
    """Warnings of whoever made the data."""

    @property
    def records(self) -> int:
        """Records in all parts."""
        return sum(part.records for part in self.parts)

    @property
    def labelled(self) -> int:
        """Records with a golden label."""
        return sum(part.labelled for part in self.parts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is worth knowing before the data is used."""
        return (*self.notes, *self._warnings())

    def _warnings(self) -> Iterator[str]:
        for part in self.parts:
            yield from _part_warnings(part, self.records)
        if self.exact_across:
            yield f"{self.exact_across:,} prompts stand in more than one part: what is measured on one is no proof."
        if self.near_across:
            yield f"{self.near_across:,} groups of near-duplicates lie in more than one part."
        if self.duplicates:
            yield f"{self.duplicates:,} records have the prompt of an earlier one."
        if self.conflicts:
            kept = "" if self.recipe is None else "; one of each was kept"
            yield f"{self.conflicts:,} prompts came with different golden labels{kept}."
        top = max((template.records for template in self.templates), default=0)
        if top > _DOMINANT * self.records:
            yield f"{top:,} of {self.records:,} records are of one template."

    def to_dict(self) -> dict[str, Any]:
        """The card as plain values for JSON."""
        return {
            "records": self.records,
            "labelled": self.labelled,
            **asdict(self),
            "warnings": list(self.warnings),
        }

    def to_markdown(self) -> str:
        """The card as a page of Markdown."""
        from bedrock_distill.records.curation.card_page import page  # noqa: PLC0415 - for who wants it

        return page(self)


def _part_warnings(part: Part, records: int) -> Iterator[str]:
    if part.share is None or part.share >= _DOMINANT:
        if part.records < MIN_PROMPTS:
            yield f"{part.name} has {part.records:,} records; Bedrock takes no fewer than {MIN_PROMPTS:,} in a job."
        if part.records > MAX_PROMPTS:
            yield f"{part.name} has {part.records:,} records; Bedrock takes at most {MAX_PROMPTS:,} in a job."
    elif not part.records:
        yield f"{part.name} is empty."
    if part.longest_line_bytes > LINE_BYTES:
        yield (
            f"{part.name} has a line of {part.longest_line_bytes:,} bytes; Bedrock takes at most {LINE_BYTES:,} in a line."
        )
    if part.share is not None and abs(part.records - part.share * records) > _WIDE * part.share * records:
        yield (
            f"{part.name} has {part.records / max(records, 1):.1%} of the records, and {part.share:.1%} were asked for: "
            "a few large groups stay together."
        )


def top_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts, the largest first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
