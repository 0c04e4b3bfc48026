"""`bedrock-distill plan`: what a job file would do and cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedrock_distill.cli.common import Settings, common_options

if TYPE_CHECKING:
    from bedrock_distill.plan import Plan

__all__ = ["command"]


@click.command("plan", short_help="Say what a job file would do and cost, without doing it.")
@click.argument("job_file", type=click.Path(dir_okay=False))
@click.option(
    "--out", type=click.Path(dir_okay=False), help="Write the plan there, for `bedrock-distill apply`."
)
@click.option(
    "--max-cost-usd",
    type=click.FloatRange(min=0),
    help="Fail with exit code 3 if the estimate is above this, or unknown.",
)
@common_options
def command(settings: Settings, job_file: str, out: str | None, max_cost_usd: float | None) -> None:
    """Say what JOB_FILE would do and cost.

    JOB_FILE is TOML with one table: [distillation], [deployment], [provisioned], [import], [copy], [endpoint], [batch],
    [evaluation] or [harvest]. Reads only. Exit code 2 if a warning says that the plan cannot work.
    """
    from bedrock_distill.errors import PlanError
    from bedrock_distill.resources.jobfile import read_job_file

    plan = settings.session().plan(read_job_file(job_file))
    show(settings, plan)
    if out:
        _write(out, plan.to_json())
        settings.note(f"Wrote {out}. Apply it with: bedrock-distill apply {out}")
    if max_cost_usd is not None:
        plan.within(max_cost_usd)
    if plan.blockers:
        raise PlanError(
            f"This plan cannot work: {', '.join(warning.code for warning in plan.blockers)} (see above)."
        )


def _write(path: str, text: str) -> None:
    from bedrock_distill.errors import SpecError

    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise SpecError(f"Could not write {path!r}: {error.strerror or error}.", field="out") from error


def show(settings: Settings, plan: Plan) -> None:
    """Print a plan as the settings want it."""
    settings.emit(plan.to_dict(), lambda: str(plan))
