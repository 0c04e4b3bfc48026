"""`bedrock-distill batch`, the job file of a batch inference job, and an evaluation against recorded answers."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.local.teachers import as_teacher
from bedrock_distill.records.reading import read_records
from bedrock_distill.resources import BatchJob

TEACHER = "amazon.nova-pro-v1:0"
CREATE = (
    "batch",
    "prompts.jsonl",
    "--model",
    TEACHER,
    "--to",
    "s3://local-bucket/batch/",
    "--name",
    "topics",
)


@pytest.fixture
def job(document):
    return document(*CREATE, "--yes")["arn"]


def test_a_job_is_planned_made_watched_and_read(run, document, folder):
    dry = document(*CREATE, "--dry-run")
    assert (dry["kind"], document("batch", "list")) == ("batch", [])
    code, printed, said = run(*CREATE)
    assert (code, printed) == (2, "")
    assert "--yes" in said

    code, printed, said = run(*CREATE, "--yes")
    assert code == 0, said
    arn = printed.strip()
    assert "made  Stage 120 requests" in said
    assert ": Completed" in said
    assert run(*CREATE)[:2] == (0, printed)  # there is nothing left to pay for
    (listed,) = document("batch", "list", "--name", "topics", "--status", "Completed")
    assert listed["jobArn"] == arn
    _, table, _ = run("batch", "list")
    assert table.splitlines()[0].split() == ["job", "status", "records", "errors", "submitted", "arn"]
    assert document("batch", "show", arn)["successRecordCount"] == 120
    assert "Completed" in run("batch", "show", arn.rpartition("/")[2])[1]
    assert document("batch", "wait", arn) == {"arn": arn, "status": "Completed", "reason": ""}

    got = document("batch", "answers", arn, "--out", "answers.jsonl")
    assert got == {
        "arn": arn,
        "out": "answers.jsonl",
        "answered": 120,
        "failed": 0,
        "errors": {},
        "not_asked": 0,
    }
    records = list(read_records(folder / "answers.jsonl"))
    assert [record.prompt_text for record in records] == [f"Question {n}?" for n in range(120)]
    assert {record.completion for record in records} == {"billing"}
    assert run("batch", "answers", arn, "--out", "a.jsonl")[1] == "120 answers written to a.jsonl\n"


def test_options_become_the_fields_of_the_plan(document):
    role = "arn:aws:iam::123456789012:role/mine"
    more = ("--system", "Be brief.", "--max-tokens", "9", "--temperature", "none", "--role", role)
    plan = document(*CREATE, *more, "--timeout-hours", "48", "--invocation", "InvokeModel", "--dry-run")
    stage, create, _ = plan["steps"]
    assert stage["form"] == {
        "invocation": "InvokeModel",
        "body": "nova",
        "system": "Be brief.",
        "max_tokens": 9,
        "temperature": None,
    }
    assert (create["request"]["roleArn"], create["request"]["timeoutDurationInHours"]) == (role, 48)


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--timeout-hours", "12"), 2, "24<=x<=168"),
        (("--invocation", "Chat"), 2, "InvokeModel"),
        (("--temperature", "warm"), 2, "neither a number"),
        (("--role", "mine"), 2, "role's own ARN"),
        (("--to", "s3://no-such-bucket/"), 2, "no-bucket"),
        (("--to", "s3://no-such-bucket/"), 2, "`bedrock-distill apply --force` it"),
        (
            ("--model", "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"),
            2,
            "no imported models",
        ),
        (("--model", "acme.unknown-v1:0", "--yes"), 5, "model identifier is invalid"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(run, document, more, code, says):
    left, printed, said = run(*CREATE, *more)
    assert (left, printed) == (code, ""), said
    assert says in said
    assert document("batch", "list") == []


def test_a_job_file_is_planned_and_applied(document, folder):
    (folder / "batch.toml").write_text(
        f'[batch]\nname = "topics"\nmodel = "{TEACHER}"\ndata = "prompts.jsonl"\noutput = "s3://local-bucket/batch/"\n'
    )
    plan = document("plan", "batch.toml", "--out", "plan.json")
    assert plan["kind"] == "batch"
    done = document("apply", "plan.json", "--yes", "--wait")
    assert (done["status"], done["reason"]) == ("Completed", "")
    assert document("apply", "batch.toml")["arn"] == done["arn"]


def test_a_student_is_evaluated_against_recorded_answers_at_the_price_of_their_model(
    run, document, cloud, folder, job
):
    (folder / "prices.toml").write_text(
        "".join(
            f'[[price]]\nmodel = "{TEACHER}"\nkind = "{kind}_1k_tokens"\nusd = 1.0\nsource = "x"\nas_of = 2026-11-01\n'
            for kind in ("input", "output")
        )
    )
    words = ("evaluate", "--student", TEACHER, "--data", "prompts.jsonl", "--catalog", "prices.toml")
    asked = cloud.calls.count("Converse")
    recorded = document(*words, "--teacher", job)
    assert cloud.calls.count("Converse") - asked == 120
    live = document(*words, "--teacher", TEACHER)
    assert recorded["retention"] == live["retention"]
    assert recorded["agreement"] == live["agreement"]
    costs = [each["sides"]["teacher"]["cost_usd"] for each in (recorded, live)]
    assert costs[0] == costs[1] > 0
    assert recorded["sides"]["teacher"]["spent_usd"] == 0
    assert "were recorded" in run(*words, "--teacher", job)[1]


def test_a_recorded_answer_is_shown_by_chat_and_another_prompt_exits_with_5(run, job):
    code, printed, said = run("chat", job, "Question 7?", "-v")
    assert (code, printed) == (0, "billing\n"), said
    assert "recorded" in said
    code, _, said = run("chat", job, "Another?")
    assert code == 5
    assert "holds no answer to 'Another?'" in said


def test_failed_records_are_counted_and_left_out(run, document, cloud):
    def answer(record):
        if record.prompt_text in ("Question 3?", "Question 4?"):
            raise ValueError("out of words")
        return "" if record.prompt_text == "Question 5?" else "billing"

    cloud.world.teachers = {TEACHER: as_teacher(answer)}
    code, printed, said = run(*CREATE, "--yes")
    assert code == 0
    assert "Completed: 118 of 120 records have an answer, 2 failed" in said
    arn = printed.strip()
    got = document("batch", "answers", arn, "--out", "answers.jsonl")
    assert (got["answered"], got["failed"]) == (117, 3)
    assert got["errors"] == {"RecordError424": 2, "EmptyAnswer": 1}
    assert (
        "3 records have none (RecordError424 2x, EmptyAnswer 1x)"
        in run("batch", "answers", arn, "--out", "answers.jsonl")[1]
    )


def test_a_stopped_job_exits_with_1_and_one_that_runs_with_4(run, document, cloud):
    cloud.clock.mode = "polls"
    _, printed, _ = run(*CREATE, "--yes", "--no-wait")
    arn = printed.strip()
    code, printed, said = run("batch", "answers", arn, "--out", "answers.jsonl")
    assert (code, printed) == (4, "")
    assert "batch wait" in said
    code, printed, _ = run("batch", "wait", arn, "--timeout", "1s")
    assert code == 4
    assert document("batch", "stop", arn) == {"arn": arn, "status": "Stopping"}
    code, printed, said = run("batch", "wait", arn, "--output", "json")
    assert (code, json.loads(printed)["status"]) == (1, "Stopped")
    code, _, said = run("batch", "answers", arn, "--out", "answers.jsonl")
    assert code == 1
    assert "has written no answers" in said
    assert run("batch", "stop", arn)[0] == 5
    cloud.clock.mode = "instant"


def test_who_interrupts_is_told_that_what_was_made_stays(run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(BatchJob, "wait", interrupted)
    code, _, said = run(*CREATE, "--yes")
    assert (code, "What was done stays done" in said) == (130, True)


def test_a_job_that_is_not_there_exits_with_5_and_an_arn_of_something_else_with_2(run):
    assert run("batch", "show", "abcdefghijkl")[0] == 5
    code, _, said = run("batch", "wait", "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl")
    assert (code, "not a batch inference job" in said) == (2, True)


def test_answers_that_cannot_be_written_exit_with_2(run, folder, job):
    (folder / "taken").mkdir()
    (folder / "taken" / "x").touch()
    code, _, said = run("batch", "answers", job, "--out", "taken/x/answers.jsonl")
    assert (code, "Could not write" in said) == (2, True)
