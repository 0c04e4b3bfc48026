"""Splitting data into named parts, so that growing the data moves nothing.

A record's place follows from its prompt (system prompt and messages, without the golden label) and the seed, and from
nothing else. So a record stays in its part when others come or go, and records with the same prompt, however they are
labelled, are never on both sides. The price: shares are met on average, not to the record.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records.checking import MAX_OFFENCES, Checker, CheckReport
from bedrock_distill.records.lines import KEEP_BYTES, read_chunks, split_lines
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.schema import Record, decode_record
from bedrock_distill.records.tokens import SEPARATOR, joined_texts
from bedrock_distill.records.writing import RecordWriter

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

__all__ = ["Shares", "SplitPart", "SplitReport", "split_file", "split_of"]

_POINTS = 1 << 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SHAPE = Rules(max_line_bytes=KEEP_BYTES)


@dataclass(frozen=True, slots=True)
class Shares:
    """Named shares of the whole, laid end to end on the line of hash values."""

    names: tuple[str, ...]
    fractions: tuple[float, ...]
    ends: tuple[int, ...]
    """Where each share ends, exclusively."""

    @classmethod
    def of(cls, shares: Mapping[str, float] | Shares) -> Shares:
        """Read shares such as `{"train": 0.9, "heldout": 0.1}`; their order counts.

        Raises:
            SpecError: If a name cannot be a file's, a share is not above zero, or they do not add up to one.
        """
        if isinstance(shares, Shares):
            return shares
        for name, share in shares.items():
            if not _NAME.fullmatch(name):
                raise SpecError(
                    f"The share {name!r} cannot name a file: use letters, digits, dots, hyphens and underscores.",
                    field="shares",
                    value=name,
                )
            if not 0 < share <= 1:
                raise SpecError(
                    f"The share {name}={share:g} is not above 0 and at most 1.", field="shares", value=share
                )
        total = sum(shares.values())
        if abs(total - 1) > 1e-9:
            raise SpecError(
                f"The shares add up to {total:g}, but must add up to 1.", field="shares", value=total
            )
        ends = [round(end * _POINTS) for end in accumulate(shares.values())]
        ends[-1] = _POINTS
        return cls(tuple(shares), tuple(shares.values()), tuple(ends))

    def index_of(self, point: int) -> int:
        """Which share a hash value falls into."""
        return bisect_right(self.ends, point)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPart:
    """One part, as it was written."""

    name: str
    share: float
    """The share asked for."""
    path: str
    records: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReport:
    """What a split wrote, and what it saw on the way."""

    seed: int
    parts: tuple[SplitPart, ...]
    check: CheckReport
    """The source, checked: by the rules that were given, or else for its shape."""

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {
            "seed": self.seed,
            "parts": [asdict(part) for part in self.parts],
            "check": self.check.to_dict(),
        }


def split_of(record: Record | bytes, seed: int, shares: Mapping[str, float] | Shares) -> str:
    """The name of the share that a record, or an encoded line, belongs to.

    Raises:
        DataError: If the line is not a record.
        SpecError: If the shares are wrong; see `Shares.of`.
    """
    laid_out = Shares.of(shares)
    read = decode_record(record) if isinstance(record, bytes) else record
    labelled = read.messages[-1].role == "assistant"
    return laid_out.names[laid_out.index_of(_point(joined_texts(read), seed, labelled))]


def _point(texts: bytes, seed: int, labelled: bool) -> int:  # noqa: FBT001 - positional for speed
    """A record's place on the line: a hash of its prompt's texts."""
    return xxhash.xxh3_64_intdigest(texts[: texts.rindex(SEPARATOR)] if labelled else texts, seed)


def split_file(
    source: str | os.PathLike[str],
    shares: Mapping[str, float],
    seed: int = 0,
    *,
    out_dir: str | os.PathLike[str],
    rules: Rules | None = None,
    skip_bad: bool = False,
    max_offences: int = MAX_OFFENCES,
) -> SplitReport:
    """Split a JSONL file into `OUT_DIR/NAME.jsonl`, one file a share, in one pass and constant memory.

    Lines are copied as they are, in their order; blank ones are left out. The files appear together at the end, or,
    if anything fails, not at all.

    Args:
        source: The records; gzip is unpacked.
        shares: Name and share of each part; they add up to one.
        seed: Another seed, another split. From 0 to 2**64 - 1.
        out_dir: Where the parts go; made if it is missing.
        rules: Check each line by these on the way. Default: only that it is a record. Rules about the whole file are
            reported, and do not stop the split: they are about a job's input, which the parts will be.
        skip_bad: Leave offending lines out instead of failing; the report counts them.
        max_offences: How many offences the report keeps.

    Raises:
        DataError: If the source cannot be read, or a line offends and `skip_bad` is not set.
        SpecError: If the shares or the seed are wrong.
    """
    if not 0 <= seed < _POINTS:
        raise SpecError(f"The seed {seed} is not between 0 and 2**64 - 1.", field="seed", value=seed)
    laid_out = Shares.of(shares)
    paths = [Path(out_dir, f"{name}.jsonl") for name in laid_out.names]
    size = 0

    def measured() -> Iterator[bytes]:
        nonlocal size
        for chunk in read_chunks(source):
            size += len(chunk)
            yield chunk

    checker = Checker(rules or _SHAPE, str(source), max_offences=max_offences)
    with ExitStack() as stack:
        writers = [stack.enter_context(RecordWriter(path)) for path in paths]
        writes, index_of = [writer.write_line for writer in writers], laid_out.index_of
        for line, texts, labelled in checker.valid(split_lines(measured())):
            writes[index_of(_point(texts, seed, labelled))](line)
        report = checker.report(size_bytes=size)
        _refuse_bad(report, skip_bad=skip_bad)
    parts = tuple(
        SplitPart(
            name=name, share=share, path=str(path), records=writer.records, size_bytes=writer.size_bytes
        )
        for name, share, path, writer in zip(laid_out.names, laid_out.fractions, paths, writers, strict=True)
    )
    return SplitReport(seed=seed, parts=parts, check=report)


def _refuse_bad(report: CheckReport, *, skip_bad: bool) -> None:
    on_lines = tuple(offence for offence in report.offences if offence.line is not None)
    broken = "bad-gzip" in report.counts
    if not broken and (skip_bad or not report.bad_lines):
        return
    offences = report.offences if broken else on_lines
    first = f" First: {offences[0]}." if offences else ""
    raise DataError(
        f"Did not split {report.file}: {report.bad_lines:,} of {report.lines:,} lines offend.{first} "
        "Mend the file (`bedrock-distill data check` lists what is wrong), or leave bad lines out (`--skip-bad`).",
        offences=offences,
        count=report.offence_count,
    )
