"""Any number of log records through the streaming path, made as they are read: memory must stay flat, the rate steady.

    python -m benchmarks.logs_stream [--records 10000000]

Nothing is kept but counts: no disk, no telling of repeats. A thousand lines of every shape, each made new by its number, are
what `scan_lines` reads; the cost of making them is measured first and taken off.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import deque
from itertools import islice

from benchmarks.logs import SHAPES, log_line
from benchmarks.measuring import peak_mb

_MARK = b"0000000000000000"


def templates(count=1000):
    rng = random.Random(3)
    words = [f"w{rng.randrange(9999)}" for _ in range(999)] + ["Größe", "検索"]

    def text(longest):
        return " ".join(rng.choices(words, k=rng.randrange(8, longest)))

    return [
        log_line(rng, rng.choice(SHAPES), text(60), f"{_MARK.decode()} {text(200)}", text(300)).encode()
        for _ in range(count)
    ]


def lines(made, count):
    for number in range(count):
        yield made[number % len(made)].replace(_MARK, b"%016d" % number, 1)


def main():
    from bedrock_distill.records.logs.query import LogQuery, Selector
    from bedrock_distill.records.logs.scanning import scan_lines
    from bedrock_distill.records.logs.tally import Tally

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    options = parser.parse_args()
    made = templates()
    tenth = max(1, options.records // 10)
    began = time.process_time()
    deque(lines(made, tenth), maxlen=0)
    making = time.process_time() - began
    size = sum(map(len, made)) / len(made)
    print(f"{options.records:,} records of {size:,.0f} bytes on average\n")
    print("| records | matched | records/s | MB/s | peak MB |\n| --: | --: | --: | --: | --: |")
    source, selector, tally = lines(made, options.records), Selector(LogQuery(responses=True)), Tally()
    for _ in range(10):
        began = time.process_time()
        deque(scan_lines(islice(source, tenth), selector, tally), maxlen=0)
        spent = time.process_time() - began - making
        print(
            f"| {tally.scanned:,} | {tally.matched:,} | {tenth / spent:,.0f} | {tenth * size / spent / 1e6:,.0f} | {peak_mb():.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
