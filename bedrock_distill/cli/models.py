"""`bedrock-distill models`: custom models."""

from __future__ import annotations

import click

from bedrock_distill.cli.common import Settings, common_options, table

__all__ = ["command"]


@click.group("models", short_help="List, show and delete custom models.")
def command() -> None:
    """List, show and delete custom models."""


@command.command("list")
@click.option("--name", help="Only models whose name contains this.")
@common_options
def list_models(settings: Settings, name: str | None) -> None:
    """List custom models, newest first."""
    models = settings.session().models(name_contains=name)
    rows = [
        (
            model["modelName"],
            model["baseModelName"],
            f"{model['creationTime']:%Y-%m-%d %H:%M}",
            model["modelArn"],
        )
        for model in models
    ]
    settings.emit(models, lambda: table(rows, ("model", "base", "created", "arn")))


@command.command("show")
@click.argument("model")
@common_options
def show(settings: Settings, model: str) -> None:
    """Show one custom model, by name or ARN."""
    answer = settings.session().clients.call(
        "bedrock", "get_custom_model", subject=model, modelIdentifier=model
    )
    document = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    settings.emit(document, lambda: "\n".join(f"{key:<22} {value}" for key, value in document.items()))


@command.command("delete")
@click.argument("model")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@common_options
def delete(settings: Settings, model: str, yes: bool) -> None:
    """Delete a custom model; its deployments must be gone."""
    if not yes:
        settings.confirm(
            f"Delete the custom model {model} for good?",
            otherwise="This deletes the model for good, and there is no terminal to ask: give --yes to consent.",
        )
    settings.session().clients.call("bedrock", "delete_custom_model", subject=model, modelIdentifier=model)
    settings.emit({"deleted": model}, f"Deleted {model}")
