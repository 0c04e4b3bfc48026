"""`bedrock-distill endpoints size`: which instances a model fits, before anything is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bedrock_distill.cli.common import Settings, common_options

if TYPE_CHECKING:
    from bedrock_distill.models import ModelShape

__all__ = ["size"]


@click.command("size")
@click.argument("where", metavar="DIR|S3_URI")
@click.option(
    "--context",
    type=click.IntRange(min=1),
    help="Tokens of a request with its answer. Default: the model's own, at most 8,192.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Requests of that length to hold at once.",
)
@click.option(
    "--instances",
    multiple=True,
    metavar="TYPE[,TYPE...]",
    help="Instance types to consider; may be repeated. Default: every GPU instance of the catalog.",
)
@click.option(
    "--quantize",
    type=click.Choice(["fp8", "int8", "4-bit", "bitsandbytes"]),
    help="Hold the weights so. Default: as they are stored.",
)
@click.option(
    "--kv-dtype",
    type=click.Choice(["auto", "fp8"]),
    default="auto",
    show_default=True,
    help="Type of the cache of keys and values; fp8 halves it.",
)
@click.option(
    "--one-copy", is_flag=True, help="Do not start more copies of the model on GPUs that one leaves over."
)
@click.option(
    "--p95-latency",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Rule out instances whose memory is too slow for an answer in this time. What remains may be slower still.",
)
@click.option(
    "--output-tokens",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Tokens of an answer, for --p95-latency.",
)
@common_options
def size(
    settings: Settings,
    where: str,
    context: int | None,
    concurrency: int,
    instances: tuple[str, ...],
    quantize: str | None,
    kv_dtype: str,
    one_copy: bool,
    p95_latency: float | None,
    output_tokens: int,
) -> int:
    """Say which instances a model fits, with how much room, and what quantizing it would change.

    Reads the config and the headers of the weights, never the weights; nothing is asked of SageMaker. --region is where
    prices hold, if your catalog has any. Leaves with exit code 2 if no instance fits.
    """
    from bedrock_distill.catalog import load_catalog
    from bedrock_distill.models.sizing import size as size_shape

    table = size_shape(
        _shape(settings, where),
        [name.strip() for given in instances for name in given.split(",") if name.strip()] or None,
        catalog=load_catalog(settings.catalog),
        context=context,
        concurrency=concurrency,
        quantize=quantize,
        kv_dtype="fp8" if kv_dtype == "fp8" else "auto",
        copies=not one_copy,
        latency_s=p95_latency,
        output_tokens=output_tokens,
        region=settings.region or "*",
    )
    settings.emit(table.to_dict(), lambda: str(table))
    if table.best is None:
        settings.note("No instance fits: ask for a shorter context, fewer requests at once, or quantize.")
        return 2
    return 0


def _shape(settings: Settings, where: str) -> ModelShape:
    from bedrock_distill.errors import DataError
    from bedrock_distill.resources.model_inspection import inspect_model

    session = settings.session() if "://" in where else None
    report = inspect_model(where, session=session, region=None, catalog=settings.catalog)
    if report.shape is None:
        reasons = [finding.text for finding in report.findings if finding.severity != "note"]
        raise DataError(
            f"{report.where} cannot be sized: {' '.join(reasons[:3]) or 'it has no config.json with *.safetensors.'} "
            f"See `bedrock-distill models inspect {where}`."
        )
    return report.shape
