"""Look-alike invocation logs of Amazon Bedrock, and the truth about every line of them: a judge of whoever reads logs.

Nothing here decodes a log: lines are written from what is known, in every format and with every fault that AWS, clients and
disks can produce (see `logs_made/`). Only the encoding of a training record is the package's own. Load it by path:

    truth = runpy.run_path(str(tests / "logs_truth.py"))["make_logs"](folder, seed=1, records=2_000)
    wanted = Wanted(metadata=lambda pairs: pairs.get("project") == "triage", responses=True)
    assert not truth.disagreements(wanted, lines=..., skipped=...)

`Lines(seed)` makes lines without a disk, as many as one likes.
"""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import random
import runpy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping  # noqa: TC003 - dataclasses read them when run by path
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bedrock_distill.records.schema import Message, Record, encode_record

_records = runpy.run_path(str(Path(__file__).parent / "logs_made" / "records.py"))
Expected, Maker, KINDS = _records["Expected"], _records["Maker"], _records["KINDS"]
MARK = _records["MARK"].encode()

START = datetime(2026, 11, 1, 22, 40, tzinfo=UTC)
MARKER = "amazon-bedrock-logs-permission-check"


UNFIT = {"length": "cut-off", "filtered": "filtered-answer", "tool": "tool-use"}
"""Class of a stop reason -> why such an answer is no label."""

# --- What is wanted, and what comes of a line then --------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records somebody asks for. Everything that is given must hold."""

    models: Callable[[str], bool] | None = None
    """On the model as logged."""
    metadata: Callable[[Mapping[str, str]], bool] | None = None
    operations: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    responses: bool = False
    multi_turn: bool = False
    also: Callable[[Any], str | None] | None = None
    """The reason why an otherwise usable record is left out after all."""

    @property
    def selects(self) -> bool:
        """Whether anything but the bodies decides."""
        return any((self.models, self.metadata, self.operations, self.since, self.until))

    def takes(self, expected: Any) -> bool:
        """Whether a log record is asked for, by its envelope."""
        if self.models is not None and not self.models(expected.model_id):
            return False
        if self.metadata is not None and not self.metadata(expected.metadata):
            return False
        if self.operations and expected.operation not in self.operations:
            return False
        at = datetime.fromisoformat(expected.timestamp)
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def verdict(self, expected: Any) -> str | None:
        """Why a line is not used; None where it is."""
        if expected.reason in ("broken-line", "not-a-log"):
            return expected.reason
        if not self.takes(expected):
            return "not-selected"
        if expected.reason is not None:
            return expected.reason
        if len(expected.messages) > 1 and not self.multi_turn:
            return "multi-turn"
        if self.responses:
            if expected.answer_reason is not None:
                return expected.answer_reason
            if expected.completion is None:
                return "no-completion"
            if expected.stop in UNFIT:
                return UNFIT[expected.stop]
        return self.also(expected) if self.also is not None else None


EVERYTHING = Wanted()


def record_line(expected: Any, *, responses: bool) -> bytes:
    """The training record that a usable line becomes."""
    messages = [Message.of(role, text) for role, text in expected.messages]
    completion = expected.completion if responses else None
    return encode_record(Record.of(messages, system=expected.system, completion=completion))


# --- Logs on disk -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True, kw_only=True)
class Truth:
    """All that is known about logs."""

    folder: Path
    """What would be the bucket's root."""
    bucket: str
    records: list[Any] = dataclasses.field(default_factory=list)
    """`Expected` of every line that is not blank, by key and line; those of damaged objects are not among them."""
    objects: list[str] = dataclasses.field(default_factory=list)
    """Keys of log objects that can be read, in order; some are empty."""
    bodies: dict[str, bytes] = dataclasses.field(default_factory=dict)
    """URI -> JSON of bodies that lie beside the logs."""
    damaged: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    """Key of an object that breaks off or is corrupt -> what its lines were."""

    def used(self, wanted: Wanted = EVERYTHING, *, distinct: bool = False) -> list[Any]:
        """The lines that become records, in order; `distinct` leaves out prompts that came before."""
        fit = [each for each in self.records if wanted.verdict(each) is None]
        if not distinct:
            return fit
        first: dict[Any, Any] = {}
        for each in fit:
            first.setdefault((each.system, each.messages), each)
        return list(first.values())

    def lines(self, wanted: Wanted = EVERYTHING, *, distinct: bool = False) -> list[bytes]:
        """The training records, encoded, in order."""
        return [
            record_line(each, responses=wanted.responses) for each in self.used(wanted, distinct=distinct)
        ]

    def skipped(self, wanted: Wanted = EVERYTHING) -> Counter[str]:
        """Reason -> lines that are not used."""
        verdicts = map(wanted.verdict, self.records)
        return Counter(reason for reason in verdicts if reason is not None)

    def by_model(self, wanted: Wanted | None = None) -> Counter[str]:
        """Model as logged -> used lines; without anything wanted, all log records."""
        found = self.records if wanted is None else self.used(wanted)
        return Counter(each.model_id for each in found if each.model_id)

    def overflow(self, uri: str) -> bytes | None:
        """The JSON of a body that lies beside the logs; None where it is not there."""
        return self.bodies.get(uri)

    def hidden(self, wanted: Wanted) -> Counter[str]:
        """Reason -> lines that a reader may count as not selected instead."""
        if not wanted.selects:
            return Counter()
        return Counter(each.reason for each in self.records if each.hidden)

    def disagreements(
        self,
        wanted: Wanted = EVERYTHING,
        *,
        lines: Iterable[bytes] | None = None,
        skipped: Mapping[str, int] | None = None,
        by_model: Mapping[str, int] | None = None,
        distinct: bool = False,
    ) -> list[str]:
        """What somebody's findings get wrong, in words; empty where nothing is."""
        wrong = []
        if lines is not None:
            wrong += _unlike(self.used(wanted, distinct=distinct), lines, responses=wanted.responses)
        if skipped is not None:
            wrong += _miscounts(self.skipped(wanted), self.hidden(wanted), skipped)
        if by_model is not None and Counter(by_model) != self.by_model(wanted):
            wrong.append(f"by model: {dict(by_model)} instead of {dict(self.by_model(wanted))}")
        return wrong


