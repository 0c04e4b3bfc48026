"""From held-out prompts to a cascade's policy: ask both sides, score, compare, and choose the threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bedrock_distill.clock import Clock, SystemClock
from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError, SpecError
from bedrock_distill.evaluation.costs import Prices, check_prices, price_of
from bedrock_distill.evaluation.metrics import Metric, MetricChoice, choose_metrics, score_all
from bedrock_distill.evaluation.notebook import Printed
from bedrock_distill.evaluation.tasks import EvaluationData, Task, load_task
from bedrock_distill.records.schema import Record
from bedrock_distill.risk import (
    Choice,
    Example,
    Point,
    Policy,
    Scored,
    as_scored,
    choose,
    curve,
    histogram,
    score_names,
)

if TYPE_CHECKING:
    from bedrock_distill.evaluation.answers import ChatTarget, Reply

__all__ = ["Calibration", "CascadeScore", "calibrate"]

CascadeScore: TypeAlias = Callable[[Record, Any], float | Scored]
"""How sure the student is: takes the prompt and the student's reply."""

_NO_PRICES: Final[Prices] = {}
_ROUNDING: Final = 1e-9
_ROWS: Final = 12
"""Most thresholds that the table shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(Printed):
    """The threshold that was chosen, what it rests on, and what any other would have meant. `print` shows a table."""

    policy: Policy
    """What a cascade needs of it."""
    choice: Choice
    """The threshold, its share and its risk."""
    examples: tuple[Example, ...]
    """What was measured, prompt by prompt."""
    priced: bool
    """Whether the prices of both sides were known; costs mean nothing where not."""
    failed: tuple[int, int]
    """How many calls failed: the student's, and the teacher's."""

    @property
    def curve(self) -> tuple[Point, ...]:
        """Share, risk and cost at every threshold that makes a difference, "never the student" first."""
        return curve(self.examples)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before relying on it, in sentences."""
        least, found = self.choice.least_examples, []
        if self.choice.point.threshold is None:
            found.append(
                f"No threshold can be shown to keep the risk below {self.choice.alpha:g}, so the teacher answers all. "
                + (
                    f"That takes at least {least} prompts, and these are {self.choice.examples}."
                    if self.choice.examples < least
                    else "Where the student is surest, it is mistaken too often: try another score, or a higher alpha."
                )
            )
        for side, count in zip(("student", "teacher"), self.failed, strict=True):
            if count:
                found.append(f"{count} calls of the {side} failed.")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """The policy, the curve and the remarks as JSON types."""
        return {
            "threshold": self.policy.threshold,
            "alpha": self.policy.alpha,
            "confidence": self.policy.confidence,
            "examples": self.choice.examples,
            "student_share": self.choice.point.student_share,
            "risk": self.choice.point.risk,
            "score": list(self.policy.score),
            "metric": self.policy.metric,
            "remarks": list(self.remarks),
            "curve": [self._row(point) for point in self.curve],
        }

    def _row(self, point: Point) -> dict[str, Any]:
        return {
            "threshold": point.threshold,
            "student_share": point.student_share,
            "risk": point.risk,
            "loss_if_student": point.loss_if_student,
            "cost_usd": point.cost if self.priced else None,
        }

    def __str__(self) -> str:
        point, alpha = self.choice.point, self.choice.alpha
        how = (
            "on average"
            if self.choice.confidence is None
            else f"with {self.choice.confidence * 100:.6g}% confidence"
        )
        head = (
            f"The student answers from a score of {point.threshold:.3f} on: {point.student_share:.1%} of "
            f"{self.choice.examples} prompts, at a risk of {point.risk:.4f} (bound {alpha:g}, {how})."
            if point.threshold is not None
            else f"The student answers nothing (bound {alpha:g}, {how}, {self.choice.examples} prompts)."
        )
        rows = [("threshold", "student", "risk", "cost")]
        rows += [self._cells(each) for each in _thinned(self.curve, point)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join([head, "", *lines, *(f"! {remark}" for remark in self.remarks)])

    def __repr__(self) -> str:
        point = self.choice.point
        return f"<Calibration: threshold {point.threshold}, {point.student_share:.1%} of {self.choice.examples} prompts>"

    def _cells(self, point: Point) -> tuple[str, str, str, str]:
        return (
            "never" if point.threshold is None else f"{point.threshold:.3f}",
            f"{point.student_share:.1%}",
            f"{point.risk:.4f}",
            f"{point.cost:.6f} USD" if self.priced else "unknown",
        )


def calibrate(
    student: ChatTarget,
    teacher: ChatTarget,
    data: EvaluationData,
    *,
    score: CascadeScore,
    alpha: float,
    confidence: float | None = None,
    metric: MetricChoice | None = None,
    system: str | None = None,
    max_tokens: int | None = 512,
    temperature: float | None = 0.0,
    limit: int | None = None,
    prices: Prices = _NO_PRICES,
    concurrency: int = 8,
    on_progress: Callable[[int, int], None] | None = None,
    clock: Clock | None = None,
) -> Calibration:
    """Find from which score on a student may answer without its teacher.

    Both are asked every prompt. The loss of a prompt is what letting the student answer costs: where the record has a golden
    completion, by how much the student's score on it is below the teacher's; else by how much its answer falls short of
    the teacher's. Let C be the calibration and X the next request: if the prompts are exchangeable with the requests to
    come, the mean loss over all requests, those of the teacher counting 0, is at most `alpha`, whatever the student, the
    score and the data are. Prompts that the student was trained on, or that are older than the traffic, are not.

    Args:
        student: What is to answer most: as the cascade will ask it.
        teacher: What answers the rest.
        data: Held-out prompts, as `evaluate` takes them.
        score: How sure the student is of an answer, from 0 to 1, out of the prompt and the reply.
        alpha: Bound of the mean loss over all requests, such as 0.02.
        confidence: None bounds it on average over calibration sets like this; 0.95 bounds it for 95 % of them.
        metric: How answers are compared. Default: as `evaluate` chooses.
        system: System prompt of every call. Default: each record's own.
        max_tokens: Most tokens of an answer.
        temperature: Randomness from 0 to 1; None leaves it to the models.
        limit: Ask only so many prompts from the beginning.
        prices: Prices by model id or side, for the costs of the curve.
        concurrency: Prompts under way at once.
        on_progress: Told how many prompts are done, and how many there are.
        clock: Dates the policy. Default: the machine's.

    Raises:
        DataError: If a line of the data is no record, or there are none.
        SpecError: If an argument makes no sense, or the score or the metric gives no number from 0 to 1.
        AccessDeniedError: If a side may not be asked.
        NotFoundError: If a side does not exist.

    Example:
        >>> score = IsLabel(frozenset({"billing", "shipping"}))  # of bedrock_distill.chat
        >>> found = bd.calibrate(student, teacher, "heldout.jsonl", score=score, alpha=0.02, confidence=0.95)
        >>> cascade = bd.Cascade.from_policy(found.policy, student, teacher)
    """
    choose([Example(score=None, loss=0.0)], alpha=alpha, confidence=confidence)  # before anything is asked
    if concurrency < 1:
        raise SpecError(
            f"concurrency must be at least 1, not {concurrency}.", field="concurrency", value=concurrency
        )
    if not callable(score):
        raise SpecError(
            f"score is {score!r}: give a function of prompt and reply, or score_from([{score!r}], student).",
            field="score",
            value=score,
        )
    check_prices(prices)
    choose_metrics(metric, ())
    task = load_task(data, limit=limit)
    options = {"system": system, "max_tokens": max_tokens, "temperature": temperature}
    ask = partial(_ask_both, student, teacher, score, options)
    pairs: list[_Pair] = []
    with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="calibrate") as pool:
        try:
            for pair in pool.map(ask, task.prompts):
                pairs.append(pair)
                if on_progress is not None:
                    on_progress(len(pairs), len(task.prompts))
        except BaseException:
            # Nothing more is asked: each call costs.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    chosen = choose_metrics(metric, [pair.teacher.text for pair in pairs if pair.teacher is not None])[0]
    losses = _losses(chosen, task, pairs)
    costs = [_costs(pair, student, teacher, prices) for pair in pairs]
    examples = tuple(
        Example(score=pair.value, loss=loss, student_cost=cost[0], teacher_cost=cost[1])
        for pair, loss, cost in zip(pairs, losses, costs, strict=True)
    )
    found = choose(examples, alpha=alpha, confidence=confidence)
    answered = [example for example in examples if example.score is not None]
    return Calibration(
        policy=Policy(
            threshold=found.point.threshold,
            alpha=alpha,
            confidence=confidence,
            score=score_names(score),
            metric=chosen.name,
            student=_id(student),
            teacher=_id(teacher),
            made_at=(clock or SystemClock()).now().isoformat(timespec="seconds"),
            examples=len(examples),
            student_share=found.point.student_share,
            risk=found.point.risk,
            scores=histogram(example.score for example in answered if example.score is not None),
            losses=histogram(example.loss for example in answered),
        ),
        choice=found,
        examples=examples,
        priced=all(
            _price(prices, side, target) for side, target in (("student", student), ("teacher", teacher))
        ),
        failed=(sum(pair.student is None for pair in pairs), sum(pair.teacher is None for pair in pairs)),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """What both sides made of one prompt; None where a call failed after its retries."""

    student: Reply | None
    scored: Scored | None
    teacher: Reply | None

    @property
    def value(self) -> float | None:
        return None if self.scored is None else self.scored.value


def _ask_both(
    student: ChatTarget, teacher: ChatTarget, score: CascadeScore, options: dict[str, Any], prompt: Record
) -> _Pair:
    by_student = _unless_failed(lambda: student.chat(prompt, **options))
    scored = None
    if by_student is not None:
        seen = prompt if options["system"] is None else Record.of(prompt.messages, system=options["system"])
        scored = _unless_failed(lambda: as_scored(score(seen, by_student), by=score_names(score)))
    return _Pair(
        by_student if scored is not None else None,
        scored,
        _unless_failed(lambda: teacher.chat(prompt, **options)),
    )


def _unless_failed(ask: Callable[[], Any]) -> Any:
    """What was asked for, or None where the call failed; refusals that every other prompt would meet are raised."""
    try:
        return ask()
    except (AccessDeniedError, NotFoundError):
        raise
    except (ServiceError, OSError):
        return None


def _losses(metric: Metric, task: Task, pairs: Sequence[_Pair]) -> tuple[float, ...]:
    """What letting the student answer would cost, prompt by prompt."""
    by_student = [None if pair.student is None else pair.student.text for pair in pairs]
    by_teacher = [None if pair.teacher is None else pair.teacher.text for pair in pairs]
    # Without a golden completion the teacher's answer is the measure, and the teacher meets it in full.
    wanted = [
        answer if gold is None else gold for gold, answer in zip(task.references, by_teacher, strict=True)
    ]
    # A teacher that failed might have been right, or there is nothing to be measured by: the bound errs to the safe side.
    best = [
        1.0 if gold is None or answer is None else got
        for gold, answer, got in zip(
            task.references, by_teacher, score_all(metric, by_teacher, wanted), strict=True
        )
    ]
    got = score_all(metric, by_student, wanted)
    if (most := max((*best, *got))) > 1 + _ROUNDING:
        raise SpecError(
            f"The metric {metric.name!r} gives {most:g}, and a loss is a share of what there is to lose: divide its scores by the "
            "best there can be.",
            field="metric",
            value=most,
        )
    return tuple(
        1.0 if text is None else min(1.0, max(0.0, top - own))
        for text, top, own in zip(wanted, best, got, strict=True)
    )


def _costs(pair: _Pair, student: ChatTarget, teacher: ChatTarget, prices: Prices) -> tuple[float, float]:
    """What the calls of either side cost, in USD; 0 where the price is unknown."""
    student_price, teacher_price = _price(prices, "student", student), _price(prices, "teacher", teacher)
    cost, teacher_cost = 0.0, 0.0
    if student_price and pair.student is not None and pair.scored is not None:
        cost = student_price.cost_usd(
            pair.student.usage.input_tokens + pair.scored.input_tokens,
            pair.student.usage.output_tokens + pair.scored.output_tokens,
        )
    if teacher_price and pair.teacher is not None:
        teacher_cost = teacher_price.cost_usd(
            pair.teacher.usage.input_tokens, pair.teacher.usage.output_tokens
        )
    return cost, teacher_cost


def _thinned(points: Sequence[Point], chosen: Point) -> list[Point]:
    """About a dozen points, spread evenly over the student's share, the chosen one among them."""
    step = max(1, len(points) // _ROWS)
    kept = {*range(0, len(points), step), len(points) - 1}
    near = min(range(len(points)), key=lambda place: abs(points[place].student_share - chosen.student_share))
    return [points[place] for place in sorted(kept | {near})]


def _price(prices: Prices, side: str, target: ChatTarget) -> Any:
    return price_of(prices, side, _id(target))


def _id(target: ChatTarget) -> str:
    return str(getattr(target, "model_id", ""))
