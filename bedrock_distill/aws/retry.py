"""Trying again: tenacity's machinery, this package's policy, the caller's clock."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_exponential,
    wait_random,
)

from bedrock_distill.errors import ModelNotReadyError, ScaledToZeroError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.clock import Clock

__all__ = ["ONCE", "Retry", "RetryPolicy", "retrying"]

_log = logging.getLogger("bedrock_distill.aws")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Retry:
    """A try that failed, before the next one."""

    error: ServiceError
    """What went wrong."""
    tries: int
    """Tries so far."""
    of: int | None
    """Tries at most, for this kind of error; None where they are bounded by time."""
    wait_s: float
    """Seconds until the next."""
    waited_s: float = 0.0
    """Seconds since the first."""
    wait_at_most_s: float | None = None
    """Seconds after which there is no other try; None where they are counted."""

    def __str__(self) -> str:
        what = "The model is being loaded" if isinstance(self.error, ModelNotReadyError) else "It failed"
        bound = f"try {self.tries} of {self.of}"
        if self.wait_at_most_s is not None:
            what = "The endpoint is scaled to zero and is being woken"
            bound = f"{self.waited_s:.0f} s of at most {self.wait_at_most_s:.0f}"
        return f"{what} ({bound}), trying again in {self.wait_s:.1f} s: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a request is tried again.

    Waits grow as `wait_initial_s · 2ⁿ`, up to `wait_max_s`, each with up to `jitter_s` added at random.
    """

    attempts: int = 6
    """Tries in all, the first included."""
    attempts_while_loading: int = 10
    """Tries in all while a model is being loaded: what AWS advises for models that are unloaded when nobody asks."""
    wake_timeout_s: float = 900.0
    """Seconds after which there is no other try while an endpoint is woken from zero instances, however many there were: an
    instance must be found and started, and the model be downloaded and loaded, which takes 5 to 15 minutes."""
    wait_initial_s: float = 0.5
    wait_max_s: float = 20.0
    jitter_s: float = 0.5
    also: Callable[[ServiceError], bool] | None = None
    """Accepts errors to retry besides the retryable ones, such as a role that IAM has not spread yet."""
    on_retry: Callable[[Retry], None] | None = None
    """Told of each failed try that will be followed by another."""

    def wants(self, error: BaseException) -> bool:
        """Whether this error is worth another try."""
        if not isinstance(error, ServiceError):
            return False
        return error.retryable or (self.also is not None and self.also(error))

    def limit(self, error: BaseException | None) -> int | None:
        """Tries in all, where the last one ended in this error; None where time is the bound."""
        if isinstance(error, ScaledToZeroError):
            return None
        return self.attempts_while_loading if isinstance(error, ModelNotReadyError) else self.attempts


ONCE = RetryPolicy(attempts=1, attempts_while_loading=1, wake_timeout_s=0)
"""No second try."""


def retrying(attempt: Callable[[], _T], *, policy: RetryPolicy, clock: Clock) -> _T:
    """Call until it succeeds, fails for good, or the policy's tries or time are used up; then the last error is raised."""
    started_s, waking = clock.monotonic(), 0

    def spent(state: RetryCallState) -> bool:
        nonlocal waking
        limit = policy.limit(_error(state))
        if limit is None:
            waking += 1
            return clock.monotonic() - started_s >= policy.wake_timeout_s
        # What came while an endpoint was woken leaves its tries to what may go wrong when it has just begun to serve.
        return state.attempt_number - waking >= limit

    def note(state: RetryCallState) -> None:
        error = _error(state)
        if not isinstance(error, ServiceError):  # `wants` lets nothing else be retried
            return
        limit = policy.limit(error)
        retry = Retry(
            error,
            state.attempt_number - (0 if limit is None else waking),
            limit,
            state.upcoming_sleep,
            waited_s=clock.monotonic() - started_s,
            wait_at_most_s=policy.wake_timeout_s if limit is None else None,
        )
        _log.info("%s", retry)
        if policy.on_retry is not None:
            policy.on_retry(retry)

    return Retrying(
        sleep=clock.sleep,
        stop=spent,
        wait=wait_exponential(multiplier=policy.wait_initial_s, max=policy.wait_max_s)
        + wait_random(0, policy.jitter_s),
        retry=retry_if_exception(policy.wants),
        before_sleep=note,
        reraise=True,
    )(attempt)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