def _unlike(used: list[Any], lines: Iterable[bytes], *, responses: bool) -> list[str]:
    found = [line.rstrip(b"\n") for line in lines]
    for expected, line in zip(used, found, strict=False):
        right = record_line(expected, responses=responses)
        if right != line:
            return [f"{expected.kind} at {expected.key}:{expected.line}: {line!r} instead of {right!r}"]
    return [f"{len(found)} records instead of {len(used)}"] if len(found) != len(used) else []


def _miscounts(right: Counter[str], hidden: Counter[str], found: Mapping[str, int]) -> list[str]:
    # What is missing of reasons that may hide must stand under not-selected, and nowhere else.
    moved = {reason: right[reason] - found.get(reason, 0) for reason in hidden}
    wrong = [
        f"{reason}: {found.get(reason, 0)} instead of {right[reason]}"
        for reason, count in moved.items()
        if not 0 <= count <= hidden[reason]
    ]
    right = right + Counter({"not-selected": sum(moved.values())})
    return wrong + [
        f"{reason}: {found.get(reason, 0)} instead of {right[reason]}"
        for reason in sorted(right.keys() | found.keys())
        if reason not in hidden and found.get(reason, 0) != right[reason]
    ]


def make_logs(
    folder: Path,
    *,
    seed: int,
    records: int,
    objects: int | None = None,
    records_per_object: int = 50,
    start: datetime = START,
    step: timedelta = timedelta(seconds=6),
    prefix: str = "",
    bucket: str = "acme-logs",
    account: str = "123456789012",
    regions: tuple[str, ...] = ("us-east-1",),
    weights: Mapping[str, float] = KINDS,
    damaged: bool = False,
) -> Truth:
    """Write logs in Bedrock's layout below `<folder>/<prefix>AWSLogs/`, and tell what they hold.

    Args:
        folder: What would be the bucket's root.
        seed: The same seed and arguments make the same bytes.
        records: Lines that are not blank; damaged objects have more.
        objects: How many objects they are spread over. Default: as many as `records_per_object` makes.
        records_per_object: Lines of an object, where `objects` is not given.
        start: Time of the first call.
        step: Mean time between calls. An object's hour is that of its delivery, minutes after its last call.
        prefix: What stands before `AWSLogs/` in keys; a careless reader stumbles over `data/`.
        bucket: Of the URIs of overflowing bodies.
        account: Of keys and records.
        regions: Each object is of one of them.
        weights: How often each of `KINDS` comes.
        damaged: Whether to add an object that breaks off and one that is corrupt.
    """
    rng = random.Random(seed)
    maker = Maker(rng=rng, account=account, weights=weights)
    truth = Truth(folder=folder, bucket=bucket)
    root = f"{prefix}AWSLogs/{account}/BedrockModelInvocationLogs/"
    count = objects if objects is not None else -(-records // records_per_object)
    sizes = [records // count + (number < records % count) for number in range(count)]
    at = start
    for number, size in enumerate([*sizes, *([30, 30] if damaged else [])]):
        began, at = at, at + size * step
        region = rng.choice(regions)
        delivered = at + timedelta(seconds=rng.uniform(5, 300))
        hour = f"{root}{region}/{delivered:%Y/%m/%d/%H}/"
        name = f"{hour}{delivered:%Y%m%dT%H%M%S%f}Z_"
        times = sorted(began + rng.random() * size * step for _ in range(size))
        data, known = _content(maker, truth, times, region, hour)
        suffix, stored = _stored(rng, data)
        key = f"{name}{rng.getrandbits(64):016x}{suffix}"
        if number >= len(sizes):
            stored = _damage(data, cut=number == len(sizes))
            truth.damaged[key] = [dataclasses.replace(each, key=key) for each in known]
        else:
            truth.records += [dataclasses.replace(each, key=key) for each in known]
            truth.objects.append(key)
        _write(folder / key, stored)
        if number % 40 == 7:
            truth.objects.append(f"{name}{'0' * 16}.json.gz")
            _write(folder / truth.objects[-1], b"" if number % 80 == 7 else _packed(b""))
    for marker in (f"{root}{MARKER}", *(f"{root}{region}/{MARKER}" for region in regions)):
        _write(folder / marker, b"")
    truth.records.sort(key=lambda each: (each.key, each.line))
    truth.objects.sort()
    return truth


def _content(
    maker: Any, truth: Truth, times: list[datetime], region: str, hour: str
) -> tuple[bytes, list[Any]]:
    """The text of an object and what it holds; bodies that overflow are written at once."""
    rng, lines, known = maker.rng, [], []
    if rng.random() < 0.2:  # order within an object is not promised
        rng.shuffle(times)
    for at in times:
        line, expected, bodies = maker.line(
            at, region, lambda name, side: f"s3://{truth.bucket}/{hour}data/{name}_{side}.json.gz"
        )
        lines.append(line)
        known.append(expected)
        for uri, body in bodies.items():
            truth.bodies[uri] = body
            path = truth.folder / uri.removeprefix(f"s3://{truth.bucket}/")
            _write(path, _packed(body) if rng.random() < 0.8 else body)
    data, places = _joined(rng, lines)
    return data, [dataclasses.replace(each, line=place) for each, place in zip(known, places, strict=True)]


def _joined(rng: random.Random, lines: list[bytes]) -> tuple[bytes, list[int]]:
    """Lines as one text, with blank lines, and the number of each line in it."""
    end = b"\r\n" if rng.random() < 0.08 else b"\n"
    blank = 0.1 if rng.random() < 0.1 else 0.0
    out, places = [], []
    for line in lines:
        if rng.random() < blank:
            out.append(rng.choice([b"", b"  ", b"\t"]))
        out.append(line)
        places.append(len(out))
    if rng.random() < blank:
        out.append(b"")
    return end.join(out) + (b"" if rng.random() < 0.1 else end), places


def _stored(rng: random.Random, data: bytes) -> tuple[str, bytes]:
    """A name's suffix and the bytes of an object: mostly gzip, in one of the ways that objects come in."""
    way = rng.random()
    if way < 0.1:  # members break lines anywhere
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 4)))
        parts = [data[a:b] for a, b in itertools.pairwise([0, *cuts, len(data)])]
        return ".json.gz", b"".join(map(_packed, parts))
    if way < 0.16:
        return ".json.gz", data
    if way < 0.22:
        return rng.choice([".json", ""]), _packed(data)
    return ".json.gz", _packed(data)


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _damage(data: bytes, *, cut: bool) -> bytes:
    packed = _packed(data)
    half = len(packed) // 2
    return packed[:half] if cut else packed[:half] + bytes(64) + packed[half + 64 :]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# --- Lines without a disk ---------------------------------------------------------------------------------------------


