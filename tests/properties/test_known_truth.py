"""Simulations with known truth: how often the statistics err, and how often they see, over thousands of evaluations.

An error rate is called at most alpha if what was counted is no further above it than three standard errors of the
counting: of 4,000 runs at 5 % these are 1.0 points. A right program fails such a check once in 700.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from bedrock_distill.evaluation.guards import guard_slices
from bedrock_distill.evaluation.likelihood import gain_bound, retention_bound
from bedrock_distill.evaluation.noninferiority import difference_lower_bound, difference_p_value
from bedrock_distill.evaluation.planning import PairRates, prompts_for_power
from bedrock_distill.evaluation.scoring import Paired, Precision, retention_estimate
from bedrock_distill.evaluation.sequential import STAKES, decide_early, looks, sequential_lower_bound
from bedrock_distill.evaluation.slices import SliceResult
from bedrock_distill.evaluation.statistics import PairCounts, retention_lower_bound, wilson_interval

RUNS, ALPHA = 4_000, 0.05

STUDENTS = [
    {"retention": 0.9},
    {"retention": 0.9, "teacher": 0.9, "discordance": 0.12},
    {"retention": 0.9, "teacher": 0.7, "discordance": 0.3},
]
"""Whose true retention is exactly the margin: the worst that must not pass."""


def tolerance(rate, runs=RUNS):
    return 3 * math.sqrt(rate * (1 - rate) / runs)


def cells_of(rates):
    return [rates.both, rates.student_only, rates.teacher_only, rates.neither]


def samples(rates, n, seed, runs=RUNS):
    drawn = np.random.default_rng(seed).multinomial(n, cells_of(rates), size=runs)
    return [PairCounts(*map(int, row)) for row in drawn]


def pairs_of(rates, generator, shape):
    """Scores of the student and of the teacher, prompt by prompt."""
    drawn = generator.choice(4, size=shape, p=cells_of(rates))
    return np.isin(drawn, (0, 1)).astype(float), np.isin(drawn, (0, 2)).astype(float)


@pytest.mark.parametrize("n", [60, 200, 1000])
@pytest.mark.parametrize("student", STUDENTS)
def test_a_student_at_the_margin_passes_at_most_alpha_of_the_time(student, n):
    found = samples(PairRates.assumed(**student), n, seed=n)
    passed = np.mean([(retention_lower_bound(each, ALPHA) or 0) >= 0.9 for each in found])
    assert passed <= ALPHA + tolerance(ALPHA)


@pytest.mark.parametrize(
    ("student", "power"),
    [
        ({"retention": 0.95}, 0.8),
        ({"retention": 0.97, "teacher": 0.9, "discordance": 0.08}, 0.9),
        ({"retention": 1.0, "teacher": 0.8, "discordance": 0.2}, 0.8),
    ],
)
def test_with_the_planned_number_of_prompts_a_good_student_passes_as_often_as_planned(student, power):
    rates = PairRates.assumed(**student)
    n = prompts_for_power(rates, min_retention=0.9, power=power)
    found = samples(rates, n, seed=7)
    passed = np.mean([retention_lower_bound(each, ALPHA) >= 0.9 for each in found])
    assert passed >= power - tolerance(power)


@pytest.mark.parametrize("n", [60, 300])
def test_a_student_five_points_below_is_called_no_worse_at_most_alpha_of_the_time(n):
    rates = PairRates(both=0.75, student_only=0.05, teacher_only=0.10, neither=0.10)
    found = samples(rates, n, seed=n)
    assert np.mean([difference_p_value(each, 0.05) <= ALPHA for each in found]) <= ALPHA + tolerance(ALPHA)


@pytest.mark.parametrize("student", STUDENTS)
def test_one_sided_bounds_cover_the_truth(student):
    rates = PairRates.assumed(**student)
    truth = rates.student_only - rates.teacher_only
    found = samples(rates, 150, seed=11)
    retention = np.mean([retention_lower_bound(each, ALPHA) <= rates.retention for each in found])
    difference = np.mean([difference_lower_bound(each, ALPHA) <= truth for each in found])
    assert min(retention, difference) >= 1 - ALPHA - tolerance(ALPHA)


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95])
def test_wilsons_intervals_cover_a_rate_on_the_average_of_samples(rate):
    """For one size they may cover a little less, for hits are whole; over sizes they cover what they say."""
    generator = np.random.default_rng(3)
    sizes = generator.integers(100, 400, size=RUNS)
    found = [wilson_interval(int(generator.binomial(n, rate)), int(n), 0.95) for n in sizes]
    assert np.mean([low <= rate <= high for low, high in found]) >= 0.95 - tolerance(0.95)


@pytest.mark.slow
def test_bootstrap_intervals_of_retention_cover_within_a_point_of_what_they_say():
    rates = PairRates.assumed(retention=0.95, teacher=0.85, discordance=0.15)
    runs, precision = 2_000, Precision(resamples=1_000)
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(runs):
        side, teacher = pairs_of(rates, generator, 300)
        found = retention_estimate(Paired(tuple(side), tuple(teacher)), precision, "0")
        covered += found.low <= rates.retention <= found.high
    assert covered / runs >= 0.94 - tolerance(0.95, runs)


# --- scores between 0 and 1 -------------------------------------------------------------------------------------------


def fails_wholly(generator, n, keeps):
    """Nearly perfect, and worth nothing where hardly anybody looks."""
    share = 1.6 * (1 - keeps) / 2
    return np.where(generator.random(n) < share, 0.0, keeps / (1 - share)), np.ones(n)


def in_grades(generator, n, keeps):
    """A judge's three grades."""
    return generator.choice(
        [0.0, 0.5, 1.0], size=n, p=[(1 - keeps) / 2, 1 - keeps, 1 - 1.5 * (1 - keeps)]
    ), np.ones(n)


