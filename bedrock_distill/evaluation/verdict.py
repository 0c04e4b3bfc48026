"""The gate: whether the student is good enough, criterion by criterion, with the figures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import GateFailedError, SpecError
from bedrock_distill.evaluation.guards import Guard, guard_slices
from bedrock_distill.evaluation.judging import MOST_UNINFORMATIVE
from bedrock_distill.evaluation.notebook import Printed
from bedrock_distill.evaluation.scoring import gain_lower_bound

if TYPE_CHECKING:
    from collections.abc import Collection

    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.slices import SliceResult

__all__ = ["Criterion", "Verdict", "check_criteria", "judge"]

_SHARE = "above 0 and below 10: it is a share of the teacher's, write 0.9 for 90 %"

_POWER = 0.8
"""How often a student like the measured one shall pass, where the number of prompts is advised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that was asked of the student."""

    name: str
    passed: bool
    text: str
    """One sentence with the figures, and what to do where it was missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Printed):
    """What the gate says."""

    student: str
    """What reports call the student."""
    teacher: str
    min_retention: float | None
    """What was asked of retention, or None if nothing was."""
    alpha: float
    lower_bound: float | None
    """Retention is at least this, and saying so is wrong at most `alpha` of the time; None where it is undefined."""
    criteria: tuple[Criterion, ...]
    min_slice_retention: float | None = None
    """What was asked of every slice, or None if nothing was."""
    guards: tuple[Guard, ...] = ()
    """What can be said of each slice, in the report's order."""

    @property
    def passed(self) -> bool:
        """Whether every criterion was met."""
        return all(criterion.passed for criterion in self.criteria)

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence for each criterion that was missed."""
        return tuple(criterion.text for criterion in self.criteria if not criterion.passed)

    @property
    def missed_first(self) -> tuple[Criterion, ...]:
        """The criteria as reports show them: what stops a release before what does not."""
        return tuple(sorted(self.criteria, key=lambda criterion: criterion.passed))

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
        lines = [f"{'ok  ' if each.passed else 'MISS'}  {each.text}" for each in self.missed_first]
        return "\n".join([f"Gate {'passed' if self.passed else 'failed'}", *lines])


def judge(
    report: Report,
    *,
    min_retention: float | None,
    alpha: float,
    max_failed_share: float,
    max_cost_ratio: float | None,
    min_slice_retention: float | None,
    every_slice_shown: bool,
    min_gain: float | None = None,
) -> Verdict:
    """Hold a report against the criteria. What could not be measured is missed.

    Args:
        report: The report.
        min_retention: What the lower bound of retention must reach, such as 0.9.
        alpha: Chance of passing a student whose true retention is below that, below 0.5.
        max_failed_share: Largest share of failed calls on either side.
        max_cost_ratio: Most that an answer of the student may cost, in answers of the teacher.
        min_slice_retention: What no slice may be shown to fall short of.
        every_slice_shown: Ask more: that every slice is shown to keep it.
        min_gain: What the student must be shown to score above the base, in mean score.

    Raises:
        SpecError: If a criterion makes no sense.
    """
    check_criteria(
        min_retention=min_retention,
        alpha=alpha,
        max_failed_share=max_failed_share,
        max_cost_ratio=max_cost_ratio,
        min_slice_retention=min_slice_retention,
        every_slice_shown=every_slice_shown,
        min_gain=min_gain,
    )
    metric = report.metric
    bound = metric.student.paired.lower_bound(alpha)
    # A base that is not heard would make any student better.
    sides = ["student", "teacher", *(["base"] if min_gain is not None and "base" in report.sides else [])]
    heard = [
        *(_failed(report, side, max_failed_share) for side in sides),
        *_scores_there(report, max_failed_share),
        *_judge_believed(report, sides),
    ]
    criteria: list[Criterion] = []
    guards: tuple[Guard, ...] = ()
    if min_retention is not None:
        # Where too little was heard, the measured value says nothing, nor what to do about it.
        advise = all(each.passed for each in heard)
        criteria.append(_retention(report, bound, min_retention, alpha, advise=advise))
    if min_gain is not None:
        criteria.append(_gain(report, min_gain, alpha))
    if min_slice_retention is not None and report.slices:
        guards = guard_slices(report.slices, floor=min_slice_retention, alpha=alpha)
        criteria += _slices(
            report.slices, guards, min_slice_retention, alpha, every_slice_shown=every_slice_shown
        )
    elif min_slice_retention is not None:
        criteria.append(_NO_SLICES)
    if max_cost_ratio is not None:
        criteria.append(_cost(report, max_cost_ratio))
    criteria += heard
    return Verdict(
        student=report.sides["student"].name,
        teacher=report.sides["teacher"].name,
        min_retention=min_retention,
        alpha=alpha,
        lower_bound=bound,
        criteria=tuple(criteria),
        min_slice_retention=min_slice_retention,
        guards=guards,
    )


def check_criteria(
    *,
    min_retention: float | None,
    alpha: float,
    max_failed_share: float,
    max_cost_ratio: float | None,
    min_slice_retention: float | None,
    every_slice_shown: bool,
    min_gain: float | None,
) -> None:
    """Refuse criteria that make no sense; arguments are those of `judge`.

    Raises:
        SpecError: Naming the first of them.
    """
    rules = (
        ("min_retention", min_retention, _share(min_retention), _SHARE),
        ("alpha", alpha, 0 < alpha < 0.5, "between 0 and 0.5, such as 0.05"),
        ("max_failed_share", max_failed_share, 0 <= max_failed_share <= 1, "a share from 0 to 1"),
        ("max_cost_ratio", max_cost_ratio, _share(max_cost_ratio), _SHARE),
        ("min_slice_retention", min_slice_retention, _share(min_slice_retention), _SHARE),
        (
            "every_slice_shown",
            every_slice_shown,
            not every_slice_shown or min_slice_retention is not None,
            "given with min_slice_retention, which says what every slice is to keep",
        ),
        ("min_gain", min_gain, min_gain is None or -1 < min_gain < 1, "between -1 and 1, such as 0 or -0.02"),
    )
    for field, value, holds, rule in rules:
        if not holds:
            raise SpecError(f"{field} must be {rule}, not {value!r}.", field=field, value=value)


def _share(value: float | None) -> bool:
    """Whether a value can be meant as a share of the teacher's: 90 is meant as 90 %, which it is not."""
    return value is None or 0 < value < 10


