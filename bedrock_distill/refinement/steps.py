"""The steps of a round, each a function of what came before it. Whoever does one twice makes one thing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import JobFailedError, NotFoundError, PlanError, SpecError
from bedrock_distill.evaluation import AnswerCache, evaluate
from bedrock_distill.records.digest import digest_file
from bedrock_distill.refinement.lineage import Distilled, Ended, Judged, Kept, Opened, Promoted
from bedrock_distill.refinement.opening import ROUND_KEY, write_round
from bedrock_distill.refinement.serving import UPDATE_S, serve, settled
from bedrock_distill.refinement.traffic import Marked
from bedrock_distill.resources import (
    CustomModel,
    Deployment,
    Distillation,
    OnDemandDeployment,
    Prompts,
    Provisioned,
)
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bedrock_distill.evaluation import Prices, Report, Verdict
    from bedrock_distill.evaluation.metrics import ScorerChoice
    from bedrock_distill.plan import Plan
    from bedrock_distill.refinement.finding import Found
    from bedrock_distill.refinement.lineage import Lineage, LineageStore
    from bedrock_distill.refinement.spec import Refinement
    from bedrock_distill.session import Session

__all__ = [
    "Run",
    "caught_up",
    "compare",
    "distil",
    "distillation_on",
    "hold",
    "open_round",
    "over",
    "past",
    "settle",
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


def distillation_on(run: Run, training: Path) -> Distillation:
    """The distillation of a round: as the first, with its own data."""
    return run.spec.distillation.model_copy(update={"data": Prompts(training)})


def open_round(run: Run, found: Found) -> Opened | None:
    """Write what is learned and compared on, and stage it: from here on the round is what these files say.

    None is opened for a candidate that the same gate has turned down: whoever judges often enough lets anything pass.

    Raises:
        DataError: If nothing can be distilled from it, or nothing compared; no round is opened then.
        PlanError: If the job cannot work, likewise.
    """
    with TemporaryDirectory(dir=run.folder(found.number)) as own:
        data = write_round(
            found.choice, run.spec, found.training, found.evaluation, number=found.number, folder=Path(own)
        )
        plan = run.session.plan(distillation_on(run, data.training))  # told now: what is open can only go on
        kept = turned_down(run, found, plan)
        if kept is not None:
            run.tell(f"There is nothing new to learn since round {kept.round}, which was not promoted.")
            return None
        looked_at = Path(own, "looked-at.txt")
        looked_at.write_text("\n".join(found.looked_at))
        files = {
            data.training: data.training_records,
            data.evaluation: data.evaluation_records,
            looked_at: len(found.looked_at),
        }
        digests = [digest_file(path).sha256 for path in files]
        # Named by what is in it: of two runs that open a round at once, neither writes over the other's files.
        place = f"round-{found.number:04}-{hashlib.sha256(''.join(digests).encode()).hexdigest()[:12]}"
        training, evaluation, looked = (
            run.store.put(path, f"{place}/{path.name}", records=records, sha256=digest)
            for (path, records), digest in zip(files.items(), digests, strict=True)
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
        looked_at=looked,
        chosen=found.choice.by_reason,
        held_out=len(found.choice.held_out),
    )
    run.tell(
        f"Round {found.number}: {found.learned:,} prompts more to learn from, {len(found.choice.held_out):,} to compare on."
    )
    return written


def turned_down(run: Run, found: Found, plan: Plan) -> Kept | None:
    """Where a round that learned the same was turned down by the same gate; None where it was not."""
    return run.store.lineage.turned_down(plan.fingerprint, serving=found.serving, by=_judge(run))


def over(run: Run, opened: Opened) -> str | None:
    """Why a round cannot go on, and it has ended here; None where it can."""
    distilled = run.store.lineage.of_round(opened.round, Distilled)
    why = _against(run, opened, distilled)
    if why is None:
        return None
    if distilled is not None:
        _candidate(run, distilled).delete()  # a comparison that died could not
    run.store.append(Ended, round=opened.round, why=why)
    run.tell(f"Round {opened.round} ends here. {why}")
    return why


def _against(run: Run, opened: Opened, distilled: Distilled | None) -> str | None:
    """Why a round cannot go on: somebody has changed the deployment, by hand or by a rollback, or deleted the candidate."""
    serving, judged = settled(run.handle), run.store.lineage.of_round(opened.round, Judged)
    if distilled and judged and judged.passed and serving == distilled.model:
        return None  # the promotion died before it was written down
    if serving != opened.serving:
        return (
            f"{run.handle.arn} serves {serving} in place of {opened.serving}: it was changed while round {opened.round} was "
            "under way."
        )
    if distilled and _is_gone(run, distilled.model):
        return f"The candidate {distilled.model} was deleted."
    return None


def _is_gone(run: Run, model: str) -> bool:
    try:
        CustomModel(run.session.clients, model).describe()
    except NotFoundError:
        return True
    return False


def hold(run: Run, opened: Opened) -> None:
    """Go on only with a round that can.

    Raises:
        PlanError: If it cannot; it has then ended.
    """
    if why := over(run, opened):
        raise PlanError(
            f"Round {opened.round} has ended, and nothing was promoted. {why} Call again to begin another from what serves."
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
    verdict = report.check(**spec.criteria())
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
        run.store.append(
            Kept,
            round=opened.round,
            deployment=handle.arn,
            serving=opened.serving,
            why=why,
            by=_judge(run),
        )
        run.tell(f"Round {opened.round}: the gate was not passed, and {opened.serving} stays.")
        return False
    serve(handle, distilled.model)
    _write_promoted(run, opened, distilled)
    run.tell(f"Round {opened.round}: {handle.arn} serves {distilled.model}.")
    return True


def _judge(run: Run) -> dict[str, Any]:
    """What decides whether a candidate takes over, besides its answers."""
    return {**run.spec.criteria(), "metric": str(run.metrics)}


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
