"""EMR Serverless in the local cloud: runs of a driver that is no Spark, their states, and why they fail."""

from __future__ import annotations

import gzip
import runpy
import threading
from pathlib import Path

import pytest

from bedrock_distill.local.services.emr_serverless.running import RunFailure

_stage = runpy.run_path(str(Path(__file__).parent / "emr_stage.py"))
TRUST, READS_AND_WRITES, Driver, application, ended, make_role, refusal, role_arn, settled, submit = (
    _stage[name]
    for name in (
        "TRUST",
        "READS_AND_WRITES",
        "Driver",
        "application",
        "ended",
        "make_role",
        "refusal",
        "role_arn",
        "settled",
        "submit",
    )
)


def test_a_run_passes_through_its_states_look_by_look_and_starts_its_application(open_emr):
    driver = Driver()
    _, emr = open_emr(driver, clock="polls")
    made = application(emr)
    for _ in range(2):
        emr.get_application(applicationId=made)
    run = emr.start_job_run(**submit(made, name="r", tags={"a": "b"}))

    def look():
        return emr.get_job_run(applicationId=made, jobRunId=run["jobRunId"])["jobRun"]

    assert [look()["state"] for _ in range(5)] == ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS"]
    told = look()
    assert (told["name"], told["tags"], told["createdBy"]) == (
        "r",
        {"a": "b"},
        "arn:aws:sts::123456789012:user/moto",
    )
    assert told["startedAt"] <= told["endedAt"]
    assert told["billedResourceUtilization"]["vCPUHour"] >= 0
    assert emr.get_application(applicationId=made)["application"]["state"] == "STARTED"


def test_the_driver_gets_the_entry_point_its_arguments_and_a_door(open_emr):
    driver = Driver()
    cloud, emr = open_emr(driver)
    made = application(emr)
    job = {"sparkSubmit": {"entryPoint": "s3://acme-ml/jobs/entry.py", "entryPointArguments": ["a", "b c"]}}
    ended(cloud, emr, made, jobDriver=job)
    (work,) = driver.works
    assert driver.script == "print('hello')\n"
    assert work.arguments == ("a", "b c")
    assert work.url.startswith("http://127.0.0.1:")
    assert not work.folder.exists(), "its scratch files stay behind"


def test_the_same_token_starts_one_run(open_emr):
    _, emr = open_emr(Driver())
    made = application(emr)
    first = emr.start_job_run(**submit(made, clientToken="t"))
    assert emr.start_job_run(**submit(made, clientToken="t"))["jobRunId"] == first["jobRunId"]
    assert len(emr.list_job_runs(applicationId=made)["jobRuns"]) == 1
    assert refusal(emr.start_job_run, **submit(made, clientToken="t", name="x"))[0] == "ConflictException"


def test_a_run_without_its_application_is_refused(open_emr):
    _, emr = open_emr(Driver())
    assert refusal(emr.start_job_run, **submit("00nosuch"))[0] == "ResourceNotFoundException"
    assert refusal(emr.list_job_runs, applicationId="00nosuch")[0] == "ValidationException"
    made = application(emr)
    assert refusal(emr.get_job_run, applicationId=made, jobRunId="00nosuch")[0] == "ResourceNotFoundException"
    emr.delete_application(applicationId=made)
    code, message = refusal(emr.start_job_run, **submit(made))
    assert code == "ValidationException"
    assert "TERMINATED" in message


def test_without_auto_start_a_run_waits_for_nobody(open_emr):
    _, emr = open_emr(Driver())
    made = application(emr, autoStartConfiguration={"enabled": False})
    assert "Current status: CREATED" in refusal(emr.start_job_run, **submit(made))[1]
    emr.start_application(applicationId=made)
    emr.start_job_run(**submit(made))


def test_a_driver_must_fit_the_application(open_emr):
    _, emr = open_emr(Driver())
    made = application(emr)
    hive = {"hive": {"query": "select 1"}}
    assert refusal(emr.start_job_run, **submit(made, jobDriver=hive))[0] == "ValidationException"
    assert refusal(emr.start_job_run, **submit(made, mode="STREAMING"))[0] == "ValidationException"


