"""What came in: a cascade's journal and the logs, each prompt once, with what is known of how it was answered."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import bedrock_distill as bd
from bedrock_distill.chat import Cascade
from bedrock_distill.errors import DataError, NotFoundError, ServiceError
from bedrock_distill.records.logs import Metadata
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.schema import Message
from bedrock_distill.refinement.traffic import Marked, Traffic, read_traffic

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAR = datetime(9999, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.local_cloud(
    teachers={TEACHER: lambda record: "billing", STUDENT: lambda record: "shipping"}
)


@pytest.fixture
def read(local_session, make_spec, tmp_path):
    """Read a window, without an end where none is given."""

    def read(*, since=None, until=FAR, student_as=STUDENT, **changes):
        spec = make_spec(**changes)
        return read_traffic(
            spec, local_session.clients, tmp_path, student_as=student_as, since=since, until=until
        )

    return read


class At:
    """A clock that stands at a time."""

    def __init__(self, now):
        self.at = now

    def now(self):
        return self.at

    def monotonic(self):
        return 0.0

    def sleep(self, seconds):
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def cascade(local_session, tmp_path):
    """A cascade with a journal, unsure of what is hard."""

    def cascade(at=NOON, **options):
        return Cascade(
            local_session.model(STUDENT),
            local_session.model(TEACHER),
            score=lambda record, _: 0.0 if "hard" in record.prompt_text else 1.0,
            threshold=0.5,
            journal=tmp_path / "journal.jsonl",
            clock=At(at),
            **{"journal_texts": True, **options},
        )

    return cascade


def test_a_journal_tells_both_answers_and_who_was_unsure(cascade, read, local_cloud, tmp_path):
    asked = cascade()
    asked.chat("An easy one")
    asked.chat("A hard one", system="Be brief.")
    local_cloud.faults.add(bd.local.Fault(operation="Converse", code="ThrottlingException", resource=STUDENT))
    asked.chat("One in the rush")
    traffic = read(logs=None, journal=tmp_path / "journal.jsonl")
    easy, hard, rush = traffic.asked.values()
    assert (easy.student, easy.teacher, easy.fell_back, easy.unsure) == ("shipping", None, False, False)
    assert (hard.student, hard.teacher, hard.fell_back, hard.unsure) == ("shipping", "billing", True, True)
    assert (rush.student, rush.teacher, rush.fell_back, rush.unsure) == (None, "billing", True, False)
    assert hard.prompt == bd.Record.of("A hard one", system="Be brief.")
    assert (traffic.student_calls, traffic.teacher_calls) == (2, 2)


def test_a_prompt_that_came_twice_is_one_and_keeps_what_was_found_once(cascade, read, tmp_path):
    asked = cascade()
    asked.chat("A hard one")
    asked.threshold = 0.0
    asked.chat("A hard one")
    (only,) = read(logs=None, journal=tmp_path / "journal.jsonl").asked.values()
    assert (only.student, only.teacher, only.unsure) == ("shipping", "billing", True)


@pytest.mark.parametrize("end", ["broken", "left"])
def test_an_answer_that_was_not_read_to_its_end_is_no_answer_of_the_teachers(
    cascade, read, local_cloud, tmp_path, end
):
    if end == "broken":
        local_cloud.faults.add(bd.local.Fault(operation="ConverseStream", cut_stream_after=2))
    stream = cascade().stream("A hard one")
    with contextlib.suppress(ServiceError):
        for _ in stream:
            break
        stream.finish() if end == "broken" else stream.close()
    (only,) = read(logs=None, journal=tmp_path / "journal.jsonl").asked.values()
    assert (only.student, only.teacher, only.fell_back, only.unsure) == ("shipping", None, True, True)


def test_a_journal_without_texts_is_refused_with_the_line(cascade, read, tmp_path):
    cascade().chat("An easy one")
    cascade(journal_texts=False).chat("Another")
    with pytest.raises(DataError, match=r"journal.jsonl:2.*record.*journal_texts=True"):
        read(logs=None, journal=tmp_path / "journal.jsonl")


def test_of_a_journal_a_last_line_that_was_cut_off_is_left_out(cascade, read, tmp_path):
    cascade().chat("An easy one")
    path = tmp_path / "journal.jsonl"
    line = path.read_bytes()
    for cut in (1, len(line) // 2, len(line) - 2):
        path.write_bytes(line + b"\n" + line[:cut])
        assert len(read(logs=None, journal=path).asked) == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b'{"at": "2026-11-24T1', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"at": "yesterday"}', "is no line of a cascade's journal"),
        (b'{"text": "a record, perhaps"}', "is no line of a cascade's journal"),
    ],
)
def test_a_broken_line_in_the_middle_is_refused_with_its_number(cascade, read, tmp_path, broken, said):
    cascade().chat("An easy one")
    path = tmp_path / "journal.jsonl"
    line = path.read_bytes()
    path.write_bytes(line + broken + b"\n" + line)
    with pytest.raises(DataError, match=f"journal.jsonl:2.*{said}"):
        read(logs=None, journal=path)


def test_an_empty_journal_is_no_traffic(read, tmp_path):
    (tmp_path / "journal.jsonl").write_bytes(b"\n")
    assert read(logs=None, journal=tmp_path / "journal.jsonl") == Traffic()


def test_a_window_has_its_beginning_and_not_its_end(cascade, read, tmp_path):
    for minutes in (-1, 0, 1, 2):
        cascade(NOON + timedelta(minutes=minutes)).chat(f"At {minutes}")
    window = {"since": NOON, "until": NOON + timedelta(minutes=2)}
    found = read(logs=None, journal=tmp_path / "journal.jsonl", **window).asked
    assert [prompt.prompt_text for prompt in found] == ["At 0", "At 1"]


def test_a_time_without_a_zone_is_utc(cascade, read, tmp_path):
    cascade(NOON.replace(tzinfo=None)).chat("At noon")
    assert read(logs=None, journal=tmp_path / "journal.jsonl", since=NOON).asked
    assert not read(logs=None, journal=tmp_path / "journal.jsonl", until=NOON).asked


def test_personal_data_is_taken_out_of_a_journal_as_it_is_of_logs(cascade, read, tmp_path):
    cascade().chat("Mail hard@example.com, please")
    (only,) = read(logs=None, journal=tmp_path / "journal.jsonl", redact="email").asked.values()
    assert only.prompt.prompt_text == "Mail [EMAIL_1], please"
    assert (only.student, only.teacher) == ("shipping", "billing")


@pytest.fixture
def logged(local_cloud, local_session):
    """Both models, and a function that ends the hour's log."""
    local_cloud.bucket("acme-logs")
    local_session.apply(local_session.plan(bd.InvocationLogging(bucket="acme-logs", prefix="traffic")))
    return local_session.model(STUDENT), local_session.model(TEACHER), local_cloud.flush


