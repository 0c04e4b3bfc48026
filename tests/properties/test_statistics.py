"""What the statistics promise, whatever the counts."""

from __future__ import annotations

import math
import random
import statistics
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.evaluation.resampling import percentile_interval, resampled_ratios
from bedrock_distill.evaluation.statistics import (
    PairCounts,
    mcnemar_p_value,
    quantile,
    retention_lower_bound,
    wilson_interval,
)

few = st.integers(0, 60)
counts = st.builds(PairCounts, few, few, few, few)
with_teacher = counts.filter(lambda found: found.both + found.second_only > 0)
levels = st.floats(0.001, 0.49)
scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 1)), min_size=1, max_size=40)


@st.composite
def rates(draw):
    n = draw(st.integers(1, 2000))
    return draw(st.integers(0, n)), n


@settings(deadline=None)
@given(rates(), st.floats(0.5, 0.999))
def test_wilsons_interval_lies_in_0_to_1_and_holds_the_rate(rate, confidence):
    hits, n = rate
    low, high = wilson_interval(hits, n, confidence)
    assert 0 <= low <= hits / n <= high <= 1


@settings(deadline=None)
@given(rates(), st.floats(0.5, 0.999))
def test_wilsons_interval_of_misses_mirrors_that_of_hits(rate, confidence):
    hits, n = rate
    low, high = wilson_interval(hits, n, confidence)
    assert wilson_interval(n - hits, n, confidence) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("hits", "n", "interval"),
    [
        # scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson"), scipy 1.17
        (0, 10, (0.0, 0.27753279986288926)),
        (10, 10, (0.7224672001371109, 1.0)),
        (182, 193, (0.900839095427917, 0.9678803350441286)),
        (14_999, 15_000, (0.9996224375191218, 0.9999882315994018)),
    ],
)
def test_wilsons_interval_is_scipys(hits, n, interval):
    assert wilson_interval(hits, n, 0.95) == pytest.approx(interval, rel=1e-12)


@settings(deadline=None)
@given(few, few)
def test_mcnemars_test_is_the_binomial_tail_counted_out(first, second):
    n, fewer = first + second, min(first, second)
    tail = sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
    assert mcnemar_p_value(first, second) == min(1.0, 2 * tail)


@settings(deadline=None)
@given(few, few)
def test_mcnemars_test_does_not_care_who_is_first(first, second):
    assert mcnemar_p_value(first, second) == mcnemar_p_value(second, first)


def test_mcnemars_test_is_exact_for_thousands_of_differences():
    assert mcnemar_p_value(7000, 7400) == pytest.approx(0.000_883_572, rel=1e-6)


@settings(deadline=None)
@given(with_teacher, levels)
def test_the_bound_is_never_above_what_was_measured(found, alpha):
    bound = retention_lower_bound(found, alpha)
    assert 0 <= bound <= found.ratio


@settings(deadline=None)
@given(with_teacher, levels, levels)
def test_a_smaller_risk_gives_a_lower_bound(found, one, other):
    strict, lax = sorted((one, other))
    assert retention_lower_bound(found, strict) <= retention_lower_bound(found, lax) + 1e-12


@settings(deadline=None)
@given(with_teacher, st.integers(2, 5))
def test_more_of_the_same_prompts_raise_the_bound(found, times):
    more = PairCounts(
        *(times * count for count in (found.both, found.first_only, found.second_only, found.neither))
    )
    assert retention_lower_bound(more, 0.05) >= retention_lower_bound(found, 0.05) - 1e-9


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(0, 300))
def test_with_a_teacher_that_is_always_right_the_bound_is_wilsons_with_half_a_hit_less(hits, misses):
    n, z = hits + misses, statistics.NormalDist().inv_cdf(0.95)
    rate, spread = (hits - 0.5) / n, z * z / n
    half = z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n))
    expected = (rate + spread / 2 - half) / (1 + spread)
    found = retention_lower_bound(PairCounts(hits, 0, misses, 0), 0.05)
    assert found == pytest.approx(max(0.0, expected), abs=1e-9)


def test_without_a_right_answer_of_the_teacher_there_is_no_bound():
    assert retention_lower_bound(PairCounts(0, 5, 0, 5), 0.05) is None


