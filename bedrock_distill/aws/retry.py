"""Trying again: tenacity's machinery, this package's policy, the caller's clock."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from bedrock_distill.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.clock import Clock

__all__ = ["ONCE", "RetryPolicy", "retrying"]

_log = logging.getLogger("bedrock_distill.aws")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a request is tried again.

    Waits grow as `wait_initial_s · 2ⁿ`, up to `wait_max_s`, each with up to `jitter_s` added at random.
    """

    attempts: int = 6
    """Tries in all, the first included."""
    wait_initial_s: float = 0.5
    wait_max_s: float = 20.0
    jitter_s: float = 0.5
    also: Callable[[ServiceError], bool] | None = None
    """Accepts errors to retry besides the retryable ones, such as a role that IAM has not spread yet."""

    def wants(self, error: BaseException) -> bool:
        """Whether this error is worth another try."""
        if not isinstance(error, ServiceError):
            return False
        return error.retryable or (self.also is not None and self.also(error))


ONCE = RetryPolicy(attempts=1)
"""No second try."""


def retrying(attempt: Callable[[], _T], *, policy: RetryPolicy, clock: Clock) -> _T:
    """Call until it succeeds, fails for good, or the policy's tries are used up; then the last error is raised."""

    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.info("Try %d failed, trying again: %s", state.attempt_number, error)

    return Retrying(
        sleep=clock.sleep,
        stop=stop_after_attempt(policy.attempts),
        wait=wait_exponential(multiplier=policy.wait_initial_s, max=policy.wait_max_s)
        + wait_random(0, policy.jitter_s),
        retry=retry_if_exception(policy.wants),
        before_sleep=note,
        reraise=True,
    )(attempt)