def _retention(
    report: Report, bound: float | None, min_retention: float, alpha: float, *, advise: bool
) -> Criterion:
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
        f"Retention is at least {_down(bound):.2%} at alpha {alpha:g} ({value:.2%} measured on {report.retention.n} prompts); "
        f"{min_retention:.2%} was asked for."
    )
    advice = " " + _advice(report, value, min_retention, alpha) if advise and not passed else ""
    return Criterion(name="retention", passed=passed, text=figures + advice)


def _down(bound: float) -> float:
    """A lower bound with the digits that are shown: rounded up, one that is missed would look met."""
    return math.floor(10_000 * bound + 1e-6) / 10_000


def _gain(report: Report, least: float, alpha: float) -> Criterion:
    metric = report.metric
    if metric.base is None:
        text = "A gain over the base was asked for, and no base was asked: give one (base=, --base)."
        return Criterion(name="gain", passed=False, text=text)
    bound = gain_lower_bound(metric.student.paired.side, metric.base.paired.side, alpha)
    own, other = (fmean(side.paired.side) for side in (metric.student, metric.base))
    return Criterion(
        name="gain",
        passed=bound >= least,
        text=f"The student scores {own:.2%} and the base {other:.2%}, so it gains at least {_down(bound):+.2%} at alpha {alpha:g} "
        f"({own - other:+.2%} measured on {len(metric.student.paired.side)} prompts); {least:+.2%} was asked for.",
    )


def _advice(report: Report, value: float, min_retention: float, alpha: float) -> str:
    if value < min_retention:
        return "The measured value itself is too low: more or better training data may help, more prompts will not."
    paired = report.metric.student.paired
    if not paired.binary:
        return "Evaluate on more prompts to narrow the interval."
    from bedrock_distill.evaluation.planning import PairRates, prompts_for_power  # noqa: PLC0415 - loads numpy

    needed = prompts_for_power(
        PairRates.of(paired.counts), min_retention=min_retention, alpha=alpha, power=_POWER
    )
    if needed is None:
        return (
            "The measured value is so near to that that no number of prompts one could ask would settle it."
        )
    return f"With about {needed:,} prompts a student like this passes {_POWER:.0%} of the time."


_NO_SLICES = Criterion(
    name="slices",
    passed=False,
    text="A retention was asked of every slice, and no slices were measured: say by what to slice (slices=, --slice).",
)


