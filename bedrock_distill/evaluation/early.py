"""A judge that is asked no more than it takes to decide: pairs in shuffled order, a look after each, and a stop."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bedrock_distill.clock import SystemClock
from bedrock_distill.evaluation.asking import Asking
from bedrock_distill.evaluation.cache import AnswerCache
from bedrock_distill.evaluation.judging import MOST_UNINFORMATIVE, Pair, judge_pairs, uninformative_share
from bedrock_distill.evaluation.sequential import decide_early

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from bedrock_distill.clock import Clock
    from bedrock_distill.evaluation.judging import Judge, Judgement
    from bedrock_distill.evaluation.report import Report
    from bedrock_distill.evaluation.sequential import Look

__all__ = ["EarlyVerdict", "judge_early"]

_PARITY: Final = 0.5
"""Points of a pair that neither side wins: what the teacher has, so that retention is points over this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyVerdict:
    """What a judge said until it was clear."""

    look: Look
    """The last look: its decision is `open` where all prompts were judged and nothing was decided."""
    prompts: int
    """How many prompts there were."""
    places: tuple[int, ...]
    """Places of the prompts that were judged, in the order they were judged in."""
    judgements: tuple[Judgement, ...] = field(repr=False)
    """What was said of each."""

    @property
    def passed(self) -> bool:
        """Whether the student is shown to keep enough, by a judge that says something. Undecided is not passed."""
        return self.look.decision == "pass" and self.uninformative_share <= MOST_UNINFORMATIVE

    @property
    def uninformative_share(self) -> float:
        """Share of the pairs that told nothing: a judge of which more than half do so passes nobody."""
        return uninformative_share(Counter(judgement.outcome for judgement in self.judgements))

    @property
    def calls(self) -> int:
        """How many replies of the judge that took."""
        return sum(len(judgement.replies) for judgement in self.judgements)

    def __str__(self) -> str:
        return (
            f"{self.look} {self.calls} replies of the judge, who told nothing on {self.uninformative_share:.0%} of the pairs; "
            f"{self.prompts - self.look.n} prompts were not judged."
        )


def judge_early(
    report: Report,
    judge: Judge,
    *,
    min_retention: float,
    alpha: float = 0.05,
    beta: float = 0.05,
    seed: int = 0,
    concurrency: int = 4,
    cache: str | os.PathLike[str] | AnswerCache | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    retries: int = 2,
    clock: Clock | None = None,
) -> EarlyVerdict:
    """Let a judge compare student and teacher, and stop as soon as the answer is clear.

    Args:
        report: Whose answers to compare; nothing but the judge is asked.
        judge: Who judges.
        min_retention: What the student must keep, above 0 and at most 1: its points over those of a tie.
        alpha: Chance of passing a student that keeps no more than that, looks after every prompt included.
        beta: Chance of failing a student that keeps at least that.
        seed: Of the order that prompts are judged in.
        concurrency: Pairs under way at once; up to so many less one are judged in vain.
        cache: A folder that keeps every reply, so that a later, larger look asks nothing twice.
        requests_per_minute: Most requests to the judge.
        tokens_per_minute: Most tokens to and from the judge.
        retries: Further tries of a call that failed.
        clock: What waits. Default: the machine's.

    Raises:
        SpecError: If an argument makes no sense, or a request could never be accepted.
        AccessDeniedError: If the judge may not be asked.
        NotFoundError: If there is no such judge.
    """
    places = list(range(len(report.task.prompts)))
    random.Random(seed).shuffle(places)  # noqa: S311 - statistics, not secrets
    taken: list[Judgement] = []
    with ExitStack() as held:
        if cache is not None and not isinstance(cache, AnswerCache):
            cache = held.enter_context(AnswerCache(cache))
        asking = Asking(
            concurrency=concurrency,
            retries=retries,
            stream=False,
            cache=cache,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            prices={},
            clock=clock or SystemClock(),
            tell=lambda _side, _done, _total: None,
        )
        caller = asking.caller(
            judge.name,
            judge.target,
            system=None,
            max_tokens=judge.max_tokens,
            temperature=judge.temperature,
            stream=False,
        )
        judgements = judge_pairs(
            judge, (_pair(report, place) for place in places), caller, concurrency=concurrency
        )
        held.enter_context(closing(judgements))  # type: ignore[type-var]  # a generator, which has close

        def scores() -> Iterator[tuple[float, float]]:
            for judgement in judgements:
                taken.append(judgement)
                yield judgement.points, _PARITY

        look = decide_early(scores(), min_retention=min_retention, alpha=alpha, beta=beta)
    return EarlyVerdict(
        look=look,
        prompts=len(places),
        places=tuple(places[: len(taken)]),
        judgements=tuple(taken),
    )


def _pair(report: Report, place: int) -> Pair:
    return Pair(
        prompt=report.task.prompts[place],
        answer=report.answers["student"].texts[place],
        target=report.answers["teacher"].texts[place],
        reference=report.task.references[place],
    )
