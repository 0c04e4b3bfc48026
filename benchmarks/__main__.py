"""Run every benchmark in turn and print its table: `make bench`, or `python -m benchmarks`.

Each measures ours against a named peer in one interleaved run, so that only ratios matter. The trainer's peer, TRL, must be
installed in this environment (the extra `[bench]` brings it). A quiet machine and about ten minutes are needed.
"""

from __future__ import annotations

import subprocess
import sys

COMMANDS = (
    ("Start-up", ["-m", "benchmarks.startup"]),
    ("Training records: check and split", ["-m", "benchmarks.records"]),
    ("Invocation logs to records", ["-m", "benchmarks.logs", "--records", "200000"]),
    ("Near-duplicates against rensa and datasketch", ["-m", "benchmarks.neardup"]),
    ("Redaction: recall, precision, speed", ["-m", "benchmarks.redaction"]),
    ("Student trainer against TRL", ["-m", "benchmarks.trainer", "--trl-python", sys.executable]),
)


def main() -> int:
    """Run them all; the exit code is that of the worst."""
    worst = 0
    for title, arguments in COMMANDS:
        print(f"\n## {title}\n", flush=True)
        worst = max(worst, subprocess.run([sys.executable, *arguments], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
