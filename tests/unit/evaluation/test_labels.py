"""Precision, recall and F1 of labels."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.evaluation.labels import classification_report, find_labels
from bedrock_distill.evaluation.scoring import Precision

QUICK = Precision(resamples=1000)
labels = st.sampled_from(["a", "b", "c", "d"])


def test_every_label_has_its_precision_recall_and_f1():
    wanted = ["a"] * 6 + ["b"] * 4
    got = ["a"] * 5 + ["b"] + ["b"] * 2 + ["a"] + [None]
    report = classification_report(got, wanted, side="student", precision=QUICK)
    a, b = report.labels
    assert (a.label, a.support, a.predicted, a.precision.value, a.recall.value) == ("a", 6, 6, 5 / 6, 5 / 6)
    assert (b.label, b.support, b.predicted, b.precision.value, b.recall.value) == ("b", 4, 3, 2 / 3, 0.5)
    assert b.f1 == pytest.approx(4 / 7)
    assert report.accuracy.value == 0.7
    assert report.macro_f1.value == pytest.approx((5 / 6 + 4 / 7) / 2)
    assert report.macro_f1.low < report.macro_f1.value < report.macro_f1.high


def test_what_is_no_label_costs_recall_and_makes_no_label():
    report = classification_report(["x", "a", "b"], ["a", "a", "b"], side="student", precision=QUICK)
    assert [score.label for score in report.labels] == ["a", "b"]
    assert (report.labels[0].precision.value, report.labels[0].recall.value) == (1, 0.5)


def test_a_label_that_was_never_given_has_no_precision_and_an_f1_of_0():
    report = classification_report(["a", "a"], ["a", "b"], side="student", precision=QUICK)
    assert (report.labels[1].precision.value, report.labels[1].f1) == (None, 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=60))
def test_the_report_is_that_of_scikit_learn(pairs):
    from sklearn import metrics as sklearn

    got, wanted = map(list, zip(*pairs, strict=True))
    report = classification_report(got, wanted, side="student", precision=QUICK)
    names = [score.label for score in report.labels]
    precision, recall, f1, support = sklearn.precision_recall_fscore_support(
        wanted, got, labels=names, zero_division=0
    )
    assert [score.precision.value or 0 for score in report.labels] == pytest.approx(list(precision))
    assert [score.recall.value for score in report.labels] == pytest.approx(list(recall))
    assert [score.f1 for score in report.labels] == pytest.approx(list(f1))
    assert [score.support for score in report.labels] == list(support)
    assert report.macro_f1.value == pytest.approx(sum(f1) / len(f1))


def test_the_same_answers_give_the_same_interval():
    wanted = ["a", "b", "c"] * 30
    got = [*wanted[:70], *["a"] * 20]
    one, other = (
        classification_report(got, wanted, side="student", precision=QUICK).macro_f1 for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["yes", "no"] * 5, True),
        (["yes"] * 10, False),
        (["yes", "no"], False),
        ([f"answer {n}" for n in range(100)], False),
        (["x" * 61, "no"] * 5, False),
        (["yes", "no"] * 5 + [None] * 10, True),
    ],
)
def test_few_short_frequent_texts_are_labels(texts, found):
    assert find_labels(texts) == found


def test_labels_of_answers_are_found_without_being_asked_for(compared):
    report = compared(student=["Yes", "no", "no", "yes"] * 5, teacher=["yes", "no", "yes", "yes"] * 5)
    (labels,) = report.labels
    assert (labels.side, labels.field, labels.against, labels.n) == ("student", "", "teacher", 20)
    assert labels.accuracy.value == 0.75


def test_labels_in_fields_of_json_are_found_and_scored_against_references(compared):
    def said(topic, number):
        return json.dumps({"topic": topic, "id": number, "note": f"note {number}"})

    topics = ["billing", "access"] * 10
    report = compared(
        student=[said(topic.upper(), n) for n, topic in enumerate(topics)],
        teacher=[said("billing", n) for n in range(20)],
        references=[said(topic, n) for n, topic in enumerate(topics)],
    )
    assert [(each.side, each.field, each.accuracy.value) for each in report.labels] == [
        ("teacher", "topic", 0.5),
        ("student", "topic", 1.0),
    ]
    assert "Teacher, field topic, against the references" in report.to_html()
    assert json.loads(report.to_json())["labels"][1]["labels"][0]["f1"] == 1


def test_answers_in_prose_make_no_labels(compared):
    texts = [f"An answer of its own, number {n}." for n in range(30)]
    assert compared(student=texts, teacher=texts).labels == ()
