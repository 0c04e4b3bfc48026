"""`bedrock-distill data curate` and `data card`: choose what is worth training on, and say what a data set holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedrock_distill.cli.common import Settings, common_options, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.records.curation.card import Card
    from bedrock_distill.records.curation.recipe import Recipe
    from bedrock_distill.records.curation.redaction import Redacts

__all__ = ["card", "curate"]

# Spelt out, because importing the room that knows them would slow --help; a test holds them equal.
_TIES = ("cluster", "session", "template", "system")
_STRATA = ("template", "length", "labelled", "system")


@click.command("curate")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--out-dir",
    required=True,
    type=click.Path(file_okay=False),
    help="Folder for NAME.jsonl, one a share, card.json and card.md.",
)
@click.option(
    "--recipe", "recipe_file", metavar="FILE", help="A TOML file; the options below change what it says."
)
@click.option("--max-records", type=click.IntRange(min=1), help="Most records to keep.  [default: 15000]")
@click.option("--all", "keep_all", is_flag=True, help="Keep all, however many.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Another seed, another choice.  [default: 0]")
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="NAME=FRACTION",
    help="A part and its share; repeat it until they add up to 1.  [default: train=1]",
)
@click.option("--golden", metavar="FILE", help="Records with golden labels that go before all others.")
@click.option(
    "--golden-share", type=click.FloatRange(0, 1), help="Their share of the result.  [default: 0.1]"
)
@click.option(
    "--groups",
    multiple=True,
    metavar="FILE",
    help="For each SOURCE, a file that names a group for each line; a group stays on one side of the split.",
)
@click.option(
    "--keep-together",
    multiple=True,
    type=click.Choice(_TIES),
    help="What else stays on one side; repeat it.  [default: cluster, session]",
)
@click.option(
    "--stratum",
    "strata",
    multiple=True,
    type=click.Choice(_STRATA),
    help="What the choice keeps in proportion; repeat it.  [default: template, length]",
)
@click.option(
    "--near-threshold",
    type=click.FloatRange(0, 1, min_open=True),
    help="Least similarity of near-duplicates.  [default: 0.8]",
)
@click.option("--no-near", is_flag=True, help="Do not look for near-duplicates.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="RULE=NUMBER|off",
    help="Move the limit of a quality rule, or turn it off; repeat it.",
)
@click.option(
    "--language", "languages", multiple=True, metavar="CODE", help="Keep prompts in this language; repeat it."
)
@click.option(
    "--redact",
    metavar="KINDS",
    help="Replace personal data and secrets first: pii, secrets, kinds of them, or comprehend (which bills).",
)
@click.option(
    "--redact-language",
    type=click.Choice(["en", "es"]),
    default="en",
    show_default=True,
    help="With --redact comprehend: the language of the texts.",
)
@click.option("--teacher", help="With --student: check each line by their rules on the way.")
@click.option("--student", help="With --teacher: check each line by their rules on the way.")
@click.option("--skip-bad", is_flag=True, help="Leave out lines that offend, and count them.")
@common_options
def curate(
    settings: Settings,
    sources: tuple[str, ...],
    out_dir: str,
    golden: str | None,
    groups: tuple[str, ...],
    redact: str | None,
    redact_language: str,
    teacher: str | None,
    student: str | None,
    **options: Any,
) -> None:
    """Choose the records worth training on, and write them with a card that says why.

    Steps: quality rules, exact duplicates, near-duplicates, a selection of at most 15,000 in proportion, a split that
    keeps together what belongs together. The same SOURCEs and recipe give the same bytes.
    """
    from bedrock_distill.cli.data import _rules
    from bedrock_distill.records.curation import curate as curate_files

    if (teacher is None) != (student is None):
        raise click.UsageError("--teacher and --student go together.")
    made = curate_files(
        list(sources),
        out_dir,
        _recipe(options),
        golden=golden,
        groups=list(groups),
        redactor=_redactor(settings, redact, redact_language) if redact is not None else None,
        rules=_rules(settings, teacher, student) if teacher is not None and student is not None else None,
    )
    for warning in made.warnings:
        settings.note(f"Note: {warning}")
    settings.emit(made.to_dict(), lambda: _curated(made, out_dir))


@click.command("card")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--markdown", metavar="FILE", help="Write the card there as Markdown too.")
@click.option(
    "--near-threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.8,
    show_default=True,
    help="Least similarity of near-duplicates.",
)
@click.option("--no-near", is_flag=True, help="Do not look for near-duplicates.")
@click.option("--languages", is_flag=True, help="Tell languages.")
@click.option("--skip-bad", is_flag=True, help="Leave out lines that are no records, and count them.")
@common_options
def card(
    settings: Settings,
    files: tuple[str, ...],
    markdown: str | None,
    near_threshold: float,
    no_near: bool,
    languages: bool,
    skip_bad: bool,
) -> None:
    """Say what files of records hold, and what they have in common.

    Lengths, labels, templates, duplicates and near-duplicates, within the FILEs and across them.
    """
    from bedrock_distill.records.curation import describe
    from bedrock_distill.records.curation.publishing import write_text

    made = describe(
        files, near_threshold=None if no_near else near_threshold, languages=languages, skip_bad=skip_bad
    )
    if markdown is not None:
        write_text(Path(markdown), made.to_markdown())
    settings.emit(made.to_dict(), made.to_markdown)


def _recipe(options: dict[str, Any]) -> Recipe:
    """The recipe of a file, with what the options change."""
    from bedrock_distill.cli.data import _shares
    from bedrock_distill.records.curation import Recipe

    path = options["recipe_file"]
    values = Recipe.load(path).to_dict() if path is not None else {}
    plain = ("max_records", "seed", "golden_share", "near_threshold", "strata", "keep_together", "languages")
    values |= {name: options[name] for name in plain if options[name] not in {None, ()}}
    if options["keep_all"]:
        values["max_records"] = None
    if options["no_near"]:
        values["near_threshold"] = None
    if options["skip_bad"]:
        values["skip_bad"] = True
    if options["shares"]:
        values["shares"] = _shares(options["shares"])
    values["limits"] = values.get("limits", {}) | _limits(options["limits"])
    return Recipe.of(values)


def _limits(texts: Sequence[str]) -> dict[str, float | None]:
    limits: dict[str, float | None] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            limits[name] = None if number == "off" else float(number)
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is not RULE=NUMBER or RULE=off, such as short-prompt=20.", param_hint="--limit"
            ) from None
    return limits


def _redactor(settings: Settings, kinds: str, language: str) -> Redacts:
    from bedrock_distill.records.curation.redaction import InTurn, parse_redaction

    asked = parse_redaction(kinds)
    if not asked.comprehend:
        return InTurn([each for each in (asked.redactor,) if each is not None])
    from bedrock_distill.aws.comprehend import ComprehendRedactor

    clients = settings.session().clients
    service = ComprehendRedactor(clients, language=language)
    return InTurn([each for each in (asked.redactor, service) if each is not None])


def _curated(made: Card, out_dir: str) -> str:
    stages = [(stage.name, stage.entered, stage.entered - stage.left, stage.left) for stage in made.stages]
    reasons = [(reason, count) for stage in made.stages for reason, count in stage.reasons.items()]
    parts = [
        (part.name, part.records, part.labelled, part.size_bytes, str(Path(out_dir, part.path)))
        for part in made.parts
    ]
    blocks = [table(stages, ("step", "records", "left out", "went on"))]
    if reasons:
        blocks.append(table(reasons, ("left out because", "records")))
    blocks.append(table(parts, ("part", "records", "labelled", "bytes", "file")))
    return "\n\n".join([*blocks, f"Card: {Path(out_dir, 'card.md')}"])
