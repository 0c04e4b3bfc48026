"""`bedrock-distill demo`: a student learns to sort customer mail, offline, in about a minute.

`prompts` composes the messages from `phrases/`, `triage` is the rule-based teacher, `run` is the way through the product.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedrock_distill.cli.common import Settings, common_options, table

if TYPE_CHECKING:
    from bedrock_distill.cli.demo.run import Outcome
    from bedrock_distill.evaluation import Report

__all__ = ["command"]

_SHOWN = 6
"""Prompts shown side by side."""


@click.command("demo", short_help="Distil a student offline, from prompts to a report, in about a minute.")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default="bedrock-distill-demo",
    show_default=True,
    help="Folder for the prompts and the report.",
)
@click.option("--seed", type=int, help="Of the messages and of the training.")
@click.option("--prompts", "count", type=click.IntRange(100, 15_000), help="How many messages to learn from.")
@click.option("--held-out", type=click.IntRange(20, 5_000), help="How many messages to test with.")
@click.option(
    "--shuffle-teacher", is_flag=True, hidden=True, help="Control: mismatched answers teach nothing."
)
@common_options
def command(
    settings: Settings,
    out: str,
    seed: int | None,
    count: int | None,
    held_out: int | None,
    shuffle_teacher: bool,
) -> None:
    """Distil a student offline, from prompts to a report, in about a minute.

    A rule-based function stands for the teacher; a small language model learns from its answers on this machine. Nothing
    is sent to AWS.
    """
    from bedrock_distill.cli.demo.run import run, stands_for

    settings.note(f"{stands_for}\n")
    given = {"seed": seed, "count": count, "held_out": held_out}
    outcome = run(
        Path(out),
        shuffle_teacher=shuffle_teacher,
        say=settings.note,
        **{name: value for name, value in given.items() if value is not None},
    )
    settings.emit(_document(outcome), lambda: _text(outcome))


def _document(outcome: Outcome) -> dict[str, object]:
    return {
        "report": str(outcome.report_path),
        "plan": outcome.plan,
        "seconds": {name: round(value, 2) for name, value in outcome.seconds.items()},
        "agreement": outcome.report.agreement.value,
        "base_agreement": _base(outcome.report),
        "evaluation": outcome.report.to_dict(answers=False),
    }


def _text(outcome: Outcome) -> str:
    report = outcome.report
    lines = [
        "Messages that the student has never seen:",
        "",
        *_side_by_side(report),
        f"Streamed, the first answer reads {outcome.streamed}",
        "",
        table(
            [
                (side, f"{each.value:.1%}", f"{each.low:.1%} to {each.high:.1%}")
                for side, each in (("untrained base", report.base_agreement), ("student", report.agreement))
                if each
            ],
            ("agreement with the teacher", "value", "95 % interval"),
        ),
        "",
        "  ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome.seconds.items()),
        f"in all {sum(outcome.seconds.values()):.0f} s. The report: {outcome.report_path}",
    ]
    return "\n".join(lines)


def _base(report: Report) -> float:
    estimate = report.base_agreement
    return estimate.value if estimate and estimate.value is not None else 0.0


def _side_by_side(report: Report) -> list[str]:
    """The first prompts with all three answers, and a mark where the student's is the teacher's."""
    lines: list[str] = []
    for place in range(min(_SHOWN, len(report.task.prompts))):
        answers = {side: report.answers[side].texts[place] for side in ("base", "student", "teacher")}
        same = answers["student"] == answers["teacher"]
        lines.append(f"  {_short(report.task.prompts[place].prompt_text, 96)}")
        lines += [f"    {side:<8} {_short(answers[side] or '(failed)', 90)}" for side in answers]
        lines += [f"    {'the same' if same else 'NOT the same'}", ""]
    return lines


def _short(text: str, width: int) -> str:
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(line.split())
    return line if len(line) <= width else line[: width - 1] + "…"
