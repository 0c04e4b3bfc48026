"""`evaluate --runner bedrock` and `evaluate-jobs` on the local cloud: what is asked for, printed, written and exited with."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import botocore.session
import pytest

from bedrock_distill.cli.evaluate_bedrock import _BEDROCKS, _OWN, _TASKS
from bedrock_distill.cli.evaluate_jobs import _STATUSES
from bedrock_distill.local import Fault
from bedrock_distill.local.teachers import FunctionTeacher
from bedrock_distill.records import Record, encode_record
from bedrock_distill.resources.evaluation_job.metrics import SENT_AS

TEACHER, STUDENT, JUDGE = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"


@pytest.fixture
def words(cloud, folder):
    """The words of an evaluation: the teacher is always right, the student on nine of ten."""

    def student(record):
        return "shipping" if record.prompt_text.endswith("7?") else "billing"

    def judge(record):
        return f"Score: {float('Response:' + chr(10) + 'billing' in record.prompt_text)}"

    cloud.world.teachers = {
        **cloud.world.teachers,
        STUDENT: FunctionTeacher(student),
        JUDGE: FunctionTeacher(judge),
    }
    lines = [json.loads(encode_record(Record.of(f"Is {n}?", completion="billing"))) for n in range(100)]
    told = [{**line, "requestMetadata": {"tenant": "ab"[n % 2]}} for n, line in enumerate(lines)]
    (folder / "heldout.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in told))
    return (
        "evaluate",
        *("--runner", "bedrock", "--student", STUDENT, "--teacher", TEACHER, "--data", "heldout.jsonl"),
        *("--output-uri", "s3://local-bucket/evaluation/"),
    )


def test_the_gate_s_exit_codes_and_every_report_file_are_those_of_our_own_runner(run, words, folder):
    code, printed, said = run(*words, "--yes", "--min-retention", "0.8")
    assert code == 0, said
    assert "Scored by Amazon Bedrock's evaluation jobs" in printed
    assert "Gate passed" in printed
    assert "made  Create the evaluation job evaluation-student-" in said
    files = ("--report", "report", "--junit", "out/junit.xml", "--markdown", "out/summary.md")
    code, printed, said = run(
        *words,
        "--yes",
        "--min-retention",
        "0.95",
        "--slice",
        "metadata.tenant",
        *files,
        "--category",
        "tenant",
    )
    assert code == 3
    assert "95.00% was asked for" in said
    document = json.loads((folder / "report/report.json").read_text("utf-8"))
    assert document["verdict"]["passed"] is False
    assert document["retention"]["value"] == 0.9
    assert {each["value"]: each["retention"]["value"] for each in document["slices"]} == {"a": 1.0, "b": 0.8}
    assert ET.parse(folder / "out/junit.xml").getroot().get("failures") == "1"
    assert "Gate failed" in (folder / "out/summary.md").read_text("utf-8")


def test_a_judge_scores_and_the_document_is_json(document, words):
    found = document(
        *words, "--yes", "--judge", JUDGE, "--bedrock-metric", "Builtin.Correctness", "--limit", "20"
    )
    assert (found["metric"], found["basis"]) == ("Builtin.Correctness", "grades")
    assert found["retention"]["value"] == 0.9
    assert found["method"]["scored_by"].endswith(f"with {JUDGE} as judge")


def test_nothing_is_made_without_consent(run, document, words):
    code, printed, said = run(*words)
    assert (code, printed) == (2, "")
    assert "give --yes to consent" in said
    assert document("evaluate-jobs", "list") == []


def test_nothing_is_asked_for_a_job_that_cannot_ask_without_consent(run, words, cloud):
    deployment = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
    code, _, said = run(*words, "--judge", JUDGE, "--student", deployment)
    assert code == 2
    assert "give --yes to consent" in said
    assert cloud.calls.count("Converse") == 0


def test_a_plan_that_cannot_work_makes_nothing(run, document, words):
    code, _, said = run(*words, "--yes", "--bedrock-metric", "Builtin.Wit")
    assert code == 2
    assert "metric-unknown" in said
    assert document("evaluate-jobs", "list") == []


@pytest.mark.parametrize(
    "given",
    [
        ("--base", "x"),
        ("--metric", "token_f1"),
        ("--cache", "c"),
        ("--system", "s"),
        ("--rpm", "1"),
        ("--tpm", "1"),
        ("--stream",),
        ("--rubric", "job.toml", "--judge", JUDGE),
    ],
)
def test_options_of_the_other_runner_are_refused(run, words, given):
    code, _, said = run(*words, "--yes", *given)
    assert code == 2
    assert f"{given[0]} is not an option of Bedrock's evaluation jobs" in said


@pytest.mark.parametrize("option", sorted(_BEDROCKS.values()))
def test_options_of_bedrock_need_its_runner(run, words, option):
    own = ("evaluate", "--student", STUDENT, "--teacher", TEACHER, "--data", "heldout.jsonl")
    code, _, said = run(*own, option, "General")
    assert code == 2
    assert "give --runner bedrock as well" in said
    assert "needs --output-uri" in run(*own, "--runner", "bedrock")[2]


def test_a_failed_job_exits_with_1_and_one_that_takes_too_long_with_4(run, cloud, words):
    cloud.faults.add(Fault(operation="CreateEvaluationJob", times=1, code="AccessDeniedException"))
    assert run(*words, "--yes")[0] == 5
    cloud.clock.mode = "polls"
    cloud.clock.polls = 100
    assert run(*words, "--yes", "--timeout", "1s", "--name", "slow")[0] == 4


def test_jobs_are_listed_shown_read_waited_for_stopped_and_deleted(run, document, words, cloud):
    assert run(*words, "--yes", "--limit", "10")[0] == 0
    listed = document("evaluate-jobs", "list", "--name", "Student")
    (name,) = [job["jobName"] for job in listed]
    arn = listed[0]["jobArn"]
    assert run("evaluate-jobs", "list")[1].splitlines()[0].split() == [
        *("job", "status", "model", "judge", "created", "arn")
    ]
    assert document("evaluate-jobs", "show", name)["jobArn"] == arn
    shown = run("evaluate-jobs", "show", arn)[1]
    assert "Builtin.Accuracy" in shown
    assert STUDENT in shown
    results = document("evaluate-jobs", "results", name)
    assert [each["scores"]["Builtin.Accuracy"] for each in results].count(0.0) == 1
    assert run("evaluate-jobs", "results", name)[1].splitlines()[0].split() == [
        "prompt",
        "answer",
        "Builtin.Accuracy",
    ]
    assert document("evaluate-jobs", "wait", name) == {"arn": arn, "status": "Completed", "reason": ""}
    assert run("evaluate-jobs", "stop", name)[0] == 5
    assert document("evaluate-jobs", "delete", name) == {"deleted": arn}
    assert document("evaluate-jobs", "delete", name) == {"deleted": None}
    assert run("evaluate-jobs", "show", name)[0] == 5


def test_names_that_are_spelt_out_are_those_of_the_library_and_the_service():
    model = botocore.session.get_session().get_service_model("bedrock")
    assert list(_STATUSES) == model.shape_for("EvaluationJobStatus").enum
    assert tuple(SENT_AS) == _TASKS
    from bedrock_distill.cli.evaluate import command

    options = {option.name: option.opts for option in command.params}
    assert all(spelt in options[name] for name, spelt in {**_BEDROCKS, **_OWN}.items())


def test_a_job_file_is_planned_and_applied(document, words, folder):
    (folder / "evaluation.toml").write_text(
        f"""
[evaluation]
name = "student"
model = "{STUDENT}"
data = "heldout.jsonl"
output = "s3://local-bucket/evaluation/"
"""
    )
    plan = document("plan", "evaluation.toml")
    assert plan["kind"] == "evaluation"
    done = document("apply", "evaluation.toml", "--yes", "--wait")
    assert (done["status"], "model_arn" in done) == ("Completed", False)
    assert [job["jobArn"] for job in document("evaluate-jobs", "list")] == [done["arn"]]
