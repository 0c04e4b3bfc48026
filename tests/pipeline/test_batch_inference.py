"""Prompts through one batch inference job, and a student held against its answers as if the teacher were asked live."""

from __future__ import annotations

import itertools
import json
import threading

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import (
    ConflictError,
    DataError,
    JobFailedError,
    NotFoundError,
    PlanError,
    SpecError,
    StalePlanError,
    WaitTimeoutError,
)
from bedrock_distill.local import Cloud, Fault
from bedrock_distill.local.teachers import as_teacher
from bedrock_distill.records import Record
from bedrock_distill.records.writing import write_records

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"
TOPICS = ("billing", "shipping", "returns")


def number_of(record):
    return int(record.prompt_text.split()[1].rstrip("?"))


def teach(record):
    return TOPICS[number_of(record) % 3]


def study(record):
    """Right four times of five."""
    return "none" if number_of(record) % 5 == 0 else teach(record)


@pytest.fixture
def cloud():
    with Cloud(teachers={TEACHER: teach, STUDENT: study}) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    records = (
        Record.of(f"Question {n}?", system="Name the topic." if n % 2 else None, completion=TOPICS[n % 4 % 3])
        for n in range(120)
    )
    write_records(path, records)
    return path


@pytest.fixture
def wanted(prompts):
    def spec(**changes):
        fields = {"name": "triage", "model": TEACHER, "output": "s3://acme-ml/batch/"} | changes
        return bd.BatchInference(data=bd.Prompts(prompts), **fields)

    return spec


@pytest.fixture
def counts(cloud):
    boto3 = cloud.boto3_session()
    bedrock, iam, s3 = (boto3.client(service) for service in ("bedrock", "iam", "s3"))

    def count():
        staged = s3.list_objects_v2(Bucket="acme-ml").get("Contents", ())
        return {
            "jobs": len(bedrock.list_model_invocation_jobs()["invocationJobSummaries"]),
            "roles": len(iam.list_roles()["Roles"]),
            "staged": sum("/staged/" in item["Key"] for item in staged),
        }

    return count


def figures(report):
    """All that a report measures, but for what time and names have to do with."""
    found = report.to_dict(answers=True)
    measured = {
        name: found[name]
        for name in ("metric", "basis", "retention", "agreement", "prompts", "metrics", "labels")
    }
    sides = ("calls", "failed", "stop_reasons", "empty", "refusals", "input_tokens", "output_tokens")
    measured["sides"] = {
        side: {name: summary[name] for name in sides} for side, summary in found["sides"].items()
    }
    measured["texts"] = [
        {side: each[side]["text"] for side in ("student", "teacher")} for each in found["answers"]
    ]
    return measured


@pytest.mark.parametrize("invocation", ["Converse", "InvokeModel"])
def test_a_student_against_the_recorded_teacher_has_the_figures_of_one_against_the_live_teacher(
    cloud, wanted, prompts, invocation
):
    session = cloud.session()
    job = session.apply(session.plan(wanted(invocation=invocation)))
    done = job.wait()
    assert (done.status, done.total, done.answered, done.failed) == ("Completed", 120, 120, 0)
    student = session.model(STUDENT)
    live = bd.evaluate(student, session.model(TEACHER), bd.Prompts(prompts))
    asked = cloud.calls.count("Converse")
    recorded = bd.evaluate(student, session.model(job.arn), bd.Prompts(prompts))
    assert cloud.calls.count("Converse") - asked == 120  # the student's
    assert figures(recorded) == figures(live)
    assert 0.5 < live.retention.value < 1
    assert 0.5 < live.agreement.value < 1
    assert any("were recorded" in remark for remark in recorded.remarks)
    assert not any("were recorded" in remark for remark in live.remarks)


def test_a_base_model_is_measured_against_the_recorded_teacher(cloud, wanted, prompts):
    session = cloud.session()
    teacher = bd.Recorded.from_job(session.attach(_run(session, wanted()).arn))
    micro = session.model("amazon.nova-micro-v1:0")
    found = [
        bd.evaluate(micro, each, bd.Prompts(prompts), max_tokens=3, limit=20)
        for each in (session.model(TEACHER), teacher)
    ]
    assert figures(found[0]) == figures(found[1])


def test_answers_become_records_that_answer_as_the_job_does(cloud, wanted, tmp_path):
    session = cloud.session()
    job = _run(session, wanted())
    answers = job.answers()
    assert [answer.prompt.prompt_text for answer in answers] == [f"Question {n}?" for n in range(120)]
    write_records(tmp_path / "answers.jsonl", (answer.record for answer in answers))
    kept, live = bd.Recorded.from_file(tmp_path / "answers.jsonl"), session.model(job.arn)
    for answer in answers:
        assert kept.chat(answer.prompt).text == live.chat(answer.prompt).text == teach(answer.prompt)


