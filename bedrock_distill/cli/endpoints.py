"""`bedrock-distill endpoints`: models on SageMaker endpoints."""

from __future__ import annotations

import click

from bedrock_distill.cli.endpoints_size import size

__all__ = ["command"]


@click.group("endpoints", short_help="Say which SageMaker instances a model fits.")
def command() -> None:
    """Say which SageMaker instances a model fits."""


command.add_command(size)
