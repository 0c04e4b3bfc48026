"""Redaction by Comprehend: what is sent, what comes back, what it costs."""

from __future__ import annotations

from collections import Counter

import pytest

from bedrock_distill.aws import Clients
from bedrock_distill.aws import comprehend as room
from bedrock_distill.aws.comprehend import COMPREHEND_KINDS, ComprehendRedactor, cost_units
from bedrock_distill.errors import ServiceError, SpecError
from bedrock_distill.local import Cloud, Fault
from bedrock_distill.records import Record


@pytest.fixture
def cloud():
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def clients(cloud):
    return Clients(boto_session=cloud.boto3_session(), clock=cloud.clock)


def sent(cloud):
    return [call.params["Text"] for call in cloud.calls.where(service="comprehend")]


def test_findings_are_replaced_and_counted(clients):
    text, counts = ComprehendRedactor(clients).redact("My name is Jo Doe, write to jo@example.com.")
    assert text == "My name is [NAME_1], write to [EMAIL_1]."
    assert counts == {"name": 1, "email": 1}


def test_a_record_goes_in_one_request_and_its_texts_agree(clients, cloud):
    redactor = ComprehendRedactor(clients)
    record, counts = redactor.redact_record(
        Record.of("I am Jo Doe. Change it to zoë@example.com.", system="Be kind.", completion="Done, Jo Doe!")
    )
    assert record == Record.of(
        "I am [NAME_1]. Change it to [EMAIL_1].", system="Be kind.", completion="Done, [NAME_1]!"
    )
    assert counts == {"name": 2, "email": 1}
    assert len(sent(cloud)) == redactor.requests == 1


def test_nothing_found_gives_the_record_itself(clients):
    record = Record.of("Where is my order?", completion="On its way.")
    same, counts = ComprehendRedactor(clients).redact_record(record)
    assert same is record
    assert counts == Counter()


def test_what_was_redacted_before_keeps_its_labels(clients):
    text, _ = ComprehendRedactor(clients).redact("Mr [NAME_1] and Mr Smith, password: [ASSIGNED_SECRET_1]")
    assert text == "Mr [NAME_1] and Mr [NAME_2], password: [ASSIGNED_SECRET_1]"


@pytest.mark.parametrize(
    ("characters", "units"), [(1, 3), (300, 3), (301, 4), (400, 4), (401, 5), (16_000, 160)]
)
def test_units_are_hundreds_of_characters_and_at_least_three(characters, units):
    assert cost_units("é" * characters) == units


def test_the_cost_of_all_that_was_sent_is_told(clients, cloud):
    redactor = ComprehendRedactor(clients)
    for text in ("short", "x" * 950, " \n"):
        redactor.redact(text)
    assert redactor.cost_units == 3 + 10
    assert redactor.requests == len(sent(cloud)) == 2


def test_blank_texts_are_not_sent(clients, cloud):
    assert ComprehendRedactor(clients).redact("  ") == ("  ", Counter())
    assert sent(cloud) == []


def test_long_texts_are_cut_between_words_and_found_at_their_places(clients, cloud, monkeypatch):
    monkeypatch.setattr(room, "MAX_BYTES", 60)
    words = [f"näme{number}@example.com" for number in range(30)]
    text, counts = ComprehendRedactor(clients).redact("  ".join(words))
    assert text == "  ".join(f"[EMAIL_{number}]" for number in range(1, 31))
    assert counts == {"email": 30}
    assert "".join(sent(cloud)) == "  ".join(words)
    assert max(len(piece.encode()) for piece in sent(cloud)) <= 60


def test_a_long_word_is_cut_where_it_must_be_and_never_inside_a_character(clients, cloud, monkeypatch):
    monkeypatch.setattr(room, "MAX_BYTES", 10)
    text = "🔑" * 8 + "é" * 9
    assert ComprehendRedactor(clients).redact(text) == (text, Counter())
    assert "".join(sent(cloud)) == text
    assert max(len(piece.encode()) for piece in sent(cloud)) <= 10


def test_texts_at_the_limit_are_taken_by_the_service(clients, cloud):
    text = "ä" * 100_001
    assert ComprehendRedactor(clients).redact(text) == (text, Counter())
    assert [len(piece) for piece in sent(cloud)] == [50_000, 50_000, 1]


def test_only_the_kinds_that_were_asked_for_are_replaced(clients):
    redactor = ComprehendRedactor(clients, kinds=["name"])
    assert redactor.redact("I am Jo Doe, jo@example.com")[0] == "I am [NAME_1], jo@example.com"


def test_what_comprehend_is_not_sure_of_stays(clients):
    text = "I am Jo Doe, jo@example.com"
    assert ComprehendRedactor(clients, min_score=0.95).redact(text)[0] == "I am Jo Doe, [EMAIL_1]"


def test_hashes_are_those_of_the_redactor_on_this_machine(clients):
    from bedrock_distill.records.curation.redaction import Redactor

    text = "I moved: jo@example.com"
    theirs = ComprehendRedactor(clients, style="hash", seed=4).redact(text)
    assert theirs == Redactor("email", style="hash", seed=4).redact(text)


def test_many_records_come_back_in_their_order_and_are_read_as_needed(clients):
    taken = []

    def records():
        for number in range(40):
            taken.append(number)
            yield Record.of(f"I am number{number}@example.com", completion=f"{number}")

    redactor = ComprehendRedactor(clients)
    stream = redactor.redact_records(records(), concurrency=3)
    first, _ = next(stream)
    assert len(taken) == 6
    rest = [record for record, _ in stream]
    assert [record.completion for record in (first, *rest)] == [str(number) for number in range(40)]
    assert {record.prompt_text for record in rest} == {"I am [EMAIL_1]"}
    assert (redactor.requests, redactor.cost_units) == (40, 120)


def test_throttled_requests_are_tried_again_and_count_once(clients, cloud):
    cloud.faults.add(Fault(service="comprehend", code="ThrottlingException", times=2))
    redactor = ComprehendRedactor(clients)
    assert redactor.redact("I am jo@example.com")[0] == "I am [EMAIL_1]"
    assert len(sent(cloud)) == 3
    assert redactor.requests == 1


def test_a_refusal_ends_the_stream_with_its_reason(clients, cloud):
    cloud.faults.add(Fault(service="comprehend", code="AccessDeniedException"))
    with pytest.raises(ServiceError, match="AccessDenied"):
        list(ComprehendRedactor(clients).redact_records([Record.of("x")] * 5))


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"language": "de"}, "language", "en, es"),
        ({"kinds": ["email", "fax"]}, "kinds", "'fax'.*email"),
        ({"style": "blur"}, "style", "label, hash, remove"),
        ({"min_score": 1.5}, "min_score", "1.5"),
    ],
)
def test_settings_that_there_are_not_are_refused_before_anything_is_sent(
    clients, cloud, options, field, message
):
    with pytest.raises(SpecError, match=message) as caught:
        ComprehendRedactor(clients, **options)
    assert caught.value.field == field
    assert sent(cloud) == []


def test_no_request_at_a_time_is_refused(clients):
    with pytest.raises(SpecError, match="concurrency=0"):
        list(ComprehendRedactor(clients).redact_records([], concurrency=0))


def test_every_type_of_the_services_model_has_a_kind():
    import botocore.session

    model = botocore.session.get_session().get_service_model("comprehend")
    entity = model.operation_model("DetectPiiEntities").output_shape.members["Entities"].member
    assert set(entity.members["Type"].enum) - {"ALL"} == set(COMPREHEND_KINDS)
