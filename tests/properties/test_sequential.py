"""What stopping early promises, whatever the scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.sequential import capital_of, decide_early, looks, sequential_lower_bound

scores = st.floats(0, 1)
pairs = st.lists(st.tuples(scores, scores), min_size=1, max_size=30)


@settings(deadline=None)
@given(pairs, st.floats(0.1, 1))
def test_the_last_look_is_the_only_one_that_decides(found, margin):
    seen = list(looks(found, min_retention=margin))
    assert [look.n for look in seen] == list(range(1, len(seen) + 1))
    assert all(look.decision == "open" for look in seen[:-1])
    assert seen[-1].decision != "open" or len(seen) == len(found)


@settings(deadline=None)
@given(pairs, st.floats(0.1, 1))
def test_no_more_pairs_are_taken_than_are_looked_at(found, margin):
    waiting = iter(found)
    seen = list(looks(waiting, min_retention=margin))
    assert len(list(waiting)) == len(found) - len(seen)


@settings(deadline=None)
@given(pairs)
def test_the_order_of_the_pairs_does_not_change_what_is_known_at_the_end(found):
    first, second = (
        capital_of([side - 0.9 * teacher for side, teacher in order]) for order in (found, found[::-1])
    )
    assert first == pytest.approx(second, rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 40), st.floats(0.2, 0.95))
def test_a_fair_bet_of_coins_keeps_its_mean(n, rate):
    """Counted out: over all outcomes of n prompts at the margin, the capital is 1 in the mean."""
    mean = math.fsum(
        math.comb(n, hits)
        * rate**hits
        * (1 - rate) ** (n - hits)
        * capital_of([1 - rate] * hits + [-rate] * (n - hits))
        for hits in range(n + 1)
    )
    assert mean == pytest.approx(1, rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(pairs)
def test_a_better_student_has_a_higher_bound(found):
    better = [(min(1.0, side + 0.1), teacher) for side, teacher in found]
    assert sequential_lower_bound(better) >= sequential_lower_bound(found) - 1e-9


def test_the_bound_agrees_with_the_decision():
    found = [(1.0, 1.0)] * 60
    last = decide_early(found, min_retention=0.9)
    assert last.decision == "pass"
    assert sequential_lower_bound(found[: last.n]) >= 0.9
    assert sequential_lower_bound(found[: last.n - 1]) < 0.9


def test_a_look_says_what_is_known():
    assert str(decide_early([(1.0, 1.0)], min_retention=0.9)) == (
        "After 1 prompts the student is undecided (retention so far 100.00%)."
    )
    assert "undefined" in str(decide_early([(0.0, 0.0)], min_retention=0.9))


@pytest.mark.parametrize("wrong", [(1.2, 1.0), (0.5, -0.1), (math.nan, 1.0)])
def test_scores_beyond_0_and_1_are_refused(wrong):
    with pytest.raises(SpecError, match="takes scores from 0 to 1"):
        decide_early([(1.0, 1.0), wrong], min_retention=0.9)


def test_no_scores_decide_nothing():
    with pytest.raises(SpecError, match="no scores to decide on"):
        decide_early([], min_retention=0.9)
