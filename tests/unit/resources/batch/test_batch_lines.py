"""From prompts to a job's lines, and from its output back to prompts and answers."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.chat import Converse
from bedrock_distill.chat.question import Question
from bedrock_distill.errors import DataError
from bedrock_distill.local.services.runtime.asks import Answer
from bedrock_distill.local.services.runtime.bodies import FORMATS
from bedrock_distill.local.services.runtime.bodies.reading import About
from bedrock_distill.plan import RequestForm
from bedrock_distill.records import Message, Record
from bedrock_distill.records.writing import write_records
from bedrock_distill.resources.batch.bodies import BODIES
from bedrock_distill.resources.batch.lines import model_input, record_id, tally_requests, write_requests
from bedrock_distill.resources.batch.reading import read_line

CONVERSE = RequestForm(invocation="Converse", max_tokens=20, temperature=0.0)
TALK = Record.of(
    (Message.of("user", "Hello <there>"), Message.of("assistant", "Hi"), Message.of("user", "Müller's?\n")),
    system="Be brief.",
)
MODELS = {model.body: model.id for model in load_catalog().models}


def texts(record):
    """System prompt and messages; Llama's template trims them."""
    return record.system_text, [message.text.strip() for message in record.messages]


@pytest.mark.parametrize("prompt", [TALK, Record.of("One?"), Record.of("One?", completion="known")])
@pytest.mark.parametrize("system", [None, "", "Another."])
def test_a_request_is_what_a_call_would_send(prompt, system):
    form = RequestForm(invocation="Converse", system=system, max_tokens=20, temperature=0.5)
    asked = Question.of(prompt.prompt, target="m", system=system, max_tokens=20, temperature=0.5)
    sent = Converse().ask("m", asked).params
    assert model_input(prompt, form) == {name: value for name, value in sent.items() if name != "modelId"}


def test_what_is_left_to_the_model_is_not_in_the_request():
    form = RequestForm(invocation="Converse", max_tokens=5)
    assert model_input(Record.of("One?"), form)["inferenceConfig"] == {"maxTokens": 5}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("prompt", [TALK, Record.of("One?")], ids=["talk", "one"])
@pytest.mark.parametrize("temperature", [None, 0.5])
def test_a_familys_body_is_read_by_the_family_as_what_was_asked(body, prompt, temperature):
    form = RequestForm(invocation="InvokeModel", body=body, max_tokens=20, temperature=temperature)
    ask = FORMATS[body].read(json.dumps(model_input(prompt, form)).encode())
    assert (ask.parameters.max_tokens, ask.parameters.temperature) == (20, temperature)
    assert texts(ask.prompt) == texts(prompt)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("prompt", [TALK, Record.of("One?")], ids=["talk", "one"])
@pytest.mark.parametrize("named", [True, False])
def test_a_familys_output_is_read_back_as_the_prompt_and_its_answer(body, prompt, named):
    form = RequestForm(invocation="InvokeModel", body=body, max_tokens=20, temperature=0.0)
    said = Answer(text="billing", stop_reason="max_tokens", input_tokens=7, output_tokens=2)
    output = FORMATS[body].render(said, About(model_id=MODELS.get(body, ""), request_id="r", created=1))
    line = {"recordId": "A", "modelInput": model_input(prompt, form), "modelOutput": output}
    # Of a custom model's name the family cannot be told, and the bodies' keys tell it.
    model_id = MODELS[body] if named and body in MODELS else "MyModel"
    read = read_line(
        json.dumps(line).encode(), invocation="InvokeModel", model_id=model_id, file="f", number=1
    )
    assert (read.text, read.stop_reason, read.input_tokens, read.output_tokens) == (
        "billing",
        "max_tokens",
        7,
        2,
    )
    assert texts(read.prompt) == texts(prompt)


def test_an_id_has_eleven_letters_and_digits_sorts_by_place_and_tells_contents_apart():
    names = [record_id(place, b"same") for place in (0, 1, 35, 36, 49_999)]
    assert names == sorted(set(names))
    assert {len(name) for name in names} == {11}
    assert all(name.isalnum() for name in names)
    assert record_id(1, b"same") == names[1] != record_id(1, b"other")


