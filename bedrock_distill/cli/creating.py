"""Making one thing from a spec, the same in every command that does: plan, look at it, consent, apply, wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, duration, money_option
from bedrock_distill.cli.waiting import wait_and_emit

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.resources import Spec

__all__ = ["create", "creating_options"]


def creating_options(timeout: str, until: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a command that makes something: --dry-run, --wait, --timeout, --yes.

    Args:
        timeout: How long it waits unless told otherwise, such as `4h`.
        until: What it waits for, such as `until it answers`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        options = (
            click.option("--dry-run", is_flag=True, help="Print the plan and do nothing."),
            click.option("--wait/--no-wait", default=True, show_default=True, help=f"Wait {until}."),
            click.option(
                "--timeout", type=duration, default=timeout, show_default=True, help="Wait this long at most."
            ),
            money_option,
        )
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def create(
    settings: Settings,
    spec: Spec,
    *,
    dry_run: bool,
    wait: bool,
    timeout: float,
    yes: bool,
    prints: str = "arn",
) -> None:
    """Make what a spec describes.

    Args:
        settings: The common options.
        spec: What is wanted.
        dry_run: Print the plan, and do nothing.
        wait: Whether to wait until it is there.
        timeout: Seconds to wait at most.
        yes: Whether consent to what costs money was given.
        prints: Member of the document at the end that people are shown: `arn`, or `model_arn` where a job makes a model.

    Raises:
        PlanError: If the plan cannot work.
        JobFailedError: If it fails.
        WaitTimeoutError: If it is not there in time.
    """
    from bedrock_distill.cli.apply import check, consent, narrate, staying
    from bedrock_distill.cli.plan import show

    session = settings.session()
    plan = session.plan(spec)
    if dry_run:
        show(settings, plan)
        return
    check(
        plan,
        force=False,
        forced_by="keep the plan that --dry-run --output json prints, and `bedrock-distill apply --force` it",
    )
    consent(settings, plan, given=yes)
    with staying(settings):
        with settings.progress("Staging") as progress:
            handle = session.apply(plan, on_event=narrate(settings, progress.update))
        if wait:
            wait_and_emit(settings, handle, timeout_s=timeout, text=lambda document: str(document[prints]))
        else:
            settings.emit({"arn": handle.arn, "status": handle.status().status}, handle.arn)
