"""The partition function: one part's objects to one shard of records. It runs in this process, in others, or on Spark."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import msgspec

from bedrock_distill.errors import DataError
from bedrock_distill.harvest.parts import Part, Receipt
from bedrock_distill.harvest.place import open_place, portable_clients
from bedrock_distill.harvest.sources import open_source
from bedrock_distill.records.lines import split_lines, unpack
from bedrock_distill.records.logs.query import LogQuery, Selector
from bedrock_distill.records.logs.scanning import scan_lines
from bedrock_distill.records.logs.tally import Broken, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest.sources import LogObject, LogSource
    from bedrock_distill.records.logs.scanning import Found
    from bedrock_distill.records.schema import Record

__all__ = ["KEY_BYTES", "do_part", "found_in", "lines_of_each"]

KEY_BYTES = 20
"""An entry of a `.keys` file: the 16-byte hash of the prompt, and the line's length as four bytes, little-endian."""

_BATCH_BYTES = 1 << 18


def do_part(
    part: Part, clients: Clients | None = None, predicate: Callable[[Record], bool] | None = None
) -> Receipt:
    """Do a part, unless it is done already.

    Args:
        part: The part.
        clients: The gate to AWS. Default: one as the part says.
        predicate: The caller's own filter.

    Raises:
        DataError: If the result cannot be written.
        ServiceError: If S3 refuses an object; objects that are damaged are reported in the tally instead.
    """
    clients = clients or portable_clients(part.gate)
    place = open_place(part.place, clients)
    before = place.read(f"{part.name}.json")
    receipt = _receipt(before)
    # What a function of the caller's let pass cannot be told from what it would let pass now.
    if receipt is not None and receipt.fingerprint == part.fingerprint and predicate is None:
        return receipt
    if before:
        with place.writing(f"{part.name}.json"):
            pass  # the old receipt must not outlive the files that it speaks of
    source, tally = open_source(part.source, clients), Tally()
    with place.writing(f"{part.name}.jsonl") as lines, place.writing(f"{part.name}.keys") as keys:
        records, size = _write(found_in(source, part.objects, part.query, tally, predicate), lines, keys)
    receipt = Receipt(
        number=part.number,
        fingerprint=part.fingerprint if predicate is None else "",
        tally=tally,
        records=records,
        size_bytes=size,
    )
    with place.writing(f"{part.name}.json") as stream:  # last: where there is a receipt, the rest is there
        stream.write(msgspec.json.encode(receipt))
    return receipt


def found_in(
    source: LogSource,
    objects: Iterable[LogObject],
    query: LogQuery,
    tally: Tally,
    predicate: Callable[[Record], bool] | None = None,
) -> Iterator[Found]:
    """Every wanted record of some objects, in their order; what is damaged is reported in the tally."""
    selector = Selector(query)
    for lines in lines_of_each(source, objects, tally):
        yield from scan_lines(lines, selector, tally, overflow=source.overflow, predicate=predicate)


def lines_of_each(source: LogSource, objects: Iterable[LogObject], tally: Tally) -> Iterator[Iterator[bytes]]:
    """The lines of each object, with their newlines; what is damaged is reported in the tally."""
    for item, chunks in source.read(objects):
        tally.objects += 1
        yield split_lines(_unpacked(chunks, item.name or source.uri, tally), keepends=True)


def _unpacked(chunks: Iterator[bytes], name: str, tally: Tally) -> Iterator[bytes]:
    """An object's bytes, counted; where it is damaged, what came before stays."""

    def read() -> Iterator[bytes]:
        for chunk in chunks:
            tally.bytes_read += len(chunk)
            yield chunk

    try:
        for piece in unpack(read(), name):
            tally.bytes_unpacked += len(piece)
            yield piece
    except DataError as error:
        if not error.offences:
            raise
        tally.broken = [*tally.broken, Broken(name, error.offences[0].reason)]


def _write(found: Iterable[Found], lines: IO[bytes], keys: IO[bytes]) -> tuple[int, int]:
    """Write lines and keys in batches; the number of lines and of their bytes."""
    records = size = pending = 0
    batch: list[bytes] = []
    entries: list[bytes] = []
    for key, line in found:
        batch.append(line)
        length = len(line) + 1
        entries.append(key + length.to_bytes(4, "little"))
        records += 1
        pending += length
        if pending > _BATCH_BYTES:
            lines.write(b"\n".join([*batch, b""]))
            keys.write(b"".join(entries))
            batch, entries, size, pending = [], [], size + pending, 0
    if batch:
        lines.write(b"\n".join([*batch, b""]))
        keys.write(b"".join(entries))
    return records, size + pending


def _receipt(data: bytes | None) -> Receipt | None:
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Receipt)
    except msgspec.MsgspecError:
        return None  # another version's: do the part again
