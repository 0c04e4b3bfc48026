"""Staging a model's directory in S3: ours against boto3's upload_file in a loop and the AWS CLI, and what a kill costs.

    python -m benchmarks.staging [--gb 8] [--files 40] [--rounds 1]

S3 is the local cloud's, served over HTTP by a process of its own; it is slower than the real one, and the same for everybody.
Every candidate runs in a fresh process, in turn, into a prefix of its own. Ours also takes the digests of all files, which a
plan does before; the time is given with and without.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.measuring import cpu_s, peak_mb

BUCKET = "bench-models"


def make_folder(folder, total_bytes, count):
    """Files of random bytes, one block repeated, with a number in front of each so that no two blocks are equal."""
    block = random.Random(1).randbytes(4 << 20)
    size = total_bytes // count
    for number in range(count):
        with Path(folder, f"model-{number:05}-of-{count:05}.safetensors").open("wb") as file:
            written = 0
            while written < size:
                piece = (number.to_bytes(4, "big") + written.to_bytes(8, "big") + block)[: size - written]
                written += file.write(piece)


# --- candidates, each in a process of its own -----------------------------------------------------------------------


def ours(folder, prefix):
    from bedrock_distill.aws import Clients, FolderStage
    from bedrock_distill.aws.parts import digest_files
    from bedrock_distill.plan import FolderFile
    from bedrock_distill.uris import S3Uri

    paths = sorted(Path(folder).iterdir())
    started = time.perf_counter()
    files = [
        FolderFile(name=path.name, size_bytes=size, digest=digest)
        for path, (size, digest) in zip(paths, digest_files(paths), strict=True)
    ]
    digested = time.perf_counter() - started
    clients = Clients(region="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    parts = []
    clients.client("s3").meta.events.register("before-call.s3.UploadPart", lambda **_: parts.append(1))
    FolderStage(clients).put(Path(folder), files, S3Uri(BUCKET, prefix))
    return {"digest_s": digested, "parts": len(parts)}


def boto3_loop(folder, prefix):
    import boto3

    s3 = boto3.client("s3", region_name="us-east-1")
    for path in sorted(Path(folder).iterdir()):
        s3.upload_file(str(path), BUCKET, f"{prefix}{path.name}")
    return {}


def aws_cli(folder, prefix):
    program = shutil.which("aws") or str(Path(sys.executable).with_name("aws"))
    arguments = ["s3", "cp", "--recursive", "--quiet", folder, f"s3://{BUCKET}/{prefix}"]
    subprocess.run([program, *arguments], check=True)
    return {}


CANDIDATES = {"ours": ours, "boto3 upload_file": boto3_loop, "AWS CLI": aws_cli}


def child(name, folder, prefix):
    started, cpu = time.perf_counter(), cpu_s()
    more = CANDIDATES[name](folder, prefix)
    print(
        json.dumps({"s": time.perf_counter() - started, "cpu_s": cpu_s() - cpu, "peak_mb": peak_mb(), **more})
    )


# --- the run --------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=8)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        child(*options.one)
        return
    names = [name for name in CANDIDATES if name != "AWS CLI" or _has_cli()]
    with tempfile.TemporaryDirectory() as folder:
        make_folder(folder, int(options.gb * 1e9), options.files)
        found = {name: [] for name in names}
        for round_ in range(options.rounds):
            for name in names:
                with Served() as served:
                    found[name].append(run(served, name, folder, f"{round_}/"))
        report(found, options)
        with Served() as served:
            print("\n" + after_a_kill(served, folder, options))


def run(served, name, folder, prefix):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.staging", "--one", name, folder, prefix],
        env=served.environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def report(found, options):
    print(f"{options.gb:g} GB in {options.files} files, {options.rounds} rounds, medians\n")
    print(f"{'':20} {'s':>8} {'MB/s':>8} {'CPU s':>8} {'peak MB':>8}")
    for name, runs in found.items():
        took = statistics.median(each["s"] for each in runs)
        cpu = statistics.median(each["cpu_s"] for each in runs)
        peak = max(each["peak_mb"] for each in runs)
        print(f"{name:20} {took:8.1f} {options.gb * 1e3 / took:8.0f} {cpu:8.1f} {peak:8.0f}")
        if "digest_s" in runs[0]:
            digest = statistics.median(each["digest_s"] for each in runs)
            print(f"{'  without digests':20} {took - digest:8.1f} {options.gb * 1e3 / (took - digest):8.0f}")


def after_a_kill(served, folder, options):
    """Kill an upload half way, and count what the next one sends."""
    command = [sys.executable, "-m", "benchmarks.staging", "--one", "ours", folder, "killed/"]
    victim = subprocess.Popen(command, env=served.environment, stdout=subprocess.DEVNULL)
    total, pause = int(options.gb * 1e9), threading.Event()
    while served.sent("killed/") < total / 2 and victim.poll() is None:
        pause.wait(0.2)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    there = served.parts("killed/")
    again = run(served, "ours", folder, "killed/")
    whole = sum(-(-path.stat().st_size // (16 << 20)) for path in Path(folder).iterdir())
    return (
        f"Killed half way: {there} of {whole} parts were in S3, the next run sent {again['parts']} "
        f"(not sent again: {whole - again['parts']}), peak {again['peak_mb']:.0f} MB."
    )


class Served:
    """The local cloud, served by a process of its own."""

    def __enter__(self):
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("bedrock-distill"), "local", "serve", "--bucket", BUCKET, "--output", "json"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        document = json.loads(self._process.stdout.readline())
        self.environment = {**os.environ, **document["environment"]}
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def _s3(self):
        import boto3

        given = {name: value for name, value in self.environment.items() if name.startswith("AWS_")}
        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=given["AWS_ENDPOINT_URL"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        )

    def _listed(self, prefix):
        """Sizes of finished objects, and of the parts of unfinished ones."""
        s3 = self._s3()
        whole = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        yield from (item["Size"] for item in whole)
        for upload in s3.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix).get("Uploads", ()):
            try:
                parts = s3.list_parts(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
            except s3.exceptions.NoSuchUpload:
                continue  # finished since it was listed
            yield from (part["Size"] for part in parts.get("Parts", ()))

    def sent(self, prefix):
        """Bytes that are in S3."""
        return sum(self._listed(prefix))

    def parts(self, prefix):
        """Parts that are in S3, those of finished objects included."""
        return sum(-(-size // (16 << 20)) for size in self._listed(prefix))


def _has_cli():
    return bool(shutil.which("aws")) or Path(sys.executable).with_name("aws").exists()


if __name__ == "__main__":
    main()
