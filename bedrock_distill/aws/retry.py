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

from bedrock_distill.errors import ModelNotReadyError, ServiceError

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
    of: int
    """Tries at most, for this kind of error."""
    wait_s: float
    """Seconds until the next."""

    def __str__(self) -> str:
        what = "The model is being loaded" if isinstance(self.error, ModelNotReadyError) else "It failed"
        return f"{what} (try {self.tries} of {self.of}), trying again in {self.wait_s:.1f} s: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a request is tried again.

    Waits grow as `wait_initial_s · 2ⁿ`, up to `wait_max_s`, each with up to `jitter_s` added at random.
    """

    attempts: int = 6
    """Tries in all, the first included."""
    attempts_while_loading: int = 10
    """Tries in all while a model is being loaded: what AWS advises for models that are unloaded when nobody asks."""
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

    def limit(self, error: BaseException | None) -> int:
        """Tries in all, where the last one ended in this error."""
        return self.attempts_while_loading if isinstance(error, ModelNotReadyError) else self.attempts


ONCE = RetryPolicy(attempts=1, attempts_while_loading=1)
"""No second try."""


def retrying(attempt: Callable[[], _T], *, policy: RetryPolicy, clock: Clock) -> _T:
    """Call until it succeeds, fails for good, or the policy's tries are used up; then the last error is raised."""

    def spent(state: RetryCallState) -> bool:
        return state.attempt_number >= policy.limit(_error(state))

    def note(state: RetryCallState) -> None:
        error = _error(state)
        if not isinstance(error, ServiceError):  # `wants` lets nothing else be retried
            return
        retry = Retry(error, state.attempt_number, policy.limit(error), state.upcoming_sleep)
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
