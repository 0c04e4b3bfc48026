"""What a sample says of prompts and answers, and what score that makes."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from bedrock_distill.profiling.calls import calls_in
from bedrock_distill.profiling.counting import GroupCounts
from bedrock_distill.profiling.measuring import measure_answers, measure_prompts
from bedrock_distill.profiling.saving import MOST_PROMPTS
from bedrock_distill.profiling.scoring import FEWEST_PROMPTS, PARTS, Facts, score_of
from bedrock_distill.records.logs import LogQuery
from bedrock_distill.records.logs.tally import Tally


@pytest.fixture
def examples(line):
    """The sample of calls that are given as system prompt, prompt and answer."""

    def examples(calls):
        counts = GroupCounts()
        for call in calls_in([line(*each) for each in calls], LogQuery(), Tally()):
            counts.add(call)
        return counts.sample.items()

    return examples


def test_the_fixed_text_is_shown_with_its_slots_and_its_share(examples, traffic):
    made = traffic(1)
    calls = [
        (
            "Answer briefly, and in English only.",
            f"Summarise the text between the marks: {made.slot(30, 30)}",
            "x",
        )
        for _ in range(50)
    ]
    prompts = measure_prompts(examples(calls))
    assert prompts.template.startswith("Answer briefly, and in English only. Summarise the text between the")
    assert prompts.template.endswith("…")
    fixed = len("Answer briefly, and in English only.Summarise the text between the marks: ")
    mean = sum(fixed / len(system + text) for system, text, _ in calls) / len(calls)
    assert prompts.fixed_share == pytest.approx(mean, abs=0.04)
    assert (prompts.sampled, prompts.distinct) == (50, 50)


def test_too_few_different_prompts_say_nothing_about_what_is_fixed(examples):
    prompts = measure_prompts(examples([(None, "How are you today, my friend?", "x")] * 30))
    assert (prompts.fixed_share, prompts.template) == (None, "")


def test_prompts_that_are_nearly_the_same_are_counted(examples, traffic):
    made = traffic(2)
    texts = [made.slot(60, 60) for _ in range(20)]
    calls = [(None, text, "x") for text in texts] + [(None, f"{text} indeed", "x") for text in texts[:5]]
    assert measure_prompts(examples(calls)).near_duplicates == 5


@pytest.mark.parametrize(
    ("answers", "kind", "bits"),
    [
        (["yes", "no"] * 50, ("yes", "no"), 1.0),
        (["Billing", "billing "] * 50, ("billing",), 1.0),  # a label is told without case, an answer is not
        (["same"] * 80, ("same",), 0.0),
        ([f"Dear customer number {n}, thank you" for n in range(100)], (), math.log2(100)),
    ],
)
def test_labels_are_told_from_free_text_and_entropy_is_shannons(examples, answers, kind, bits):
    found = measure_answers(examples([(None, f"Question {n}?", each) for n, each in enumerate(answers)]))
    assert set(found.labels) == set(kind)
    assert found.entropy_bits == pytest.approx(bits)
    assert found.alike == pytest.approx(1 - bits / math.log2(len(answers)))


def test_the_schema_of_json_answers_is_found_and_so_are_fields_that_hold_labels(examples):
    answers = [
        json.dumps({"topic": ("a", "b")[n % 2], "text": f"number {n}", "urgent": True}) for n in range(90)
    ]
    answers += ["no JSON"] * 10
    found = measure_answers(examples([(None, f"Question {n}?", each) for n, each in enumerate(answers)]))
    assert found.schema == "{text: text, topic: text, urgent: boolean}"
    assert found.json_share == found.schema_share == 0.9
    assert found.label_fields == ("topic",)


def test_where_no_answer_can_be_used_nothing_is_said_of_answers(examples, line):
    assert measure_answers(examples([(None, "Question?", " ")])) is None


FACTS = {
    "calls_per_day": 1000.0,
    "tokens_per_day": 1e6,
    "usd_per_day": 9.0,
    "usable_share": 1.0,
    "distinct_prompts": 1000,
}


@pytest.fixture
def facts(examples):
    """Facts of a good candidate: one fixed order, short labels."""
    calls = [
        ("Answer yes or no.", f"Is {n} a prime number, and an odd one too?", ("yes", "no")[n % 2])
        for n in range(100)
    ]
    sample = examples(calls)
    return Facts(prompts=measure_prompts(sample), answers=measure_answers(sample), **FACTS)


def test_the_score_is_the_geometric_mean_of_its_parts_times_both_shares(facts):
    score = score_of(dataclasses.replace(facts, usable_share=0.5, distinct_prompts=50))
    parts = [getattr(score, name) for name, _, _ in PARTS]
    assert (score.frequent, score.checkable, score.costly) == (pytest.approx(0.6), 1.0, pytest.approx(1 / 3))
    assert (score.usable, score.enough) == (0.5, 0.5)
    assert score.value == pytest.approx(0.25 * math.prod(parts) ** 0.25)


@pytest.mark.parametrize(
    ("field", "worse", "better"),
    [
        ("calls_per_day", 10.0, 100.0),
        ("usd_per_day", 1.0, 2.0),
        ("usable_share", 0.3, 0.9),
        ("distinct_prompts", 20, 90),
    ],
)
def test_more_of_what_counts_scores_higher(facts, field, worse, better):
    one, other = (score_of(dataclasses.replace(facts, **{field: value})) for value in (worse, better))
    assert one.value < other.value


def test_where_a_price_is_unknown_tokens_count_instead_of_money(facts):
    score = score_of(dataclasses.replace(facts, usd_per_day=None))
    assert score.costly == pytest.approx(6 / 9)


def test_a_group_without_answers_is_not_checkable_and_has_a_score_all_the_same(facts):
    score = score_of(dataclasses.replace(facts, answers=None))
    assert score.checkable == 0
    assert 0 < score.value < score_of(facts).value


def test_the_limits_are_those_of_the_catalog():
    from bedrock_distill import load_catalog

    catalog = load_catalog()
    assert catalog.quota("distillation_min_prompts") == FEWEST_PROMPTS
    assert catalog.quota("distillation_max_prompts") == MOST_PROMPTS
