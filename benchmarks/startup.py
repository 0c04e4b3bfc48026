"""How long `bedrock-distill --help` takes, beside `python -c "import click"`: whole processes, in turn.

python -m benchmarks.startup [--rounds 15]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

BUDGET_FACTOR, BUDGET_MS = 1.5, 150


def wall_ms(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    script = Path(sys.executable).parent / "bedrock-distill"
    commands = {
        "import click": [sys.executable, "-c", "import click"],
        "bedrock-distill --help": [
            str(script) if script.exists() else shutil.which("bedrock-distill"),
            "--help",
        ],
        "import bedrock_distill": [sys.executable, "-c", "import bedrock_distill"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        wall_ms(command)
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(wall_ms(command))
    print(f"| process | median ms of {rounds} | min | max |\n| --- | --: | --: | --: |")
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.0f} | {min(values):.0f} | {max(values):.0f} |")
    allowed = BUDGET_FACTOR * statistics.median(times["import click"]) + BUDGET_MS
    print(
        f"\n--help within {BUDGET_FACTOR} x import click + {BUDGET_MS} ms = {allowed:.0f} ms: "
        f"{'yes' if statistics.median(times['bedrock-distill --help']) <= allowed else 'NO'}"
    )


if __name__ == "__main__":
    main()
