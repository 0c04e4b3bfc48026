"""A model that takes its time to load, under a clock by which a client's pauses take none."""

from __future__ import annotations

import threading

import pytest

from bedrock_distill.local.clock import LocalClock
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.cold_starts import ColdStarts

ARN = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"


class SlowToLoad:
    """Generators whose weights are there when `loaded` is set, or never."""

    def __init__(self, error=None):
        self.loaded = threading.Event()
        self.error = error

    def get(self, _):
        assert self.loaded.wait(20)
        if self.error:
            raise self.error


@pytest.fixture
def clock():
    clock = LocalClock("instant")
    yield clock
    clock.close()


def test_the_first_call_is_refused_and_the_next_waits_for_the_load(clock, tmp_path):
    generators = SlowToLoad()
    starts = ColdStarts(clock, generators)
    with pytest.raises(AwsError, match="being loaded"):
        starts.check(ARN, tmp_path)
    threading.Timer(0.3, generators.loaded.set).start()
    starts.check(ARN, tmp_path)


def test_a_load_that_fails_says_so_and_is_begun_anew_after_that(clock, tmp_path):
    generators = SlowToLoad(ValueError("no such file"))
    starts = ColdStarts(clock, generators)
    with pytest.raises(AwsError, match="being loaded"):
        starts.check(ARN, tmp_path)
    said = []

    def ask():
        try:
            starts.check(ARN, tmp_path)
        except AwsError as error:
            said.append(str(error))

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for caller in callers:
        caller.start()
    generators.loaded.set()
    for caller in callers:
        caller.join()
    assert any("no such file" in text for text in said)
    assert len(said) == 3
