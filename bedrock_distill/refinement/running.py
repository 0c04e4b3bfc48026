"""A round of refinement, from traffic to a promoted student, and the way back.

Each step leaves an event in the lineage: opened, distilled, judged, and promoted or kept. Whoever calls `refine` again after
a crash, on any machine, goes on after the last event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xxhash import xxh3_64_hexdigest

from bedrock_distill.errors import PlanError, SpecError
from bedrock_distill.evaluation.costs import check_prices, price_of
from bedrock_distill.refinement import steps
from bedrock_distill.refinement.finding import find
from bedrock_distill.refinement.lineage import Distilled, Judged, LineageStore, RolledBack
from bedrock_distill.refinement.opening import write_round
from bedrock_distill.refinement.outcomes import Outcome, Outlook
from bedrock_distill.refinement.serving import serve, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bedrock_distill.evaluation import Prices, Report, Verdict
    from bedrock_distill.evaluation.metrics import ScorerChoice
    from bedrock_distill.plan import Plan
    from bedrock_distill.refinement.choosing import Choice
    from bedrock_distill.refinement.lineage import Lineage
    from bedrock_distill.refinement.spec import Refinement
    from bedrock_distill.session import Session

__all__ = ["lineage", "outlook", "refine", "rollback"]

_NO_PRICES: Final[Prices] = {}


def lineage(session: Session, spec: Refinement) -> Lineage:
    """All rounds so far.

    Args:
        session: Where.
        spec: What is refined.

    Raises:
        DataError: If what lies there is no lineage.
        ServiceError: If S3 refuses.
    """
    return _run(session, spec).store.read()


def outlook(session: Session, spec: Refinement, *, prices: Prices = _NO_PRICES) -> Outlook:
    """Say what a round would learn and cost. The teacher is asked `spec.ask_teacher` prompts; nothing is made.

    Args:
        session: Where.
        spec: What is refined.
        prices: Prices by model id or side.

    Raises:
        PlanError: If a round is open (`refine` goes on with it), or the lineage is another deployment's.
    """
    run = _run(session, spec, prices=prices)
    if (opened := steps.past(run).open_round) is not None:
        raise PlanError(f"Round {opened.round} of {spec.name!r} is under way: `refine` goes on with it.")
    found = find(run)
    plan = kept = None
    if found.learned >= spec.min_new:
        folder = run.folder(found.number) / "outlook"
        data = write_round(
            found.choice, spec, found.training, found.evaluation, number=found.number, folder=folder
        )
        plan = session.plan(steps.distillation_on(run, data.training))
        kept = steps.turned_down(run, found, plan)
    return Outlook(
        student_calls=found.traffic.student_calls,
        teacher_calls=found.traffic.teacher_calls,
        choice=found.choice,
        min_new=spec.min_new,
        turned_down=None if kept is None else kept.round,
        plan=plan,
    )


def refine(
    session: Session,
    spec: Refinement,
    *,
    metrics: ScorerChoice | Sequence[ScorerChoice] | None = None,
    prices: Prices = _NO_PRICES,
    concurrency: int = 8,
    timeout_s: float | None = None,
    may_pay: Callable[[Plan], bool] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Outcome:
    """Do a round, or go on with the one that is open.

    Reads the traffic since the serving student's data was chosen, adds what teaches most, distils, deploys the candidate
    beside the serving student, asks both and the teacher the same held-out prompts, and updates the deployment in place only
    if the gate is passed. The candidate's own deployment is removed in any case.

    Args:
        session: Where.
        spec: What is refined.
        metrics: How answers are compared, as `evaluate` takes it. Default: `spec.metric`.
        prices: Prices by model id or side.
        concurrency: Calls under way at once.
        timeout_s: Seconds to wait for the job at most. Default: as long as it takes.
        may_pay: Asked with the job's plan before it is applied. Default: yes.
        tell: Told what is going on.

    Raises:
        ConflictError: If another run writes the same lineage.
        JobFailedError: If the job failed; the round has ended, and the next call begins another. If a deployment failed, the
            next call tries again.
        WaitTimeoutError: If the job or a deployment is not done; call again to go on.
        SpecError: If the gate asks for a share of costs, and prices are unknown.
        PlanError: If the distillation or the candidate's deployment cannot work, nobody wants to pay, the deployment was changed
            in the meantime, or the lineage is another deployment's.

    Example:
        >>> spec = bd.Refinement(
        ...     name="triage",
        ...     deployment="triage",
        ...     distillation=job,
        ...     evaluation="heldout.jsonl",
        ...     logs=bd.InvocationLogs("s3://acme-logs/bedrock/"),
        ...     gate=bd.Gate(min_retention=0.9),
        ... )
        >>> print(bd.refine(session, spec, tell=print))
    """
    run = _run(
        session,
        spec,
        metrics=metrics,
        prices=prices,
        concurrency=concurrency,
        timeout_s=timeout_s,
        may_pay=may_pay or (lambda _: True),
        tell=tell or (lambda _: None),
    )
    _check_prices(run)
    choice, report, verdict = None, None, None
    opened = steps.past(run).open_round
    if opened is None or steps.over(run, opened):
        found = find(run)
        choice = found.choice
        if found.learned < spec.min_new:
            run.tell(
                f"There is not enough to learn for a round: {found.learned} prompts say that the student fails or is new to "
                f"them, and min_new is {spec.min_new}."
            )
            return _outcome(run, None, promoted=False, choice=choice)
        opened = steps.open_round(run, found)
        if opened is None:
            return _outcome(run, None, promoted=False, choice=choice)
    distilled = run.store.lineage.of_round(opened.round, Distilled) or steps.distil(run, opened)
    judged = run.store.lineage.of_round(opened.round, Judged)
    steps.hold(run, opened)
    if judged is None:
        report, verdict, judged = steps.compare(run, opened, distilled)
        steps.hold(run, opened)
    promoted = steps.settle(run, opened, distilled, judged)
    return _outcome(run, opened.round, promoted=promoted, choice=choice, report=report, verdict=verdict)


def rollback(
    session: Session, spec: Refinement, *, to: str | None = None, timeout_s: float | None = 3600
) -> Lineage:
    """Serve again what was served before the present model was promoted. A round that is open ends with it.

    Args:
        session: Where.
        spec: What is refined.
        to: ARN of the model to serve, one that this deployment has served. Default: the one before the present one.
        timeout_s: Seconds to wait until it answers.

    Raises:
        ConflictError: If another run writes the same lineage.
        NotFoundError: If the model was deleted.
        PlanError: If there is nothing to go back to, or the lineage is another deployment's.
        JobFailedError: If the update fails; the deployment then serves what it served.
    """
    run = _run(session, spec)
    handle = run.handle
    serving = settled(handle, timeout_s=timeout_s)
    past = steps.caught_up(run, serving)
    # A rollback that died before it was written down is written down, and nothing else happens.
    unwritten = past.serving is not None and past.before(past.serving) == serving
    target = to or (serving if unwritten else past.before(serving))
    if target is None or target not in past.models:
        raise PlanError(
            f"{spec.deployment} serves {serving}, and there is no way back to {to or 'an earlier model'}: by its lineage it has "
            f"served {', '.join(past.models) or 'no other'}."
        )
    if target == past.serving and target == serving:
        return past
    serve(handle, target, timeout_s=timeout_s)
    before = past.serving if target == serving else serving
    run.store.append(RolledBack, round=past.rounds, deployment=handle.arn, before=before, after=target)
    return run.store.lineage


def _run(session: Session, spec: Refinement, **options: Any) -> steps.Run:
    output = spec.distillation
    store = LineageStore(session.clients, output.output_uri, spec.name, kms_key=output.data_kms_key)
    # One name may be refined into several buckets.
    folder = (
        session.state_dir.parent
        / "refine"
        / f"{spec.name}-{xxh3_64_hexdigest(str(store.folder).encode())[:8]}"
    )
    if options.get("metrics") is None:
        options["metrics"] = spec.metric
    return steps.Run(session=session, spec=spec, store=store, work=folder, **options)


def _check_prices(run: steps.Run) -> None:
    """Refuse a gate that nothing can pass, before anything is paid for."""
    check_prices(run.prices)
    most, teacher = run.spec.gate.max_cost_ratio, run.session.model(run.spec.distillation.teacher).model_id
    sides = {"student": "student", "teacher": teacher}
    unknown = [side for side, model in sides.items() if price_of(run.prices, side, model) is None]
    if most is not None and unknown:
        raise SpecError(
            f"gate.max_cost_ratio is {most:g}, and what the {' and the '.join(unknown)} costs is unknown: give prices "
            "(prices=, or a catalog file on the command line).",
            field="gate.max_cost_ratio",
            value=most,
        )


def _outcome(
    run: steps.Run,
    number: int | None,
    *,
    promoted: bool,
    choice: Choice | None,
    report: Report | None = None,
    verdict: Verdict | None = None,
) -> Outcome:
    status = run.handle.status()
    return Outcome(
        round=number,
        promoted=promoted,
        deployment=status.arn,
        model=status.model_arn,
        choice=choice,
        report=report,
        verdict=verdict,
        lineage=run.store.lineage,
    )
