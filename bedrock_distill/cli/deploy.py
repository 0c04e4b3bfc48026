"""`bedrock-distill deploy`: on-demand deployments."""

from __future__ import annotations

from typing import Any

import click

from bedrock_distill.cli.apply import narrate_state
from bedrock_distill.cli.common import Settings, common_options, duration, table

__all__ = ["command"]


class _DefaultGroup(click.Group):
    """A group whose unknown first word is the argument of `create`: `deploy MODEL_ARN` reads as it should."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["create", *args]
        return super().resolve_command(ctx, args)


@click.group(
    "deploy", cls=_DefaultGroup, short_help="Deploy a custom model on demand; list and delete deployments."
)
def command() -> None:
    """Deploy a custom model on demand; list and delete deployments.

    `bedrock-distill deploy MODEL_ARN` is short for `deploy create MODEL_ARN`.
    """


@command.command("create")
@click.argument("model")
@click.option("--name", default="student", show_default=True, help="What to name the deployment after.")
@click.option("--description", help="Kept with the deployment.")
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it answers.")
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def create(
    settings: Settings,
    model: str,
    name: str,
    description: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Deploy the custom model MODEL (its ARN), and print what to call."""
    from bedrock_distill.cli.plan import show as show_plan
    from bedrock_distill.resources import OnDemandDeployment

    session = settings.session()
    plan = session.plan(OnDemandDeployment(model=model, name=name, description=description))
    if dry_run:
        show_plan(settings, plan)
        return
    deployment = session.apply(plan)
    status = deployment.status().status
    if wait:
        status = deployment.wait(
            timeout_s=timeout, on_change=lambda seen: settings.note(narrate_state(seen))
        ).status
    settings.emit({"arn": deployment.arn, "status": status}, deployment.arn)


@command.command("list")
@click.option("--name", help="Only deployments whose name contains this.")
@common_options
def list_deployments(settings: Settings, name: str | None) -> None:
    """List on-demand deployments, newest first."""
    found = settings.session().deployments(name_contains=name)
    rows: list[tuple[Any, ...]] = [
        (
            item["customModelDeploymentName"],
            item["status"],
            f"{item['createdAt']:%Y-%m-%d %H:%M}",
            item["customModelDeploymentArn"],
        )
        for item in found
    ]
    settings.emit(found, lambda: table(rows, ("deployment", "status", "created", "arn")))


@command.command("update")
@click.argument("deployment")
@click.argument("model")
@click.option("--timeout", type=duration, default="1h", show_default=True, help="Wait this long at most.")
@common_options
def update(settings: Settings, deployment: str, model: str, timeout: float) -> None:
    """Let DEPLOYMENT (its ARN) serve the custom model MODEL, under the same ARN."""
    from bedrock_distill.resources import Deployment

    handle = Deployment(settings.session().clients, deployment)
    handle.update(model)
    state = handle.wait(timeout_s=timeout, on_change=lambda seen: settings.note(narrate_state(seen)))
    settings.emit({"arn": state.arn, "status": state.status, "model_arn": state.model_arn}, state.model_arn)


@command.command("delete")
@click.argument("deployment")
@common_options
def delete(settings: Settings, deployment: str) -> None:
    """Delete a deployment, by its ARN or name; the custom model stays."""
    from bedrock_distill.resources import Deployment

    Deployment(settings.session().clients, deployment).delete()
    settings.emit({"deleted": deployment}, f"Deleted {deployment}")