def _slices(
    slices: tuple[SliceResult, ...],
    guards: tuple[Guard, ...],
    floor: float,
    alpha: float,
    *,
    every_slice_shown: bool,
) -> list[Criterion]:
    met = {"kept"} if every_slice_shown else {"kept", "open"}
    return [
        Criterion(
            name=f"slice {each.name}",
            passed=guard.state in met,
            text=f"Slice {each.name}: {_kept(each)}; {_said(guard, floor, alpha, len(slices))}.",
        )
        for each, guard in zip(slices, guards, strict=True)
    ]


def _kept(found: SliceResult) -> str:
    value = None if found.retention is None else found.retention.value
    measured = "retention undefined" if value is None else f"retention {value:.2%}"
    return f"{measured} on {found.n} prompts"


def _said(guard: Guard, floor: float, alpha: float, looks: int) -> str:
    together = f"Holm's p {{:.4f}}, {looks} slices at alpha {alpha:g}"
    if guard.state == "blind":
        more = "" if guard.needed is None else f" (at least {guard.needed} that the teacher is right on)"
        return f"too few to notice even a student that is always wrong; evaluate on more of its prompts{more}, or join slices"
    sentences = {
        "short": f"shown to fall short of {floor:.2%} ({together.format(guard.p_short)})",
        "kept": f"shown to keep {floor:.2%} ({together.format(guard.p_kept)})",
        "open": f"not shown to fall short of {floor:.2%}, nor to keep it ({together.format(guard.p_short)})",
    }
    return sentences[guard.state]


def _cost(report: Report, most: float) -> Criterion:
    sides = {side: report.sides[side].cost_usd_mean for side in ("student", "teacher")}
    unknown = [side for side, cost in sides.items() if cost is None]
    student, teacher = sides["student"], sides["teacher"]
    if student is None or teacher is None:
        text = (
            f"An answer may cost {most:g} times what the teacher's costs, and what the {' and the '.join(unknown)} "
            "costs is unknown: give prices (prices=, or a catalog file on the command line), and answers with their tokens."
        )
        return Criterion(name="cost ratio", passed=False, text=text)
    if not teacher:
        return Criterion(
            name="cost ratio",
            passed=False,
            text="The teacher's answers cost nothing by the prices given, so that there is no ratio of costs.",
        )
    return Criterion(
        name="cost ratio",
        passed=student / teacher <= most,
        text=f"An answer of the student costs {student / teacher:.3f} times the teacher's; at most {most:g} was asked for.",
    )


def _judge_believed(report: Report, sides: Collection[str]) -> list[Criterion]:
    """Where a judge decides, that its verdicts mostly say something: a judge that says nothing finds only ties."""
    return [
        Criterion(
            name="judge" if said.side == "student" else f"judge on the {said.side}",
            passed=said.uninformative_share <= MOST_UNINFORMATIVE,
            text=f"The judge told nothing on {said.uninformative_share:.1%} of the {said.side}'s pairs that it was shown (its "
            f"orders disagreed, or there was no verdict); at most {MOST_UNINFORMATIVE:.0%} may be so. "
            "Where it is missed, ask a stronger judge or sharpen the rubric.",
        )
        for said in report.judges
        if said.metric == report.metric.name and said.side in sides
    ]


def _scores_there(report: Report, max_failed_share: float) -> list[Criterion]:
    """Where somebody else scored, that scores are there: what was not measured must not pass."""
    grades, n = report.metric.grades, len(report.task.prompts)
    if grades is None:
        return []
    return [
        Criterion(
            name=f"{side} scores",
            passed=grades.missing(side) <= max_failed_share * n,
            text=f"{grades.missing(side)} of {n} answers of the {side} have no {report.metric.name} "
            f"({grades.missing(side) / n:.1%}); at most {max_failed_share:.1%} may.",
        )
        for side in ("student", "teacher")
    ]


def _failed(report: Report, side: str, max_failed_share: float) -> Criterion:
    summary = report.sides[side]
    passed = summary.failed_share <= max_failed_share
    text = (
        f"{summary.failed} of {summary.calls} calls of the {side} failed ({summary.failed_share:.1%}); "
        f"at most {max_failed_share:.1%} may."
    )
    if not passed:
        codes = ", ".join(f"{code} {count}x" for code, count in summary.failures.items())
        text += f" The errors: {codes}. The first said: {report.answers[side].first_error}"
    return Criterion(name=f"{side} failures", passed=passed, text=text)
