"""Metrics for prose."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import MissingDependencyError, SpecError
from bedrock_distill.evaluation import evaluate, wording
from bedrock_distill.evaluation.metrics import embedding_similarity
from bedrock_distill.evaluation.wording import (
    chrf,
    is_refusal,
    length_ratio,
    refusal_match,
    rouge_l,
    token_f1,
)

LIBRARIES = {rouge_l: "rouge_score", chrf: "sacrebleu"}


@pytest.mark.parametrize(
    ("metric", "answer", "target", "score"),
    [
        (token_f1, "The cat sat.", "the CAT sat", 1),
        (token_f1, "the cat", "the dog", 0.5),
        (token_f1, "cat cat", "cat", 2 / 3),
        (token_f1, "кот сидит", "кот спит", 0.5),
        (token_f1, "", "", 1),
        (token_f1, "", "cat", 0),
        (token_f1, "!", "?", 0),
        (rouge_l, "a b c d", "a c d e", 0.75),
        (rouge_l, "кот сидит тут", "кот тут", 0.8),
        (rouge_l, "", "", 1),
        (rouge_l, "a", "", 0),
        (chrf, "The cat sat", "The cat sat", 1),
        (chrf, "abc", "xyz", 0),
        (chrf, "", "", 1),
        (chrf, "", "a", 0),
        (length_ratio, "one two", "one two three four", 0.5),
        (length_ratio, "one two three four", "one two", 0.5),
        (length_ratio, "", "", 1),
        (length_ratio, "", "one", 0),
        (refusal_match, "I'm sorry, but I can't help with that.", "I cannot assist with this request.", 1),
        (refusal_match, "I cannot assist with this request.", "Sure: 42.", 0),
        (refusal_match, "42", "43", 1),
    ],
)
def test_metrics_score_as_their_names_say(metric, answer, target, score):
    if metric in LIBRARIES:
        pytest.importorskip(LIBRARIES[metric], reason="the extra [evaluate] is not installed")
    assert metric(answer, target) == pytest.approx(score)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([token_f1, length_ratio, refusal_match]), st.text(), st.text())
def test_scores_lie_between_0_and_1_are_symmetric_and_reach_1_on_equal_texts(metric, one, other):
    assert 0 <= metric(one, other) <= 1
    assert metric(one, other) == metric(other, one)
    assert metric(one, one) == 1


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([rouge_l, chrf]),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_library_scores_lie_between_0_and_1_and_reach_1_on_equal_texts(metric, one, other):
    pytest.importorskip(LIBRARIES[metric], reason="the extra [evaluate] is not installed")
    assert 0 <= metric(one, other) <= 1
    assert metric(one, one) == pytest.approx(1)


def test_rouge_is_the_librarys_own_on_english():
    library = pytest.importorskip("rouge_score.rouge_scorer", reason="the extra [evaluate] is not installed")
    one, other = "The quick brown fox jumps over the lazy dog.", "A quick red fox leaps over one lazy dog."
    expected = library.RougeScorer(["rougeL"]).score(other, one)["rougeL"].fmeasure
    assert rouge_l(one, other) == expected


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "I\u2019m sorry, but I am unable to share this.",
        "As an AI language model, I cannot give medical advice.",
        "Thank you for asking. I must decline.",
        "I'm not able to provide that information.",
    ],
)
def test_refusals_are_found(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I can help with that.",
        "Sorry for the delay: your parcel is on its way.",
        '{"topic": "billing"}',
        "The customer says she cannot log in.",
        "word " * 60 + "I can't help with that.",
    ],
)
def test_answers_are_not_taken_for_refusals(text):
    assert not is_refusal(text)


def test_similarity_is_the_cosine_and_embeds_each_text_once():
    vectors = {"a": (1.0, 0.0), "b": (1.0, 1.0), "c": (-1.0, 0.0), "zero": (0.0, 0.0)}
    asked = []

    def embed(text):
        asked.append(text)
        return vectors[text]

    metric = embedding_similarity(embed)
    assert metric.score("a", "b") == pytest.approx(math.sqrt(0.5))
    assert (metric.score("a", "a"), metric.score("a", "c"), metric.score("a", "zero")) == (1, 0, 0)
    assert sorted(asked) == sorted(vectors)


def test_embeddings_of_different_lengths_are_refused():
    metric = embedding_similarity(lambda text: [1.0] * len(text))
    with pytest.raises(SpecError, match="1 and 2 numbers"):
        metric.score("a", "bb")


def test_a_missing_library_is_named_before_anything_is_asked(speaker, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(wording, "import_module", absent)
    wording._rouge.cache_clear()
    target = speaker(str.upper)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bedrock-distill\[evaluate\]'"):
        evaluate(target, target, ["one"], metrics="rouge_l")
    assert target.calls == []
