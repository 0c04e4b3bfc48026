"""`bedrock-distill local`: the local cloud for other processes."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options

if TYPE_CHECKING:
    from bedrock_distill.local import Cloud, TrainingSettings

__all__ = ["command"]


@click.group("local")
def command() -> None:
    """Run the local cloud for other processes."""


@command.command("serve")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1. Default: a free one."
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="MODEL=SOURCE",
    help="Who answers for a model: recorded pairs (JSONL), a Hugging Face directory, or package.module:function.",
)
@click.option(
    "--clock",
    type=click.Choice(["instant", "polls", "real"]),
    default="instant",
    show_default=True,
    help="How fast resources move.",
)
@click.option(
    "--polls",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Describes per phase (--clock polls).",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of ids and of training.")
@click.option(
    "--account-id", default="123456789012", show_default=True, help="The account that owns everything."
)
@click.option(
    "--workdir",
    type=click.Path(file_okay=False),
    help="Keep this run's weights in a new directory in this one. Default: a temporary one.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="RULE",
    help="A failure on demand, such as operation=Converse,nth=2,code=ThrottlingException.",
)
@click.option(
    "--train",
    "training",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the student trainer, such as steps=50 or size=tiny.",
)
@click.option("--bucket", "buckets", multiple=True, metavar="NAME", help="Create this bucket at the start.")
@common_options
def serve(
    settings: Settings,
    port: int,
    teachers: tuple[str, ...],
    faults: tuple[str, ...],
    buckets: tuple[str, ...],
    training: tuple[str, ...],
    **options: Any,
) -> None:
    """Serve Bedrock, S3, IAM and STS on this machine until a signal comes.

    One JSON line on stdout says when it is ready: the `url`, the `environment` a client exports, the variables it should
    `unset`, and the `pid`. SIGTERM, SIGINT and SIGHUP stop it.
    """
    from bedrock_distill.catalog import load_catalog
    from bedrock_distill.local import Cloud, Fault

    stop = threading.Event()
    signals = [signal.SIGTERM, signal.SIGINT]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored: nohup
        signals.append(signal.SIGHUP)
    for number in signals:
        signal.signal(number, lambda *_: stop.set())
    cloud = Cloud(
        teachers=dict(_teacher(text) for text in teachers),
        region=settings.region or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        faults=[Fault.parse(text) for text in faults],
        catalog=load_catalog(settings.catalog) if settings.catalog else None,
        training=_training(training),
        **options,
    )
    with cloud:
        for name in buckets:
            cloud.bucket(name)
        _serve(cloud, port, stop)
    settings.note("The local cloud has stopped.")


def _serve(cloud: Cloud, port: int, stop: threading.Event) -> None:
    from bedrock_distill.errors import SpecError

    try:
        server = cloud.serve(port)
    except OSError as error:
        raise SpecError(
            f"Cannot listen on 127.0.0.1:{port}: {error.strerror or error}. Take another port, or 0 for a free one.",
            field="port",
            value=port,
        ) from error
    ready = {
        "url": server.url,
        "environment": server.environment,
        "unset": list(server.unset),
        "pid": os.getpid(),
    }
    click.echo(json.dumps(ready))
    stop.wait()


def _training(texts: tuple[str, ...]) -> TrainingSettings:
    """Read `KEY=VALUE` pairs; values are JSON where they read as JSON, and text otherwise."""
    from bedrock_distill.errors import SpecError
    from bedrock_distill.local import TrainingSettings

    overrides: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise SpecError(
                f"{text!r} is no setting of the trainer: write KEY=VALUE.", field="train", value=text
            )
        try:
            overrides[key] = json.loads(value)
        except json.JSONDecodeError:
            overrides[key] = value
    size = overrides.pop("size", None)
    return TrainingSettings(size=size, overrides=overrides)


def _teacher(text: str) -> tuple[str, Any]:
    """Read `MODEL=SOURCE`: a path stays a path, `package.module:function` becomes the function."""
    from bedrock_distill.errors import SpecError

    model, separator, source = text.partition("=")
    if not separator or not model or not source:
        raise SpecError(f"{text!r} is not a teacher: write MODEL=PATH or MODEL=package.module:function.")
    module, colon, name = source.partition(":")
    if os.path.exists(source) or not colon or not name.isidentifier():  # noqa: PTH110 - an S3 URI is no Path
        return model, source
    return model, _load(module, name, text)


def _load(module: str, name: str, text: str) -> Any:
    import importlib
    import sys

    from bedrock_distill.errors import SpecError

    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - `python -m` does the same: a file beside the caller can be named
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"The teacher {text!r} cannot be loaded: {error}.") from error
    finally:
        sys.path.pop(0)
