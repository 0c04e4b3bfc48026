"""Near-duplicates across parts: sketches are made where the shards lie, and compared here.

What many prompts share has to be known before the first sketch is made, so parts go out twice: to be read, and, when a
sample of what was kept has been counted, to be sketched. Texts do not come back from that, only 280 bytes for each.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Generator
from typing import IO, TYPE_CHECKING

import msgspec
import numpy as np
import xxhash

from bedrock_distill.harvest.engines.processes import SerialEngine
from bedrock_distill.harvest.merging import First, copy_spans, entries_of, kept_spans
from bedrock_distill.harvest.place import LocalPlace, open_place, portable_clients
from bedrock_distill.records.curation.clusters import THRESHOLD, cluster
from bedrock_distill.records.curation.sketches import ROW, SAMPLE, Frequencies, Sketches, sketch
from bedrock_distill.records.logs.tally import Tally
from bedrock_distill.records.schema import decode_record
from bedrock_distill.records.tokens import joined_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest.engines.processes import Engine
    from bedrock_distill.harvest.merging import Span
    from bedrock_distill.harvest.parts import Receipt

    Entries = NDArray[np.void]
    """A shard's `.keys` file."""
    Flags = NDArray[np.bool_]
    """For each line of a shard, yes or no."""

__all__ = ["NearDuplicates", "Sketching", "do_sketching"]

_ENTRY = np.dtype([("low", "<u8"), ("high", "<u8"), ("length", "<u4")])
_AT_ONCE = 1 << 12


class Sketching(msgspec.Struct, frozen=True, kw_only=True):
    """A part's shard, to be sketched."""

    name: str
    """Stem of the part's files."""
    place: str
    gate: dict[str, str | None] | None
    kept: bytes
    """Which of its lines, a bit for each."""
    fingerprint: str
    """What the sketches depend on; empty where what was done before is not to be believed."""


def do_sketching(task: Sketching, *, frequencies: Frequencies, clients: Clients | None = None) -> str:
    """Sketch a shard into `NAME.sketches`, unless that is done already; `NAME.sketched` says what of.

    Args:
        task: What to sketch.
        frequencies: What is common among all that is kept.
        clients: The gate to AWS. Default: one as the task says.

    Returns:
        The name.
    """
    place = open_place(task.place, clients or portable_clients(task.gate))
    before = place.read(f"{task.name}.sketched")
    if task.fingerprint and before == task.fingerprint.encode():
        return task.name
    if before:
        with place.writing(f"{task.name}.sketched"):
            pass  # it must not outlive the sketches that it speaks of
    kept = np.unpackbits(np.frombuffer(task.kept, np.uint8)).tolist()
    with (
        place.local(f"{task.name}.jsonl") as shard,
        shard.open("rb") as lines,
        place.writing(f"{task.name}.sketches") as stream,
    ):
        texts = map(_prompt, itertools.compress(lines, kept))
        while some := list(itertools.islice(texts, _AT_ONCE)):
            stream.write(sketch(some, np.arange(len(some)), frequencies).packed().tobytes())
    with place.writing(f"{task.name}.sketched") as stream:  # last: where it is, the sketches are whole
        stream.write(task.fingerprint.encode())
    return task.name


def _prompt(line: bytes) -> bytes:
    return joined_texts(decode_record(line).prompt)


