"""A cascade over the wire: what the student's faults do, on the cloud's clock, and how an answer streams."""

from __future__ import annotations

import pytest

from bedrock_distill.chat import Agreement, Cascade, IsLabel, Usage
from bedrock_distill.errors import ServiceError
from bedrock_distill.local import Fault, SimulatedCrash

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"
LONG = "This is about an invoice, so that billing is the topic of it."


def by_student(record) -> str:
    return "billing" if "invoice" in record.prompt_text else "I am not sure what this is"


pytestmark = pytest.mark.local_cloud(teachers={TEACHER: lambda _: LONG, STUDENT: by_student})


@pytest.fixture
def cascade(local_cloud, local_session):
    def build(**options):
        return Cascade(
            local_session.model(STUDENT),
            local_session.model(TEACHER),
            **{
                "score": IsLabel(frozenset({"billing", "shipping"})),
                "threshold": 1.0,
                "clock": local_cloud.clock,
                **options,
            },
        )

    return build


def asked(cloud, model):
    return [call for call in cloud.calls if call.params.get("modelId") == model]


def test_a_sure_student_answers_alone(cascade, local_cloud):
    reply = cascade().chat("My invoice is wrong")
    assert (reply.text, reply.answered_by, reply.reason) == ("billing", "student", "sure")
    assert reply.complete
    assert reply.request_id
    assert asked(local_cloud, TEACHER) == []


def test_an_unsure_student_hands_over(cascade):
    reply = cascade().chat("Good morning")
    assert (reply.text, reply.answered_by, reply.reason, reply.score) == (LONG, "teacher", "unsure", 0)
    assert reply.model_id == TEACHER
    assert reply.usage.output_tokens == reply.student_usage.output_tokens + reply.teacher_usage.output_tokens


FAULTS = [
    ({"code": "ThrottlingException"}, "throttled"),
    ({"code": "ModelNotReadyException"}, "not_ready"),
    ({"code": "ModelErrorException"}, "failed"),
    ({"code": "ResourceNotFoundException"}, "failed"),
    ({"disconnect": True}, "failed"),
    ({"latency_s": 30.0}, "slow"),
]


@pytest.mark.parametrize("way", ["chat", "stream"])
@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_a_student_that_fails_is_asked_once_and_the_teacher_answers(cascade, local_cloud, fault, reason, way):
    local_cloud.faults.add(Fault(operation="Converse*", resource=STUDENT, **fault))
    built = cascade(deadline_s=20)
    started_s = local_cloud.clock.monotonic()
    got = getattr(built, way)("My invoice is wrong")
    reply = got if way == "chat" else got.finish()
    assert (reply.text, reply.answered_by, reply.reason) == (LONG, "teacher", reason)
    assert len(asked(local_cloud, STUDENT)) == 1
    assert built.counts.reasons == {reason: 1}
    # No wait for another try of the student: only its own latency has passed.
    assert local_cloud.clock.monotonic() - started_s < fault.get("latency_s", 0) + 5


def test_a_student_that_is_back_is_asked_again(cascade, local_cloud):
    local_cloud.faults.add(
        Fault(operation="Converse", resource=STUDENT, code="ModelNotReadyException", times=2)
    )
    built = cascade()
    assert [built.chat("My invoice is wrong").reason for _ in range(3)] == ["not_ready", "not_ready", "sure"]


def test_without_a_deadline_a_slow_student_is_waited_for(cascade, local_cloud):
    local_cloud.faults.add(Fault(operation="Converse", resource=STUDENT, latency_s=30.0))
    reply = cascade().chat("My invoice is wrong")
    assert reply.answered_by == "student"
    assert reply.latency_s >= 30


def test_the_teacher_is_as_patient_as_any_target(cascade, local_cloud):
    local_cloud.faults.add(Fault(operation="Converse", resource=TEACHER, code="ThrottlingException", times=2))
    assert cascade().chat("Good morning").text == LONG
    assert len(asked(local_cloud, TEACHER)) == 3


