"""Many small log objects from S3: our reader against a loop over boto3's get_object, on TLS as S3 has it.

    python -m benchmarks.objects [--objects 5000] [--rounds 3]

The server is part of this benchmark and has processes of its own: it lists keys, serves the same bytes again and again, and
checks nothing, so that clients are measured and not it. Every candidate runs in a fresh process, in turn; its CPU seconds are
those of the whole process, imports included, and the server's are in none of them. All must read the same bytes, or write the
same number of records. Loopback has no latency: wall time on S3 is another matter, CPU time is not.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import logs
from benchmarks.measuring import cpu_s, peak_mb
from benchmarks.objects_server import serving

BUCKET = "logs"
PREFIX = "AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/"
_BODIES = 1000
"""So many different objects are made; the others are copies under other keys."""


# --- data -------------------------------------------------------------------------------------------------------------


def make_objects(count, seed=5):
    """Key -> bytes: log objects of 1 to 20 records, most of them between 1 and 50 KB."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 9))) for _ in range(4000)] + ["検索"]

    weights = [1 / (rank + 3) for rank in range(len(words))]  # as in prose: gzip then packs as it packs logs

    def text(longest):
        return " ".join(rng.choices(words, weights, k=int(longest * rng.random() ** 2) + 4))

    def body():
        lines = [
            logs.log_line(rng, rng.choice(logs.SHAPES), None, text(600), text(900))
            for _ in range(rng.randint(1, 20))
        ]
        return gzip.compress(("\n".join(lines) + "\n").encode(), 6, mtime=0)

    bodies = [body() for _ in range(min(count, _BODIES))]
    return {
        f"{PREFIX}2026/10/{1 + number // 240 % 28:02}/{number // 10 % 24:02}/{number:09}.json.gz": bodies[
            number % len(bodies)
        ]
        for number in range(count)
    }


# --- candidates: each returns what all must agree on --------------------------------------------------------------------


def boto3_client(endpoint, connections=10):
    import boto3
    from botocore.config import Config

    return boto3.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=connections))


def listed(client):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    return [item["Key"] for page in pages for item in page["Contents"]]


def digest_of(bodies):
    digest, size = hashlib.sha256(), 0
    for body in bodies:
        digest.update(body)
        size += len(body)
    return size, digest.hexdigest()


def boto3_loop(endpoint):
    client = boto3_client(endpoint)
    return digest_of(client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in listed(client))


def boto3_threads(endpoint):
    from concurrent.futures import ThreadPoolExecutor

    client = boto3_client(endpoint, 16)
    with ThreadPoolExecutor(16) as pool:
        return digest_of(
            pool.map(lambda key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), listed(client))
        )


def reader(endpoint, *, borrowed=False):
    """What every command that reads logs reads them with."""
    import boto3

    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest.sources import open_source

    clients = Clients(endpoint_url=endpoint, boto_session=boto3.Session() if borrowed else None)
    source = open_source(f"s3://{BUCKET}/{PREFIX}", clients)
    return digest_of(chunk for _, chunks in source.read(source.list()) for chunk in chunks)


def boto3_pipeline(endpoint):
    """boto3 into a folder, and there the ordinary pipeline of benchmarks/logs.py, for one model's records."""
    client = boto3_client(endpoint)
    with tempfile.TemporaryDirectory() as folder:
        for key in listed(client):
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        return logs.ordinary(folder, f"{folder}/out.jsonl", logs.SONNET, {})


def from_logs(endpoint):
    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest import from_logs as harvest
    from bedrock_distill.records.logs import LogQuery

    with tempfile.TemporaryDirectory() as folder:
        report = harvest(
            f"s3://{BUCKET}/{PREFIX}",
            f"{folder}/out.jsonl",
            query=LogQuery(models=(logs.SONNET,), responses=True),
            clients=Clients(endpoint_url=endpoint),
        )
        return report.tally.scanned, report.written


READING = {
    "boto3 get_object, a loop": boto3_loop,
    "boto3 get_object, 16 threads": boto3_threads,
    "our reader, a borrowed boto3 session": lambda endpoint: reader(endpoint, borrowed=True),
    "our reader": reader,
}
WHOLE = {
    "boto3 loop; gzip, json, pydantic": boto3_pipeline,
    "data from-logs": from_logs,
}
CANDIDATES = READING | WHOLE


# --- harness ----------------------------------------------------------------------------------------------------------


def run_here(name, endpoint):
    began = time.perf_counter()
    result = CANDIDATES[name](endpoint)
    print(
        json.dumps(
            {"wall": time.perf_counter() - began, "cpu": cpu_s(), "mb": peak_mb(), "result": list(result)}
        )
    )


def run_apart(name, endpoint, bundle):
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-m", "benchmarks.objects", "--one", name, endpoint]
    environment = os.environ | keys | {"AWS_CA_BUNDLE": str(bundle)}
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("NAME", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_here(*options.one)
        return
    objects = make_objects(options.objects)
    sizes = sorted(map(len, objects.values()))
    print(
        f"{len(objects):,} objects of {sizes[0] / 1e3:.0f} to {sizes[-1] / 1e3:.0f} KB, median "
        f"{statistics.median(sizes) / 1e3:.0f} KB, {sum(sizes) / 1e6:.0f} MB; {options.rounds} rounds"
    )
    with tempfile.TemporaryDirectory() as folder, serving(objects, folder) as (endpoint, bundle):
        for candidates in (READING, WHOLE):
            rounds = []
            for number in range(options.rounds):
                order = list(candidates)[:: 1 if number % 2 == 0 else -1]
                rounds.append({name: run_apart(name, endpoint, bundle) for name in order})
            report(rounds, list(candidates), len(objects))


def report(rounds, names, count):
    results = {tuple(row["result"]) for each in rounds for row in each.values()}
    assert len(results) == 1, f"the candidates read different things: {results}"
    print(
        "\n| candidate | CPU s | CPU ms/object | x CPU, median (min to max) | wall s | peak MB |\n"
        "| --- | --: | --: | --: | --: | --: |"
    )
    for name in names:
        cpu, wall = (statistics.median(each[name][key] for each in rounds) for key in ("cpu", "wall"))
        ratios = [each[names[0]]["cpu"] / each[name]["cpu"] for each in rounds]
        mb = max(each[name]["mb"] for each in rounds)
        print(
            f"| {name} | {cpu:.2f} | {1000 * cpu / count:.2f} | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {wall:.2f} | {mb:.0f} |"
        )


if __name__ == "__main__":
    main()