class NearDuplicates:
    """Finds the near-duplicates of a harvest.

    Args:
        folder: The place of the parts' files.
        scratch: A directory of this machine for what is too much for its memory.
        engine: What runs the parts. Default: this process.
        clients: The gate to AWS, where one is needed.
        gate: What engines make their own gate from.
    """

    def __init__(
        self,
        folder: str,
        scratch: Path,
        *,
        engine: Engine | None,
        clients: Clients | None,
        gate: dict[str, str | None] | None,
    ) -> None:
        self._folder, self._scratch = folder, scratch
        self._engine, self._clients, self._gate = engine, clients, gate
        self._place = open_place(folder, clients)

    def leave_out(
        self,
        receipts: Sequence[Receipt],
        keys: Sequence[Path],
        flags: Iterable[bytes],
        tally: Tally,
    ) -> Iterator[bytes]:
        """Of the lines of each shard that are to be kept, leave out near-duplicates of what comes before.

        Args:
            receipts: The parts.
            keys: Their `.keys` files.
            flags: A byte for each line of each shard: 1 if it is to be kept, else 0.
            tally: Counts what is left out.

        Returns:
            The flags without near-duplicates.
        """
        entries = [np.fromfile(path, _ENTRY) for path in keys]
        kept = [np.frombuffer(each, np.bool_) for each in flags]
        left = self._first_of_each(receipts, entries, kept)
        _add(tally, _count(kept) - _count(left))
        return (each.tobytes() for each in left)

    def take(self, receipts: Iterable[Receipt], out: Path, most: int) -> tuple[Tally, int, int]:
        """Write the first records, in order, without repeats and near-duplicates, until there are enough.

        What is near to what depends on all that is looked at, so that must not depend on the sizes of parts: first
        `most` distinct records are looked at, and, as long as too few of them are left, more by what lacks, or, from
        the second time on, by twice what was added before.

        Returns:
            What was scanned, how many records were written, and how many repeats there were before the last of them.
        """
        with LocalPlace(out.parent).writing(out.name) as stream:
            tally, first, waiting = Tally(), First(), iter(receipts)
            done: list[Receipt] = []
            entries: list[Entries] = []
            distinct: list[Flags] = []
            goal, step = most, 0
            while True:
                while _count(distinct) < goal and (receipt := next(waiting, None)) is not None:
                    done.append(receipt)
                    tally.add(receipt.tally)
                    with self._place.local(f"{receipt.name}.keys") as path:
                        entries.append(np.fromfile(path, _ENTRY))
                        distinct.append(np.array([first(key) for key, _ in entries_of(path)], np.bool_))
                left = self._first_of_each(done, entries, _up_to(goal, distinct))
                lacking = most - _count(left)
                if lacking <= 0 or _count(distinct) < goal:
                    break
                step = max(lacking, 2 * step)
                goal += step
            if isinstance(waiting, Generator):
                waiting.close()
            taken = _up_to(most, left)
            for receipt, each, flags in zip(done, entries, taken, strict=True):
                with self._place.local(f"{receipt.name}.jsonl") as shard:
                    copy_spans(shard, _spans(each, flags), stream)
        written = _count(taken)
        # What comes behind the last record that is taken counts as not looked at.
        lines, firsts = _joined(taken), _joined(distinct)
        seen = int(np.flatnonzero(lines)[-1]) + 1 if written == most else len(lines)
        new = int(np.count_nonzero(firsts[:seen]))
        _add(tally, new - written)
        return tally, written, seen - new

    def _first_of_each(
        self, receipts: Sequence[Receipt], entries: Sequence[Entries], kept: Sequence[Flags]
    ) -> list[Flags]:
        """Of the lines that are kept, those that are the first of a group of near-duplicates."""
        frequencies = Frequencies(self._sample(receipts, entries, kept))
        digest = frequencies.digest().encode()
        tasks = (
            Sketching(
                name=receipt.name,
                place=self._folder,
                gate=self._gate,
                kept=(bits := np.packbits(flags).tobytes()),
                fingerprint=receipt.fingerprint
                and xxhash.xxh3_128_hexdigest(b"\0".join([receipt.fingerprint.encode(), digest, bits])),
            )
            for receipt, flags in zip(receipts, kept, strict=True)
        )
        do = functools.partial(
            do_sketching, frequencies=frequencies, clients=None if self._engine else self._clients
        )
        with tempfile.TemporaryFile(dir=self._scratch) as stream:
            for name in (self._engine or SerialEngine()).map(do, tasks):
                with self._place.local(f"{name}.sketches") as path:
                    stream.write(path.read_bytes())
            stream.flush()
            first = _firsts(stream, _count(kept))
        ends = np.cumsum([0, *map(np.count_nonzero, kept)])
        left = [flags.copy() for flags in kept]
        for flags, begin, end in zip(left, ends[:-1], ends[1:], strict=True):
            flags[flags] = first[begin:end]
        return left

    def _sample(
        self, receipts: Sequence[Receipt], entries: Sequence[Entries], kept: Sequence[Flags]
    ) -> Iterator[bytes]:
        """The prompts by which frequencies are counted: those of the least hashes, wherever they lie."""
        lows = np.concatenate(
            [np.zeros(0, "<u8"), *(each["low"][flags] for each, flags in zip(entries, kept, strict=True))]
        )
        limit = np.partition(lows, SAMPLE)[SAMPLE] if len(lows) > SAMPLE else None
        for receipt, each, flags in zip(receipts, entries, kept, strict=True):
            wanted = np.flatnonzero(flags if limit is None else flags & (each["low"] < limit))
            if not len(wanted):
                continue
            begins = (np.cumsum(each["length"], dtype=np.int64) - each["length"])[wanted].tolist()
            with self._place.local(f"{receipt.name}.jsonl") as shard, shard.open("rb") as lines:
                for begin, length in zip(begins, each["length"][wanted].tolist(), strict=True):
                    lines.seek(begin)
                    yield _prompt(lines.read(length))


def _add(tally: Tally, count: int) -> None:
    if count:
        tally.skipped = tally.skipped | {"near-duplicate": count}


def _firsts(stream: IO[bytes], count: int) -> Flags:
    """Which of the sketches in a file are the first of their group."""
    if not count:
        return np.zeros(0, np.bool_)
    # Mapped, not read: when memory gets short, the system can let go of what it can read again.
    rows = np.memmap(stream, ROW, "r", shape=(count,)).view(np.ndarray)
    firsts: Flags = cluster(Sketches.unpacked(rows), THRESHOLD) == np.arange(count)
    return firsts


def _count(flags: Iterable[Flags]) -> int:
    return sum(map(int, map(np.count_nonzero, flags)))


def _joined(flags: Sequence[Flags]) -> Flags:
    return np.concatenate([np.zeros(0, np.bool_), *flags])


def _up_to(most: int, flags: Iterable[Flags]) -> list[Flags]:
    """The first so many of the lines that are flagged."""
    before, some = 0, []
    for each in flags:
        some.append(each & (before + np.cumsum(each) <= most))
        before += int(np.count_nonzero(each))
    return some


def _spans(entries: Entries, flags: Flags) -> Iterator[Span]:
    return kept_spans(zip(entries["length"].tolist(), flags.tolist(), strict=True))
