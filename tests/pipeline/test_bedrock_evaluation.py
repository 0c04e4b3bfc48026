"""A student and its teacher evaluated by jobs of Bedrock's: from the plan to the gate, through crashes, failures and gaps."""

from __future__ import annotations

import itertools
import json
import re

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import (
    DataError,
    GateFailedError,
    JobFailedError,
    NotFoundError,
    PlanError,
    ServiceError,
    SpecError,
    WaitTimeoutError,
)
from bedrock_distill.local import Cloud, Fault
from bedrock_distill.local.services.bedrock import job_access
from bedrock_distill.local.teachers import FunctionTeacher
from bedrock_distill.records import Record, encode_record

TEACHER, STUDENT, JUDGE = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"
OUTPUT = "s3://acme-ml/evaluation/"


def number(record):
    return int(re.search(r"\d+", record.prompt_text)[0])


def right(n):
    return f"topic {n % 7} urgent"


def by_teacher(record):
    """Wrong on every tenth."""
    return "nothing" if number(record) % 10 == 9 else right(number(record))


def by_student(record):
    """Wrong where the teacher is, half right on every fourth."""
    return right(number(record)).split()[0] if number(record) % 4 == 0 else by_teacher(record)


def by_judge(record):
    """1 for the reference itself, and no score where the response is empty."""
    text = record.prompt_text
    wanted, given = (
        text.partition(head)[2].partition("\n\n")[0] for head in ("Reference response:\n", "\n\nResponse:\n")
    )
    return f"Compared.\nScore: {float(wanted == given)}" if given else "I cannot say."


@pytest.fixture
def cloud():
    teachers = {TEACHER: by_teacher, STUDENT: by_student, JUDGE: by_judge}
    with Cloud(teachers=teachers) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


def heldout(path, count=120):
    lines = []
    for n in range(count):
        line = json.loads(encode_record(Record.of(f"Question {n}?", completion=right(n))))
        lines.append({**line, "requestMetadata": {"tenant": "ab"[n % 2]}})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return bd.Prompts(path)


@pytest.fixture
def data(tmp_path):
    return heldout(tmp_path / "heldout.jsonl")


def both(cloud, data, **wanted):
    options = {"student": STUDENT, "teacher": TEACHER, "data": data, "output": OUTPUT, **wanted}
    return cloud.session().evaluate_on_bedrock(**options)


def spec(data, model=STUDENT, **changes):
    return bd.BedrockEvaluation(**{"name": "one", "model": model, "data": data, "output": OUTPUT, **changes})


def test_the_service_s_f1_says_what_our_own_runner_says(cloud, data):
    seen = []
    found = both(
        cloud, data, report={"slices": "metadata.tenant"}, on_change=lambda state: seen.append(state.status)
    )
    session = cloud.session()
    own = bd.evaluate(
        session.model(STUDENT),
        session.model(TEACHER),
        data,
        metrics="token_f1",
        slices="metadata.tenant",
        clock=cloud.clock,
    )
    assert found.retention.value == pytest.approx(own.retention.value)
    assert found.metric.teacher.value == pytest.approx(own.metric.teacher.value)
    assert found.answers["student"].texts == own.answers["student"].texts
    assert found.task == own.task
    kept = {each.value: each.retention.value for each in own.slices}
    assert {each.value: each.retention.value for each in found.slices} == pytest.approx(kept)
    bounds = (each.check(min_retention=0.5).lower_bound for each in (found, own))
    assert next(bounds) == pytest.approx(next(bounds), abs=0.01)
    assert seen[-1] == "Completed"
    matched = {result.name: result for result in found.metrics}["normalised_match"]
    assert matched.student.agreement.value == pytest.approx(
        bd.evaluate(
            session.model(STUDENT),
            session.model(TEACHER),
            data,
            metrics="normalised_match",
            clock=cloud.clock,
        ).agreement.value
    )


def test_a_judge_s_binary_scores_give_the_gate_the_figures_of_the_exact_match(cloud, data):
    found = both(cloud, data, judge=JUDGE)
    session = cloud.session()
    own = bd.evaluate(
        session.model(STUDENT), session.model(TEACHER), data, metrics="exact_match", clock=cloud.clock
    )
    assert found.retention.value == own.retention.value
    low = found.check(min_retention=0.5)
    assert low.passed
    assert low.lower_bound == own.check(min_retention=0.5).lower_bound
    with pytest.raises(GateFailedError, match="Retention is at least"):
        found.gate(min_retention=0.9)
    assert found.method.scored_by.endswith(f"with {JUDGE} as judge")
    assert set(found.metric.grades.reasons["student"]) == {"Compared."}


