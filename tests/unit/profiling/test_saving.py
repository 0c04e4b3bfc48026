"""What a student would save, to the cent: every number follows from tokens, prices and what is assumed."""

from __future__ import annotations

from datetime import date

import pytest

from bedrock_distill import load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.profiling import Assumptions
from bedrock_distill.profiling.counting import Usage
from bedrock_distill.profiling.pricing import with_prices
from bedrock_distill.profiling.saving import cost_of, saving_of

TEACHER, STUDENT, OTHER = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"
TODAY = date(2026, 11, 24)
PRICES = {
    TEACHER: {"input_1k_tokens": 0.5, "output_1k_tokens": 2.0},
    STUDENT: {"input_1k_tokens": 0.0625, "output_1k_tokens": 0.25, "training_1k_tokens": 0.125},
}
USED = {TEACHER: Usage(1000, 200_000, 50_000), OTHER: Usage(3000, 1, 1)}


def saving(prices=PRICES, *, used=USED, teacher=TEACHER, prompts=800, days=10, **assumed):
    return saving_of(
        used,
        days=days,
        prompts=prompts,
        teacher=teacher,
        student=STUDENT,
        catalog=with_prices(load_catalog(), prices, TODAY),
        region="us-east-1",
        assumptions=Assumptions(**assumed),
        today=TODAY,
    )


def test_each_number_is_tokens_times_price():
    found = saving(student_share=0.5, examples=400, passes=2, evaluation_prompts=100, hosting_usd_per_day=1.0)
    # A day: 100 calls, 20,000 tokens in and 5,000 out; half of them move.
    assert (found.calls_per_day, found.input_tokens_per_day, found.output_tokens_per_day) == (
        50,
        10_000,
        2_500,
    )
    assert found.now_usd_per_day == 10 * 0.5 + 2.5 * 2.0 == 10.0
    assert found.student_usd_per_day == 10 * 0.0625 + 2.5 * 0.25 + 1.0 == 2.25
    assert found.usd_per_day == 7.75
    # Once: 200 tokens in and 50 out a prompt.
    assert [(line.what, line.usd) for line in found.one_off] == [
        ("teacher's answers to 400 prompts, input", 80 * 0.5),
        ("teacher's answers to 400 prompts, output", 20 * 2.0),
        ("student training", 200 * 0.125),
        ("evaluation on 100 prompts, teacher, input", 20 * 0.5),
        ("evaluation on 100 prompts, teacher, output", 5 * 2.0),
        ("evaluation on 100 prompts, student, input", 20 * 0.0625),
        ("evaluation on 100 prompts, student, output", 5 * 0.25),
    ]
    assert found.one_off_usd == 127.5
    assert found.payback_days == 127.5 / 7.75
    assert found.payback_on == date(2026, 12, 11)
    assert found.missing == ()


def test_logged_answers_cost_nothing_and_there_are_no_more_examples_than_prompts():
    found = saving(ask_teacher=False, evaluation_prompts=0)
    assert [line.what for line in found.one_off] == ["student training"]
    assert found.examples == 800
    assert saving(examples=500).examples == 500


def test_storage_counts_by_the_day_where_its_price_is_known():
    stored = {**PRICES, STUDENT: {**PRICES[STUDENT], "storage_month": 30.0}}
    assert saving(stored).student_usd_per_day == saving().student_usd_per_day + 1.0


@pytest.mark.parametrize(("model", "kind"), [(model, kind) for model in PRICES for kind in PRICES[model]])
def test_what_needs_an_unknown_price_is_unknown_and_the_price_is_named(model, kind):
    prices = {
        name: {k: usd for k, usd in kinds.items() if (name, k) != (model, kind)}
        for name, kinds in PRICES.items()
    }
    found = saving(prices)
    assert found.missing == (f"{model}: {kind}",)
    assert found.payback_days is found.payback_on is found.one_off_usd is None
    assert (found.usd_per_day is None) == (kind != "training_1k_tokens")
    assert found.input_tokens_per_day == saving().input_tokens_per_day  # tokens are known all the same


def test_a_student_that_is_dearer_never_pays_back():
    found = saving(hosting_usd_per_day=1000.0)
    assert found.usd_per_day < 0
    assert found.payback_days is found.payback_on is None


def test_without_a_teacher_everybodys_calls_are_moved_and_nobody_answers_anew():
    prices = {**PRICES, OTHER: PRICES[TEACHER]}
    found = saving(prices, teacher=None, student_share=1.0)
    assert found.calls_per_day == 400
    assert {line.what.partition(",")[0] for line in found.one_off} == {
        "student training",
        "evaluation on 400 prompts",
    }


def test_where_the_teacher_answered_nothing_there_is_nothing_to_save():
    assert saving(used={OTHER: USED[OTHER]}) is None


def test_a_cost_is_known_only_where_both_prices_are():
    catalog = with_prices(load_catalog(), {TEACHER: PRICES[TEACHER], OTHER: {"input_1k_tokens": 1.0}}, TODAY)
    assert cost_of(USED, catalog, "*") == {TEACHER: 200.0, OTHER: None}


def test_a_price_of_the_callers_goes_before_the_catalogs_in_every_region():
    catalog = with_prices(load_catalog(), PRICES, TODAY)
    again = with_prices(catalog, {f"us.{TEACHER}": {"input_1k_tokens": 9}}, TODAY)
    assert again.price(TEACHER, "input_1k_tokens", "eu-west-1").usd == 9
    assert again.price(TEACHER, "output_1k_tokens", "eu-west-1").usd == 2.0


@pytest.mark.parametrize(
    "wrong",
    [{"input_1k_tokens": -1}, {"input_1k_tokens": float("nan")}, {"hour": 1}, {"input_1k_tokens": "1"}],
)
def test_prices_that_are_none_are_refused(wrong):
    with pytest.raises(SpecError, match=TEACHER) as refused:
        with_prices(load_catalog(), {TEACHER: wrong}, TODAY)
    assert refused.value.field == "prices"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("student_share", 0),
        ("student_share", 1.1),
        ("examples", 0),
        ("examples", 15_001),
        ("passes", 0),
        ("passes", float("nan")),
        ("evaluation_prompts", -1),
        ("hosting_usd_per_day", -0.1),
    ],
)
def test_assumptions_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(SpecError, match=name) as refused:
        Assumptions(**{name: value})
    assert refused.value.field == f"assumptions.{name}"
