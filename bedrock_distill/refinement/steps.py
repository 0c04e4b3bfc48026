"""The steps of a round, each a function of what came before it. Whoever does one twice makes one thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bedrock_distill.errors import JobFailedError, PlanError, SpecError
from bedrock_distill.evaluation import AnswerCache, evaluate
from bedrock_distill.evaluation.asking import Asking
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.reading import read_records
from bedrock_distill.refinement.choosing import Choice, Vocabulary
from bedrock_distill.refinement.lineage import Distilled, Ended, Judged, Kept, Opened, Promoted
from bedrock_distill.refinement.opening import ROUND_KEY, ask_teacher, choose_from, write_round
from bedrock_distill.refinement.traffic import Traffic, read_traffic
from bedrock_distill.resources import Deployment, Distillation, OnDemandDeployment, Prompts, Provisioned
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from bedrock_distill.evaluation import Prices, Report, Verdict
    from bedrock_distill.evaluation.metrics import ScorerChoice
    from bedrock_distill.plan import Plan
    from bedrock_distill.refinement.lineage import LineageStore
    from bedrock_distill.refinement.spec import Refinement
    from bedrock_distill.session import Session

__all__ = [
    "Found",
    "Run",
    "compare",
    "distil",
    "distillation_on",
    "find",
    "open_round",
    "serve",
    "settle",
    "still_valid",
]

_UPDATE_S: Final = 3600.0
"""Seconds to wait for a deployment; about 8 minutes are usual (Bedrock user guide)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What every step needs."""

    session: Session
    spec: Refinement
    store: LineageStore
    work: Path
    """Folder for files and answers."""
    metrics: ScorerChoice | Sequence[ScorerChoice] | None = None
    prices: Prices = field(default_factory=dict)
    concurrency: int = 8
    timeout_s: float | None = None
    may_pay: Callable[[Plan], bool] = lambda _: True
    tell: Callable[[str], None] = lambda _: None

    @property
    def handle(self) -> Deployment | Provisioned:
        """What serves.

        Raises:
            SpecError: If it cannot be updated in place.
        """
        name = self.spec.deployment
        found = self.session.attach(name) if Arn.looks_like(name) else self.session.deployment(name)
        if not isinstance(found, (Deployment, Provisioned)):
            raise SpecError(
                f"{name} is a {type(found).__name__}, and what can be refined in place is an on-demand deployment or a "
                "provisioned throughput.",
                field="deployment",
                value=name,
            )
        return found

    def folder(self, number: int) -> Path:
        """Where a round's files lie."""
        return self.work / f"round-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the traffic holds for a round that is not opened yet."""

    number: int
    since: datetime | None
    until: datetime
    serving: str
    traffic: Traffic
    choice: Choice
    training: Path
    """What the serving student has learned."""
    evaluation: Path
    """What was compared on so far."""
    unanswered: int
    """Calls of the teacher that failed."""

    @property
    def learned(self) -> int:
        """How many prompts would be new in training."""
        return len(self.choice.new)


def find(run: Run) -> Found:
    """Read the traffic, ask the teacher what is worth knowing, and choose."""
    spec, lineage, clock = run.spec, run.store.lineage, run.session.clients.clock
    handle = run.handle
    serving, number = handle.status().model_arn, lineage.rounds + 1
    folder = run.folder(number)
    folder.mkdir(parents=True, exist_ok=True)
    made, last = lineage.opened_for(serving), lineage.last_opened
    training = run.store.get(made.training, folder / "learned.jsonl") if made else spec.first_data
    evaluation = run.store.get(last.evaluation, folder / "compared.jsonl") if last else spec.evaluation
    # What came in since the serving student's data was chosen: a round that promoted nothing has used nothing up.
    since, until = made.until if made else None, clock.now()
    traffic = read_traffic(
        spec,
        run.session.clients,
        folder,
        student_as=spec.student_as or handle.arn,
        since=since,
        until=until,
    )
    run.tell(
        f"Read {traffic.student_calls:,} calls of the student and {traffic.teacher_calls:,} of the teacher."
    )
    learned = list(read_records(training))
    unanswered = _ask_teacher(run, traffic, Vocabulary(learned), folder)
    choice = choose_from(list(traffic.asked.values()), spec, learned, load_task(str(evaluation)))
    return Found(
        number=number,
        since=since,
        until=until,
        serving=serving,
        traffic=traffic,
        choice=choice,
        training=training,
        evaluation=evaluation,
        unanswered=unanswered,
    )


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
        teacher = run.session.model(run.spec.distillation.teacher)
        return ask_teacher(traffic, run.spec, teacher, vocabulary, asking)


def distillation_on(run: Run, training: Path) -> Distillation:
    """The distillation of a round: as the first, with its own data."""
    return run.spec.distillation.model_copy(update={"data": Prompts(training)})


def open_round(run: Run, found: Found) -> Opened:
    """Write what is learned and compared on, and stage it: from here on the round is what these files say."""
    folder = run.folder(found.number)
    data = write_round(
        found.choice, run.spec, found.training, found.evaluation, number=found.number, folder=folder
    )
    place = f"round-{found.number:04}-{found.until:%Y%m%dT%H%M%SZ}"
    lineage = run.store.append(
        Opened,
        round=found.number,
        since=found.since,
        until=found.until,
        serving=found.serving,
        training=run.store.put(data.training, f"{place}/training.jsonl", records=data.training_records),
        evaluation=run.store.put(
            data.evaluation, f"{place}/evaluation.jsonl", records=data.evaluation_records
        ),
        chosen=found.choice.by_reason,
        held_out=len(found.choice.held_out),
    )
    run.tell(
        f"Round {found.number}: {found.learned:,} prompts more to learn from, {len(found.choice.held_out):,} to compare on."
    )
    return lineage.events[-1]  # type: ignore[return-value]  # the one that was just written


