"""All that is asked in one evaluation, in the same way: the sides, and a judge where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.costs import price_of
from bedrock_distill.evaluation.gathering import Caller, gather
from bedrock_distill.evaluation.judging import Judge, JudgeSummary, Pair, judge_pairs, summarise_judge
from bedrock_distill.evaluation.pacing import RateLimit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.clock import Clock
    from bedrock_distill.evaluation.answers import Answers, ChatTarget, Reply
    from bedrock_distill.evaluation.cache import AnswerCache
    from bedrock_distill.evaluation.costs import Prices
    from bedrock_distill.evaluation.statistics import Estimate
    from bedrock_distill.evaluation.tasks import Task
    from bedrock_distill.records.schema import Record

__all__ = ["Asking", "OnProgress", "require_target"]

OnProgress = Callable[[str, int, int], None]
"""Told the side (`student`, `base`, `teacher`, or a judge's name with the side), how many prompts are done, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How everyone is asked. Limits hold for each model by itself, as AWS's do."""

    concurrency: int
    retries: int
    stream: bool
    cache: AnswerCache | None
    requests_per_minute: float | None
    tokens_per_minute: float | None
    prices: Prices
    clock: Clock
    tell: OnProgress

    def side(
        self,
        side: str,
        target: ChatTarget,
        prompts: Sequence[Record],
        *,
        system: str | None,
        max_tokens: int | None,
        temperature: float | None,
    ) -> Answers:
        """Ask one side every prompt."""
        caller = self.caller(
            side, target, system=system, max_tokens=max_tokens, temperature=temperature, stream=self.stream
        )
        answers = gather(
            caller,
            prompts,
            name=str(getattr(target, "name", "") or caller.target or side),
            model_id=_model_id(target),
            concurrency=self.concurrency,
            on_done=lambda done: self.tell(side, done, len(prompts)),
        )
        return replace(answers, recorded=bool(getattr(target, "recorded", False)))

    def judge(
        self,
        judge: Judge,
        side: str,
        answers: Answers,
        teacher: Answers,
        task: Task,
        *,
        rate: Callable[[tuple[float, ...]], Estimate],
    ) -> JudgeSummary:
        """Have one side's answers compared with the teacher's, prompt by prompt."""
        caller = self.caller(
            judge.name,
            judge.target,
            system=None,
            max_tokens=judge.max_tokens,
            temperature=judge.temperature,
            stream=False,
        )
        pairs = [
            Pair(prompt=prompt, answer=answer, target=target, reference=reference)
            for prompt, answer, target, reference in zip(
                task.prompts, answers.texts, teacher.texts, task.references, strict=True
            )
        ]
        found = []
        for judgement in judge_pairs(judge, pairs, caller, concurrency=self.concurrency):
            found.append(judgement)
            self.tell(f"{judge.name} on the {side}", len(found), len(pairs))
        return summarise_judge(
            tuple(found),
            metric=judge.name,
            side=side,
            name=str(getattr(judge.target, "name", "") or caller.target or judge.name),
            model_id=_model_id(judge.target),
            rate=rate,
        )

    def caller(
        self,
        role: str,
        target: ChatTarget,
        *,
        system: str | None,
        max_tokens: int | None,
        temperature: float | None,
        stream: bool,
    ) -> Caller:
        """A target with everything but the prompt decided.

        Raises:
            SpecError: If the target cannot be asked, cannot be told from others in the cache, or cannot stream.
        """
        require_target(role, target, stream=stream)
        model_id = _model_id(target)
        identity = model_id or str(getattr(target, "name", ""))
        if self.cache is not None and not identity:
            raise SpecError(
                f"Answers of the {role} cannot be kept: {target!r} has no `model_id` to tell them from others'. "
                "Give it one, or leave out the cache.",
                field="cache",
                value=role,
            )
        send = _streaming(target) if stream else target.chat

        def ask(prompt: Record) -> Reply:
            return send(prompt, system=system, max_tokens=max_tokens, temperature=temperature)

        return Caller(
            ask=ask,
            target=identity,
            parameters={"system": system, "max_tokens": max_tokens, "temperature": temperature},
            attempts=1 + self.retries,
            cache=self.cache,
            limit=RateLimit(
                self.clock,
                requests_per_minute=self.requests_per_minute,
                tokens_per_minute=self.tokens_per_minute,
            ),
            clock=self.clock,
            price=price_of(self.prices, role, model_id),
        )


def require_target(role: str, target: object, *, stream: bool) -> None:
    """Refuse what cannot be asked, such as the bare id of a model, or cannot be asked for streams, such as what was recorded.

    Raises:
        SpecError: If the target has no `chat`, or no `stream` where one is wanted.
    """
    if not hasattr(target, "chat"):
        raise SpecError(
            f"The {role} cannot be asked: {target!r} has no `chat`. By its id or ARN, session.model(...) gives what has.",
            field=role,
            value=target,
        )
    if stream and (not hasattr(target, "stream") or getattr(target, "recorded", False)):
        why = (
            "holds recorded answers, which do not stream" if hasattr(target, "stream") else "has no `stream`"
        )
        raise SpecError(
            f"The {role} cannot be streamed: {target!r} {why}. Leave out stream=True (--stream).",
            field="stream",
            value=role,
        )


def _model_id(target: ChatTarget) -> str:
    return str(getattr(target, "model_id", ""))


def _streaming(target: ChatTarget) -> Callable[..., Reply]:
    stream = target.stream  # type: ignore[attr-defined]  # `require_target` has seen it

    def send(prompt: Record, **options: object) -> Reply:
        reply: Reply = stream(prompt, **options).finish()
        return reply

    return send
