"""Comprehend's one operation in the local cloud, as boto3 sees it."""

from __future__ import annotations

import boto3
import pytest

from bedrock_distill.local.cloud import Cloud


@pytest.fixture
def comprehend():
    with Cloud():
        yield boto3.client("comprehend")


def entities(comprehend, text, language="en"):
    answer = comprehend.detect_pii_entities(Text=text, LanguageCode=language)
    return [
        (entity["Type"], text[entity["BeginOffset"] : entity["EndOffset"]]) for entity in answer["Entities"]
    ]


def test_entities_are_where_the_text_says_in_characters(comprehend):
    text = "Zoë 🔑: my name is Ana María López, ana@example.com, +1 212-555-0123"
    assert entities(comprehend, text) == [
        ("NAME", "Ana María López"),
        ("EMAIL", "ana@example.com"),
        ("PHONE", "+1 212-555-0123"),
    ]


def test_scores_lie_between_a_half_and_one(comprehend):
    answer = comprehend.detect_pii_entities(Text="I am Jo Doe, jo@example.com", LanguageCode="en")
    assert [0.5 < entity["Score"] < 1 for entity in answer["Entities"]] == [True, True]


def test_a_text_without_personal_data_has_no_entities(comprehend):
    assert entities(comprehend, "Where is order 4711-0815?", "es") == []


def test_a_language_in_which_there_is_no_such_search_is_refused(comprehend):
    with pytest.raises(comprehend.exceptions.UnsupportedLanguageException, match="de"):
        entities(comprehend, "Hallo", "de")


def test_100_kb_are_taken_and_a_byte_more_is_refused(comprehend):
    assert entities(comprehend, "é" * 51_200) == []
    with pytest.raises(comprehend.exceptions.TextSizeLimitExceededException, match="102401 bytes"):
        entities(comprehend, "é" * 51_200 + "x")
