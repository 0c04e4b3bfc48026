"""The local cloud's time."""

from __future__ import annotations

import threading
import time

import pytest

from bedrock_distill.local.clock import LocalClock, Phase


def _background(clock, work, *more):
    """Phases that run in the background, begun."""
    return clock.phases([Phase("Working", work), *more]).start()


@pytest.mark.parametrize("mode", ["instant", "polls"])
def test_a_sleep_moves_time_on_and_takes_none(mode):
    clock = LocalClock(mode)
    real, before, now = time.monotonic(), clock.monotonic(), clock.now()
    clock.sleep(86_400)
    assert clock.monotonic() - before >= 86_400
    assert (clock.now() - now).total_seconds() >= 86_400
    assert time.monotonic() - real < 3_600


def test_two_sleepers_side_by_side_move_time_on_once():
    clock = LocalClock()
    before = clock.monotonic()
    sleepers = [threading.Thread(target=clock.sleep, args=(10_000,)) for _ in range(2)]
    release = threading.Event()
    work = _background(clock, release.wait)
    for sleeper in sleepers:
        sleeper.start()
    release.set()
    for sleeper in sleepers:
        sleeper.join()
    work.join()
    assert 10_000 <= clock.monotonic() - before < 20_000


def test_a_sleeper_wakes_when_work_reports_progress():
    clock = LocalClock()
    release, asleep = threading.Event(), threading.Event()

    def work():
        asleep.wait()
        while sleeper.is_alive():  # whenever it fell asleep, this wakes it
            clock.progressed()
        release.wait()

    sleeper = threading.Thread(target=clock.sleep, args=(1e9,))
    running = _background(clock, work)
    sleeper.start()
    asleep.set()
    sleeper.join()
    assert clock.monotonic() > 1e9
    release.set()
    running.join()


def test_a_sleeper_wakes_when_the_work_ends():
    clock = LocalClock()
    release = threading.Event()
    running = _background(clock, release.wait)
    sleeper = threading.Thread(target=clock.sleep, args=(1e9,))
    sleeper.start()
    release.set()
    sleeper.join()
    running.join()
    assert running.outcome == "done"


def test_nobody_waits_where_there_is_nothing_to_do():
    clock = LocalClock()
    for _ in range(1_000):
        clock.sleep(1e6)
    assert clock.monotonic() >= 1e9


def test_real_time_is_the_machines():
    clock = LocalClock("real")
    before = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.01
    clock.sleep(0)
    clock.sleep(-1)


def test_closing_ends_the_sleep_of_a_real_clock():
    clock = LocalClock("real")
    sleeper = threading.Thread(target=clock.sleep, args=(3_600,))
    sleeper.start()
    clock.close()
    sleeper.join()


def test_a_clock_that_was_closed_can_be_used_again():
    clock = LocalClock("real")
    clock.close()
    before = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.01


def test_closing_stops_work_and_waits_for_it():
    clock = LocalClock()

    def work():
        running.stopping.wait()

    running = clock.phases([Phase("Working", work)])
    running.start()
    clock.close()
    assert running.outcome == "stopped"
    assert clock.settle(timeout_s=0)


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="instant, polls or real, not 'fast'"):
        LocalClock("fast")
    with pytest.raises(ValueError, match="at least 1, not 0"):
        LocalClock("polls", polls=0)
