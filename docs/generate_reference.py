"""Write the reference pages from the code, or check that they are what the code says.

`python docs/generate_reference.py` writes `docs/reference/*.md`; with `--check` it exits 1 and names the pages if any is
out of date.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bedrock_distill
from bedrock_distill import errors
from bedrock_distill.cli.main import COMMANDS, EXIT_CODES, cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFERENCE = Path(__file__).parent / "reference"
HEADER = "<!-- Written by docs/generate_reference.py; change the code, then run `make docs`. -->\n\n"


def cli_page() -> Iterator[str]:
    """Every command with its options."""
    yield "# Command line\n"
    yield inspect.cleandoc(cli.help or "") + "\n"
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None  # noqa: S101 - the table's names are its own
        yield from _command(command, f"bedrock-distill {name}", depth=2)


def _command(command: click.Command, path: str, *, depth: int) -> Iterator[str]:
    yield f"{'#' * depth} {path}\n"
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{path} {usage}\n```\n"
    if command.help:
        yield inspect.cleandoc(command.help).replace("\b\n", "") + "\n"
    rows = [row for parameter in command.params if (row := parameter.get_help_record(context)) is not None]
    if rows:
        yield "| option | meaning |\n| --- | --- |"
        yield "\n".join(f"| `{option}` | {' '.join(text.split())} |" for option, text in rows) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _command(inner, f"{path} {name}", depth=depth + 1)


def api_page() -> Iterator[str]:
    """Every public name with its signature and docstring."""
    yield "# Python API\n"
    yield "Everything here is imported as `import bedrock_distill as bd`.\n"
    for name in bedrock_distill.__all__:
        value = getattr(bedrock_distill, name)
        if inspect.ismodule(value) or name == "__version__":
            continue
        yield f"## {name}\n"
        yield from _member(f"bd.{name}", value)
        if inspect.isclass(value):
            for attribute in _public(value):
                yield f"### {name}.{attribute}\n"
                yield from _member(f"{name}.{attribute}", inspect.getattr_static(value, attribute))


def _public(cls: type) -> list[str]:
    own = [base for base in cls.__mro__ if base.__module__.startswith("bedrock_distill")]
    names = {
        name for base in own for name in vars(base) if not name.startswith("_") and name != "model_config"
    }
    return sorted(name for name in names if _documented(inspect.getattr_static(cls, name, None)))


def _documented(value: Any) -> bool:
    inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    return bool(callable(inner) and getattr(inner, "__doc__", None))


def _member(title: str, value: Any) -> Iterator[str]:
    inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    try:
        signature = "" if isinstance(value, property) else str(inspect.signature(inner))
    except (TypeError, ValueError):
        signature = ""
    if signature and len(signature) < 2000:
        yield f"```python\n{title}{signature}\n```\n"
    documentation = inspect.getdoc(inner)
    if documentation and inner.__doc__ and not documentation.startswith("Usage docs:"):
        yield f"```text\n{documentation}\n```\n"


def errors_page() -> Iterator[str]:
    """The tree of errors, their fields and exit codes."""
    yield "# Errors and exit codes\n"
    yield "```text\n" + inspect.cleandoc(errors.__doc__ or "") + "\n```\n"
    yield "| error | fields | exit code |\n| --- | --- | --- |"
    codes = dict(EXIT_CODES)
    for name in errors.__all__:
        cls = getattr(errors, name)
        if not issubclass(cls, errors.BedrockDistillError):
            continue
        fields = [
            parameter
            for parameter in inspect.signature(cls.__init__).parameters
            if parameter not in ("self", "message")
        ]
        code = next(codes[base.__name__] for base in cls.__mro__ if base.__name__ in codes)
        yield f"| `{name}` | {', '.join(f'`{field}`' for field in fields) or '—'} | {code} |"
    yield "\nExit code 0 is success, 130 an interruption."


def catalog_page() -> Iterator[str]:
    """The shipped catalog as tables."""
    catalog = bedrock_distill.load_catalog()
    yield "# Catalog\n"
    yield "What this version knows of Amazon Bedrock, each row with its source and the day it was read. Pages are those of"
    yield "the Bedrock user guide. Lay your own file over it: see [the how-to](../how-to/catalog.md).\n"
    yield "## Models\n\n| model | name | status then | called by | ends | source | as of |\n| --- | --- | --- | --- | --- | --- | --- |"
    for model in catalog.models:
        ends = model.eol_on or "—"
        yield (
            f"| `{model.id}` | {model.name} | {model.status} | {', '.join(model.called)} | {ends} "
            f"| {model.source} | {model.as_of} |"
        )
    yield "\n## Teacher and student pairs\n\n| teacher | student, as sent | regions | source | as of |\n| --- | --- | --- | --- | --- |"
    for pair in catalog.pairs:
        where = ", ".join(pair.regions) or f"none: {pair.withdrawn}"
        yield f"| `{pair.teacher}` | `{pair.send}` | {where} | {pair.source} | {pair.as_of} |"
    yield "\n## Quotas\n\n| quota | value | code | source | as of |\n| --- | --- | --- | --- | --- |"
    for quota in catalog.quotas:
        yield f"| {quota.name} | {quota.value:,} {quota.unit} | {quota.code or '—'} | {quota.source} | {quota.as_of} |"


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "cli.md": cli_page,
    "api.md": api_page,
    "errors.md": errors_page,
    "catalog.md": catalog_page,
}


def main() -> int:
    """Write or check every page."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, page in PAGES.items():
        text = HEADER + "\n".join(page()).rstrip() + "\n"
        path = REFERENCE / name
        if check and (not path.exists() or path.read_text("utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, "utf-8")
    if stale:
        print(f"Out of date: {', '.join(stale)}. Run `make docs`.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
