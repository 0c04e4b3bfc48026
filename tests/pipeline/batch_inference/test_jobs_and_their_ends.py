"""Batch inference jobs that are under way, stopped, cut off or over; their output, and how they are found."""

from __future__ import annotations

import json
import runpy
import threading
from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import (
    ConflictError,
    DataError,
    JobFailedError,
    NotFoundError,
    SpecError,
    WaitTimeoutError,
)

_triage = runpy.run_path(str(Path(__file__).parent / "triage.py"))
STUDENT, number_of, teach, set_teacher, run = (
    _triage[name] for name in ("STUDENT", "number_of", "teach", "set_teacher", "run")
)


@pytest.fixture
def polls(cloud):
    """The clock moves with each look at a job, until the test is over."""
    cloud.clock.mode = "polls"
    yield
    cloud.clock.mode = "instant"


# Ends -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("polls")
def test_answers_are_not_to_be_had_before_the_job_is_over(cloud, wanted):
    session = cloud.session()
    job = session.apply(session.plan(wanted()))
    with pytest.raises(WaitTimeoutError, match=f"batch wait {job.arn}") as caught:
        session.model(job.arn)
    assert caught.value.status == "Submitted"
    with pytest.raises(WaitTimeoutError, match="It goes on"):
        job.wait(timeout_s=1)


@pytest.mark.usefixtures("polls")
def test_a_job_that_expired_says_so(cloud, wanted):
    session = cloud.session()
    job = session.apply(session.plan(wanted(timeout_hours=24)))
    while job.status().status != "Scheduled":
        pass
    cloud.clock.sleep(25 * 3600)
    with pytest.raises(JobFailedError, match=r"ended as Expired: .*within its 24 hours"):
        job.wait()


@pytest.mark.usefixtures("polls")
def test_a_job_whose_time_is_up_in_the_middle_ends_with_the_answers_it_has(cloud, wanted, prompts):
    def slowly(record):
        cloud.clock.sleep(13 * 3600)
        return teach(record)

    set_teacher(cloud, slowly)
    session = cloud.session()
    job = session.apply(session.plan(wanted(timeout_hours=24)))
    answers = job.result()
    state = job.status()
    assert (state.status, state.succeeded) == ("PartiallyCompleted", True)
    assert 0 < len(answers) == state.answered < state.total == 120
    report = bd.evaluate(session.model(STUDENT), session.model(job.arn), bd.Prompts(prompts))
    assert report.sides["teacher"].failures == {"NotRecorded": 120 - len(answers)}


@pytest.mark.usefixtures("polls")
def test_a_stopped_job_keeps_its_answers_and_cannot_be_stopped_twice(cloud, wanted):
    stopped = threading.Event()

    def answer(record):
        if number_of(record) == 60:
            job.stop()
            stopped.set()
        elif number_of(record) > 60:
            assert stopped.wait(30)
        return teach(record)

    set_teacher(cloud, answer)
    session = cloud.session()
    job = session.apply(session.plan(wanted()))
    seen = [state.status for state in job.events()]
    assert seen == ["Submitted", "Validating", "Scheduled", "InProgress", "Stopped"]
    assert 0 < len(job.answers()) == job.status().answered < 120
    assert "Question 0?" in {each.prompt.prompt_text for each in job.answers()}
    with pytest.raises(ConflictError):
        job.stop()


# Output ---------------------------------------------------------------------------------------------------------


def written(cloud, job):
    """A client of S3, and where the job's answers lie in it."""
    s3 = cloud.boto3_session().client("s3")
    found = s3.list_objects_v2(Bucket="acme-ml", Prefix=f"batch/{job.arn.rpartition('/')[2]}/")["Contents"]
    (key,) = (item["Key"] for item in found if item["Key"].endswith(".jsonl.out"))
    return s3, {"Bucket": "acme-ml", "Key": key}


def test_output_that_was_deleted_is_said_to_be(cloud, wanted):
    session = cloud.session()
    job = run(session, wanted())
    s3, where = written(cloud, job)
    s3.delete_object(**where)
    with pytest.raises(DataError, match=f"no .*out under s3://acme-ml/batch/{job.arn.rpartition('/')[2]}/"):
        job.answers()


def test_output_of_which_a_part_is_missing_is_warned_of(cloud, wanted, caplog):
    job = run(cloud.session(), wanted())
    assert len(job.answers()) == 120
    assert not caplog.records
    s3, where = written(cloud, job)
    lines = s3.get_object(**where)["Body"].read().splitlines(keepends=True)
    s3.put_object(**where, Body=b"".join(lines[:50]))
    assert len(job.answers()) == 50
    assert "processed 120 records, and 50 are in its output" in caplog.text


def test_output_of_which_every_prompt_is_an_image_answers_nothing(cloud, wanted):
    session = cloud.session()
    job = run(session, wanted())
    s3, where = written(cloud, job)
    image = {"messages": [{"role": "user", "content": [{"image": {"format": "png"}}]}]}
    said = {"output": {"message": {"content": [{"text": "a cat"}]}}}
    line = {"recordId": "A", "modelInput": image, "modelOutput": said}
    s3.put_object(**where, Body=json.dumps(line).encode())
    with pytest.raises(DataError, match="no prompt of text alone"):
        session.model(job.arn)


# Names ----------------------------------------------------------------------------------------------------------


def test_a_job_is_found_by_its_arn_by_the_last_part_of_it_and_by_its_name(cloud, wanted):
    session = cloud.session()
    job = run(session, wanted())
    assert session.batch(job.arn) == session.batch(job.arn.rpartition("/")[2]) == job
    assert session.batch(job.status().name) == job
    assert [each["jobArn"] for each in session.batches(status="Completed", name_contains="triage")] == [
        job.arn
    ]
    assert session.batches(status="Failed") == []
    for unknown in ("abcdefghijkl", "triage", ""):
        with pytest.raises(NotFoundError, match="batch list"):
            session.batch(unknown)
    with pytest.raises(SpecError, match="--region us-west-2"):
        session.model(job.arn.replace("us-east-1", "us-west-2"))
    with pytest.raises(SpecError, match="not a deployment"):
        session.deployment(job.arn)
