"""What the traffic holds for a round that is not opened yet: read, asked about, and chosen from. Nothing is written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from bedrock_distill.evaluation import AnswerCache
from bedrock_distill.evaluation.asking import Asking
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.rules import Rules, rules_for
from bedrock_distill.refinement.choosing import Choice, Vocabulary
from bedrock_distill.refinement.opening import ask_teacher, choose_from
from bedrock_distill.refinement.serving import settled
from bedrock_distill.refinement.traffic import LATE, Marked, Traffic, fingerprint, read_traffic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from bedrock_distill.records.schema import Record
    from bedrock_distill.refinement.lineage import Opened
    from bedrock_distill.refinement.steps import Run

__all__ = ["Found", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the traffic holds for a round that is not opened yet."""

    number: int
    since: datetime | None
    until: datetime
    deployment: str
    serving: str
    traffic: Traffic
    looked_at: tuple[str, ...]
    """Fingerprints of all prompts that were read."""
    choice: Choice
    training: Path
    """What the serving student has learned."""
    evaluation: Path
    """What was compared on so far."""

    @property
    def learned(self) -> int:
        """How many prompts would be new in training."""
        return len(self.choice.new)


def find(run: Run) -> Found:
    """Read the traffic, ask the teacher what is worth knowing, and choose."""
    spec, lineage, clock = run.spec, run.store.lineage, run.session.clients.clock
    handle = run.handle
    serving, number = settled(handle), lineage.rounds + 1
    folder = run.folder(number)
    folder.mkdir(parents=True, exist_ok=True)
    made, last = lineage.opened_for(serving), lineage.last_opened
    training = run.store.get(made.training, folder / "learned.jsonl") if made else spec.first_data
    evaluation = run.store.get(last.evaluation, folder / "compared.jsonl") if last else spec.evaluation
    until = clock.now()
    since, traffic, looked_at = _read(run, made, until, folder, student_as=spec.student_as or handle.arn)
    run.tell(
        f"Read {traffic.student_calls:,} calls of the student and {traffic.teacher_calls:,} of the teacher."
    )
    unusable = traffic.keep(_rules(run))
    learned = list(read_records(training))
    if unanswered := _ask_teacher(run, traffic, Vocabulary(learned), folder):
        run.tell(
            f"The teacher left {unanswered:,} prompts unanswered: whether it agrees on them is not known."
        )
    # What was compared on once and thinned out since is not learned either.
    compared = [*load_task(str(evaluation)).prompts, *load_task(str(spec.evaluation)).prompts]
    choice = choose_from(list(traffic.asked.values()), spec, learned, compared)
    if unusable:
        choice = replace(choice, left_out={"against Bedrock's rules": unusable, **choice.left_out})
    return Found(
        number=number,
        since=since,
        until=until,
        deployment=handle.arn,
        serving=serving,
        traffic=traffic,
        looked_at=looked_at,
        choice=choice,
        training=training,
        evaluation=evaluation,
    )


def _read(
    run: Run, made: Opened | None, until: datetime, folder: Path, *, student_as: str
) -> tuple[datetime | None, Traffic, tuple[str, ...]]:
    """Where the window begins, what came in, and fingerprints of all that was read.

    That is what came in since the serving student's data was chosen: a round that promoted nothing has used nothing up.
    """
    read = partial(read_traffic, run.spec, run.session.clients, folder, student_as=student_as)
    if made is None:
        traffic = read(since=None, until=until)
        return None, traffic, _fingerprints(traffic.asked)
    # Logs tell whole seconds: the one that the last window ended in belongs to what may be known.
    since = made.until.replace(microsecond=0) + timedelta(seconds=1)
    traffic, late = read(since=since, until=until), read(since=since - LATE, until=since)
    looked_at = _fingerprints([*traffic.asked, *late.asked])
    known = frozenset(run.store.get(made.looked_at, folder / "looked-at.txt").read_text().split())
    traffic.add_late(late, known)
    return since - LATE, traffic, looked_at


def _fingerprints(prompts: Iterable[Record]) -> tuple[str, ...]:
    return tuple(sorted(set(map(fingerprint, prompts))))


def _rules(run: Run) -> Rules:
    """What a prompt must keep to be learned by the student; what it cannot learn it is not compared on either."""
    distillation = run.spec.distillation
    return rules_for(run.session.catalog, distillation.teacher, distillation.student)


def _ask_teacher(run: Run, traffic: Traffic, vocabulary: Vocabulary, folder: Path) -> int:
    if not run.spec.ask_teacher:
        return 0
    with AnswerCache(folder / "answers") as cache:
        asking = Asking(
            concurrency=run.concurrency,
            retries=2,
            stream=False,
            cache=cache,
            requests_per_minute=None,
            tokens_per_minute=None,
            prices=run.prices,
            clock=run.session.clients.clock,
            tell=lambda _side, _done, _total: None,
        )
        teacher = Marked(run.session.model(run.spec.distillation.teacher))
        return ask_teacher(traffic, run.spec, teacher, vocabulary, asking)