def test_both_plans_can_be_looked_at_before_and_the_report_made_later(cloud, data):
    session = cloud.session()
    plans = [session.plan(spec(data, model, name=name)) for model, name in ((STUDENT, "s"), (TEACHER, "t"))]
    assert [plan.blockers for plan in plans] == [(), ()]
    assert session.evaluation_jobs() == []
    jobs = [session.apply(plan) for plan in plans]
    for job in jobs:
        job.wait()
    later = cloud.session()
    student, teacher = (later.evaluation_job(job.status().name) for job in jobs)
    assert (student, teacher) == tuple(later.attach(job.arn) for job in jobs)
    assert [student.arn, teacher.arn] == [job.arn for job in jobs]
    found = bd.report_of_jobs(student, teacher)
    assert len(found.task.prompts) == 120
    assert found.sides["teacher"].name == TEACHER
    first = teacher.results()[0]
    assert (first.prompt, first.response, first.scores) == (
        "Question 0?",
        right(0),
        {"Builtin.Accuracy": 1.0},
    )
    again = session.plan(spec(data, name="s"))
    assert again.creates.done
    assert session.apply(again).arn == student.arn


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_leaves_one_job(cloud, tmp_path, when):
    data = heldout(tmp_path / "few.jsonl", 2)
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    for at in itertools.count(1):
        wanted = spec(data, name=f"t{at}x")
        plan = dying.plan(wanted)
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(plan)
        handle = other.apply(other.plan(wanted))
        assert len(other.evaluation_jobs(name_contains=f"t{at}x-")) == 1
        handle.wait()
        if not crash.happened:
            break
    assert at > 3


def test_a_failed_job_says_why_and_the_next_plan_tries_again(cloud, data):
    session = cloud.session()
    plan = session.plan(spec(data))
    key = plan.steps[0].uri.removeprefix("s3://acme-ml/")
    cloud.clock.mode = "polls"
    job = session.apply(plan)
    cloud.boto3_session().client("s3").put_object(Bucket="acme-ml", Key=key, Body=b"broken")
    with pytest.raises(JobFailedError, match="Line 1 of the dataset") as failed:
        job.wait()
    assert failed.value.status == "Failed"
    with pytest.raises(NotFoundError, match="has no results"):
        job.results()
    with pytest.raises(JobFailedError):
        bd.report_of_jobs(job, job)
    again = session.plan(spec(data))
    assert [warning.code for warning in again.warnings] == ["failed-before"]
    assert again.creates.name == f"{plan.creates.name}-2"
    assert session.apply(again).wait().succeeded


def test_a_job_is_stopped_and_deleted_and_one_that_runs_is_neither_read_nor_deleted(cloud, data):
    session = cloud.session()
    cloud.clock.mode = "polls"
    cloud.clock.polls = 5
    job = session.apply(session.plan(spec(data)))
    with pytest.raises(WaitTimeoutError, match="evaluate-jobs wait"):
        bd.report_of_jobs(job, job)
    with pytest.raises(ServiceError, match="Only jobs that are over can be deleted"):
        job.delete()
    job.stop()
    with pytest.raises(JobFailedError, match="ended as Stopped"):
        job.wait()
    job.delete()
    job.delete()
    assert session.evaluation_jobs() == []
    with pytest.raises(NotFoundError, match="There is no evaluation job"):
        session.evaluation_job("one")


def test_missing_scores_and_answers_are_counted_and_fail_the_gate(cloud, data):
    def sometimes(record):
        if number(record) % 6 == 0:
            raise RuntimeError("overloaded")
        return "" if number(record) % 6 == 1 else right(number(record))

    cloud.world.teachers = {**cloud.world.teachers, STUDENT: FunctionTeacher(sometimes)}
    found = both(cloud, data, judge=JUDGE)
    assert found.sides["student"].failures == {"NoAnswer": 20}
    assert found.metric.grades.missing("student") == 40
    verdict = found.check(min_retention=0.1)
    assert {each.name for each in verdict.criteria if not each.passed} == {
        "student failures",
        "student scores",
    }
    assert "overloaded" in found.answers["student"].answers[0].error


def test_what_jobs_cannot_ask_is_asked_here_and_judged_there(cloud, data, tmp_path):
    deployment = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
    session = cloud.session()
    session.model = lambda model: cloud.session().model(STUDENT if model == deployment else model)
    options = {"student": deployment, "teacher": TEACHER, "data": data, "output": OUTPUT}
    with pytest.raises(SpecError, match="name a judge"):
        session.evaluate_on_bedrock(**options)
    found = session.evaluate_on_bedrock(**options, judge=JUDGE, limit=40)
    assert found.answers["student"].texts == both(cloud, data, judge=JUDGE, limit=40).answers["student"].texts
    assert found.sides["student"].name == deployment
    talk = tmp_path / "talk.jsonl"
    talk.write_bytes(encode_record(Record.of("Question 3?", system="Brief.", completion=right(3))) + b"\n")
    answers = bd.gather_answers(session.model(STUDENT), talk)
    judged = {
        side: session.apply(session.plan(spec(bd.Prompts(talk), name=side, answers=answers, judge=JUDGE)))
        for side in ("a", "b")
    }
    for job in judged.values():
        job.wait()
    assert bd.report_of_jobs(*judged.values(), data=talk).task.prompts[0].system_text == "Brief."


