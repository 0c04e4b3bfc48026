"""A harvest on EMR Serverless: one of everything wherever the process dies, and the records of one machine."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest

from bedrock_distill.harvest import from_logs
from bedrock_distill.local import Cloud
from bedrock_distill.local.faults import Fault
from bedrock_distill.local.services.emr_serverless import EmrServerless
from bedrock_distill.local.services.emr_serverless.running import Ended
from bedrock_distill.records.logs.filters import Metadata
from bedrock_distill.records.logs.query import LogQuery
from bedrock_distill.resources import ServerlessHarvest

FOLDER = "bedrock/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01"


def log_line(number):
    answer = {"message": {"role": "assistant", "content": [{"text": f"Answer {number}"}]}}
    record = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": f"2026-11-01T0{number % 10}:00:00Z",
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": f"id-{number}",
        "operation": "Converse",
        "modelId": "amazon.nova-pro-v1:0",
        # A third of the prompts come twice, and a fifth are of another project.
        "requestMetadata": {"project": "triage" if number % 5 else "other"},
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {
                "messages": [{"role": "user", "content": [{"text": f"Question {number % 40}?"}]}]
            },
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {"output": answer, "stopReason": "end_turn"},
        },
    }
    return json.dumps(record).encode() + b"\n"


@pytest.fixture
def fill():
    """Puts logs, an environment and buckets into a cloud."""

    def put(cloud, objects=4):
        for name in ("acme-logs", "acme-ml"):
            cloud.bucket(name)
        s3 = cloud.boto3_session().client("s3")
        for number in range(objects):
            lines = b"".join(map(log_line, range(number * 15, number * 15 + 15)))
            s3.put_object(Bucket="acme-logs", Key=f"{FOLDER}/0{number}/a.json.gz", Body=gzip.compress(lines))
        s3.put_object(Bucket="acme-ml", Key="env/environment.tar.gz", Body=b"")

    return put


@pytest.fixture
def spec():
    return ServerlessHarvest(
        name="nightly",
        logs="s3://acme-logs/bedrock/",
        output="s3://acme-ml/harvest/",
        environment="s3://acme-ml/env/environment.tar.gz",
        query=LogQuery(where=Metadata("project") == "triage", responses=True),
    )


@pytest.fixture
def cloud(fill):
    """A cloud whose runs succeed at once: these tests are about calls, not about Spark."""
    services = lambda world: {  # noqa: E731 - as short as what it says
        "emr-serverless": EmrServerless(world, launcher=lambda work, stopping: Ended(0))
    }
    with Cloud(services=services) as cloud:
        fill(cloud, objects=1)
        yield cloud


@pytest.fixture
def counts(cloud):
    """How many there are of each thing that an apply could make twice."""
    session = cloud.boto3_session()
    emr, iam, s3 = (session.client(service) for service in ("emr-serverless", "iam", "s3"))

    def count():
        applications = [
            item for item in emr.list_applications()["applications"] if item["state"] != "TERMINATED"
        ]
        runs = [
            run for item in applications for run in emr.list_job_runs(applicationId=item["id"])["jobRuns"]
        ]
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket="acme-ml").get("Contents", [])]
        return {
            "applications": len(applications),
            "runs": len(runs),
            "roles": len(iam.list_roles()["Roles"]),
            "objects": sum("/staged/" in key for key in keys),
        }

    return count


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_leaves_one_application_and_one_run_after_applying_again(
    cloud, spec, tmp_path, when, counts
):
    # The second session is another process on another machine: no journal, no memory.
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    struck = []
    for at in itertools.count(1):
        wanted = spec.model_copy(update={"name": f"h{at}", "output": f"s3://acme-ml/harvest/{at}/"})
        known = counts()
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(dying.plan(wanted))
        other.apply(other.plan(wanted)).wait(timeout_s=7200)
        now = counts()
        grown = {kind: now[kind] - known[kind] for kind in now}
        assert grown == {"applications": 1, "runs": 1, "roles": 1, "objects": 2}, (at, crash.operation)
        if not crash.happened:
            break
        struck.append(crash.operation)
    assert {"CreateApplication", "StartJobRun", "CreateRole", "PutRolePolicy", "PutObject"} <= set(struck)


def test_applying_the_same_plan_again_makes_nothing_and_returns_the_same_run(cloud, spec, counts):
    session = cloud.session()
    plan = session.plan(spec)
    first = session.apply(plan)
    first.wait(timeout_s=7200)
    before, events = counts(), []
    assert session.apply(plan, on_event=events.append) == first
    assert counts() == before
    assert {event.event for event in events} == {"started", "found"}


@pytest.mark.parametrize("operation", ["CreateApplication", "StartJobRun"])
def test_an_answer_that_gets_lost_makes_nothing_twice(cloud, spec, counts, operation):
    cloud.faults.add(Fault(operation=operation, disconnect=True, when="after", times=1))
    session = cloud.session()
    assert session.apply(session.plan(spec)).wait(timeout_s=7200).succeeded
    assert (counts()["applications"], counts()["runs"]) == (1, 1)


def test_an_application_that_takes_its_time_is_waited_for(spec, fill):
    services = lambda world: {  # noqa: E731 - as short as what it says
        "emr-serverless": EmrServerless(world, launcher=lambda work, stopping: Ended(0))
    }
    with Cloud(services=services, clock="polls", polls=3) as slow:
        fill(slow, objects=1)
        session = slow.session()
        assert session.apply(session.plan(spec)).wait(timeout_s=7200).succeeded


@pytest.mark.slow
@pytest.mark.usefixtures("needs_spark")
@pytest.mark.parametrize("max_records", [None, 10])
def test_spark_under_the_least_role_makes_the_bytes_of_one_machine(spec, fill, tmp_path, max_records):
    with Cloud() as cloud:
        fill(cloud)
        session = cloud.session()
        wanted = spec.model_copy(update={"max_records": max_records})
        run = session.apply(session.plan(wanted))
        report = run.result(timeout_s=36_000)
        s3 = cloud.boto3_session().client("s3")
        bucket, _, key = report["out"].removeprefix("s3://").partition("/")
        made = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        here = from_logs(
            spec.logs,
            tmp_path / "here.jsonl",
            query=spec.log_query,
            clients=session.clients,
            max_records=max_records,
        )
        left = [
            item["Key"]
            for item in s3.list_objects_v2(Bucket=bucket, Prefix="harvest/nightly").get("Contents")
        ]
    assert made == (tmp_path / "here.jsonl").read_bytes()
    assert report["written"] == here.written > 0
    same = {"written", "matched", "duplicates", "skipped"}
    told = here.to_dict()
    assert max_records or {name: report[name] for name in same} == {name: told[name] for name in same}
    assert not any("/work/" in name for name in left), "what parts left is removed at the end"
