"""Chatting over the wire: the same text however it comes, retries before the first byte, and the command."""

from __future__ import annotations

import io
import json

import pytest

from bedrock_distill.cli.main import main
from bedrock_distill.errors import ModelNotReadyError, ServiceError, SpecError, ThrottledError
from bedrock_distill.local import Fault

TEACHER = "amazon.nova-pro-v1:0"
TEXT = "Your invoice is on its way, and we are sorry for the trouble."


def answer(record) -> str:
    return f"{record.system_text}|{record.prompt_text}" if record.system_text else TEXT


pytestmark = pytest.mark.local_cloud(teachers={TEACHER: answer})


@pytest.fixture
def target(local_session):
    return local_session.model(TEACHER)


def calls_of(cloud, operation: str):
    return [call for call in cloud.calls if call.operation == operation]


def test_chat_and_stream_bring_the_same_answer(target):
    whole = target.chat("My invoice is wrong")
    with target.stream("My invoice is wrong") as stream:
        pieces = list(stream)
    assert len(pieces) > 1
    assert "".join(pieces) == whole.text == stream.reply.text == TEXT
    assert whole.usage == stream.reply.usage
    assert whole.usage.output_tokens > 0
    assert whole.stop_reason == stream.reply.stop_reason == "end_turn"
    assert whole.request_id != stream.reply.request_id != ""
    assert 0 < stream.reply.first_token_s <= stream.reply.latency_s


def test_an_answer_is_cut_off_at_max_tokens(target):
    reply = target.chat("My invoice is wrong", max_tokens=1)
    assert reply.stop_reason == "max_tokens"
    assert len(reply.text) < len(TEXT)


def test_the_metadata_of_a_call_reaches_the_service(local_cloud, target):
    target.chat("My invoice is wrong", metadata={"project": "triage"})
    (call,) = calls_of(local_cloud, "Converse")
    assert call.params["requestMetadata"] == {"project": "triage"}


def test_a_value_out_of_bounds_is_refused_before_anything_is_sent(local_cloud, target):
    with pytest.raises(SpecError, match="temperature"):
        target.chat("My invoice is wrong", temperature=1.5)
    assert calls_of(local_cloud, "Converse") == []


@pytest.mark.parametrize("code", ["ThrottlingException", "ModelNotReadyException"])
@pytest.mark.parametrize("way", ["chat", "stream"])
def test_an_opening_that_fails_for_a_while_is_tried_again(local_cloud, target, way, code):
    local_cloud.faults.add(Fault(operation="Converse*", code=code, times=2))
    got = getattr(target, way)("My invoice is wrong")
    assert (got if way == "chat" else got.finish()).text == TEXT


@pytest.mark.parametrize(
    ("code", "error"),
    [("ThrottlingException", ThrottledError), ("ModelNotReadyException", ModelNotReadyError)],
)
def test_an_opening_that_keeps_failing_raises_what_aws_said(local_cloud, target, code, error):
    local_cloud.faults.add(Fault(operation="ConverseStream", code=code))
    with pytest.raises(error, match=TEACHER):
        target.stream("My invoice is wrong")


def test_a_stream_that_is_cut_is_not_tried_again_and_says_how_far_it_came(local_cloud, target):
    local_cloud.faults.add(Fault(operation="ConverseStream", cut_stream_after=3))
    stream = target.stream("My invoice is wrong")
    with pytest.raises(ServiceError, match=r"after \d+ characters of text") as caught:
        list(stream)
    assert caught.value.retryable
    assert TEXT.startswith(stream.text)
    assert stream.text
    assert not stream.reply.complete
    assert len(calls_of(local_cloud, "ConverseStream")) == 1


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(["chat", *args, "--region", "us-east-1"])
    return leaving.value.code


@pytest.mark.parametrize("way", ["--stream", "--no-stream"])
def test_the_command_prints_the_answer_and_nothing_else(local_cloud, capsys, way):
    assert run(TEACHER, "My invoice is wrong", way) == 0
    assert capsys.readouterr() == (TEXT + "\n", "")


def test_the_command_prints_one_json_document(local_cloud, capsys):
    assert run(TEACHER, "My invoice is wrong", "--output", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["text"], document["stop_reason"], document["model_id"]) == (TEXT, "end_turn", TEACHER)


def test_the_command_reads_the_prompt_from_standard_input(local_cloud, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert run(TEACHER, "--system", "Echo.") == 0
    assert capsys.readouterr().out == "Echo.|from a pipe\n"


def test_the_command_asks_for_a_prompt_where_nobody_pipes_one_in(local_cloud, capsys, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    assert run(TEACHER) == 2
    assert "There is no PROMPT" in capsys.readouterr().err


def test_the_command_says_when_the_answer_was_cut_off(local_cloud, capsys):
    assert run(TEACHER, "My invoice is wrong", "--max-tokens", "1", "--verbose") == 0
    said = capsys.readouterr().err
    assert "cut off at --max-tokens" in said
    assert "tokens in" in said


def test_the_command_passes_metadata_and_refuses_what_is_no_pair(local_cloud, capsys):
    assert run(TEACHER, "Hi", "--metadata", "project=triage", "--metadata", "query=a=b") == 0
    (call,) = calls_of(local_cloud, "ConverseStream")
    assert call.params["requestMetadata"] == {"project": "triage", "query": "a=b"}
    assert run(TEACHER, "Hi", "--metadata", "project") == 2
    assert "'project' is not KEY=VALUE" in capsys.readouterr().err


def test_the_command_ends_a_cut_answer_with_a_line_of_its_own(local_cloud, capsys):
    local_cloud.faults.add(Fault(operation="ConverseStream", cut_stream_after=3))
    assert run(TEACHER, "My invoice is wrong") == 5
    printed, said = capsys.readouterr()
    assert TEXT.startswith(printed.removesuffix("\n"))
    assert printed.endswith("\n")
    assert "characters of text" in said
