"""The steps of a round, each a function of what came before it. Whoever does one twice makes one thing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bedrock_distill.errors import JobFailedError, PlanError, SpecError
from bedrock_distill.evaluation import AnswerCache, evaluate
from bedrock_distill.evaluation.asking import Asking
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.rules import Rules, rules_for
from bedrock_distill.refinement.choosing import Choice, Vocabulary
from bedrock_distill.refinement.lineage import Distilled, Ended, Judged, Kept, Opened, Promoted
from bedrock_distill.refinement.opening import ROUND_KEY, ask_teacher, choose_from, write_round
from bedrock_distill.refinement.serving import UPDATE_S, serve, settled
from bedrock_distill.refinement.traffic import Marked, Traffic, read_traffic
from bedrock_distill.resources import Deployment, Distillation, OnDemandDeployment, Prompts, Provisioned
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bedrock_distill.evaluation import Prices, Report, Verdict
    from bedrock_distill.evaluation.metrics import ScorerChoice
    from bedrock_distill.plan import Plan
    from bedrock_distill.refinement.lineage import Lineage, LineageStore
    from bedrock_distill.refinement.spec import Refinement
    from bedrock_distill.session import Session

__all__ = [
    "Found",
    "Run",
    "caught_up",
    "compare",
    "distil",
    "distillation_on",
    "find",
    "hold",
    "open_round",
    "past",
    "settle",
    "still_valid",
]


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
    deployment: str
    serving: str
    traffic: Traffic
    choice: Choice
    training: Path
    """What the serving student has learned."""
    evaluation: Path
    """What was compared on so far."""

    @property
    def learned(self) -> int:
        """How many prompts would be new in training."""
        return len(self.choice.new)


def past(run: Run) -> Lineage:
    """What happened so far to the deployment.

    Raises:
        PlanError: If the lineage is another deployment's.
    """
    lineage, arn = run.store.read(), run.handle.arn
    last = lineage.last_opened
    if last is not None and last.deployment != arn:
        raise PlanError(
            f"The rounds of {run.spec.name!r} in {run.store.folder} are those of {last.deployment}, and not of {arn}: refine "
            "each deployment under a name of its own. If that one was deleted and made anew, give a new name, and begin "
            f"where it stood: data = {last.training.uri}, evaluation = {last.evaluation.uri} (copy them first, aws s3 cp)."
        )
    return lineage


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
    # What came in since the serving student's data was chosen: a round that promoted nothing has used nothing up.
    # Logs tell whole seconds: of the one that the last window ended in, everything is looked at again, and known or not.
    since, until = made.until.replace(microsecond=0) if made else None, clock.now()
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
        choice=choice,
        training=training,
        evaluation=evaluation,
    )


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


def distillation_on(run: Run, training: Path) -> Distillation:
    """The distillation of a round: as the first, with its own data."""
    return run.spec.distillation.model_copy(update={"data": Prompts(training)})


def open_round(run: Run, found: Found) -> Opened:
    """Write what is learned and compared on, and stage it: from here on the round is what these files say."""
    with TemporaryDirectory(dir=run.folder(found.number)) as own:
        data = write_round(
            found.choice, run.spec, found.training, found.evaluation, number=found.number, folder=Path(own)
        )
        # Named by what is in it: of two runs that open a round at once, neither writes over the other's files.
        content = hashlib.sha256(data.training.read_bytes() + data.evaluation.read_bytes()).hexdigest()
        place = f"round-{found.number:04}-{content[:12]}"
        training = run.store.put(
            data.training, f"{place}/{data.training.name}", records=data.training_records
        )
        evaluation = run.store.put(
            data.evaluation, f"{place}/{data.evaluation.name}", records=data.evaluation_records
        )
    written = run.store.append(
        Opened,
        round=found.number,
        since=found.since,
        until=found.until,
        deployment=found.deployment,
        serving=found.serving,
        training=training,
        evaluation=evaluation,
        chosen=found.choice.by_reason,
        held_out=len(found.choice.held_out),
    )
    run.tell(
        f"Round {found.number}: {found.learned:,} prompts more to learn from, {len(found.choice.held_out):,} to compare on."
    )
    return written


def still_valid(run: Run, opened: Opened) -> bool:
    """Whether the deployment serves what it served when the round was opened, or the candidate already; if not, the round ends."""
    serving = settled(run.handle)
    distilled = run.store.lineage.of_round(opened.round, Distilled)
    if serving in (opened.serving, distilled and distilled.model):
        return True
    if distilled is not None:
        _candidate(run, distilled).delete()  # a comparison that died could not
    why = f"The deployment serves {serving}, and served {opened.serving} when the round was opened."
    run.store.append(Ended, round=opened.round, why=why)
    run.tell(f"Round {opened.round} ends here. {why}")
    return False


def hold(run: Run, opened: Opened) -> None:
    """End the round if the deployment was changed while it was under way, by hand or by a rollback.

    Raises:
        PlanError: If it was.
    """
    if not still_valid(run, opened):
        raise PlanError(
            f"{run.handle.arn} was changed while round {opened.round} was under way, so the round has ended and nothing was "
            "promoted: call again to begin another from what serves."
        )


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
    run.tell(f"Round {opened.round}: distilling from {opened.training.records:,} records")
    job = run.session.apply(plan)
    try:
        model = job.result(timeout_s=run.timeout_s)
    except JobFailedError as error:
        run.store.append(Ended, round=opened.round, why=f"The job {job.arn} failed: {error.reason or error}")
        raise
    return run.store.append(
        Distilled, round=opened.round, plan=plan.fingerprint, job=job.arn, model=model.arn
    )


def compare(run: Run, opened: Opened, distilled: Distilled) -> tuple[Report, Verdict, Judged]:
    """Ask candidate, serving student and teacher the same prompts, and hold the candidate against the gate."""
    folder, session, spec = run.folder(opened.round), run.session, run.spec
    evaluation = run.store.get(opened.evaluation, folder / "evaluation.jsonl")
    training = run.store.get(opened.training, folder / "training.jsonl")
    candidate = session.apply(_candidate_plan(run, distilled))
    try:
        candidate.wait(timeout_s=UPDATE_S)
        run.tell(f"Round {opened.round}: comparing on {opened.evaluation.records:,} prompts")
        with AnswerCache(folder / "answers", scope=opened.serving) as cache:
            report = evaluate(
                Marked(session.model(candidate.arn)),
                Marked(session.model(spec.distillation.teacher)),
                str(evaluation),
                base=Marked(session.model(run.handle.arn)),
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
    written = run.store.append(
        Judged,
        round=opened.round,
        passed=verdict.passed,
        verdict=verdict.to_dict(),
        report=stored[-1].uri,
        retention=report.retention.value,
        serving_retention=base and base.retention.value,
    )
    return report, verdict, written


def _candidate_plan(run: Run, distilled: Distilled) -> Plan:
    """The plan of the candidate's own deployment, the same however often it is made."""
    name = f"{run.spec.name[:30].rstrip('-_')}-candidate"
    return run.session.plan(OnDemandDeployment(model=distilled.model, name=name))


