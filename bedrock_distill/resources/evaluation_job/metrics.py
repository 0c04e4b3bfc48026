"""The metrics of Bedrock's evaluation jobs, as a table: what each means, which jobs take it, and how far that is verified.

The names are those of botocore's model of CreateEvaluationJob (`metricNames`). What a metric is computed by, and that scores
run from 0 to 1, is from the Bedrock user guide (model-evaluation-tasks, model-evaluation-metrics) as remembered in November
2026, and was not compared with a live account: `verified` says which rows were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["METRICS", "SENT_AS", "Builtin", "TaskType", "about_metric", "known_metrics"]

TaskType = Literal["General", "QuestionAndAnswer", "Summarization", "Classification"]
"""What kind of answer is wanted."""

SENT_AS: Final[Mapping[TaskType, str]] = {
    # The service's model has `Generation`; pages of the guide write `General` for jobs with a judge.
    "General": "Generation",
    "QuestionAndAnswer": "QuestionAndAnswer",
    "Summarization": "Summarization",
    "Classification": "Classification",
}
"""Task -> the request's `taskType`."""

_TEXT_TASKS: Final[tuple[TaskType, ...]] = ("General", "QuestionAndAnswer", "Summarization")
_ALL_TASKS: Final[tuple[TaskType, ...]] = (*_TEXT_TASKS, "Classification")


@dataclass(frozen=True, slots=True, kw_only=True)
class Builtin:
    """One metric of the service's own."""

    name: str
    about: str
    """What it means, in one sentence."""
    judged: bool
    """Whether a judge gives it; else the service computes it."""
    tasks: tuple[TaskType, ...] = _ALL_TASKS
    """Tasks that it is offered for."""
    lower_is_better: bool = False
    needs_reference: bool = False
    """Whether it cannot be computed without a golden completion."""
    verified: bool = False
    """Whether its range and direction were seen on AWS."""


_ACCURACY: Final[Mapping[TaskType, str]] = {
    "General": "Whether the answer holds the reference.",
    "QuestionAndAnswer": "F1 of the words of answer and reference.",
    "Summarization": "BERTScore of answer and reference.",
    "Classification": "Whether the answer is the reference's label.",
}
"""What accuracy is computed by."""


def _judged(name: str, about: str, *, lower_is_better: bool = False) -> Builtin:
    return Builtin(name=f"Builtin.{name}", about=about, judged=True, lower_is_better=lower_is_better)


METRICS: Final[Mapping[str, Builtin]] = {
    metric.name: metric
    for metric in (
        Builtin(
            name="Builtin.Accuracy",
            about="How close the answer is to the reference, by a measure that depends on the task.",
            judged=False,
            needs_reference=True,
        ),
        Builtin(
            name="Builtin.Robustness",
            about="How much the answer gets worse when the prompt's wording is disturbed.",
            judged=False,
            lower_is_better=True,
        ),
        Builtin(
            name="Builtin.Toxicity",
            about="How toxic the answer is, by a classifier.",
            judged=False,
            tasks=_TEXT_TASKS,
            lower_is_better=True,
        ),
        _judged("Correctness", "Whether the answer is right, by the reference where there is one."),
        _judged("Completeness", "Whether the answer deals with all that was asked."),
        _judged("Faithfulness", "Whether the answer says nothing that the prompt's own text does not."),
        _judged("Helpfulness", "How useful the answer is to who asked."),
        _judged("Coherence", "Whether the answer hangs together, without gaps and contradictions."),
        _judged("Relevance", "Whether the answer keeps to what was asked."),
        _judged("FollowingInstructions", "Whether the answer does what the prompt says it must."),
        _judged("ProfessionalStyleAndTone", "Whether style and tone fit a professional setting."),
        _judged("Harmfulness", "Whether the answer holds harmful content.", lower_is_better=True),
        _judged("Stereotyping", "Whether the answer holds stereotypes of groups.", lower_is_better=True),
        _judged("Refusal", "Whether the answer refuses to do what was asked.", lower_is_better=True),
    )
}
"""The metrics that are known, by name."""


def known_metrics(*, judged: bool) -> tuple[str, ...]:
    """Names of the metrics of jobs with a judge, or of those without."""
    return tuple(metric.name for metric in METRICS.values() if metric.judged == judged)


def about_metric(name: str, task: TaskType | None = None) -> str:
    """What a metric means, in one sentence; of one that is not in the table, that it is the service's own or the user's."""
    if name == "Builtin.Accuracy" and task is not None:
        return _ACCURACY[task]
    return METRICS[name].about if name in METRICS else "A metric that the judge was told."
