"""`bedrock-distill data`: check, convert and split training data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, table
from bedrock_distill.cli.data_curate import card, curate
from bedrock_distill.cli.data_logs import from_logs
from bedrock_distill.cli.data_profile import profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.errors import Offence
    from bedrock_distill.records.checking import CheckReport
    from bedrock_distill.records.converting import ConvertReport
    from bedrock_distill.records.rules import Rules
    from bedrock_distill.records.splitting import SplitReport

__all__ = ["command"]

# Spelt out, because importing the room that knows them would slow --help; a test holds them equal.
_FORMATS = ("auto", "prompt-completion", "chat", "csv", "text")
_TURNS = ("keep", "first", "last", "refuse")

_max_offences = click.option(
    "--max-offences",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many offences to list; all are counted.",
)


@click.group("data")
def command() -> None:
    """Check, convert, split and curate training data, and make it from invocation logs."""


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--teacher", required=True, help="The teacher's model id.")
@click.option("--student", required=True, help="The student's model id.")
@_max_offences
@common_options
def check(settings: Settings, files: tuple[str, ...], teacher: str, student: str, max_offences: int) -> None:
    """Say whether files of records keep Bedrock's rules for a teacher and a student.

    Each FILE holds one record of bedrock-conversation-2024 a line, packed with gzip or not. Exits with 2 if a file
    offends.
    """
    from bedrock_distill.errors import DataError
    from bedrock_distill.records.checking import check_file

    rules = _rules(settings, teacher, student)
    reports = [check_file(path, rules, max_offences=max_offences) for path in files]
    document = {
        "ok": all(report.ok for report in reports),
        "teacher": teacher,
        "student": student,
        "files": [report.to_dict() for report in reports],
    }
    settings.emit(document, lambda: "\n\n".join(_check_text(report) for report in reports))
    offending = [report for report in reports if not report.ok]
    if offending:
        what = "offends" if len(offending) == 1 else "offend"
        raise DataError(
            f"{len(offending)} of {len(reports)} files {what} against Bedrock's rules.",
            count=sum(report.offence_count for report in offending),
        )


@command.command("convert")
@click.argument("source")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False),
    help="File to write; it appears whole or not at all.",
)
@click.option(
    "--from",
    "format_",
    type=click.Choice(_FORMATS),
    default="auto",
    show_default=True,
    help="What SOURCE is.",
)
@click.option("--system", metavar="TEXT|@FILE", help="System prompt for rows that bring none.")
@click.option(
    "--keep-completions/--drop-completions",
    "completions",
    default=True,
    show_default=True,
    help="Keep completions as golden labels, or write prompts only.",
)
@click.option(
    "--turns",
    type=click.Choice(_TURNS),
    default="keep",
    show_default=True,
    help="Conversations of several turns: keep them, keep one turn, or refuse them. Llama takes single turns.",
)
@click.option("--prompt-field", default="prompt", show_default=True, help="Key or column of the prompt.")
@click.option(
    "--completion-field", default="completion", show_default=True, help="Key or column of the completion."
)
@click.option(
    "--system-field", default="system", show_default=True, help="Key or column of the system prompt."
)
@click.option("--skip-bad", is_flag=True, help="Leave out rows that cannot be converted, and list them.")
@_max_offences
@common_options
def convert(
    settings: Settings,
    source: str,
    out: str,
    format_: Any,
    system: str | None,
    completions: bool,
    turns: Any,
    prompt_field: str,
    completion_field: str,
    system_field: str,
    skip_bad: bool,
    max_offences: int,
) -> None:
    """Write SOURCE as records of bedrock-conversation-2024.

    SOURCE is JSON Lines of prompt and completion or of chats (OpenAI's, Converse's, plain strings), CSV with a header,
    or one prompt a line. A row that cannot be converted is an error, unless --skip-bad.
    """
    from bedrock_distill.records.converting import convert_file
    from bedrock_distill.records.shapes import Fields

    report = convert_file(
        source,
        out,
        format=format_,
        system=_text_or_file(system),
        completions=completions,
        turns=turns,
        fields=Fields(prompt=prompt_field, completion=completion_field, system=system_field),
        skip_bad=skip_bad,
        max_offences=max_offences,
    )
    settings.emit(report.to_dict(), lambda: _convert_text(report))


@command.command("split")
@click.argument("file")
@click.option(
    "--out-dir", required=True, type=click.Path(file_okay=False), help="Folder for NAME.jsonl, one a share."
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    required=True,
    metavar="NAME=FRACTION",
    help="A part and its share, such as train=0.9; repeat it until the shares add up to 1.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Another seed, another split.",
)
@click.option("--teacher", help="With --student: check each line by their rules on the way.")
@click.option("--student", help="With --teacher: check each line by their rules on the way.")
@click.option("--skip-bad", is_flag=True, help="Leave out lines that offend, and list them.")
@_max_offences
@common_options
def split(
    settings: Settings,
    file: str,
    out_dir: str,
    shares: tuple[str, ...],
    seed: int,
    teacher: str | None,
    student: str | None,
    skip_bad: bool,
    max_offences: int,
) -> None:
    """Split a file of records into named parts by a hash of their prompts.

    Adding records to FILE moves none of the others, and records with the same prompt stay together.
    """
    from bedrock_distill.records.splitting import split_file

    if (teacher is None) != (student is None):
        raise click.UsageError("--teacher and --student go together.")
    rules = _rules(settings, teacher, student) if teacher is not None and student is not None else None
    report = split_file(
        file,
        _shares(shares),
        seed,
        out_dir=out_dir,
        rules=rules,
        skip_bad=skip_bad,
        max_offences=max_offences,
    )
    settings.emit(report.to_dict(), lambda: _split_text(report))


for each in (from_logs, profile, curate, card):
    command.add_command(each)


def _rules(settings: Settings, teacher: str, student: str) -> Rules:
    from bedrock_distill.catalog import load_catalog
    from bedrock_distill.records.rules import rules_for

    catalog = load_catalog(settings.catalog)
    rules = rules_for(catalog, teacher, student)
    pair = catalog.pair(teacher, student)
    if pair is None:
        settings.note(
            f"Note: the catalog has no pair of {teacher} and {student}; checking the data all the same."
        )
    elif pair.withdrawn:
        settings.note(f"Note: {pair.withdrawn}")
    return rules


def _text_or_file(text: str | None) -> str | None:
    if text is None or not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"cannot read {text[1:]!r}: {error}", param_hint="--system") from error


def _shares(texts: Sequence[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            share = float(number)
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is not NAME=FRACTION, such as train=0.9.", param_hint="--share"
            ) from None
        if name in shares:
            raise click.BadParameter(f"the share {name!r} is given twice.", param_hint="--share")
        shares[name] = share
    return shares


def _check_text(report: CheckReport) -> str:
    facts = (
        ("lines", f"{report.lines:,}" + (f" ({report.blank:,} blank)" if report.blank else "")),
        ("valid records", f"{report.prompts:,} ({report.labelled:,} labelled)"),
        ("bytes", f"{report.size_bytes:,}, longest line {report.longest_line_bytes:,}"),
        (
            "tokens",
            f"about {report.tokens:,}, longest record about {report.longest_record_tokens:,} (estimated)",
        ),
    )
    verdict = "fine" if report.ok else _count(report.offence_count, "offence")
    parts = [f"{report.file}: {verdict}", *(f"  {name:14}{value}" for name, value in facts)]
    parts += [f"  warning       {warning.reason}" for warning in report.warnings]
    if not report.ok:
        parts += [
            "",
            table(Counter(report.counts).most_common(), ("code", "offences")),
            "",
            *_listed(report.offences, report.offence_count),
        ]
    return "\n".join(parts)


def _convert_text(report: ConvertReport) -> str:
    rows = " and ".join(_count(count, f"{name} row") for name, count in report.formats.items())
    parts = [
        f"Wrote {report.records:,} records ({report.labelled:,} labelled) to {report.target}, from {rows}."
    ]
    if report.ignored:
        keys = ", ".join(f"{key} ({_count(count, 'row')})" for key, count in sorted(report.ignored.items()))
        parts.append(f"No place in a record for: {keys}.")
    if report.bad_rows:
        parts += [f"Left out {_count(report.bad_rows, 'row')}:", *_listed(report.offences, report.bad_rows)]
    return "\n".join(parts)


def _split_text(report: SplitReport) -> str:
    rows = [(part.name, part.share, part.records, part.size_bytes, part.path) for part in report.parts]
    parts = [table(rows, ("part", "share", "records", "bytes", "file"))]
    if report.check.bad_lines:
        parts += [
            f"Left out {_count(report.check.bad_lines, 'line')}:",
            *_listed(report.check.offences, report.check.offence_count),
        ]
    return "\n".join(parts)


def _listed(offences: Sequence[Offence], count: int) -> list[str]:
    more = [f"… and {count - len(offences):,} more (--max-offences)"] if count > len(offences) else []
    return [*map(str, offences), *more]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