def test_what_is_written_is_what_was_tallied(tmp_path):
    source, target = tmp_path / "p.jsonl", tmp_path / "requests.jsonl"
    write_records(source, [TALK, Record.of("One?"), Record.of("One?")])
    tally = tally_requests(source, CONVERSE)
    assert write_requests(source, CONVERSE, target) == tally.sha256
    lines = [json.loads(line) for line in target.read_bytes().splitlines()]
    assert [line["modelInput"] for line in lines] == [
        model_input(record, CONVERSE) for record in (TALK, Record.of("One?"), Record.of("One?"))
    ]
    assert len({line["recordId"] for line in lines}) == 3
    assert (tally.records, tally.size_bytes) == (3, target.stat().st_size)
    assert tally.longest_line_bytes == max(len(line) + 1 for line in target.read_bytes().splitlines())


def converse_line(**members):
    return json.dumps(
        {
            "recordId": "A",
            "modelInput": model_input(TALK, CONVERSE),
            "modelOutput": {
                "output": {"message": {"role": "assistant", "content": [{"text": "bil"}, {"text": "ling"}]}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 9, "outputTokens": 2, "totalTokens": 11},
                "metrics": {"latencyMs": 3},
            },
            **members,
        }
    ).encode()


def read(line):
    return read_line(line, invocation="Converse", model_id="m", file="s3://b/x.jsonl.out", number=4)


def test_a_line_of_converse_is_read_back():
    answer = read(converse_line())
    assert answer.prompt == TALK
    assert (answer.text, answer.stop_reason, answer.input_tokens, answer.output_tokens) == (
        "billing",
        "end_turn",
        9,
        2,
    )
    assert not answer.failed
    assert answer.record == TALK.with_completion("billing")


ERRORS = {
    "the guide's": (
        {"errorCode": 400, "errorMessage": "bad", "expired": False, "retryable": False},
        ("RecordError400", "bad"),
    ),
    "a code in words": ({"errorCode": "Throttled", "errorMessage": "slow"}, ("Throttled", "slow")),
    "other names": ({"code": 500, "message": "broke"}, ("RecordError500", "broke")),
    "a text": ("timed out", ("RecordError", "timed out")),
    "nothing in it": ({}, ("RecordError", "")),
    "null in it": ({"errorCode": None, "errorMessage": None}, ("RecordError", "")),
    "nothing at all": (None, ("RecordError", "the line has neither a modelOutput nor an error")),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_record_that_failed_keeps_its_prompt_and_its_error(case):
    error, expected = ERRORS[case]
    answer = read(converse_line(modelOutput=None, error=error))
    assert answer.failed
    assert (answer.error_code, answer.error) == expected
    assert (answer.prompt, answer.record) == (TALK, None)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        {"messages": [{"role": "user", "content": [{"image": {"format": "png"}}]}]},
        {"messages": [{"role": "system", "content": [{"text": "x"}]}]},
        {"inputText": "x"},
    ],
)
def test_an_answer_to_what_is_no_text_is_kept_without_a_prompt(asked):
    answer = read(converse_line(modelInput=asked))
    assert (answer.prompt, answer.text, answer.record) == (None, "billing", None)


@pytest.mark.parametrize("output", [{}, {"output": {}}, {"output": {"message": 7}}, "text", []])
def test_an_output_that_nothing_can_be_read_from_is_a_failure(output):
    answer = read(converse_line(modelOutput=output))
    assert (answer.failed, answer.error_code) == (True, "UnreadableOutput")


def test_the_error_of_a_record_is_told_where_its_output_is_none():
    answer = read(converse_line(modelOutput={}, error={"errorCode": 500, "errorMessage": "broke"}))
    assert (answer.error_code, answer.error) == ("RecordError500", "broke")


def test_an_answer_without_counts_is_an_answer():
    output = {"output": {"message": {"content": [{"text": "a"}]}}, "stopReason": None, "usage": None}
    answer = read(converse_line(modelOutput=output))
    assert (answer.text, answer.stop_reason, answer.input_tokens) == ("a", "", 0)


def test_half_a_surrogate_pair_costs_a_character_and_not_the_answers_of_the_job():
    answer = read(converse_line().replace(b"bil", rb"cut \ud83d"))
    assert answer.text == "cut ?ling"
    assert answer.prompt == TALK


def test_an_empty_answer_is_an_answer_and_no_record_to_learn_from():
    answer = read(converse_line(modelOutput={"output": {"message": {"content": []}}}))
    assert (answer.text, answer.failed, answer.record) == ("", False, None)


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"recordId": ""}', b'{"recordId": 7}', b"\xff"])
def test_a_line_that_is_none_of_a_jobs_output_is_named(line):
    with pytest.raises(DataError, match=r"s3://b/x\.jsonl\.out:4"):
        read(line)
