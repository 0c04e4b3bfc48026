"""From logs to a profile: learn the templates from a sample, count every line by group, measure, score and rank.

The logs are read twice: objects in the order of a hash of their names until there are enough calls to learn from, then all
of them. What is kept does not depend on the order of either, nor grow with the logs.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

import xxhash

from bedrock_distill.catalog import Catalog, load_catalog
from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.harvest.partition import lines_of_each
from bedrock_distill.harvest.parts import visit_order
from bedrock_distill.harvest.sources import open_source
from bedrock_distill.profiling.assembling import Span, assembled
from bedrock_distill.profiling.calls import calls_in, check_by, model_named
from bedrock_distill.profiling.counting import GroupCounts
from bedrock_distill.profiling.pricing import with_prices
from bedrock_distill.profiling.report import REST
from bedrock_distill.profiling.sampling import Sample
from bedrock_distill.profiling.saving import Assumptions
from bedrock_distill.profiling.templates import NO_TEMPLATE, Asked, Templates, asked_of, learn_templates
from bedrock_distill.profiling.training import MOST_BYTES
from bedrock_distill.records.logs.query import LogQuery
from bedrock_distill.records.logs.tally import Tally
from bedrock_distill.records.schema import Record
from bedrock_distill.records.tokens import joined_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import PriceKind
    from bedrock_distill.harvest.sources import LogObject, LogSource
    from bedrock_distill.profiling.calls import Call
    from bedrock_distill.profiling.learning import Learn, Point
    from bedrock_distill.profiling.report import Profile
    from bedrock_distill.session import Session

__all__ = ["profile"]

LEARNED_CALLS: Final = 1 << 17
"""Calls that are read to learn templates from ..."""
LEARNED_OBJECTS: Final = 64
"""... from at least so many objects, if there are as many."""
SAMPLE: Final = 1 << 13
"""Calls of these that templates are learned from."""
CURVE_RECORDS: Final = 4000
"""Records of a group that a learning curve takes at most."""

_BATCH: Final = 512
_EVERYTHING = LogQuery()
_ASSUMED = Assumptions()

_Key = tuple[tuple[str, ...], int]
"""Values of the keys that groups are made by, and the template."""


_Seen = tuple[tuple[str, ...], Asked]
"""What the grouping of a call follows from: values of the keys, and the prompt."""


@dataclass(frozen=True, slots=True)
class _Grouping:
    """Which group a call belongs to."""

    templates: Templates | None
    names: Mapping[_Key, str]
    """Key -> id, of the groups that are told apart; all others are the rest."""

    def keys(self, seen: Sequence[_Seen]) -> list[_Key]:
        found: Iterable[int] = [NO_TEMPLATE] * len(seen)
        if self.templates is not None:
            found = self.templates.of([asked for _, asked in seen])
        return [(by, template) for (by, _), template in zip(seen, found, strict=True)]

    def groups(self, calls: Sequence[Call]) -> list[str]:
        return [self.names.get(key, REST) for key in self.keys([_seen(call) for call in calls])]


def _seen(call: Call) -> _Seen:
    return call.by, asked_of(call.system, call.prompt)


def profile(
    source: str | os.PathLike[str],
    *,
    by: str | Sequence[str] = (),
    templates: bool = True,
    query: LogQuery = _EVERYTHING,
    teacher: str | None = None,
    student: str | None = None,
    prices: Mapping[str, Mapping[PriceKind, float]] | None = None,
    assumptions: Assumptions = _ASSUMED,
    session: Session | None = None,
    catalog: Catalog | None = None,
    region: str | None = None,
    max_groups: int = 50,
    curve: str | int | None = None,
    learn: Learn | None = None,
    today: date | None = None,
    on_read: Callable[[int, int], None] | None = None,
    on_point: Callable[[Point], None] | None = None,
) -> Profile:
    """Say what traffic invocation logs hold, and how worth distilling each group of it is.

    Args:
        source: An S3 prefix, a directory or a file with logs in Bedrock's layout.
        by: Key or keys to group by: `metadata.KEY` of the request metadata, `model` or `operation`.
        templates: Group by what fixed text prompts share, too.
        query: Which calls are looked at: `where`, `models`, `exact_model`, `operations`, `since` and `until`.
        teacher: Whose calls a student would take over, and who would teach it. Default: whoever answered.
        student: Who would answer; without one nothing is said about savings.
        prices: USD by model and kind, such as `{"amazon.nova-pro-v1:0": {"input_1k_tokens": …}}`; they go before the catalog's.
        assumptions: What no log can tell.
        session: Who reads S3; its catalog and region have the prices.
        catalog: Where prices are. Default: the session's, or the shipped one.
        region: Whose prices hold. Default: the session's; without one, prices that hold in all regions.
        max_groups: Groups to tell apart; the calls of rarer ones are counted together.
        curve: Rank or id of a group to draw a learning curve of: trains small students on this machine, for minutes.
        learn: What trains them and answers, for the curve. Default: the local trainer, which needs `[local]`.
        today: When a pay-back begins. Default: today in UTC.
        on_read: Told packed bytes that are read and that there are, now and then.
        on_point: Told each point of the learning curve as it is there.

    Raises:
        DataError: If there is no such file, no call is selected, or the curve's group has too few records.
        SpecError: If an argument makes no sense, or nobody can read S3.
        MissingDependencyError: If the curve needs a trainer that is not installed.
        ServiceError: If S3 refuses.
    """
    began = time.monotonic()
    by = check_by(by)
    if max_groups < 1:
        raise SpecError(
            f"max_groups is {max_groups}; it must be at least 1.", field="max_groups", value=max_groups
        )
    _check_query(query)
    today = today or datetime.now(UTC).date()
    if session is not None:
        catalog, region = catalog or session.catalog, region or session.clients.region
    known = with_prices(catalog or load_catalog(), prices or {}, today)
    if curve is not None and learn is None:
        from bedrock_distill.train.requirements import require_trainer  # noqa: PLC0415

        require_trainer()  # told now, and not after hours of reading
    reader = _Reader(str(source), query, by, None if session is None else session.clients, on_read)
    grouping = _learned(reader, templates=templates, max_groups=max_groups)
    tally, counts = Tally(), dict[str, GroupCounts]()
    for calls in _batches(reader.calls(reader.objects, tally)):
        for name, call in zip(grouping.groups(calls), calls, strict=True):
            counts.setdefault(name, GroupCounts()).add(call)
    if not tally.matched:
        raise DataError(_nothing(str(source), tally))
    made = assembled(
        counts,
        {name: key[0] for key, name in grouping.names.items()},
        source=str(source),
        keys=by,
        tally=tally,
        span=Span.of(counts.values()),
        teacher=None if teacher is None else model_named(teacher),
        student=None if student is None else model_named(student),
        catalog=known,
        region=region or "*",
        assumptions=assumptions,
        today=today,
        seconds=lambda: time.monotonic() - began,
    )
    if curve is None:
        return made
    from bedrock_distill.profiling.learning import learning_curve  # noqa: PLC0415 - few want one

    group = made.group(curve)
    records = _records_of(group.id, reader, grouping)
    return made.with_curve(group, learning_curve(records, learn=learn, on_point=on_point))


def _check_query(query: LogQuery) -> None:
    """What texts say does not choose calls here: a group's share of them would be a share of nothing."""
    plain = LogQuery(
        where=query.where,
        models=query.models,
        exact_model=query.exact_model,
        operations=query.operations,
        since=query.since,
        until=query.until,
    )
    if query != plain:
        raise SpecError(
            "A profile looks at all calls that where, models, exact_model, operations, since and until select; leave "
            "the query's other conditions to from_logs.",
            field="query",
            value=query,
        )


