"""What the tests of paired rates promise: error rates counted out over every outcome, and other people's figures."""

from __future__ import annotations

import math
import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.noninferiority import (
    difference_lower_bound,
    difference_p_value,
    retention_p_value,
    shortfall_p_value,
)
from bedrock_distill.evaluation.planning import PairRates, pass_power, prompts_for_power, retention_scores
from bedrock_distill.evaluation.statistics import (
    PairCounts,
    holm,
    mcnemar_mid_p_value,
    mcnemar_p_value,
    retention_lower_bound,
    retention_score,
    wilson_interval,
)

few = st.integers(0, 60)
counts = st.builds(PairCounts, few, few, few, few).filter(lambda found: found.n > 0)
with_teacher = counts.filter(lambda found: found.both + found.second_only > 0)
margins = st.floats(0.3, 0.99)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)
N, ALPHA = 16, 0.05


def outcomes(n):
    for a in range(n + 1):
        for b in range(n - a + 1):
            for c in range(n - a - b + 1):
                yield PairCounts(a, b, c, n - a - b - c)


def chance(outcome, cells):
    found = (outcome.both, outcome.first_only, outcome.second_only, outcome.neither)
    ways = math.factorial(sum(found)) // math.prod(map(math.factorial, found))
    return ways * math.prod(cell**count for cell, count in zip(cells, found, strict=True))


def truths(change):
    """Shares of both, student only, teacher only, neither, for teachers and overlaps of many kinds."""
    for teacher, share in product((0.5, 0.8, 0.95, 1.0), (0.0, 0.3, 0.7)):
        student_only = share * (1 - teacher)
        both = change(teacher) - student_only
        cells = (both, student_only, teacher - both, 1 - teacher - student_only)
        if min(cells) >= -1e-12:
            yield tuple(max(0.0, cell) for cell in cells)


TESTS = {
    "retention at the margin is not called enough": (
        retention_p_value,
        lambda margin: lambda teacher: margin * teacher,
    ),
    "retention at the margin is not called short": (
        shortfall_p_value,
        lambda margin: lambda teacher: margin * teacher,
    ),
    "a difference at the margin is not called less": (
        lambda found, margin: difference_p_value(found, 1 - margin),
        lambda margin: lambda teacher: teacher - (1 - margin),
    ),
}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("margin", [0.6, 0.8, 0.9])
def test_no_test_errs_more_often_than_alpha_counted_over_every_outcome(name, margin):
    p_value, change = TESTS[name]
    rejected = [found for found in outcomes(N) if p_value(found, margin) <= ALPHA]
    for cells in truths(change(margin)):
        assert math.fsum(chance(found, cells) for found in rejected) <= ALPHA, (name, cells)


@settings(deadline=None)
@given(with_teacher, margins)
def test_a_p_value_is_at_most_alpha_where_the_bound_reaches_the_margin(found, margin):
    bound = retention_lower_bound(found, ALPHA)
    if abs(bound - margin) > 1e-6:
        assert (retention_p_value(found, margin) <= ALPHA) == (bound >= margin)


@settings(deadline=None)
@given(counts, st.floats(0.01, 0.5))
def test_the_same_holds_for_differences(found, margin):
    bound = difference_lower_bound(found, ALPHA)
    assert -1 <= bound <= (found.first_only - found.second_only) / found.n
    if abs(bound + margin) > 1e-6:
        assert (difference_p_value(found, margin) <= ALPHA) == (bound >= -margin)


@settings(deadline=None)
@given(with_teacher, margins)
def test_no_outcome_is_both_enough_and_short(found, margin):
    assert retention_p_value(found, margin) > ALPHA or shortfall_p_value(found, margin) > ALPHA


def test_without_a_right_answer_of_the_teacher_nothing_is_shown():
    assert retention_p_value(PairCounts(0, 4, 0, 5), 0.9) == 1
    assert shortfall_p_value(PairCounts(0, 0, 0, 9), 0.9) == 1
    assert shortfall_p_value(PairCounts(0, 9, 0, 0), 0.9) > 0.5


@pytest.mark.parametrize("margin", [-0.1, 1.0])
def test_a_margin_of_points_is_a_share(margin):
    with pytest.raises(SpecError, match="margin must be"):
        difference_p_value(PairCounts(1, 1, 1, 1), margin)


@settings(deadline=None)
@given(few, few)
def test_the_mid_p_value_counts_what_was_observed_half(first, second):
    n, fewer = first + second, min(first, second)
    tail = sum(math.comb(n, k) for k in range(fewer)) + math.comb(n, fewer) / 2
    assert mcnemar_mid_p_value(first, second) == pytest.approx(min(1.0, 2 * tail / 2**n), rel=1e-12)
    assert mcnemar_mid_p_value(first, second) <= mcnemar_p_value(first, second)


@settings(deadline=None)
@given(p_values, st.floats(0.001, 0.5))
def test_holms_p_values_reject_what_his_steps_reject(found, alpha):
    order, rejected = sorted(range(len(found)), key=found.__getitem__), set()
    for rank, place in enumerate(order):
        if (len(found) - rank) * found[place] > alpha:
            break
        rejected.add(place)
    assert {place for place, adjusted in enumerate(holm(found)) if adjusted <= alpha} == rejected


@settings(deadline=None)
@given(p_values)
def test_holms_p_values_lie_between_the_plain_ones_and_bonferronis(found):
    for plain, adjusted in zip(found, holm(found), strict=True):
        assert plain <= adjusted <= min(1.0, len(found) * plain) + 1e-15


def test_no_p_values_need_no_correction():
    assert holm([]) == ()


