"""What a round would come to, and what it came to: values that print as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.evaluation.notebook import Printed
from bedrock_distill.refinement.lineage import Judged

if TYPE_CHECKING:
    from bedrock_distill.evaluation import Report, Verdict
    from bedrock_distill.plan import Plan
    from bedrock_distill.refinement.choosing import Choice
    from bedrock_distill.refinement.lineage import Lineage

__all__ = ["Outcome", "Outlook"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outlook(Printed):
    """What a round would learn and cost."""

    student_calls: int
    teacher_calls: int
    choice: Choice
    min_new: int
    """How many new prompts a round asks for."""
    turned_down: int | None
    """The round whose candidate learned the same and was not promoted by the same gate: it is not made again."""
    plan: Plan | None
    """What the job would do and cost; None where there is not enough."""

    @property
    def enough(self) -> bool:
        """Whether there is enough to learn for a round."""
        return len(self.choice.new) >= self.min_new

    def to_dict(self) -> dict[str, Any]:
        """The outlook as JSON types."""
        return {
            "student_calls": self.student_calls,
            "teacher_calls": self.teacher_calls,
            "enough": self.enough,
            "turned_down": self.turned_down,
            **_chosen(self.choice),
            "plan": None if self.plan is None else self.plan.fingerprint,
        }

    def __str__(self) -> str:
        read = f"{self.student_calls:,} calls of the student and {self.teacher_calls:,} of the teacher were read."
        parts = [read, str(self.choice)]
        if not self.enough:
            parts.append(f"That is not enough for a round (min_new = {self.min_new}).")
        if self.turned_down is not None:
            parts.append(
                f"Round {self.turned_down} learned the same and was not promoted: `refine` does not do it again."
            )
        return "\n\n".join([*parts, *([str(self.plan)] if self.plan else [])])

    def __repr__(self) -> str:
        return f"<Outlook: {len(self.choice.new)} new prompts, {'enough' if self.enough else 'not enough'} for a round>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome(Printed):
    """What a round came to."""

    round: int | None
    """Its number, or None where there was not enough to learn, or nothing new since one that was not promoted."""
    promoted: bool
    deployment: str
    model: str
    """ARN of the model that serves now."""
    choice: Choice | None
    """What was added; None where the round had been opened before."""
    report: Report | None
    """The comparison, with the serving student as base; None where it had been made before, and lies in the bucket."""
    verdict: Verdict | None
    lineage: Lineage

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON types, without the report's answers."""
        judged = None if self.round is None else self.lineage.of_round(self.round, Judged)
        return {
            "round": self.round,
            "promoted": self.promoted,
            "deployment": self.deployment,
            "model": self.model,
            **({} if self.choice is None else _chosen(self.choice)),
            "retention": judged and judged.retention,
            "serving_retention": judged and judged.serving_retention,
            "verdict": judged and judged.verdict,
            "report": judged and judged.report,
        }

    def __str__(self) -> str:
        came = f"promoted in round {self.round}" if self.promoted else "as before"
        parts = [part for part in (self.choice, self.report, self.verdict) if part is not None]
        return "\n\n".join([*map(str, parts), f"{self.deployment} serves {self.model}, {came}."])

    def __repr__(self) -> str:
        came = "promoted" if self.promoted else "not promoted"
        what = "no round" if self.round is None else f"round {self.round}, {came}"
        return f"<Outcome: {what}; {self.deployment} serves {self.model}>"


def _chosen(choice: Choice) -> dict[str, Any]:
    return {
        "new": len(choice.new),
        "by_reason": choice.by_reason,
        "held_out": len(choice.held_out),
        "left_out": choice.left_out,
    }
