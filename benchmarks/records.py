"""Checking and splitting training data, beside what one would write with jsonlines and pydantic.

    python -m benchmarks.records [--records 40000] [--rounds 5]

Every candidate runs in a fresh process, in turn, on the same file; CPU seconds and peak memory are those of the whole
process, imports included. All must find the same bad lines. Quote the ratios: times are this machine's, today.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import peak_mb

PROSE = (
    "the invoice order refund customer please account payment was is for of and to in with delivery question answer "
    "summarise classify extract context contract clause section amount date number because therefore however which"
)
WORDS = PROSE.split()
FOREIGN = [
    "Bitte prüfen Sie die Rechnung für März.",
    "¿Dónde está mi pedido?",
    "请用中文总结。",
    "Où est ma commande ?",
    "Danke 🙂",
]
SHARES = {"train": 0.9, "heldout": 0.1}


# --- data -------------------------------------------------------------------------------------------------------------


def text(rng, mean):
    out, size = [], 0
    while size < mean:
        sentence = (
            rng.choice(FOREIGN)
            if rng.random() < 0.04
            else " ".join(rng.choices(WORDS, k=rng.randrange(6, 18))) + "."
        )
        out.append(sentence)
        size += len(sentence)
    return ("\n" if mean > 1000 else " ").join(out)


def spoil(rng, row):
    kind = rng.randrange(9)
    if kind == 0:
        return json.dumps(row)[:-25].encode()
    if kind == 1:
        return json.dumps(row).encode().replace(b'"text": "', b'"text": "\xff', 1)
    changes = [
        lambda: row.update(schemaVersion="bedrock-conversion-2024"),
        lambda: row.update(id=7),
        lambda: row.pop("schemaVersion"),
        row["messages"].clear,
        lambda: row["messages"][0].update(role="human"),
        lambda: row["messages"][0]["content"].append({"text": "again"}),
        lambda: row["messages"][0]["content"][0].update(text="  "),
    ]
    changes[kind - 2]()
    return json.dumps(row).encode()


def make_data(path, count, seed=1):
    rng = random.Random(seed)
    systems = [text(rng, 200) for _ in range(20)]
    with path.open("wb") as stream:
        for _ in range(count):
            row = {"schemaVersion": "bedrock-conversation-2024"}
            if rng.random() < 0.7:
                row["system"] = [{"text": rng.choice(systems)}]
            length = min(8_000, rng.lognormvariate(6.8, 0.8))
            row["messages"] = [{"role": "user", "content": [{"text": text(rng, length)}]}]
            if rng.random() < 0.3:
                row["messages"].append({"role": "assistant", "content": [{"text": text(rng, 300)}]})
            if rng.random() < 0.005:
                line = spoil(rng, row)
            else:
                separators = (",", ":") if rng.random() < 0.5 else None
                line = json.dumps(row, ensure_ascii=rng.random() < 0.5, separators=separators).encode()
            stream.write(line + b"\n")


# --- candidates: each returns (valid records, numbers of bad lines or None) ---------------------------------------------


def ordinary(source, out, loads):
    """jsonlines, pydantic models, lists in memory, a split by the hash of the prompt."""
    from typing import Annotated, Literal

    import jsonlines
    from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)

    class Block(Strict):
        text: Annotated[str, StringConstraints(pattern=r"\S")]

    class Turn(Strict):
        role: Literal["user", "assistant"]
        content: Annotated[list[Block], Field(min_length=1, max_length=1)]

    class Conversation(Strict):
        schemaVersion: Literal["bedrock-conversation-2024"]  # noqa: N815 - the key is Bedrock's
        messages: Annotated[list[Turn], Field(min_length=1, max_length=2)]
        system: Annotated[list[Block], Field(min_length=1, max_length=1)] | None = None

        @model_validator(mode="after")
        def roles_alternate(self):
            if any(turn.role != ("user", "assistant")[index] for index, turn in enumerate(self.messages)):
                raise ValueError("roles must alternate")
            return self

    rows, bad, tokens = [], [], 0
    with Path(source).open("rb") as stream:
        reader = jsonlines.Reader(stream, **({"loads": loads} if loads else {}))
        number = 0
        while True:
            number += 1
            try:
                row = Conversation.model_validate(reader.read()).model_dump(exclude_none=True)
            except EOFError:
                break
            except (jsonlines.InvalidLineError, ValidationError) as error:
                bad.append((number, str(error)))
                continue
            rows.append(row)
            tokens += (
                sum(len(block["text"].encode()) for turn in row["messages"] for block in turn["content"]) // 4
            )
    parts = {name: [] for name in SHARES}
    for row in rows:
        prompt = json.dumps([row.get("system"), row["messages"][0]]).encode()
        point = int.from_bytes(hashlib.sha256(prompt).digest()[:8], "big") / 2**64
        parts["train" if point < SHARES["train"] else "heldout"].append(row)
    for name, part in parts.items():
        with jsonlines.open(f"{out}/{name}.jsonl", "w") as writer:
            writer.write_all(part)
    return len(rows), [number for number, _ in bad]


def rules():
    from bedrock_distill.records.rules import Rules

    return Rules(max_line_bytes=1 << 19, multi_turn=False, context_tokens=32_000)


def ours_split(source, out):
    from bedrock_distill.records.splitting import split_file

    report = split_file(source, SHARES, out_dir=out, rules=rules(), skip_bad=True, max_offences=1 << 30).check
    return report.prompts, sorted({offence.line for offence in report.offences if offence.line})


def ours_check(source, out):  # noqa: ARG001 - the signature of a candidate
    from bedrock_distill.records.checking import check_file

    report = check_file(source, rules(), max_offences=1 << 30)
    return report.prompts, sorted({offence.line for offence in report.offences if offence.line})


def floor(source, out):
    """What Python cannot do without: find lines, decode them with the fastest typed decoder, copy the good ones."""
    import msgspec

    from bedrock_distill.records.schema import Record

    decode, kept = msgspec.json.Decoder(Record).decode, 0
    with (
        Path(source).open("rb", buffering=1 << 18) as lines,
        Path(out, "all").open("wb", buffering=1 << 18) as copy,
    ):
        for line in lines:
            try:
                decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            copy.write(line)
            kept += 1
    return kept, None


CANDIDATES = {
    "jsonlines (json) + pydantic": lambda source, out: ordinary(source, out, json.loads),
    "jsonlines (orjson) + pydantic": lambda source, out: ordinary(source, out, None),
    "data split --teacher --student": ours_split,
    "data check": ours_check,
    "floor: decode and copy": floor,
}
BASELINE, OURS = "jsonlines (json) + pydantic", "data split --teacher --student"


# --- harness ----------------------------------------------------------------------------------------------------------


def run_here(name, source):
    with tempfile.TemporaryDirectory() as out:
        kept, bad = CANDIDATES[name](source, out)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu": usage.ru_utime + usage.ru_stime, "mb": peak_mb(), "kept": kept, "bad": bad}))


def run_apart(name, source):
    command = [sys.executable, "-m", "benchmarks.records", "--one", name, str(source)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_here(*options.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        source, fourfold = Path(folder, "data.jsonl"), Path(folder, "fourfold.jsonl")
        make_data(source, options.records)
        rounds = []
        for number in range(options.rounds):
            order = list(CANDIDATES) if number % 2 == 0 else list(CANDIDATES)[::-1]
            rounds.append({name: run_apart(name, source) for name in order})
        fourfold.write_bytes(source.read_bytes() * 4)
        grown = run_apart(OURS, fourfold)["mb"]
        report(rounds, options.records, source.stat().st_size, grown)


def report(rounds, count, size, grown):
    first = rounds[0]
    verdicts = {(row["kept"], tuple(row["bad"])) for row in first.values() if row["bad"] is not None}
    assert len(verdicts) == 1, "the candidates disagree on which lines are bad"
    print(
        f"{count:,} records, {size / 1e6:.0f} MB, {len(first[OURS]['bad'])} bad lines; median of {len(rounds)} rounds\n"
    )
    print(
        "| candidate | CPU s | records/s | x CPU, median (min to max) | peak MB |\n| --- | --: | --: | --: | --: |"
    )
    for name in CANDIDATES:
        cpu = statistics.median(row[name]["cpu"] for row in rounds)
        ratios = [row[BASELINE]["cpu"] / row[name]["cpu"] for row in rounds]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        mb = max(row[name]["mb"] for row in rounds)
        print(f"| {name} | {cpu:.2f} | {count / cpu:,.0f} | {ratio} | {mb:.0f} |")
    share = statistics.median(row["floor: decode and copy"]["cpu"] / row[OURS]["cpu"] for row in rounds)
    print(f"\nOf the floor's speed: {share:.2f}. Memory with four times the data: {grown:.0f} MB.")


if __name__ == "__main__":
    main()
