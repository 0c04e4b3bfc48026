"""The gate: whether the student is good enough, criterion by criterion, with the figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import GateFailedError, SpecError
from bedrock_distill.evaluation.scoring import retention_seed
from bedrock_distill.evaluation.statistics import prompts_needed

if TYPE_CHECKING:
    from bedrock_distill.evaluation.report import Report

__all__ = ["Criterion", "Verdict", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that was asked of the student."""

    name: str
    passed: bool
    text: str
    """One sentence with the figures, and what to do where it was missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says."""

    student: str
    """What reports call the student."""
    teacher: str
    min_retention: float
    alpha: float
    lower_bound: float | None
    """Retention is at least this, and saying so is wrong at most `alpha` of the time; None where it is undefined."""
    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        """Whether every criterion was met."""
        return all(criterion.passed for criterion in self.criteria)

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence for each criterion that was missed."""
        return tuple(criterion.text for criterion in self.criteria if not criterion.passed)

    def enforce(self) -> None:
        """Let a passed verdict through.

        Raises:
            GateFailedError: Naming every criterion that was missed, with its figures.
        """
        if self.passed:
            return
        reasons = "".join(f"\n  {failure}" for failure in self.failures)
        raise GateFailedError(
            f"{self.student} does not pass against {self.teacher}: {len(self.failures)} of {len(self.criteria)} criteria "
            f"missed.{reasons}",
            failures=self.failures,
        )

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON types."""
        return {"passed": self.passed, **asdict(self), "criteria": [asdict(each) for each in self.criteria]}

    def __str__(self) -> str:
        lines = [f"{'ok  ' if each.passed else 'MISS'}  {each.text}" for each in self.criteria]
        return "\n".join([f"Gate {'passed' if self.passed else 'failed'}", *lines])


def judge(report: Report, *, min_retention: float, alpha: float, max_failed_share: float) -> Verdict:
    """Hold a report against the criteria.

    Args:
        report: The report.
        min_retention: What the lower bound of retention must reach, such as 0.9.
        alpha: Chance of passing a student whose true retention is below that, below 0.5.
        max_failed_share: Largest share of failed calls on either side.

    Raises:
        SpecError: If a criterion makes no sense.
    """
    _check(min_retention=min_retention, alpha=alpha, max_failed_share=max_failed_share)
    metric = report.metric
    bound = metric.student.paired.lower_bound(
        alpha, report.precision, retention_seed(report.precision, metric.name)
    )
    return Verdict(
        student=report.sides["student"].name,
        teacher=report.sides["teacher"].name,
        min_retention=min_retention,
        alpha=alpha,
        lower_bound=bound,
        criteria=(
            _retention(report, bound, min_retention, alpha),
            *(_failed(report, side, max_failed_share) for side in ("student", "teacher")),
        ),
    )


def _check(*, min_retention: float, alpha: float, max_failed_share: float) -> None:
    rules = (
        ("min_retention", min_retention, min_retention > 0, "above 0, such as 0.9"),
        ("alpha", alpha, 0 < alpha < 0.5, "between 0 and 0.5, such as 0.05"),
        ("max_failed_share", max_failed_share, 0 <= max_failed_share <= 1, "a share from 0 to 1"),
    )
    for field, value, holds, rule in rules:
        if not holds:
            raise SpecError(f"{field} must be {rule}, not {value!r}.", field=field, value=value)


def _retention(report: Report, bound: float | None, min_retention: float, alpha: float) -> Criterion:
    value = report.retention.value
    if bound is None or value is None:
        return Criterion(
            name="retention",
            passed=False,
            text=f"Retention is undefined: by {report.metric.name} the teacher itself is never right. "
            "Choose a metric that fits the task, or look at the references.",
        )
    passed = bound >= min_retention
    figures = (
        f"Retention is at least {bound:.2%} at alpha {alpha:g} ({value:.2%} measured on {report.retention.n} prompts); "
        f"{min_retention:.2%} was asked for."
    )
    advice = "" if passed else " " + _advice(report, value, min_retention, alpha)
    return Criterion(name="retention", passed=passed, text=figures + advice)


def _advice(report: Report, value: float, min_retention: float, alpha: float) -> str:
    if value < min_retention:
        return "The measured value itself is too low: more or better training data may help, more prompts will not."
    paired = report.metric.student.paired
    needed = prompts_needed(paired.counts, min_retention, alpha) if paired.binary else None
    if needed is None:
        return "Evaluate on more prompts to narrow the interval."
    return f"About {needed:,} prompts would settle it, if the rates stay as they are."


def _failed(report: Report, side: str, max_failed_share: float) -> Criterion:
    summary = report.sides[side]
    passed = summary.failed_share <= max_failed_share
    text = (
        f"{summary.failed} of {summary.calls} calls of the {side} failed ({summary.failed_share:.1%}); "
        f"at most {max_failed_share:.1%} may."
    )
    if not passed:
        codes = ", ".join(f"{code} {count}x" for code, count in summary.failures.items())
        text += f" The errors: {codes}."
    return Criterion(name=f"{side} failures", passed=passed, text=text)
