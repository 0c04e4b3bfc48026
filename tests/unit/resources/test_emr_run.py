"""Handles of runs and applications, and what planning finds, against the local cloud with a driver that only pretends."""

from __future__ import annotations

import json
import threading

import botocore.session
import pytest

from bedrock_distill.errors import (
    ConflictError,
    JobFailedError,
    NotFoundError,
    PlanError,
    ServiceError,
    SpecError,
    WaitTimeoutError,
)
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.emr_serverless import EmrServerless
from bedrock_distill.local.services.emr_serverless.running import Ended
from bedrock_distill.plan import CreateListed
from bedrock_distill.resources import HarvestApplication, HarvestRun, HarvestStatus, ServerlessHarvest
from bedrock_distill.resources.emr_application import APPLICATION_STATES
from bedrock_distill.resources.emr_run import RUN_STATES

MODEL = botocore.session.get_session().get_service_model("emr-serverless")
LOG = "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/00/a.json.gz"


class Driver:
    """Writes the report that a harvest writes, or fails, or waits at a gate."""

    def __init__(self):
        self.code, self.gate, self.cloud = 0, None, None
        self.entered = threading.Event()

    def __call__(self, work, *, stopping):
        self.entered.set()
        while self.gate is not None and not stopping() and not self.gate.wait(0.01):
            pass
        (work.folder / "stderr").write_text("DataError: nothing fits\n" if self.code else "")
        if not self.code:
            s3 = self.cloud.boto3_session().client("s3")
            bucket, _, key = work.arguments[0].removeprefix("s3://").partition("/")
            document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            bucket, _, key = document["report"].removeprefix("s3://").partition("/")
            s3.put_object(Bucket=bucket, Key=key, Body=json.dumps({"written": 7, "out": document["records"]}))
        return Ended(self.code)


@pytest.fixture
def driver():
    return Driver()


@pytest.fixture
def cloud(driver):
    with Cloud(services=lambda world: {"emr-serverless": EmrServerless(world, launcher=driver)}) as cloud:
        driver.cloud = cloud
        for name in ("acme-logs", "acme-ml"):
            cloud.bucket(name)
        s3 = cloud.boto3_session().client("s3")
        s3.put_object(Bucket="acme-logs", Key=LOG, Body=b"x" * 1560)
        s3.put_object(Bucket="acme-ml", Key="env/environment.tar.gz", Body=b"")
        yield cloud


@pytest.fixture
def spec():
    return ServerlessHarvest(
        name="nightly",
        logs="s3://acme-logs/bedrock/",
        output="s3://acme-ml/harvest/",
        environment="s3://acme-ml/env/environment.tar.gz",
    )


@pytest.fixture
def session(cloud):
    return cloud.session()


def codes(plan):
    return {warning.code for warning in plan.warnings}


def test_every_state_of_the_services_model_is_known():
    assert set(RUN_STATES) == set(MODEL.shape_for("JobRunState").enum)
    assert set(APPLICATION_STATES) == set(MODEL.shape_for("ApplicationState").enum)


def test_a_harvest_is_planned_applied_watched_and_its_report_is_the_result(session, spec):
    plan = session.plan(spec)
    run = session.apply(plan)
    assert isinstance(run, HarvestRun)
    seen = []
    assert run.result(timeout_s=3600, on_change=lambda state: seen.append(state.status))["written"] == 7
    assert seen[-1] == "SUCCESS"
    assert run.report()["out"] == plan.facts["results"] + "records.jsonl"
    assert session.attach(run.arn) == run == session.harvest(run.arn)


def test_the_handle_names_where_sparks_output_goes(session, spec):
    plan = session.plan(spec)
    run = session.apply(plan)
    place = f"applications/{run.application_id}/jobs/{run.run_id}/"
    assert str(run.logs) == plan.facts["results"] + "logs/" + place


def test_a_run_that_fails_is_a_failed_job_with_awss_reason_and_what_to_do(session, spec, driver):
    driver.code = 1
    run = session.apply(session.plan(spec))
    with pytest.raises(JobFailedError, match="DataError: nothing fits") as caught:
        run.result(timeout_s=3600)
    assert caught.value.status == "FAILED"
    assert "plan and apply again" in str(caught.value)


def test_after_a_failure_planning_again_makes_the_next_attempt_in_the_same_folder(session, spec, driver):
    driver.code = 1
    first = session.plan(spec)
    with pytest.raises(JobFailedError):
        session.apply(first).wait(timeout_s=3600)
    driver.code = 0
    second = session.plan(spec.model_copy(update={"max_vcpus": 8}))
    assert "earlier-attempts" in codes(second)
    assert second.creates.name == f"{first.creates.name}-2"
    assert second.facts["results"] == first.facts["results"]


def test_a_run_that_goes_on_is_found_though_other_settings_would_take_another_application(
    session, spec, driver
):
    driver.gate = threading.Event()
    run = session.apply(session.plan(spec))
    plan = session.plan(spec.model_copy(update={"max_vcpus": 8}))
    assert "run-exists" in codes(plan)
    assert session.apply(plan) == run
    driver.gate.set()


def test_a_stopped_run_is_cancelled_and_stopping_twice_is_once(session, spec, driver, cloud):
    driver.gate = threading.Event()
    run = session.apply(session.plan(spec))
    assert driver.entered.wait(60)
    run.stop()
    assert cloud.clock.settle(60)
    assert run.status().status == "CANCELLED"
    run.stop()
    with pytest.raises(JobFailedError, match="CANCELLED"):
        run.wait(timeout_s=3600)


