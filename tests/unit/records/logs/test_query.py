"""What a query wants: models by any of their names, times, answers, lengths, patterns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.records.logs import Exchange, LogQuery, Metadata
from bedrock_distill.records.logs.decoding import Envelope
from bedrock_distill.records.logs.query import Selector
from bedrock_distill.records.schema import Message

NOVA = "amazon.nova-pro-v1:0"
PROFILE = "us.amazon.nova-pro-v1:0"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{PROFILE}"
FOUNDATION = f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
TALK = (Message.of("user", "One?"), Message.of("assistant", "Yes."), Message.of("user", "Two?"))


def takes(query, *, model=NOVA, operation="Converse", at="2026-11-01T05:00:00Z", metadata=None):
    return Selector(query).takes(Envelope(model, operation, at, metadata))


@pytest.mark.parametrize("asked", [NOVA, PROFILE, ARN, FOUNDATION])
def test_a_model_is_taken_by_whichever_name_it_was_called(asked):
    query = LogQuery(models=(asked,))
    assert all(takes(query, model=called) for called in (NOVA, PROFILE, ARN, FOUNDATION))
    assert not any(takes(query, model=called) for called in ("amazon.nova-lite-v1:0", APPLICATION, "own"))


def test_an_exact_model_is_taken_by_that_name_only():
    query = LogQuery(exact_model=PROFILE)
    assert [takes(query, model=called) for called in (PROFILE, NOVA, ARN)] == [True, False, False]
    assert takes(LogQuery(exact_model=APPLICATION), model=APPLICATION)


@pytest.mark.parametrize("name", [APPLICATION, "own", ""])
def test_a_name_that_does_not_tell_its_model_is_refused_as_a_model(name):
    with pytest.raises(SpecError, match="exact_model") as caught:
        LogQuery(models=(name,))
    assert caught.value.field == "models"


def test_operations_are_taken_by_name():
    query = LogQuery(operations=("Converse", "InvokeModel"))
    called = ("Converse", "InvokeModel", "ConverseStream", "")
    assert [takes(query, operation=each) for each in called] == [True, True, False, False]


BEGIN, END = datetime(2026, 11, 1, 5, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-11-01T04:59:59Z", False),
        ("2026-11-01T05:00:00Z", True),
        ("2026-11-01T05:59:59.999Z", True),
        ("2026-11-01T06:00:00Z", False),
        ("2026-11-01T07:30:00+02:00", True),
        ("2026-11-01T05:30:00", True),
        ("", False),
        ("yesterday", False),
    ],
)
@pytest.mark.parametrize(
    "zone", [lambda at: at, lambda at: at.replace(tzinfo=None), lambda at: at.astimezone(timezone(-timedelta(hours=9)))]
)  # fmt: skip
def test_a_time_window_takes_its_beginning_and_not_its_end_in_any_zone(at, inside, zone):
    assert takes(LogQuery(since=zone(BEGIN), until=zone(END)), at=at) is inside


def test_half_a_window_is_open_on_the_other_side():
    assert takes(LogQuery(since=BEGIN), at="2036-01-01T00:00:00Z")
    assert takes(LogQuery(until=END), at="1999-01-01T00:00:00Z")
    assert takes(LogQuery(), at="no time at all")


def test_a_window_that_holds_nothing_is_refused():
    for since, until in ((BEGIN, BEGIN), (END, BEGIN), (END.replace(tzinfo=None), BEGIN)):
        with pytest.raises(SpecError, match="not before until"):
            LogQuery(since=since, until=until)


def test_a_pattern_that_is_no_regular_expression_is_refused():
    with pytest.raises(SpecError, match="no regular expression") as caught:
        LogQuery(pattern="(")
    assert caught.value.field == "pattern"


def test_every_condition_must_hold():
    query = LogQuery(where=Metadata("project") == "triage", models=(NOVA,), since=BEGIN)
    good = {"metadata": {"project": "triage"}}
    assert takes(query, **good)
    assert not takes(query)
    assert not takes(query, **good, model="own")
    assert not takes(query, **good, at="2026-11-01T04:00:00Z")


@pytest.mark.parametrize(
    ("query", "exchange", "objection"),
    [
        (LogQuery(), Exchange(None, "Why?"), None),
        (LogQuery(), Exchange(None, "Why?", answer_reason="tool-use"), None),
        (LogQuery(), Exchange(None, "Why?", "So", "length"), None),
        (LogQuery(), Exchange(None, TALK), "multi-turn"),
        (LogQuery(multi_turn=True), Exchange(None, TALK), None),
        (LogQuery(responses=True), Exchange(None, "Why?", "So", "end"), None),
        (LogQuery(responses=True), Exchange(None, "Why?", "So", None), None),
        (LogQuery(responses=True), Exchange(None, "Why?", "So", "other"), None),
        (LogQuery(responses=True), Exchange(None, "Why?"), "no-completion"),
        (LogQuery(responses=True), Exchange(None, "Why?", answer_reason="not-text"), "not-text"),
        (LogQuery(responses=True), Exchange(None, "Why?", "So", "length"), "cut-off"),
        (LogQuery(responses=True), Exchange(None, "Why?", "So", "filtered"), "filtered-answer"),
        (LogQuery(responses=True), Exchange(None, "Why?", "So", "tool"), "tool-use"),
        (LogQuery(responses=True, stops=("length",)), Exchange(None, "Why?", "So", "length"), None),
        (LogQuery(responses=True, stops=("length",)), Exchange(None, "Why?", "So", "end"), "stop-reason"),
        (LogQuery(responses=True, stops=("end", None)), Exchange(None, "Why?", "So", None), None),
        (LogQuery(min_chars=4), Exchange(None, "Why?"), None),
        (LogQuery(min_chars=5), Exchange(None, "Why?"), "length"),
        (LogQuery(max_chars=4), Exchange(None, "Why?"), None),
        (LogQuery(max_chars=3), Exchange(None, "Why?"), "length"),
        (LogQuery(max_chars=0), Exchange(None, "Why?"), "length"),
        (LogQuery(max_chars=1), Exchange("a system prompt does not count", "日"), None),
        (LogQuery(pattern="^W.*[?]$"), Exchange(None, "Why?"), None),
        (LogQuery(pattern="^w"), Exchange(None, "Why?"), "pattern"),
        (LogQuery(pattern="y"), Exchange(None, "Why?"), None),
        (LogQuery(pattern="Two", multi_turn=True), Exchange(None, TALK), None),
        (LogQuery(pattern="One", multi_turn=True), Exchange(None, TALK), "pattern"),
    ],
)
def test_an_exchange_is_objected_to_for_what_was_said_in_it(query, exchange, objection):
    assert Selector(query).objection(exchange) == objection


def test_a_query_travels_as_json():
    query = LogQuery(
        where=(Metadata("project") == "triage") | (Metadata("env") != "dev"),
        models=(NOVA,),
        since=BEGIN,
        responses=True,
        stops=("end", None),
        max_chars=9,
        pattern="a|b",
    )
    assert msgspec.json.decode(msgspec.json.encode(query), type=LogQuery) == query


def test_a_query_from_elsewhere_is_checked_as_one_from_here():
    with pytest.raises((SpecError, msgspec.ValidationError), match="regular expression"):
        msgspec.json.decode(b'{"pattern":"("}', type=LogQuery)
