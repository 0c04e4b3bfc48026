"""EMR Serverless in the local cloud: runs that really run, by the Spark of this machine."""

from __future__ import annotations

import os
import runpy
import threading
from pathlib import Path

import pytest

_stage = runpy.run_path(str(Path(__file__).parent / "emr_stage.py"))
application, ended, settled, submit = (_stage[name] for name in ("application", "ended", "settled", "submit"))

spark = pytest.mark.usefixtures("needs_spark")

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
    made = application(emr)
    told = ended(cloud, emr, made)
    assert (told["state"], told["stateDetails"]) == ("SUCCESS", "SUCCESS")
    assert s3.get_object(Bucket="acme-ml", Key="jobs/total.txt")["Body"].read() == b"30"
    job = {"sparkSubmit": {"entryPoint": "s3://acme-ml/jobs/entry.py", "entryPointArguments": ["overreach"]}}
    told = ended(cloud, emr, made, jobDriver=job)
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
    made = application(emr)
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
    made = application(emr)
    told = ended(cloud, emr, made)
    assert told["state"] == "FAILED"
    assert told["stateDetails"].startswith("The local cloud has no Spark to run this with.")
