"""AWS's published dataset validator and `data check` on the same files: verdicts, time and memory.

    python -m benchmarks.validator --validator DIR [--records 10000] [--rounds 3]

DIR is the folder custom-models/model_distillation/dataset-validation of a checkout of aws-samples/amazon-bedrock-samples; it
needs boto3, numpy and jsonschema. The script asks for Python 3.13 (os.process_cpu_count): on older ones that function is
given to it, and nothing else of it is changed. Both are timed twice, on records that do not crash it: as whole commands, where
ours is mostly the start of Python and of the command line; and the check alone, by the function that checks a file, in a
fresh process after its imports. Then each case that does crash it, or that it gets wrong, is tried by itself.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import product
from pathlib import Path

AWS, OURS = "AWS's validator", "data check"
PAIR = ("amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0:300k")
_PATCHED = (
    "import os, sys; os.process_cpu_count = getattr(os, 'process_cpu_count', os.cpu_count); "
    "sys.path.insert(0, sys.argv.pop(1)); "
)
_AWS = _PATCHED + "import runpy; runpy.run_path(sys.path[0] + '/dataset_validator.py', run_name='__main__')"
_TIMED = """
import json, time
from benchmarks.measuring import cpu_s
began, spent = time.perf_counter(), cpu_s()
valid = check()
print(json.dumps({"wall": time.perf_counter() - began, "cpu": cpu_s() - spent, "valid": valid}))
"""
_AWS_ALONE = f"""{_PATCHED}
import dataset_validator
check = lambda: dataset_validator.validate_file(sys.argv[1], False, True)[0]
{_TIMED}"""
_OURS_ALONE = f"""
import sys
from bedrock_distill import load_catalog
from bedrock_distill.records.checking import check_file
from bedrock_distill.records.rules import rules_for
rules = rules_for(load_catalog(), *sys.argv[2:])
check = lambda: check_file(sys.argv[1], rules).prompts
{_TIMED}"""


def record(number, *, prompt=None, roles=("user",), version="bedrock-conversation-2024"):
    text = prompt or f"Prompt {number}: " + " ".join(
        f"word{(number * 31 + at) % 997}"
        for at in range(1000 if number % 100 == 7 else 30 + number * 79 % 440)
    )
    turns = [{"role": role, "content": [{"text": text}]} for role in roles]
    return json.dumps({"schemaVersion": version, "messages": turns}, ensure_ascii=False).encode()


def make_file(path, count):
    """Records of which every fiftieth is wrong in a way that both tools can say."""
    wrong = (
        b"{not json",
        record(0, version="bedrock-conversion-2024"),
        b'{"schemaVersion":"bedrock-conversation-2024"}',
    )
    lines = [
        wrong[number // 50 % len(wrong)]
        if number % 50 == 0
        else record(number, roles=("user", "assistant")[: 1 + number % 2])
        for number in range(1, count + 1)
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")


def cases():
    """Name -> file's name and content, and whether the file is good."""
    good = [record(number) for number in range(120)]
    turns = ("user", "assistant", "user", "assistant")
    return {
        "good file": ("good.jsonl", b"\n".join(good), True),
        "roles that do not alternate": (
            "roles.jsonl",
            b"\n".join([*good, record(1, roles=("assistant", "user"))]),
            False,
        ),
        "a byte that is not UTF-8": (
            "utf8.jsonl",
            b"\n".join([*good, good[0].replace(b"Prompt", b"Pr\xff")]),
            False,
        ),
        "conversation of four turns (Nova takes it)": (
            "turns.jsonl",
            b"\n".join([*good, record(1, roles=turns)]),
            True,
        ),
        "line above 16 KB": ("long.jsonl", b"\n".join([*good, record(1, prompt="x" * 20_000)]), False),
        "15,001 records": (
            "many.jsonl",
            b"\n".join(record(number, prompt=f"p{number}") for number in range(15_001)),
            False,
        ),
        "99 records": ("few.jsonl", b"\n".join(good[:99]), False),
        "empty prompt": ("empty.jsonl", b"\n".join([*good, record(1, prompt=" ")]), False),
        "key that stands twice": (
            "twice.jsonl",
            b"\n".join([*good, good[0][:-1] + b',"messages":[]}']),
            False,
        ),
        "packed with gzip": ("packed.jsonl.gz", gzip.compress(b"\n".join(good)), True),
    }


