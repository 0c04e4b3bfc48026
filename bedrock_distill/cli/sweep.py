"""`bedrock-distill sweep`: remove what was made and is billed for."""

from __future__ import annotations

import click

from bedrock_distill.cli.common import Settings, common_options

__all__ = ["command"]


@click.command("sweep", short_help="Delete what specs of a name have made and is billed for.")
@click.argument("name")
@click.option("--keep-models", is_flag=True, help="Delete only what serves; keep custom and imported models.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@common_options
def command(settings: Settings, name: str, keep_models: bool, dry_run: bool, yes: bool) -> None:
    """Delete everything that was made from specs named NAME: endpoints, throughput, deployments, then models.

    Staged files, roles and jobs stay: they cost storage at most. What cannot be deleted yet (a commitment, say) is told, and
    the rest is deleted; then the exit code is 5.
    """
    from bedrock_distill.errors import ServiceError, WaitTimeoutError
    from bedrock_distill.resources.inventory import inventory

    # SageMaker writes names in lower case, with '-' for '_'; a spec's name may be written otherwise.
    names = {name, name.replace("_", "-").lower()}
    found = [item for item in inventory(settings.session().clients) if item.made_by in names]
    items = [item for item in found if not (keep_models and item.kind in ("custom model", "imported model"))]
    if not items:
        settings.note(f"Nothing that is there was made from specs named {name}: see `bedrock-distill ls`.")
    if dry_run or not items:
        settings.emit(
            [item.to_dict() for item in items], "\n".join(f"{item.kind} {item.name}" for item in items)
        )
        return
    if not yes:
        listed = "\n".join(f"  {item.kind} {item.name}" for item in items)
        settings.confirm(
            f"Delete for good:\n{listed}\n?",
            otherwise="This deletes for good, and there is no terminal to ask: give --yes to consent.",
        )
    deleted, failed = [], None
    for item in items:
        try:
            item.handle.delete()
        except (ServiceError, WaitTimeoutError) as error:
            failed = error
            settings.note(f"{item.kind} {item.name} stays: {error}")
        else:
            deleted.append(item)
    settings.emit(
        [item.to_dict() for item in deleted],
        "\n".join(f"Deleted {item.kind} {item.name}" for item in deleted),
    )
    if failed is not None:
        raise failed