def test_a_wait_that_is_too_short_says_how_to_pick_it_up(session, spec, driver):
    driver.gate = threading.Event()
    run = session.apply(session.plan(spec))
    with pytest.raises(WaitTimeoutError, match=r"harvest wait arn:aws:emr-serverless") as caught:
        run.wait(timeout_s=1)
    assert caught.value.arn == run.arn
    driver.gate.set()


def test_planning_only_reads_and_says_what_is_there_already(session, spec, cloud):
    before = len(cloud.calls)
    first = session.plan(spec)
    names = [call.operation for call in list(cloud.calls)[before:]]
    assert all(name.startswith(("Get", "Head", "List")) for name in names), names
    session.apply(first).wait(timeout_s=3600)
    again = session.plan(spec)
    assert again.fingerprint == first.fingerprint
    assert [step.done for step in again.steps] == [True, True, True, True, False]
    assert "run-exists" in codes(again)
    assert "run-exists" not in codes(session.plan(spec.model_copy(update={"edition": "2"})))


def test_only_logs_that_the_query_could_want_are_counted(session, spec, cloud):
    s3 = cloud.boto3_session().client("s3")
    s3.put_object(Bucket="acme-logs", Key=LOG.replace("/a.", "/data/a_input."), Body=b"x" * 999)
    s3.put_object(Bucket="acme-logs", Key=LOG.replace("11/01", "11/09"), Body=b"x" * 400)
    assert "2 objects, 2.0 KB" in session.plan(spec).facts["logs"]
    november_1st = ServerlessHarvest(**(spec.model_dump() | {"query": {"until": "2026-11-02T00:00:00Z"}}))
    assert "1 objects, 1.6 KB" in session.plan(november_1st).facts["logs"]


def test_an_environment_that_is_not_there_stops_the_plan(session, spec):
    elsewhere = spec.model_copy(update={"environment": "s3://acme-ml/env/other.tar.gz"})
    plan = session.plan(elsewhere)
    assert "environment-missing" in codes(plan)
    with pytest.raises(PlanError, match="environment-missing"):
        session.apply(plan)


def test_runs_and_applications_of_this_package_are_listed_and_others_are_not(session, spec, cloud):
    emr = cloud.boto3_session().client("emr-serverless")
    emr.create_application(name="somebody-elses", releaseLabel="emr-7.13.0", type="SPARK")
    run = session.apply(session.plan(spec))
    run.wait(timeout_s=3600)
    second = session.apply(session.plan(spec.model_copy(update={"edition": "2"})))
    (application,) = session.harvest_applications()
    assert application["tags"] == {"bedrock-distill": "nightly"}
    assert [item["arn"] for item in session.harvests()] == [second.arn, run.arn]


def test_an_application_is_deleted_once_its_runs_are_over_and_twice_is_once(session, spec, driver):
    driver.gate = threading.Event()
    run = session.apply(session.plan(spec))
    (item,) = session.harvest_applications()
    application = session.attach(item["arn"])
    assert isinstance(application, HarvestApplication)
    assert driver.entered.wait(60)
    with pytest.raises(ServiceError, match="stop them first"):
        application.delete()
    driver.gate.set()
    run.wait(timeout_s=3600)
    application.stop()
    application.delete()
    application.delete()
    assert session.harvest_applications() == session.harvests() == []
    assert [run["name"] for run in application.runs()] == [run.status().name]


def test_after_its_application_was_deleted_a_harvest_gets_a_new_one(session, spec):
    first = session.apply(session.plan(spec))
    first.wait(timeout_s=3600)
    HarvestApplication(session.clients, session.harvest_applications()[0]["arn"]).delete()
    second = session.apply(session.plan(spec))
    assert second.application_id != first.application_id
    assert second.result(timeout_s=3600)["written"] == 7


def test_a_run_of_another_role_under_the_same_name_in_ones_own_application_is_told_apart_by_its_token(
    session, spec, cloud
):
    emr = cloud.boto3_session().client("emr-serverless")
    plan = session.plan(spec)
    application = next(step for step in plan.steps if isinstance(step, CreateListed))
    emr.create_application(**(application.request | {"releaseLabel": "emr-7.13.0", "clientToken": "theirs"}))
    with pytest.raises(ConflictError, match="another EMR Serverless application"):
        session.apply(plan)


def test_what_is_no_harvest_says_so(session, cloud):
    emr = cloud.boto3_session().client("emr-serverless")
    application = emr.create_application(releaseLabel="emr-7.13.0", type="SPARK")["applicationId"]
    run = emr.start_job_run(
        applicationId=application,
        executionRoleArn="arn:aws:iam::123456789012:role/x",
        jobDriver={"sparkSubmit": {"entryPoint": "s3://acme-ml/x.py"}},
    )
    with pytest.raises(SpecError, match="no harvest of this package"):
        session.harvest(run["arn"]).document()
    with pytest.raises(SpecError, match="not a harvest run"):
        session.harvest(run["arn"].rpartition("/jobruns/")[0])
    with pytest.raises(NotFoundError):
        session.harvest(run["arn"] + "x").status()


def test_a_status_reads_what_was_billed(session, spec):
    run = session.apply(session.plan(spec))
    state = run.wait(timeout_s=3600)
    assert state == HarvestStatus.of(run.describe())
    assert state.vcpu_hours is not None
    assert state.ended >= state.created
    assert state.reason == ""
