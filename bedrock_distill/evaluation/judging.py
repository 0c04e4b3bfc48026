"""An LLM as judge: which of two answers is better, asked in both orders.

Judges favour a place, often the first. Each pair is therefore shown twice, the answers swapped, and an answer wins only
where it is preferred in both orders. A judge that always says "the first" thus finds nothing but ties.

Calls come in the order of the pairs, both orders of one next to each other, and only as far ahead as there are threads: who
has seen enough stops taking judgements, and no more is asked.
"""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from bedrock_distill.evaluation.judge_prompt import RUBRIC, Choice, judge_prompt, read_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bedrock_distill.evaluation.answers import Answer, ChatTarget
    from bedrock_distill.evaluation.gathering import Caller
    from bedrock_distill.evaluation.statistics import Estimate
    from bedrock_distill.records.schema import Record

__all__ = [
    "MOST_UNINFORMATIVE",
    "Judge",
    "JudgeSummary",
    "Judgement",
    "Outcome",
    "Pair",
    "judge_pairs",
    "summarise_judge",
    "uninformative_share",
]

Outcome: TypeAlias = Literal[
    "win", "loss", "tie", "identical", "disagreement", "unparsed", "failed", "missing"
]
"""`disagreement`: the orders do not agree. `unparsed`: no verdict in a reply. `failed`: a call to the judge failed.
`missing`: one of the answers is not there, because its own call failed."""

MOST_UNINFORMATIVE: Final = 0.5
"""Largest share of the pairs on which a judge that decides may have told nothing: one that tells nothing finds only ties."""

_POINTS: Final[Mapping[Outcome, float]] = {
    "win": 1.0,
    "tie": 0.5,
    "identical": 0.5,
    "disagreement": 0.5,
    "loss": 0.0,
    # What told nothing earns nothing: a judge that cannot be understood must not pass a student.
    "unparsed": 0.0,
    "failed": 0.0,
    "missing": 0.0,
}

_BOTH: Final[Mapping[tuple[Choice, Choice], Outcome]] = {
    ("A", "B"): "win",
    ("B", "A"): "loss",
    ("tie", "tie"): "tie",
}
"""What was said with the answer shown as A, and with it shown as B; anything else is a disagreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A model that compares a side's answer with the teacher's, as a metric among `metrics`.

    The score is 2 for an answer that is preferred, 1 for a tie, 0 for one that is not: a mean of 1 is parity, and 0.9 means
    that the teacher is preferred on a tenth of the prompts more than the student. References are shown to the judge.
    """

    target: ChatTarget
    """Who judges; best neither the teacher nor of the teacher's family, which favours its own."""
    rubric: str = RUBRIC
    """What counts, in words."""
    name: str = "judge"
    max_tokens: int | None = 512
    """Most tokens of a reply: a reason and the verdict."""
    temperature: float | None = 0.0
    """None for models that refuse the setting."""

    @property
    def about(self) -> str:
        """One sentence for reports."""
        return "A judge's preference in both orders: 2 for the side, 1 for a tie, 0 for the teacher."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to one prompt."""

    prompt: Record
    answer: str | None
    """The side's; None where its call failed."""
    target: str | None
    """The teacher's; None where its call failed."""
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the judge said of one pair."""

    outcome: Outcome
    choices: tuple[Choice | None, ...] = ()
    """With the side's answer shown as A, then as B; None where a reply has no verdict."""
    replies: tuple[Answer, ...] = ()
    """What the judge wrote, and what it took."""

    @property
    def points(self) -> float:
        """1 for a win, 0.5 for a tie, 0 for a loss and for what told nothing."""
        return _POINTS[self.outcome]

    @property
    def score(self) -> float:
        """The same as metrics count: 1 is as good as the teacher's."""
        return 2 * self.points


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSummary:
    """What a judge said of one side's answers, and how far it may be believed."""

    metric: str
    side: str
    name: str
    model_id: str
    outcomes: dict[Outcome, int]
    """How many pairs ended how."""
    win_rate: Estimate
    """Mean points: 0.5 is parity."""
    first_share: float | None
    """Of the replies that preferred an answer, the share that preferred the first one shown; 0.5 is without bias."""
    calls: int
    """How many replies the judgements rest on."""
    cached: int
    """How many of them were asked before."""
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """What the replies cost, or None where the price is unknown."""
    judgements: tuple[Judgement, ...] = field(repr=False)
    """Prompt by prompt."""

    @property
    def uninformative_share(self) -> float:
        """Share of the judged pairs that told nothing: the orders disagreed, or there was no verdict."""
        return uninformative_share(self.outcomes)