def at_either_end(generator, n, keeps):
    return generator.beta(keeps / 2, (1 - keeps) / 2, size=n), np.ones(n)


def beside_a_teacher(generator, n, keeps):
    """On references, where the teacher is not perfect either: the student loses half of what it knew on some."""
    teacher = generator.beta(4, 1.5, size=n)
    loses = generator.random(n) < 4 * (1 - keeps)
    return np.where(loses, teacher * generator.random(n) ** 0.5 * 1.125, teacher), teacher


GRADED = [fails_wholly, in_grades, at_either_end, beside_a_teacher]


def pass_rate(student, n, keeps, runs, seed):
    generator = np.random.default_rng(seed)
    found = (student(generator, n, keeps) for _ in range(runs))
    return np.mean(
        [retention_bound(side.tolist(), teacher.tolist(), ALPHA) >= 0.9 for side, teacher in found]
    )


@pytest.mark.slow
@pytest.mark.parametrize(("student", "n"), [(fails_wholly, 50), (in_grades, 200), (beside_a_teacher, 100)])
def test_a_student_of_graded_scores_at_the_margin_passes_at_most_alpha_of_the_time(student, n):
    runs = 1_000
    assert pass_rate(student, n, 0.9, runs, seed=n) <= ALPHA + tolerance(ALPHA, runs)


@pytest.mark.parametrize("student", GRADED)
def test_a_good_student_of_graded_scores_passes(student):
    assert pass_rate(student, 300, 0.96, 100, seed=8) >= 0.9


@pytest.mark.parametrize(("hits", "misses"), [(45, 5), (300, 1), (7, 40), (1, 1)])
def test_of_scores_of_0_and_1_the_likelihood_is_the_binomials_with_half_a_miss_more(hits, misses):
    bound = retention_bound([1.0] * hits + [0.0] * misses, [1.0] * (hits + misses), ALPHA)
    lost = misses + 0.5
    best = hits / (hits + lost)
    ratio = hits * math.log(best / bound) + lost * math.log((1 - best) / (1 - bound))
    assert 2 * ratio == pytest.approx(NormalDist().inv_cdf(1 - ALPHA) ** 2, rel=1e-6)


