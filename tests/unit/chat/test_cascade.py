"""A cascade of two targets that answer from functions: who answers, why, what it counts and writes down."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from bedrock_distill.chat import Cascade, ChatReply, Lowest, Matches, Usage
from bedrock_distill.errors import (
    AccessDeniedError,
    DataError,
    ModelNotReadyError,
    QuotaExceededError,
    ServiceError,
    SpecError,
    ThrottledError,
)
from bedrock_distill.evaluation import evaluate
from bedrock_distill.local.clock import LocalClock
from bedrock_distill.records.schema import Message, Record
from bedrock_distill.risk import DriftAlarm, Policy, Scored, histogram


class Speaker:
    """Answers with a function of the prompt's text; an exception that it returns is raised."""

    def __init__(self, name, answer, usage=None):
        self.name = self.model_id = name
        self.answer = answer
        self.usage = usage or Usage(10, 2)
        self.asked = []

    def chat(self, record, **options):
        self.asked.append((record, options))
        text = self.answer(record.prompt_text)
        if isinstance(text, Exception):
            raise text
        return ChatReply(
            text=text, stop_reason="end_turn", usage=self.usage, latency_s=0.1, model_id=self.model_id
        )


def length(record, reply):
    """A score: the longer an answer, the surer."""
    return min(1.0, len(reply.text) / 10)


@pytest.fixture
def student():
    return Speaker("student", lambda text: text[:10])


@pytest.fixture
def teacher():
    return Speaker("teacher", lambda text: f"teacher on {text}", usage=Usage(10, 30))


@pytest.fixture
def cascade(student, teacher):
    def build(**options):
        return Cascade(student, teacher, **{"score": length, "threshold": 0.5, **options})

    return build


def test_the_student_answers_from_the_threshold_on(cascade, student, teacher):
    reply = cascade().chat("12345")
    assert (reply.text, reply.answered_by, reply.reason, reply.score) == ("12345", "student", "sure", 0.5)
    assert reply.model_id == "student"
    assert reply.usage == reply.student_usage == Usage(10, 2)
    assert teacher.asked == []


def test_below_it_the_teacher_answers_and_the_students_answer_is_kept_beside(cascade):
    reply = cascade().chat("1234")
    assert (reply.text, reply.answered_by, reply.reason) == ("teacher on 1234", "teacher", "unsure")
    assert (reply.student_text, reply.score, reply.threshold) == ("1234", 0.4, 0.5)
    assert reply.model_id == "teacher"
    assert (reply.student_usage, reply.teacher_usage) == (Usage(10, 2), Usage(10, 30))
    assert reply.usage == Usage(20, 32)


@pytest.mark.parametrize(("threshold", "by"), [(None, "teacher"), (0.0, "student"), (1.0, "student")])
def test_a_threshold_may_mean_never_and_always(cascade, threshold, by):
    assert cascade(threshold=threshold).chat("1234567890").answered_by == by


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelNotReadyError("loading"), "not_ready"),
        (ThrottledError("slow down"), "throttled"),
        (QuotaExceededError("used up"), "throttled"),
        (ServiceError("broken"), "failed"),
        (AccessDeniedError("no"), "failed"),
        (ConnectionError("cut"), "failed"),
    ],
)
def test_whatever_the_student_fails_with_the_teacher_answers(cascade, student, error, reason):
    student.answer = lambda _: error
    reply = cascade().chat("12345")
    assert (reply.answered_by, reply.reason, reply.student_error) == ("teacher", reason, str(error))
    assert (reply.score, reply.student_text) == (None, None)
    assert len(student.asked) == 1


def test_a_request_that_could_never_be_accepted_is_the_callers_to_hear_of(cascade, student, teacher):
    student.answer = lambda _: SpecError("no such thing", field="prompt")
    with pytest.raises(SpecError, match="no such thing"):
        cascade().chat("12345")
    assert teacher.asked == []


