"""Token buckets: what they let through, and that nobody really waits in a test."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.pacing import RateLimit, TokenBucket, tokens_at_most
from bedrock_distill.local.clock import LocalClock
from bedrock_distill.records.schema import Record

takes = st.lists(st.tuples(st.floats(0, 30), st.floats(0.1, 500)), min_size=1, max_size=40)


class StillClock(LocalClock):
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@settings(max_examples=100, deadline=None)
@given(st.floats(1, 6000), takes)
def test_no_stretch_of_time_lets_through_more_than_the_rate_and_one_bucketful(per_minute, takes):
    bucket, now, through = TokenBucket(per_minute, 0.0), 0.0, []
    for pause, amount in takes:
        now += pause
        wait = bucket.take(amount, now)
        assert wait >= 0
        through.append((now + wait, amount))
    for first, (begun, lump) in enumerate(through):
        total = 0.0
        for at, amount in through[first:]:
            total += amount
            assert total <= max(bucket.size, lump) + (at - begun) * per_minute / 60 + 1e-6


@settings(max_examples=50, deadline=None)
@given(takes)
def test_takers_come_through_in_the_order_in_which_they_came(takes):
    bucket, now, last = TokenBucket(60, 0.0), 0.0, 0.0
    for pause, amount in takes:
        now += pause
        due = now + bucket.take(amount, now)
        assert due >= last - 1e-9
        last = due


def test_an_idle_bucket_saves_up_one_second_and_no_more():
    bucket = TokenBucket(600, 0.0)
    bucket.take(10, 3600.0)
    assert bucket.take(10, 3600.0) == pytest.approx(1.0)


def test_what_was_guessed_too_high_is_given_back():
    clock = StillClock()
    limit = RateLimit(clock, tokens_per_minute=6000)
    limit.wait(100)
    limit.settle(100, 10)
    limit.wait(90)
    assert clock.slept == 0
    limit.settle(90, 190)
    limit.wait(100)
    assert clock.slept == pytest.approx(2.0)


def test_both_limits_hold_and_the_slower_one_decides():
    clock = StillClock()
    limit = RateLimit(clock, requests_per_minute=60, tokens_per_minute=600)
    for _ in range(11):
        limit.wait(1)
    assert clock.slept == pytest.approx(10.0)
    limit.wait(100)
    assert clock.slept > 15


def test_threads_share_one_limit():
    clock = LocalClock()
    limit = RateLimit(clock, requests_per_minute=60)
    begun = clock.monotonic()
    threads = [threading.Thread(target=lambda: [limit.wait(0) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() - begun >= 39


def test_without_limits_nothing_waits():
    clock = StillClock()
    limit = RateLimit(clock)
    limit.wait(10**9)
    limit.settle(10**9, 0)
    assert clock.slept == 0


@pytest.mark.parametrize("wrong", [{"requests_per_minute": 0}, {"tokens_per_minute": -1}])
def test_a_limit_that_lets_nothing_through_is_refused(wrong):
    with pytest.raises(SpecError, match="must be above 0"):
        RateLimit(StillClock(), **wrong)


def test_a_call_is_expected_to_use_all_it_may():
    short, long = Record.of("hi"), Record.of("word " * 1000)
    assert tokens_at_most(short, 512) - tokens_at_most(short, None) == 512
    assert tokens_at_most(long, None) - tokens_at_most(short, None) == pytest.approx(1250, rel=0.01)
