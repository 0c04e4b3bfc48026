"""Recall, precision and speed of redaction, on the labelled set that the tests hold it to.

    python -m benchmarks.redaction [--misses] [--seconds 2]

The set (`tests/data/redaction.jsonl`) was written for this project: one text a line, findings marked as `⟦kind|value⟧`. A broken
bar inside a value is dropped when it is read; it keeps scanners for leaked secrets from taking the made-up ones for real.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SET = Path(__file__).parents[1] / "tests/data/redaction.jsonl"
_MARKED = re.compile(r"⟦([a-z-]+)\|(.*?)⟧", re.DOTALL)


class Case(NamedTuple):
    """A text, and what is in it: begin, end, kind."""

    language: str
    text: str
    wanted: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind did."""

    kind: str
    wanted: int
    found: int
    """Of the wanted values, those of which no character was left to read."""
    said: int
    right: int
    """Of the findings, those that lie on a wanted value of their kind, and at most a character beyond it."""

    @property
    def recall(self) -> float:
        return self.found / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 1.0


def read_cases(path=SET):
    """The labelled texts."""
    return [read_case(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def read_case(row):
    marked = row["text"].replace("¦", "")
    text, wanted, position = "", [], 0
    for found in _MARKED.finditer(marked):
        text += marked[position : found.start()]
        wanted.append((len(text), len(text) + len(found[2]), found[1]))
        text += found[2]
        position = found.end()
    return Case(row["language"], text + marked[position:], tuple(wanted))


def measure(find, cases):
    """A row a kind, and a sentence for each miss and each false finding.

    Args:
        find: Gives the findings of a text, none of which overlaps another.
        cases: Labelled texts.
    """
    wanted, hit, said, right = Counter(), Counter(), Counter(), Counter()
    wrong = []
    for case in cases:
        spans = find(case.text)
        for begin, end, kind in case.wanted:
            hidden = {at for span in spans if span.kind == kind for at in range(span.begin, span.end)}
            whole = all(at in hidden or not case.text[at].strip() for at in range(begin, end))
            wanted[kind] += 1
            hit[kind] += whole
            if not whole:
                wrong.append(f"missed {kind}: {case.text[begin:end]!r} in {case.text[:80]!r}")
        for span in spans:
            close = any(
                begin - 1 <= span.begin and span.end <= end + 1 and span.kind == kind
                for begin, end, kind in case.wanted
            )
            said[span.kind] += 1
            right[span.kind] += close
            if not close:
                found = case.text[span.begin : span.end]
                wrong.append(f"false {span.kind}: {found!r} in {case.text[:80]!r}")
    kinds = sorted(wanted | said)
    return [Row(kind, wanted[kind], hit[kind], said[kind], right[kind]) for kind in kinds], wrong


def speed(redactor, texts, seconds):
    """Megabytes of UTF-8 in a second, best of as many rounds as fit."""
    size = sum(len(text.encode()) for text in texts)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        for text in texts:
            redactor.redact(text)
        best = max(best, size / (time.perf_counter() - start) / 1e6)
    return best


def main():
    from bedrock_distill.records.curation.redaction import Redactor
    from bedrock_distill.records.curation.redaction_placing import settle
    from benchmarks.records import text as prose

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--misses", action="store_true", help="print what was missed and what was found in error"
    )
    options.add_argument("--seconds", type=float, default=2.0, help="for each measurement of speed")
    asked = options.parse_args()
    redactor, cases = Redactor(), read_cases()
    rows, wrong = measure(lambda text: settle(text, redactor.find(text)), cases)
    print(f"{len(cases)} texts, {sum(row.wanted for row in rows)} findings, "
          f"{sum(not case.wanted for case in cases)} texts with none")  # fmt: skip
    print("\n| kind | recall | precision |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {row.kind} | {row.found}/{row.wanted} | {row.right}/{row.said} |")
    if asked.misses:
        print("", *wrong, sep="\n")
    rng = random.Random(7)
    plain = [prose(rng, rng.choice((200, 800, 2_000))) for _ in range(600)]
    numbered = [f"Order {rng.randrange(10**9)}, 12.03.2025: {text} Total 1,234.56." for text in plain]
    for name, texts in (
        ("prose", plain),
        ("prose with a date, an amount and an order number in each text", numbered),
        ("the labelled set", [case.text for case in cases]),
    ):
        print(f"\n{speed(redactor, texts, asked.seconds):.0f} MB/s: {name}")


if __name__ == "__main__":
    main()