def test_a_partly_failed_job_counts_its_failed_prompts_as_failed_calls(cloud, wanted, prompts):
    def answer(record):
        if number_of(record) % 10 == 0:
            raise ValueError("out of words")
        return teach(record)

    cloud.world.teachers = {**cloud.world.teachers, TEACHER: as_teacher(answer)}
    session = cloud.session()
    job = _run(session, wanted())
    state = job.status()
    assert (state.status, state.answered, state.failed) == ("Completed", 108, 12)
    failed = [each for each in job.answers() if each.failed]
    assert {each.error_code for each in failed} == {"RecordError424"}
    assert {number_of(each.prompt) for each in failed} == set(range(0, 120, 10))
    live = bd.evaluate(session.model(STUDENT), session.model(TEACHER), bd.Prompts(prompts), retries=0)
    recorded = bd.evaluate(session.model(STUDENT), session.model(job.arn), bd.Prompts(prompts))
    assert recorded.sides["teacher"].failures == {"RecordError424": 12}
    assert figures(recorded) == figures(live)


def test_prompts_that_the_job_did_not_ask_are_counted_as_not_recorded(cloud, wanted, tmp_path):
    session = cloud.session()
    job = _run(session, wanted())
    write_records(tmp_path / "more.jsonl", (Record.of(f"Question {n}?") for n in range(100, 130, 2)))
    report = bd.evaluate(session.model(STUDENT), session.model(job.arn), bd.Prompts(tmp_path / "more.jsonl"))
    assert report.sides["teacher"].failures == {"NotRecorded": 5}


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
    job = _run(session, wanted())
    assert len(job.answers()) == 120
    with pytest.raises(ConflictError):
        job.stop()
    assert counts()["jobs"] == 1


def test_the_same_prompts_again_stage_nothing_and_make_nothing(cloud, wanted, counts, prompts, tmp_path):
    session = cloud.session()
    first = _run(session, wanted())
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


# What goes wrong ------------------------------------------------------------------------------------------------


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


def test_held_out_prompts_with_metadata_are_asked_without_it_and_sliced_by_it(cloud, wanted, prompts):
    lines = [json.loads(line) for line in prompts.read_bytes().splitlines()]
    tenants = ({**line, "requestMetadata": {"tenant": "ab"[n % 2]}} for n, line in enumerate(lines))
    prompts.write_text("\n\n".join(map(json.dumps, tenants)), "utf-8")
    session = cloud.session()
    job = _run(session, wanted())
    report = bd.evaluate(
        session.model(STUDENT), session.model(job.arn), bd.Prompts(prompts), slices="metadata.tenant"
    )
    assert report.sides["teacher"].failed == 0
    assert {each.value: each.n for each in report.slices} == {"a": 60, "b": 60}
    prompts.write_text(prompts.read_text("utf-8").replace('"text": "Question 7?"', '"text": " "'), "utf-8")
    with pytest.raises(DataError) as caught:
        session.plan(wanted())
    assert caught.value.offences[0].line == 15  # with the blank ones between


def test_a_family_whose_body_is_not_known_is_left_to_converse(cloud, wanted, prompts, tmp_path):
    (tmp_path / "more.toml").write_text(
        '[[model]]\nid = "acme.scribe-v1:0"\nname = "Scribe"\nprovider = "Acme"\nfamily = "scribe"\nbody = "mistral"\n'
        'called = ["id"]\nsource = "x"\nas_of = 2026-11-01\n'
    )
    session = cloud.session(catalog=tmp_path / "more.toml")
    with pytest.raises(SpecError, match='invocation="Converse"'):
        session.plan(wanted(model="acme.scribe-v1:0", invocation="InvokeModel"))
    assert session.plan(wanted(model="acme.scribe-v1:0")).blockers == ()


def test_answers_are_not_to_be_had_before_the_job_is_over(cloud, wanted):
    cloud.clock.mode = "polls"
    session = cloud.session()
    job = session.apply(session.plan(wanted()))
    with pytest.raises(WaitTimeoutError, match=f"batch wait {job.arn}") as caught:
        session.model(job.arn)
    assert caught.value.status == "Submitted"
    with pytest.raises(WaitTimeoutError, match="It goes on"):
        job.wait(timeout_s=1)
    cloud.clock.mode = "instant"


def test_a_job_that_expired_says_so(cloud, wanted):
    cloud.clock.mode = "polls"
    session = cloud.session()
    job = session.apply(session.plan(wanted(timeout_hours=24)))
    while job.status().status != "Scheduled":
        pass
    cloud.clock.sleep(25 * 3600)
    with pytest.raises(JobFailedError, match=r"ended as Expired: .*within its 24 hours"):
        job.wait()
    cloud.clock.mode = "instant"