def uninformative_share(outcomes: Mapping[Outcome, int]) -> float:
    """Share of the judged pairs that told nothing, of how many pairs ended how."""
    told_nothing = sum(outcomes.get(kind, 0) for kind in ("disagreement", "unparsed", "failed"))
    asked = told_nothing + sum(outcomes.get(kind, 0) for kind in ("win", "loss", "tie"))
    return told_nothing / asked if asked else 0.0


def judge_pairs(
    judge: Judge, pairs: Iterable[Pair], caller: Caller, *, concurrency: int
) -> Iterator[Judgement]:
    """Judge pair by pair, in their order; close the iterator to stop asking.

    Args:
        judge: The judge.
        pairs: What to compare. For a sample that may stop at any time, in an order that was shuffled.
        caller: How the judge is asked.
        concurrency: How many pairs are under way at once.

    Raises:
        SpecError: If a request could never be accepted.
        AccessDeniedError: If the judge may not be asked.
        NotFoundError: If there is no such judge.
    """
    waiting = iter(pairs)
    pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="judge")
    try:
        ahead = deque(pool.submit(_judge, judge, pair, caller) for pair in islice(waiting, concurrency))
        while ahead:
            judgement = ahead.popleft().result()
            yield judgement
            ahead.extend(pool.submit(_judge, judge, pair, caller) for pair in islice(waiting, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _judge(judge: Judge, pair: Pair, caller: Caller) -> Judgement:
    if pair.answer is None or pair.target is None:
        return Judgement(outcome="missing")
    if pair.answer.strip() == pair.target.strip():
        return Judgement(outcome="identical")
    replies: list[Answer] = []
    for first, second in ((pair.answer, pair.target), (pair.target, pair.answer)):
        question = judge_prompt(judge.rubric, pair.prompt, first, second, pair.reference)
        key = caller.key(question, 0)
        reply = caller.recall(key) or caller.call(question, key)
        replies.append(reply)
        if reply.failed:
            return Judgement(outcome="failed", replies=tuple(replies))
    one, other = (read_choice(reply.text or "") for reply in replies)
    outcome: Outcome = "unparsed" if one is None or other is None else _BOTH.get((one, other), "disagreement")
    return Judgement(outcome=outcome, choices=(one, other), replies=tuple(replies))


def summarise_judge(
    judgements: tuple[Judgement, ...],
    *,
    metric: str,
    side: str,
    name: str,
    model_id: str,
    rate: Callable[[tuple[float, ...]], Estimate],
) -> JudgeSummary:
    """Count what a judge said.

    Args:
        judgements: At least one.
        metric: The judge's name as a metric.
        side: Whose answers were judged.
        name: What reports call the judging model.
        model_id: Its model id or ARN.
        rate: From points to their mean with its interval.
    """
    replies = [reply for judgement in judgements for reply in judgement.replies]
    preferred = Counter(
        choice for judgement in judgements for choice in judgement.choices if choice in ("A", "B")
    )
    costs = [reply.cost_usd for reply in replies if not reply.failed]
    known = [cost for cost in costs if cost is not None]
    return JudgeSummary(
        metric=metric,
        side=side,
        name=name,
        model_id=model_id,
        outcomes=dict(Counter(judgement.outcome for judgement in judgements).most_common()),
        win_rate=rate(tuple(judgement.points for judgement in judgements)),
        first_share=preferred["A"] / preferred.total() if preferred else None,
        calls=len(replies),
        cached=sum(reply.cached for reply in replies),
        input_tokens=sum(reply.input_tokens for reply in replies),
        output_tokens=sum(reply.output_tokens for reply in replies),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        judgements=judgements,
    )