def still_valid(run: Run, opened: Opened | None) -> Opened | None:
    """The open round, if the deployment serves what it served when it was opened, or the candidate already."""
    if opened is None:
        return None
    serving = run.handle.status().model_arn
    distilled = run.store.lineage.of_round(opened.round, Distilled)
    if serving in (opened.serving, distilled and distilled.model):
        return opened
    why = f"The deployment serves {serving}, and served {opened.serving} when the round was opened."
    run.store.append(Ended, round=opened.round, why=why)
    run.tell(f"Round {opened.round} ends here. {why}")
    return None


def distil(run: Run, opened: Opened) -> Distilled:
    """Have the candidate trained.

    Raises:
        PlanError: If the job cannot work, or nobody wants to pay for it.
        JobFailedError: If it failed; the round has then ended.
    """
    training = run.store.get(opened.training, run.folder(opened.round) / "training.jsonl")
    plan = run.session.plan(distillation_on(run, training))
    if any(step.bills and not step.done for step in plan.steps) and not run.may_pay(plan):
        raise PlanError(f"Round {opened.round} waits for consent to pay for its job; call again to go on.")
    job = run.session.apply(plan)
    run.tell(f"Round {opened.round}: distilling, {job.arn}")
    try:
        model = job.result(timeout_s=run.timeout_s)
    except JobFailedError as error:
        run.store.append(Ended, round=opened.round, why=f"The job {job.arn} failed: {error.reason or error}")
        raise
    lineage = run.store.append(
        Distilled, round=opened.round, plan=plan.fingerprint, job=job.arn, model=model.arn
    )
    return lineage.events[-1]  # type: ignore[return-value]


def compare(run: Run, opened: Opened, distilled: Distilled) -> tuple[Report, Verdict, Judged]:
    """Ask candidate, serving student and teacher the same prompts, and hold the candidate against the gate."""
    folder, session, spec = run.folder(opened.round), run.session, run.spec
    evaluation = run.store.get(opened.evaluation, folder / "evaluation.jsonl")
    training = run.store.get(opened.training, folder / "training.jsonl")
    candidate = session.apply(
        session.plan(OnDemandDeployment(model=distilled.model, name=f"{spec.name[:30]}-candidate"))
    )
    try:
        candidate.wait(timeout_s=_UPDATE_S)
        run.tell(f"Round {opened.round}: comparing on {opened.evaluation.records:,} prompts")
        with AnswerCache(folder / "answers", scope=opened.serving) as cache:
            report = evaluate(
                session.model(candidate.arn),
                session.model(spec.distillation.teacher),
                str(evaluation),
                base=session.model(run.handle.arn),
                max_tokens=spec.distillation.max_response_tokens,
                metrics=run.metrics,
                slices={"round": f"metadata.{ROUND_KEY}"},
                training=str(training),
                cache=cache,
                prices=run.prices,
                concurrency=run.concurrency,
                seed=spec.seed % (1 << 32),
                clock=session.clients.clock,
            )
    finally:
        # Whatever happened, nothing of the comparison stays.
        candidate.delete()
    verdict = report.check(**spec.gate.model_dump())
    saved = report.save(folder / "report", verdict=verdict)
    place = opened.training.uri.rpartition("/")[0].rpartition("/")[2]
    stored = [
        run.store.put(path, f"{place}/{path.name}", records=len(report.task.prompts))
        for path in (saved.json, saved.html)
    ]
    base = report.metric.base
    lineage = run.store.append(
        Judged,
        round=opened.round,
        passed=verdict.passed,
        verdict=verdict.to_dict(),
        report=stored[-1].uri,
        retention=report.retention.value,
        serving_retention=base and base.retention.value,
    )
    return report, verdict, lineage.events[-1]  # type: ignore[return-value]


def settle(run: Run, opened: Opened, distilled: Distilled, judged: Judged) -> bool:
    """Promote the candidate if it has passed; otherwise leave what serves as it is. Whether it was promoted."""
    handle = run.handle
    if not judged.passed:
        why = tuple(each["text"] for each in judged.verdict["criteria"] if not each["passed"])
        run.store.append(Kept, round=opened.round, deployment=handle.arn, serving=opened.serving, why=why)
        run.tell(f"Round {opened.round}: the gate was not passed, and {opened.serving} stays.")
        return False
    serve(handle, distilled.model)
    run.store.append(
        Promoted,
        round=opened.round,
        deployment=handle.arn,
        before=opened.serving,
        after=distilled.model,
    )
    run.tell(f"Round {opened.round}: {handle.arn} serves {distilled.model}.")
    return True


def serve(handle: Deployment | Provisioned, model: str, *, timeout_s: float | None = _UPDATE_S) -> None:
    """Make a deployment serve a model, and wait until it does.

    Raises:
        JobFailedError: If the update fails; it then serves what it served.
        WaitTimeoutError: If it takes longer; it goes on.
    """
    if handle.status().model_arn != model:
        handle.update(model=model)
    handle.wait(timeout_s=timeout_s)