def test_of_many_graded_scores_both_bounds_are_the_normal_distributions():
    generator = np.random.default_rng(9)
    side, other = generator.beta(8, 2, size=20_000), generator.beta(6, 2, size=20_000)
    z = NormalDist().inv_cdf(1 - ALPHA)
    normal = side.mean() - z * side.std() / math.sqrt(len(side))
    assert retention_bound(side.tolist(), [1.0] * len(side), ALPHA) == pytest.approx(normal, abs=2e-4)
    gains = side - other
    normal = gains.mean() - z * gains.std() / math.sqrt(len(gains))
    assert gain_bound(side.tolist(), other.tolist(), ALPHA) == pytest.approx(normal, abs=4e-4)


# --- slices -----------------------------------------------------------------------------------------------------------


def slices_of(sides, teachers):
    return [
        SliceResult(
            by="topic",
            value=str(place),
            n=len(side),
            retention=None,
            paired=Paired(tuple(side), tuple(teacher)),
        )
        for place, (side, teacher) in enumerate(zip(sides.tolist(), teachers.tolist(), strict=True))
    ]


def guarded(rates, *, prompts, slices, runs, floor, seed):
    generator = np.random.default_rng(seed)
    side, teacher = pairs_of(rates, generator, (runs, slices, prompts))
    return [
        guard_slices(slices_of(ours, theirs), floor=floor, alpha=ALPHA)
        for ours, theirs in zip(side, teacher, strict=True)
    ]


@pytest.mark.parametrize("student", STUDENTS[:2])
def test_of_ten_slices_at_the_floor_any_is_called_short_or_kept_at_most_alpha_of_the_time(student):
    runs = 2_000
    found = guarded(PairRates.assumed(**student), prompts=60, slices=10, runs=runs, floor=0.9, seed=1)
    for state in ("short", "kept"):
        family = np.mean([any(guard.state == state for guard in guards) for guards in found])
        assert family <= ALPHA + tolerance(ALPHA, runs)


def test_without_the_correction_a_sound_student_would_be_stopped_far_more_often():
    found = guarded(PairRates.assumed(retention=0.9), prompts=60, slices=10, runs=500, floor=0.9, seed=1)
    # Holm's smallest p value is ten times the plain one.
    plain = np.mean([min(guard.p_short for guard in guards) <= 10 * ALPHA for guards in found])
    assert plain > 4 * ALPHA


def test_a_slice_that_broke_is_found_among_nine_sound_ones():
    generator = np.random.default_rng(2)
    sound, broken = PairRates.assumed(retention=0.97), PairRates.assumed(retention=0.6)
    caught = 0
    for _ in range(300):
        sides = np.stack([pairs_of(rates, generator, 60)[0] for rates in [broken] + [sound] * 9])
        guards = guard_slices(slices_of(sides, np.ones_like(sides)), floor=0.85, alpha=ALPHA)
        caught += guards[0].state == "short" and all(guard.state != "short" for guard in guards[1:])
    assert caught / 300 >= 0.9


@pytest.mark.parametrize("prompts", [5, 30])
def test_slices_of_graded_scores_at_the_floor_are_called_short_at_most_alpha_of_the_time(prompts):
    runs, floor = 2_000, 0.8
    generator = np.random.default_rng(prompts)
    side = generator.beta(4, 1, size=(runs, 3, prompts))  # of mean 0.8
    found = [guard_slices(slices_of(each, np.ones_like(each)), floor=floor, alpha=ALPHA) for each in side]
    for state in ("short", "kept"):
        family = np.mean([any(guard.state == state for guard in guards) for guards in found])
        assert family <= ALPHA + tolerance(ALPHA, runs)


# --- stopping early ---------------------------------------------------------------------------------------------------