@pytest.mark.parametrize("deadline_s", [None, 60])
def test_a_score_that_fails_for_the_service_counts_as_the_students_failure(cascade, deadline_s):
    def score(record, reply):
        raise ThrottledError("no more samples")

    reply = cascade(score=score, deadline_s=deadline_s).chat("12345")
    assert (reply.reason, reply.student_text) == ("throttled", "12345")
    assert reply.student_usage == Usage(10, 2)


@pytest.mark.parametrize("deadline_s", [None, 60])
@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), "high", None])
def test_a_score_outside_0_to_1_is_refused_by_its_name(cascade, value, deadline_s):
    def unscaled(record, reply):
        return value

    with pytest.raises(SpecError, match=r"unscaled.*from 0 to 1"):
        cascade(score=unscaled, deadline_s=deadline_s).chat("12345")


def test_a_score_of_numpys_is_a_number_like_any_other(cascade):
    np = pytest.importorskip("numpy")
    for score in (np.float32(0.75), Scored(np.float32(0.75))):
        assert type(cascade(score=lambda *_, found=score: found).chat("12345").score) is float


def test_what_scoring_takes_counts_as_the_students(cascade):
    reply = cascade(score=lambda *_: Scored(0.9, input_tokens=40, output_tokens=8)).chat("12345")
    assert reply.usage == reply.student_usage == Usage(50, 10)


def test_the_teachers_error_is_raised_and_notes_why_it_was_asked(cascade, student, teacher):
    student.answer = lambda _: ThrottledError("slow down")
    teacher.answer = lambda _: ServiceError("down")
    with pytest.raises(ServiceError, match="down") as caught:
        cascade().chat("12345")
    assert "throttled: slow down" in caught.value.__notes__[0]


def test_a_student_that_hangs_is_left_at_the_deadline(cascade, student):
    released = threading.Event()

    def hang(text):
        released.wait(60)
        return text

    student.answer = hang
    try:
        reply = cascade(deadline_s=0.01).chat("12345")
        assert (reply.answered_by, reply.reason, reply.student_text) == ("teacher", "slow", None)
    finally:
        released.set()


@pytest.mark.parametrize(
    "error", [ModelNotReadyError("loading"), ThrottledError("slow down"), ServiceError("broken")]
)
def test_a_student_in_trouble_is_left_alone_for_the_pause_and_then_asked_again(cascade, student, error):
    clock = LocalClock()
    student.answer = lambda _: error
    built = cascade(pause_s=60, clock=clock)
    first, second = built.chat("12345"), built.chat("12345")
    assert (first.student_error, second.reason, second.answered_by) == (str(error), "paused", "teacher")
    assert len(student.asked) == 1
    clock.sleep(61)
    student.answer = str
    assert built.chat("12345").reason == "sure"


def test_an_unsure_student_is_not_paused(cascade):
    built = cascade(pause_s=60)
    assert [built.chat(text).reason for text in ("123", "12345")] == ["unsure", "sure"]


def test_many_requests_at_a_student_that_hangs_wait_for_it_once(cascade, student):
    released = threading.Event()

    def hang(text):
        released.wait(60)
        return text

    student.answer = hang
    built = cascade(deadline_s=0.01, pause_s=3600)
    try:
        assert [built.chat("12345").reason for _ in range(20)] == ["slow", *["paused"] * 19]
    finally:
        released.set()


def test_both_are_asked_the_same_and_no_more_than_was_given(cascade, student, teacher):
    cascade().chat("hi", system="Be brief.", temperature=0.2)
    assert student.asked == teacher.asked
    ((record, options),) = student.asked
    assert (record.system_text, record.prompt_text) == ("Be brief.", "hi")
    assert options == {"system": None, "max_tokens": 512, "temperature": 0.2}
    cascade().chat("hi", stop="\n", top_p=0.5, metadata={"project": "triage"})
    assert (
        student.asked[-1][1].items()
        >= {"stop": "\n", "top_p": 0.5, "metadata": {"project": "triage"}}.items()
    )


