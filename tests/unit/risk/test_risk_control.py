"""The threshold's bound: on cases that can be counted by hand, and simulated where the true risk is known."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.risk import Example, choose, curve
from bedrock_distill.risk.control import loss_budget

SEEDS = range(200)


def examples(*pairs, **costs):
    return [Example(score=score, loss=loss, **costs) for score, loss in pairs]


def certain(seed: int, n: int) -> list[Example]:
    """Scores are uniform, and an answer of score s is right with probability s: the risk of t is (1 - t)² / 2."""
    dice = random.Random(seed)
    scores = [dice.random() for _ in range(n)]
    return [Example(score=score, loss=float(dice.random() > score)) for score in scores]


def true_risk(threshold: float | None) -> float:
    return 0.0 if threshold is None else (1 - threshold) ** 2 / 2


def agreeing(seed: int, n: int) -> list[Example]:
    """Scores are k/4 as agreement makes them, and losses are parts: at score s the mean loss is (1 - s)/2."""
    dice = random.Random(seed)
    scores = [dice.randint(0, 4) / 4 for _ in range(n)]
    return [Example(score=score, loss=(1 - score) * dice.random()) for score in scores]


def true_risk_of_agreeing(threshold: float | None) -> float:
    if threshold is None:
        return 0.0
    return sum((1 - k / 4) / 2 for k in range(5) if k / 4 >= threshold) / 5


WORLDS = [(certain, true_risk), (agreeing, true_risk_of_agreeing)]


@pytest.mark.parametrize("alpha", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("n", [60, 300])
@pytest.mark.parametrize(("world", "risk"), WORLDS, ids=["yes or no", "parts and ties"])
def test_the_mean_of_the_true_risk_over_200_calibrations_is_at_most_alpha(world, risk, n, alpha):
    found = [risk(choose(world(seed, n), alpha=alpha).point.threshold) for seed in SEEDS]
    assert statistics.mean(found) <= alpha


@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_the_bound_is_nearly_reached_so_that_the_student_answers_what_it_may(alpha):
    n = 300
    found = [true_risk(choose(certain(seed, n), alpha=alpha).point.threshold) for seed in SEEDS]
    # The theory promises alpha - 2/(n + 1); three standard errors of the mean of 200 are added.
    slack = 3 * statistics.stdev(found) / math.sqrt(len(found))
    assert statistics.mean(found) >= alpha - 2 / (n + 1) - slack


def test_without_the_correction_the_mean_of_the_true_risk_is_above_alpha():
    alpha, found = 0.1, []
    for seed in SEEDS:
        points = curve(certain(seed, 60))
        found.append(
            true_risk(max((p for p in points if p.risk <= alpha), key=lambda p: p.student_share).threshold)
        )
    assert statistics.mean(found) > alpha


@pytest.mark.parametrize("alpha", [0.02, 0.05, 0.1])
@pytest.mark.parametrize(("world", "risk"), WORLDS, ids=["yes or no", "parts and ties"])
def test_with_confidence_at_most_the_stated_share_of_200_calibrations_exceeds_alpha(world, risk, alpha):
    found = [risk(choose(world(seed, 300), alpha=alpha, confidence=0.9).point.threshold) for seed in SEEDS]
    assert sum(each > alpha for each in found) <= 0.1 * len(found)


def test_the_threshold_is_the_lowest_whose_corrected_risk_is_within_the_bound():
    # 19 right, then a miss at 0.5, one more right, then misses: (1 + 1) / 31 < 0.07 < (2 + 1) / 31
    found = examples(*[(0.9, 0)] * 19, (0.5, 1), (0.4, 0), *[(0.1, 1)] * 9)
    choice = choose(found, alpha=0.07)
    assert (choice.point.threshold, choice.point.student_share) == (0.4, 21 / 30)
    assert choose(found, alpha=0.06).point.threshold == 0.9


def test_equal_scores_are_let_through_together_or_not_at_all():
    assert choose(examples(*[(0.5, 0)] * 50, (0.5, 1), (0.5, 1)), alpha=0.05).point.threshold is None


def test_where_everything_may_be_let_through_so_may_lower_scores_than_any_seen():
    assert choose(examples(*[(0.8, 0)] * 99), alpha=0.01).point.threshold == 0.0


def test_where_the_student_failed_somewhere_the_lowest_score_is_the_threshold():
    assert choose(examples(*[(0.8, 0)] * 99, (None, 0)), alpha=0.01).point.threshold == 0.8


@pytest.mark.parametrize(
    ("confidence", "last", "least"), [(None, 0, 19), (None, 0.5, 19), (0.95, 0, 59), (0.95, 0.5, 78)]
)
def test_fewer_examples_than_the_bound_needs_let_nothing_through(confidence, last, least):
    lone = (None, last)  # let through by no threshold; a loss in between makes the bound another
    enough = choose(examples(*[(1.0, 0)] * (least - 1), lone), alpha=0.05, confidence=confidence)
    too_few = choose(examples(*[(1.0, 0)] * (least - 2), lone), alpha=0.05, confidence=confidence)
    assert enough.least_examples == too_few.least_examples == least
    assert enough.point.student_share == (least - 1) / least
    assert too_few.point.threshold is None


@pytest.mark.parametrize(
    ("n", "alpha", "confidence", "allowed"),
    [
        # max k with scipy.stats.binom.cdf(k, n, alpha) <= 1 - confidence, scipy 1.17
        (100, 0.05, 0.95, 1),
        (500, 0.05, 0.95, 16),
        (1000, 0.02, 0.9, 13),
        (5000, 0.01, 0.99, 33),
        (58, 0.05, 0.95, -1),
    ],
)
def test_the_budget_of_yes_or_no_losses_is_the_binomials_quantile(n, alpha, confidence, allowed):
    assert loss_budget(n, alpha=alpha, confidence=confidence, binary=True) == allowed


def test_the_budget_agrees_with_scipy():
    from scipy import stats

    for n in (10, 99, 1000, 20_000):
        for alpha in (0.01, 0.05, 0.3):
            for confidence in (0.8, 0.95, 0.999):
                allowed = loss_budget(n, alpha=alpha, confidence=confidence, binary=True)
                assert (
                    stats.binom.cdf(allowed, n, alpha)
                    <= 1 - confidence
                    < stats.binom.cdf(allowed + 1, n, alpha)
                )


def test_the_curve_is_what_counting_gives_at_every_threshold():
    dice = random.Random(7)
    found = [
        Example(
            score=dice.choice([None, *(k / 10 for k in range(11))]),
            loss=dice.random(),
            student_cost=dice.random(),
            teacher_cost=dice.random(),
        )
        for _ in range(400)
    ]
    for point in curve(found):
        let = [
            each
            for each in found
            if point.threshold is not None and each.score is not None and each.score >= point.threshold
        ]
        paid = sum(e.student_cost for e in found) + sum(e.teacher_cost for e in found if e not in let)
        assert point.student_share == pytest.approx(len(let) / 400)
        assert point.risk == pytest.approx(sum(e.loss for e in let) / 400)
        assert point.cost == pytest.approx(paid / 400)
    risks = [point.risk for point in curve(found)]
    assert risks == sorted(risks)


@pytest.mark.parametrize("field", ["alpha", "confidence"])
@pytest.mark.parametrize("value", [0, 1, -0.1, 2, math.nan])
def test_levels_outside_0_to_1_are_refused(field, value):
    levels = {"alpha": 0.1, "confidence": 0.9, field: value}
    with pytest.raises(SpecError, match=f"{field} must lie between 0 and 1") as caught:
        choose(examples((1.0, 0)), **levels)
    assert caught.value.field == field


@pytest.mark.parametrize("pair", [(1.2, 0), (-0.1, 0), (0.5, 1.5), (math.nan, 0)])
def test_scores_and_losses_outside_0_to_1_are_refused_with_their_place(pair):
    with pytest.raises(DataError, match="of example 1 "):
        choose(examples((0.5, 0), pair), alpha=0.1)


def test_no_examples_are_refused():
    with pytest.raises(DataError, match="no examples"):
        curve([])
