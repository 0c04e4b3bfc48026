"""Applying makes one of everything, wherever the process dies on the way."""

from __future__ import annotations

import itertools
import threading

import pytest

import bedrock_distill as bd
from bedrock_distill.apply import Journal
from bedrock_distill.errors import ConflictError, DataError, JobFailedError, PlanError, StalePlanError
from bedrock_distill.local.faults import Fault
from bedrock_distill.records import Record, encode_record

READS = ("Get", "Head", "List", "AssumeRole")


@pytest.fixture
def held():
    """Set while training goes on until the job is stopped."""
    return threading.Event()


@pytest.fixture
def trainer(trainer, held):
    """A trainer that trains nothing, and that a test may hold up."""

    def train(config, *, stop=None, **options):
        if held.is_set():
            stop.wait(60)
        return trainer(config, **options)

    return train


@pytest.fixture
def counts(cloud):
    """How many there are of each thing that an apply could make twice."""
    session = cloud.boto3_session()
    bedrock, iam, s3 = (session.client(service) for service in ("bedrock", "iam", "s3"))

    def count():
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket="acme-ml").get("Contents", [])]
        return {
            "jobs": len(bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]),
            "models": len(bedrock.list_custom_models()["modelSummaries"]),
            "deployments": len(bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]),
            "roles": len(iam.list_roles()["Roles"]),
            "objects": sum("/staged/" in key for key in keys),
        }

    return count


def test_planning_only_reads(cloud, spec):
    session = cloud.session()
    before = len(cloud.calls)
    session.plan(spec)
    names = [call.operation for call in list(cloud.calls)[before:]]
    assert names
    assert all(name.startswith(READS) for name in names), names


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_leaves_one_of_everything_after_applying_again(
    cloud, spec, tmp_path, when, counts
):
    # The second session is another process on another machine: no journal, no memory.
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    struck = []
    for at in itertools.count(1):
        wanted = spec.model_copy(update={"name": f"t{at}", "output": f"s3://acme-ml/distill/{at}/"})
        known = counts()
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(dying.plan(wanted))
        run = other.apply(other.plan(wanted))
        now = counts()
        grown = {kind: now[kind] - known[kind] for kind in ("jobs", "roles", "objects")}
        assert grown == {"jobs": 1, "roles": 1, "objects": 1}, (at, crash.operation)
        run.result(timeout_s=7200).delete()
        if not crash.happened:
            break
        struck.append(crash.operation)
    assert {"CreateModelCustomizationJob", "CreateRole", "PutRolePolicy", "PutObject"} <= set(struck)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_of_a_deployment_leaves_one_deployment(cloud, spec, tmp_path, when, counts):
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    model = other.apply(other.plan(spec)).result(timeout_s=7200)
    struck = []
    for at in itertools.count(1):
        wanted = bd.OnDemandDeployment(model=model, name=f"d{at}")
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(dying.plan(wanted)).wait()
        deployment = other.apply(other.plan(wanted))
        deployment.wait()
        assert counts()["deployments"] == 1, (at, crash.operation)
        deployment.delete()
        if not crash.happened:
            break
        struck.append(crash.operation)
    assert "CreateCustomModelDeployment" in struck


def test_applying_the_same_plan_again_makes_nothing_and_returns_the_same_job(cloud, spec, counts):
    session = cloud.session()
    plan = session.plan(spec)
    first = session.apply(plan)
    first.wait(timeout_s=7200)
    before = counts()
    events = []
    second = session.apply(bd.Plan.from_json(plan.to_json()), on_event=events.append)
    assert second == first
    assert counts() == before
    assert {event.event for event in events} == {"started", "found"}


def test_planning_again_says_that_the_job_is_there(cloud, spec):
    session = cloud.session()
    first = session.plan(spec)
    session.apply(first)
    again = session.plan(spec)
    assert again.fingerprint == first.fingerprint
    assert "job-exists" in {warning.code for warning in again.warnings}
    assert [step.done for step in again.steps] == [True, True, True, False]


def test_a_stopped_job_is_followed_by_a_second_attempt(cloud, spec, held):
    session = cloud.session()
    held.set()
    run = session.apply(session.plan(spec))
    run.stop()
    held.clear()
    with pytest.raises(JobFailedError, match="Stopped"):
        run.wait(timeout_s=7200)
    again = session.plan(spec)
    assert again.creates.name.endswith("-2")
    assert "earlier-attempts" in {warning.code for warning in again.warnings}
    second = session.apply(again)
    assert second.arn != run.arn
    assert second.result(timeout_s=7200).name == again.creates.name