def run(command, folder):
    """Exit code, output, seconds on the wall and of the CPU, and the peak memory of all processes together, sampled."""
    began, spent = time.perf_counter(), children_s()
    peak = 0
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        wall = time.perf_counter() - began
        output.seek(0)
        return process.returncode, output.read(), {"wall": wall, "cpu": children_s() - spent}, peak


def children_s():
    """CPU seconds of the processes that were waited for, without this one's: it looks at them all the time."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def resident(group):
    """Megabytes that the processes of a session hold."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == group:
                    total += int((entry / "statm").read_text().split()[1])
            except (OSError, ValueError, IndexError):
                continue
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def commands(validator, path):
    ours = "from bedrock_distill.cli.main import main; main()"
    pair = ["--teacher", PAIR[0], "--student", PAIR[1]]
    return {
        AWS: [sys.executable, "-c", _AWS, str(validator), "-p", str(path), "-o", "detail.log"],
        OURS: [sys.executable, "-c", ours, "data", "check", str(path), *pair, "--output", "json"],
    }


def alone(validator, path):
    """Each tool's check of the file, timed in a fresh process after its imports."""
    commands = {
        AWS: [sys.executable, "-c", _AWS_ALONE, str(validator), str(path)],
        OURS: [sys.executable, "-c", _OURS_ALONE, str(path), *PAIR],
    }
    return {
        name: json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
        for name, command in commands.items()
    }


def measured(name, command, folder):
    """A whole command: its seconds, its peak memory, and how many records it found valid."""
    _, output, seconds, peak = run(command, folder)
    return seconds | {"mb": peak, "valid": valid_lines(name, output)}


def valid_lines(name, output):
    if name == OURS:
        return json.loads(output[output.index("{") : output.rindex("}") + 1])["files"][0]["prompts"]
    found = re.findall(r"(\d+) out of (\d+) prompts are valid", output)
    return int(found[-1][0]) if found else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--validator", type=Path, required=True)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    validator = options.validator.resolve()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.jsonl")
        make_file(path, options.records)
        rounds = []
        for _ in range(options.rounds):
            whole = {
                name: measured(name, command, folder) for name, command in commands(validator, path).items()
            }
            rounds.append((whole, alone(validator, path)))
        print(f"{options.records:,} records, {path.stat().st_size / 1e6:.0f} MB, {options.rounds} rounds\n")
        report(rounds)
        print("| case | is it good? | AWS's validator | data check |\n| --- | --- | --- | --- |")
        for name, (file, content, good) in cases().items():
            Path(folder, file).write_bytes(content)
            said = {
                tool: verdict(*run(command, folder)[:2])
                for tool, command in commands(validator, Path(folder, file)).items()
            }
            print(f"| {name} | {'yes' if good else 'no'} | {said[AWS]} | {said[OURS]} |")


def report(rounds):
    """A row for each tool and measure, and the ratios, each with its smallest and largest value."""
    print("| measured | tool | valid records | s | peak MB | x |\n| --- | --- | --: | --: | --: | --: |")
    for part, clock in product((0, 1), ("wall", "CPU")):
        seconds = {name: [each[part][name][clock.lower()] for each in rounds] for name in (AWS, OURS)}
        ratios = [theirs / ours for theirs, ours in zip(*seconds.values(), strict=True)]
        ratio = f"{statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})"
        for name, values in seconds.items():
            seen = [each[part][name] for each in rounds]
            memory = "" if part else f"{max(each['mb'] for each in seen):,.0f}"
            print(
                f"| {('whole command', 'check alone')[part]}, {clock} | {name} | {seen[0]['valid']:,} "
                f"| {statistics.median(values):.3f} | {memory} | {ratio if name == OURS else ''} |"
            )
    print()


def verdict(code, output):
    crash = re.search(r"^(TypeError|UnicodeDecodeError|\w+Error): ", output, re.MULTILINE)
    if code and crash and crash.group(1) != "DataError":
        return f"crashes: {crash.group(1)}"
    counts = re.findall(r"(\d+) out of (\d+) prompts are valid", output)
    if counts and counts[-1][0] != counts[-1][1]:
        return "rejects lines"
    return "accepts" if code == 0 else "rejects"


if __name__ == "__main__":
    main()
