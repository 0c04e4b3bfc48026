"""`bedrock-distill apply`: do what a plan says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, duration, money_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.apply import ApplyEvent
    from bedrock_distill.plan import Plan
    from bedrock_distill.session import Session

__all__ = ["command"]


@click.command("apply", short_help="Do what a plan says, once, however often it is called.")
@click.argument("plan_or_job_file", type=click.Path(dir_okay=False))
@click.option("--wait/--no-wait", default=False, help="Wait until the job or deployment is done.")
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
    """Do what a plan (JSON from `bedrock-distill plan --out`) or a job file (TOML) says.

    Applying twice makes one thing; after a crash, apply again. With --wait, exit code 1 means that the job failed, 4
    that it is still running.
    """
    session = settings.session()
    plan = read_plan(session, plan_or_job_file)
    if max_cost_usd is not None:
        plan.within(max_cost_usd)
    consent(settings, plan, given=yes)
    with settings.progress("Staging") as progress:
        handle = session.apply(plan, force=force, on_event=_narrate(settings, progress.update))
    document: dict[str, Any] = {"fingerprint": plan.fingerprint, "arn": handle.arn}
    if wait:
        state = handle.wait(timeout_s=timeout, on_change=lambda seen: settings.note(narrate_state(seen)))
        document |= {"status": state.status, "model_arn": state.model_arn}
    settings.emit(document, "\n".join(str(value) for key, value in document.items() if key != "fingerprint"))


def read_plan(session: Session, path: str) -> Plan:
    """The plan in a JSON file, or the one that a job file becomes."""
    from bedrock_distill.plan import Plan
    from bedrock_distill.resources.jobfile import read_job_file

    if path.endswith(".json"):
        from bedrock_distill.errors import PlanError

        try:
            return Plan.from_json(Path(path).read_bytes())
        except OSError as error:
            raise PlanError(f"Could not read the plan {path!r}: {error}") from error
    return session.plan(read_job_file(path))


def consent(settings: Settings, plan: Plan, *, given: bool) -> None:
    """Ask before anything that costs money.

    Raises:
        click.UsageError: If nobody can be asked and `--yes` was not given.
        click.Abort: If the answer is no.
    """
    paid = [step for step in plan.steps if step.bills and not step.done]
    if given or not paid:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("This costs money, and there is no terminal to ask: give --yes to consent.")
    settings.note(str(plan))
    click.confirm(f"{paid[0].says}, which costs money. Go on?", abort=True, err=True)


def narrate_state(state: Any) -> str:
    """A job's or deployment's state in a line."""
    phase = f": {state.phase}" if state.phase else ""
    return f"{state.name}: {state.status}{phase}"


def _narrate(settings: Settings, update: Callable[[int, int | None], None]) -> Callable[[ApplyEvent], None]:
    def tell(event: ApplyEvent) -> None:
        if event.event == "progress":
            update(event.bytes_done, getattr(event.step, "size_bytes", None))
        elif event.event != "started":
            settings.note(f"{event.event:>5}  {event.step.says}")

    return tell
