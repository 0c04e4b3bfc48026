"""`bedrock-distill refine`: from new traffic to a better student, round by round, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.asking import token_prices
from bedrock_distill.cli.common import (
    DefaultGroup,
    Settings,
    common_options,
    duration,
    has_terminal,
    money_option,
)

if TYPE_CHECKING:
    from bedrock_distill.plan import Plan
    from bedrock_distill.refinement import Outcome, Refinement
    from bedrock_distill.session import Session

__all__ = ["command"]

_file = click.argument("refinement_file", type=click.Path(dir_okay=False))


@click.group(
    "refine",
    cls=DefaultGroup,
    default="run",
    short_help="Keep a student good: learn from new traffic, promote if it is better, roll back.",
)
def command() -> None:
    """Keep a student good as its traffic changes.

    A refinement file is TOML with the table [refinement]: name, deployment, evaluation, logs or journal, and
    [refinement.distillation] as in a job file. `bedrock-distill refine FILE` is short for `refine run FILE`.
    """


@command.command("look")
@_file
@common_options
def look(settings: Settings, refinement_file: str) -> None:
    """Say what a round would learn and cost, and begin none.

    The teacher is asked up to `ask_teacher` prompts of the traffic, which costs what they cost.
    """
    from bedrock_distill.refinement import outlook

    session, spec = settings.session(), _read(refinement_file)
    found = outlook(session, spec, prices=_prices(session, spec))
    settings.emit(found.to_dict(), lambda: str(found))


@command.command("run")
@_file
@click.option(
    "--timeout",
    type=duration,
    help="Wait this long for the job at most, such as 6h. Default: as long as it takes.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Calls under way at once."
)
@money_option
@common_options
def run(settings: Settings, refinement_file: str, timeout: float | None, concurrency: int, yes: bool) -> None:
    """Do a round, or go on with the one that is open.

    The exit code is 0 if the candidate was promoted or there was not enough to learn, 3 if it did not pass the gate, and 4
    if its job is still running: call again to go on.
    """
    from bedrock_distill.refinement import refine

    session, spec = settings.session(), _read(refinement_file)
    outcome = refine(
        session,
        spec,
        prices=_prices(session, spec),
        concurrency=concurrency,
        timeout_s=timeout,
        may_pay=lambda plan: _consent(settings, plan, given=yes),
        tell=settings.note,
    )
    settings.emit(outcome.to_dict(), lambda: str(outcome))
    _enforce(outcome)


@command.command("lineage")
@_file
@common_options
def lineage_command(settings: Settings, refinement_file: str) -> None:
    """List what every round did: data, plan, job, model, report, verdict."""
    from bedrock_distill.refinement import lineage

    found = lineage(settings.session(), _read(refinement_file))
    settings.emit(found.to_dict(), lambda: str(found))


@command.command("rollback")
@_file
@click.option(
    "--to",
    metavar="ARN",
    help="The model to serve again. Default: the one that served before the present one.",
)
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def rollback_command(settings: Settings, refinement_file: str, to: str | None, timeout: float) -> None:
    """Serve again what was served before, and print its ARN."""
    from bedrock_distill.refinement import rollback

    found = rollback(settings.session(), _read(refinement_file), to=to, timeout_s=timeout)
    settings.emit({"model": found.serving}, str(found.serving))


def _read(path: str) -> Refinement:
    from bedrock_distill.refinement.spec_file import read_refinement

    return read_refinement(path)


def _prices(session: Session, spec: Refinement) -> dict[str, Any]:
    student, teacher = spec.distillation.student, spec.distillation.teacher
    # Candidate and serving student are billed as models customized from the same base.
    return token_prices(session, {student: "student", teacher: "teacher"}) | token_prices(
        session, {student: "base"}
    )


def _consent(settings: Settings, plan: Plan, *, given: bool) -> bool:
    if given:
        return True
    if has_terminal():
        click.echo(str(plan), err=True)
    settings.confirm(
        f"{plan.creates.says}, which costs money. Go on?",
        otherwise="This costs money, and there is no terminal to ask: give --yes to consent.",
    )
    return True


def _enforce(outcome: Outcome) -> None:
    from bedrock_distill.errors import GateFailedError
    from bedrock_distill.refinement.lineage import Kept

    last = outcome.lineage.events[-1] if outcome.lineage.events else None
    if outcome.round is not None and isinstance(last, Kept):
        reasons = "".join(f"\n  {reason}" for reason in last.why)
        missed = "one criterion" if len(last.why) == 1 else f"{len(last.why)} criteria"
        raise GateFailedError(
            f"The candidate of round {outcome.round} does not take over: it missed {missed}.{reasons}",
            failures=last.why,
        )