def test_a_job_whose_time_is_up_in_the_middle_ends_with_the_answers_it_has(cloud, wanted, prompts):
    def slowly(record):
        cloud.clock.sleep(13 * 3600)
        return teach(record)

    cloud.clock.mode = "polls"
    cloud.world.teachers = {**cloud.world.teachers, TEACHER: as_teacher(slowly)}
    session = cloud.session()
    job = session.apply(session.plan(wanted(timeout_hours=24)))
    answers = job.result()
    state = job.status()
    assert (state.status, state.succeeded) == ("PartiallyCompleted", True)
    assert 0 < len(answers) == state.answered < state.total == 120
    report = bd.evaluate(session.model(STUDENT), session.model(job.arn), bd.Prompts(prompts))
    assert report.sides["teacher"].failures == {"NotRecorded": 120 - len(answers)}
    cloud.clock.mode = "instant"


def test_a_stopped_job_keeps_its_answers_and_cannot_be_stopped_twice(cloud, wanted):
    stopped = threading.Event()

    def answer(record):
        if number_of(record) == 60:
            job.stop()
            stopped.set()
        elif number_of(record) > 60:
            assert stopped.wait(30)
        return teach(record)

    cloud.clock.mode = "polls"
    cloud.world.teachers = {**cloud.world.teachers, TEACHER: as_teacher(answer)}
    session = cloud.session()
    job = session.apply(session.plan(wanted()))
    seen = [state.status for state in job.events()]
    assert seen == ["Submitted", "Validating", "Scheduled", "InProgress", "Stopped"]
    assert 0 < len(job.answers()) == job.status().answered < 120
    assert "Question 0?" in {each.prompt.prompt_text for each in job.answers()}
    with pytest.raises(ConflictError):
        job.stop()
    cloud.clock.mode = "instant"


def test_output_that_was_deleted_is_said_to_be(cloud, wanted):
    session = cloud.session()
    job = _run(session, wanted())
    s3 = cloud.boto3_session().client("s3")
    token = job.arn.rpartition("/")[2]
    s3.delete_object(Bucket="acme-ml", Key=_answers_key(s3, token))
    with pytest.raises(DataError, match=f"no .*out under s3://acme-ml/batch/{token}/"):
        job.answers()


def test_output_of_which_a_part_is_missing_is_warned_of(cloud, wanted, caplog):
    job = _run(cloud.session(), wanted())
    assert len(job.answers()) == 120
    assert not caplog.records
    s3 = cloud.boto3_session().client("s3")
    found = s3.list_objects_v2(Bucket="acme-ml", Prefix=f"batch/{job.arn.rpartition('/')[2]}/")["Contents"]
    (key,) = (item["Key"] for item in found if item["Key"].endswith(".jsonl.out"))
    lines = s3.get_object(Bucket="acme-ml", Key=key)["Body"].read().splitlines(keepends=True)
    s3.put_object(Bucket="acme-ml", Key=key, Body=b"".join(lines[:50]))
    assert len(job.answers()) == 50
    assert "processed 120 records, and 50 are in its output" in caplog.text


def test_output_of_which_every_prompt_is_an_image_answers_nothing(cloud, wanted):
    session = cloud.session()
    job = _run(session, wanted())
    s3 = cloud.boto3_session().client("s3")
    image = {"messages": [{"role": "user", "content": [{"image": {"format": "png"}}]}]}
    said = {"output": {"message": {"content": [{"text": "a cat"}]}}}
    line = {"recordId": "A", "modelInput": image, "modelOutput": said}
    s3.put_object(
        Bucket="acme-ml", Key=_answers_key(s3, job.arn.rpartition("/")[2]), Body=json.dumps(line).encode()
    )
    with pytest.raises(DataError, match="no prompt of text alone"):
        session.model(job.arn)


def test_a_job_is_found_by_its_arn_by_the_last_part_of_it_and_by_its_name(cloud, wanted):
    session = cloud.session()
    job = _run(session, wanted())
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


def test_the_role_that_is_made_is_enough_and_one_that_is_new_is_waited_for(cloud, wanted, counts):
    session = cloud.session()
    before = cloud.clock.monotonic()
    assert _run(session, wanted(model=f"us.{TEACHER}")).status().status == "Completed"
    assert cloud.clock.monotonic() - before >= 10  # IAM spreads a role
    assert counts()["roles"] == 1


def _run(session, spec):
    job = session.apply(session.plan(spec))
    job.wait()
    return job


def _answers_key(s3, token):
    found = s3.list_objects_v2(Bucket="acme-ml", Prefix=f"batch/{token}/")["Contents"]
    return next(item["Key"] for item in found if item["Key"].endswith(".jsonl.out"))
