"""Batch inference jobs: what is asked of their input, who answers, what is written, and how they end."""

from __future__ import annotations

import dataclasses
import json
import runpy
import threading
from pathlib import Path

import msgspec
import pytest

from bedrock_distill.local.students import weights_dir
from bedrock_distill.local.teachers import FunctionTeacher
from bedrock_distill.train.base import make_base
from bedrock_distill.train.config import SIZES

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
ACCOUNT, TEACHER = _stage["ACCOUNT"], _stage["TEACHER"]
MICRO = "amazon.nova-micro-v1:0"


@pytest.fixture
def stage(shared):
    shared.empty().batcher()
    shared.batch_input()
    return shared


@pytest.fixture
def polls(stage):
    """The stage under the clock that moves with each look."""
    stage.cloud.clock.mode = "polls"
    yield stage
    stage.cloud.clock.mode = "instant"


def statuses(stage, arn, count):
    return [stage.bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] for _ in range(count)]


def counts(job):
    names = ("totalRecordCount", "processedRecordCount", "successRecordCount", "errorRecordCount")
    return tuple(job[name] for name in names)


def manifest(stage, job):
    return json.loads(stage.read(f"answers/{job['jobArn'].rpartition('/')[2]}/manifest.json.out"))


# Answers --------------------------------------------------------------------------------------------------------


def test_every_record_is_answered_with_its_input_and_the_whole_is_counted(stage):
    job = stage.batch()
    assert job["status"] == "Completed"
    assert counts(job) == (100, 100, 100, 0)
    lines = stage.output_lines(job)
    assert set(lines) == {f"REC{n:08}" for n in range(100)}
    line = lines["REC00000007"]
    assert line["modelInput"]["messages"][0]["content"][0]["text"] == "Question 7?"
    assert (
        line["modelOutput"]["output"]["message"]["content"][0]["text"],
        line["modelOutput"]["stopReason"],
    ) == ("Answer to: Question 7?", "end_turn")
    tokens = [line["modelOutput"]["usage"] for line in lines.values()]
    assert manifest(stage, job) == {
        "totalRecordCount": 100,
        "processedRecordCount": 100,
        "successRecordCount": 100,
        "errorRecordCount": 0,
        "inputTokenCount": sum(used["inputTokens"] for used in tokens),
        "outputTokenCount": sum(used["outputTokens"] for used in tokens),
    }


def test_the_output_is_in_no_order_that_anybody_could_rely_on(stage):
    assert list(stage.output_lines(stage.batch())) != [f"REC{n:08}" for n in range(100)]


def test_records_of_invoke_model_are_bodies_of_the_family(stage):
    body = {"schemaVersion": "messages-v1", "inferenceConfig": {"maxTokens": 20}}
    stage.batch_input(
        ask=lambda n: {**body, "messages": [{"role": "user", "content": [{"text": f"Question {n}?"}]}]}
    )
    job = stage.batch(modelInvocationType=None)
    assert (job["status"], job["modelInvocationType"]) == ("Completed", "InvokeModel")
    output = stage.output_lines(job)["REC00000000"]["modelOutput"]
    assert output["output"]["message"]["content"] == [{"text": "Answer to: Question 0?"}]


def test_a_record_that_the_model_does_not_take_or_fails_at_has_an_error_and_the_job_completes(stage):
    def answer(record):
        if record.prompt_text == "Question 3?":
            raise ValueError("out of words")
        return "yes"

    stage.world.teachers = {TEACHER: FunctionTeacher(answer)}
    bad = {"recordId": "BAD00000001", "modelInput": {"messages": [{"role": "user", "content": []}]}}
    worse = {"recordId": "BAD00000002", "modelInput": {"inferenceConfig": {"maxTokens": 0}}}
    stage.batch_input(lines=[json.dumps(bad), json.dumps(worse)])
    job = stage.batch()
    assert job["status"] == "Completed"
    assert counts(job) == (102, 102, 99, 3)
    lines = stage.output_lines(job)
    failed = {name: line["error"] for name, line in lines.items() if "modelOutput" not in line}
    assert {name: error["errorCode"] for name, error in failed.items()} == {
        "REC00000003": 424,
        "BAD00000001": 400,
        "BAD00000002": 400,
    }
    assert "out of words" in failed["REC00000003"]["errorMessage"]
    assert "maxTokens" in failed["BAD00000002"]["errorMessage"]
    assert lines["BAD00000001"]["modelInput"] == bad["modelInput"]
    assert manifest(stage, job)["errorRecordCount"] == 3


def test_a_record_without_an_id_is_given_one(stage):
    asked = {"messages": [{"role": "user", "content": [{"text": "Nameless?"}]}]}
    stage.batch_input(lines=[json.dumps({"modelInput": asked})])
    job = stage.batch()
    (name,) = set(stage.output_lines(job)) - {f"REC{n:08}" for n in range(100)}
    assert len(name) == 12
    assert name.isalnum()


