"""Waiting for something that takes days, over a network that does not last that long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from bedrock_distill.errors import JobFailedError, ServiceError, WaitTimeoutError
from bedrock_distill.resources.waiting import Noun, wait_until_over

NOUN = Noun(name="distillation job", wait_command="bedrock-distill jobs wait", when_failed="Ask {arn}.")
OUTAGE = ServiceError("bedrock GetModelCustomizationJob got no answer", retryable=True)
REFUSAL = ServiceError("no", code="ValidationException")


@dataclass(frozen=True)
class State:
    status: str
    phase: str = ""
    reason: str = ""
    arn: str = "arn:aws:bedrock:us-east-1:1:model-customization-job/x/1"

    @property
    def over(self):
        return self.status in ("Completed", "Failed")

    @property
    def succeeded(self):
        return self.status == "Completed"


RUNNING, DONE = State("InProgress", "training"), State("Completed")


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def now(self):
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


def wait(*seen, timeout_s=None, on_change=None):
    left = list(seen)

    def look():
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, BaseException):
            raise now
        return now

    return wait_until_over(look, what=NOUN, clock=Clock(), timeout_s=timeout_s, on_change=on_change)


def test_a_wait_survives_an_outage_that_outlasts_the_retries_of_one_look():
    told = []
    assert wait(RUNNING, *[OUTAGE] * 9, RUNNING, *[OUTAGE] * 9, DONE, on_change=told.append) == DONE
    assert told == [RUNNING, DONE]


def test_a_wait_does_not_outlive_an_outage_without_end():
    with pytest.raises(ServiceError, match="no answer"):
        wait(RUNNING, *[OUTAGE] * 10, DONE)


@pytest.mark.parametrize("seen", [(OUTAGE, DONE), (RUNNING, REFUSAL, DONE)])
def test_an_outage_at_the_first_look_and_a_refusal_at_any_are_told_at_once(seen):
    with pytest.raises(ServiceError):
        wait(*seen)


def test_a_wait_that_runs_out_in_an_outage_tells_what_was_seen_last():
    with pytest.raises(WaitTimeoutError, match="still InProgress after 30 s") as caught:
        wait(RUNNING, *[OUTAGE] * 8, timeout_s=30)
    assert "`bedrock-distill jobs wait arn:aws:bedrock" in str(caught.value)


def test_a_failure_says_where_why_and_what_next():
    with pytest.raises(JobFailedError, match=r"Failed in training: No\. Ask arn:aws") as caught:
        wait(State("Failed", "training", "No."))
    assert caught.value.reason == "No."


def test_who_interrupts_is_told_that_it_goes_on(caplog):
    with pytest.raises(KeyboardInterrupt):
        wait(RUNNING, KeyboardInterrupt())
    assert "bedrock-distill jobs wait arn:aws" in caplog.text