class Lines:
    """Endless lines: some thousand templates in turn, each made new by a serial number in its prompt and request id."""

    def __init__(self, seed: int, *, templates: int = 2000, weights: Mapping[str, float] = KINDS) -> None:
        maker = Maker(
            rng=random.Random(seed),
            marked=True,
            weights={kind: weight for kind, weight in weights.items() if not kind.startswith("overflow")},
        )
        self.expected = []
        """What a template is, with `MARK` for the serial number."""
        self._parts = []
        for number in range(templates):
            line, expected, _ = maker.line(START + number * timedelta(minutes=10), "us-east-1", str)
            self.expected.append(expected)
            self._parts.append(line.split(MARK))

    def take(self, count: int | None = None) -> Iterator[bytes]:
        """The first lines, without newlines; without a count they never end."""
        numbers = itertools.count() if count is None else range(count)
        for number, parts in zip(numbers, itertools.cycle(self._parts), strict=False):
            yield (b"%010d" % number).join(parts)

    def skipped(self, count: int, wanted: Wanted = EVERYTHING) -> Counter[str]:
        """Reason -> lines among the first that are not used."""
        return self._counted(count, map(wanted.verdict, self.expected))

    def used(self, count: int, wanted: Wanted = EVERYTHING) -> Counter[str]:
        """Model as logged -> lines among the first that are used."""
        return self._counted(
            count, (None if wanted.verdict(each) else each.model_id for each in self.expected)
        )

    def records(self, count: int, wanted: Wanted = EVERYTHING) -> Iterator[bytes]:
        """The training records of the first lines, encoded, in order."""
        parts = [
            None if wanted.verdict(each) else record_line(each, responses=wanted.responses).split(MARK)
            for each in self.expected
        ]
        for number, around in zip(range(count), itertools.cycle(parts), strict=False):
            if around is not None:
                yield (b"%010d" % number).join(around)

    def _counted(self, count: int, names: Iterable[str | None]) -> Counter[str]:
        rounds, rest = divmod(count, len(self.expected))
        found: Counter[str] = Counter()
        for number, name in enumerate(names):
            if name is not None:
                found[name] += rounds + (number < rest)
        return +found


def lines(seed: int, count: int | None = None) -> Iterator[bytes]:
    """Log lines, as many as asked for or without end."""
    return Lines(seed).take(count)
