"""Invocation logs to training records: ours against the ordinary pipeline, on three filters.

    python -m benchmarks.logs [--records 50000] [--rounds 3]

The ordinary pipeline is what a Python engineer writes: gzip, json.loads a line, a pydantic envelope, dict code for the bodies,
SHA-256 to tell repeats, json.dumps. Every candidate runs in a fresh process, in turn; all must write the same records. The
floor unpacks and finds the lines, and does nothing with them.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import cpu_s, peak_mb

SONNET = "anthropic.claude-3-5-sonnet-20241022-v2:0"
MODELS = {
    "anthropic": [SONNET, f"us.{SONNET}", "anthropic.claude-3-haiku-20240307-v1:0"],
    "llama": ["meta.llama3-1-405b-instruct-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"],
    "nova": ["amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"],
    "embed": ["amazon.titan-embed-text-v2:0"],
}
SHAPES = (
    ["converse"] * 50
    + ["messages"] * 18
    + ["stream"] * 8
    + ["llama"] * 8
    + ["nova"] * 8
    + ["embed"] * 4
    + ["error"] * 4
)
FILTERS = {
    "selective": (SONNET, {"project": "support", "env": "prod"}),
    "one model": (SONNET, {}),
    "all": (None, {}),
}


# --- data -------------------------------------------------------------------------------------------------------------


def make_logs(folder, count, *, seed=5, per_object=3000):
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 9))) for _ in range(4000)] + [
        "Größe",
        "検索",
        "naïve",
        "🙂",
    ]
    weights = [1 / (rank + 3) for rank in range(len(words))]

    def text(longest):
        return " ".join(rng.choices(words, weights, k=int(longest * rng.random() ** 2) + 4))

    systems, seen, lines = [text(500) for _ in range(20)], [], []
    root = Path(folder, "AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1")
    for number in range(count):
        if seen and rng.random() < 0.1:
            system, prompt = rng.choice(seen)
        else:
            system, prompt = rng.choice([None, *systems]), text(1000)
            seen.append((system, prompt))
        lines.append(log_line(rng, rng.choice(SHAPES), system, prompt, text(1500)))
        if rng.random() < 0.002:
            lines[-1] = lines[-1][: rng.randrange(20, len(lines[-1]))]
        if len(lines) == per_object or number == count - 1:
            hour = number // per_object
            path = root / f"2026/10/{1 + hour // 24:02}/{hour % 24:02}" / f"{number:09}.json.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                gzip.compress(("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"), 6, mtime=0)
            )
            lines = []


def log_line(rng, shape, system, prompt, answer):
    family = {
        "messages": "anthropic",
        "stream": "anthropic",
        "converse": rng.choice(["anthropic", "anthropic", "nova"]),
    }.get(shape, shape)
    model = rng.choice(MODELS.get(family, MODELS["anthropic"]))
    converse = {
        "messages": [{"role": "user", "content": [{"text": prompt}]}],
        **({"system": [{"text": system}]} if system else {}),
    }
    messages = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": prompt}],
        **({"system": system} if system else {}),
    }
    turn = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>".format
    templated = (
        "<|begin_of_text|>"
        + (turn("system", system) if system else "")
        + turn("user", prompt)
        + "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    said = {
        "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 9, "outputTokens": 9},
    }
    chunks = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": answer[at : at + 24]},
        }
        for at in range(0, len(answer), 24)
    ]
    request, response = {
        "messages": (
            messages,
            {"type": "message", "content": [{"type": "text", "text": answer}], "stop_reason": "end_turn"},
        ),
        "stream": (
            messages,
            [
                {"type": "message_start", "message": {"usage": {"input_tokens": 9}}},
                *chunks,
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            ],
        ),
        "llama": ({"prompt": templated, "max_gen_len": 900}, {"generation": answer, "stop_reason": "stop"}),
        "embed": ({"inputText": prompt}, {"embedding": [round(rng.gauss(0, 0.03), 9) for _ in range(1024)]}),
    }.get(shape, (converse, said))
    operation = {"converse": "Converse", "error": "Converse", "stream": "InvokeModelWithResponseStream"}.get(
        shape, "InvokeModel"
    )
    record = {
        "timestamp": "2026-10-01T10:00:00Z",
        "accountId": "111122223333",
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/app/session"},
    }
    record |= {
        "region": "us-east-1",
        "requestId": f"{rng.getrandbits(128):032x}",
        "operation": operation,
        "modelId": model,
    }
    record |= {"errorCode": "ThrottlingException"} if shape == "error" else {}
    record["input"] = {"inputContentType": "application/json", "inputBodyJson": request, "inputTokenCount": 9}
    if shape != "error":
        record["output"] = {
            "outputContentType": "application/json",
            "outputBodyJson": response,
            "outputTokenCount": 9,
        }
    if rng.random() < 0.8:
        record["requestMetadata"] = {
            "project": rng.choice(["support", "search", "sql"]),
            "env": rng.choice(["prod", "prod", "dev"]),
            "tenant": str(rng.randrange(500)),
        }
    return json.dumps(
        record | {"schemaType": "ModelInvocationLog", "schemaVersion": "1.0"},
        ensure_ascii=False,
        separators=(",", ":"),
    )


# --- candidates: each writes records and returns (scanned, written) ---------------------------------------------------------


def ordinary(source, out, model, metadata):
    from typing import Any

    from pydantic import BaseModel, ValidationError

    class Side(BaseModel):
        inputBodyJson: Any = None  # noqa: N815 - AWS's name
        outputBodyJson: Any = None  # noqa: N815 - AWS's name

    class Log(BaseModel):
        timestamp: str
        modelId: str  # noqa: N815 - AWS's name
        operation: str
        input: Side
        output: Side | None = None
        requestMetadata: dict[str, str] | None = None  # noqa: N815 - AWS's name
        errorCode: str | None = None  # noqa: N815 - AWS's name

    scanned, seen, rows = 0, set(), []
    for path in log_objects(source):
        with gzip.open(path, "rb") as lines:
            for line in lines:
                scanned += 1
                try:
                    log = Log.model_validate(json.loads(line))
                except (ValueError, ValidationError):
                    continue
                tags = log.requestMetadata or {}
                if (model and model not in log.modelId) or any(
                    tags.get(key) != value for key, value in metadata.items()
                ):
                    continue
                if log.errorCode or log.output is None:
                    continue
                pair = read_dicts(log.input.inputBodyJson, log.output.outputBodyJson)
                if pair is None:
                    continue
                system, prompt, answer = pair
                key = hashlib.sha256(json.dumps([system, prompt]).encode()).digest()
                if key in seen:
                    continue
                seen.add(key)
                turns = [
                    {"role": role, "content": [{"text": text}]}
                    for role, text in (("user", prompt), ("assistant", answer))
                ]
                rows.append(
                    {
                        "schemaVersion": "bedrock-conversation-2024",
                        **({"system": [{"text": system}]} if system else {}),
                        "messages": turns,
                    }
                )
    with Path(out).open("w") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    return scanned, len(rows)


def read_dicts(request, response):
    system = None
    if "messages" in request:
        prompt, system = request["messages"][0]["content"], request.get("system")
        prompt = prompt if isinstance(prompt, str) else prompt[0]["text"]
        system = system[0]["text"] if isinstance(system, list) else system
    elif "prompt" in request:
        turns = {}
        for piece in request["prompt"].split("<|start_header_id|>")[1:]:
            role, _, text = piece.partition("<|end_header_id|>")
            turns[role] = text.removeprefix("\n\n").removesuffix("<|eot_id|>")
        system, prompt = turns.get("system"), turns["user"]
    else:
        return None
    if isinstance(response, list):
        answer = "".join(
            chunk["delta"].get("text", "") for chunk in response if chunk["type"] == "content_block_delta"
        )
    elif "output" in response:
        answer = response["output"]["message"]["content"][0]["text"]
    else:
        answer = response["generation"] if "generation" in response else response["content"][0]["text"]
    return system, prompt, answer


def ours(source, out, model, metadata, processes=None):
    from bedrock_distill.harvest import from_logs
    from bedrock_distill.harvest.engines.processes import ProcessEngine
    from bedrock_distill.records.logs import Condition, Filter, LogQuery

    where = Filter(tuple(Condition(key, value) for key, value in metadata.items())) if metadata else None
    query = LogQuery(models=(model,) if model else (), where=where, responses=True)
    report = from_logs(source, out, query=query, engine=ProcessEngine(processes) if processes else None)
    return report.tally.scanned, report.written


def floor(source, out, model, metadata):  # noqa: ARG001 - the signature of a candidate
    from bedrock_distill.records.lines import read_lines

    return sum(1 for path in log_objects(source) for _ in read_lines(path)), None


def log_objects(source):
    return sorted(path for path in Path(source).rglob("*.gz") if "data" not in path.parts)


BASELINE, OURS, TWO = "gzip, json, pydantic", "data from-logs, one process", "data from-logs, two processes"
CANDIDATES = {
    BASELINE: ordinary,
    OURS: ours,
    TWO: lambda *arguments: ours(*arguments, processes=2),
    "floor: unpack, find lines": floor,
}


# --- harness ----------------------------------------------------------------------------------------------------------------


def run_here(name, chosen, source):
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        scanned, written = CANDIDATES[name](source, f"{folder}/out.jsonl", *FILTERS[chosen])
        row = {"wall": time.perf_counter() - began, "cpu": cpu_s(), "mb": peak_mb()}
        out = Path(folder, "out.jsonl")
        digest = hashlib.file_digest(out.open("rb"), "md5").hexdigest() if out.exists() else None
    print(json.dumps(row | {"scanned": scanned, "written": written, "digest": digest}))


def run_apart(name, chosen, source):
    command = [sys.executable, "-m", "benchmarks.logs", "--one", name, chosen, str(source)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("NAME", "FILTER", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_here(*options.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        make_logs(small, options.records)
        print(
            "| filter | candidate | CPU s | records/s | x CPU | wall s | peak MB |\n| --- | --- | --: | --: | --: | --: | --: |"
        )
        for chosen in FILTERS:
            rounds = []
            for number in range(options.rounds):
                order = list(CANDIDATES) if number % 2 == 0 else list(CANDIDATES)[::-1]
                rounds.append({name: run_apart(name, chosen, small) for name in order})
            report(chosen, rounds)
        for copy in range(10):
            shutil.copytree(small, large / str(copy), copy_function=os.link)
        grown = {chosen: run_apart(OURS, chosen, large)["mb"] for chosen in FILTERS}
        print(
            "\nPeak memory with ten times the input:",
            ", ".join(f"{name} {mb:.0f} MB" for name, mb in grown.items()),
        )


def report(chosen, rounds):
    results = {
        (row["written"], row["digest"])
        for each in rounds
        for row in each.values()
        if row["written"] is not None
    }
    assert len(results) == 1, f"the candidates wrote different records: {results}"
    for name in CANDIDATES:
        rows = [each[name] for each in rounds]
        cpu, wall = (statistics.median(row[key] for row in rows) for key in ("cpu", "wall"))
        ratio = statistics.median(each[BASELINE]["cpu"] / each[name]["cpu"] for each in rounds)
        mb = max(row["mb"] for row in rows)
        print(
            f"| {chosen} | {name} | {cpu:.2f} | {rows[0]['scanned'] / cpu:,.0f} | {ratio:.2f} | {wall:.2f} | {mb:.0f} |"
        )


if __name__ == "__main__":
    main()
