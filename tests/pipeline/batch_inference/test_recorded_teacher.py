"""A student held against the answers of a batch inference job as if the teacher were asked live."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import DataError
from bedrock_distill.records import Record
from bedrock_distill.records.writing import write_records

_triage = runpy.run_path(str(Path(__file__).parent / "triage.py"))
TEACHER, STUDENT, number_of, teach, set_teacher, run = (
    _triage[name] for name in ("TEACHER", "STUDENT", "number_of", "teach", "set_teacher", "run")
)


def figures(report):
    """All that a report measures, but for what time and names have to do with."""
    found = report.to_dict(answers=True)
    measured = {
        name: found[name]
        for name in ("metric", "basis", "retention", "agreement", "prompts", "metrics", "labels")
    }
    sides = ("calls", "failed", "stop_reasons", "empty", "refusals", "input_tokens", "output_tokens")
    measured["sides"] = {
        side: {name: summary[name] for name in sides} for side, summary in found["sides"].items()
    }
    measured["texts"] = [
        {side: each[side]["text"] for side in ("student", "teacher")} for each in found["answers"]
    ]
    return measured


@pytest.mark.parametrize("invocation", ["Converse", "InvokeModel"])
def test_a_student_against_the_recorded_teacher_has_the_figures_of_one_against_the_live_teacher(
    cloud, wanted, prompts, invocation
):
    session = cloud.session()
    job = session.apply(session.plan(wanted(invocation=invocation)))
    done = job.wait()
    assert (done.status, done.total, done.answered, done.failed) == ("Completed", 120, 120, 0)
    student = session.model(STUDENT)
    live = bd.evaluate(student, session.model(TEACHER), bd.Prompts(prompts))
    asked = cloud.calls.count("Converse")
    recorded = bd.evaluate(student, session.model(job.arn), bd.Prompts(prompts))
    assert cloud.calls.count("Converse") - asked == 120  # the student's
    assert figures(recorded) == figures(live)
    assert 0.5 < live.retention.value < 1
    assert 0.5 < live.agreement.value < 1
    assert any("were recorded" in remark for remark in recorded.remarks)
    assert not any("were recorded" in remark for remark in live.remarks)


def test_a_base_model_is_measured_against_the_recorded_teacher(cloud, wanted, prompts):
    session = cloud.session()
    teacher = bd.Recorded.from_job(session.attach(run(session, wanted()).arn))
    micro = session.model("amazon.nova-micro-v1:0")
    found = [
        bd.evaluate(micro, each, bd.Prompts(prompts), max_tokens=3, limit=20)
        for each in (session.model(TEACHER), teacher)
    ]
    assert figures(found[0]) == figures(found[1])


def test_answers_become_records_that_answer_as_the_job_does(cloud, wanted, tmp_path):
    session = cloud.session()
    job = run(session, wanted())
    answers = job.answers()
    assert [answer.prompt.prompt_text for answer in answers] == [f"Question {n}?" for n in range(120)]
    write_records(tmp_path / "answers.jsonl", (answer.record for answer in answers))
    kept, live = bd.Recorded.from_file(tmp_path / "answers.jsonl"), session.model(job.arn)
    for answer in answers:
        assert kept.chat(answer.prompt).text == live.chat(answer.prompt).text == teach(answer.prompt)


def test_a_partly_failed_job_counts_its_failed_prompts_as_failed_calls(cloud, wanted, prompts):
    def answer(record):
        if number_of(record) % 10 == 0:
            raise ValueError("out of words")
        return teach(record)

    set_teacher(cloud, answer)
    session = cloud.session()
    job = run(session, wanted())
    state = job.status()
    assert (state.status, state.answered, state.failed) == ("Completed", 108, 12)
    failed = [each for each in job.answers() if each.failed]
    assert {each.error_code for each in failed} == {"RecordError424"}
    assert {number_of(each.prompt) for each in failed} == set(range(0, 120, 10))
    live = bd.evaluate(session.model(STUDENT), session.model(TEACHER), bd.Prompts(prompts), retries=0)
    recorded = bd.evaluate(session.model(STUDENT), session.model(job.arn), bd.Prompts(prompts))
    assert recorded.sides["teacher"].failures == {"RecordError424": 12}
    assert figures(recorded) == figures(live)


def test_prompts_that_the_job_did_not_ask_are_counted_as_not_recorded(cloud, wanted, tmp_path):
    session = cloud.session()
    job = run(session, wanted())
    write_records(tmp_path / "more.jsonl", (Record.of(f"Question {n}?") for n in range(100, 130, 2)))
    report = bd.evaluate(session.model(STUDENT), session.model(job.arn), bd.Prompts(tmp_path / "more.jsonl"))
    assert report.sides["teacher"].failures == {"NotRecorded": 5}


def test_held_out_prompts_with_metadata_are_asked_without_it_and_sliced_by_it(cloud, wanted, prompts):
    lines = [json.loads(line) for line in prompts.read_bytes().splitlines()]
    tenants = ({**line, "requestMetadata": {"tenant": "ab"[n % 2]}} for n, line in enumerate(lines))
    prompts.write_text("\n\n".join(map(json.dumps, tenants)), "utf-8")
    session = cloud.session()
    job = run(session, wanted())
    report = bd.evaluate(
        session.model(STUDENT), session.model(job.arn), bd.Prompts(prompts), slices="metadata.tenant"
    )
    assert report.sides["teacher"].failed == 0
    assert {each.value: each.n for each in report.slices} == {"a": 60, "b": 60}
    prompts.write_text(prompts.read_text("utf-8").replace('"text": "Question 7?"', '"text": " "'), "utf-8")
    with pytest.raises(DataError) as caught:
        session.plan(wanted())
    assert caught.value.offences[0].line == 15  # with the blank ones between
