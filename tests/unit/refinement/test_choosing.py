"""Which prompts are learned and which compared on: never both, never too many, and the same ones for the same traffic."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bedrock_distill as bd
from bedrock_distill.evaluation.overlap import find_overlap
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.refinement.choosing import REASONS, Vocabulary, choose, learnable, reasons_of
from bedrock_distill.refinement.traffic import Asked

WORDS = [
    first + middle + last for first in "bdfgklmnprst" for middle in "aeiou" for last in ("ra", "ton", "mel")
]
POOL = [
    " ".join(random.Random(number).choices(WORDS, k=40)) + f" {number}" for number in range(60)
]  # long enough for near copies to be found


def near(text):
    """The same but for one word in the middle."""
    words = text.split()
    return " ".join([*words[:20], "changed", *words[21:]])


VARIANTS = {"same": str, "capitals": str.upper, "near": near}
asked_once = st.builds(
    lambda text, variant, student, teacher, fell_back, unsure: Asked(
        bd.Record.of(VARIANTS[variant](text)), student, teacher, fell_back, unsure
    ),
    st.sampled_from(POOL),
    st.sampled_from(sorted(VARIANTS)),
    st.sampled_from(["yes", "no", None]),
    st.sampled_from(["yes", None]),
    st.booleans(),
    st.booleans(),
)
traffics = st.lists(asked_once, max_size=30, unique_by=lambda each: each.prompt)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Only what choosing reads of a refinement, with changes."""
    from bedrock_distill.records.writing import write_records

    folder = tmp_path_factory.mktemp("spec")
    write_records(folder / "train.jsonl", [bd.Record.of("Something else")])
    distillation = bd.Distillation(
        name="mail",
        teacher="amazon.nova-pro-v1:0",
        student="amazon.nova-micro-v1:0",
        data=bd.Prompts(folder / "train.jsonl"),
        output="s3://acme-ml/distill/",
    )
    logs = bd.InvocationLogs("s3://acme-logs/traffic")
    fields = {"name": "mail", "deployment": "mail", "distillation": distillation, "logs": logs}
    return lambda **changes: bd.Refinement(
        **{**fields, "evaluation": folder / "train.jsonl", "min_new": 1, **changes}
    )


def agreement(one, other):
    return float(one == other)


def texts(records):
    return {record.prompt_text for record in records}


@given(st.lists(traffics, max_size=5), st.integers(0, 3), st.floats(0.05, 0.95))
@settings(max_examples=20)
def test_no_prompt_is_ever_on_both_sides_in_any_round(spec, rounds, seed, share):
    wanted = spec(seed=seed, hold_out_share=share, max_held_out=5, max_new=5)
    training = [bd.Record.of(text) for text in POOL[:3]]
    evaluation = [bd.Record.of(text) for text in POOL[3:6]]
    for traffic in rounds:
        chosen = choose(traffic, wanted, training=training, evaluation=evaluation, agreement=agreement)
        training += [each.prompt for each in chosen.new]
        evaluation += chosen.held_out
        assert not texts(training) & texts(evaluation)
        assert not find_overlap(load_task(evaluation), training).copies


