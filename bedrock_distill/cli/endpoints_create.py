"""`bedrock-distill endpoints create`: put a model behind an endpoint, or change what one serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, pairs
from bedrock_distill.cli.creating import create as make
from bedrock_distill.cli.creating import creating_options

if TYPE_CHECKING:
    from bedrock_distill.resources import Endpoint

__all__ = ["create"]

_CONTAINER = {
    "container_version": "version",
    "context": "context",
    "concurrency": "concurrency",
    "tensor_parallel": "tensor_parallel",
    "dtype": "dtype",
    "quantize": "quantize",
    "extra": "extra",
}
"""Option -> the container's field."""

_PARTS = {
    "scaling": {"least": "minimum", "most": "maximum", "requests_each": "requests_each"},
    "asynchronous": {"async_output": "output"},
    "rollout": {"rollout_percent": "batch_percent", "alarms": "alarms"},
}
"""Part of an endpoint -> option -> the part's field; a part is there where one of its options is given."""


@click.command("create")
@click.argument("model")
@click.option("--name", required=True, help="The endpoint's name. One that is there is updated in place.")
@click.option(
    "--container",
    type=click.Choice(["lmi", "vllm", "tgi", "trtllm"]),
    default="lmi",
    show_default=True,
    help="What serves the model.",
)
@click.option("--container-version", metavar="VERSION", help="Version of its image. Default: the newest.")
@click.option(
    "--instance",
    default="auto",
    show_default=True,
    metavar="TYPE",
    help="Instance type, such as ml.g6e.xlarge; auto takes the first that `endpoints size` finds.",
)
@click.option(
    "--instances", type=click.IntRange(min=1), default=1, show_default=True, help="Instances to start with."
)
@click.option("--staging", help="S3 folder to stage a local directory in, such as s3://BUCKET/models/.")
@click.option("--role", help="ARN of the role the container runs with. Default: one is made.")
@click.option("--kms-key", help="KMS key that encrypts the instances' volumes.")
@click.option("--data-kms-key", help="KMS key that encrypts the staged files.")
@click.option(
    "--context",
    type=click.IntRange(min=1),
    help="Tokens of a request with its answer. Default: the model's own, at most 8,192.",
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Requests worked on at once. Default: 32.")
@click.option(
    "--tensor-parallel",
    type=click.IntRange(min=1),
    help="GPUs that share one copy of the model. Default: what holds the most requests.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float16", "bfloat16"]),
    help="What unquantized weights are computed in. Default: what the checkpoint says.",
)
@click.option(
    "--quantize", metavar="METHOD", help="Quantize the weights as they are loaded, such as fp8. Default: not."
)
@click.option(
    "--set",
    "extra",
    multiple=True,
    callback=pairs,
    metavar="KEY=VALUE",
    help="A further environment variable of the container. May be repeated.",
)
@click.option(
    "--min",
    "least",
    type=click.IntRange(min=0),
    metavar="N",
    help="Scale down to N instances at least; 0 ends the bill while nobody asks. Default with --max: 1.",
)
@click.option(
    "--max",
    "most",
    type=click.IntRange(min=1),
    metavar="N",
    help="Scale up to N instances at most. Default with --min: 2.",
)
@click.option(
    "--requests-each",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Requests under way on each instance that scaling aims at. Default: 70 % of the concurrency.",
)
@click.option(
    "--async-output", metavar="S3_URI", help="Answer asynchronously, and write answers to this S3 folder."
)
@click.option(
    "--rollout-percent",
    type=click.IntRange(5, 50),
    metavar="N",
    help="Update N percent of the instances at a time. Default with --alarm: 50; else all at once, by a new fleet.",
)
@click.option(
    "--alarm",
    "alarms",
    multiple=True,
    metavar="NAME",
    help="A CloudWatch alarm that takes an update back. May be repeated.",
)
@click.option("--network-isolation", is_flag=True, help="Give the container no network at all.")
@creating_options("2h", "until it answers")
@common_options
def create(
    settings: Settings, model: str, dry_run: bool, wait: bool, timeout: float, yes: bool, **wanted: Any
) -> None:
    """Serve MODEL, a directory or an s3:// prefix, on a SageMaker endpoint, and print the endpoint's ARN.

    The same --name with another model or other settings is an update: the endpoint goes on answering while what serves
    is replaced, and keeps its ARN. The same with nothing changed does nothing. It bills by the hour until
    `bedrock-distill endpoints delete NAME`.

    What has no option here (a VPC, LoRA adapters, speculation ...) has its field in a job file's [endpoint] table.
    """
    make(settings, _spec(model, wanted), dry_run=dry_run, wait=wait, timeout=timeout, yes=yes)


def _spec(model: str, options: dict[str, Any]) -> Endpoint:
    """The endpoint that the options describe; what is not given is left to the spec's own defaults."""
    from bedrock_distill.resources import Endpoint
    from bedrock_distill.resources.endpoint import CONTAINERS

    given = {name: value for name, value in options.items() if value not in (None, (), {})}
    container = CONTAINERS[given.pop("container")]
    given["container"] = container(**_taken(given, _CONTAINER))
    for part, fields in _PARTS.items():
        if settings := _taken(given, fields):
            given[part] = settings
    return Endpoint(model=model, **given)


def _taken(options: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    """Take these options out, under the names of their fields."""
    return {field: options.pop(name) for name, field in fields.items() if name in options}
