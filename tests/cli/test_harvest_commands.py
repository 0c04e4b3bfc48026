"""Harvests on EMR Serverless from the command line."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.cli import main as entry
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.emr_serverless import EmrServerless
from bedrock_distill.local.services.emr_serverless.running import Ended
from bedrock_distill.resources import HarvestApplication

LOG = "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/00/a.json.gz"
JOB = """\
[harvest]
name = "nightly"
logs = "s3://local-bucket/bedrock/"
output = "s3://local-bucket/harvest/"
environment = "s3://local-bucket/environment.tar.gz"
"""


@pytest.fixture
def ends():
    """How drivers end; a test may change it."""
    return {"code": 0}


@pytest.fixture
def cloud(tmp_path, monkeypatch, ends):
    monkeypatch.setitem(entry.COMMANDS, "harvest", ("bedrock_distill.cli.harvest", "Harvests."))

    def launcher(work, *, stopping):
        (work.folder / "stderr").write_text("DataError: nothing fits\n")
        return Ended(ends["code"])

    with Cloud(services=lambda world: {"emr-serverless": EmrServerless(world, launcher=launcher)}) as cloud:
        cloud.bucket("local-bucket")
        s3 = cloud.boto3_session().client("s3")
        for key in (LOG, "environment.tar.gz"):
            s3.put_object(Bucket="local-bucket", Key=key, Body=b"x")
        (tmp_path / "harvest.toml").write_text(JOB)
        yield cloud


@pytest.fixture
def arn(document):
    return document("apply", "harvest.toml", "--yes", "--wait")["arn"]


def test_a_harvest_is_planned_as_a_table_with_its_arithmetic(run):
    code, printed, _ = run("plan", "harvest.toml")
    assert code == 0
    assert "vCPU-hours" in printed
    assert "Create the harvest run nightly-" in printed


def test_a_harvest_costs_money_and_is_not_applied_without_consent(run):
    code, _, said = run("apply", "harvest.toml")
    assert code == 2
    assert "give --yes" in said


def test_applying_and_waiting_ends_with_the_runs_state_and_names_no_model(document, run):
    told = document("apply", "harvest.toml", "--yes", "--wait")
    assert told["status"] == "SUCCESS"
    assert "model_arn" not in told
    _, printed, _ = run("apply", "harvest.toml", "--yes", "--wait")
    assert printed == f"{told['arn']}\nSUCCESS\n"


def test_a_run_that_fails_exits_with_1_and_says_why(run, ends):
    ends["code"] = 1
    code, printed, said = run("apply", "harvest.toml", "--yes", "--wait")
    assert code == 1
    assert printed.endswith("\nFAILED\n")
    assert "DataError: nothing fits" in said


def test_runs_are_listed_shown_waited_for_and_stopped(run, document, arn):
    assert [item["arn"] for item in document("harvest", "list")] == [arn]
    _, printed, _ = run("harvest", "show", arn)
    assert "SPARK" not in printed
    assert "harvest/nightly-" in printed
    assert "vCPU-hours" in printed
    assert document("harvest", "wait", arn)["status"] == "SUCCESS"
    assert run("harvest", "wait", arn)[1] == "SUCCESS\n"
    assert document("harvest", "stop", arn) == {"arn": arn, "status": "SUCCESS"}
    assert json.loads(run("harvest", "show", arn, "--output", "json")[1])["state"] == "SUCCESS"


def test_applications_are_listed_and_deleted(run, document, arn):
    (application,) = document("harvest", "applications")
    assert arn.startswith(application["arn"])
    assert document("harvest", "delete", application["arn"]) == {"deleted": application["arn"]}
    assert document("harvest", "applications") == []
    code, _, said = run("harvest", "delete", arn)
    assert code == 2
    assert "not the ARN of an EMR Serverless application" in said


def test_a_deletion_that_runs_out_of_time_says_what_is_still_there(document, arn, monkeypatch):
    (application,) = document("harvest", "applications")
    monkeypatch.setattr(HarvestApplication, "_state", lambda _: "STOPPING")
    late = document("harvest", "delete", application["arn"], "--timeout", "9s", code=4)
    going = {f"application {application['arn']}": "STOPPING"}
    assert late == {"deleted": None, "parts": [], "going": going}