def test_data_that_changed_since_makes_the_plan_stale(cloud, spec, prompts, counts):
    session = cloud.session()
    plan = session.plan(spec)
    prompts.write_bytes(prompts.read_bytes() + b"\n")
    with pytest.raises(StalePlanError, match="has changed"):
        session.apply(plan)
    prompts.unlink()
    with pytest.raises(StalePlanError, match="is gone"):
        session.apply(plan)
    assert counts()["jobs"] == 0


def test_a_plan_for_another_region_or_account_is_not_applied(cloud, spec):
    plan = cloud.session().plan(spec)
    with pytest.raises(PlanError, match="in us-west-2"):
        cloud.session(region="us-west-2").apply(plan)


def test_a_plan_that_cannot_work_is_not_applied(cloud, spec, counts):
    elsewhere = spec.model_copy(update={"output": "s3://no-such-bucket/x/"})
    session = cloud.session()
    plan = session.plan(elsewhere)
    with pytest.raises(PlanError, match="no-bucket"):
        session.apply(plan)
    assert counts() == {"jobs": 0, "models": 0, "deployments": 0, "roles": 0, "objects": 0}


def test_data_that_breaks_a_rule_is_refused_at_planning(cloud, spec, prompts):
    prompts.write_bytes(b"\n".join(prompts.read_bytes().splitlines()[:99]) + b"\n")
    with pytest.raises(DataError, match="99"):
        cloud.session().plan(spec)


def test_a_name_taken_by_someone_else_is_a_conflict_and_not_adopted(cloud, spec):
    session = cloud.session()
    plan = session.plan(spec)
    session.apply(plan)
    bedrock = cloud.boto3_session().client("bedrock")
    job = bedrock.get_model_customization_job(jobIdentifier=plan.creates.name)
    other = spec.model_copy(update={"max_response_tokens": 7})
    strange = session.plan(other)
    request = strange.creates.request | {"clientRequestToken": "somebody-elses", "roleArn": job["roleArn"]}
    bedrock.create_model_customization_job(**request)
    with pytest.raises(ConflictError, match="another distillation job"):
        session.apply(strange)


def test_throttling_and_a_slow_iam_are_waited_out(cloud, spec, counts):
    cloud.faults.add(Fault(operation="CreateModelCustomizationJob", code="ThrottlingException", times=2))
    cloud.faults.add(Fault(operation="CreateRole", status=503, times=1))
    session = cloud.session()
    session.apply(session.plan(spec)).wait(timeout_s=7200)
    assert counts()["jobs"] == 1


def test_an_answer_that_gets_lost_makes_no_second_job(cloud, spec, counts):
    cloud.faults.add(Fault(operation="CreateModelCustomizationJob", disconnect=True, when="after", times=1))
    session = cloud.session()
    run = session.apply(session.plan(spec))
    assert run.wait(timeout_s=7200).succeeded
    assert counts()["jobs"] == 1


def test_a_large_file_is_staged_in_parts_and_only_once(cloud, spec, tmp_path):
    big = tmp_path / "big.jsonl"
    big.write_bytes(b"".join(map(_long_line, range(3_000))))
    wanted = spec.model_copy(update={"data": bd.Prompts(big)})
    session = cloud.session()
    seen = []
    session.apply(session.plan(wanted), on_event=lambda event: seen.append(event.bytes_done))
    assert max(seen) == big.stat().st_size
    uploads = [
        call.operation for call in cloud.calls if call.operation in ("UploadPart", "CreateMultipartUpload")
    ]
    assert uploads.count("CreateMultipartUpload") == 1
    before = len(cloud.calls)
    session.apply(session.plan(wanted))
    assert "UploadPart" not in [call.operation for call in list(cloud.calls)[before:]]


def _long_line(number):
    return encode_record(Record.of(f"Question {number}? " + "Please read this carefully. " * 400)) + b"\n"


def test_the_journal_tells_what_was_made(cloud, spec, tmp_path):
    session = cloud.session(state_dir=tmp_path / "state")
    plan = session.plan(spec)
    run = session.apply(plan)
    entries = list(Journal(tmp_path / "state", plan).entries())
    assert [entry.event for entry in entries] == ["started", "made"] * 3
    assert entries[-1].arn == run.arn


def test_a_journal_that_cannot_be_written_is_no_reason_to_stop(cloud, spec, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    session = cloud.session(state_dir=blocked)
    assert session.apply(session.plan(spec)).arn


def test_a_journal_cut_short_by_a_crash_is_read_up_to_there(cloud, spec, tmp_path):
    session = cloud.session(state_dir=tmp_path)
    plan = session.plan(spec)
    session.apply(plan)
    journal = Journal(tmp_path, plan)
    with journal.path.open("ab") as file:
        file.write(b'{"at": "2026')
    assert len(list(journal.entries())) == 6
