"""What every command shares: the common options, and the one way to print results, notes and progress.

Results go to stdout, everything else to stderr. With `--output json` a command prints one JSON document and nothing
else.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bedrock_distill.session import Session

__all__ = [
    "DefaultGroup",
    "Progress",
    "Settings",
    "common_options",
    "duration",
    "has_terminal",
    "lines_of",
    "money_option",
    "pairs",
    "table",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The common options, and what they decide."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    output: Literal["table", "json"] = "table"
    quiet: bool = False
    verbose: bool = False
    catalog: str | None = None

    def session(self) -> Session:
        """A session with these options."""
        from bedrock_distill.session import Session

        return Session(
            profile=self.profile, region=self.region, endpoint_url=self.endpoint_url, catalog=self.catalog
        )

    def emit(self, document: object, text: str | Callable[[], str]) -> None:
        """Print a result on stdout: the document as JSON, or the text for people."""
        if self.output == "json":
            shown = json.dumps(document, indent=2, ensure_ascii=False, default=_jsonable)
        else:
            shown = text() if callable(text) else text
        try:
            click.echo(shown)
        except BrokenPipeError:
            # The reader has gone (`| head`). That changes nothing of what was done, nor of the exit code that says so.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def note(self, text: str) -> None:
        """Print a remark on stderr, unless `--quiet`."""
        if not self.quiet:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        """Print a remark on stderr that only `--verbose` wants."""
        if self.verbose:
            click.echo(text, err=True)

    def confirm(self, question: str, *, otherwise: str) -> None:
        """Ask a yes-or-no question on the terminal.

        Args:
            question: What to ask.
            otherwise: What to say where there is no terminal to ask.

        Raises:
            click.UsageError: If nobody can be asked.
            click.Abort: If the answer is no.
        """
        if not has_terminal():
            raise click.UsageError(otherwise)
        click.confirm(question, abort=True, err=True)

    @contextmanager
    def progress(self, label: str, total: int | None = None) -> Iterator[Progress]:
        """Show how far a long operation is: a bar on a terminal, a line at each tenth otherwise."""
        shown = Progress(label, total, silent=self.quiet)
        try:
            yield shown
        finally:
            shown.close()


class DefaultGroup(click.Group):
    """A group whose unknown first word is an argument of one of its commands: `deploy MODEL_ARN` reads as it should.

    Args:
        default: The command's name.
    """

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default = default

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of this name, or the default with all words as its arguments."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = [self.default, *args]
        return super().resolve_command(ctx, args)


class Progress:
    """A progress display on stderr."""

    def __init__(self, label: str, total: int | None, *, silent: bool) -> None:
        self._label, self._total, self._silent = label, total, silent
        self._bar: Any = None
        self._shown = -1
        self._done = 0

    def update(self, done: int, total: int | None = None) -> None:
        """Say that `done` units of the total are done."""
        self._total = total or self._total
        if self._silent:
            return
        if self._bar is None and sys.stderr.isatty():
            # Only now: many operations have nothing to do, and a bar that stays at zero looks like a hang.
            self._bar = click.progressbar(length=self._total or 1, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        if self._bar is not None:
            self._bar.length = self._total or self._bar.length
            self._bar.update(done - self._done)
        elif self._total and (tenth := done * 10 // self._total) > self._shown:
            self._shown = tenth
            click.echo(f"{self._label}: {done} of {self._total}", err=True)
        self._done = done

    def close(self) -> None:
        """Leave the terminal tidy."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the common options to a command, which receives them as its `settings`."""
    options = (
        click.option("--profile", help="AWS profile. Default: boto3's own choice."),
        click.option("--region", help="AWS region. Default: boto3's own choice."),
        click.option("--endpoint-url", help="Send every request there, such as a served local cloud."),
        click.option(
            "--catalog", type=click.Path(dir_okay=False), help="A file laid over the shipped catalog."
        ),
        click.option(
            "--output",
            type=click.Choice(["table", "json"]),
            default="table",
            show_default=True,
            help="What to print on stdout.",
        ),
        click.option("--quiet", "-q", is_flag=True, help="Print the result and nothing else."),
        click.option("--verbose", "-v", is_flag=True, help="Say more on stderr."),
    )
    names = ("profile", "region", "endpoint_url", "catalog", "output", "quiet", "verbose")

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        settings = Settings(**{name: kwargs.pop(name) for name in names})
        with _logs(settings):
            return function(settings, *args, **kwargs)

    return functools.reduce(lambda command, option: option(command), reversed(options), wrapped)


def money_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--yes`: consent to steps that cost money, for where no terminal can ask."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask before steps that cost money.")(
        function
    )


class _Duration(click.ParamType[float]):
    """A duration in seconds, or with a unit: 90, 90s, 15m, 6h, 2d."""

    name = "duration"
    _UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # noqa: RUF012 - a constant table

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        number, unit = (value[:-1], value[-1]) if value[-1:] in self._UNITS else (value, "s")
        try:
            seconds = float(number) * self._UNITS[unit]
        except ValueError:
            self.fail(f"{value!r} is not a duration: write 90, 90s, 15m, 6h or 2d.", param, ctx)
        if not 0 < seconds < math.inf:
            self.fail(f"{value!r} is not a duration above zero.", param, ctx)
        return seconds


duration = _Duration()
"""click type of durations such as `6h`, in seconds."""


def pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read `KEY=VALUE`, given any number of times; a callback of options."""
    for value in values:
        if not value.partition("=")[1]:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE.")
    return dict(value.split("=", 1) for value in values)


def table(rows: list[tuple[Any, ...]], header: tuple[str, ...]) -> str:
    """Rows as aligned columns; numbers to the right."""
    cells = [tuple("" if cell is None else str(cell) for cell in row) for row in rows]
    if not cells:
        return f"(no {header[0]})"
    widths = [max(len(column[index]) for column in [header, *cells]) for index in range(len(header))]
    right = [all(isinstance(row[index], (int, float)) for row in rows) for index in range(len(header))]

    def line(row: tuple[str, ...]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([click.style(line(header), bold=True) if _color() else line(header), *map(line, cells)])


def lines_of(document: Mapping[str, Any]) -> str:
    """A description as people read it: one member a line."""
    width = max((len(key) for key in document), default=0)
    return "\n".join(f"{key.ljust(width)} {value}" for key, value in document.items())


def has_terminal() -> bool:
    """Whether there is somebody to ask. A process may also have no standard input at all (`0<&-`, some schedulers)."""
    return sys.stdin is not None and sys.stdin.isatty()


def _color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


class _ToStderr(logging.Handler):
    """Prints what the library logs as the notes that commands print."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


@contextmanager
def _logs(settings: Settings) -> Iterator[None]:
    """Show the library's warnings, and with `--verbose` every request that is tried again."""
    log, edge = logging.getLogger("bedrock_distill"), logging.getLogger("bedrock_distill.aws")
    handler = _ToStderr(logging.ERROR if settings.quiet else logging.NOTSET)
    before = edge.level
    log.addHandler(handler)
    edge.setLevel(logging.INFO if settings.verbose else before)
    try:
        yield
    finally:
        log.removeHandler(handler)
        edge.setLevel(before)


def _jsonable(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)
