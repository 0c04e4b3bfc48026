import itertools
from datetime import UTC, datetime

import pytest

from bedrock_distill.aws.retry import ONCE, RetryPolicy, retrying
from bedrock_distill.aws.waiting import delays, poll
from bedrock_distill.clock import SystemClock
from bedrock_distill.errors import ModelNotReadyError, ScaledToZeroError, ServiceError, SpecError


class TestClock:
    """A clock that only moves when someone sleeps."""

    __test__ = False

    def __init__(self):
        self.seconds = 0.0
        self.slept = []

    def now(self):
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds


def _failing(times, error):
    left = [error] * times

    def attempt():
        if left:
            raise left.pop()
        return "answer"

    return attempt


RETRYABLE = ServiceError("slow down", code="ThrottlingException", retryable=True)
FINAL = ServiceError("no", code="ValidationException")


def test_a_retryable_error_is_waited_out_by_the_given_clock():
    clock = TestClock()
    policy = RetryPolicy(attempts=5, wait_initial_s=1, wait_max_s=3, jitter_s=0)
    assert retrying(_failing(4, RETRYABLE), policy=policy, clock=clock) == "answer"
    assert clock.slept == [1, 2, 3, 3]


def test_the_last_error_is_raised_when_tries_are_used_up():
    with pytest.raises(ServiceError, match="slow down"):
        retrying(_failing(9, RETRYABLE), policy=RetryPolicy(attempts=3, jitter_s=0), clock=TestClock())


def test_a_final_error_and_an_error_of_another_kind_are_not_retried():
    for error in (FINAL, SpecError("typo")):
        clock = TestClock()
        with pytest.raises(type(error)):
            retrying(_failing(1, error), policy=RetryPolicy(), clock=clock)
        assert clock.slept == []


def test_a_policy_may_accept_more_errors():
    policy = RetryPolicy(jitter_s=0, also=lambda error: error.code == "ValidationException")
    assert retrying(_failing(1, FINAL), policy=policy, clock=TestClock()) == "answer"


def test_once_means_once():
    with pytest.raises(ServiceError):
        retrying(_failing(1, RETRYABLE), policy=ONCE, clock=TestClock())


LOADING = ModelNotReadyError("loading", code="ModelNotReadyException", retryable=True)


def test_a_model_that_is_being_loaded_is_asked_more_often_than_anything_else():
    policy = RetryPolicy(attempts=2, attempts_while_loading=4, jitter_s=0)
    assert retrying(_failing(3, LOADING), policy=policy, clock=TestClock()) == "answer"
    with pytest.raises(ModelNotReadyError):
        retrying(_failing(4, LOADING), policy=policy, clock=TestClock())
    with pytest.raises(ModelNotReadyError):
        retrying(_failing(1, LOADING), policy=ONCE, clock=TestClock())


ASLEEP = ScaledToZeroError("no capacity", code="ValidationError", retryable=True)


def test_an_endpoint_that_is_woken_is_asked_until_the_time_is_up_however_many_tries_that_takes():
    told, clock = [], TestClock()
    policy = RetryPolicy(attempts=2, attempts_while_loading=2, jitter_s=0, on_retry=told.append)
    assert retrying(_failing(40, ASLEEP), policy=policy, clock=clock) == "answer"
    assert str(told[9]).startswith("The endpoint is scaled to zero and is being woken (92 s of at most 900)")
    with pytest.raises(ScaledToZeroError):
        retrying(_failing(400, ASLEEP), policy=policy, clock=(clock := TestClock()))
    assert 900 <= sum(clock.slept) <= 920
    with pytest.raises(ScaledToZeroError):
        retrying(_failing(1, ASLEEP), policy=ONCE, clock=TestClock())


def test_tries_while_an_endpoint_is_woken_are_not_counted_against_what_goes_wrong_afterwards():
    errors = [ASLEEP] * 9 + [RETRYABLE]

    def ask():
        if errors:
            raise errors.pop(0)
        return "answer"

    assert retrying(ask, policy=RetryPolicy(attempts=2), clock=TestClock()) == "answer"


def test_whoever_asks_is_told_of_every_try_that_another_follows():
    told = []
    policy = RetryPolicy(attempts=3, wait_initial_s=1, jitter_s=0, on_retry=told.append)
    with pytest.raises(ServiceError):
        retrying(_failing(3, RETRYABLE), policy=policy, clock=TestClock())
    assert [(retry.tries, retry.of, retry.wait_s) for retry in told] == [(1, 3, 1), (2, 3, 2)]
    assert str(told[0]) == "It failed (try 1 of 3), trying again in 1.0 s: slow down"


def test_delays_grow_to_a_bound():
    schedule = delays(1, 4, 2)
    assert [next(schedule) for _ in range(4)] == [1, 2, 4, 4]


def test_polling_looks_at_once_and_last_at_the_deadline():
    clock = TestClock()
    seen = [clock.monotonic() for _ in poll(lambda: None, clock=clock, timeout_s=10, schedule=delays(4, 4))]
    assert seen == [0, 4, 8, 10]


def test_polling_without_a_deadline_goes_on_until_the_caller_stops():
    clock = TestClock()
    for _ in itertools.islice(poll(lambda: None, clock=clock, timeout_s=None), 50):
        pass
    assert len(clock.slept) == 49


def test_the_system_clock_has_a_time_zone_and_runs_forward():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    before = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= before
