"""Answers that were recorded, as a target: which prompt finds which, what failed, and what is not there."""

from __future__ import annotations

import pytest

from bedrock_distill.chat import ChatReply, Recorded, RecordedFailure, Usage
from bedrock_distill.errors import DataError, NotRecordedError, ServiceError, SpecError
from bedrock_distill.evaluation import evaluate
from bedrock_distill.records import Message, Record
from bedrock_distill.records.writing import write_records


def reply(text, **members):
    fields = {"stop_reason": "end_turn", "usage": Usage(3, 2), "latency_s": None, "model_id": "m"}
    return ChatReply(text=text, **{**fields, **members})


TALK = (Message.of("user", "One?"), Message.of("assistant", "1"), Message.of("user", "Two?"))


def test_a_prompt_finds_its_answer_however_it_is_written_down():
    recorded = Recorded({"One?": "first", Record.of(TALK): "second"}, model_id="by-hand")
    for prompt in ("One?", Record.of("One?"), Record.of("One?", completion="known"), (TALK[0],), " One?\n"):
        assert recorded.chat(prompt).text == "first"
    assert recorded.chat(TALK).text == "second"
    assert len(recorded) == 2


def test_the_system_prompt_is_part_of_what_was_asked_and_may_be_said_at_either_place():
    recorded = Recorded([(Record.of("One?", system="Be brief."), "1"), ("One?", "one")], model_id="m")
    assert recorded.chat("One?").text == "one"
    assert recorded.chat("One?", system="Be brief.").text == "1"
    assert recorded.chat(Record.of("One?", system="Be brief.")).text == "1"
    assert recorded.chat(Record.of("One?", system="Be brief."), system="").text == "one"
    with pytest.raises(NotRecordedError, match="recorded under another system prompt"):
        recorded.chat("One?", system="Be long.")


def test_how_it_is_asked_changes_nothing():
    recorded = Recorded({"One?": reply("a long answer")}, model_id="m")
    asked = recorded.chat("One?", max_tokens=1, temperature=1.0, top_p=0.1, stop="long", metadata={"a": "b"})
    assert asked == recorded.chat("One?") == recorded.impatient().chat("One?")
    assert (asked.text, asked.latency_s, asked.usage.input_tokens) == ("a long answer", None, 3)


def test_a_prompt_that_was_not_recorded_is_a_typed_error_with_a_code_and_what_to_do():
    recorded = Recorded({"One?": "1"}, model_id="m", name="yesterday's")
    with pytest.raises(
        NotRecordedError, match=r"yesterday's holds no answer to 'Two\?'.*has 1 prompts"
    ) as caught:
        recorded.chat("Two?")
    assert (caught.value.code, caught.value.retryable) == ("NotRecorded", False)
    with pytest.raises(NotRecordedError, match="…"):
        recorded.chat("x" * 1000)


def test_there_must_be_something_to_ask_as_with_any_target():
    with pytest.raises(SpecError, match="nothing to ask"):
        Recorded({"One?": "1"}, model_id="m").chat(" ")


def test_a_record_that_failed_fails_again_with_its_own_code():
    recorded = Recorded({"One?": RecordedFailure("RecordError429", "slow down")}, model_id="m")
    with pytest.raises(ServiceError, match="slow down") as caught:
        recorded.chat("One?")
    assert (caught.value.code, type(caught.value)) == ("RecordError429", ServiceError)


def test_of_a_prompt_recorded_twice_the_first_reply_counts_and_a_reply_more_than_a_failure():
    pairs = [("One?", RecordedFailure("RecordError500", "")), ("One?", "1"), ("One?", "one")]
    assert Recorded(pairs, model_id="m").chat("One?").text == "1"
    assert Recorded(reversed(pairs), model_id="m").chat("One?").text == "one"


def test_recorded_answers_do_not_stream():
    with pytest.raises(SpecError, match="do not stream"):
        Recorded({"One?": "1"}, model_id="m").stream("One?", max_tokens=4)


def test_a_file_of_records_answers_with_its_completions(tmp_path):
    path = tmp_path / "answers.jsonl"
    records = [Record.of("One?", system="Be brief.", completion="1"), Record.of("Unanswered?")]
    write_records(path, records)
    recorded = Recorded.from_file(path, of_model="amazon.nova-pro-v1:0")
    assert recorded.chat(records[0]).text == "1"
    assert (recorded.name, recorded.of_model, len(recorded)) == ("answers.jsonl", "amazon.nova-pro-v1:0", 1)
    with pytest.raises(NotRecordedError):
        recorded.chat("Unanswered?")
    assert repr(recorded) == "<Recorded 'answers.jsonl': 1 prompts>"


