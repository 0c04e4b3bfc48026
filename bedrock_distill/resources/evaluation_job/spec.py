"""What is wanted: one model's answers to held-out prompts, scored by Bedrock."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from bedrock_distill.catalog import IdKind, read_model_id
from bedrock_distill.resources import fields
from bedrock_distill.resources.data import Prompts
from bedrock_distill.resources.evaluation_job.metrics import METRICS, TaskType, known_metrics
from bedrock_distill.resources.spec import Spec, check_name
from bedrock_distill.uris import S3Uri

__all__ = ["ASKED", "BedrockEvaluation", "CustomMetric", "can_ask"]

ASKED: tuple[IdKind, ...] = (
    "foundation",
    "profile",
    "application-profile",
    "imported-model",
    "provisioned-model",
)
"""Kinds of model that an evaluation job can ask by itself (botocore's model, EvaluationBedrockModelIdentifier)."""

_NAME = re.compile(r"[0-9a-zA-Z-_.]{1,63}")
_LABEL = re.compile(r"[^a-zA-Z0-9._-]+")
_PLACEHOLDER = "{{prediction}}"


def can_ask(model: str) -> bool:
    """Whether an evaluation job can ask a model by itself; of others, answers are gathered before."""
    return read_model_id(model).kind in ASKED


class CustomMetric(Spec):
    """A metric of your own: what a judge is told, and the ratings that it may give.

    Example:
        `CustomMetric(name="tone", instructions="… {{prompt}} … {{prediction}} …", scale={"rude": 0, "polite": 1})`
    """

    name: str
    instructions: str = Field(min_length=1, max_length=5000)
    """What the judge is told: it must name `{{prediction}}`, and may name `{{prompt}}` and `{{ground_truth}}`."""
    scale: dict[str, float] = Field(min_length=2, max_length=10)
    """What each rating means -> its value, 0 or above; the highest is the best."""

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _NAME.fullmatch(value) or value.startswith("Builtin."):
            raise ValueError(
                "must be 1 to 63 letters, digits, '-', '_' and '.', and not one of the service's own (Builtin.…)"
            )
        return value

    @field_validator("instructions")
    @classmethod
    def _instructions(cls, value: str) -> str:
        if _PLACEHOLDER not in value:
            raise ValueError(
                f"must name {_PLACEHOLDER}, where the answer is put; the judge would not see it otherwise"
            )
        return value

    @field_validator("scale")
    @classmethod
    def _scale(cls, scale: dict[str, float]) -> dict[str, float]:
        if min(scale.values()) < 0 or max(scale.values()) <= 0 or len(set(scale.values())) < len(scale):
            raise ValueError(
                "must have values of 0 or above, each once and one of them above 0, so that reports can compare"
            )
        if not all(1 <= len(definition) <= 100 for definition in scale):
            raise ValueError("must define each rating in 1 to 100 characters")
        return scale


class BedrockEvaluation(Spec):
    """An evaluation job of Bedrock's: it asks a model your prompts, scores the answers, and writes both to S3.

    Without a judge the service computes scores from your golden completions; with one, another model gives them.

    Example:
        `BedrockEvaluation(name="student", model=student, data=Prompts("heldout.jsonl"), output="s3://acme-ml/evaluation/",
        judge="amazon.nova-premier-v1:0", metrics=["Builtin.Correctness"])`
    """

    name: str
    """Yours to choose; job and role are named after it and the plan's fingerprint."""
    model: str
    """What is asked: a model id, an inference profile, or the ARN of an imported model or provisioned throughput. With
    `answers`, whatever gave them."""
    data: Prompts
    """Held-out prompts. Golden completions become `referenceResponse`."""
    output: str
    """S3 folder: the prompts are staged in it, and the results are written there."""
    metrics: tuple[str, ...] = ()
    """Names of the service's metrics; the first decides in reports. Default: `Builtin.Correctness` where there is a judge and no
    metric of your own, else `Builtin.Accuracy`."""
    task: TaskType | None = None
    """What kind of answer is wanted. Default: `General` with a judge, else `QuestionAndAnswer`."""
    judge: str | None = None
    """Model id or inference profile of the judge."""
    custom_metrics: tuple[CustomMetric, ...] = Field(default=(), max_length=10)
    """Metrics of your own, for the same judge."""
    answers: tuple[str | None, ...] | None = None
    """Answers gathered before, in the order of the prompts, for models that a job cannot ask; None where there is none. Such
    jobs need a judge."""
    category: str | None = None
    """Key of the requests' metadata that becomes `category`, by which the service reports, too."""
    limit: int | None = Field(default=None, ge=1)
    """Only so many prompts, from the beginning."""
    max_tokens: int = Field(default=512, ge=1)
    """Most tokens of an answer."""
    temperature: float | None = Field(default=0.0, ge=0, le=1)
    """Randomness from 0 to 1; None leaves it to the model."""
    inference_params: dict[str, Any] | None = None
    """What to send as `inferenceParams` in place of these two, for models that name them otherwise."""
    role: str | None = None
    """ARN of the role Bedrock assumes. Default: one is made with the least policy that works."""
    kms_key: str | None = None
    """KMS key that encrypts the staged prompts and the job. Default: as the bucket is set, and a key AWS owns."""
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    @field_validator("output")
    @classmethod
    def _output(cls, value: str) -> str:
        return fields.check_output(value)

    @field_validator("judge")
    @classmethod
    def _judge(cls, value: str | None) -> str | None:
        if value is not None and read_model_id(value).kind not in ("foundation", "profile"):
            raise ValueError("must be the id or ARN of a foundation model or of a system inference profile")
        return value

    @field_validator("metrics")
    @classmethod
    def _metrics(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("must name each metric once")
        return value

    _role = field_validator("role")(fields.check_role)
    _key = field_validator("kms_key")(fields.check_key)
    _tags = field_validator("tags")(fields.check_tags)

    @model_validator(mode="after")
    def _together(self) -> Self:
        """What fits together only in some ways."""
        if self.answers is None and not can_ask(self.model):
            raise ValueError(
                f"model: an evaluation job cannot ask {self.model!r}: it takes foundation models, inference profiles, imported "
                "models and provisioned throughput. Ask it yourself, and give its answers as `answers`, with a judge"
            )
        if self.judge is None and (self.answers is not None or self.custom_metrics):
            given = "answers" if self.answers is not None else "custom_metrics"
            raise ValueError(f"{given}: only jobs with a judge take them; name a model as `judge`")
        for name in self.metrics:
            _check_metric(name, judged=self.judge is not None, task=self.task_type)
        return self

    @property
    def task_type(self) -> TaskType:
        """The task, chosen where it was not."""
        return self.task or ("General" if self.judge else "QuestionAndAnswer")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of all metrics, chosen where there are none; the first decides."""
        own = tuple(metric.name for metric in self.custom_metrics)
        if self.metrics or own:
            return (*self.metrics, *own)
        return ("Builtin.Correctness",) if self.judge else ("Builtin.Accuracy",)

    @property
    def label(self) -> str:
        """What the service calls the source of answers that were gathered before."""
        return _LABEL.sub("-", self.model.rpartition("/")[2]).strip("-._")[:256] or "answers"

    @property
    def output_uri(self) -> S3Uri:
        """`output` as a URI."""
        return S3Uri.parse(self.output)


def _check_metric(name: str, *, judged: bool, task: TaskType) -> None:
    """Whether a metric goes with the job. One that is not in the table may be newer than it, so the plan decides."""
    metric = METRICS.get(name)
    if metric is None:
        if not name.startswith("Builtin."):
            raise ValueError(
                f"metrics: {name!r} is not one of the service's; a metric of your own belongs into custom_metrics"
            )
        return
    if metric.judged != judged:
        needs = "needs a judge" if metric.judged else "is computed without a judge"
        raise ValueError(
            f"metrics: {name} {needs}; {'with' if judged else 'without'} one there are: {', '.join(known_metrics(judged=judged))}"
        )
    if not judged and task not in metric.tasks:
        raise ValueError(
            f"metrics: {name} is not offered for the task {task}, only for {', '.join(metric.tasks)}"
        )
