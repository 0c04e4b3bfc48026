"""What is refined, from which traffic, and when a candidate may take over: one value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict, Field, field_validator, model_validator

from bedrock_distill.evaluation.metrics import choose_metrics
from bedrock_distill.records.logs import LogQuery
from bedrock_distill.resources import Distillation, InvocationLogs, Prompts
from bedrock_distill.resources.spec import Spec, check_name

__all__ = ["Gate", "Refinement"]

_NOT_ABOVE: Final = (("min_new", "max_new"), ("max_new", "max_training"), ("max_held_out", "max_evaluation"))


class Gate(Spec):
    """What a candidate must show before it takes over. Everything that is given must hold."""

    model_config = ConfigDict(allow_inf_nan=False)

    min_gain: float = Field(default=0.0, gt=-1, lt=1)
    """What it must be shown to score above the serving student, in mean score: 0 for no worse, -0.02 for at most two
    points worse."""
    min_retention: float | None = Field(default=None, gt=0, lt=10)
    """What it must be shown to keep of the teacher, such as 0.9."""
    min_slice_retention: float | None = Field(default=None, gt=0, lt=10)
    """What it may in no round's traffic be shown to fall short of, so that nothing old is forgotten."""
    max_cost_ratio: float | None = Field(default=None, gt=0, lt=10)
    """Most that its answers may cost, as a share of the teacher's."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance of letting through one that is not so good."""


class Refinement(Spec):
    """A student that is kept good: its deployment, its distillation, the traffic to learn from, and the gate."""

    name: str
    """Yours to choose; the lineage lies under it in the output bucket."""
    deployment: str = Field(min_length=1)
    """ARN or name of the on-demand deployment, or ARN of the provisioned throughput, that serves the student."""
    distillation: Distillation
    """How the student was distilled first. Its data is what was learned then; each round adds to it."""
    evaluation: Path
    """JSONL file of held-out records that candidates are compared on; each round adds to them."""
    logs: InvocationLogs | None = None
    """Invocation logs of the student's and the teacher's calls."""
    journal: Path | None = None
    """Journal of a cascade, written with `journal_texts=True`."""
    student_as: str | None = None
    """How logs name the student. Default: by the deployment's ARN."""
    gate: Gate = Gate()
    metric: str | None = None
    """How answers are compared. Default: as `evaluate` chooses."""
    max_new: int = Field(default=2_000, ge=1)
    """Most prompts that a round adds to the training data; at most `max_training`."""
    min_new: int = Field(default=20, ge=1)
    """Fewest; below that there is no round."""
    usual_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the new prompts that are drawn at random, so that hard ones alone do not bend the student."""
    hold_out_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the traffic that is held out for the evaluation, by a hash of the prompt: once held out, never learned."""
    max_held_out: int = Field(default=300, ge=1)
    """Most prompts that a round adds to the evaluation; at most `max_evaluation`."""
    max_evaluation: int = Field(default=1_000, ge=1)
    """Most prompts to compare on; above that, old ones are thinned out."""
    max_training: int = Field(default=15_000, ge=100)
    """Most records to train on, 15,000 being Bedrock's own limit; above that, old ones are thinned out."""
    look_at: int = Field(default=20_000, ge=1)
    """Most calls of either model that are read from the logs; above that, a sample of whole log objects is."""
    ask_teacher: int = Field(default=300, ge=0)
    """How many prompts that only the student has answered are put to the teacher, too, to find where they disagree."""
    redact: str | None = None
    """What is taken out of the texts of logs and journal, such as `pii,secrets`."""
    seed: int = Field(default=0, ge=0, lt=1 << 64)
    """Another seed, another sample."""

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    @field_validator("metric")
    @classmethod
    def _metric(cls, value: str | None) -> str | None:
        choose_metrics(value, ())  # a wrong name is told now, and not after hours of work
        return value

    @field_validator("redact")
    @classmethod
    def _redact(cls, value: str | None) -> str | None:
        LogQuery(redact=value)
        return value

    @field_validator("evaluation", "journal")
    @classmethod
    def _file(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        if str(path).startswith("s3:/"):
            raise ValueError("must be a local file; copy it first (aws s3 cp)")
        path = path.expanduser().absolute()
        if not path.is_file():
            raise ValueError("there is no such file")
        return path

    @model_validator(mode="after")
    def _sources(self) -> Refinement:
        if self.logs is None and self.journal is None:
            raise ValueError("give logs, journal or both: there is no traffic to learn from otherwise")
        if not isinstance(self.distillation.data, Prompts):
            raise ValueError(  # noqa: TRY004 - pydantic reports ValueErrors
                "distillation.data must be a file of prompts, so that it can be added to; "
                "`bedrock-distill data from-logs` makes one from logs"
            )
        for less, more in _NOT_ABOVE:
            if getattr(self, less) > getattr(self, more):
                raise ValueError(
                    f"{less} ({getattr(self, less)}) is above {more} ({getattr(self, more)}); lower the one or raise the other"
                )
        return self

    @property
    def first_data(self) -> Path:
        """What the first student learned from."""
        data = self.distillation.data
        return data.path if isinstance(data, Prompts) else Path()

    def criteria(self) -> dict[str, Any]:
        """The gate, as `Report.check` takes it."""
        return self.gate.model_dump()
