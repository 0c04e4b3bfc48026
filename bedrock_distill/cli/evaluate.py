"""`bedrock-distill evaluate`: the student against its teacher, and the gate."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.asking import asking_options, target_prices
from bedrock_distill.cli.common import Settings, common_options
from bedrock_distill.cli.evaluate_bedrock import (
    BEDROCK_OPTIONS,
    bedrock_options,
    check_runner,
    evaluate_on_bedrock,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.chat import Recorded, Target
    from bedrock_distill.evaluation import AnswerCache, Judge, Report, Verdict
    from bedrock_distill.session import Session

__all__ = ["command"]

_METRICS = (
    "exact_match",
    "normalised_match",
    "json_equal",
    "json_fields",
    "token_f1",
    "rouge_l",
    "chrf",
    "length_ratio",
    "refusal_match",
)
"""The metrics' names, spelt out so that --help loads none; a test holds them equal to the library's."""


_GATES = ("min_retention", "min_slice_retention", "max_cost_ratio", "min_gain")
"""Options that each make a gate."""

_CRITERIA = (*_GATES, "alpha", "max_failed_share", "every_slice_shown")
"""Options that are the gate's, not the measurement's."""


@click.command("evaluate")
@click.option("--student", required=True, metavar="ID", help="Model id or ARN of what is measured.")
@click.option(
    "--teacher",
    required=True,
    metavar="ID",
    help="Model id or ARN of what it is measured against; that of a batch inference job stands for its answers.",
)
@click.option("--base", metavar="ID", help="Model id or ARN of the student before training.")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Held-out prompts, as JSONL records; golden completions are used where there are any.",
)
@asking_options
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
    help="With a gate: fail if more of the calls failed.",
)
@click.option(
    "--max-cost-ratio",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Fail unless an answer of the student costs at most so many of the teacher's; an unknown price fails.",
)
@click.option(
    "--min-gain",
    type=click.FloatRange(-1, 1, min_open=True, max_open=True),
    metavar="X",
    help="Fail unless the student is shown to score this much above --base: 0 for no worse, -0.02 for at most two points.",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="FIELD",
    help="Measure each kind of prompt by itself: by `system`, `completion`, `messages`, `metadata.KEY`, and by "
    "`prompt.KEY` or `completion.KEY` where the text is JSON. May be repeated.",
)
@click.option(
    "--min-slice-retention",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Fail if any slice is shown to keep less than this, or is too small to tell. Alpha is shared by all slices.",
)
@click.option(
    "--every-slice-shown",
    is_flag=True,
    help="Fail unless every slice is shown to keep --min-slice-retention.",
)
@click.option(
    "--training",
    type=click.Path(exists=True, dir_okay=False),
    help="What the student was trained on, as JSONL records: prompts that are in there too, or nearly, are refused.",
)
@click.option(
    "--allow-overlap", is_flag=True, help="Ask prompts of --training nevertheless, and report them."
)
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the gate's criteria there as JUnit XML.",
)
@click.option(
    "--markdown",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the result there as Markdown, for a pull request.",
)
@click.option(
    "--judge",
    metavar="ID",
    help="Model id or ARN that compares the answers in both orders; it decides, and any --metric is reported beside it.",
)
@click.option(
    "--rubric",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="With --judge: what counts, as text.",
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Keep every answer there, and ask nothing twice: not after a crash, not in another run.",
)
@click.option(
    "--rpm",
    "requests_per_minute",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Most requests a minute to each model.",
)
@click.option(
    "--tpm",
    "tokens_per_minute",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Most tokens a minute to and from each model.",
)
@click.option("--stream", is_flag=True, help="Ask for streams, to measure the time to the first token.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask only the first N prompts.")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Calls under way at once."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Where the bootstrap's randomness starts."
)
@bedrock_options
@common_options
def command(
    settings: Settings, folder: str | None, junit: str | None, markdown: str | None, **options: Any
) -> None:
    """Measure a student against its teacher, with a gate for CI.

    Every side is asked every prompt. Retention is the student's score over the teacher's, on golden completions where
    the data has them, and otherwise the agreement with the teacher. With --min-retention, --min-slice-retention or
    --max-cost-ratio there is a gate: the exit code is 3 unless all that was asked for is met, and what could not be
    measured is not met.
    """
    criteria = {name: options.pop(name) for name in _CRITERIA}
    gated = any(criteria[name] is not None for name in _GATES)
    for name in ("student", "teacher", "base", "judge"):
        if options[name] == "":
            raise click.UsageError(
                f"--{name} is empty, as a variable is that nobody has set: give an id or ARN."
            )
    check_runner(options)
    bedrock = options["runner"] == "bedrock"
    _check(criteria, options["slices"], options["base"], junit=junit, gated=gated, bedrock=bedrock)
    if options["rubric"] and not options["judge"]:
        raise click.UsageError("--rubric is what a judge goes by: give --judge as well.")
    # Where nothing can be written, that must show before answers are paid for.
    for place in (
        Path(folder) if folder else None,
        *(Path(each).parent for each in (junit, markdown) if each),
    ):
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
    if bedrock:
        report = evaluate_on_bedrock(settings, options)
    else:
        asked = {name: value for name, value in options.items() if name not in BEDROCK_OPTIONS}
        report = _ask(settings, **asked)
    verdict = report.check(**criteria) if gated else None
    if folder:
        saved = report.save(folder, verdict=verdict)
        settings.note(f"Report: {saved.html}")
    if junit and verdict:
        _write(junit, report.to_junit(verdict))
    if markdown:
        _write(markdown, report.to_markdown(verdict=verdict))
    settings.emit(report.to_dict(answers=False, verdict=verdict), lambda: _text(report, verdict))
    if verdict:
        verdict.enforce()


def _ask(
    settings: Settings,
    *,
    student: str,
    teacher: str,
    base: str | None,
    data: str,
    metrics: tuple[str, ...],
    slices: tuple[str, ...],
    judge: str | None,
    rubric: str | None,
    cache: str | None,
    **options: Any,
) -> Report:
    """Ask every side from here."""
    from bedrock_distill.evaluation import evaluate

    session = settings.session()
    # Each is looked up once: an endpoint's container, say, takes several requests.
    targets = {each: session.model(each) for each in (student, teacher, base, judge) if each is not None}
    with ExitStack() as held, ExitStack() as displays, _kept(settings, cache):
        return evaluate(
            targets[student],
            targets[teacher],
            data,
            base=None if base is None else targets[base],
            metrics=metrics or None if judge is None else [_judge(targets[judge], rubric), *metrics],
            slices=slices or None,
            cache=held.enter_context(_cache(session, cache)) if cache else None,
            prices=target_prices(session, targets),
            on_progress=_progress(settings, displays),
            **options,
        )


@contextmanager
def _kept(settings: Settings, cache: str | None) -> Iterator[None]:
    """Where somebody interrupts, say what became of the answers that were paid for."""
    try:
        yield
    except KeyboardInterrupt:
        settings.note(
            f"The answers so far are kept in {cache}: the same command goes on from there."
            if cache
            else "The answers so far are lost. With --cache DIR they are kept, and the same command goes on."
        )
        raise


def _check(
    criteria: dict[str, Any],
    slices: tuple[str, ...],
    base: str | None,
    *,
    junit: str | None,
    gated: bool,
    bedrock: bool,
) -> None:
    """Refuse options that say nothing together, and numbers that make no sense, before anything is paid for."""
    floor = criteria["min_slice_retention"]
    wrong = {
        "--min-slice-retention needs --slice: say by what to slice.": floor is not None and not slices,
        "--every-slice-shown needs --min-slice-retention: say what to keep.": criteria["every_slice_shown"]
        and floor is None,
        "--junit writes the gate's criteria: give --min-retention, --min-slice-retention, --max-cost-ratio or --min-gain.": junit
        and not gated,
        "--min-gain needs --base: say what to gain on.": criteria["min_gain"] is not None and not base,
        "--max-cost-ratio cannot be met with --runner bedrock: evaluation jobs tell no tokens.": bedrock
        and criteria["max_cost_ratio"] is not None,
    }
    for message, holds in wrong.items():
        if holds:
            raise click.UsageError(message)
    if gated:
        from bedrock_distill.evaluation.verdict import check_criteria

        check_criteria(**criteria)


def _judge(target: Target | Recorded, rubric: str | None) -> Judge:
    from bedrock_distill.evaluation import Judge

    return Judge(target=target, rubric=_text_in(rubric)) if rubric else Judge(target=target)


def _text_in(path: str) -> str:
    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{path} is no text in UTF-8: {error}.", param_hint="--rubric") from error
    if not text.strip():
        raise click.BadParameter(f"{path} is empty: say what counts.", param_hint="--rubric")
    return text


def _cache(session: Session, folder: str) -> AnswerCache:
    """Answers set apart by where they come from: the same model id in a rehearsal is another model."""
    from bedrock_distill.evaluation import AnswerCache

    return AnswerCache(folder, scope=f"{session.clients.region} {session.clients.endpoint_url or ''}")


def _write(path: str, text: str) -> None:
    # Half a surrogate pair, which an answer may hold, cannot be written: a question mark stands for it.
    Path(path).write_text(text, encoding="utf-8", errors="replace")


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
