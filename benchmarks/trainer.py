"""The student trainer: tokens per second beside TRL's trainers, its share of the machine, and a busy neighbour.

    python -m benchmarks.trainer --trl-python PATH [--steps 60] [--rounds 3] [--output result.json]

Without `--trl-python` the comparison is left out. It names an interpreter that has `trl` and this benchmark's versions
of torch and transformers (extra `bench`).

Fair play: both start from the same student directory, read the same records, take batches of 32 for as many steps at the
same learning rate, with fused AdamW, on as many threads, with OpenMP's waiting threads asleep; a first short round finds
TRL's fastest setting among random and length-grouped batches and, where the processor multiplies it, bfloat16. Runs take
turns. Time is from the first step to the last: for ours the teacher's one pass over the data is in it, for both the
loading of models and data is not. Tokens are those of the records, without padding; the common system prompt counts for
every record although our trainer computes it once a batch, because that is the point. `--no-system` leaves it away.
The teacher is untrained, since only time is measured: compare losses of the text and of the whole vocabulary, not of the
eight words. The student has 0.9 million weights, the teacher 5.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bedrock_distill.train import SIZES, StudentSize, TrainConfig, launch
from bedrock_distill.train.launch import ENVIRONMENT
from benchmarks.support_prompts import write_support

BATCH = 32
LEARNING_RATE = 2e-3
HERE = Path(__file__).parent

MATMUL = """
import sys, time, torch
torch.set_num_threads(int(sys.argv[1]))
dtype = getattr(torch, sys.argv[2])
best = 0.0
for rows, inner, columns in ((1024, 1024, 1024), (2048, 512, 1024), (4096, 256, 768), (2048, 2048, 2048)):
    a, b = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
    a @ b
    begun, times = time.perf_counter(), []
    while time.perf_counter() - begun < 1.0:
        before = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - before)
    best = max(best, 2e-9 * rows * inner * columns / sorted(times)[len(times) // 2])
print(best)
"""
WORKS = (
    ("text", None, None),
    ("logits, 8 words and tail", "base", 8),
    ("logits, whole vocabulary", "base", None),
)
"""Title, size of the teacher, and the words it is asked for: None is TRL's loss exactly, at every step."""
BUSY = "x = 0\nwhile True: x = (x * 3 + 1) % 1000003"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the student trainer.")
    parser.add_argument("--trl-python", help="an interpreter with trl installed")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=640, help="60 steps are three passes over them")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-system", action="store_true", help="prompts without a common system prompt")
    parser.add_argument("--output", type=Path, help="where the numbers go as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), options)
        print(bench.header())
        numbers = {"engines": bench.engines(), "neighbour": bench.neighbour()}
        if options.output:
            options.output.write_text(json.dumps(numbers, indent=2))


class Bench:
    def __init__(self, work: Path, options: argparse.Namespace) -> None:
        from bedrock_distill.train.data import texts_of
        from bedrock_distill.train.export import export_model
        from bedrock_distill.train.setup import multiplies_bfloat16
        from bedrock_distill.train.students import random_student
        from bedrock_distill.train.tokens import learn_tokenizer

        self.work, self.options = work, options
        self.bfloat16 = multiplies_bfloat16()
        system = {"system": None} if options.no_system else {}
        self.data = write_support(work / "train.jsonl", options.records, seed=0, **system)
        tokenizer = learn_tokenizer(texts_of(self.data), 1024)
        self.vocabulary = len(tokenizer)
        self.directories = {
            name: export_model(random_student(SIZES[name], tokenizer, seed=1), tokenizer, work / name)
            for name in ("small", "base")
        }
        self.runs = 0

    def header(self) -> str:
        options = self.options
        return (
            f"{options.threads} threads, load before the start {os.getloadavg()[0]:.1f}, "
            f"bfloat16 {'in hardware' if self.bfloat16 else 'not in hardware: float32'}; {options.records} records, "
            f"vocabulary {self.vocabulary}, {options.steps} steps of {BATCH}, {options.rounds} rounds in turns"
        )

    # --- one run of each engine ---------------------------------------------------------------------------------------

    def ours(self, teacher: str | None, top_k: int | None, steps: int) -> dict:
        self.runs += 1
        kd = (
            {"loss": "forward_kl", "teacher_dir": self.directories[teacher], "top_k": top_k}
            if teacher
            else {}
        )
        config = TrainConfig(
            data=self.data,
            output_dir=self.work / f"run-{self.runs}",
            init_dir=self.directories["small"],
            steps=steps,
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            threads=self.options.threads,
            **kd,
        )
        events = []
        launch(config, on_event=events.append)
        taken = [event for event in events if event.kind == "step"]
        heard = [event for event in events if event.kind == "teacher"][-1:]
        return {
            "steps": [event.seconds for event in taken],
            "teacher_s": sum(event.seconds for event in heard),
            "processor_s": sum(event.processor_s for event in taken + heard),
            "tokens": taken[-1].tokens,
            "loss": statistics.fmean(event.loss for event in taken),
        }

    def trl(self, teacher: str | None, steps: int, *, bf16: bool, sampling: str) -> dict:
        self.runs += 1
        settings = {
            "student": str(self.directories["small"]),
            "teacher": str(self.directories[teacher]) if teacher else None,
            "data": str(self.data),
            "work": str(self.work / f"run-{self.runs}"),
            "steps": steps,
            "batch_size": BATCH,
            "learning_rate": LEARNING_RATE,
            "threads": self.options.threads,
            "bf16": bf16,
            "sampling": sampling,
        }
        path = self.work / "trl.json"
        path.write_text(json.dumps(settings))
        done = subprocess.run(
            [self.options.trl_python, str(HERE / "trainer_trl.py"), str(path)],
            capture_output=True,
            text=True,
            env={**os.environ, **ENVIRONMENT, "HF_HUB_OFFLINE": "1"},
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"TRL failed:\n{done.stderr[-3000:]}")
        result = json.loads(done.stdout.strip().splitlines()[-1])
        return {**result, "tokens": sum(result["tokens"]), "teacher_s": 0.0}

    # --- questions ----------------------------------------------------------------------------------------------------

    def engines(self) -> dict:
        """Tokens a second, in turns, and the share of the machine's matrix products."""
        limit = self.limit()
        answers = {}
        print(f"\n{'work':<28}{'engine':<34}{'tokens/s':>10}{'ms/step':>9}{'mean loss':>11}")
        for title, teacher, top_k in WORKS:
            best = self.best_of_trl(teacher) if self.options.trl_python else None
            runs: dict[str, list[dict]] = {"ours": [], "trl": []}
            for _ in range(self.options.rounds):
                runs["ours"].append(self.ours(teacher, top_k, self.options.steps))
                if best is not None:
                    runs["trl"].append(self.trl(teacher, self.options.steps, **best))
            speed = {name: [rate(run) for run in done] for name, done in runs.items()}
            label = "TRL " + ("GKD" if teacher else "SFT") + (f" ({describe(best)})" if best else "")
            for name, shown in (("ours", "bedrock-distill"), ("trl", label)):
                for run in runs[name][-1:]:
                    step_ms = 1000 * statistics.median(run["steps"])
                    loss = f"{run['loss']:11.4f}" if run["loss"] is not None else ""
                    print(
                        f"{title:<28}{shown:<34}{statistics.median(speed[name]):>10,.0f}{step_ms:>9.1f}{loss}"
                    )
            if best is not None:
                ratios = [one / other for one, other in zip(speed["ours"], speed["trl"], strict=True)]
                saved = [
                    other["processor_s"] / other["tokens"] / one["processor_s"] * one["tokens"]
                    for one, other in zip(runs["ours"], runs["trl"], strict=True)
                ]
                print(
                    f"{'':<28}{statistics.median(ratios):.2f} times the tokens a second "
                    f"(rounds {min(ratios):.2f} to {max(ratios):.2f}); "
                    f"{statistics.median(saved):.2f} times per processor second"
                )
            used = self.products(runs["ours"][-1], teacher, top_k)
            print(
                f"{'':<28}matrix products {used:,.0f} GFLOP/s of {limit:,.0f} measured: {100 * used / limit:.0f} %"
            )
            answers[title] = {
                "runs": runs,
                "tokens_per_s": speed,
                "gflops": used,
                "limit_gflops": limit,
                "trl": best,
            }
        return answers

    @functools.cache  # noqa: B019 - there is one bench in the process
    def best_of_trl(self, teacher: str | None) -> dict:
        candidates = [
            {"bf16": bf16, "sampling": sampling}
            for bf16 in ((False, True) if self.bfloat16 else (False,))
            for sampling in ("random", "group_by_length")
        ]
        return max(candidates, key=lambda candidate: rate(self.trl(teacher, 12, **candidate)))

    def limit(self) -> float:
        """The best of some matrix products in the type that the trainer uses, GFLOP/s."""
        kind = "bfloat16" if self.bfloat16 else "float32"
        printed = subprocess.run(
            [sys.executable, "-c", MATMUL, str(self.options.threads), kind],
            capture_output=True,
            text=True,
            env={**os.environ, **ENVIRONMENT},
            check=True,
        ).stdout
        return float(printed)

    def products(self, run: dict, teacher: str | None, top_k: int | None) -> float:
        """GFLOP/s of the matrix products of weights that our trainer really did; attention's own are not counted."""
        from bedrock_distill.train.data import encode_files
        from bedrock_distill.train.tokens import load_tokenizer

        encoded = encode_files((self.data,), load_tokenizer(self.directories["small"]), max_tokens=1024)
        steps = len(run["steps"])
        own = steps * BATCH * (float(encoded.lengths.mean()) - encoded.prefix)
        responses = steps * BATCH * float(encoded.response_lengths.mean())
        total = 6 * products(SIZES["small"], self.vocabulary, steps * encoded.prefix, own, responses)
        if teacher:
            share = len(encoded) / (steps * BATCH) if top_k else 1.0
            total += 2 * share * products(SIZES[teacher], self.vocabulary, 0, own, responses)
        return 1e-9 * total / (sum(run["steps"]) + run["teacher_s"])

    def neighbour(self) -> dict:
        """Time per step alone and with one process beside it that never rests."""
        steps = max(10, self.options.steps // 2)
        alone = statistics.median(self.ours(None, None, steps)["steps"])
        busy = subprocess.Popen([sys.executable, "-c", BUSY])
        try:
            beside = statistics.median(self.ours(None, None, steps)["steps"])
        finally:
            busy.kill()
            busy.wait()
        print(
            f"\ntext, 0.9M student: {1000 * alone:.1f} ms a step alone, {1000 * beside:.1f} ms beside one busy process: "
            f"{beside / alone:.2f} times (at most 2.50 wanted)"
        )
        return {"alone_s": alone, "beside_s": beside, "times": beside / alone}


def rate(run: dict) -> float:
    return run["tokens"] / (sum(run["steps"]) + run["teacher_s"])


def products(size: StudentSize, vocabulary: int, prefix: float, own: float, responses: float) -> float:
    """Products of weights and activations in one forward pass: the last feed-forward and the vocabulary only where needed."""
    feed_forward = 3 * size.hidden * size.intermediate
    body = size.parameters(0) - size.hidden * (2 * size.layers + 1)
    return body * (prefix + own) - feed_forward * (own - responses) + size.hidden * vocabulary * responses


def describe(settings: dict) -> str:
    return f"{'bfloat16' if settings['bf16'] else 'float32'}, {settings['sampling']}"


if __name__ == "__main__":
    main()
