"""What a teacher's logits buy over its text, measured with seeds and intervals.

    python -m benchmarks.logits_or_text [--seeds 4] [--prompts 300] [--steps 400] [--output table.md]

The teacher is a FIXTURE: a language model of 0.9 million weights, trained by this script a minute before on synthetic
support messages. It knows nothing that the student could not learn from the same messages, so the absolute numbers mean
nothing for real teachers; what is compared is the losses. One message in four is ambiguous on purpose and was labelled at
random, so that the teacher has doubts for its logits to tell of.

All students start from the same weights per seed, see the same answers of the teacher in the same order, for as many
steps. Agreement is the share of unseen prompts on which the student's greedy answer is the teacher's, word for word; KL
is from the teacher's distribution to the student's, in nats per response token, on the teacher's answers to those
prompts. Intervals: 95 %, from resampling seeds and prompts together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers.utils import logging

from bedrock_distill.records.writing import write_records
from bedrock_distill.train import SIZES, TrainConfig
from bedrock_distill.train.data import collate, encode_files
from bedrock_distill.train.export import export_model
from bedrock_distill.train.forward import ResponseLogits
from bedrock_distill.train.generation import Generator
from bedrock_distill.train.loop import train
from bedrock_distill.train.losses import log_probs
from bedrock_distill.train.students import load_model, random_student
from bedrock_distill.train.tokens import load_tokenizer
from benchmarks.support_prompts import ambiguous_records

if TYPE_CHECKING:
    from bedrock_distill.records.schema import Record

TEACHER, STUDENT = "small", "tiny"
DRAWS = 4000


def methods(steps: int) -> dict[str, dict]:
    warm = steps // 3
    return {
        "text (cross-entropy)": {"loss": "text"},
        "forward KL, whole vocabulary": {"loss": "forward_kl", "top_k": None},
        "forward KL, top 8 and tail": {"loss": "forward_kl", "top_k": 8},
        "forward KL, top 8 and tail, T=2": {"loss": "forward_kl", "top_k": 8, "temperature": 2.0},
        "Jensen-Shannon after a third of forward KL": {"loss": "jensen_shannon", "warm_start_steps": warm},
        "reverse KL after a third of forward KL": {"loss": "reverse_kl", "warm_start_steps": warm},
    }


@dataclass(frozen=True, slots=True)
class Fixture:
    """The teacher, what it said on the prompts to learn from, and on those held back."""

    directory: Path
    lessons: Path
    unseen: list[Record]


def run(config: TrainConfig) -> Path:
    train(config, lambda _event: None, lambda: False)
    return config.output_dir / "model"


def make_teacher(work: Path, prompts: int, unseen: int, steps: int) -> Fixture:
    labelled = work / "labelled.jsonl"
    write_records(labelled, ambiguous_records(2000, seed=1))
    directory = run(TrainConfig(data=labelled, output_dir=work / "teacher", size=TEACHER, steps=steps))
    asked = [record.prompt for record in ambiguous_records(prompts + unseen, seed=2)]
    with Generator(directory) as teacher:
        answers = teacher.generate(asked, max_tokens=80)
    answered = [record.with_completion(answer.text) for record, answer in zip(asked, answers, strict=True)]
    lessons = work / "lessons.jsonl"
    write_records(lessons, answered[:prompts])
    return Fixture(directory, lessons, answered[prompts:])


def divergences(teacher: Path, student: Path, path: Path) -> np.ndarray:
    """KL from teacher to student for every record, nats per response token."""
    tokenizer = load_tokenizer(teacher)
    encoded = encode_files((path,), tokenizer, max_tokens=1024)
    models = [
        ResponseLogits(load_model(directory).eval(), bfloat16=False) for directory in (teacher, student)
    ]
    values = np.zeros(len(encoded))
    for begin in range(0, len(encoded), 50):
        numbers = np.arange(begin, min(begin + 50, len(encoded)))
        batch = collate(encoded, numbers, tokenizer.pad_token_id)
        with torch.no_grad():
            heard, said = (log_probs(model(batch), 1.0) for model in models)
        each = (heard.exp() * (heard - said)).sum(dim=-1).numpy()
        counts = encoded.response_lengths[numbers]
        values[numbers] = np.add.reduceat(each, np.concatenate(([0], np.cumsum(counts)[:-1]))) / counts
    return values


def measure(fixture: Fixture, student: Path, unseen_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Agreement and KL for every unseen prompt."""
    with Generator(student) as generator:
        said = generator.generate(fixture.unseen, max_tokens=80)
    agrees = np.array(
        [answer.text == record.completion for answer, record in zip(said, fixture.unseen, strict=True)]
    )
    return agrees.astype(float), divergences(fixture.directory, student, unseen_path)


def interval(values: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    """95 % of the means of [seeds, prompts] when both are drawn again."""
    seeds, prompts = values.shape
    means = [
        values[np.ix_(random.integers(0, seeds, seeds), random.integers(0, prompts, prompts))].mean()
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def table(results: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    random = np.random.default_rng(0)
    first = next(iter(results))
    lines = [
        "| loss | agreement | difference to text | KL to the teacher | difference to text |",
        "|---|---|---|---|---|",
    ]
    for name, values in results.items():
        cells = []
        for kind, digits in ((0, 3), (1, 4)):
            own, base = values[kind], results[first][kind]
            low, high = interval(own, random)
            cells.append(f"{own.mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
            low, high = interval(own - base, random)
            gap = (own - base).mean()
            cells.append(
                "" if name == first else f"{gap:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare losses on a teacher's logits with its text.")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--unseen", type=int, default=200)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--teacher-steps", type=int, default=300)
    parser.add_argument("--output", type=Path, help="where the table goes")
    options = parser.parse_args()
    logging.set_verbosity_error()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        fixture = make_teacher(work, options.prompts, options.unseen, options.teacher_steps)
        unseen_path = work / "unseen.jsonl"
        write_records(unseen_path, fixture.unseen)
        tokenizer = load_tokenizer(fixture.directory)
        collected: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for seed in range(options.seeds):
            start = export_model(
                random_student(SIZES[STUDENT], tokenizer, seed=seed), tokenizer, work / f"start-{seed}"
            )
            for number, (name, settings) in enumerate(methods(options.steps).items()):
                student = run(
                    TrainConfig(
                        data=fixture.lessons,
                        output_dir=work / f"student-{seed}-{number}",
                        init_dir=start,
                        teacher_dir=None if settings["loss"] == "text" else fixture.directory,
                        steps=options.steps,
                        seed=seed,
                        learning_rate=SIZES[STUDENT].learning_rate,
                        **settings,
                    )
                )
                collected.setdefault(name, []).append(measure(fixture, student, unseen_path))
                agrees, kl = collected[name][-1]
                print(f"seed {seed}, {name}: agreement {agrees.mean():.3f}, KL {kl.mean():.4f}", flush=True)
    results = {
        name: (np.stack([agrees for agrees, _ in runs]), np.stack([kl for _, kl in runs]))
        for name, runs in collected.items()
    }
    text = table(results)
    print(
        f"\n{options.seeds} seeds, {options.prompts} prompts to learn from, {options.unseen} unseen, "
        f"{options.steps} steps of 16; {time.perf_counter() - begun:.0f} s\n\n{text}"
    )
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
