"""`bedrock-distill data profile`: what traffic invocation logs hold, and what of it is worth distilling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options
from bedrock_distill.cli.selecting import SELECTING, query_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.profiling import Profile

__all__ = ["profile"]

_WRITERS = {
    ".json": lambda made: json.dumps(made.to_dict(), indent=2, ensure_ascii=False) + "\n",
    ".md": lambda made: made.to_markdown(),
    ".html": lambda made: made.to_html(),
}
"""Suffix of the file -> what is written."""

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--by",
        multiple=True,
        metavar="KEY",
        help="Group by this, too: metadata.KEY of the request, model or operation; may be repeated.",
    ),
    click.option("--no-templates", is_flag=True, help="Do not group by what fixed text prompts share."),
    click.option("--teacher", help="Whose calls a student would take over. Default: whoever answered."),
    click.option("--student", help="Who would answer: says what that would save."),
    click.option(
        "--price",
        "prices",
        multiple=True,
        metavar="MODEL:KIND=USD",
        help="A price that goes before the catalog's, such as MODEL:input_1k_tokens=0.001; may be repeated.",
    ),
    click.option(
        "--student-share",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.9,
        show_default=True,
        help="Share of the calls that the student would answer.",
    ),
    click.option(
        "--examples",
        type=click.IntRange(1, 15_000),
        default=15_000,
        show_default=True,
        help="Prompts to learn from, at most.",
    ),
    click.option(
        "--logged-answers",
        is_flag=True,
        help="The logged answers are learned; the teacher is not asked anew.",
    ),
    click.option(
        "--passes",
        type=click.FloatRange(0, 1000, min_open=True, max_open=True),
        default=1,
        show_default=True,
        help="How often the training reads the examples; Bedrock chooses.",
    ),
    click.option(
        "--evaluation-prompts",
        type=click.IntRange(min=0),
        default=400,
        show_default=True,
        help="Prompts that both answer to be compared.",
    ),
    click.option(
        "--hosting-usd-per-day",
        type=click.FloatRange(0, 1e9, max_open=True),
        default=0,
        show_default=True,
        help="What serving the student costs a day beside tokens.",
    ),
    *SELECTING,
    click.option(
        "--max-groups",
        type=click.IntRange(min=1),
        default=50,
        show_default=True,
        help="Groups to tell apart; rarer ones are counted together.",
    ),
    click.option(
        "--curve",
        metavar="GROUP",
        help="Rank or id of a group: train small students to see what more examples would bring. Needs [local].",
    ),
    click.option(
        "--out", type=click.Path(dir_okay=False), help="Write the profile there too, as .md, .html or .json."
    ),
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("profile")
@click.argument("source")
@_options
@common_options
def profile(
    settings: Settings,
    source: str,
    *,
    no_templates: bool,
    prices: tuple[str, ...],
    student_share: float,
    examples: int,
    logged_answers: bool,
    passes: float,
    evaluation_prompts: int,
    hosting_usd_per_day: float,
    out: str | None,
    by: tuple[str, ...],
    teacher: str | None,
    student: str | None,
    max_groups: int,
    curve: str | None,
    **wanted: Any,
) -> None:
    """Say what traffic the logs at SOURCE hold, and what of it is worth distilling.

    SOURCE is an S3 prefix, a directory or a file in Bedrock's layout. Calls are grouped by the fixed text that prompts
    share and by --by; every line is counted, in a group or under the reason why it is no call.
    """
    from bedrock_distill.catalog import load_catalog
    from bedrock_distill.profiling import Assumptions
    from bedrock_distill.profiling import profile as run

    write = _writer(out)
    by_model = _prices(prices)
    session = settings.session() if source.startswith("s3:") else None
    with settings.progress("bytes read") as progress:
        made = run(
            source,
            by=by,
            templates=not no_templates,
            query=query_of(wanted),
            teacher=teacher,
            student=student,
            prices=by_model,
            assumptions=Assumptions(
                student_share=student_share,
                examples=examples,
                ask_teacher=not logged_answers,
                passes=passes,
                evaluation_prompts=evaluation_prompts,
                hosting_usd_per_day=hosting_usd_per_day,
            ),
            session=session,
            catalog=None if session else load_catalog(settings.catalog),
            region=settings.region,
            max_groups=max_groups,
            curve=curve,
            on_read=progress.update,
            on_point=lambda point: settings.note(
                f"Learned from {point.examples:,} examples: agreement {point.agreement:.3f}"
            ),
        )
    if out is not None and write is not None:
        Path(out).write_text(write(made), encoding="utf-8")
        settings.note(f"Wrote the profile to {out}.")
    settings.emit(made.to_dict(), lambda: str(made))


def _writer(out: str | None) -> Callable[[Profile], str] | None:
    """What writes the file; told now, and not after hours of reading."""
    if out is None:
        return None
    suffix = Path(out).suffix
    if suffix not in _WRITERS:
        raise click.BadParameter(f"{out!r} ends in none of {', '.join(_WRITERS)}.", param_hint="--out")
    if not Path(out).parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(Path(out).parent)!r}.", param_hint="--out")
    return _WRITERS[suffix]


def _prices(texts: tuple[str, ...]) -> dict[str, dict[Any, float]]:
    found: dict[str, dict[Any, float]] = {}
    for text in texts:
        name, _, amount = text.rpartition("=")
        model, _, kind = name.rpartition(":")
        try:
            usd = float(amount)
        except ValueError:
            usd = -1.0
        if not model or not kind or usd < 0:
            raise click.BadParameter(
                f"{text!r} is not MODEL:KIND=USD, such as amazon.nova-pro-v1:0:input_1k_tokens=0.001.",
                param_hint="--price",
            )
        found.setdefault(model, {})[kind] = usd
    return found