def test_logs_tell_who_answered_and_conversations_and_other_models_are_left_out(logged, read):
    student, teacher, flush = logged
    student.chat("日本語で書かれた質問 😀")
    student.chat("Both", system="Be brief.")
    teacher.chat("Both", system="Be brief.")
    teacher.chat("Teacher alone")
    student.chat([Message.of("user", "a"), Message.of("assistant", "b"), Message.of("user", "c")])
    flush()
    traffic = read()
    by_text = {prompt.prompt_text: asked for prompt, asked in traffic.asked.items()}
    assert set(by_text) == {"日本語で書かれた質問 😀", "Both", "Teacher alone"}
    assert (by_text["Both"].student, by_text["Both"].teacher, by_text["Both"].fell_back) == (
        "shipping",
        "billing",
        True,
    )
    assert by_text["Teacher alone"].student is None
    assert (traffic.student_calls, traffic.teacher_calls) == (2, 2)


def test_a_call_that_no_line_of_data_can_hold_is_left_out_and_stops_nothing(logged, cascade, read, tmp_path):
    huge = "word " * 250_000
    asked = cascade()
    for prompt in (huge, "An easy one"):
        asked.chat(prompt)
    logged[2]()
    traffic = read(journal=tmp_path / "journal.jsonl")
    assert [prompt.prompt_text for prompt in traffic.asked] == ["An easy one"]
    assert traffic.keep(Rules()) == 1


