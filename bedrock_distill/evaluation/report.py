"""The report: frozen data, and the questions one asks of it. How it looks is in `page/` and `plain.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.costs import Prices, price_of
from bedrock_distill.evaluation.documents import document
from bedrock_distill.evaluation.markdown import markdown
from bedrock_distill.evaluation.plain import table
from bedrock_distill.evaluation.remarks import remarks
from bedrock_distill.evaluation.summaries import SideSummary, summarise
from bedrock_distill.evaluation.verdict import Verdict, judge

if TYPE_CHECKING:
    import os
    from datetime import datetime

    from bedrock_distill.evaluation.answers import Answers
    from bedrock_distill.evaluation.fields import FieldScore
    from bedrock_distill.evaluation.judging import JudgeSummary
    from bedrock_distill.evaluation.labels import ClassificationReport
    from bedrock_distill.evaluation.overlap import Overlap
    from bedrock_distill.evaluation.scoring import MetricResult, Precision
    from bedrock_distill.evaluation.slices import SliceResult
    from bedrock_distill.evaluation.statistics import Estimate
    from bedrock_distill.evaluation.tasks import Task

__all__ = ["Method", "Report", "SavedReport", "summaries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How the answers were asked for, and who scored them."""

    system: str | None
    """The system prompt that every call had, or None where each record's own was used."""
    max_tokens: int | None
    temperature: float | None
    concurrency: int
    made_at: datetime
    version: str
    """Version of this package."""
    scored_by: str = ""
    """Who gave the scores that decide, where it was not this package."""


