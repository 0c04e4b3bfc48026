"""`bedrock-distill logs`: model invocation logging of an account and region."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.apply import check, emit_logging
from bedrock_distill.cli.common import Settings, common_options
from bedrock_distill.cli.plan import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.apply import ApplyEvent
    from bedrock_distill.plan import Plan
    from bedrock_distill.resources import LoggingStatus
    from bedrock_distill.resources.logging_survey import LoggingSpec
    from bedrock_distill.session import Session

__all__ = ["command"]


@click.group("logs", short_help="Switch model invocation logging on and off, and see what it does.")
def command() -> None:
    """Model invocation logging: switch it on and off, and see where logs go and whether they come.

    There is one configuration per account and region. What others have set in it stays.
    """


def _switch(name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(f"--{name}/--no-{name}", default=None, help=text)


@command.command("enable")
@click.argument("destination")
@click.option("--text/--no-text", default=True, show_default=True, help="Log prompts and answers.")
@_switch("image", "Log images. Default: as it is; where logging is off, not.")
@_switch("embedding", "Log embeddings. Default as for images.")
@_switch("video", "Log videos. Default as for images.")
@_switch("audio", "Log audio. Default as for images.")
@click.option("--log-group", help="Send the records to this CloudWatch log group, too.")
@click.option("--log-group-role", help="ARN of the role by which Bedrock writes to the log group.")
@click.option(
    "--kms-key", help="Refuse unless the bucket is encrypted with this key. Nothing is encrypted here."
)
@click.option("--replace", is_flag=True, help="Replace a destination that is set and differs.")
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option("--force", is_flag=True, help="Go on in spite of warnings that say it cannot work.")
@common_options
def enable(
    settings: Settings,
    destination: str,
    log_group: str | None,
    log_group_role: str | None,
    dry_run: bool,
    force: bool,
    **options: Any,
) -> None:
    """Log every model invocation of the region to DESTINATION (s3://BUCKET or s3://BUCKET/PREFIX).

    Adds one statement to the bucket's policy and the destination to the logging configuration; both keep what else is in
    them. What is logged costs S3 storage.
    """
    from bedrock_distill.resources import CloudWatchLogs, InvocationLogging
    from bedrock_distill.resources.logging_plan import configuration_step
    from bedrock_distill.uris import S3Uri

    if (log_group is None) != (log_group_role is None):
        raise click.UsageError("--log-group and --log-group-role belong together: give both, or none.")
    group = CloudWatchLogs(log_group=log_group, role=log_group_role) if log_group and log_group_role else None
    uri = S3Uri.parse(destination)
    spec = InvocationLogging(bucket=uri.bucket, prefix=uri.key, cloudwatch=group, **options)
    session = settings.session()
    plan = session.plan(spec)
    if dry_run:
        show(settings, plan)
        return
    _apply(settings, session, plan, force=force)
    step = configuration_step(plan)
    if not step.done:
        settings.note(
            "To go back to what was before: bedrock-distill logs disable --restore. To stop: bedrock-distill logs disable."
        )
    emit_logging(settings, session, plan)


@command.command("status")
@common_options
def status(settings: Settings) -> None:
    """Show what is logged, where logs go, whether the bucket lets Bedrock write, and when the newest log object came."""
    found = settings.session().log_delivery().status()
    settings.emit(found.to_dict(), lambda: _as_text(found))


@command.command("disable")
@click.argument("destination", required=False)
@click.option("--remove-policy", is_flag=True, help="Take Bedrock's statement out of the bucket policy, too.")
@click.option("--restore", is_flag=True, help="Put back the whole configuration that `logs enable` replaced.")
@click.option(
    "--restore-from",
    type=click.Path(dir_okay=False),
    help="Put back the configuration that this JSON, printed by `logs enable --output json`, remembers.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option("--force", is_flag=True, help="Go on where the bucket policy cannot be changed.")
@common_options
def disable(
    settings: Settings,
    destination: str | None,
    remove_policy: bool,
    restore: bool,
    restore_from: str | None,
    dry_run: bool,
    force: bool,
) -> None:
    """Stop logging to DESTINATION, by default to the one that `logs enable` set from this machine.

    Other destinations, the bucket and all log objects stay. Where nothing else is logged to, logging is off.
    """
    if sum(map(bool, (destination, restore, restore_from))) > 1 or (
        remove_policy and (restore or restore_from)
    ):
        raise click.UsageError(
            "DESTINATION, --restore and --restore-from exclude each other, and --remove-policy goes with a destination "
            "only: restore first, then disable the destination with --remove-policy."
        )
    session = settings.session()
    plan = session.plan(_undone(session, destination, remove_policy, restore, restore_from))
    if dry_run:
        show(settings, plan)
        return
    _apply(settings, session, plan, force=force)
    emit_logging(settings, session, plan)


def _undone(
    session: Session,
    destination: str | None,
    remove_policy: bool,
    restore: bool,
    restore_from: str | None,
) -> LoggingSpec:
    from bedrock_distill.resources import LoggingOff, LoggingRestored
    from bedrock_distill.uris import S3Uri

    if restore_from is not None:
        return LoggingRestored(configuration=_remembered(restore_from))
    if destination is None:
        return session.logging_undo(restore=restore, remove_policy=remove_policy)
    uri = S3Uri.parse(destination)
    return LoggingOff(bucket=uri.bucket, prefix=uri.key, remove_policy=remove_policy)


def _remembered(path: str) -> dict[str, Any] | None:
    from bedrock_distill.errors import SpecError

    try:
        document = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(f"Could not read {path!r}: {error}", field="restore-from", value=path) from error
    if not isinstance(document, dict) or not isinstance(document.get("previous", 0), dict | None):
        raise SpecError(
            f"{path!r} is not what `logs enable --output json` prints: it has no member 'previous' that holds a "
            "configuration or null.",
            field="restore-from",
            value=path,
        )
    previous: dict[str, Any] | None = document["previous"]
    return previous


def _apply(settings: Settings, session: Session, plan: Plan, *, force: bool) -> None:
    check(plan, force=force)
    for warning in plan.warnings:
        settings.note(f" note  {warning.code}: {warning.text}")

    def tell(event: ApplyEvent) -> None:
        if event.event != "started":
            settings.note(f"{event.event:>5}  {event.step.says}")

    session.apply(plan, force=force, on_event=tell)


def _as_text(found: LoggingStatus) -> str:
    newest = f"{found.newest_at:%Y-%m-%d %H:%M:%S %Z}  {found.newest}" if found.newest else "none"
    rows = {
        "logging": f"{'on' if found.enabled else 'off'} in {found.region}, account {found.account_id}",
        "delivered": ", ".join(found.delivered) or "records without bodies",
        "destination": found.destination,
        "folder": found.folder,
        "log group": found.log_group,
        "bucket policy": found.policy and f"{found.policy} (Bedrock writing there)",
        "newest object": newest if found.folder else None,
    }
    shown = rows if found.enabled else {"logging": rows["logging"]}
    lines = [f"{name:<14} {value}" for name, value in shown.items() if value]
    return "\n".join([*lines, *(f"  note  {code}: {text}" for code, text in found.hints.items())])