def test_a_metric_of_one_s_own_is_reported_on_its_scale(cloud, data):
    tone = bd.CustomMetric(
        name="tone",
        instructions="Reference response:\n{{ground_truth}}\n\nResponse:\n{{prediction}}\n\nRate it.",
        scale={"other": 0, "half": 0.5, "the same": 1},
    )
    found = both(cloud, data, judge=JUDGE, custom_metrics=[tone])
    assert found.metric.name == "tone"
    assert found.retention.value == both(cloud, data, judge=JUDGE).retention.value


def test_a_field_that_is_wrong_is_refused_before_anything_is_asked(cloud, data):
    deployment = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
    with pytest.raises(SpecError, match="computed without a judge"):
        both(cloud, data, student=deployment, judge=JUDGE, metrics=["Builtin.Accuracy"])
    assert cloud.calls.count("Converse") == 0


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (lambda _: {"slices": "metadata.nothing"}, "nothing to slice by"),
        (lambda data: {"training": data}, "are in the training data"),
        (lambda _: {"confidence": 2}, "confidence"),
    ],
)
def test_what_no_report_could_be_made_with_is_refused_before_jobs_are_made(cloud, data, report, says):
    with pytest.raises((SpecError, DataError), match=says):
        both(cloud, data, report=report(data))
    assert cloud.session().evaluation_jobs() == []


def test_where_the_second_job_is_refused_the_error_names_the_first(cloud, data):
    cloud.faults.add(
        Fault(
            operation="CreateEvaluationJob",
            resource="evaluation-teacher-*",
            times=1,
            code="ValidationException",
        )
    )
    with pytest.raises(ServiceError, match="The other job was made before") as caught:
        both(cloud, data)
    (made,) = cloud.session().evaluation_jobs()
    assert f"evaluate-jobs stop {made['jobArn']}" in str(caught.value)
    both(cloud, data)
    assert len(cloud.session().evaluation_jobs()) == 2


def test_jobs_that_were_not_scored_alike_are_not_compared(cloud, data):
    session = cloud.session()

    def job(**changes):
        handle = session.apply(session.plan(spec(data, **changes)))
        handle.wait()
        return handle

    plain, judged = job(), job(judge=JUDGE, name="judged")
    with pytest.raises(SpecError, match="judge of"):
        bd.report_of_jobs(plain, judged)
    with pytest.raises(SpecError, match="task of"):
        bd.report_of_jobs(plain, job(task="Classification"))
    with pytest.raises(SpecError, match="metrics of"):
        bd.report_of_jobs(judged, job(judge=JUDGE, metrics=["Builtin.Relevance"]))
    tones = [
        bd.CustomMetric(name="tone", instructions="{{prediction}}", scale={"bad": 0, "good": best})
        for best in (1, 2)
    ]
    with pytest.raises(SpecError, match="what is meant by tone"):
        bd.report_of_jobs(*(job(judge=JUDGE, custom_metrics=[tone]) for tone in tones))
    with pytest.raises(DataError, match="answer prompts that are not in"):
        bd.report_of_jobs(plain, plain, data=["Another?"])


def test_nothing_is_made_where_either_plan_cannot_work(cloud, data):
    legacy = next(
        row for row in cloud.session().catalog.models if row.lifecycle(cloud.clock.now().date()) == "EOL"
    )
    with pytest.raises(PlanError, match="model-legacy"):
        both(cloud, data, teacher=legacy.id)
    assert cloud.session().evaluation_jobs() == []


def test_a_role_that_may_do_less_than_the_made_one_is_refused(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(job_access, "PROPAGATION_S", 0.0)
    data, session = heldout(tmp_path / "few.jsonl", 2), cloud.session()
    iam = cloud.boto3_session().client("iam")
    plan = session.plan(spec(data, judge=JUDGE))
    role = plan.steps[1]
    needed = {"WriteResults", "AskModels"}  # prompts are staged among the results
    for index, statement in enumerate(role.policy["Statement"]):
        if statement["Sid"] not in needed:
            continue
        name = f"less-{index}"
        rest = [each for each in role.policy["Statement"] if each is not statement]
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(role.trust))
        iam.put_role_policy(
            RoleName=name, PolicyName="p", PolicyDocument=json.dumps({**role.policy, "Statement": rest})
        )
        mine = session.plan(spec(data, judge=JUDGE, name=name, role=made["Role"]["Arn"]))
        with pytest.raises(ServiceError, match=r"perms missing|permissions|not authorized"):
            session.apply(mine)
    assert session.apply(plan).wait().succeeded
