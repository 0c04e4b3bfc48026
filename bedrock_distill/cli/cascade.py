"""`bedrock-distill cascade`: from which score on a student may answer without its teacher."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.asking import asking_options, target_prices
from bedrock_distill.cli.common import Settings, common_options

if TYPE_CHECKING:
    from bedrock_distill.chat import Recorded, Target
    from bedrock_distill.chat.scores import Score

__all__ = ["command"]

_METRICS = ("exact_match", "normalised_match", "json_equal", "json_fields")
"""The metrics that compare two answers, spelt out so that --help loads none; a test holds them to the library's."""

_BUILT = ("labels", "regex", "schema", "agreement", "logprobs")
"""Scores that are made from their names; the same holds for them."""

_NEEDED = {"labels": "labels:A,B", "regex": "regex:PATTERN", "schema": "schema:FILE"}
"""Those that nothing can be made of alone, and how they are written."""


@click.group("cascade", short_help="Find from which score on a student may answer without its teacher.")
def command() -> None:
    """Find from which score on a student may answer without its teacher."""


@command.command("calibrate")
@click.option("--student", required=True, metavar="ID", help="Model id or ARN of what is to answer most.")
@click.option("--teacher", required=True, metavar="ID", help="Model id or ARN of what answers the rest.")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Held-out prompts, as JSONL records; golden completions are used where there are any.",
)
@click.option(
    "--score",
    "scores",
    required=True,
    multiple=True,
    metavar="SCORE",
    help="How sure the student is: labels:A,B; regex:PATTERN; schema:FILE; agreement:N; logprobs; or MODULE:FUNCTION of "
    "yours. Of several, the lowest counts.",
)
@click.option(
    "--alpha",
    required=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Bound of the mean loss over all requests, such as 0.02.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="X",
    help="Hold the bound for this share of calibration sets, such as 0.95. Default: on average over them.",
)
@click.option(
    "--metric", type=click.Choice(_METRICS), help="How answers are compared. Default: as evaluate's."
)
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False), help="Write the policy there.")
@asking_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask only the first N prompts.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Prompts under way at once.",
)
@common_options
def calibrate_command(
    settings: Settings,
    student: str,
    teacher: str,
    data: str,
    scores: tuple[str, ...],
    out: str | None,
    **options: Any,
) -> None:
    """Choose the score from which on the student answers, so that the risk stays below --alpha.

    Both sides are asked every prompt. The loss of a prompt is how far the student's answer falls short of the teacher's,
    and the risk is the mean loss over all requests, those that the teacher answers counting 0. The bound holds for requests
    that are exchangeable with the prompts. `Cascade.from_policy` serves what --out keeps.
    """
    from bedrock_distill.evaluation.calibrating import calibrate

    if out and not Path(out).parent.is_dir():  # told now, and not after every call is paid
        raise click.BadParameter(f"there is no folder {str(Path(out).parent)!r}.", param_hint="--out")
    session = settings.session()
    asked, answering = session.model(student), session.model(teacher)
    score = _score(scores, asked)
    with settings.progress("Asking both") as shown:
        found = calibrate(
            asked,
            answering,
            data,
            score=score,
            prices=target_prices(session, {each.model_id: each for each in (asked, answering)}),
            on_progress=shown.update,
            **options,
        )
    if out:
        settings.note(f"Policy: {found.policy.save(out)}")
    settings.emit(found.to_dict(), lambda: str(found))


def _score(names: tuple[str, ...], student: Target | Recorded) -> Score:
    """The scores that were named: built in, or functions of the user's."""
    from bedrock_distill.chat.scores import Lowest, score_from

    found = tuple(
        score_from([_with_schema(name)], student) if name.partition(":")[0] in _BUILT else _function(name)
        for name in names
    )
    return found[0] if len(found) == 1 else Lowest(found)


def _with_schema(name: str) -> str:
    """A schema is named by its file, and kept in the policy as it is."""
    kind, _, text = name.partition(":")
    if kind in _NEEDED and not text:
        raise click.UsageError(f"--score {name!r} says no more than its kind: write {_NEEDED[kind]}.")
    if kind != "schema" or text.startswith("{"):
        return name
    try:
        schema = Path(text).read_text("utf-8")
        json.loads(schema)
    except OSError as error:
        raise click.UsageError(f"--score {name!r}: {error.strerror or error}.") from error
    except ValueError as error:
        raise click.UsageError(f"--score {name!r}: the file is not JSON: {error}.") from error
    return f"schema:{schema}"


def _function(name: str) -> Score:
    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise click.UsageError(
            f"--score {name!r} is none of {', '.join(_BUILT)}, nor MODULE:FUNCTION.",
        )
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does: the function may lie where the command is run
    try:
        found: Score = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"--score {name!r} cannot be loaded: {error}.") from error
    finally:
        sys.path.pop(0)
    return found
