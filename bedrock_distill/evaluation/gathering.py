"""Asking a target every prompt: the cache first, then at the pace that is allowed, again where that may help."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bedrock_distill.clock import Clock, SystemClock
from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError
from bedrock_distill.evaluation.answers import Answer, Answers, Ask
from bedrock_distill.evaluation.pacing import RateLimit, tokens_at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bedrock_distill.evaluation.cache import AnswerCache
    from bedrock_distill.evaluation.costs import TokenPrice
    from bedrock_distill.records.schema import Record

__all__ = ["Caller", "gather"]

_WAIT_FIRST_S: Final = 1.0
_WAIT_MOST_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One target, and how it is asked. Safe for threads where the target is."""

    ask: Ask
    target: str = ""
    """Its id: with the prompt and the parameters, what a cached answer is found by."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Everything but the prompt that a reply depends on."""
    attempts: int = 1
    """Calls at most for one prompt, besides what the target tries by itself."""
    cache: AnswerCache | None = None
    limit: RateLimit | None = None
    clock: Clock = field(default_factory=SystemClock)
    price: TokenPrice | None = None

    def key(self, prompt: Record, sample: int) -> bytes:
        """Where the cache has the answer; nothing without a cache."""
        if self.cache is None:
            return b""
        return self.cache.key(self.target, prompt, self.parameters, sample)

    def recall(self, key: bytes) -> Answer | None:
        """The answer of an earlier call, or None."""
        found = None if self.cache is None else self.cache.get(key)
        return None if found is None else self._priced(found)

    def call(self, prompt: Record, key: bytes) -> Answer:
        """Ask, and keep the answer. A failure is an answer too, and is not kept.

        Raises:
            SpecError: If the request could never be accepted.
            AccessDeniedError: If the caller may not ask this model.
            NotFoundError: If there is no such model here.
        """
        answer, again = self._attempt(prompt)
        for tried in range(1, self.attempts):
            if not again:
                break
            self.clock.sleep(min(_WAIT_MOST_S, _WAIT_FIRST_S * 2 ** (tried - 1)))
            answer, again = self._attempt(prompt)
        if self.cache is not None and not answer.failed:
            answer = self.cache.put(key, self.target, answer)
        return self._priced(answer)

    def _attempt(self, prompt: Record) -> tuple[Answer, bool]:
        """An answer, and whether another try may bring a better one."""
        most = self.parameters.get("max_tokens")
        expected = tokens_at_most(prompt, most if isinstance(most, int) else None) if self.limit else 0
        if self.limit is not None:
            self.limit.wait(expected)
        asked_at = self.clock.now().isoformat()
        try:
            reply = self.ask(prompt)
        except (AccessDeniedError, NotFoundError):
            raise
        except ServiceError as error:
            code = error.code or type(error).__name__
            return Answer(text=None, error_code=code, error=str(error), asked_at=asked_at), error.retryable
        except OSError as error:  # what targets other than ours raise for the network, TimeoutError included
            failed = Answer(text=None, error_code=type(error).__name__, error=str(error), asked_at=asked_at)
            return failed, isinstance(error, (TimeoutError, ConnectionError))
        usage = reply.usage
        if self.limit is not None:
            self.limit.settle(expected, usage.input_tokens + usage.output_tokens)
        answer = Answer(
            text=reply.text,
            stop_reason=reply.stop_reason,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            latency_s=reply.latency_s,
            first_token_s=getattr(reply, "first_token_s", None),
            asked_at=asked_at,
        )
        return answer, False

    def _priced(self, answer: Answer) -> Answer:
        # Tokens are the fact that is kept; their price is looked up again, because it may have become known since.
        if self.price is None or answer.failed or not answer.counted:
            return answer
        return replace(answer, cost_usd=self.price.cost_usd(answer.input_tokens, answer.output_tokens))


def gather(
    ask: Ask | Caller,
    prompts: Sequence[Record],
    *,
    name: str,
    model_id: str = "",
    concurrency: int,
    on_done: Callable[[int], None],
) -> Answers:
    """Ask every prompt, several at a time.

    A call that fails after its retries becomes an answer that says so. Refusals that every other prompt would meet as
    well (no access, no such model, a request that could never be sent) end the whole.

    Args:
        ask: The target, with or without how it is asked.
        prompts: What to ask.
        name: What reports call the side.
        model_id: The model id or ARN that is asked.
        concurrency: How many calls are under way at once.
        on_done: Told how many prompts are done, from the calling thread.

    Raises:
        SpecError: If a request could never be accepted.
        AccessDeniedError: If the caller may not ask this model.
        NotFoundError: If there is no such model here.
    """
    caller = ask if isinstance(ask, Caller) else Caller(ask=ask)
    started = time.perf_counter()
    keys = _keys(caller, prompts)
    answers: list[Answer | None] = [caller.recall(key) for key in keys]
    missing = [place for place, answer in enumerate(answers) if answer is None]
    recalled = len(prompts) - len(missing)
    if recalled:
        on_done(recalled)
    pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="evaluate")
    try:
        places = {pool.submit(caller.call, prompts[place], keys[place]): place for place in missing}
        for done, future in enumerate(as_completed(places), start=recalled + 1):
            answers[places[future]] = future.result()
            on_done(done)
    finally:
        # After an error or an interrupt nothing more is asked: each call costs.
        pool.shutdown(wait=True, cancel_futures=True)
    return Answers(
        name=name,
        model_id=model_id,
        answers=tuple(answer for answer in answers if answer is not None),
        seconds=time.perf_counter() - started,
    )


def _keys(caller: Caller, prompts: Sequence[Record]) -> list[bytes]:
    asked: Counter[bytes] = Counter()
    keys = []
    for prompt in prompts:
        first = caller.key(prompt, 0)
        keys.append(first if not asked[first] else caller.key(prompt, asked[first]))
        asked[first] += 1
    return keys
