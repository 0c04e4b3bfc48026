"""The entry point: which command lives where, and how errors become exit codes.

Commands are imported when they are run, so that `--help` costs no more than click itself. That is why their one-line
summaries stand here; a test holds them equal to the commands' own.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.errors import BedrockDistillError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": (
        "bedrock_distill.cli.demo",
        "Distil a student offline, from prompts to a report, in about a minute.",
    ),
    "data": (
        "bedrock_distill.cli.data",
        "Check, convert, split and curate training data, and make it from invocation logs.",
    ),
    "plan": ("bedrock_distill.cli.plan", "Say what a job file would do and cost, without doing it."),
    "apply": ("bedrock_distill.cli.apply", "Do what a plan says, once, however often it is called."),
    "jobs": ("bedrock_distill.cli.jobs", "List, show, wait for and stop distillation jobs."),
    "models": (
        "bedrock_distill.cli.models",
        "List, show, copy and delete custom models; inspect a model's directory.",
    ),
    "deploy": ("bedrock_distill.cli.deploy", "Deploy a custom model on demand; list and delete deployments."),
    "import": (
        "bedrock_distill.cli.imports",
        "Import a Hugging Face model into Bedrock; list and delete imported models.",
    ),
    "batch": (
        "bedrock_distill.cli.batch",
        "Have a file of prompts answered by one batch inference job; list, stop and read such jobs.",
    ),
    "provisioned": (
        "bedrock_distill.cli.provisioned",
        "Buy provisioned throughput for a model; list, change and end it.",
    ),
    "endpoints": (
        "bedrock_distill.cli.endpoints",
        "Serve a model on a SageMaker endpoint; size, list, update and delete endpoints.",
    ),
    "harvest": ("bedrock_distill.cli.harvest", "List, show, wait for and stop harvests on EMR Serverless."),
    "logs": ("bedrock_distill.cli.logs", "Switch model invocation logging on and off, and see what it does."),
    "chat": ("bedrock_distill.cli.chat", "Send one prompt to a model or deployment and print the answer."),
    "evaluate": (
        "bedrock_distill.cli.evaluate",
        "Measure a student against its teacher, with a gate for CI.",
    ),
    "evaluate-jobs": (
        "bedrock_distill.cli.evaluate_jobs",
        "List, show, wait for, stop, read and delete Bedrock's evaluation jobs.",
    ),
    "refine": (
        "bedrock_distill.cli.refine",
        "Keep a student good: learn from new traffic, promote if it is better, roll back.",
    ),
    "cascade": (
        "bedrock_distill.cli.cascade",
        "Find from which score on a student may answer without its teacher.",
    ),
    "ls": (
        "bedrock_distill.cli.ls",
        "List all that serves or is kept in the region, and what it is billed by.",
    ),
    "sweep": ("bedrock_distill.cli.sweep", "Delete what specs of a name have made and is billed for."),
    "local": ("bedrock_distill.cli.local", "Run the local cloud for other processes."),
    "catalog": ("bedrock_distill.cli.catalog", "Show the models, pairs and quotas this version knows."),
}
"""Command name -> module that holds its `command`, and its one-line summary."""

EXIT_CODES: tuple[tuple[str, int], ...] = (
    ("GateFailedError", 3),
    ("OverBudgetError", 3),
    ("WaitTimeoutError", 4),
    ("ServiceError", 5),
    ("JobFailedError", 1),
    ("SpecError", 2),
    ("DataError", 2),
    ("PlanError", 2),
    ("MissingDependencyError", 2),
    ("BedrockDistillError", 1),
)
"""Error class -> exit code; the first row that the error is an instance of decides."""


class _LazyGroup(click.Group):
    """A group that knows its commands' names and summaries without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import version

    click.echo(f"bedrock-distill {version('bedrock-distill')}")
    ctx.exit()


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Print the version.",
)
def cli() -> None:
    """Distil a cheaper model on Amazon Bedrock, and prove that it is as good.

    Exit codes: 0 done, 1 the job or resource failed, 2 wrong usage, spec or data, 3 gate failed or over budget,
    4 timed out and still running, 5 AWS refused or unreachable, 130 interrupted.
    """


def exit_code(error: BedrockDistillError) -> int:
    """The exit code that stands for an error."""
    lineage = {cls.__name__ for cls in type(error).__mro__}
    return next(code for name, code in EXIT_CODES if name in lineage)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    from bedrock_distill.errors import BedrockDistillError

    try:
        code = cli.main(
            args=None if args is None else list(args), prog_name="bedrock-distill", standalone_mode=False
        )
    except BedrockDistillError as error:
        click.echo(f"Error: {error}", err=True)
        for offence in getattr(error, "offences", ()):
            click.echo(f"  {offence}", err=True)
        sys.exit(exit_code(error))
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except OSError as error:
        # A file of the user's that cannot be read or written, where no command had better words.
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
