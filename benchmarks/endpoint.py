"""Throughput of the local cloud's endpoint at 1, 8 and 32 callers, against `transformers generate` one prompt after another.

    python -m benchmarks.endpoint [--size large] [--requests 32] [--tokens 32] [--rounds 3]

The model is a Llama of random weights: what it says means nothing, what it costs is real. Greedy, the same prompts for all;
the answers must be the same, or the run fails. Rounds are interleaved, so that only ratios matter; the middle round is shown.
Engines alone, without SageMaker's requests around them: `continuous` is transformers' continuous batching, `worker` the
trainer's generator.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bedrock_distill.local import Cloud
from bedrock_distill.local.engine.worker import WorkerBatch
from bedrock_distill.train.answers import Sampling
from bedrock_distill.train.base import make_base
from bedrock_distill.train.batching import ContinuousBatching
from bedrock_distill.train.config import SIZES

CALLERS = (1, 8, 32)
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.36.0-lmi27.0.0-cu130"
TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
READ = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", default="large", choices=list(SIZES))
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    prompts = [
        f"Question {number}: what is it? {'Say why. ' * (number % 7)}" for number in range(asked.requests)
    ]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "model"
        make_base(SIZES[asked.size], directory, seed=1)
        rates = _measure(directory, prompts, asked.tokens, asked.rounds)
    print(
        f"A Llama of size {asked.size}, {asked.requests} prompts, {asked.tokens} tokens each; tokens a second:\n"
    )
    print("| | " + " | ".join(f"{count} callers" for count in CALLERS) + " |")
    print("| --- |" + " ---: |" * len(CALLERS))
    for name in dict.fromkeys(name for name, _ in rates):
        cells = [statistics.median(rates.get((name, count), rates[name, 1])) for count in CALLERS]
        print(f"| {name} | " + " | ".join(f"{cell:.0f}" for cell in cells) + " |")
    return 0


def _measure(
    directory: Path, prompts: list[str], tokens: int, rounds: int
) -> dict[tuple[str, int], list[float]]:
    generate = _generate(directory, tokens)
    sampling = Sampling(max_tokens=tokens)
    engines: dict[str, ContinuousBatching | WorkerBatch] = {
        "continuous": ContinuousBatching(directory),
        "worker": WorkerBatch(directory),
    }
    tokenizer = generate.tokenizer
    ids = {prompt: tokenizer(prompt)["input_ids"] for prompt in prompts}
    tally = _Tally(prompts)
    with Cloud() as cloud:
        ask = _endpoint(cloud, directory, tokens)
        for _ in range(rounds):
            tally.run("transformers generate", generate, 1)
            for callers in CALLERS:
                for name, engine in engines.items():
                    tally.run(
                        name,
                        lambda prompt, engine=engine: _last(engine.answer(ids[prompt], sampling)),
                        callers,
                    )
                tally.run("endpoint", ask, callers)
    for engine in engines.values():
        engine.close()
    return tally.rates


class _Tally:
    """Tokens a second by name and callers, and the answers, which must be the same for all."""

    def __init__(self, prompts: list[str]) -> None:
        self.rates: dict[tuple[str, int], list[float]] = {}
        self._prompts = prompts
        self._said: dict[str, str] = {}

    def run(self, name: str, answer: Any, callers: int) -> None:
        """Ask every prompt once, so many at a time."""
        started = time.perf_counter()
        with ThreadPoolExecutor(callers) as pool:
            answers = list(pool.map(answer, self._prompts))
        seconds = time.perf_counter() - started
        for prompt, (text, _) in zip(self._prompts, answers, strict=True):
            if self._said.setdefault(prompt, text) != text:
                sys.exit(f"{name} answers {prompt!r} with {text!r} instead of {self._said[prompt]!r}")
        self.rates.setdefault((name, callers), []).append(sum(count for _, count in answers) / seconds)


def _last(events: Any) -> tuple[str, int]:
    *_, answer = events
    return answer.text, answer.output_tokens


def _generate(directory: Path, tokens: int) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()

    def answer(prompt: str) -> tuple[str, int]:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            out = model.generate(
                ids, max_new_tokens=tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id
            )
        new = out[0, ids.shape[1] :]
        return tokenizer.decode(new, skip_special_tokens=True), len(new)

    answer.tokenizer = tokenizer  # type: ignore[attr-defined]
    return answer


def _endpoint(cloud: Cloud, directory: Path, tokens: int) -> Any:
    session = cloud.boto3_session()
    iam, s3, sagemaker = session.client("iam"), session.client("s3"), session.client("sagemaker")
    runtime = session.client("sagemaker-runtime")
    cloud.bucket("models")
    for path in directory.iterdir():
        s3.upload_file(str(path), "models", f"m/{path.name}")
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [each]}) for each in (TRUST, READ)]
    role = iam.create_role(RoleName="host", AssumeRolePolicyDocument=documents[0])["Role"]["Arn"]
    iam.put_role_policy(RoleName="host", PolicyName="read", PolicyDocument=documents[1])
    source = {"S3Uri": "s3://models/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    sagemaker.create_model(
        ModelName="m",
        ExecutionRoleArn=role,
        PrimaryContainer={
            "Image": IMAGE,
            "Environment": {"OPTION_MAX_MODEL_LEN": "2048"},
            "ModelDataSource": {"S3DataSource": source},
        },
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "m",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.g6.xlarge",
        "InferenceAmiVersion": "al2023-ami-sagemaker-inference-gpu-4-1",
    }
    sagemaker.create_endpoint_config(EndpointConfigName="m", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="m", EndpointConfigName="m")
    cloud.clock.settle()

    def answer(prompt: str) -> tuple[str, int]:
        body = json.dumps({"prompt": prompt, "max_tokens": tokens, "temperature": 0})
        found = json.loads(runtime.invoke_endpoint(EndpointName="m", Body=body)["Body"].read())
        return found["choices"][0]["text"], found["usage"]["completion_tokens"]

    return answer


if __name__ == "__main__":
    sys.exit(main())
