"""The files of a round: everything new, what there was thinned out evenly, and nothing on both sides."""

from __future__ import annotations

import json

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import DataError
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.writing import write_records
from bedrock_distill.refinement.choosing import Candidate, Choice, in_order
from bedrock_distill.refinement.opening import ROUND_KEY, agreement_by, choose_from, write_round
from bedrock_distill.refinement.traffic import Asked

WORDS = [
    "amber",
    "birch",
    "cedar",
    "dune",
    "ember",
    "fjord",
    "grove",
    "heath",
    "islet",
    "knoll",
    "larch",
    "moor",
    "north",
    "ocean",
    "plain",
    "ridge",
]


@pytest.fixture
def apart():
    """Prompts that are no copies of each other."""
    import random

    def apart(start, count):
        chance = [random.Random(number) for number in range(start, start + count)]
        return [
            bd.Record.of(" ".join(each.choices(WORDS, k=14)) + f" {place}")
            for place, each in enumerate(chance)
        ]

    return apart


@pytest.fixture
def write(tmp_path, make_spec):
    """Write a round over what there was."""

    def write(new=(), held_out=(), *, old, compared, name="round", number=1, **changes):
        if not isinstance(compared, bytes):
            compared = b"".join(bd.records.encode_record(record) + b"\n" for record in compared)
        write_records(tmp_path / "old.jsonl", old)
        (tmp_path / "compared.jsonl").write_bytes(compared)
        choice = Choice(
            new=tuple(Candidate(prompt, (), 0.0) for prompt in new), held_out=tuple(held_out), left_out={}
        )
        return write_round(
            choice,
            make_spec(**changes),
            tmp_path / "old.jsonl",
            tmp_path / "compared.jsonl",
            number=number,
            folder=tmp_path / name,
        )

    return write


def test_new_ones_are_kept_and_old_ones_thinned_out_in_their_order(write, apart):
    old, new = apart(0, 300), apart(1000, 40)
    limits = {"max_training": 150, "max_new": 40}
    data = write(new, old=old, compared=apart(2000, 5), **limits)
    learned = list(read_records(data.training))
    assert data.training_records == len(learned) == 150
    assert learned[-40:] == new
    places = [old.index(record) for record in learned[:-40]]
    assert places == sorted(places)
    again = write(new, old=old, compared=apart(2000, 5), name="again", **limits)
    assert again.training.read_bytes() == data.training.read_bytes()
    other = write(new, old=old, compared=apart(2000, 5), name="other", seed=1, **limits)
    assert other.training.read_bytes() != data.training.read_bytes()


def test_records_that_are_there_many_times_are_thinned_out_to_the_limit_too(write, apart):
    data = write(old=apart(0, 1) * 300, compared=apart(2000, 1) * 30, max_training=100, max_new=50)
    assert data.training_records == 100
    data = write(
        held_out=apart(3000, 5),
        old=apart(0, 5),
        compared=apart(2000, 1) * 30,
        max_evaluation=20,
        max_held_out=5,
    )
    assert data.evaluation_records == 20


def test_what_traffic_brought_does_not_push_out_the_file_that_was_given(write, apart, make_spec):
    given, seen = apart(0, 100), apart(1000, 1000)
    drawn = in_order(seen, make_spec().seed)[:100]  # as a round draws what it holds out
    data = write(held_out=drawn, old=apart(5000, 5), compared=given, max_evaluation=200, max_held_out=100)
    later = write(
        old=apart(5000, 5),
        compared=data.evaluation.read_bytes(),
        name="later",
        number=2,
        max_evaluation=100,
        max_held_out=50,
    )
    rounds = [metadata[ROUND_KEY] for metadata in load_task(str(later.evaluation)).metadata]
    assert 30 <= rounds.count("0") <= 70


def test_metadata_and_golden_completions_of_the_users_file_stay_and_the_round_is_added(write, apart):
    first, second = apart(0, 2)
    line = json.loads(bd.records.encode_record(first.with_completion("gold")))
    line["requestMetadata"] = {"team": "mail"}
    compared = json.dumps(line).encode() + b"\n" + bd.records.encode_record(second) + b"\n"
    held = apart(10, 1)
    data = write(held_out=held, old=apart(20, 5), compared=compared, number=3)
    task = load_task(str(data.evaluation))
    assert task.prompts == (first, second, *held)
    assert task.references == ("gold", None, None)
    assert [dict(each) for each in task.metadata] == [
        {"team": "mail", ROUND_KEY: "0"},
        {ROUND_KEY: "0"},
        {ROUND_KEY: "3"},
    ]
    later = write(old=apart(20, 5), compared=data.evaluation.read_bytes(), name="later", number=4)
    assert load_task(str(later.evaluation)).metadata == task.metadata


def test_evaluation_prompts_that_were_trained_on_are_taken_out_of_the_comparison(write, apart):
    old, compared = apart(0, 20), apart(100, 10)
    data = write(old=old, compared=[*old[:4], *compared])
    assert load_task(str(data.evaluation)).prompts == tuple(compared)


def test_an_evaluation_that_was_all_trained_on_is_refused(write, apart):
    with pytest.raises(DataError, match="nothing to compare candidates on"):
        write(old=apart(0, 20), compared=apart(0, 10))


@pytest.mark.parametrize(
    ("metric", "teacher", "one", "other", "agrees"),
    [
        (None, ["Billing."], "billing", " Billing", 1),
        (None, ["Billing."], "billing", "shipping", 0),
        (None, ['{"a": 1}'], '{"a":1, "b":2}', '{"b":2, "a":1}', 1),
        ("exact_match", ["Billing."], "billing", "Billing", 0),
        (None, [], "yes", "yes", 1),
    ],
)
def test_two_answers_are_the_agreement_by_the_metric_that_decides(metric, teacher, one, other, agrees):
    assert agreement_by(metric, teacher)(one, other) == agrees


def test_a_choice_is_compared_by_the_metric_of_the_spec(make_spec, apart):
    traffic = [Asked(prompt, "Yes", "yes") for prompt in apart(0, 40)]
    strict, lenient = (
        choose_from(traffic, make_spec(metric=metric), apart(100, 1), apart(200, 1)).by_reason.get(
            "disagreed", 0
        )
        for metric in ("exact_match", "normalised_match")
    )
    assert strict > 0
    assert lenient == 0