NO_S3 = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}],
}
ELSEWHERE = {
    "Version": "2012-10-17",
    "Statement": [{**TRUST["Statement"][0], "Principal": {"Service": "glue.amazonaws.com"}}],
}


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("nobody", "there is no such role"),
        ("untrusting", "trust policy does not let emr-serverless.amazonaws.com"),
        ("powerless", "needs s3:GetObject"),
    ],
)
def test_a_role_that_does_not_do_fails_the_run_with_the_reason(open_emr, role, reason):
    driver = Driver()
    cloud, emr = open_emr(driver)
    make_role(cloud.boto3_session(), "untrusting", READS_AND_WRITES, trust=ELSEWHERE)
    make_role(cloud.boto3_session(), "powerless", NO_S3)
    made = application(emr)
    told = ended(cloud, emr, made, executionRoleArn=role_arn(role))
    assert told["state"] == "FAILED"
    assert reason in told["stateDetails"]
    assert driver.works == []


@pytest.mark.parametrize(
    ("submitted", "reason"),
    [
        ({"entryPoint": "s3://acme-ml/jobs/other.py"}, "There is no entry point"),
        ({"entryPoint": "local:///usr/lib/entry.py"}, "is not in S3"),
        (
            {
                "entryPoint": "s3://acme-ml/jobs/entry.py",
                "sparkSubmitParameters": "--conf spark.archives=s3://acme-ml/jobs/no.tar.gz#environment",
            },
            "There is no archive s3://acme-ml/jobs/no.tar.gz",
        ),
    ],
)
def test_what_is_not_there_fails_the_run_with_the_reason(open_emr, submitted, reason):
    cloud, emr = open_emr(Driver())
    made = application(emr)
    told = ended(cloud, emr, made, jobDriver={"sparkSubmit": submitted})
    assert (told["state"], reason in told["stateDetails"]) == ("FAILED", True), told["stateDetails"]


def test_a_script_that_fails_fails_the_run_with_its_last_error_and_its_output_is_kept(open_emr):
    said = "starting\nTraceback (most recent call last):\n  File 'x'\nValueError: no such column\n"
    cloud, emr = open_emr(Driver(code=1, stderr=said))
    made = application(emr)
    kept = {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://acme-ml/jobs/logs/"}}}
    run = emr.start_job_run(**submit(made, configurationOverrides=kept))
    told = settled(cloud, emr, run)
    assert told["state"] == "FAILED"
    assert told["stateDetails"].endswith("ExitCode: 1. Last few exceptions: ValueError: no such column")
    key = f"jobs/logs/applications/{made}/jobs/{run['jobRunId']}/SPARK_DRIVER/stderr.gz"
    s3 = cloud.boto3_session().client("s3")
    assert gzip.decompress(s3.get_object(Bucket="acme-ml", Key=key)["Body"].read()).decode() == said


def test_a_launcher_that_cannot_begin_fails_the_run_with_its_words(open_emr):
    def launcher(work, *, stopping):
        raise RunFailure("The local cloud has no Spark to run this with.")

    cloud, emr = open_emr(launcher)
    made = application(emr)
    told = ended(cloud, emr, made)
    assert (told["state"], told["stateDetails"]) == (
        "FAILED",
        "The local cloud has no Spark to run this with.",
    )


def test_a_cancelled_run_is_cancelling_and_then_cancelled(open_emr):
    driver = Driver(gate=threading.Event())
    cloud, emr = open_emr(driver)
    made = application(emr)
    run = emr.start_job_run(**submit(made))
    assert driver.entered.wait(60)
    which = {"applicationId": made, "jobRunId": run["jobRunId"]}
    emr.cancel_job_run(**which)
    assert emr.get_job_run(**which)["jobRun"]["state"] in ("CANCELLING", "CANCELLED")
    assert settled(cloud, emr, run)["state"] == "CANCELLED"
    assert refusal(emr.cancel_job_run, **which)[0] == "ValidationException"


def test_a_run_whose_time_is_up_is_cancelled(open_emr):
    cloud, emr = open_emr(Driver(timed_out=True, code=-15))
    made = application(emr)
    assert ended(cloud, emr, made)["state"] == "CANCELLED"


def test_runs_are_listed_by_page_and_by_state(open_emr):
    cloud, emr = open_emr(Driver())
    made = application(emr)
    runs = [emr.start_job_run(**submit(made, name=f"r{n}"))["jobRunId"] for n in range(3)]
    assert cloud.clock.settle(60)
    first = emr.list_job_runs(applicationId=made, maxResults=2)
    second = emr.list_job_runs(applicationId=made, maxResults=2, nextToken=first["nextToken"])
    assert [run["id"] for run in first["jobRuns"] + second["jobRuns"]] == runs[::-1]
    assert len(emr.list_job_runs(applicationId=made, states=["SUCCESS"])["jobRuns"]) == 3
    assert emr.list_job_runs(applicationId=made, states=["RUNNING"])["jobRuns"] == []
