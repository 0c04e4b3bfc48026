"""A resource's way through its states, in each mode of the clock."""

from __future__ import annotations

import threading

import pytest

from bedrock_distill.local.clock import LocalClock, Phase

JOB = ("Validating", "DataProcessing", "Training")


def _seen(phases, describes):
    """What each describe sees."""
    return [phases.observe().current or phases.outcome for _ in range(describes)]


def test_polls_let_each_describe_see_the_next_phase():
    phases = LocalClock("polls").phases([Phase(name) for name in JOB]).start()
    assert _seen(phases, 5) == [*JOB, "done", "done"]


def test_polls_let_several_describes_see_each_phase():
    phases = LocalClock("polls", polls=2).phases([Phase("Creating"), Phase("Warming")]).start()
    assert _seen(phases, 5) == ["Creating", "Creating", "Warming", "Warming", "done"]


def test_polls_do_the_work_at_the_describe_that_ends_the_phase():
    done = []
    phases = LocalClock("polls").phases([Phase("A", lambda: done.append("A")), Phase("B")]).start()
    phases.observe()
    assert done == []
    phases.observe()
    assert done == ["A"]
    assert phases.current == "B"


def test_instant_phases_without_work_pass_at_once():
    phases = LocalClock().phases([Phase("Creating", lasts_s=600)]).start()
    assert (phases.current, phases.outcome) == (None, "done")


def test_before_its_start_a_resource_is_in_its_first_phase():
    phases = LocalClock().phases([Phase("Creating")])
    assert (phases.current, phases.outcome) == ("Creating", "running")


@pytest.mark.parametrize("mode", ["instant", "real"])
def test_work_runs_in_the_background_phase_by_phase(mode):
    clock, go, order = LocalClock(mode), threading.Event(), []

    def work(name):
        return lambda: (go.wait(), order.append(name))

    phases = clock.phases([Phase(name, work(name)) for name in JOB]).start()
    assert phases.current == "Validating"
    phases.observe()
    assert phases.current == "Validating"
    go.set()
    assert clock.settle()
    assert order == list(JOB)
    assert phases.outcome == "done"
    assert list(phases.entered) == list(phases.left) == list(JOB)
    assert phases.ended_at == phases.left["Training"]
    assert phases.failed_in is None


def test_a_real_phase_without_work_lasts():
    clock = LocalClock("real")
    phases = clock.phases([Phase("Creating", lasts_s=0.02)]).start()
    assert clock.settle()
    lasted = phases.left["Creating"] - phases.entered["Creating"]
    assert lasted.total_seconds() >= 0.02


@pytest.mark.parametrize("mode", ["instant", "polls"])
def test_work_that_raises_fails_the_resource(mode):
    def fail():
        raise ValueError("99 prompts")

    clock = LocalClock(mode)
    phases = clock.phases([Phase("Validating"), Phase("DataProcessing", fail), Phase("Training")]).start()
    _seen(phases, 3)
    assert clock.settle()
    assert (phases.current, phases.outcome, phases.failed_in) == (None, "failed", "DataProcessing")
    assert str(phases.error) == "99 prompts"
    assert "Training" not in phases.entered


def test_a_stop_is_seen_before_it_is_done():
    phases = LocalClock("polls").phases([Phase(name) for name in JOB]).start()
    phases.observe()
    phases.stop()
    assert phases.stopping.is_set()
    assert _seen(phases, 2) == ["Validating", "stopped"]
    assert phases.failed_in == "Validating"


def test_a_stop_in_the_background_waits_for_the_work_to_notice():
    clock, begun = LocalClock(), threading.Event()

    def work():
        begun.set()
        phases.stopping.wait()

    phases = clock.phases([Phase("Training", work), Phase("Exporting")])
    phases.start()
    begun.wait()
    phases.stop()
    assert clock.settle()
    assert phases.outcome == "stopped"
    assert "Exporting" not in phases.entered


def test_work_that_raises_because_it_was_stopped_is_stopped_and_not_failed():
    clock = LocalClock()

    def work():
        phases.stopping.wait()
        raise RuntimeError("killed")

    phases = clock.phases([Phase("Training", work)])
    phases.start()
    phases.stop()
    assert clock.settle()
    assert phases.outcome == "stopped"


def test_a_stop_after_the_end_changes_nothing():
    phases = LocalClock().phases([Phase("Creating")]).start()
    phases.stop()
    assert (phases.outcome, phases.stopping.is_set()) == ("done", False)


def test_every_change_is_told():
    told = []
    clock = LocalClock("polls")
    phases = clock.phases(
        [Phase("A"), Phase("B")], on_change=lambda seen: told.append((seen.current, seen.outcome))
    ).start()
    _seen(phases, 3)
    assert told == [("A", "running"), ("B", "running"), (None, "done")]


def test_a_describe_while_another_moves_the_resource_sees_it_as_it_is():
    clock, inside, go = LocalClock("polls"), threading.Event(), threading.Event()
    phases = clock.phases([Phase("A", lambda: (inside.set(), go.wait())), Phase("B")]).start()
    phases.observe()
    mover = threading.Thread(target=phases.observe)
    mover.start()
    inside.wait()
    assert phases.observe().current == "A"
    go.set()
    mover.join()
    assert phases.current == "B"
