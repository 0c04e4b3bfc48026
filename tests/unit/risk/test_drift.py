"""The alarm: quiet at its level while nothing changes, whenever one looks, and loud when something does."""

from __future__ import annotations

import itertools
import json
import random
import statistics

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.risk import DriftAlarm, Policy, histogram
from bedrock_distill.risk.drift import _BETS


def betas(dice, a, b):
    while True:
        yield dice.betavariate(a, b)


def coins(dice, p):
    while True:
        yield float(dice.random() < p)


def alarm_on(values, *, n=300, seed, level=0.05):
    return DriftAlarm(histogram(next(values) for _ in range(n)), level=level, seed=seed)


def first_alarm(alarm, values, most):
    """How many values it takes, or None."""
    return next((seen for seen in range(1, most + 1) if alarm.observe(next(values))), None)


@pytest.mark.parametrize("n", [20, 300])
@pytest.mark.parametrize(("draw", "given"), [(betas, (5, 2)), (coins, (0.06,))], ids=["scores", "losses"])
def test_without_drift_it_ever_goes_off_at_most_as_often_as_its_level_says(draw, given, n):
    fired = 0
    for seed in range(400):
        values = draw(random.Random(seed), *given)
        fired += first_alarm(alarm_on(values, n=n, seed=seed), values, 400) is not None
    assert fired <= 0.05 * 400


@pytest.mark.parametrize(
    ("draw", "before", "after", "usual"),
    [
        (betas, (5, 2), (3, 3), 30),
        (betas, (5, 2), (9, 1), 30),
        (coins, (0.05,), (0.4,), 60),
    ],
    ids=["scores fall", "scores rise", "losses grow"],
)
def test_planted_drift_sets_it_off_in_every_run(draw, before, after, usual):
    delays = []
    for seed in range(100):
        dice = random.Random(seed)
        calm, changed = draw(dice, *before), draw(dice, *after)
        alarm = alarm_on(calm, seed=seed, level=0.01)
        if first_alarm(alarm, calm, 200) is None:
            delays.append(first_alarm(alarm, changed, 1000))
    assert None not in delays
    assert len(delays) >= 98
    assert statistics.median(delays) <= usual


def test_a_long_calm_does_not_make_it_deaf():
    dice = random.Random(3)
    calm, changed = betas(dice, 5, 2), betas(dice, 2, 5)
    alarm = alarm_on(calm, seed=3, level=0.01)
    assert first_alarm(alarm, calm, 20_000) is None
    assert first_alarm(alarm, changed, 200) is not None


def test_an_alarm_stays():
    alarm = DriftAlarm(histogram([0.9] * 200), level=0.01)
    assert not alarm.fired
    assert first_alarm(alarm, iter([0.1] * 100), 100) is not None
    assert alarm.observe(0.9)
    assert alarm.fired
    assert alarm.evidence >= 100


def test_every_bet_is_fair_and_never_falls_below_nothing():
    for bet in _BETS:
        # Midpoints in the logarithm of the distance to either end: the bold bets live there.
        steps = [10 ** (-place / 400) / 2 for place in range(6000)]
        widths = [(high - low, (high + low) / 2) for high, low in itertools.pairwise(steps)]
        mean = sum(width * (bet(middle) + bet(1 - middle)) for width, middle in widths)
        assert mean == pytest.approx(1, abs=0.01)
        assert all(bet(middle) >= 0 and bet(1 - middle) >= 0 for _, middle in widths)


def test_the_same_seed_gives_the_same_evidence():
    values = [random.Random(1).random() for _ in range(50)]
    first, second = (DriftAlarm(histogram(values), seed=5) for _ in range(2))
    for value in values:
        first.observe(value)
        second.observe(value)
    assert first.evidence == second.evidence
    assert first.seen == 50


def test_a_level_that_is_none_and_calibration_without_values_are_refused():
    with pytest.raises(SpecError, match="level must lie between 0 and 1"):
        DriftAlarm({500: 1}, level=0)
    with pytest.raises(SpecError, match="needs the calibration's values"):
        DriftAlarm({})


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_value_outside_0_to_1_is_refused_and_not_ranked(value):
    alarm = DriftAlarm({500: 1})
    with pytest.raises(SpecError, match="values from 0 to 1"):
        alarm.observe(value)
    assert alarm.seen == 0


POLICY = Policy(
    threshold=0.75,
    alpha=0.02,
    confidence=None,
    score=("agreement:4,0.7",),
    metric="json_equal",
    student="student",
    teacher="teacher",
    made_at="2026-11-24T15:00:00+00:00",
    examples=4,
    student_share=0.75,
    risk=0.0,
    scores=histogram([0.5, 1.0, 1.0, 0.75]),
    losses=histogram([0, 0, 0, 1]),
)


def test_a_policy_survives_its_file(tmp_path):
    path = POLICY.save(tmp_path / "policy.json")
    assert Policy.read(path) == POLICY
    assert json.loads(path.read_text())["scores"] == {"500": 1, "750": 1, "1000": 2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": "high"}, "threshold"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"version": 2}, "version"),
        ({"colour": "red"}, "colour"),
        ({"scores": {"1001": 3}}, "1000"),
        ({"losses": {"0": -3}}, "losses"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_with_its_name_and_field(tmp_path, change, said):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps({**json.loads(POLICY.to_json()), **change}))
    with pytest.raises(DataError, match=said) as caught:
        Policy.read(path)
    assert str(path) in str(caught.value)


def test_a_policy_that_cannot_be_read_or_written_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Could not read the policy .*nowhere\.json"):
        Policy.read(tmp_path / "nowhere.json")
    with pytest.raises(DataError, match="Could not write the policy"):
        POLICY.save(tmp_path)


def test_a_policy_is_refused_for_another_score():
    POLICY.check_score(("agreement:4,0.7",))
    with pytest.raises(SpecError, match="not for logprobs"):
        POLICY.check_score(("logprobs",))
