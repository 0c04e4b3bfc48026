"""Plans of batch inference jobs: what applying them makes, and makes once, and what is refused."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import (
    ConflictError,
    DataError,
    JobFailedError,
    PlanError,
    SpecError,
    StalePlanError,
)
from bedrock_distill.local import Fault

_triage = runpy.run_path(str(Path(__file__).parent / "triage.py"))
TEACHER, run = (_triage[name] for name in ("TEACHER", "run"))


# Once -----------------------------------------------------------------------------------------------------------


def test_planning_only_reads(cloud, wanted):
    cloud.session().plan(wanted())
    names = [call.operation for call in cloud.calls]
    assert names
    assert all(name.startswith(("Get", "Head", "List", "AssumeRole")) for name in names), names


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_leaves_one_of_everything_after_applying_again(
    cloud, wanted, counts, tmp_path, when
):
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    struck = []
    for at in itertools.count(1):
        spec = wanted(name=f"t{at}", output=f"s3://acme-ml/{at}/")
        before = counts()
        plan = dying.plan(spec)
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(plan)
        job = other.apply(other.plan(spec))
        grown = {kind: count - before[kind] for kind, count in counts().items()}
        assert grown == {"jobs": 1, "roles": 1, "staged": 1}, (at, crash.operation)
        assert job.wait().status == "Completed"
        if not crash.happened:
            break
        struck.append(crash.operation)
    assert {"CreateModelInvocationJob", "CreateRole", "PutRolePolicy", "PutObject"} <= set(struck)


def test_an_answer_that_gets_lost_makes_no_second_job(cloud, wanted, counts):
    lost = Fault(operation="CreateModelInvocationJob", disconnect=True, when="after", times=1)
    cloud.faults.add(lost)
    session = cloud.session()
    session.apply(session.plan(wanted()))
    assert counts()["jobs"] == 1
    assert cloud.calls.count("CreateModelInvocationJob") > 1


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException"])
def test_calls_that_fail_for_a_moment_are_made_again(cloud, wanted, counts, code):
    for operation in ("Create", "Get", "Stop"):
        cloud.faults.add(Fault(operation=f"{operation}ModelInvocationJob", code=code, times=2))
    cloud.faults.add(Fault(operation="ListModelInvocationJobs", code=code, times=2))
    session = cloud.session()
    job = run(session, wanted())
    assert len(job.answers()) == 120
    with pytest.raises(ConflictError):
        job.stop()
    assert counts()["jobs"] == 1


def test_the_same_prompts_again_stage_nothing_and_make_nothing(cloud, wanted, counts, prompts, tmp_path):
    session = cloud.session()
    first = run(session, wanted())
    before = counts()
    cloud.calls.clear()
    (tmp_path / "moved.jsonl").write_bytes(prompts.read_bytes())  # wherever the file lies
    moved = wanted().model_copy(update={"data": bd.Prompts(tmp_path / "moved.jsonl")})
    plan = session.plan(wanted())
    assert [step.done for step in plan.steps] == [True, True, True, False]
    assert session.apply(plan) == session.apply(session.plan(wanted())) == first
    assert counts() == before
    assert session.plan(moved).fingerprint == plan.fingerprint
    assert not cloud.calls.where(operation="PutObject")


def test_a_job_that_failed_makes_room_for_another_try(cloud, wanted, counts):
    session = cloud.session()
    bedrock = cloud.boto3_session().client("bedrock")
    cloud.clock.mode = "polls"
    stopped = session.apply(session.plan(wanted()))
    stopped.stop()
    with pytest.raises(JobFailedError, match="ended as Stopped"):
        stopped.wait()
    cloud.clock.mode = "instant"
    plan = session.plan(wanted())
    assert [warning.code for warning in plan.warnings] == ["earlier-attempts"]
    again = session.apply(plan)
    assert again.arn != stopped.arn
    assert again.wait().name == f"{stopped.status().name}-2"
    assert counts()["jobs"] == len(bedrock.list_model_invocation_jobs()["invocationJobSummaries"]) == 2


def test_the_role_that_is_made_is_enough_and_one_that_is_new_is_waited_for(cloud, wanted, counts):
    session = cloud.session()
    before = cloud.clock.monotonic()
    assert run(session, wanted(model=f"us.{TEACHER}")).status().status == "Completed"
    assert cloud.clock.monotonic() - before >= 10  # IAM spreads a role
    assert counts()["roles"] == 1


# What is refused ------------------------------------------------------------------------------------------------


def test_prompts_that_change_or_go_after_the_plan_are_refused(cloud, wanted, prompts, counts):
    session = cloud.session()
    plan = session.plan(wanted())
    lines = prompts.read_bytes()
    prompts.write_bytes(lines.replace(b"Question 7?", b"Question 8?"))
    with pytest.raises(StalePlanError, match="has changed since the plan"):
        session.apply(plan)
    prompts.unlink()
    with pytest.raises(StalePlanError, match="is gone"):
        session.apply(plan)
    assert counts() == {"jobs": 0, "roles": 0, "staged": 0}


def test_too_few_prompts_stop_the_plan_and_forced_fail_in_the_job(cloud, wanted, prompts):
    lines, session = prompts.read_bytes().splitlines(keepends=True), cloud.session()
    prompts.write_bytes(b"")
    assert [warning.code for warning in session.plan(wanted()).blockers] == ["too-few-records"]
    prompts.write_bytes(b"".join(lines[:99]))
    plan = session.plan(wanted())
    assert [warning.code for warning in plan.blockers] == ["too-few-records"]
    with pytest.raises(PlanError, match="at least 100"):
        session.apply(plan)
    job = session.apply(plan, force=True)
    with pytest.raises(JobFailedError, match=r"less records \(99\).*bedrock-distill batch answers arn:"):
        job.wait()
    with pytest.raises(JobFailedError, match="has written no answers") as caught:
        job.answers()
    assert caught.value.status == "Failed"
    with pytest.raises(JobFailedError):
        session.model(job.arn)


def test_a_file_that_is_no_records_is_refused_by_line(cloud, wanted, prompts):
    prompts.write_bytes(prompts.read_bytes() + b'{"prompt": "Hello"}\n')
    with pytest.raises(DataError, match=r"prompts\.jsonl") as caught:
        cloud.session().plan(wanted())
    assert caught.value.offences[0].line == 121


def test_a_family_whose_body_is_not_known_is_left_to_converse(cloud, wanted, prompts, tmp_path):
    (tmp_path / "more.toml").write_text(
        '[[model]]\nid = "acme.scribe-v1:0"\nname = "Scribe"\nprovider = "Acme"\nfamily = "scribe"\nbody = "mistral"\n'
        'called = ["id"]\nsource = "x"\nas_of = 2026-11-01\n'
    )
    session = cloud.session(catalog=tmp_path / "more.toml")
    with pytest.raises(SpecError, match='invocation="Converse"'):
        session.plan(wanted(model="acme.scribe-v1:0", invocation="InvokeModel"))
    assert session.plan(wanted(model="acme.scribe-v1:0")).blockers == ()