def test_where_both_fail_the_teachers_error_is_raised(cascade, local_cloud):
    local_cloud.faults.add(Fault(operation="Converse", code="ModelErrorException"))
    with pytest.raises(ServiceError, match=TEACHER) as caught:
        cascade().chat("My invoice is wrong")
    assert "student was not used (failed" in caught.value.__notes__[0]


def test_a_sure_students_answer_streams_as_one_piece(cascade):
    built = cascade()
    with built.stream("My invoice is wrong") as stream:
        assert list(stream) == ["billing"]
    assert stream.text == stream.reply.text == "billing"
    assert (stream.reply.answered_by, stream.reply.reason) == ("student", "sure")
    assert 0 <= stream.reply.first_token_s <= stream.reply.latency_s
    assert list(stream) == []
    assert built.counts.reasons == {"sure": 1}


def test_no_word_of_an_unsure_student_is_shown_and_the_teacher_streams_in_pieces(cascade):
    built = cascade()
    stream = built.stream("Good morning")
    pieces = list(stream)
    assert len(pieces) > 1
    assert "".join(pieces) == stream.text == stream.reply.text == LONG
    assert (stream.reply.answered_by, stream.reply.reason, stream.reply.complete) == (
        "teacher",
        "unsure",
        True,
    )
    assert stream.reply.student_text == "I am not sure what this is"
    assert stream.reply.usage.output_tokens > stream.reply.teacher_usage.output_tokens > 0
    assert built.counts.reasons == {"unsure": 1}
    assert built.counts.teacher_usage == stream.reply.teacher_usage


def test_a_stream_that_is_left_early_is_counted_once_and_says_that_it_is_incomplete(cascade):
    built = cascade()
    with built.stream("Good morning") as stream:
        for _ in stream:
            break
    stream.close()
    assert not stream.reply.complete
    assert LONG.startswith(stream.reply.text)
    assert built.counts.answers == 1


def test_a_teachers_stream_that_breaks_says_how_far_it_came(cascade, local_cloud):
    local_cloud.faults.add(Fault(operation="ConverseStream", resource=TEACHER, cut_stream_after=3))
    stream = cascade().stream("Good morning")
    with pytest.raises(ServiceError, match=r"after \d+ characters of text") as caught:
        list(stream)
    assert caught.value.__notes__ == ["The teacher was asked because the student was not used (unsure)."]
    assert stream.text
    assert not stream.reply.complete


def test_agreement_asks_the_student_again_and_counts_it(cascade, local_cloud, local_session):
    score = Agreement(local_session.model(STUDENT), samples=3)
    reply = cascade(score=score, threshold=0.6).chat("My invoice is wrong")
    assert (reply.score, reply.answered_by) == (1.0, "student")
    calls = asked(local_cloud, STUDENT)
    assert len(calls) == 4
    assert [call.params["inferenceConfig"].get("temperature") for call in calls].count(0.7) == 3
    once = cascade().chat("My invoice is wrong").student_usage
    assert reply.student_usage == Usage(4 * once.input_tokens, 4 * once.output_tokens)


@pytest.mark.parametrize("stream", [False, True])
def test_an_evaluation_asks_a_cascade_like_any_target(cascade, local_session, stream):
    from bedrock_distill.evaluation import evaluate

    built = cascade()
    prompts = [f"My {('invoice', 'parcel')[place % 2]} {place}" for place in range(20)]
    report = evaluate(built, local_session.model(TEACHER), prompts, metrics="exact_match", stream=stream)
    assert report.agreement.value == 0.5
    assert report.sides["student"].failed == 0
    assert built.counts.reasons == {"sure": 10, "unsure": 10}


@pytest.mark.parametrize("deadline_s", [None, 20])
def test_a_process_that_dies_while_it_asks_the_student_is_dead(cascade, local_cloud, deadline_s):
    local_cloud.faults.add(Fault(operation="Converse", resource=STUDENT, crash=True))
    with pytest.raises(SimulatedCrash):
        cascade(deadline_s=deadline_s).chat("My invoice is wrong")
    assert asked(local_cloud, TEACHER) == []