@settings(deadline=None)
@given(st.lists(counts, min_size=1, max_size=20), st.floats(0.3, 1.2))
def test_scores_of_many_samples_are_those_of_each(found, ratio):
    cells = [(each.both, each.first_only, each.second_only, each.neither) for each in found]
    for each, score in zip(found, retention_scores(np.array(cells), ratio), strict=True):
        if each.ratio is None:
            assert score == -math.inf
        else:
            assert score == pytest.approx(retention_score(each, ratio), rel=1e-9, abs=1e-9)


# --- planning ---------------------------------------------------------------------------------------------------------


def test_assumed_rates_are_those_of_a_pilot_that_shows_them():
    assumed = PairRates.assumed(retention=0.95, teacher=0.8, discordance=0.1)
    pilot = PairRates.of(PairCounts(73, 3, 7, 17))
    assert (pilot.both, pilot.student_only, pilot.teacher_only, pilot.neither) == pytest.approx(
        (assumed.both, assumed.student_only, assumed.teacher_only, assumed.neither)
    )
    assert assumed.retention == pytest.approx(0.95)


def test_more_discordance_takes_more_prompts():
    needed = [
        prompts_for_power(
            PairRates.assumed(retention=0.97, teacher=0.9, discordance=discordance), min_retention=0.9
        )
        for discordance in (0.03, 0.06, 0.12)
    ]
    assert needed == sorted(needed)
    assert len(set(needed)) == 3


def test_no_number_of_prompts_helps_a_student_at_the_margin():
    assert prompts_for_power(PairRates.assumed(retention=0.9), min_retention=0.9) is None
    assert prompts_for_power(PairRates.assumed(retention=0.901), min_retention=0.9, limit=10_000) is None


def test_power_where_the_teacher_is_the_reference_is_the_binomial_tail():
    n, rates = 120, PairRates.assumed(retention=0.96)
    passing = [
        hits for hits in range(n + 1) if retention_p_value(PairCounts(hits, 0, n - hits, 0), 0.9) <= ALPHA
    ]
    exact = math.fsum(math.comb(n, hits) * 0.96**hits * 0.04 ** (n - hits) for hits in passing)
    assert pass_power(rates, n, min_retention=0.9) == pytest.approx(exact, abs=3 * 0.0036)


@pytest.mark.parametrize(
    ("rates", "field"),
    [
        ({"retention": 0.9, "discordance": 0.05}, "discordance"),
        ({"retention": 1.2, "teacher": 0.9}, "discordance"),
    ],
)
def test_rates_that_no_two_sides_could_have_are_refused(rates, field):
    with pytest.raises(SpecError, match="do not go together") as caught:
        PairRates.assumed(**rates)
    assert caught.value.field == field


def test_shares_that_are_no_shares_are_refused():
    with pytest.raises(SpecError, match="add up to 1"):
        PairRates(both=0.9, student_only=0.2, teacher_only=0, neither=0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"min_retention": 0}, "min_retention"), ({"alpha": 0.5}, "alpha"), ({"power": 1}, "power")],
)
def test_plans_that_make_no_sense_are_refused(wrong, field):
    with pytest.raises(SpecError) as caught:
        prompts_for_power(PairRates.assumed(retention=0.95), **{"min_retention": 0.9} | wrong)
    assert caught.value.field == field


# --- oracles ----------------------------------------------------------------------------------------------------------


def test_holms_p_values_are_those_of_statsmodels():
    from statsmodels.stats.multitest import multipletests

    generator = random.Random(5)
    # Few: theirs collects garbage each time, which takes a second in a large process.
    for tests in (1, 4, 15):
        found = [generator.random() ** 3 for _ in range(tests)]
        assert holm(found) == pytest.approx(multipletests(found, method="holm")[1], rel=1e-13)


def test_the_tests_agree_with_scipy_and_statsmodels():
    from scipy import stats as scipy_stats
    from statsmodels.stats import contingency_tables as contingency
    from statsmodels.stats.proportion import proportion_confint, proportions_ztest

    generator = random.Random(4)
    for _ in range(300):
        both, first, second, neither = (generator.randrange(1, 90) for _ in range(4))
        exact = contingency.mcnemar([[both, first], [second, neither]], exact=True).pvalue
        assert mcnemar_p_value(first, second) == pytest.approx(exact, rel=1e-12)
        coin = scipy_stats.binom(first + second, 0.5)
        fewer = min(first, second)
        mid = min(1.0, 2 * coin.cdf(fewer) - coin.pmf(fewer))
        assert mcnemar_mid_p_value(first, second) == pytest.approx(mid, rel=1e-11)
        hits, n = both, both + second
        assert wilson_interval(hits, n, 0.9) == pytest.approx(
            proportion_confint(hits, n, alpha=0.1, method="wilson"), rel=1e-11
        )
        # With a teacher that is always right, retention is a single rate. The test of it whose standard error is that
        # of the hypothesis is theirs, with half a hit taken off.
        margin = 0.9 * hits / n
        z, _ = proportions_ztest(hits - 0.5, n, margin, alternative="larger", prop_var=margin)
        p = scipy_stats.norm.sf(z)
        assert retention_p_value(PairCounts(hits, 0, n - hits, 0), margin) == pytest.approx(p, rel=1e-11)


def test_the_score_of_a_difference_of_nothing_is_mcnemars():
    from statsmodels.stats import contingency_tables as contingency

    from bedrock_distill.evaluation.noninferiority import difference_score

    for first, second in ((10, 4), (40, 41), (3, 17)):
        # Theirs is squared and two-sided, without our half hit: put it back.
        ours = difference_score(PairCounts(50, first, second, 20), 0.0)
        whole = ours + 0.5 / math.sqrt(first + second)
        theirs = contingency.mcnemar([[50, first], [second, 20]], exact=False, correction=False).statistic
        assert whole**2 == pytest.approx(theirs, rel=1e-12)
