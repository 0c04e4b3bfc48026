"""The demo's way through the product: the public API and nothing else, timed phase by phase."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bedrock_distill.cli.demo import prompts, triage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bedrock_distill.evaluation import Report
    from bedrock_distill.records.schema import Record

__all__ = ["STUDENT", "TEACHER", "Outcome", "run", "stands_for"]

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
BUCKET = "bedrock-distill-demo"
STEPS = 1_400
"""Training steps: under a minute on two cores, and past the point where more change little."""
MAX_TOKENS = 40
"""An answer is a line of JSON of under 30 tokens."""

stands_for = (
    "Nothing here went to AWS. A function of some rules stands for the teacher, Nova Pro; a Llama of under half a million "
    "weights, trained on this machine just now, stands for the student, Nova Micro. The figures are true of these two, and "
    "say nothing about Nova."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the demo has to show."""

    report: Report
    report_path: Path
    plan: str
    streamed: str
    """An answer, put together from its stream."""
    seconds: dict[str, float]
    """Seconds by phase, in order."""


@dataclass(slots=True)
class _Phases:
    """Says what begins, and keeps how long it took."""

    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, text: str) -> Iterator[None]:
        self.say(text)
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def run(
    folder: Path,
    *,
    seed: int = prompts.SEED,
    count: int = prompts.PROMPTS,
    held_out: int = prompts.HELD_OUT,
    steps: int = STEPS,
    shuffle_teacher: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Compose, check, distil, deploy, ask and evaluate, all in a local cloud.

    Args:
        folder: Where prompts and report are written.
        seed: Of the prompts and of the training.
        count: Prompts to learn from; Bedrock takes 100 to 15,000.
        held_out: Prompts that the student never sees.
        steps: Training steps.
        shuffle_teacher: Control: give each prompt the answer to another. The student must then learn nothing.
        say: Told what is going on.
    """
    import bedrock_distill as bd
    from bedrock_distill.local import Cloud, TrainingSettings

    phases = _Phases(say)
    folder.mkdir(parents=True, exist_ok=True)
    with phases.phase(
        "compose", f"Composing {count:,} customer messages, and {held_out} others to test with"
    ):
        split = prompts.split(count, held_out, seed=seed)
        training, testing = _write(folder, split)
    teach = _shuffled(split.train, seed) if shuffle_teacher else triage.answer
    settings = TrainingSettings(overrides={"steps": steps})
    with Cloud(teachers={TEACHER: teach}, seed=seed, training=settings) as cloud:
        cloud.bucket(BUCKET)
        session = cloud.session(state_dir=folder / "journal")
        job = bd.Distillation(
            name="triage",
            teacher=TEACHER,
            student=STUDENT,
            data=bd.Prompts(training),
            output=f"s3://{BUCKET}/triage/",
            max_response_tokens=MAX_TOKENS,
        )
        with phases.phase("plan", "Planning"):
            plan = session.plan(job)
        say(f"\n{plan}\n")
        with phases.phase("distil", "Applying: the teacher answers, the student learns"):
            job_run = session.apply(plan)
            model = job_run.result(on_change=lambda state: say(f"  {state.status}: {state.phase}"))
        with phases.phase("deploy", "Deploying the student"):
            student = session.deploy(bd.OnDemandDeployment(model=model, name="triage"))
        teacher, base = session.model(TEACHER), session.model(STUDENT)
        with (
            phases.phase("ask", "Asking it"),
            student.stream(split.held_out[0], max_tokens=MAX_TOKENS, temperature=0) as stream,
        ):
            streamed = "".join(stream)
        with phases.phase(
            "evaluate", f"Asking base, student and teacher the {held_out} messages that none has seen"
        ):
            report = bd.evaluate(
                student,
                teacher=teacher,
                base=base,
                data=bd.Prompts(testing),
                max_tokens=MAX_TOKENS,
                concurrency=32,
                seed=seed,
            )
    saved = report.save(folder / "report")
    return Outcome(
        report=report,
        report_path=saved.html,
        plan=plan.fingerprint,
        streamed=streamed,
        seconds=phases.seconds,
    )


def _write(folder: Path, split: prompts.Split) -> tuple[Path, Path]:
    from bedrock_distill.records.writing import write_records

    training, testing = folder / "prompts.jsonl", folder / "heldout.jsonl"
    write_records(training, split.train)
    write_records(testing, split.held_out)
    return training, testing


def _shuffled(records: tuple[Record, ...], seed: int) -> Callable[[Record], str]:
    """A teacher that gives each training prompt the answer to another, and answers all others by its rules."""
    texts = [record.prompt_text for record in records]
    answers = [triage.answer(record) for record in records]
    random.Random(seed).shuffle(answers)  # noqa: S311 - a control, not a secret
    table = dict(zip(texts, answers, strict=True))
    return lambda record: table.get(record.prompt_text) or triage.answer(record)
