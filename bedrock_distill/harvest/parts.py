"""The unit of work: some objects, what is wanted of them, and where the result goes; and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import xxhash

from bedrock_distill import __version__
from bedrock_distill.harvest.sources import LogObject
from bedrock_distill.records.logs.query import LogQuery
from bedrock_distill.records.logs.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PART_BYTES", "Part", "Receipt", "in_parts", "visit_order"]

PART_BYTES = 32 << 20
"""Packed bytes of a part: some seconds of work."""

_PART_OBJECTS = 2000


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Objects to read, in this order."""

    number: int
    source: str
    """URI or path of the source."""
    objects: tuple[LogObject, ...]
    query: LogQuery
    place: str
    """Directory or S3 prefix for the part's files."""
    gate: dict[str, str | None] | None = None
    """What makes a gate to AWS, where one is needed."""

    @property
    def name(self) -> str:
        """Stem of the part's files."""
        return _name(self.number)

    @property
    def fingerprint(self) -> str:
        """What the result depends on; another release may read the same logs otherwise."""
        identity = (__version__, self.source, self.objects, self.query)
        return xxhash.xxh3_128_hexdigest(msgspec.json.encode(identity))


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a part gave. Texts stay in its files."""

    number: int
    fingerprint: str
    tally: Tally
    records: int
    """Lines in `NAME.jsonl`, and entries in `NAME.keys`."""
    size_bytes: int

    @property
    def name(self) -> str:
        """Stem of the part's files."""
        return _name(self.number)


def _name(number: int) -> str:
    return f"part-{number:06d}"


def visit_order(objects: Iterable[LogObject], seed: int | None) -> list[LogObject]:
    """Objects in the order they are read: by name, or, for a sample, by a hash of the name."""
    listed = list(objects)
    if seed is not None:
        listed.sort(key=lambda item: (xxhash.xxh3_64_intdigest(item.name.encode(), seed), item.name))
    return listed


def in_parts(objects: Iterable[LogObject], size_bytes: int | None = None) -> Iterator[tuple[LogObject, ...]]:
    """Objects in groups of about a size, in their order. Default: `PART_BYTES`."""
    most = PART_BYTES if size_bytes is None else size_bytes
    group: list[LogObject] = []
    size = 0
    for item in objects:
        if group and (size + item.size_bytes > most or len(group) >= _PART_OBJECTS):
            yield tuple(group)
            group, size = [], 0
        group.append(item)
        size += item.size_bytes
    if group:
        yield tuple(group)
