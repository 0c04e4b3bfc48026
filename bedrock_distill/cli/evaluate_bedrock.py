"""`bedrock-distill evaluate --runner bedrock`: the same report and gate, asked and scored by Bedrock's evaluation jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, duration, money_option
from bedrock_distill.cli.waiting import narrate_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.evaluation import Report

__all__ = ["BEDROCK_OPTIONS", "bedrock_options", "check_runner", "evaluate_on_bedrock"]

_TASKS = ("General", "QuestionAndAnswer", "Summarization", "Classification")
"""Kinds of task, spelt out so that --help loads nothing; a test holds them equal to the library's."""

_BEDROCKS = {
    "output_uri": "--output-uri",
    "bedrock_metrics": "--bedrock-metric",
    "task": "--task",
    "role": "--role",
    "category": "--category",
}
"""Options that only Bedrock's jobs have."""

BEDROCK_OPTIONS = (*_BEDROCKS, "runner", "name", "timeout", "yes")
"""Names of the options that `bedrock_options` adds."""

_OWN = {
    "base": "--base",
    "metrics": "--metric",
    "rubric": "--rubric",
    "cache": "--cache",
    "system": "--system",
    "requests_per_minute": "--rpm",
    "tokens_per_minute": "--tpm",
    "stream": "--stream",
}
"""Options that only this package's runner has."""


def bedrock_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of Bedrock's evaluation jobs: --runner and what goes with it."""
    options = (
        click.option(
            "--runner",
            type=click.Choice(["own", "bedrock"]),
            default="own",
            show_default=True,
            help="Who asks and scores: this machine, or evaluation jobs of Bedrock's, one a side.",
        ),
        click.option(
            "--output-uri", metavar="S3URI", help="With --runner bedrock: folder for prompts and results."
        ),
        click.option(
            "--bedrock-metric",
            "bedrock_metrics",
            multiple=True,
            metavar="NAME",
            help="With --runner bedrock: what is scored, such as Builtin.Accuracy, or with --judge Builtin.Correctness; the "
            "first decides. May be repeated.",
        ),
        click.option(
            "--task", type=click.Choice(_TASKS), help="With --runner bedrock: what kind of answer is wanted."
        ),
        click.option(
            "--category",
            metavar="KEY",
            help="With --runner bedrock: key of the metadata by which Bedrock reports, too.",
        ),
        click.option(
            "--role",
            metavar="ARN",
            help="With --runner bedrock: role that Bedrock assumes. Default: one is made.",
        ),
        click.option(
            "--name",
            default="evaluation",
            show_default=True,
            help="With --runner bedrock: what to name the jobs after.",
        ),
        click.option(
            "--timeout",
            type=duration,
            default="24h",
            show_default=True,
            help="With --runner bedrock: wait this long at most for each job.",
        ),
        money_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def check_runner(given: Mapping[str, Any]) -> None:
    """Refuse options of the other runner.

    Raises:
        click.UsageError: Naming the first of them.
    """
    bedrock = given["runner"] == "bedrock"
    others = _OWN if bedrock else _BEDROCKS
    for name, option in others.items():
        if given.get(name):
            raise click.UsageError(
                f"{option} is not an option of Bedrock's evaluation jobs: leave it out, or leave out --runner bedrock."
                if bedrock
                else f"{option} is an option of Bedrock's evaluation jobs: give --runner bedrock as well."
            )
    if bedrock and not given["output_uri"]:
        raise click.UsageError(
            "--runner bedrock needs --output-uri, an S3 folder for the prompts and the results."
        )


def evaluate_on_bedrock(settings: Settings, given: Mapping[str, Any]) -> Report:
    """Plan both jobs, ask for consent, make them, wait, and read their results.

    Args:
        settings: The common options.
        given: The command's options.

    Raises:
        PlanError: If a plan cannot work; nothing was made then.
        JobFailedError: If a job failed.
        WaitTimeoutError: If a job is not over in time.
    """
    from bedrock_distill.apply.evaluating import check_report, make_jobs, report_of_jobs
    from bedrock_distill.cli.apply import check, consent, narrate, staying
    from bedrock_distill.resources import Prompts

    told = {
        "data": given["data"],
        "names": {side: given[side] for side in ("student", "teacher")},
        "slices": given["slices"] or None,
        **{key: given[key] for key in ("training", "allow_overlap", "limit", "seed")},
    }
    check_report(told, category=given["category"])
    session = settings.session()
    _consent_to_ask(settings, given)
    specs = session.bedrock_evaluations(
        student=given["student"],
        teacher=given["teacher"],
        data=Prompts(given["data"]),
        name=given["name"],
        output=given["output_uri"],
        metrics=given["bedrock_metrics"],
        **{
            key: given[key]
            for key in ("judge", "task", "category", "role", "limit", "max_tokens", "temperature")
        },
    )
    plans = {side: session.plan(spec) for side, spec in specs.items()}
    for plan in plans.values():
        check(
            plan, force=False, forced_by="describe it in a job file, and `bedrock-distill apply --force` that"
        )
        for warning in plan.warnings:
            settings.note(f"{plan.name}: {warning.code}: {warning.text}")
    for plan in plans.values():
        consent(settings, plan, given=given["yes"])
    with staying(settings):
        with settings.progress("Staging") as progress:
            tell = narrate(settings, progress.update)
            jobs = make_jobs(plans, lambda plan: session.apply(plan, on_event=tell))
        for job in jobs.values():
            job.wait(timeout_s=given["timeout"], on_change=lambda state: settings.note(narrate_state(state)))
    return report_of_jobs(jobs["student"], jobs["teacher"], **told)


def _consent_to_ask(settings: Settings, given: Mapping[str, Any]) -> None:
    """Ask before answers are gathered: that is done to plan the jobs, and costs money already."""
    from bedrock_distill.resources.evaluation_job.spec import can_ask

    aside = [given[side] for side in ("student", "teacher") if not can_ask(given[side])]
    if aside and not given["yes"]:
        settings.confirm(
            f"No evaluation job can ask {aside[0]}, so its answers are gathered now, and calls cost money. Go on?",
            otherwise="This costs money, and there is no terminal to ask: give --yes to consent.",
        )