def test_what_a_file_holds_tells_its_answers_from_others_and_not_where_it_lies(tmp_path):
    for name, answer in (("a", "1"), ("b", "1"), ("c", "2")):
        write_records(tmp_path / name, [Record.of("One?", completion=answer)])
    a, b, c = (Recorded.from_file(tmp_path / name).model_id for name in "abc")
    assert a == b != c


def test_a_file_without_completions_or_records_is_refused(tmp_path):
    write_records(tmp_path / "prompts.jsonl", [Record.of("One?")])
    with pytest.raises(DataError, match="no record has a completion"):
        Recorded.from_file(tmp_path / "prompts.jsonl")
    (tmp_path / "text.jsonl").write_text("One?")
    with pytest.raises(DataError, match=r"text\.jsonl"):
        Recorded.from_file(tmp_path / "text.jsonl")
    with pytest.raises(DataError, match="absent"):
        Recorded.from_file(tmp_path / "absent.jsonl")


# In evaluation --------------------------------------------------------------------------------------------------

PROMPTS = [Record.of(f"Question {number}?") for number in range(40)]


def test_an_evaluation_goes_on_past_what_is_not_recorded_and_counts_it():
    teacher = Recorded(((prompt, "yes") for prompt in PROMPTS[:37]), model_id="m")
    student = Recorded(((prompt, "yes") for prompt in PROMPTS), model_id="s")
    report = evaluate(student, teacher, PROMPTS)
    assert report.sides["teacher"].failures == {"NotRecorded": 3}
    assert report.agreement.value == 37 / 40


def test_the_report_says_that_answers_were_recorded_and_holds_no_latency_of_them():
    teacher = Recorded(
        ((prompt, reply("yes")) for prompt in PROMPTS), model_id="m", name="the teacher of May"
    )
    report = evaluate(teacher, teacher, PROMPTS)
    summary = report.sides["teacher"]
    assert (summary.recorded, summary.latency_p50_s, summary.latency_p95_s) == (True, None, None)
    assert (summary.input_tokens, summary.output_tokens) == (120, 80)
    (said,) = [remark for remark in report.remarks if "answers of the teacher were recorded" in remark]
    assert "the teacher of May" in said
    assert "no latencies to compare" in said
    for shown in (str(report), report.to_markdown(), report.to_html(), report.to_json()):
        assert "recorded" in shown


def test_recorded_tokens_are_priced_and_this_run_spent_nothing_on_them():
    from bedrock_distill.evaluation import TokenPrice

    teacher = Recorded(((prompt, reply("yes")) for prompt in PROMPTS), model_id="m")
    prices = {"teacher": TokenPrice(input_usd_per_1k=1.0, output_usd_per_1k=2.0)}
    summary = evaluate(teacher, teacher, PROMPTS, prices=prices).sides["teacher"]
    assert summary.cost_usd == pytest.approx(0.12 + 0.16)
    assert summary.spent_usd == 0


def test_a_cache_keeps_recorded_answers_apart_from_those_of_the_model(tmp_path):
    first = Recorded(((prompt, "yes") for prompt in PROMPTS), model_id="job-1", of_model="m")
    second = Recorded(((prompt, "no") for prompt in PROMPTS), model_id="job-2", of_model="m")
    for target in (first, second, first):
        report = evaluate(target, target, PROMPTS, cache=tmp_path / "cache")
        assert set(report.answers["teacher"].texts) == {target.chat(PROMPTS[0]).text}


def test_recorded_answers_can_not_be_evaluated_as_a_stream():
    recorded = Recorded(((prompt, "yes") for prompt in PROMPTS), model_id="m")
    with pytest.raises(SpecError, match="do not stream"):
        evaluate(recorded, recorded, PROMPTS, stream=True)


def test_an_answer_that_is_none_is_refused_and_not_taken_for_one_under_another_system_prompt():
    with pytest.raises(SpecError, match="The answer to 'one' is a NoneType"):
        Recorded({"one": None}, model_id="m")
