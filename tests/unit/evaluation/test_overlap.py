"""Prompts that were trained on: planted ones are found, others are left alone."""

from __future__ import annotations

import random

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.evaluation import evaluate
from bedrock_distill.evaluation.overlap import find_overlap
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.schema import Record, encode_record

SYLLABLES = [consonant + vowel for consonant in "bdfklmnprst" for vowel in "aeio"]
WORDS = sorted({"".join(random.Random(n).choices(SYLLABLES, k=2 + n % 3)) for n in range(6_000)})


def text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words)) + "."


def changed(rng: random.Random, original: str, count: int) -> str:
    words = original.split()
    for place in rng.sample(range(len(words)), count):
        words[place] = rng.choice(WORDS)
    return " ".join(words)


CHANGES = {
    "as they are": lambda _, original: original,
    "in capitals": lambda _, original: original.upper(),
    "with other white space": lambda _, original: "\n  " + original.replace(" ", " \n\t") + "\n",
    "with other marks": lambda _, original: original.replace(" ", ", ", 3) + "?!",
    "with one word in thirty changed": lambda rng, original: changed(
        rng, original, len(original.split()) // 30
    ),
    "with a polite beginning": lambda _, original: f"Please help me: {original}",
    "with a polite end": lambda _, original: f"{original} Thank you!",
}


@pytest.fixture(scope="module")
def training():
    rng = random.Random(1)
    return [text(rng, rng.randrange(30, 120)) for _ in range(2_000)]


@pytest.mark.parametrize("change", CHANGES)
def test_every_planted_copy_is_found_and_nothing_else(training, change):
    rng = random.Random(2)
    leaked = rng.sample(range(len(training)), 200)
    copies = [CHANGES[change](rng, training[place]) for place in leaked]
    clean = [text(rng, rng.randrange(30, 120)) for _ in range(400)]
    found = find_overlap(load_task(clean + copies), training)
    assert [copy.prompt for copy in found.copies] == list(range(401, 601))
    assert [copy.record - 1 for copy in found.copies] == leaked


def test_a_copy_that_differs_in_case_and_white_space_alone_is_exact():
    found = find_overlap(load_task(["  THE invoice\nis wrong "]), ["The invoice is wrong"])
    assert [(copy.kind, copy.similarity) for copy in found.copies] == [("exact", 1.0)]


def test_system_prompts_and_completions_make_no_difference():
    training = [Record.of("Is it late?", system="Be brief.", completion="yes")]
    assert find_overlap(load_task([Record.of("Is it late?", completion="no")]), training).copies


def test_an_earlier_message_does():
    from bedrock_distill.records.schema import Message

    talk = (Message.of("user", "Hi"), Message.of("assistant", "Hello"), Message.of("user", "Is it late?"))
    assert not find_overlap(load_task([Record.of(talk)]), ["Is it late?"]).copies


def test_prompts_of_one_template_are_no_copies_of_each_other():
    rng = random.Random(3)
    opening, closing = text(rng, 100), text(rng, 15)
    prompts = [f"{opening}\n\n{text(rng, rng.randrange(5, 30))}\n\n{closing}" for _ in range(500)]
    assert find_overlap(load_task(prompts[:100]), prompts[100:]).copies == ()


def test_questions_about_one_document_are_no_copies_of_each_other():
    rng = random.Random(4)
    documents = [text(rng, 200) for _ in range(50)]
    training = [f"{document}\n\n{text(rng, 15)}" for document in documents for _ in range(4)]
    asked = [f"{document}\n\n{text(rng, 15)}" for document in documents]
    assert find_overlap(load_task(asked), training).copies == ()


def test_short_prompts_that_differ_in_a_number_are_no_copies():
    training = [f"Invoice {number} of customer {number * 7 % 991} is wrong" for number in range(300)]
    asked = [f"Invoice {number} of customer {number * 7 % 991} is wrong" for number in range(300, 400)]
    assert find_overlap(load_task(asked), training).copies == ()


def test_the_most_similar_record_is_named():
    rng = random.Random(5)
    original = text(rng, 60)
    training = [changed(rng, original, 3), changed(rng, original, 1), text(rng, 60)]
    (copy,) = find_overlap(load_task([original]), training).copies
    assert (copy.prompt, copy.record, copy.kind) == (1, 2, "near")


def test_a_lower_threshold_finds_more():
    rng = random.Random(6)
    original = text(rng, 40)
    task = load_task([changed(rng, original, 5)])
    assert not find_overlap(task, [original]).copies
    assert find_overlap(task, [original], threshold=0.3).copies


@pytest.mark.parametrize("threshold", [0, 1.1])
def test_a_threshold_that_is_no_similarity_is_refused(threshold):
    with pytest.raises(SpecError, match="threshold must be"):
        find_overlap(load_task(["a"]), ["b"], threshold=threshold)


def test_training_data_without_records_is_refused():
    with pytest.raises(DataError, match="holds no records"):
        find_overlap(load_task(["a"]), [])


def test_evaluation_on_training_data_is_refused_before_anything_is_asked(speaker, tmp_path):
    path = tmp_path / "training.jsonl"
    path.write_bytes(encode_record(Record.of("one", completion="1")) + b"\n")
    student = speaker(lambda _: "yes")
    with pytest.raises(DataError, match=r"1 of 2 prompts are in the training data training\.jsonl") as caught:
        evaluate(student, speaker(lambda _: "yes"), ["two", "one"], training=path)
    (offence,) = caught.value.offences
    assert (offence.field, offence.code) == ("prompt 2", "exact-copy")
    assert "record 1 of training.jsonl" in offence.reason
    assert "--allow-overlap" in str(caught.value)
    assert student.calls == []


def test_the_error_counts_all_copies_and_names_the_first():
    from bedrock_distill.evaluation.overlap import refuse_overlap

    prompts = [f"prompt {place}" for place in range(30)]
    with pytest.raises(DataError) as caught:
        refuse_overlap(find_overlap(load_task(prompts), prompts), "memory")
    assert (caught.value.count, len(caught.value.offences)) == (30, 10)


def test_an_overlap_that_is_allowed_is_reported(compared):
    report = compared(
        student=["a", "b"], teacher=["a", "b"], training=["prompt 1", "else"], allow_overlap=True
    )
    assert "1 of 2 prompts are in the training data" in report.remarks[0]
    assert report.to_dict()["overlap"]["copies"] == (
        {"prompt": 2, "record": 1, "kind": "exact", "similarity": 1.0},
    )


def test_training_data_without_an_overlap_is_reported_too(compared):
    report = compared(student=["a"], teacher=["a"], training=["else"])
    assert (report.overlap.records, report.overlap.copies) == (1, ())
    assert not any("training" in remark for remark in report.remarks)
    assert "none of them among 1 records of records in memory" in report.to_html()


def test_a_copy_exactly_at_the_threshold_is_found_and_none_below():
    rng = random.Random(7)
    original = text(rng, 40)
    task = load_task([changed(rng, original, 2)])
    (copy,) = find_overlap(task, [original], threshold=0.1).copies
    assert 0.5 < copy.similarity < 1
    assert find_overlap(task, [original], threshold=copy.similarity).copies == (copy,)
    assert not find_overlap(task, [original], threshold=copy.similarity + 1e-9).copies