def _candidate(run: Run, distilled: Distilled) -> Deployment:
    """The candidate's own deployment, whether it is there or not."""
    return Deployment(run.session.clients, _candidate_plan(run, distilled).creates.name)


def settle(run: Run, opened: Opened, distilled: Distilled, judged: Judged) -> bool:
    """Promote the candidate if it has passed; otherwise leave what serves as it is. Whether it was promoted."""
    handle = run.handle
    if not judged.passed:
        why = tuple(each["text"] for each in judged.verdict["criteria"] if not each["passed"])
        run.store.append(Kept, round=opened.round, deployment=handle.arn, serving=opened.serving, why=why)
        run.tell(f"Round {opened.round}: the gate was not passed, and {opened.serving} stays.")
        return False
    serve(handle, distilled.model)
    _write_promoted(run, opened, distilled)
    run.tell(f"Round {opened.round}: {handle.arn} serves {distilled.model}.")
    return True


def _write_promoted(run: Run, opened: Opened, distilled: Distilled) -> None:
    run.store.append(
        Promoted,
        round=opened.round,
        deployment=opened.deployment,
        before=opened.serving,
        after=distilled.model,
    )


def caught_up(run: Run, serving: str) -> Lineage:
    """What happened so far; a promotion that died after the update, and before it was written down, is written down."""
    lineage = past(run)
    opened = lineage.open_round
    distilled = None if opened is None else lineage.of_round(opened.round, Distilled)
    if opened is not None and distilled is not None and serving == distilled.model:
        _write_promoted(run, opened, distilled)
    return run.store.lineage