@pytest.mark.parametrize(
    ("margin", "teacher_rate", "student_only"),
    [
        (margin, teacher, share * (1 - teacher))
        for margin, teacher, share in product((0.7, 0.9), (0.6, 0.8, 0.95), (0.0, 0.3, 0.7))
    ],
)
def test_a_student_at_the_margin_passes_no_more_often_than_alpha(margin, teacher_rate, student_only):
    """Counted out over every outcome of a small sample, not simulated."""
    n, alpha = 14, 0.05
    both = margin * teacher_rate - student_only
    if both < 0:
        pytest.skip("no such student: it would be right more often than its rate")
    cells = (both, student_only, teacher_rate - both, 1 - teacher_rate - student_only)
    passed = math.fsum(
        _chance(outcome, cells)
        for outcome in _outcomes(n)
        if (retention_lower_bound(PairCounts(*outcome), alpha) or 0) >= margin
    )
    assert passed <= alpha


def _outcomes(n):
    for a in range(n + 1):
        for b in range(n - a + 1):
            for c in range(n - a - b + 1):
                yield a, b, c, n - a - b - c


def _chance(outcome, cells):
    ways = math.factorial(sum(outcome)) // math.prod(map(math.factorial, outcome))
    return ways * math.prod(cell**count for cell, count in zip(cells, outcome, strict=True))


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_quantiles_are_the_standard_librarys_inclusive_ones(values):
    expected = statistics.quantiles(values, n=4, method="inclusive")
    found = [quantile(sorted(values), share) for share in (0.25, 0.5, 0.75)]
    assert found == pytest.approx(expected, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(scores, st.integers(0, 5))
def test_the_same_seed_gives_the_same_resamples(pairs, seed):
    first, second = zip(*pairs, strict=True)
    once = resampled_ratios(first, second, 50, seed=str(seed))
    assert resampled_ratios(first, second, 50, seed=str(seed)) == once
    assert len(once) == 50


@settings(max_examples=30, deadline=None)
@given(scores)
def test_a_resampled_mean_lies_between_the_least_and_the_greatest_score(pairs):
    values = [one for one, _ in pairs]
    resampled = resampled_ratios(values, None, 50, seed="0")
    assert min(values) - 1e-9 <= min(resampled) <= max(resampled) <= max(values) + 1e-9


def test_counting_alike_prompts_and_drawing_each_give_the_same_interval():
    generator = random.Random(5)
    pairs = [(float(generator.random() < 0.8), float(generator.random() < 0.9)) for _ in range(150)]
    first, second = map(list, zip(*pairs, strict=True))
    # Scores that differ by less than matters are no longer alike: this takes the other way.
    apart = [score + index * 1e-12 for index, score in enumerate(first)]
    counted = percentile_interval(resampled_ratios(first, second, 20_000, seed="0"), 0.95)
    drawn = percentile_interval(resampled_ratios(apart, second, 20_000, seed="1"), 0.95)
    assert counted == pytest.approx(drawn, abs=0.006)


def test_pairing_narrows_the_interval_of_a_ratio():
    """171 of 193 prompts right for both, 10 only for the teacher: worked out once by other means."""
    first, second = [1.0] * 171 + [0.0] * 22, [1.0] * 181 + [0.0] * 12
    low, high = percentile_interval(resampled_ratios(first, second, 10_000, seed="0"), 0.95)
    assert (low, high) == pytest.approx((0.909, 0.977), abs=0.003)


def test_a_resample_without_a_right_answer_of_the_teacher_counts_as_0_or_1():
    assert set(resampled_ratios([0.0], [0.0], 10, seed="0")) == {0.0}
    assert set(resampled_ratios([1.0], [0.0], 10, seed="0")) == {1.0}


def test_many_prompts_with_many_values_get_fewer_resamples_but_a_thousand_at_least():
    generator = random.Random(1)
    values = [generator.random() for _ in range(500)]
    assert len(resampled_ratios(values, None, 10_000, seed="0", max_draws=750_000)) == 1_500
    resampled = resampled_ratios(values, None, 10_000, seed="0", max_draws=1)
    assert len(resampled) == 1_000
    normal = statistics.fmean(values) - 1.645 * statistics.pstdev(values) / math.sqrt(len(values))
    assert percentile_interval(resampled, 0.9)[0] == pytest.approx(normal, abs=0.005)


def test_the_intervals_agree_with_scipy():
    from scipy import stats as scipy_stats

    for hits, n in ((3, 7), (45, 50), (1900, 2000)):
        theirs = scipy_stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert wilson_interval(hits, n, 0.95) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    for one, other in ((6, 16), (1, 12), (300, 352)):
        assert mcnemar_p_value(one, other) == pytest.approx(
            scipy_stats.binomtest(one, one + other, 0.5).pvalue, rel=1e-10
        )