def test_a_student_by_another_name_is_found_by_student_as_alone(logged, read):
    student, _, flush = logged
    student.chat("A question")
    flush()
    assert not read(student_as="arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/x").asked
    assert read(student_as=STUDENT).student_calls == 1


def test_logs_and_journal_of_the_same_calls_make_each_prompt_once(logged, cascade, read, tmp_path):
    asked = cascade()
    asked.chat("An easy one")
    asked.chat("A hard one")
    logged[2]()
    traffic = read(journal=tmp_path / "journal.jsonl")
    assert len(traffic.asked) == 2
    assert [each.unsure for each in traffic.asked.values()].count(True) == 1


@pytest.mark.parametrize(
    "where",
    [None, Metadata("team") != "x", (Metadata("team") == "mail") | (Metadata("team") != "x")],
    ids=["no filter", "one condition", "alternatives"],
)
def test_calls_of_refinements_own_are_no_traffic(logged, read, where):
    student, teacher, flush = logged
    for model in (student, teacher):
        Marked(model).chat(bd.Record.of("Asked to compare"), max_tokens=9, temperature=0.0, system=None)
    student.chat("Traffic")
    flush()
    found = read(logs=bd.InvocationLogs("s3://acme-logs/traffic", where=where))
    assert [prompt.prompt_text for prompt in found.asked] == ["Traffic"]
    assert found.teacher_calls == 0


def test_a_filter_of_the_users_holds_whatever_it_joins_and_however_long_it_is(logged, read):
    student, teacher, flush = logged
    Marked(teacher).chat(bd.Record.of("Asked to compare"), max_tokens=9, temperature=0.0, system=None)
    for team in ("mail", "chat", "else"):
        student.chat(f"From {team}", metadata={"team": team})
    flush()
    either = (Metadata("team") == "mail") | (Metadata("team") == "chat")
    found = read(logs=bd.InvocationLogs("s3://acme-logs/traffic", where=either))
    assert {prompt.prompt_text for prompt in found.asked} == {"From mail", "From chat"}
    both = Metadata("team") == "mail"
    for number in range(15):  # as many as a filter takes
        both &= Metadata(f"stage-{number}") != "test"
    found = read(logs=bd.InvocationLogs("s3://acme-logs/traffic", where=both))
    assert [prompt.prompt_text for prompt in found.asked] == ["From mail"]


def test_what_was_read_from_logs_does_not_stay_on_the_machine(logged, read, tmp_path):
    logged[0].chat("A secret")
    logged[2]()
    before = set(tmp_path.rglob("*"))
    assert read().asked
    assert set(tmp_path.rglob("*")) == before


def test_a_bucket_that_is_not_there_is_named(local_session, read):
    with pytest.raises(NotFoundError, match="acme-logs"):
        read()


def test_what_breaks_the_rules_of_training_data_is_left_out_and_counted():
    traffic = Traffic()
    turns = (Message.of("user", "a"), Message.of("assistant", "b"), Message.of("user", "c"))
    fine, long = bd.Record.of("Short"), bd.Record.of("word " * 4000)
    several = msgspec.structs.replace(fine, messages=turns)
    for prompt in (long, fine, several):
        traffic.at(prompt).student = "yes"
    assert traffic.keep(Rules(multi_turn=False)) == 2
    assert list(traffic.asked) == [fine]
    assert traffic.asked[fine].student == "yes"
