"""Talking to a target: what is sent, what comes back, and that a stream is always closed."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

from bedrock_distill.chat import ChatMessage, ChatReply, Target, Usage
from bedrock_distill.errors import ServiceError, SpecError, ThrottledError
from bedrock_distill.records.schema import Record

DEPLOYMENT = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello, "}, {"text": "you"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
    "metrics": {"latencyMs": 120},
    "ResponseMetadata": {"RequestId": "r-1"},
}
METADATA = {"metadata": {"usage": ANSWER["usage"], "metrics": {"latencyMs": 120}}}
STOP = {"messageStop": {"stopReason": "end_turn"}}


def delta(text: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}


class OpenStream:
    """Events from a list; an exception in the list is raised where it stands."""

    def __init__(self, events: list[Any]) -> None:
        self._events = events
        self.closings = 0
        self.response = {"ResponseMetadata": {"RequestId": "r-2"}}

    def __iter__(self):
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event

    def close(self) -> None:
        self.closings += 1


@dataclass
class Gate:
    """Answers every request with what it was given, and remembers what was asked."""

    answer: dict[str, Any] = field(default_factory=lambda: ANSWER)
    events: OpenStream = field(default_factory=lambda: OpenStream([]))
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.sent.append((f"{service}.{operation}", params))
        return self.answer

    def stream(self, service: str, operation: str, member: str, **params: Any) -> OpenStream:
        self.sent.append((f"{service}.{operation}.{member}", params))
        return self.events


def ticking(step_s: float = 1.0):
    """A timer that says one step more each time it is asked."""
    ticks = iter(range(1000))
    return lambda: next(ticks) * step_s


def streaming(*events: Any) -> tuple[Target, OpenStream]:
    opened = OpenStream(list(events))
    return Target(Gate(events=opened), DEPLOYMENT, name="triage", timer=ticking()), opened


def test_a_reply_holds_the_text_and_what_it_took():
    reply = Target(Gate(), DEPLOYMENT, timer=ticking(0.5)).chat("Hi")
    assert reply == ChatReply(
        text="Hello, you",
        stop_reason="end_turn",
        usage=Usage(7, 3),
        latency_s=0.5,
        service_latency_s=0.12,
        model_id=DEPLOYMENT,
        request_id="r-1",
    )
    assert str(reply) == "Hello, you"
    assert reply.complete
    assert reply.to_dict()["usage"]["output_tokens"] == 3
    assert pickle.loads(pickle.dumps(reply)) == reply


def test_a_string_is_sent_as_one_user_message_with_only_the_options_that_were_given():
    gate = Gate()
    Target(gate, DEPLOYMENT).chat("Hi")
    assert gate.sent == [
        (
            "bedrock-runtime.converse",
            {
                "subject": DEPLOYMENT,
                "modelId": DEPLOYMENT,
                "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
                "inferenceConfig": {"maxTokens": 512},
            },
        )
    ]


def test_every_option_reaches_the_request():
    gate = Gate()
    Target(gate, DEPLOYMENT).chat(
        "Hi",
        system="Be brief.",
        max_tokens=9,
        temperature=0.0,
        top_p=0.5,
        stop="END",
        metadata={"project": "triage"},
    )
    _, params = gate.sent[0]
    assert params["system"] == [{"text": "Be brief."}]
    assert params["inferenceConfig"] == {
        "maxTokens": 9,
        "temperature": 0.0,
        "topP": 0.5,
        "stopSequences": ["END"],
    }
    assert params["requestMetadata"] == {"project": "triage"}


def test_nothing_is_said_about_inference_where_everything_is_left_to_the_model():
    gate = Gate()
    Target(gate, DEPLOYMENT).chat("Hi", max_tokens=None)
    assert "inferenceConfig" not in gate.sent[0][1]


@pytest.mark.parametrize(
    ("system", "sent"), [(None, [{"text": "From the record."}]), ("Mine.", [{"text": "Mine."}]), ("", None)]
)
def test_a_record_brings_its_system_prompt_unless_another_is_given(system, sent):
    gate = Gate()
    Target(gate, DEPLOYMENT).chat(Record.of("Hi", system="From the record."), system=system)
    assert gate.sent[0][1].get("system") == sent


def test_a_records_completion_is_not_given_away_to_the_model():
    gate = Gate()
    Target(gate, DEPLOYMENT).chat(Record.of("Hi", completion="the golden label"))
    assert [message["role"] for message in gate.sent[0][1]["messages"]] == ["user"]


def test_a_conversation_is_sent_turn_by_turn():
    gate = Gate()
    turns = [
        ChatMessage.of("user", "Hi"),
        ChatMessage.of("assistant", "Hello"),
        ChatMessage.of("user", "Help"),
    ]
    Target(gate, DEPLOYMENT).chat(turns)
    assert [message["role"] for message in gate.sent[0][1]["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("prompt", ["", "  \n", [], [ChatMessage.of("assistant", "Hello")]])
def test_a_prompt_without_a_question_is_refused_before_anything_is_sent(prompt):
    gate = Gate()
    with pytest.raises(SpecError, match="nothing to ask"):
        Target(gate, DEPLOYMENT).chat(prompt)
    assert gate.sent == []


@pytest.mark.parametrize(
    ("model_id", "advice"),
    [
        ("amazon.nova-micro-v1:0:128k", "use 'amazon.nova-micro-v1:0'"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl",
            "Deploy it",
        ),
    ],
)
def test_an_id_that_answers_nobody_is_refused_with_the_way_out(model_id, advice):
    with pytest.raises(SpecError, match=advice):
        Target(Gate(), model_id).stream("Hi")


def test_a_stream_yields_its_pieces_and_then_holds_the_whole_reply():
    target, opened = streaming(
        {"messageStart": {"role": "assistant"}}, delta("Hel"), delta(""), delta("lo"), STOP, METADATA
    )
    stream = target.stream("Hi")
    assert list(stream) == ["Hel", "lo"]
    reply = stream.reply
    assert (reply.text, reply.stop_reason, reply.usage) == ("Hello", "end_turn", Usage(7, 3))
    assert (reply.first_token_s, reply.latency_s, reply.service_latency_s) == (1.0, 2.0, 0.12)
    assert (reply.model_id, reply.request_id) == (DEPLOYMENT, "r-2")
    assert opened.closings == 1


def test_finish_reads_what_is_left():
    target, _ = streaming(delta("Hel"), delta("lo"), STOP, METADATA)
    with target.stream("Hi") as stream:
        assert stream.finish().text == "Hello"


def test_reasoning_and_tool_pieces_are_no_text():
    target, _ = streaming(
        {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "hm"}}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        delta("Hello"),
        STOP,
        METADATA,
    )
    assert list(target.stream("Hi")) == ["Hello"]


def test_leaving_the_loop_early_closes_the_stream_at_once():
    target, opened = streaming(delta("Hel"), delta("lo"), STOP, METADATA)
    stream = target.stream("Hi")
    for _ in stream:
        break
    assert opened.closings == 1
    assert (stream.reply.text, stream.reply.complete, stream.reply.usage) == ("Hel", False, Usage())
    assert list(stream) == []


def test_an_error_in_the_loops_body_closes_the_stream():
    target, opened = streaming(delta("Hel"), delta("lo"), STOP, METADATA)

    def read_badly() -> None:
        with target.stream("Hi") as stream:
            for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_badly()
    assert opened.closings == 1


def test_a_stream_that_nobody_read_is_closed_by_its_with_block():
    target, opened = streaming(delta("Hel"))
    with target.stream("Hi"):
        pass
    assert opened.closings == 1


def test_an_error_in_mid_stream_says_how_much_text_had_come_and_keeps_it():
    slow_down = ThrottledError(
        "bedrock-runtime ConverseStream on triage: ThrottlingException: slow down.",
        service="bedrock-runtime",
        operation="ConverseStream",
        code="ThrottlingException",
        retryable=True,
    )
    target, opened = streaming(delta("Hello"), slow_down)
    stream = target.stream("Hi")
    with pytest.raises(ThrottledError, match="after 5 characters of text") as caught:
        list(stream)
    assert (caught.value.code, caught.value.retryable, caught.value.request_id) == (
        "ThrottlingException",
        True,
        "r-2",
    )
    assert stream.text == "Hello"
    assert opened.closings == 1


def test_an_error_before_the_first_piece_says_so():
    target, _ = streaming(ServiceError("cut.", code="ProtocolError"))
    with pytest.raises(ServiceError, match="before any text"):
        list(target.stream("Hi"))


def test_a_connection_that_just_ends_is_not_taken_for_an_answer():
    target, opened = streaming(delta("Hello"))
    with pytest.raises(ServiceError, match="closed before the model said") as caught:
        list(target.stream("Hi"))
    assert caught.value.code == "IncompleteStream"
    assert caught.value.retryable
    assert opened.closings == 1


def test_an_answer_without_text_or_metrics_is_an_empty_reply():
    gate = Gate(answer={"output": {"message": {"content": []}}, "stopReason": "content_filtered"})
    reply = Target(gate, DEPLOYMENT).chat("Hi")
    assert (reply.text, reply.stop_reason, reply.usage, reply.service_latency_s) == (
        "",
        "content_filtered",
        Usage(),
        None,
    )


def test_a_target_shows_its_model_and_its_name():
    assert repr(Target(Gate(), DEPLOYMENT)) == f"Target({DEPLOYMENT!r})"
    assert repr(Target(Gate(), DEPLOYMENT, name="triage")) == f"Target({DEPLOYMENT!r}, name='triage')"
