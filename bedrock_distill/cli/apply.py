"""`bedrock-distill apply`: do what a plan says."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, duration, has_terminal, money_option
from bedrock_distill.cli.waiting import wait_and_emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.apply import ApplyEvent
    from bedrock_distill.plan import Plan
    from bedrock_distill.session import Session

__all__ = ["check", "command", "consent", "emit_logging", "narrate", "staying"]


@click.command("apply", short_help="Do what a plan says, once, however often it is called.")
@click.argument("plan_or_job_file", type=click.Path(dir_okay=False))
@click.option("--wait/--no-wait", default=False, help="Wait until the job is done, or what serves answers.")
@click.option(
    "--timeout", type=duration, help="Wait this long at most, such as 6h. Default: as long as it takes."
)
@click.option(
    "--max-cost-usd", type=click.FloatRange(min=0), help="Refuse if the estimate is above this, or unknown."
)
@click.option("--force", is_flag=True, help="Go on in spite of warnings that say it cannot work.")
@money_option
@common_options
def command(
    settings: Settings,
    plan_or_job_file: str,
    wait: bool,
    timeout: float | None,
    max_cost_usd: float | None,
    force: bool,
    yes: bool,
) -> None:
    """Do what a plan or a job file says.

    A plan is JSON from `bedrock-distill plan --out`. A job file is TOML with one table: [distillation], [deployment],
    [provisioned], [import], [copy], [endpoint], [batch], [evaluation] or [harvest].

    Applying twice makes one thing; after a crash, apply again. With --wait, exit code 1 means that the job failed, 4
    that it is still running. A plan is applied in its own region.
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout says how long to wait: give --wait, too.")
    stored = stored_plan(plan_or_job_file)
    if stored is not None:
        settings = replace(settings, region=settings.region or stored.region)
    session = settings.session()
    plan = stored or session.plan(plan_or_job_file)
    if max_cost_usd is not None:
        plan.within(max_cost_usd)
    check(plan, force=force)
    consent(settings, plan, given=yes)
    with staying(settings):
        with settings.progress("Staging") as progress:
            handle = session.apply(plan, force=force, on_event=narrate(settings, progress.update))
        if plan.kind == "logging":
            # There is nothing to wait for, and nothing with an ARN.
            emit_logging(settings, session, plan)
            return
        more = {"fingerprint": plan.fingerprint}
        if wait:
            wait_and_emit(settings, handle, timeout_s=timeout, text=_text, more=more)
        else:
            settings.emit(more | {"arn": handle.arn}, handle.arn)


def _text(document: dict[str, Any]) -> str:
    return "\n".join(str(document[key]) for key in ("arn", "status", "model_arn") if key in document)


def emit_logging(settings: Settings, session: Session, plan: Plan) -> None:
    """Print how logging is set after a plan was applied, and what was set before."""
    from bedrock_distill.resources.logging_plan import configuration_step

    step = configuration_step(plan)
    document = {
        "fingerprint": plan.fingerprint,
        "changed": not step.done,
        "previous": step.before,
        "configuration": session.log_delivery().describe(),
    }
    settings.emit(document, plan.facts["logging"])


def stored_plan(path: str) -> Plan | None:
    """The plan that a file holds, or None where it holds something else, such as a spec.

    Raises:
        PlanError: If the file cannot be read, or the plan in it is broken.
    """
    from bedrock_distill.errors import PlanError
    from bedrock_distill.plan import Plan

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise PlanError(f"Could not read {path!r}: {error.strerror or error}.") from error
    # By content, for a plan may be kept under any name: no job file begins with a brace.
    return Plan.from_json(content) if content.lstrip()[:1] == b"{" or path.endswith(".json") else None


@contextmanager
def staying(settings: Settings) -> Iterator[None]:
    """Where somebody interrupts what makes things, say that these stay."""
    try:
        yield
    except KeyboardInterrupt:
        settings.note(
            "What was done stays done: apply again, or give the same command again, and it goes on from here."
        )
        raise


def check(plan: Plan, *, force: bool, forced_by: str = "give --force") -> None:
    """Refuse a plan that cannot work before anybody is asked to pay for it.

    Args:
        plan: The plan.
        force: Go on all the same.
        forced_by: How to go on all the same, in words.

    Raises:
        PlanError: Unless it can work, or is forced.
    """
    from bedrock_distill.errors import PlanError

    if plan.blockers and not force:
        reasons = "".join(f"\n  {warning.code}: {warning.text}" for warning in plan.blockers)
        raise PlanError(
            f"The plan {plan.name!r} cannot work:{reasons}\nMend that and plan again; if you know better, {forced_by}."
        )


def consent(settings: Settings, plan: Plan, *, given: bool) -> None:
    """Ask before anything that costs money.

    Raises:
        click.UsageError: If nobody can be asked and `--yes` was not given.
        click.Abort: If the answer is no.
    """
    paid = [step for step in plan.steps if step.bills and not step.done]
    if given or not paid:
        return
    if has_terminal():
        # Whatever `--quiet` says: nobody can agree to what they have not seen.
        click.echo(str(plan), err=True)
    settings.confirm(
        f"{paid[0].says}, which costs money. Go on?",
        otherwise="This costs money, and there is no terminal to ask: give --yes to consent.",
    )


def narrate(settings: Settings, update: Callable[[int, int | None], None]) -> Callable[[ApplyEvent], None]:
    """What tells of an apply's events: bytes to the progress bar, steps as notes."""

    def tell(event: ApplyEvent) -> None:
        if event.event == "progress":
            update(event.bytes_done, getattr(event.step, "size_bytes", None))
        elif event.event != "started":
            settings.note(f"{event.event:>5}  {event.step.says}")

    return tell
