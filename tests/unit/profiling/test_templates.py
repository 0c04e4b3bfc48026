"""Prompts that share their fixed text are found to, whatever varies in them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from bedrock_distill.profiling.templates import HEAD_BYTES, TAIL_BYTES, asked_of, learn_templates

KINDS = ("triage", "extract", "translate", "chat")


def asked(calls):
    return [asked_of(system or "", prompt) for _, system, prompt, _ in calls]


@pytest.mark.parametrize("seed", range(3))
def test_planted_templates_are_told_apart_and_nothing_else_is(traffic, seed):
    calls = traffic(seed).calls((50, 25, 15, 10), 1500)
    found = learn_templates(asked(calls)).of(asked(calls))
    pairs = Counter(zip((kind for kind, *_ in calls), found, strict=True))
    assert len(pairs) == 4
    assert {kind for kind, _ in pairs} == set(KINDS)
    assert len({template for _, template in pairs}) == 4


def test_prompts_that_were_not_learned_from_are_told_as_well(traffic):
    made = traffic(4)
    learned = learn_templates(asked(made.calls((1, 1, 1, 1), 1000)))
    later = made.calls((1, 1, 1, 1), 500)
    assert len(set(zip((kind for kind, *_ in later), learned.of(asked(later)), strict=True))) == 4


def test_a_template_of_two_in_a_hundred_prompts_is_found(traffic):
    calls = traffic(5).calls((97, 0, 3, 0), 2000)
    found = learn_templates(asked(calls)).of(asked(calls))
    assert len(set(zip((kind for kind, *_ in calls), found, strict=True))) == 2


def test_a_value_that_comes_again_and_again_in_a_slot_makes_no_template(traffic):
    made = traffic(6)
    names = ["Acme Corp", "Globex", "Initech", "Stark Industries"]
    prompts = [
        asked_of(
            f"You are the assistant of {random.Random(n).choice(names)}. Never promise a refund.",
            made.slot(5, 30),
        )
        for n in range(800)
    ]
    assert len(set(learn_templates(prompts).of(prompts))) == 1


def test_numbers_of_whatever_length_are_slots():
    prompts = [
        asked_of("", f"Please tell me where order {number} of mine is now") for number in range(1, 2000, 3)
    ]
    assert len(set(learn_templates(prompts).of(prompts))) == 1


def test_a_document_that_is_asked_about_now_and_then_makes_no_template(traffic):
    made = traffic(7)
    documents = [made.slot(80, 120) for _ in range(20)]
    rule = "Answer from the text alone, and say so where it does not tell."
    prompts = [
        asked_of(rule, f"{made.slot(6, 12)}? The text: {documents[number % 20]} {made.slot(3, 6)}")
        for number in range(1000)
    ]
    assert len(set(learn_templates(prompts).of(prompts))) == 1


def test_many_copies_of_one_prompt_make_no_template(traffic):
    prompts = [asked_of("", traffic(8).slot(20, 30))] * 500
    assert set(learn_templates(prompts).of(prompts)) == {0}


def test_the_order_of_prompts_changes_neither_groups_nor_their_names(traffic):
    calls = traffic(9).calls((1, 1, 1, 1), 800)
    prompts = asked(calls)
    shuffled = random.Random(0).sample(prompts, len(prompts))
    one, other = learn_templates(prompts), learn_templates(shuffled)
    assert one.names == other.names
    assert one.of(prompts) == other.of(prompts)


def test_of_no_prompts_and_of_empty_ones_nothing_is_learned():
    for prompts in ([], [("", "")] * 3):
        pairs = [asked_of(*pair) for pair in prompts]
        assert learn_templates(pairs).of(pairs) == [0] * len(pairs)


def test_of_a_long_text_only_the_ends_are_looked_at():
    _, data = asked_of("", "a" * HEAD_BYTES + "b" * 100_000 + "c" * TAIL_BYTES)
    assert len(data) == HEAD_BYTES + TAIL_BYTES + 1
    assert b"b" not in data


def test_sentences_that_users_like_to_say_do_not_divide_what_has_a_system_prompt():
    rule = "Sort this mail into billing or shipping."
    prompts = [
        asked_of(rule, f"My {('invoice', 'parcel', 'last order')[number % 3]} {number} is wrong")
        for number in range(300)
    ]
    assert len(set(learn_templates(prompts).of(prompts))) == 1