def test_a_golden_completion_is_shown_to_nobody(cascade, student, teacher):
    cascade().chat(Record.of("hi", system="Be brief.", completion="secret"), system="")
    for record, _ in [*student.asked, *teacher.asked]:
        assert record == Record.of("hi")


def test_counters_tell_who_answered_and_why_whatever_the_number_of_threads(cascade, student):
    student.answer = lambda text: ThrottledError("slow down") if text.startswith("!") else text
    built = cascade()
    prompts = ["12345", "123", "!", "1234567", "!!"] * 40
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(built.chat, prompts))
    assert built.counts.reasons == {"sure": 80, "unsure": 40, "throttled": 80}
    assert (built.counts.answers, built.counts.by_student, built.counts.student_share) == (200, 80, 0.4)
    assert built.counts.student_usage == Usage(1200, 240)
    assert built.counts.teacher_usage == Usage(1200, 3600)


def test_before_anything_is_asked_there_is_no_share(cascade):
    assert cascade().counts.student_share is None


def test_the_journal_has_a_line_for_each_answer_and_no_text_unless_asked_for(cascade, tmp_path):
    built = cascade(journal=tmp_path / "journal.jsonl")
    built.chat("12345")
    built.chat("my secret"[:3])
    first, second = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert (first["answered_by"], first["reason"], first["score"]) == ("student", "sure", 0.5)
    assert (second["answered_by"], second["reason"], second["threshold"]) == ("teacher", "unsure", 0.5)
    assert second["teacher_usage"]["output_tokens"] == 30
    assert first.keys().isdisjoint({"text", "record", "student_text"})
    assert "12345" not in (tmp_path / "journal.jsonl").read_text()


def test_a_journal_with_texts_holds_records_to_train_on(cascade, tmp_path):
    built = cascade(journal=tmp_path / "journal.jsonl", journal_texts=True)
    built.chat("1234", system="Be brief.")
    line = json.loads((tmp_path / "journal.jsonl").read_text())
    from bedrock_distill.records.schema import decode_record

    record = decode_record(json.dumps(line["record"]).encode())
    assert record == Record.of("1234", system="Be brief.", completion="teacher on 1234")
    assert line["student_text"] == "1234"


@pytest.mark.parametrize("text", ["half \ud83d", "gone"])
def test_an_answer_that_cannot_be_written_down_is_given_all_the_same(cascade, tmp_path, caplog, text):
    (tmp_path / "folder").mkdir()
    built = cascade(journal=tmp_path / "folder" / "journal.jsonl", journal_texts=True)
    if text == "gone":
        (tmp_path / "folder").rmdir()
    assert built.chat(text).text
    assert "an answer is not in the journal" in caplog.text


def test_an_answer_that_has_been_begun_is_refused_because_two_may_go_on_with_it(cascade, student):
    with pytest.raises(SpecError, match="the last message must be the user's"):
        cascade().chat([Message.of("user", "12345"), Message.of("assistant", "I")])
    assert not student.asked


def test_evaluate_takes_a_cascade_for_the_student(cascade, teacher):
    prompts = [f"{'x' * (place % 10)}{place}" for place in range(60)]
    report = evaluate(cascade(), teacher, prompts, metrics="exact_match")
    assert report.sides["student"].calls == 60
    assert report.agreement.value == pytest.approx(
        sum(min(len(prompt), 10) < 5 for prompt in prompts) / len(prompts)
    )


def drifting(level=0.02):
    return DriftAlarm(histogram([0.9] * 200), level=level)


def test_an_alarm_is_told_every_score_and_warns_once(cascade, caplog):
    built = cascade(alarm=drifting())
    for _ in range(200):
        built.chat("123")
    assert built.drifted
    assert built.alarm.seen == 200
    assert sum("no longer looks like" in record.message for record in caplog.records) == 1
    assert built.chat("12345").answered_by == "student"


