"""Run every benchmark in turn and print its table: `make bench`, or `python -m benchmarks`.

Each measures ours against a named peer in one interleaved run, so that only ratios matter. The trainer's peer, TRL, must be
installed in this environment (the extra `[bench]` brings it). A quiet machine and about a quarter of an hour are needed.

AWS's dataset validator is on no package index. With `--validator DIR`, the folder of a checkout that holds it, it is measured, too
(see benchmarks/validator.py).
"""

from __future__ import annotations

import argparse
import subprocess
import sys

COMMANDS = (
    ("Start-up", ["-m", "benchmarks.startup"]),
    ("Training records: check and split", ["-m", "benchmarks.records"]),
    ("Invocation logs to records", ["-m", "benchmarks.logs", "--records", "200000"]),
    ("Small log objects from S3", ["-m", "benchmarks.objects"]),
    ("Near-duplicates against rensa and datasketch", ["-m", "benchmarks.neardup"]),
    ("Redaction: recall, precision, speed", ["-m", "benchmarks.redaction"]),
    ("Staging a model's directory", ["-m", "benchmarks.staging"]),
    ("Local endpoint against generate, one by one", ["-m", "benchmarks.endpoint"]),
    ("Student trainer against TRL", ["-m", "benchmarks.trainer", "--trl-python", sys.executable]),
)


def main() -> int:
    """Run them all; the exit code is that of the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--validator", metavar="DIR", help="folder of AWS's dataset validator")
    validator = parser.parse_args().validator
    commands = list(COMMANDS)
    if validator:
        commands.append(("AWS's dataset validator", ["-m", "benchmarks.validator", "--validator", validator]))
    worst = 0
    for title, arguments in commands:
        print(f"\n## {title}\n", flush=True)
        worst = max(worst, subprocess.run([sys.executable, *arguments], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
