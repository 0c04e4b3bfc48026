"""From invocation logs to a file of training records: list, scan in parts, leave out repeats, write.

Parts leave shards and receipts in a work folder beside the file. A run that was interrupted finds them again and goes on;
a run that ends removes them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.harvest.engines.processes import SerialEngine
from bedrock_distill.harvest.merging import First, copy_spans, entries_of, kept_spans
from bedrock_distill.harvest.partition import do_part, found_in
from bedrock_distill.harvest.parts import Part, in_parts, visit_order
from bedrock_distill.harvest.place import LocalPlace, open_place
from bedrock_distill.harvest.repeats import first_flags
from bedrock_distill.harvest.report import LogCount, LogReport
from bedrock_distill.harvest.sources import open_source
from bedrock_distill.records.logs.query import LogQuery
from bedrock_distill.records.logs.tally import Tally

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    from bedrock_distill.aws.clients import Clients
    from bedrock_distill.harvest.engines.processes import Engine
    from bedrock_distill.harvest.neardups import NearDuplicates
    from bedrock_distill.harvest.parts import Receipt
    from bedrock_distill.harvest.s3 import S3Place
    from bedrock_distill.records.logs.exchange import Stop
    from bedrock_distill.records.logs.filters import Filter
    from bedrock_distill.records.schema import Record

__all__ = ["count_logs", "from_logs"]

_EVERYTHING = LogQuery()
_ANY_STOP: Final[tuple[Stop | None, ...]] = ("end", "length", "filtered", "other", None)


def from_logs(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    query: LogQuery = _EVERYTHING,
    clients: Clients | None = None,
    engine: Engine | None = None,
    max_records: int | None = None,
    seed: int = 0,
    distinct: bool = True,
    near_duplicates: bool = False,
    predicate: Callable[[Record], bool] | None = None,
    work: str | None = None,
    on_listed: Callable[[int], None] | None = None,
    on_part: Callable[[Receipt], None] | None = None,
) -> LogReport:
    """Write the wanted records of invocation logs as a file of training records.

    The same logs and the same query give the same bytes, whatever the engine and wherever the logs lie.

    Args:
        source: An S3 prefix, a directory or a file with logs in Bedrock's layout.
        out: The file; it appears whole or not at all.
        query: What is wanted. Default: every single-turn text prompt.
        clients: The gate to AWS, where the source lies on S3.
        engine: What runs the parts. Default: this process.
        max_records: Stop at so many records. Objects are then read in the order of a hash of their names, so that what
            is taken stands for the whole; the file is a sample of objects, whole ones, and not of single records.
        seed: Another seed, another sample.
        distinct: Leave out records whose prompt came before.
        near_duplicates: Leave out records whose prompt is nearly that of one before, too, as `curate` finds them; they
            do not count towards `max_records`. Memory: some 20 bytes for each record, 100 more for each distinct prompt.
        predicate: Your own filter. An engine with other processes must be able to import it.
        work: Directory or S3 prefix for what parts leave. Default: a directory beside `out`.
        on_listed: Told how many bytes there are to read, packed, before the first is.
        on_part: Told of each part that is done.

    Raises:
        DataError: If a file cannot be read or written.
        SpecError: If the query is wrong, or the engine cannot reach the logs.
        ServiceError: If S3 refuses.
    """
    began = time.monotonic()
    out = Path(out)
    if max_records is not None and max_records < 1:
        raise SpecError(
            f"max_records is {max_records}; it must be at least 1.", field="max_records", value=max_records
        )
    if near_duplicates and not distinct:
        raise SpecError(
            "near_duplicates is set and distinct is not, but what is the same is nearly the same: set both, or neither.",
            field="near_duplicates",
            value=near_duplicates,
        )
    if out.is_dir():  # told now, and not after hours of work
        raise DataError(f"Could not write {str(out)!r}: it is a directory; name a file.")
    origin = open_source(str(source), clients)
    objects = visit_order(origin.list(query.since, query.until), seed if max_records is not None else None)
    if on_listed is not None:
        on_listed(sum(item.size_bytes for item in objects))
    folder = work or str(out.with_name(f".{out.name}.parts"))
    place = open_place(folder, clients)
    if predicate is not None:
        place.clear()  # what a function of the caller's did before cannot be told from what it would do now
    if isinstance(engine, SerialEngine):
        engine = None  # the same as none: this process has a gate already
    gate = _gate(clients, engine, str(source), folder)
    parts = [
        Part(number=number, source=str(source), objects=group, query=query, place=folder, gate=gate)
        for number, group in enumerate(in_parts(objects))
    ]
    do = functools.partial(do_part, predicate=predicate, clients=None if engine else clients)
    receipts = _noted((engine or SerialEngine()).map(do, parts), on_part)
    near = None
    if near_duplicates:
        from bedrock_distill.harvest.neardups import NearDuplicates  # noqa: PLC0415 - it loads numpy

        # What a sample looks at is little, and its parts are still under way in the engine.
        sketching = engine if max_records is None else None
        near = NearDuplicates(folder, out.parent, engine=sketching, clients=clients, gate=gate)
    if max_records is None:
        tally, written, duplicates = _merge(list(receipts), place, out, distinct=distinct, near=near)
    elif near is not None:
        tally, written, duplicates = near.take(receipts, out, max_records)
    else:
        tally, written, duplicates = _take(receipts, place, out, max_records, distinct=distinct)
    place.clear()
    return LogReport(
        source=str(source),
        out=str(out),
        tally=tally,
        written=written,
        duplicates=duplicates,
        objects_listed=len(objects),
        complete=tally.objects == len(objects),
        seconds=time.monotonic() - began,
    )


def _gate(clients: Clients | None, engine: Engine | None, *uris: str) -> dict[str, str | None] | None:
    """What other processes make their own gate from."""
    if engine is None or clients is None or not any(uri.startswith("s3:") for uri in uris):
        return None
    if clients.portable is None:
        raise SpecError(
            "Other processes cannot use a boto3 session that was handed in (such as that of a local cloud in this "
            "process): leave the engine out, or give profile, region and endpoint_url instead of a session.",
            field="engine",
        )
    return clients.portable


def _noted(receipts: Iterable[Receipt], on_part: Callable[[Receipt], None] | None) -> Iterator[Receipt]:
    for receipt in receipts:
        if on_part is not None:
            on_part(receipt)
        yield receipt


def _merge(
    receipts: list[Receipt],
    place: LocalPlace | S3Place,
    out: Path,
    *,
    distinct: bool,
    near: NearDuplicates | None,
) -> tuple[Tally, int, int]:
    """All shards, in order, without repeats, and maybe without near-duplicates."""
    tally = Tally()
    for receipt in receipts:
        tally.add(receipt.tally)
    records = sum(receipt.records for receipt in receipts)
    written = 0
    with ExitStack() as stack:
        stream = stack.enter_context(LocalPlace(out.parent).writing(out.name))
        if not distinct:
            for receipt in receipts:
                with place.local(f"{receipt.name}.jsonl") as shard:
                    copy_spans(shard, [(0, receipt.size_bytes)], stream)
            return tally, records, 0
        paths = [stack.enter_context(place.local(f"{receipt.name}.keys")) for receipt in receipts]
        flags = first_flags(paths, out.parent)
        if near is not None and records:
            flags = near.leave_out(receipts, paths, flags, tally)
        for receipt, path, kept in zip(receipts, paths, flags, strict=True):
            written += kept.count(1)
            lengths = (length for _, length in entries_of(path))
            with place.local(f"{receipt.name}.jsonl") as shard:
                copy_spans(shard, kept_spans(zip(lengths, kept, strict=True)), stream)
    return tally, written, records - written - tally.skipped.get("near-duplicate", 0)


def _take(
    receipts: Iterable[Receipt], place: LocalPlace | S3Place, out: Path, most: int, *, distinct: bool
) -> tuple[Tally, int, int]:
    """The first records of the shards, in order, without repeats, until there are enough."""
    tally, first = Tally(), First()
    written = duplicates = 0

    def chosen(path: Path) -> Iterator[tuple[int, bool]]:
        nonlocal written, duplicates
        for key, length in entries_of(path):
            new = written < most and (not distinct or first(key))
            duplicates += not new and written < most
            written += new
            yield length, new

    with LocalPlace(out.parent).writing(out.name) as stream:
        for receipt in receipts:
            tally.add(receipt.tally)
            with (
                place.local(f"{receipt.name}.keys") as keys,
                place.local(f"{receipt.name}.jsonl") as shard,
            ):
                copy_spans(shard, kept_spans(chosen(keys)), stream)
            if written >= most:
                break
        if isinstance(receipts, Generator):
            receipts.close()
    return tally, written, duplicates


def count_logs(
    source: str | os.PathLike[str],
    *,
    where: Filter | None = None,
    clients: Clients | None = None,
    responses: bool = True,
    on_object: Callable[[Tally], None] | None = None,
) -> LogCount:
    """Count what a job that reads the logs itself would find: prompts, and pairs by the model that answered.

    Args:
        source: As for `from_logs`.
        where: The job's filter.
        clients: The gate to AWS, where the source lies on S3.
        responses: Whether the job uses the logged answers. Without them no answer is looked at, and there are no pairs.
        on_object: Told the tally now and then.
    """
    origin = open_source(str(source), clients)
    # Bedrock does not say that it leaves out answers that were cut off or filtered, so they count.
    query = LogQuery(where=where, responses=responses, stops=_ANY_STOP if responses else ())
    tally = Tally()
    for _ in found_in(origin, origin.list(), query, tally):
        if on_object is not None and tally.objects % 64 == 0:
            on_object(tally)
    answered = sum(tally.skipped.get(reason, 0) for reason in ("no-completion", "stop-reason"))
    return LogCount(
        tally=tally, prompts=tally.matched + answered, pairs=dict(tally.by_model_id) if responses else {}
    )