def test_on_drift_only_the_teacher_is_asked_if_that_is_wanted(cascade, student):
    built = cascade(alarm=drifting(), on_drift="teacher")
    while not built.drifted:
        built.chat("123")
    asked = len(student.asked)
    reply = built.chat("1234567890")
    assert (reply.answered_by, reply.reason, reply.student_usage) == ("teacher", "drift", Usage())
    assert len(student.asked) == asked


def test_losses_that_are_told_later_set_off_their_own_alarm(cascade):
    built = cascade(loss_alarm=DriftAlarm(histogram([0.0] * 300), level=0.02))
    for _ in range(200):
        built.observe_loss(1)
    assert built.drifted
    with pytest.raises(SpecError, match="A loss lies from 0 to 1"):
        built.observe_loss(2)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"threshold": 1.1}, "threshold"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"deadline_s": float("inf")}, "deadline_s"),
        ({"journal": "no/such/folder/journal.jsonl"}, "journal"),
        ({"journal": "."}, "journal"),
        ({"pause_s": -1}, "pause_s"),
        ({"on_drift": "panic"}, "on_drift"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(cascade, options, field):
    with pytest.raises(SpecError, match=field) as caught:
        cascade(**options)
    assert caught.value.field == field


def policy(**changes):
    said = {
        "threshold": 1.0,
        "alpha": 0.02,
        "confidence": None,
        "score": ('labels:["billing", "other"]',),
        "metric": "exact_match",
        "student": "student",
        "teacher": "teacher",
        "made_at": "2026-11-24T15:00:00+00:00",
        "examples": 100,
        "student_share": 0.9,
        "risk": 0.01,
        "scores": histogram([1.0] * 90 + [0.0] * 10),
        "losses": histogram([0.0] * 100),
    }
    return Policy(**{**said, **changes})


def test_a_policy_is_all_a_cascade_needs(student, teacher, tmp_path):
    student.answer = lambda text: text
    built = Cascade.from_policy(policy().save(tmp_path / "policy.json"), student, teacher)
    assert built.chat("billing").answered_by == "student"
    assert built.chat("nonsense").answered_by == "teacher"
    assert built.alarm.level == built.loss_alarm.level == 0.005
    assert built.alarm.seen == 2


def test_a_policy_of_a_function_needs_the_function(student, teacher):
    with pytest.raises(SpecError, match="give the function"):
        Cascade.from_policy(policy(score=(f"{__name__}:length",)), student, teacher)
    built = Cascade.from_policy(policy(score=(f"{__name__}:length",)), student, teacher, score=length)
    assert built.threshold == 1.0


def test_a_policy_is_refused_with_another_score_than_its_own(student, teacher):
    with pytest.raises(SpecError, match="was chosen for the score"):
        Cascade.from_policy(policy(), student, teacher, score=length)


def test_a_policy_of_another_student_is_warned_of(teacher, caplog):
    Cascade.from_policy(policy(), Speaker("another", str), teacher)
    assert "calibrated with the student student, and this is another" in caplog.text


def test_a_file_that_is_no_policy_is_refused(student, teacher, tmp_path):
    (tmp_path / "policy.json").write_text("{}")
    with pytest.raises(DataError, match=r"policy\.json is not a cascade's policy"):
        Cascade.from_policy(tmp_path / "policy.json", student, teacher)


@dataclass
class Said:
    text: str


def test_of_several_scores_the_lowest_counts_and_a_zero_spares_the_rest():
    asked = []

    def costly(record, reply):
        asked.append(reply.text)
        return Scored(0.7, input_tokens=5)

    score = Lowest((Matches(r"\d+"), costly))
    assert score(Record.of("?"), Said("12")) == Scored(0.7, input_tokens=5)
    assert score(Record.of("?"), Said("twelve")) == Scored(0.0)
    assert asked == ["12"]
    assert score.names == ("regex:\\d+", f"{__name__}:{costly.__qualname__}")


def test_a_teacher_that_cannot_stream_is_said_to_be_so(cascade):
    built = cascade()
    assert list(built.stream("12345")) == ["12345"]
    with pytest.raises(SpecError, match="The teacher teacher has no stream; ask with chat"):
        built.stream("1")
