"""Asking a target every prompt, and what came back: an answer or a failure for each, none lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol

from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError
from bedrock_distill.records.schema import Record

__all__ = ["Answer", "Answers", "Ask", "ChatTarget", "Reply", "Tokens", "gather"]


class Tokens(Protocol):
    """What a call used."""

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt."""
        ...

    @property
    def output_tokens(self) -> int:
        """Tokens of the answer."""
        ...


class Reply(Protocol):
    """What a target answers; `chat.ChatReply` is one."""

    @property
    def text(self) -> str:
        """The answer."""
        ...

    @property
    def stop_reason(self) -> str:
        """Why the model stopped."""
        ...

    @property
    def usage(self) -> Tokens:
        """What the call used."""
        ...

    @property
    def latency_s(self) -> float:
        """Seconds from the request to the whole answer."""
        ...


class ChatTarget(Protocol):
    """Whatever can be asked; `chat.Target` and a deployment are two. `model_id` and `name` are read where there are any."""

    def chat(
        self, prompt: Record, /, *, system: str | None, max_tokens: int | None, temperature: float | None
    ) -> Reply:
        """Ask, and wait for the whole answer. May be called from several threads at once."""
        ...


Ask = Callable[[Record], Reply]
"""A target with everything but the prompt decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One side's answer to one prompt, or the error that came instead."""

    text: str | None
    """The answer, or None where the call failed."""
    stop_reason: str = ""
    """Why the model stopped, as AWS names it."""
    input_tokens: int = 0
    output_tokens: int = 0
    latency_s: float | None = None
    """Seconds from the request to the whole answer; None where the call failed."""
    error_code: str = ""
    """AWS's error code, or an empty string."""
    error: str = ""
    """The error's message, or an empty string."""

    @property
    def failed(self) -> bool:
        """Whether the call failed."""
        return self.text is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One side's answers, in the order of the prompts."""

    name: str
    """What reports call the side."""
    model_id: str
    """The model id or ARN that was asked, or an empty string where the target has none."""
    answers: tuple[Answer, ...]
    seconds: float
    """How long it took to gather them all, at the concurrency that was asked for."""

    @property
    def texts(self) -> tuple[str | None, ...]:
        """The texts; None where a call failed."""
        return tuple(answer.text for answer in self.answers)

    @property
    def failures(self) -> Counter[str]:
        """How many calls failed, by error code."""
        return Counter(answer.error_code for answer in self.answers if answer.failed)

    @property
    def failed_share(self) -> float:
        """Share of the calls that failed."""
        return self.failures.total() / len(self.answers)


def gather(
    ask: Ask,
    prompts: Sequence[Record],
    *,
    name: str,
    model_id: str = "",
    concurrency: int,
    on_done: Callable[[int], None],
) -> Answers:
    """Ask every prompt, several at a time.

    A call that fails after its own retries becomes an answer that says so. Refusals that every other prompt would meet
    as well (no access, no such model, a request that could never be sent) end the whole.

    Args:
        ask: The target.
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
    started = time.perf_counter()
    answers: list[Answer | None] = [None] * len(prompts)
    pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="evaluate")
    try:
        places = {pool.submit(_answer, ask, prompt): place for place, prompt in enumerate(prompts)}
        for done, future in enumerate(as_completed(places), start=1):
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


def _answer(ask: Ask, prompt: Record) -> Answer:
    try:
        reply = ask(prompt)
    except (AccessDeniedError, NotFoundError):
        raise
    except ServiceError as error:
        return Answer(text=None, error_code=error.code or type(error).__name__, error=str(error))
    except OSError as error:  # what targets other than ours raise for the network, TimeoutError included
        return Answer(text=None, error_code=type(error).__name__, error=str(error))
    return Answer(
        text=reply.text,
        stop_reason=reply.stop_reason,
        input_tokens=reply.usage.input_tokens,
        output_tokens=reply.usage.output_tokens,
        latency_s=reply.latency_s,
    )
