"""`bedrock-distill evaluate`: the student against its teacher, and the gate."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.evaluation import Report, TokenPrice, Verdict
    from bedrock_distill.session import Session

__all__ = ["command"]

_METRICS = ("exact_match", "normalised_match", "json_equal", "json_fields")
"""The metrics' names, spelt out so that --help loads none; a test holds them equal to the library's."""


def _temperature(_: click.Context, __: click.Parameter, value: str) -> float | None:
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor `none`.") from None


@click.command("evaluate")
@click.option("--student", required=True, metavar="ID", help="Model id or ARN of what is measured.")
@click.option(
    "--teacher", required=True, metavar="ID", help="Model id or ARN of what it is measured against."
)
@click.option("--base", metavar="ID", help="Model id or ARN of the student before training.")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Held-out prompts, as JSONL records; golden completions are used where there are any.",
)
@click.option("--system", help="System prompt of every call. Default: each record's own.")
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    help="Most tokens of an answer.",
)
@click.option(
    "--temperature",
    default="0",
    show_default=True,
    metavar="X",
    callback=_temperature,
    help="Randomness from 0 to 1, or `none` for models that refuse the setting.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    type=click.Choice(_METRICS),
    help="How answers are compared; the first decides. May be repeated. Default: by what the teacher answers.",
)
@click.option(
    "--report",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Write report.html and report.json there.",
)
@click.option(
    "--min-retention",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Fail unless retention is at least this, such as 0.9.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Chance of passing a student that is worse than --min-retention.",
)
@click.option(
    "--max-failed-share",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="With --min-retention: fail if more of the calls failed.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask only the first N prompts.")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Calls under way at once."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Where the bootstrap's randomness starts."
)
@common_options
def command(
    settings: Settings,
    student: str,
    teacher: str,
    base: str | None,
    data: str,
    folder: str | None,
    min_retention: float | None,
    alpha: float,
    max_failed_share: float,
    metrics: tuple[str, ...],
    **options: Any,
) -> None:
    """Measure a student against its teacher, with a gate for CI.

    Every side is asked every prompt. Retention is the student's score over the teacher's, on golden completions where
    the data has them, and otherwise the agreement with the teacher. With --min-retention, the exit code is 3 unless the
    lower confidence bound of retention reaches it.
    """
    from bedrock_distill.evaluation import evaluate

    session = settings.session()
    with ExitStack() as displays:
        report = evaluate(
            session.model(student),
            session.model(teacher),
            data,
            base=session.model(base) if base else None,
            metrics=metrics or None,
            prices=_prices(session, student, teacher, base),
            on_progress=_progress(settings, displays),
            **options,
        )
    verdict = None
    if min_retention is not None:
        verdict = report.check(min_retention=min_retention, alpha=alpha, max_failed_share=max_failed_share)
    if folder:
        saved = report.save(folder, verdict=verdict)
        settings.note(f"Report: {saved.html}")
    settings.emit(report.to_dict(answers=False, verdict=verdict), lambda: _text(report, verdict))
    if verdict:
        verdict.enforce()


def _text(report: Report, verdict: Verdict | None) -> str:
    return f"{report}" if verdict is None else f"{report}\n\n{verdict}"


def _progress(settings: Settings, displays: ExitStack) -> Callable[[str, int, int], None]:
    """A display a side, each opened by its first answer."""
    shown: dict[str, Any] = {}

    def tell(side: str, done: int, total: int) -> None:
        if side not in shown:
            displays.close()
            shown[side] = displays.enter_context(settings.progress(f"Asking the {side}", total))
        shown[side].update(done)

    return tell


def _prices(session: Session, *model_ids: str | None) -> dict[str, TokenPrice]:
    """Token prices of the models that the catalog has a price for."""
    from bedrock_distill.evaluation import TokenPrice

    found = {}
    for model_id in filter(None, model_ids):
        prompt = session.catalog.price(model_id, "input_1k_tokens", session.clients.region)
        answer = session.catalog.price(model_id, "output_1k_tokens", session.clients.region)
        if prompt and answer:
            found[session.model(model_id).model_id] = TokenPrice(
                input_usd_per_1k=prompt.usd, output_usd_per_1k=answer.usd
            )
    return found
