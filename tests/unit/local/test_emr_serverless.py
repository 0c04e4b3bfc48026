"""EMR Serverless in the local cloud: states, refusals, and runs that really run."""

from __future__ import annotations

import gzip
import json
import os
import threading

import botocore.session
import pytest
from botocore.exceptions import ClientError

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.harvest.engines.spark_start import require_spark
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.emr_serverless import EmrServerless
from bedrock_distill.local.services.emr_serverless.running import Ended, RunFailure

try:
    require_spark()
except MissingDependencyError as missing:
    _WHY_NOT = str(missing)
else:
    _WHY_NOT = ""

spark = pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT or "Spark can be started")

MODEL = botocore.session.get_session().get_service_model("emr-serverless")
SPARK = {"releaseLabel": "emr-spark-8.0.0", "type": "SPARK"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "emr-serverless.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ],
}
READS_AND_WRITES = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::acme-ml/jobs/*"],
        }
    ],
}


class Driver:
    """A stand-in for Spark: remembers what it was to run, and ends as the test says."""

    def __init__(self, *, code=0, stderr="", gate=None, timed_out=False):
        self.code, self.stderr, self.gate, self.timed_out = code, stderr, gate, timed_out
        self.works = []
        self.entered = threading.Event()

    def __call__(self, work, *, stopping):
        self.works.append(work)
        self.script = work.script.read_text()
        self.entered.set()
        (work.folder / "stderr").write_text(self.stderr)
        (work.folder / "stdout").write_text("done\n")
        while self.gate is not None and not stopping() and not self.gate.wait(0.01):
            pass
        return Ended(self.code, timed_out=self.timed_out)


@pytest.fixture
def open_emr():
    """Opens a cloud with a bucket, an entry point, a role that may use both, and a client."""
    opened = []

    def make(driver=None, **options):
        services = (
            (lambda world: {"emr-serverless": EmrServerless(world, launcher=driver)}) if driver else None
        )
        cloud = Cloud(services=services, **options).open()
        opened.append(cloud)
        cloud.bucket("acme-ml")
        session = cloud.boto3_session()
        session.client("s3").put_object(Bucket="acme-ml", Key="jobs/entry.py", Body=b"print('hello')\n")
        make_role(session, "runner", READS_AND_WRITES)
        return cloud, session.client("emr-serverless")

    yield make
    for cloud in opened:
        cloud.close()


def make_role(session, name, policy, trust=TRUST):
    iam = session.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    return f"arn:aws:iam::123456789012:role/{name}"


def submit(application_id, **changes):
    request = {
        "applicationId": application_id,
        "executionRoleArn": "arn:aws:iam::123456789012:role/runner",
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://acme-ml/jobs/entry.py"}},
    }
    return request | changes


def settled(cloud, emr, run):
    assert cloud.clock.settle(120)
    return emr.get_job_run(applicationId=run["applicationId"], jobRunId=run["jobRunId"])["jobRun"]


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


# Applications


def test_an_application_is_created_started_stopped_and_deleted_look_by_look(open_emr):
    _, emr = open_emr(Driver(), clock="polls")
    made = emr.create_application(name="a", **SPARK)

    def look():
        return emr.get_application(applicationId=made["applicationId"])["application"]["state"]

    seen = [look(), look()]
    emr.start_application(applicationId=made["applicationId"])
    seen += [look(), look()]
    emr.stop_application(applicationId=made["applicationId"])
    seen += [look(), look()]
    emr.delete_application(applicationId=made["applicationId"])
    seen.append(look())
    assert seen == [
        "CREATING",
        "CREATED",
        "STARTING",
        "STARTED",
        "STOPPING",
        "STOPPED",
        "TERMINATED",
    ]
    assert set(seen) == set(MODEL.shape_for("ApplicationState").enum)


def test_an_application_tells_what_it_was_made_with_and_aws_defaults(open_emr):
    _, emr = open_emr(Driver())
    made = emr.create_application(name="a", tags={"team": "ml"}, **SPARK)
    told = emr.get_application(applicationId=made["applicationId"])["application"]
    assert (told["name"], told["type"], told["tags"]) == ("a", "Spark", {"team": "ml"})
    assert told["autoStartConfiguration"] == {"enabled": True}
    assert told["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 15}


def test_the_same_token_makes_one_application_and_with_other_parameters_it_is_a_conflict(open_emr):
    _, emr = open_emr(Driver())
    first = emr.create_application(name="a", clientToken="t", **SPARK)
    assert (
        emr.create_application(name="a", clientToken="t", **SPARK)["applicationId"] == first["applicationId"]
    )
    assert len(emr.list_applications()["applications"]) == 1
    assert refusal(emr.create_application, name="b", clientToken="t", **SPARK)[0] == "ConflictException"


@pytest.mark.parametrize(
    "changes", [{"type": "FLINK"}, {"releaseLabel": "spark-8"}, {"releaseLabel": "emr-eight"}]
)
def test_an_engine_or_a_release_that_there_is_not_is_refused(open_emr, changes):
    _, emr = open_emr(Driver())
    assert refusal(emr.create_application, **(SPARK | changes))[0] == "ValidationException"


def test_a_started_application_cannot_be_deleted(open_emr):
    _, emr = open_emr(Driver())
    made = emr.create_application(**SPARK)["applicationId"]
    emr.start_application(applicationId=made)
    code, message = refusal(emr.delete_application, applicationId=made)
    assert code == "ValidationException"
    assert "[CREATED, STOPPED]. Current status: STARTED" in message


def test_an_application_with_a_run_cannot_be_stopped(open_emr):
    driver = Driver(gate=threading.Event())
    cloud, emr = open_emr(driver)
    made = emr.create_application(**SPARK)["applicationId"]
    run = emr.start_job_run(**submit(made))
    assert driver.entered.wait(60)
    assert refusal(emr.stop_application, applicationId=made)[0] == "ValidationException"
    driver.gate.set()
    assert settled(cloud, emr, run)["state"] == "SUCCESS"
    emr.stop_application(applicationId=made)


def test_an_idle_application_stops_by_itself_and_starts_again_for_a_run(open_emr):
    cloud, emr = open_emr(Driver())
    idle = {"enabled": True, "idleTimeoutMinutes": 5}
    made = emr.create_application(autoStopConfiguration=idle, **SPARK)["applicationId"]

    def state():
        return emr.get_application(applicationId=made)["application"]["state"]

    settled(cloud, emr, emr.start_job_run(**submit(made)))
    assert state() == "STARTED"
    cloud.clock.sleep(299)
    assert state() == "STARTED"
    cloud.clock.sleep(2)
    assert state() == "STOPPED"
    assert settled(cloud, emr, emr.start_job_run(**submit(made)))["state"] == "SUCCESS"


def test_applications_are_listed_by_page_and_by_state(open_emr):
    _, emr = open_emr(Driver())
    made = [emr.create_application(name=f"a{n}", **SPARK)["applicationId"] for n in range(3)]
    emr.delete_application(applicationId=made[0])
    first = emr.list_applications(maxResults=2)
    second = emr.list_applications(maxResults=2, nextToken=first["nextToken"])
    listed = [item["id"] for item in first["applications"] + second["applications"]]
    assert listed == made[::-1]
    assert [item["id"] for item in emr.list_applications(states=["TERMINATED"])["applications"]] == made[:1]


@pytest.mark.parametrize(
    "operation", ["get_application", "start_application", "stop_application", "delete_application"]
)
def test_an_application_that_there_is_not_is_not_found(open_emr, operation):
    _, emr = open_emr(Driver())
    assert refusal(getattr(emr, operation), applicationId="00nosuch")[0] == "ResourceNotFoundException"


# Runs


def test_a_run_passes_through_its_states_look_by_look_and_starts_its_application(open_emr):
    driver = Driver()
    _, emr = open_emr(driver, clock="polls")
    made = emr.create_application(**SPARK)["applicationId"]
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
    made = emr.create_application(**SPARK)["applicationId"]
    job = {"sparkSubmit": {"entryPoint": "s3://acme-ml/jobs/entry.py", "entryPointArguments": ["a", "b c"]}}
    settled(cloud, emr, emr.start_job_run(**submit(made, jobDriver=job)))
    (work,) = driver.works
    assert driver.script == "print('hello')\n"
    assert work.arguments == ("a", "b c")
    assert work.url.startswith("http://127.0.0.1:")
    assert not work.folder.exists(), "its scratch files stay behind"


def test_the_same_token_starts_one_run(open_emr):
    _, emr = open_emr(Driver())
    made = emr.create_application(**SPARK)["applicationId"]
    first = emr.start_job_run(**submit(made, clientToken="t"))
    assert emr.start_job_run(**submit(made, clientToken="t"))["jobRunId"] == first["jobRunId"]
    assert len(emr.list_job_runs(applicationId=made)["jobRuns"]) == 1
    assert refusal(emr.start_job_run, **submit(made, clientToken="t", name="x"))[0] == "ConflictException"


def test_a_run_without_its_application_is_refused(open_emr):
    _, emr = open_emr(Driver())
    assert refusal(emr.start_job_run, **submit("00nosuch"))[0] == "ResourceNotFoundException"
    assert refusal(emr.list_job_runs, applicationId="00nosuch")[0] == "ValidationException"
    made = emr.create_application(**SPARK)["applicationId"]
    assert refusal(emr.get_job_run, applicationId=made, jobRunId="00nosuch")[0] == "ResourceNotFoundException"
    emr.delete_application(applicationId=made)
    code, message = refusal(emr.start_job_run, **submit(made))
    assert code == "ValidationException"
    assert "TERMINATED" in message


def test_without_auto_start_a_run_waits_for_nobody(open_emr):
    _, emr = open_emr(Driver())
    made = emr.create_application(autoStartConfiguration={"enabled": False}, **SPARK)["applicationId"]
    assert "Current status: CREATED" in refusal(emr.start_job_run, **submit(made))[1]
    emr.start_application(applicationId=made)
    emr.start_job_run(**submit(made))


def test_a_driver_must_fit_the_application(open_emr):
    _, emr = open_emr(Driver())
    made = emr.create_application(**SPARK)["applicationId"]
    hive = {"hive": {"query": "select 1"}}
    assert refusal(emr.start_job_run, **submit(made, jobDriver=hive))[0] == "ValidationException"
    assert refusal(emr.start_job_run, **submit(made, mode="STREAMING"))[0] == "ValidationException"


ROLE = "arn:aws:iam::123456789012:role/"
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
    made = emr.create_application(**SPARK)["applicationId"]
    told = settled(cloud, emr, emr.start_job_run(**submit(made, executionRoleArn=ROLE + role)))
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
    made = emr.create_application(**SPARK)["applicationId"]
    told = settled(cloud, emr, emr.start_job_run(**submit(made, jobDriver={"sparkSubmit": submitted})))
    assert (told["state"], reason in told["stateDetails"]) == ("FAILED", True), told["stateDetails"]


def test_a_script_that_fails_fails_the_run_with_its_last_error_and_its_output_is_kept(open_emr):
    said = "starting\nTraceback (most recent call last):\n  File 'x'\nValueError: no such column\n"
    cloud, emr = open_emr(Driver(code=1, stderr=said))
    made = emr.create_application(**SPARK)["applicationId"]
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
    made = emr.create_application(**SPARK)["applicationId"]
    told = settled(cloud, emr, emr.start_job_run(**submit(made)))
    assert (told["state"], told["stateDetails"]) == (
        "FAILED",
        "The local cloud has no Spark to run this with.",
    )


def test_a_cancelled_run_is_cancelling_and_then_cancelled(open_emr):
    driver = Driver(gate=threading.Event())
    cloud, emr = open_emr(driver)
    made = emr.create_application(**SPARK)["applicationId"]
    run = emr.start_job_run(**submit(made))
    assert driver.entered.wait(60)
    which = {"applicationId": made, "jobRunId": run["jobRunId"]}
    emr.cancel_job_run(**which)
    assert emr.get_job_run(**which)["jobRun"]["state"] in ("CANCELLING", "CANCELLED")
    assert settled(cloud, emr, run)["state"] == "CANCELLED"
    assert refusal(emr.cancel_job_run, **which)[0] == "ValidationException"


def test_a_run_whose_time_is_up_is_cancelled(open_emr):
    cloud, emr = open_emr(Driver(timed_out=True, code=-15))
    made = emr.create_application(**SPARK)["applicationId"]
    assert settled(cloud, emr, emr.start_job_run(**submit(made)))["state"] == "CANCELLED"


def test_runs_are_listed_by_page_and_by_state(open_emr):
    cloud, emr = open_emr(Driver())
    made = emr.create_application(**SPARK)["applicationId"]
    runs = [emr.start_job_run(**submit(made, name=f"r{n}"))["jobRunId"] for n in range(3)]
    assert cloud.clock.settle(60)
    first = emr.list_job_runs(applicationId=made, maxResults=2)
    second = emr.list_job_runs(applicationId=made, maxResults=2, nextToken=first["nextToken"])
    assert [run["id"] for run in first["jobRuns"] + second["jobRuns"]] == runs[::-1]
    assert len(emr.list_job_runs(applicationId=made, states=["SUCCESS"])["jobRuns"]) == 3
    assert emr.list_job_runs(applicationId=made, states=["RUNNING"])["jobRuns"] == []


# What really runs

SCRIPT = b"""
import sys
import boto3
from bedrock_distill.harvest.engines.spark import SparkEngine

s3 = boto3.client("s3")
print(boto3.client("sts").get_caller_identity()["Account"])
if sys.argv[1:] == ["overreach"]:
    s3.put_object(Bucket="acme-ml", Key="elsewhere/x", Body=b"")
with SparkEngine() as engine:
    total = sum(engine.map(lambda part: part * part, range(5)))
s3.put_object(Bucket="acme-ml", Key="jobs/total.txt", Body=str(total).encode())
"""


@spark
def test_a_run_really_runs_its_entry_point_with_spark_under_its_role(open_emr):
    cloud, emr = open_emr()
    s3 = cloud.boto3_session().client("s3")
    s3.put_object(Bucket="acme-ml", Key="jobs/entry.py", Body=SCRIPT)
    made = emr.create_application(**SPARK)["applicationId"]
    told = settled(cloud, emr, emr.start_job_run(**submit(made)))
    assert (told["state"], told["stateDetails"]) == ("SUCCESS", "SUCCESS")
    assert s3.get_object(Bucket="acme-ml", Key="jobs/total.txt")["Body"].read() == b"30"
    job = {"sparkSubmit": {"entryPoint": "s3://acme-ml/jobs/entry.py", "entryPointArguments": ["overreach"]}}
    told = settled(cloud, emr, emr.start_job_run(**submit(made, jobDriver=job)))
    assert told["state"] == "FAILED"
    assert "AccessDenied" in told["stateDetails"]
    # The role ends with the run: whoever found the cloud may do everything again.
    s3.put_object(Bucket="acme-ml", Key="elsewhere/x", Body=b"")


WAITS = b"""
import os, threading, boto3
boto3.client("s3").put_object(Bucket="acme-ml", Key="jobs/pid", Body=str(os.getpid()).encode())
threading.Event().wait(600)
"""


@spark
def test_a_cancelled_run_takes_its_process_with_it(open_emr):
    cloud, emr = open_emr()
    s3 = cloud.boto3_session().client("s3")
    s3.put_object(Bucket="acme-ml", Key="jobs/entry.py", Body=WAITS)
    made = emr.create_application(**SPARK)["applicationId"]
    run = emr.start_job_run(**submit(made))
    for _ in range(1200):
        if s3.list_objects_v2(Bucket="acme-ml", Prefix="jobs/pid")["KeyCount"]:
            break
        threading.Event().wait(0.05)
    pid = int(s3.get_object(Bucket="acme-ml", Key="jobs/pid")["Body"].read())
    emr.cancel_job_run(applicationId=made, jobRunId=run["jobRunId"])
    assert settled(cloud, emr, run)["state"] == "CANCELLED"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_where_there_is_no_spark_a_run_fails_with_that_reason(open_emr, monkeypatch):
    cloud, emr = open_emr()
    monkeypatch.setenv("JAVA_HOME", "/no/such/jdk")
    made = emr.create_application(**SPARK)["applicationId"]
    told = settled(cloud, emr, emr.start_job_run(**submit(made)))
    assert told["state"] == "FAILED"
    assert told["stateDetails"].startswith("The local cloud has no Spark to run this with.")