@given(traffics, st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_same_traffic_in_any_order_gives_the_same_choice(spec, traffic, chance):
    shuffled = chance.sample(traffic, len(traffic))
    given_sides = {"training": [bd.Record.of(POOL[0])], "evaluation": [bd.Record.of(POOL[1])]}
    choices = [
        choose(each, spec(max_new=6), **given_sides, agreement=agreement) for each in (traffic, shuffled)
    ]
    assert choices[0] == choices[1]


limits = st.fixed_dictionaries(
    {
        "max_new": st.integers(1, 8),
        "max_held_out": st.integers(1, 8),
        "usual_share": st.floats(0, 1),
        "hold_out_share": st.floats(0.05, 0.95),
    }
)


@given(traffics, limits)
@settings(max_examples=40)
def test_limits_are_kept_and_every_prompt_is_accounted_for(spec, traffic, limits):
    wanted = spec(**limits)
    chosen = choose(traffic, wanted, training=[], evaluation=[], agreement=agreement)
    assert len(chosen.new) <= wanted.max_new
    assert len(chosen.held_out) <= wanted.max_held_out
    assert sum(each.weight == 0 for each in chosen.new) <= round(wanted.max_new * wanted.usual_share)
    assert len(chosen.new) + len(chosen.held_out) + sum(chosen.left_out.values()) == len(traffic)
    assert sum(chosen.by_reason.values()) == len(chosen.new)
    assert all(learnable(each.prompt, wanted) for each in chosen.new)
    assert not any(learnable(prompt, wanted) for prompt in chosen.held_out)
    assert all(count > 0 for count in chosen.left_out.values())


@given(st.sets(st.sampled_from(POOL[:30])), st.sampled_from(sorted(VARIANTS)))
@settings(max_examples=20)
def test_exact_and_near_copies_of_the_evaluation_are_never_learned(spec, planted, variant):
    evaluation = [bd.Record.of(text) for text in POOL[:30]]
    traffic = [Asked(bd.Record.of(VARIANTS[variant](text)), "no", "yes") for text in sorted(planted)]
    traffic += [Asked(bd.Record.of(text), "no", "yes") for text in POOL[30:40]]
    chosen = choose(traffic, spec(), training=[], evaluation=evaluation, agreement=agreement)
    assert texts(each.prompt for each in chosen.new) <= set(POOL[30:40])
    assert texts(chosen.held_out) <= set(POOL[30:40])


def test_the_same_prompt_with_other_completions_is_known_and_with_another_instruction_is_not_held_out(spec):
    prompt = bd.Record.of(POOL[0])
    training = [prompt.with_completion("gold")]
    wanted = spec(hold_out_share=1e-9)
    chosen = choose(
        [Asked(prompt, "no", "yes")], wanted, training=training, evaluation=[], agreement=agreement
    )
    assert chosen.left_out == {"in training already": 1}
    other = bd.Record.of(POOL[0], system="In French.")
    chosen = choose(
        [Asked(other, "no", "yes")],
        spec(hold_out_share=1 - 1e-9),
        training=training,
        evaluation=[],
        agreement=agreement,
    )
    assert chosen.left_out == {"held out, but nearly in training": 1}


def all_learned(spec, **changes):
    return spec(hold_out_share=1e-9, **changes)


def test_of_near_copies_the_weightiest_is_learned_once_and_not_at_random_either(spec):
    traffic = [Asked(bd.Record.of(text), "no", "yes") for text in map(near, POOL)]
    traffic += [Asked(bd.Record.of(text), "no", "yes", unsure=True) for text in POOL]
    chosen = choose(
        traffic, all_learned(spec, usual_share=0.5), training=[], evaluation=[], agreement=agreement
    )
    assert texts(each.prompt for each in chosen.new) == set(POOL)
    assert chosen.left_out == {"nearly another new one": len(POOL)}


@pytest.mark.parametrize(("count", "learned"), [(8, 1), (15, 1), (16, 16)])
def test_fifteen_near_copies_are_one_and_sixteen_are_a_template_that_says_something_else_each_time(
    spec, count, learned
):
    words = POOL[0].split()
    texts = [" ".join([*words[:20], f"other{place}", *words[21:]]) for place in range(count)]
    chosen = choose(
        [Asked(bd.Record.of(text), "no", "yes") for text in texts],
        all_learned(spec, usual_share=0),
        training=[],
        evaluation=[],
        agreement=agreement,
    )
    assert len(chosen.new) == learned


@pytest.mark.parametrize("seed", range(4))
def test_what_is_passed_over_is_nearly_something_that_was_taken(spec, seed):
    words = POOL[0].split()
    chain = {
        " ".join([*words[:9], *(f"other{place}" for place in range(count)), *words[9 + count :]]): count
        for count in range(7)
    }  # neighbours are near copies, and the ends of the chain are not
    traffic = [Asked(bd.Record.of(text), "no", "yes") for text in chain]
    wanted = all_learned(spec, usual_share=0, seed=seed)
    chosen = choose(traffic, wanted, training=[], evaluation=[], agreement=agreement)
    taken = {chain[each.prompt.prompt_text] for each in chosen.new}
    assert 2 <= len(taken) < len(chain)
    assert all(min(abs(count - other) for other in taken) <= 2 for count in chain.values())


def test_long_prompts_that_differ_in_the_middle_of_an_instruction_are_two(spec):
    """Two questions about one document are no copies: the question stands at the end."""
    document = " ".join(POOL[:8])
    traffic = [
        Asked(bd.Record.of(f"{document}\n\n{question}"), "no", "yes")
        for question in (
            "Who signed this, and for whom did they act?",
            "When does it end, if nobody writes before?",
        )
    ]
    chosen = choose(
        traffic, all_learned(spec, usual_share=0), training=[], evaluation=[], agreement=agreement
    )
    assert len(chosen.new) == 2


@pytest.mark.parametrize(
    ("hard", "share", "taken"),
    [
        (300, 0.2, (80, 20)),
        (300, 0.0, (100, 0)),
        (300, 1.0, (0, 100)),
        (40, 0.2, (40, 10)),  # few are hard: the share is one of what is taken
        (0, 0.2, (0, 0)),
    ],
)
def test_a_share_is_drawn_at_random_beside_the_hard_ones(spec, hard, share, taken):
    def words(number):
        return bd.Record.of(" ".join(random.Random(number).choices(WORDS, k=12)))

    traffic = [Asked(words(number), "no" if number < hard else "yes", "yes") for number in range(600)]
    training = [words(number) for number in range(1000, 2000)]  # no word is rare
    chosen = choose(
        traffic,
        all_learned(spec, max_new=100, usual_share=share),
        training=training,
        evaluation=[],
        agreement=agreement,
    )
    first = [each.reasons for each in chosen.new[: taken[0]]]
    assert first == [("disagreed",)] * taken[0]
    assert len(chosen.new) == sum(taken)


@pytest.mark.parametrize(
    ("asked", "novelty", "reasons", "weight"),
    [
        ({"student": "a", "teacher": "b"}, 0, ("disagreed",), 4),
        ({"student": "a", "teacher": "a"}, 0, (), 0),
        ({"student": "a"}, 0.29, (), 0),
        ({"student": "a"}, 0.3, ("under-represented",), 1.3),
        ({"teacher": "b", "fell_back": True}, 0, ("fell back",), 1.5),
        (
            {"student": "a", "teacher": "a", "fell_back": True, "unsure": True},
            0,
            ("unsure", "fell back"),
            3.5,
        ),
        (
            {"student": "a", "teacher": "b", "fell_back": True, "unsure": True},
            1,
            ("disagreed", "unsure", "fell back", "under-represented"),
            9.5,
        ),
    ],
)
def test_reasons_add_up_and_the_heaviest_comes_first(asked, novelty, reasons, weight):
    found = reasons_of(Asked(bd.Record.of("Why?"), **asked), novelty, agreement)
    assert found == (reasons, pytest.approx(weight))
    assert sorted(reasons, key=list(REASONS).index) == list(reasons)


def test_a_disagreement_weighs_by_how_far_the_answers_differ():
    far, close = Asked(bd.Record.of("Far"), "no", "yes"), Asked(bd.Record.of("Close"), "yess", "yes")
    weights = [reasons_of(each, 0, lambda one, _: {"no": 0.0, "yess": 0.9}[one]) for each in (far, close)]
    assert weights == [(("disagreed",), 4), (("disagreed",), pytest.approx(0.4))]


def test_the_weights_fall_in_the_order_of_the_table():
    weights = [weight for weight, _ in REASONS.values()]
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize(
    ("text", "novelty"),
    [
        ("Old words", 0.0),
        ("old NEW words", 1 / 3),
        ("Rare words", 0.5),  # two records hold it, and three are wanted
        ("12345 !!! 😀", 0.0),  # nothing that could be new
        ("知らない", 1.0),
        ("旧言葉 旧 言葉", 0.0),  # no blanks between words: each character counts for itself
    ],
)
def test_novelty_is_the_share_of_words_that_few_records_of_the_training_data_hold(text, novelty):
    training = ["old words", "OLD, words 旧言葉", "old words rare 旧言葉", "old rare 旧言葉 words"]
    vocabulary = Vocabulary(bd.Record.of(text) for text in training)
    assert vocabulary.novelty(bd.Record.of(text)) == pytest.approx(novelty)


def test_twenty_thousand_prompts_are_chosen_from_with_every_pair_of_them_compared(spec):
    traffic = [
        Asked(bd.Record.of(f"Where is my parcel number {number}"), "a", "b") for number in range(20_000)
    ]
    chosen = choose(
        traffic,
        spec(),
        training=[bd.Record.of("Hello")],
        evaluation=[bd.Record.of("Bye")],
        agreement=agreement,
    )
    assert (len(chosen.new), len(chosen.held_out)) == (2_000, 300)
