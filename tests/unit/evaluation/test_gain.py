"""The gate's gain: the student against the base on the same prompts."""

from __future__ import annotations

import random

import pytest

from bedrock_distill.errors import GateFailedError, SpecError, ThrottledError
from bedrock_distill.evaluation import Metric
from bedrock_distill.evaluation.noninferiority import difference_lower_bound
from bedrock_distill.evaluation.scoring import gain_lower_bound
from bedrock_distill.evaluation.statistics import PairCounts

TEACHER = ["yes"] * 100
DOWN = ThrottledError("slow down", code="ThrottlingException")
SOME = ["yes"] * 70 + ["no"] * 30
MORE = ["yes"] * 90 + ["no"] * 10


def gain(verdict):
    return next(each for each in verdict.criteria if each.name == "gain")


def test_a_student_that_is_shown_to_be_better_passes_and_a_worse_one_does_not(compared):
    better = compared(student=MORE, teacher=TEACHER, base=SOME)
    assert better.gate(min_gain=0).passed
    assert "gains at least +1" in gain(better.check(min_gain=0)).text
    worse = compared(student=SOME, teacher=TEACHER, base=MORE)
    with pytest.raises(GateFailedError, match=r"-20\.00% measured on 100 prompts"):
        worse.gate(min_gain=0)


def test_a_student_that_is_only_as_good_has_gained_nothing_that_is_shown(compared):
    same = compared(student=SOME, teacher=TEACHER, base=SOME)
    assert not same.check(min_gain=0).passed
    assert same.check(min_gain=-0.05).passed


def test_the_bound_is_that_of_the_paired_score_test(compared):
    report = compared(student=MORE, teacher=TEACHER, base=SOME)
    student, base = report.metric.student.paired.side, report.metric.base.paired.side
    bound = difference_lower_bound(PairCounts.of(student, base), 0.05)
    assert report.check(min_gain=bound - 1e-9).passed
    assert not report.check(min_gain=bound + 1e-9).passed


def test_without_a_base_the_gain_is_missed(compared):
    verdict = compared(student=MORE, teacher=TEACHER).check(min_gain=0)
    assert not verdict.passed
    assert "no base was asked" in gain(verdict).text


@pytest.mark.parametrize("value", [-1, 1, 2.5])
def test_a_gain_that_nobody_can_have_is_refused(compared, value):
    with pytest.raises(SpecError, match="min_gain must be between -1 and 1"):
        compared(student=MORE, teacher=TEACHER, base=SOME).check(min_gain=value)


def test_scores_between_are_compared_in_pairs(compared):
    graded = Metric("graded", lambda answer, _: len(answer) / 10, "longer is better")
    rng = random.Random(4)
    lengths = [rng.randint(1, 8) for _ in range(120)]
    report = compared(
        student=["x" * (length + 1) for length in lengths],
        base=["x" * length for length in lengths],
        teacher=["x" * 10] * 120,
        metrics=graded,
    )
    # Every prompt gains exactly a tenth: nearly certain, but for prompts that nobody has seen.
    assert not report.check(min_gain=0.1).passed
    assert report.check(min_gain=0.05).passed


def test_a_gain_of_nothing_passes_at_most_alpha_of_the_time():
    rng, passed, runs = random.Random(11), 0, 300
    for _ in range(runs):
        pairs = [(rng.betavariate(2, 2), rng.betavariate(2, 2)) for _ in range(80)]
        first, second = zip(*pairs, strict=True)
        passed += gain_lower_bound(first, second, 0.05) >= 0
    assert passed / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_a_base_that_was_not_heard_makes_no_student_better(compared):
    report = compared(student=MORE, teacher=TEACHER, base=[DOWN] * 100, retries=0)
    with pytest.raises(GateFailedError, match="100 of 100 calls of the base failed"):
        report.gate(min_gain=0)
    assert report.gate(min_retention=0.8).passed  # which has nothing to do with the base