def test_a_folder_of_files_is_one_job_with_an_output_for_each(stage):
    stage.batch_input(60, key="in/many/a.jsonl")
    stage.batch_input(40, key="in/many/deep/b.jsonl")
    stage.put("in/many/notes.txt", "not a record")
    job = stage.batch(inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://acme/in/many/"}})
    assert counts(job) == (100, 100, 100, 0)
    assert len(stage.output_lines(job, "a.jsonl")) == 60
    assert len(stage.output_lines(job, "deep/b.jsonl")) == 40


def test_a_base_model_and_a_custom_model_that_is_not_deployed_answer_by_their_weights(stage):
    stage.batch_input(
        ask=lambda n: {
            "messages": [{"role": "user", "content": [{"text": f"Question {n}?"}]}],
            "inferenceConfig": {"maxTokens": 2, "temperature": 0},
        }
    )
    base = stage.batch("base", modelId=MICRO)
    assert counts(base) == (100, 100, 100, 0), base
    stage.role()
    stage.prompts()
    model = stage.model()
    make_base(SIZES["tiny"], weights_dir(stage.world, model), seed=3)
    custom = stage.batch("custom", modelId=model)
    assert counts(custom) == (100, 100, 100, 0), stage.output_lines(custom)["REC00000000"]
    used = stage.output_lines(custom)["REC00000000"]["modelOutput"]["usage"]
    assert used["outputTokens"] == 2


def test_a_profile_needs_a_role_that_may_invoke_it(stage):
    partition = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.{TEACHER}"
    may = {
        "Effect": "Allow",
        "Action": "bedrock:InvokeModel",
        "Resource": [partition, f"arn:aws:bedrock:*::foundation-model/{TEACHER}"],
    }
    stage.batcher("through", statements=[*stage.statements(), may])
    job = stage.batch(modelId=f"us.{TEACHER}", roleArn=f"arn:aws:iam::{ACCOUNT}:role/through")
    assert job["status"] == "Completed"


def test_the_answers_are_encrypted_with_the_key_that_was_named(stage):
    key = stage.cloud.boto3_session().client("kms").create_key()["KeyMetadata"]["Arn"]
    output = {"s3OutputDataConfig": {"s3Uri": "s3://acme/answers/", "s3EncryptionKeyId": key}}
    token = stage.batch(outputDataConfig=output)["jobArn"].rpartition("/")[2]
    head = stage.s3.head_object(Bucket="acme", Key=f"answers/{token}/batch.jsonl.out")
    assert head["SSEKMSKeyId"] == key


# Validation -----------------------------------------------------------------------------------------------------

LINE = '{"recordId": "A", "modelInput": {}}'
BAD_INPUTS = {
    "too few": ((99, ()), "contains less records (99) than the required minimum of: 100"),
    "not JSON": ((100, ("{",)), "batch.jsonl, line 101 is not valid JSON"),
    "no object": ((100, ("[]",)), "is not a JSON object"),
    "no input": ((100, ('{"recordId": "A"}',)), "has no modelInput"),
    "an input that is a text": ((100, ('{"modelInput": "Hello"}',)), "has no modelInput"),
    "an id that is a number": ((100, ('{"recordId": 7, "modelInput": {}}',)), "recordId that is no text: 7"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_an_input_that_breaks_a_rule_fails_the_job_in_validation(stage, case):
    (count, lines), words = BAD_INPUTS[case]
    stage.batch_input(count, lines=lines)
    job = stage.batch()
    assert job["status"] == "Failed"
    assert words in job["message"]
    assert "totalRecordCount" not in job
    assert not stage.objects(f"answers/{job['jobArn'].rpartition('/')[2]}")


@pytest.mark.parametrize(
    ("quota", "value", "words"),
    [
        ("batch_max_records", 50, "contains more records (100) than the allowed maximum of: 50"),
        ("batch_max_file_bytes", 1000, "and may have 1000"),
        ("batch_max_job_bytes", 1000, "and may have 1000"),
    ],
)
def test_an_input_beyond_a_quota_fails_the_job(stage, monkeypatch, quota, value, words):
    catalog = stage.world.catalog
    quotas = [
        msgspec.structs.replace(
            row, value=value if row.name == quota else row.value if row.name != "batch_min_records" else 1
        )
        for row in catalog.quotas
    ]
    monkeypatch.setattr(stage.world, "catalog", dataclasses.replace(catalog, quotas=tuple(quotas)))
    job = stage.batch()
    assert job["status"] == "Failed"
    assert words in job["message"]


def test_a_file_that_is_not_named_jsonl_fails_the_job(stage):
    stage.batch_input(key="in/batch.json")
    job = stage.batch(inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://acme/in/batch.json"}})
    assert (job["status"], "must be a .jsonl file" in job["message"]) == ("Failed", True)


def test_what_is_taken_away_while_a_job_waits_fails_it(polls):
    arn = polls.start_batch()
    polls.s3.delete_object(Bucket="acme", Key="in/batch.jsonl")
    assert statuses(polls, arn, 3) == ["Submitted", "Validating", "Failed"]
    job = polls.bedrock.get_model_invocation_job(jobIdentifier=arn)
    assert job["message"].startswith("Could not validate GetObject permissions")


def test_a_role_that_is_deleted_while_a_job_waits_fails_it(polls):
    arn = polls.start_batch()
    polls.iam.delete_role_policy(RoleName="batcher", PolicyName="inline")
    polls.iam.delete_role(RoleName="batcher")
    assert statuses(polls, arn, 3)[-1] == "Failed"
    assert "Could not assume" in polls.bedrock.get_model_invocation_job(jobIdentifier=arn)["message"]


# States ---------------------------------------------------------------------------------------------------------


def test_under_the_polls_clock_a_job_shows_each_of_its_states(polls):
    arn = polls.start_batch()
    expected = ["Submitted", "Validating", "Scheduled", "InProgress", "Completed", "Completed"]
    assert statuses(polls, arn, 6) == expected


def test_a_stopped_job_ends_as_stopped_and_cannot_be_stopped_again(polls):
    arn = polls.start_batch()
    polls.bedrock.stop_model_invocation_job(jobIdentifier=arn)
    polls.bedrock.stop_model_invocation_job(jobIdentifier=arn.rpartition("/")[2])
    assert statuses(polls, arn, 2) == ["Stopping", "Stopped"]
    with pytest.raises(polls.bedrock.exceptions.ConflictException, match="its status is Stopped"):
        polls.bedrock.stop_model_invocation_job(jobIdentifier=arn)


def test_a_job_that_is_stopped_in_the_middle_keeps_what_was_answered(polls):
    arn = polls.start_batch()
    stopped = threading.Event()

    def answer(record):
        number = int(record.prompt_text.split()[1].rstrip("?"))
        if number == 40:
            polls.bedrock.stop_model_invocation_job(jobIdentifier=arn)
            stopped.set()
        elif number > 40:
            assert stopped.wait(30)
        return "yes"

    polls.world.teachers = {TEACHER: FunctionTeacher(answer)}
    assert statuses(polls, arn, 5)[-1] == "Stopped"
    job = polls.bedrock.get_model_invocation_job(jobIdentifier=arn)
    assert 0 < job["processedRecordCount"] < 100
    assert len(polls.output_lines(job)) == job["successRecordCount"] == job["processedRecordCount"]


def test_a_job_whose_turn_comes_too_late_has_expired(polls):
    arn = polls.start_batch(timeoutDurationInHours=48)
    assert statuses(polls, arn, 3)[-1] == "Scheduled"
    polls.cloud.clock.sleep(49 * 3600)
    assert statuses(polls, arn, 1) == ["Expired"]
    job = polls.bedrock.get_model_invocation_job(jobIdentifier=arn)
    assert "48 hours" in job["message"]
    assert (job["jobExpirationTime"] - job["submitTime"]).total_seconds() == 48 * 3600


def test_a_job_whose_time_is_up_in_the_middle_has_partly_completed(polls):
    def slowly(_):
        polls.cloud.clock.sleep(13 * 3600)
        return "yes"

    polls.world.teachers = {TEACHER: FunctionTeacher(slowly)}
    arn = polls.start_batch()
    assert statuses(polls, arn, 5)[-1] == "PartiallyCompleted"
    job = polls.bedrock.get_model_invocation_job(jobIdentifier=arn)
    assert 0 < job["processedRecordCount"] < job["totalRecordCount"] == 100
    assert len(polls.output_lines(job)) == manifest(polls, job)["successRecordCount"]


# Requests -------------------------------------------------------------------------------------------------------


def test_the_same_token_makes_one_job_and_another_request_with_it_is_refused(stage):
    first = stage.start_batch(clientRequestToken="once")
    assert stage.start_batch(clientRequestToken="once") == first
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="other parameters"):
        stage.start_batch("other", clientRequestToken="once")
    assert len(stage.bedrock.list_model_invocation_jobs()["invocationJobSummaries"]) == 1


def test_jobs_are_listed_by_every_filter(stage):
    for name in ("alpha", "beta", "beta-2"):
        stage.batch(name)
    stage.batch_input(1)
    stage.batch("few")

    def listed(**filters):
        found = stage.bedrock.list_model_invocation_jobs(**filters)["invocationJobSummaries"]
        return [job["jobName"] for job in found]

    assert listed() == ["few", "beta-2", "beta", "alpha"]
    assert listed(sortOrder="Ascending") == ["alpha", "beta", "beta-2", "few"]
    assert listed(nameContains="beta") == ["beta-2", "beta"]
    assert listed(statusEquals="Failed") == ["few"]
    newest = stage.bedrock.list_model_invocation_jobs()["invocationJobSummaries"][0]["submitTime"]
    assert listed(submitTimeBefore=newest) == ["beta-2", "beta", "alpha"]
    page = stage.bedrock.list_model_invocation_jobs(maxResults=3)
    assert [len(page["invocationJobSummaries"]), len(listed(maxResults=3, nextToken=page["nextToken"]))] == [
        3,
        1,
    ]


def test_a_job_carries_its_tags(stage):
    arn = stage.start_batch(tags=[{"key": "team", "value": "a"}])
    stage.bedrock.tag_resource(resourceARN=arn, tags=[{"key": "cost", "value": "b"}])
    tags = stage.bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {"team": "a", "cost": "b"}