def capitals(side, teacher, margin):
    """What the two gamblers of `sequential` hold after each prompt of each run."""
    change = side - margin * teacher

    def capital(sign):
        total = np.zeros_like(change)
        for stake in STAKES:  # added up one by one: all at once would fill the memory
            total += np.exp(np.minimum(np.cumsum(np.log1p(stake * sign * change), axis=1), 300))
        return total / len(STAKES)

    return capital(1), capital(-1)


def first_at(reached):
    return np.where(reached.any(axis=1), reached.argmax(axis=1), reached.shape[1])


@pytest.mark.parametrize("student", STUDENTS)
def test_looked_at_after_every_prompt_a_student_at_the_margin_passes_and_fails_at_most_alpha_of_the_time(
    student,
):
    side, teacher = pairs_of(PairRates.assumed(**student), np.random.default_rng(6), (RUNS, 1_500))
    for capital in capitals(side, teacher, 0.9):
        assert np.mean((capital >= 1 / ALPHA).any(axis=1)) <= ALPHA + tolerance(ALPHA)


def test_graded_scores_at_the_margin_pass_at_most_alpha_of_the_time_too():
    generator = np.random.default_rng(8)
    teacher = generator.beta(6, 2, size=(RUNS, 600))
    side = np.clip(teacher * 0.9 + generator.uniform(-0.05, 0.05, size=teacher.shape), 0, 1)
    margin = side.mean() / teacher.mean()
    for capital in capitals(side, teacher, margin):
        assert np.mean((capital >= 1 / ALPHA).any(axis=1)) <= ALPHA + tolerance(ALPHA)


@pytest.mark.parametrize(("retention", "right"), [(0.97, 0), (0.8, 1)])
def test_a_clear_case_is_decided_rightly_and_soon(retention, right):
    side, teacher = pairs_of(PairRates.assumed(retention=retention), np.random.default_rng(9), (2_000, 1_000))
    times = [first_at(capital >= 1 / ALPHA) for capital in capitals(side, teacher, 0.9)]
    assert np.mean(times[right] < times[1 - right]) >= 0.95
    # A fixed sample that passes a student of 0.97 with a power of 0.95 takes 146; looking early asks 104 in the mean.
    assert np.mean(np.minimum(*times)) + 1 <= 125


def test_one_who_looks_at_an_ordinary_p_value_after_every_prompt_passes_a_bad_student_far_more_often():
    side, _ = pairs_of(PairRates.assumed(retention=0.9), np.random.default_rng(10), (2_000, 1_000))
    hits, n = side.cumsum(axis=1), np.arange(1, 1_001)
    score = (hits - 0.5 - 0.9 * n) / np.sqrt(n * 0.9 * 0.1)
    assert np.mean((score >= 1.645)[:, 29:].any(axis=1)) > 3 * ALPHA


def test_the_looks_hold_what_the_vectorised_capitals_hold():
    side, teacher = pairs_of(PairRates.assumed(retention=0.93), np.random.default_rng(12), (1, 80))
    ours, theirs = capitals(side, teacher, 0.9)
    found = list(looks(zip(side[0], teacher[0], strict=True), min_retention=0.9, alpha=1e-9, beta=1e-9))
    assert [look.evidence for look in found] == pytest.approx(list(ours[0]))
    assert [look.counter_evidence for look in found] == pytest.approx(list(theirs[0]))


def test_the_bound_of_a_stopped_run_covers_the_truth_and_agrees_with_the_decision():
    rates = PairRates.assumed(retention=0.95)
    generator = np.random.default_rng(13)
    missed = 0
    for _ in range(150):
        side, teacher = pairs_of(rates, generator, 400)
        pairs = list(zip(side.tolist(), teacher.tolist(), strict=True))
        last = decide_early(pairs, min_retention=0.9)
        bound = sequential_lower_bound(pairs[: last.n], ALPHA)
        assert (bound >= 0.9) == (last.decision == "pass")
        missed += bound > 0.95
    assert missed / 150 <= ALPHA + tolerance(ALPHA, 150)
