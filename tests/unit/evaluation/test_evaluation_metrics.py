"""How an answer is scored against another."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.metrics import (
    METRICS,
    Metric,
    choose_metrics,
    exact_match,
    json_equal,
    json_fields,
    mostly_json,
    normalised_match,
    parse_json,
    same_json,
    score_all,
)

FENCED = '```json\n{"a": 1}\n```'


@pytest.mark.parametrize(
    ("metric", "answer", "target", "score"),
    [
        (exact_match, "a b", "a b", 1),
        (exact_match, "a  b", "a b", 0),
        (normalised_match, " A\n b", "a B ", 1),
        (normalised_match, "Straße", "STRASSE", 1),
        (normalised_match, "a", "b", 0),
        (json_equal, '{"b":2,"a":1}', '{"a": 1.0, "b": 2}', 1),
        (json_equal, '{"a": true}', '{"a": 1}', 0),
        (json_equal, '{"a": "1"}', '{"a": 1}', 0),
        (json_equal, "[1, 2]", "[2, 1]", 0),
        (json_equal, "[1]", "[1, 2]", 0),
        (json_equal, "no JSON", '{"a": 1}', 0),
        (json_equal, "No JSON ", "no json", 1),
        (json_equal, FENCED, FENCED, 1),
        (json_equal, FENCED, '{"a": 1}', 0),
        (json_fields, '{"a": 1, "b": 3}', '{"a": 1, "b": 2}', 0.5),
        (json_fields, '{"a": 1, "b": 2, "c": 3, "d": 4}', '{"a": 1, "b": 2}', 0.5),
        (json_fields, "{}", '{"a": null}', 0),
        (json_fields, "no JSON", '{"a": 1}', 0),
        (json_fields, "[1]", '{"a": 1}', 0),
        (json_fields, "[1]", "[1.0]", 1),
        (json_fields, "{}", "{}", 1),
    ],
)
def test_metrics_score_as_their_names_say(metric, answer, target, score):
    assert metric(answer, target) == score


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "```\n```", "", "```", "[" * 100_000])
def test_what_is_not_json_is_not_read_as_json(text):
    assert parse_json(text) is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(json_values)
def test_every_json_value_is_the_same_as_itself_in_any_layout(value):
    plain, airy = json.dumps(value), json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    assert same_json(json.loads(plain), json.loads(airy))
    assert json_equal(plain, airy) == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.text(), json_values, max_size=3), st.dictionaries(st.text(), json_values, max_size=3)
)
def test_all_fields_match_exactly_when_the_objects_are_equal(one, other):
    texts = json.dumps(one), json.dumps(other)
    assert 0 <= json_fields(*texts) <= 1
    assert (json_fields(*texts) == 1) == (json_equal(*texts) == 1)


def test_json_metrics_are_chosen_where_the_teacher_answers_in_json():
    answers = ['{"a": 1}'] * 9
    assert choose_metrics(None, [*answers, "sorry"])[0].name == "json_equal"
    assert choose_metrics(None, [*answers, "sorry", "sorry"])[0].name == "normalised_match"
    assert choose_metrics(None, ["12", "true"])[0].name == "normalised_match"
    assert not mostly_json([])


def test_metrics_can_be_named_given_as_functions_or_both():
    def brevity(answer: str, target: str) -> float:
        """Rewards short answers."""
        return len(target) / max(len(answer), 1)

    chosen = choose_metrics([brevity, "exact_match", Metric("mine", exact_match, "Mine.")], [])
    assert [metric.name for metric in chosen] == ["brevity", "exact_match", "mine"]
    assert chosen[0].about == "Rewards short answers."
    assert choose_metrics("exact_match", []) == (METRICS["exact_match"],)
    assert choose_metrics(lambda _, __: 1.0, [])[0].name == "lambda"


@pytest.mark.parametrize(
    "wanted", [["no_such"], [], ["exact_match", "exact_match"], [lambda _, __: 1.0, lambda _, __: 0.0]]
)
def test_unknown_missing_and_ambiguous_metrics_are_refused(wanted):
    with pytest.raises(SpecError, match=r"not a metric|names of their own"):
        choose_metrics(wanted, [])


@pytest.mark.parametrize("score", [-0.1, float("nan"), float("inf")])
def test_a_score_that_is_none_names_the_metric_and_the_prompt(score):
    metric = Metric("odd", lambda _, __: score, "Odd.")
    with pytest.raises(SpecError, match=r"'odd' returned .* on prompt 0"):
        score_all(metric, ["a"], ["b"])


def test_an_error_inside_a_metric_says_on_which_prompt():
    metric = Metric("broken", lambda answer, _: float(answer), "Breaks.")
    with pytest.raises(ValueError, match="could not convert") as caught:
        score_all(metric, ["1", "x"], ["", ""])
    assert "prompt 1" in caught.value.__notes__[0]


def test_a_failed_call_scores_nothing():
    assert score_all(METRICS["exact_match"], ["a", None, "a"], ["a", "a", None]) == (1, 0, 0)
