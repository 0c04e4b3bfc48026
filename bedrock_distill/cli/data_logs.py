"""`bedrock-distill data from-logs`: training records out of model invocation logs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, table
from bedrock_distill.cli.selecting import SELECTING, query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest import LogReport
    from bedrock_distill.harvest.engines.processes import Engine
    from bedrock_distill.harvest.parts import Receipt

__all__ = ["from_logs"]

# Spelt out, because importing the room that knows them would slow --help; a test holds them equal.
_STOPS = ("end", "length", "filtered", "tool", "other")
_FEWEST = 100

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--out", required=True, type=click.Path(dir_okay=False), help="File to write; whole or not at all."
    ),
    *SELECTING,
    click.option(
        "--responses", is_flag=True, help="Keep the logged answers as golden labels. Default: prompts only."
    ),
    click.option("--multi-turn", is_flag=True, help="Keep conversations of several turns, too."),
    click.option(
        "--stop",
        "stops",
        multiple=True,
        type=click.Choice(_STOPS),
        help="How the answer must have ended. Default, with --responses: not cut off, not filtered.",
    ),
    click.option("--min-chars", type=click.IntRange(min=0), default=0, help="Shortest prompt."),
    click.option("--max-chars", type=click.IntRange(min=1), help="Longest prompt."),
    click.option(
        "--language", "languages", multiple=True, help="ISO 639-1 code; may be repeated. Needs [curate]."
    ),
    click.option("--pattern", help="Regular expression that must be found in the prompt."),
    click.option(
        "--redact", help="Replace personal data and secrets: pii, secrets, or kinds such as email,phone."
    ),
    click.option(
        "--max", "max_records", type=click.IntRange(min=1), help="Take a sample of so many; 15000 is most."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another sample."),
    click.option("--keep-duplicates", is_flag=True, help="Keep records whose prompt came before."),
    click.option(
        "--near-duplicates",
        is_flag=True,
        help="Leave out records whose prompt is nearly that of one before, too.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["local", "spark"]),
        default="local",
        show_default=True,
        help="Processes of this machine, or Spark.",
    ),
    click.option(
        "--master", default="local[*]", show_default=True, help="With --engine spark: Spark's master URL."
    ),
    click.option(
        "--processes", type=click.IntRange(min=1), help="With --engine local. Default: one for each core."
    ),
    click.option("--work", help="Directory or S3 prefix for unfinished work. Default: beside the file."),
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("from-logs")
@click.argument("source")
@_options
@common_options
def from_logs(
    settings: Settings,
    source: str,
    out: str,
    *,
    engine: str,
    master: str,
    processes: int | None,
    max_records: int | None,
    seed: int,
    keep_duplicates: bool,
    near_duplicates: bool,
    work: str | None,
    **wanted: Any,
) -> None:
    """Write training records from model invocation logs at SOURCE.

    SOURCE is an S3 prefix, a directory or a file in Bedrock's layout. Everything that is left out is counted by reason.
    After a kill, the same command goes on where it was.
    """
    from bedrock_distill.harvest import from_logs as run

    if keep_duplicates and near_duplicates:
        raise click.UsageError(
            "--keep-duplicates and --near-duplicates contradict each other: what is the same is nearly the same."
        )
    clients = (
        settings.session().clients if source.startswith("s3:") or (work or "").startswith("s3:") else None
    )
    with settings.progress("bytes read") as progress, _engine(engine, master, processes, clients) as chosen:
        records = size = 0

        def note(receipt: Receipt) -> None:
            nonlocal records, size
            records, size = records + receipt.tally.scanned, size + receipt.tally.bytes_read
            progress.update(size)
            settings.detail(f"{records:,} records, {size / 1e6:,.1f} MB read")

        report = run(
            source,
            out,
            query=query_of(wanted),
            clients=clients,
            engine=chosen,
            max_records=max_records,
            seed=seed,
            distinct=not keep_duplicates,
            near_duplicates=near_duplicates,
            work=work,
            on_listed=lambda total: progress.update(0, total),
            on_part=note,
        )
    settings.emit(report.to_dict(), lambda: _text(report))
    _warn(settings, report)


@contextmanager
def _engine(
    name: str, master: str, processes: int | None, clients: Clients | None
) -> Iterator[Engine | None]:
    from bedrock_distill.harvest.engines.processes import ProcessEngine

    if name == "spark":
        from bedrock_distill.harvest.engines.spark import SparkEngine

        with SparkEngine(master) as engine:
            yield engine
        return
    pool = ProcessEngine(processes)
    one = pool.processes == 1 or (clients is not None and clients.portable is None)
    yield None if one else pool


def _text(report: LogReport) -> str:
    from bedrock_distill.records.logs import REASONS

    tally = report.tally
    wrote = (
        f"Wrote {report.written:,} records to {report.out}: of {tally.scanned:,} log records in {tally.objects:,} objects "
        f"({tally.bytes_read / 1e6:,.1f} MB), {tally.matched:,} matched."
    )
    lines = [wrote]
    if not report.complete:
        lines.append(f"A sample: {tally.objects:,} of {report.objects_listed:,} objects were read.")
    if report.duplicates:
        lines.append(f"Left out {report.duplicates:,} whose prompt came before.")
    sections: tuple[tuple[dict[str, int], tuple[str, str], Callable[[str], str]], ...] = (
        (tally.skipped, ("records", "not used"), lambda reason: f"{reason}: {REASONS.get(reason, reason)}"),  # type: ignore[call-overload]
        (tally.redacted, ("places", "redacted"), str),
        (tally.by_model_id, ("records", "matched, by model as the log names it"), str),
    )
    for counts, header, words in sections:
        if counts:
            rows = sorted(
                ((f"{count:,}", words(name)) for name, count in counts.items()), key=lambda row: row[1]
            )
            lines += ["", table(rows, header)]
    return "\n".join(lines)


def _warn(settings: Settings, report: LogReport) -> None:
    from bedrock_distill.catalog import read_model_id

    for broken in report.tally.broken:
        settings.note(
            f"Warning: {broken.name} could not be read to its end: {broken.reason}. The rest was kept."
        )
    names: dict[str, list[str]] = {}
    for name in sorted(report.tally.by_model_id):
        names.setdefault(read_model_id(name).model or name, []).append(name)
    for model, ways in names.items():
        if len(ways) > 1:
            settings.note(
                f"Note: {model} was called in {len(ways)} ways ({', '.join(ways)}). A job that reads these logs itself "
                "counts a pair only if it is logged under exactly the teacher's name; records written here have no such limit."
            )
    if report.written < _FEWEST:
        settings.note(
            f"Note: a distillation job needs at least {_FEWEST} prompts; these are {report.written}."
        )
