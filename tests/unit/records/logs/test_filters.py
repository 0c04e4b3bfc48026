"""Filters on request metadata: Bedrock's semantics, its shape, and its limits."""

from __future__ import annotations

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.records.logs import Condition, Filter, Metadata

A, B, C = Metadata("a") == "1", Metadata("b") == "2", Metadata("c") != "3"


@pytest.mark.parametrize(
    ("where", "metadata", "passes"),
    [
        (A, {"a": "1"}, True),
        (A, {"a": "2"}, False),
        (A, {"A": "1"}, False),
        (A, {}, False),
        (C, {"c": "3"}, False),
        (C, {"c": "4"}, True),
        (C, {}, True),
        (A & B, {"a": "1", "b": "2"}, True),
        (A & B, {"a": "1"}, False),
        (A | B, {"a": "1"}, True),
        (A | B, {"b": "2"}, True),
        (A | B, {}, False),
        (A | C, {}, True),
        (A & B & C, {"a": "1", "b": "2", "c": "3"}, False),
        (Metadata("a") == "", {"a": ""}, True),
        (Metadata("a") == "", {}, False),
    ],
    ids=str,
)
def test_metadata_pass_or_not(where, metadata, passes):
    assert where.matches(metadata) is passes


@pytest.mark.parametrize(
    ("where", "request_"),
    [
        (A, {"equals": {"a": "1"}}),
        (C, {"notEquals": {"c": "3"}}),
        (A & C, {"andAll": [{"equals": {"a": "1"}}, {"notEquals": {"c": "3"}}]}),
        (A | B | C, {"orAll": [{"equals": {"a": "1"}}, {"equals": {"b": "2"}}, {"notEquals": {"c": "3"}}]}),
    ],
    ids=str,
)
def test_a_filter_becomes_a_jobs_request_and_comes_back(where, request_):
    assert where.to_request() == request_
    assert Filter.from_request(request_) == where


def test_several_keys_of_one_request_become_several_conditions():
    assert Filter.from_request({"equals": {"a": "1", "b": "2"}}) == A & B
    assert Filter.from_request({"equals": {"a": "1"}, "notEquals": {"c": "3"}}) == A & C


@pytest.mark.parametrize("request_", [{}, {"andAll": []}, {"equals": {}}, {"orAll": [{}]}])
def test_a_request_without_a_condition_is_refused(request_):
    with pytest.raises(SpecError, match="holds no condition"):
        Filter.from_request(request_)


@pytest.mark.parametrize(
    "join", [lambda: (A & B) | C, lambda: C | (A & B), lambda: (A | B) & C, lambda: (A | B) & (A | C)]
)
def test_joins_do_not_nest(join):
    with pytest.raises(SpecError, match="do not nest") as caught:
        join()
    assert caught.value.field == "where"


def test_joins_of_one_kind_are_one_join():
    assert (A & B) & C == A & (B & C) == Filter((*A.conditions, *B.conditions, *C.conditions), "all")
    assert ((A | B) | (A | C)).join == "any"


def test_sixteen_conditions_are_the_most():
    where = A
    for number in range(15):
        where &= Metadata(f"key{number}") == "v"
    assert len(where.to_request()["andAll"]) == 16
    with pytest.raises(SpecError, match="17 conditions"):
        where & B


@pytest.mark.parametrize("text", ["", "k" * 257, "tag#1", "a,b", "ключ", "a\0"])
def test_a_key_that_bedrock_cannot_name_is_refused(text):
    with pytest.raises(SpecError):
        Metadata(text)


@pytest.mark.parametrize("value", ["v" * 257, "tag#1", "a,b", "é", 1, None, ["v"]])
def test_a_value_that_bedrock_cannot_name_is_refused_by_both_comparisons(value):
    key = Metadata("key")
    with pytest.raises(SpecError):
        key == value  # noqa: B015 - the comparison itself is refused
    with pytest.raises(SpecError):
        key != value  # noqa: B015 - the same


def test_every_allowed_sign_is_taken():
    signs = "azAZ09 ._:/=+$@-"
    assert (Metadata(signs) == signs).conditions == (Condition(signs, signs),)
    assert len((Metadata("k" * 256) == "v" * 256).conditions) == 1


def test_the_words_and_and_or_are_refused_where_they_would_drop_a_condition():
    with pytest.raises(SpecError, match="join filters with & and"):
        bool(A)
    with pytest.raises(SpecError, match="not with `and`"):
        bool(A and B)


def test_a_filter_says_itself():
    assert str(A & C) == "a == '1' and c != '3'"
    assert str(A | B) == "a == '1' or b == '2'"