def _nothing(source: str, tally: Tally) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(tally.skipped.items()))
    held = (
        f"{tally.scanned:,} lines in {tally.objects:,} objects ({reasons})" if tally.scanned else "no lines"
    )
    return (
        f"There is nothing to profile in {source!r}: it holds {held}. Name a prefix or folder with invocation logs, or "
        "select by fewer conditions."
    )


class _Reader:
    """Calls of a source, as often as one likes."""

    def __init__(
        self,
        source: str,
        query: LogQuery,
        by: Sequence[str],
        clients: Clients | None,
        on_read: Callable[[int, int], None] | None,
    ) -> None:
        self._origin: LogSource = open_source(source, clients)
        self._query, self._by, self._on_read = query, by, on_read
        self.objects: list[LogObject] = list(self._origin.list(query.since, query.until))
        self._size = sum(item.size_bytes for item in self.objects)

    def calls(self, objects: Iterable[LogObject], tally: Tally, *, answers: bool = True) -> Iterator[Call]:
        for lines in lines_of_each(self._origin, objects, tally):
            yield from calls_in(
                lines,
                self._query,
                tally,
                by=self._by,
                overflow=self._origin.overflow,
                answers=answers,
            )
            if self._on_read is not None and answers:
                self._on_read(tally.bytes_read, self._size)


def _batches(calls: Iterator[Call]) -> Iterator[list[Call]]:
    while batch := list(islice(calls, _BATCH)):
        yield batch


def _learned(reader: _Reader, *, templates: bool, max_groups: int) -> _Grouping:
    """What groups there are, from a sample of the calls."""
    sample: Sample[_Seen] = Sample(SAMPLE)
    tally = Tally()

    def until_enough() -> Iterator[LogObject]:
        for number, item in enumerate(visit_order(reader.objects, 0)):
            if tally.matched >= LEARNED_CALLS and number >= LEARNED_OBJECTS:
                return
            yield item

    for call in reader.calls(until_enough(), tally, answers=False):
        if sample.wants(call.draw):
            sample.add(call.draw, _seen(call))
    drawn = sample.items()
    learned = learn_templates([asked for _, asked in drawn]) if templates else None
    counts = Counter(_Grouping(learned, {}).keys(drawn))
    chosen = sorted(counts, key=lambda key: (-counts[key], key))[:max_groups]
    return _Grouping(learned, {key: _name(key, learned) for key in chosen})


def _name(key: _Key, templates: Templates | None) -> str:
    values, template = key
    name = templates.names[template] if templates is not None else ""
    identity = "\0".join([*values, name]).encode("utf-8", "surrogatepass")
    return f"g{xxhash.xxh3_64_hexdigest(identity)[:7]}"


def _records_of(group: str, reader: _Reader, grouping: _Grouping) -> list[Record]:
    """Records of a group with their logged answers, drawn by hash; each prompt once, and none that a student cannot read."""
    sample: Sample[tuple[int, Record]] = Sample(CURVE_RECORDS)
    for calls in _batches(reader.calls(reader.objects, Tally())):
        for name, call in zip(grouping.groups(calls), calls, strict=True):
            if name == group and call.answer is not None and sample.wants(call.draw):
                record = Record.of(call.prompt, system=call.system, completion=call.answer)
                if len(joined_texts(record)) <= MOST_BYTES:
                    sample.add(call.draw, (call.key, record))
    return list(dict(reversed(sample.items())).values())