@dataclass(frozen=True, slots=True)
class SavedReport:
    """Where a report was written."""

    html: Path
    json: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a student compares with its teacher.

    `retention` is the student's score over the teacher's: on the references, or where there are none, the agreement
    with the teacher. `print(report)` shows a table; in a notebook it shows itself; `save` writes a page and JSON.
    """

    task: Task
    answers: dict[str, Answers]
    """By side: `teacher`, `student`, and `base` where one was asked."""
    sides: dict[str, SideSummary]
    """The same in numbers."""
    metrics: tuple[MetricResult, ...]
    """The first decides."""
    fields: tuple[FieldScore, ...]
    """Field by field, where the teacher answers in JSON objects."""
    method: Method
    precision: Precision
    slices: tuple[SliceResult, ...] = ()
    """Retention slice by slice, where slices were asked for."""
    overlap: Overlap | None = None
    """What the prompts have in common with training data, or None where none was given."""
    labels: tuple[ClassificationReport, ...] = ()
    """Precision, recall and F1 of each label, where answers or their JSON fields are labels."""
    judges: tuple[JudgeSummary, ...] = ()
    """What each judge said of each side, where one was asked."""

    @property
    def metric(self) -> MetricResult:
        """The metric that decides."""
        return self.metrics[0]

    @property
    def retention(self) -> Estimate:
        """The student's score over the teacher's, with its interval."""
        return self.metric.student.retention

    @property
    def agreement(self) -> Estimate:
        """The student's mean score against the teacher's answers, with its interval."""
        return self.metric.student.agreement

    @property
    def base_agreement(self) -> Estimate | None:
        """The same for the untrained base, or None where none was asked."""
        return self.metric.base.agreement if self.metric.base else None

    @property
    def disagreements(self) -> tuple[int, ...]:
        """Places of the prompts where the student does not match the teacher, the worst scores first."""
        scores = self.metric.student.by_prompt
        return tuple(
            sorted((place for place, score in enumerate(scores) if score < 1), key=scores.__getitem__)
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What weakens the result, in sentences."""
        return remarks(self)

    def check(
        self,
        *,
        min_retention: float | None = None,
        alpha: float = 0.05,
        max_failed_share: float = 0.05,
        max_cost_ratio: float | None = None,
        min_slice_retention: float | None = None,
        every_slice_shown: bool = False,
        min_gain: float | None = None,
    ) -> Verdict:
        """Hold the student against criteria, without raising. Arguments are those of `gate`."""
        return judge(
            self,
            min_retention=min_retention,
            alpha=alpha,
            max_failed_share=max_failed_share,
            max_cost_ratio=max_cost_ratio,
            min_slice_retention=min_slice_retention,
            every_slice_shown=every_slice_shown,
            min_gain=min_gain,
        )

    def gate(
        self,
        *,
        min_retention: float | None = None,
        alpha: float = 0.05,
        max_failed_share: float = 0.05,
        max_cost_ratio: float | None = None,
        min_slice_retention: float | None = None,
        every_slice_shown: bool = False,
        min_gain: float | None = None,
    ) -> Verdict:
        """Pass only a student that is good enough beyond reasonable doubt. What could not be measured is missed.

        Args:
            min_retention: What the one-sided lower confidence bound of retention must reach, such as 0.9.
            alpha: Chance of passing a student whose true retention is below that.
            max_failed_share: Largest share of failed calls, of the student's and of the teacher's.
            max_cost_ratio: Most that an answer of the student may cost, as a share of what the teacher's costs. An unknown
                price is missed.
            min_slice_retention: What no slice may be shown to fall short of; the chance of calling any slice short that
                is not is at most `alpha`, however many there are. A slice too small to show anything is missed.
            every_slice_shown: Ask more of slices: that each is shown to keep `min_slice_retention`.
            min_gain: What the student must be shown to score above the base, in mean score: 0 for no worse, -0.02 for at most
                two points worse. Missed where no base was asked.

        Returns:
            The verdict, which has passed.

        Raises:
            GateFailedError: Naming every criterion that was missed, with its figures.
            SpecError: If a criterion makes no sense.
        """
        verdict = self.check(
            min_retention=min_retention,
            alpha=alpha,
            max_failed_share=max_failed_share,
            max_cost_ratio=max_cost_ratio,
            min_slice_retention=min_slice_retention,
            every_slice_shown=every_slice_shown,
            min_gain=min_gain,
        )
        verdict.enforce()
        return verdict

    def to_dict(self, *, answers: bool = True, verdict: Verdict | None = None) -> dict[str, Any]:
        """The report as JSON types.

        Args:
            answers: Whether to include every prompt with all answers.
            verdict: A verdict to include.
        """
        return document(self, answers=answers, verdict=verdict)

    def to_json(self, *, answers: bool = True, verdict: Verdict | None = None) -> str:
        """The report as a JSON document. Arguments are those of `to_dict`."""
        found = self.to_dict(answers=answers, verdict=verdict)
        return json.dumps(found, ensure_ascii=False, indent=1, default=_number)

    def to_html(self, *, verdict: Verdict | None = None) -> str:
        """The report as one self-contained page.

        Args:
            verdict: A verdict to put first.
        """
        from bedrock_distill.evaluation.page import page  # noqa: PLC0415 - only who looks needs it

        return page(self, verdict)

    def to_markdown(self, *, verdict: Verdict | None = None) -> str:
        """The report as Markdown for a pull request.

        Args:
            verdict: A verdict to put first.
        """
        return markdown(self, verdict)

    def to_junit(self, verdict: Verdict) -> str:
        """The verdict as JUnit XML, a test case for each criterion.

        Args:
            verdict: What `check` returned.
        """
        from bedrock_distill.evaluation.junit import junit_xml  # noqa: PLC0415 - only CI needs it

        return junit_xml(self, verdict)

    def save(self, folder: str | os.PathLike[str], *, verdict: Verdict | None = None) -> SavedReport:
        """Write `report.html` and `report.json`.

        Args:
            folder: Where to; made if it is not there. Files of an earlier report are replaced.
            verdict: A verdict to put first.

        Raises:
            SpecError: If there is a file of that name.
        """
        place = Path(folder)
        if place.exists() and not place.is_dir():
            raise SpecError(f"{place} is a file, and a report is a folder.", field="folder", value=str(place))
        place.mkdir(parents=True, exist_ok=True)
        saved = SavedReport(html=place / "report.html", json=place / "report.json")
        # Half a surrogate pair, which an answer may hold, cannot be written: a question mark stands for it.
        saved.html.write_text(self.to_html(verdict=verdict), encoding="utf-8", errors="replace")
        saved.json.write_text(self.to_json(verdict=verdict) + "\n", encoding="utf-8", errors="replace")
        return saved

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        return (
            f"<Report {self.sides['student'].name!r} against {self.sides['teacher'].name!r}: "
            f"retention {self.retention}, agreement {self.agreement}, {len(self.task.prompts)} prompts>"
        )

    def _repr_html_(self) -> str:
        from bedrock_distill.evaluation.page import fragment  # noqa: PLC0415 - only notebooks need it

        return fragment(self)


def _number(value: object) -> object:
    """Python's own of a number of numpy's, which a caller may have given."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} is no JSON type")


def summaries(answers: dict[str, Answers], prices: Prices) -> dict[str, SideSummary]:
    """Every side in numbers."""
    return {side: summarise(given, price_of(prices, side, given.model_id)) for side, given in answers.items()}
