"""The whole path: calls are logged, a plan counts them, and the job learns from what the logs hold."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest

from bedrock_distill.errors import JobFailedError, PlanError
from bedrock_distill.local import Cloud
from bedrock_distill.local.faults import Fault
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.records.logs import Metadata
from bedrock_distill.resources import Distillation, InvocationLogging, InvocationLogs, LoggingOff

TEACHER, OTHER = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"
SOURCE = "s3://acme-logs/traffic"
TRIAGE = Metadata("project") == "triage"


class Learner:
    """A trainer that remembers what it was given to learn."""

    def __init__(self, train):
        self._train = train
        self.learned = []

    def __call__(self, config, **more):
        self.learned = [json.loads(line)["messages"] for line in config.data.read_bytes().splitlines()]
        return self._train(config, **more)

    @property
    def pairs(self):
        return {
            messages[0]["content"][0]["text"]: messages[1]["content"][0]["text"] for messages in self.learned
        }


@pytest.fixture
def learner(trainer):
    return Learner(trainer)


@pytest.fixture
def teachers():
    return {TEACHER: lambda record: f"Answer to {record.prompt_text}", OTHER: lambda _record: "Other"}


@pytest.fixture
def cloud(tmp_path, learner, teachers):
    with Cloud(
        teachers=teachers,
        services=lambda world: {
            "bedrock": Bedrock(world, trainer=learner),
            "bedrock-runtime": BedrockRuntime(world),
        },
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("acme-logs")
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def session(cloud):
    session = cloud.session()
    session.apply(session.plan(InvocationLogging(bucket="acme-logs", prefix="traffic")))
    return session


def job(data, **fields):
    wanted = {"teacher": TEACHER, "student": "amazon.nova-micro-v1:0", "output": "s3://acme-ml/out/"} | fields
    return Distillation(name="triage", data=data, **wanted)


def ask(session, count, *, model=TEACHER, project="triage"):
    target = session.model(model)
    for number in range(count):
        target.chat(f"{project} {number}?", metadata={"project": project})


def warned(plan):
    return {warning.code for warning in plan.warnings}


def test_a_student_learns_the_logged_answers_of_the_calls_that_the_filter_takes(cloud, session, learner):
    ask(session, 120)
    ask(session, 5, project="other")
    ask(session, 5, model=OTHER)
    cloud.flush()
    # From here on the teacher would say something else, so what is learned can only be from the logs.
    cloud.world.teachers = {}
    plan = session.plan(job(InvocationLogs(SOURCE, where=TRIAGE, use_responses=True)))
    assert plan.facts["answered pairs by model"] == f"{TEACHER}: 120, {OTHER}: 5"
    assert not plan.blockers
    model = session.apply(plan).result()
    assert model.arn
    assert learner.pairs == {f"triage {number}?": f"Answer to triage {number}?" for number in range(120)}


def test_without_the_logged_answers_the_teacher_answers_whatever_any_model_was_asked(
    cloud, session, learner, teachers
):
    ask(session, 60)
    ask(session, 60, model=OTHER, project="other")
    cloud.flush()
    plan = session.plan(job(InvocationLogs(SOURCE)))
    assert plan.facts["prompts"] == "120 in s3://acme-logs/traffic/"
    session.apply(plan).result()
    assert len(learner.pairs) == 120
    assert learner.pairs["other 7?"] == "Answer to other 7?"


def test_applying_twice_makes_one_job_and_the_plan_says_that_logs_may_have_grown(cloud, session):
    ask(session, 100)
    cloud.flush()
    spec = job(InvocationLogs(SOURCE, where=TRIAGE))
    first = session.apply(session.plan(spec))
    first.result()
    ask(session, 10)
    cloud.flush()
    again = session.plan(spec)
    assert {"job-exists", "logs-may-have-grown"} <= warned(again)
    assert session.apply(again).arn == first.arn
    assert len(session.jobs()) == 1


def test_a_plan_with_too_few_pairs_is_refused_and_forced_fails_in_awss_words(cloud, session):
    ask(session, 99)
    ask(session, 30, model=OTHER)
    cloud.flush()
    plan = session.plan(job(InvocationLogs(SOURCE, use_responses=True)))
    assert [warning.code for warning in plan.blockers] == ["too-few-pairs"]
    with pytest.raises(PlanError, match="holds 99 pairs"):
        session.apply(plan)
    handle = session.apply(plan, force=True)
    with pytest.raises(JobFailedError, match=r"at minimum 100 valid prompts.*30 answered by another model"):
        handle.result()
    status = handle.status()
    assert status.phases["validation"] == "Completed"
    assert status.phases["data processing"] == "Failed"


def test_an_empty_log_fails_in_data_processing_and_not_before(cloud, session):
    handle = session.apply(session.plan(job(InvocationLogs(SOURCE))), force=True)
    with pytest.raises(JobFailedError, match="at minimum 100 valid prompts"):
        handle.result()
    assert handle.status().phases["data processing"] == "Failed"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_leaves_one_job_after_applying_again(cloud, session, tmp_path, when):
    ask(session, 100)
    cloud.flush()
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    for at in itertools.count(1):
        spec = job(InvocationLogs(SOURCE)).model_copy(update={"name": f"t{at}"})
        before = len(session.jobs())
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(dying.plan(spec))
        run = other.apply(other.plan(spec))
        assert len(session.jobs()) == before + 1
        run.result()
        if not crash.happened:
            break
    assert at > 10


def line(number, **more):
    said = {"message": {"role": "assistant", "content": [{"text": f"Answer {number}"}]}}
    ask = {"messages": [{"role": "user", "content": [{"text": f"Question {number}?"}]}]}
    return {
        "schemaType": "ModelInvocationLog",
        "operation": "Converse",
        "modelId": TEACHER,
        "input": {"inputBodyJson": ask},
        "output": {"outputBodyJson": {"output": said, "stopReason": "end_turn"}},
    } | more


def put(cloud, key, *lines, tail=b""):
    body = gzip.compress(b"\n".join(json.dumps(each).encode() for each in lines)) + tail
    cloud.boto3_session().client("s3").put_object(Bucket="acme-logs", Key=f"traffic/{key}", Body=body)


def test_beyond_the_quota_the_plan_says_so_and_the_job_uses_the_quota(cloud, session, learner):
    put(cloud, "AWSLogs/a.json.gz", *(line(number) for number in range(15_010)))
    plan = session.plan(job(InvocationLogs(SOURCE, use_responses=True)))
    assert "too-many" in warned(plan)
    session.apply(plan).result()
    assert len(learner.learned) == len(learner.pairs) == 15_000


def test_what_the_logs_hold_beside_whole_pairs_is_counted_in_the_plan(cloud, session):
    cut = {
        "output": {"message": {"role": "assistant", "content": [{"text": "So"}]}},
        "stopReason": "max_tokens",
    }
    image = {"messages": [{"role": "user", "content": [{"image": {}}]}]}
    put(
        cloud,
        "AWSLogs/a.json.gz",
        *(line(number) for number in range(100)),
        *(line(number, output={"outputBodyJson": cut}) for number in range(7)),
        *(line(number, modelId=f"us.{TEACHER}") for number in range(4)),
        line(0, input={"inputBodyJson": image}),
        line(0, errorCode="ThrottlingException"),
        tail=b"\x1f\x8b\x08broken",
    )
    plan = session.plan(job(InvocationLogs(SOURCE, use_responses=True)))
    said = {warning.code: warning.text for warning in plan.warnings}
    assert f"7 logged answers of {TEACHER} were cut off" in said["answers-cut-off"]
    assert f"us.{TEACHER}: 4; exactly {TEACHER}: 107" in said["other-names"]
    assert "1 with images" in said["single-turn-text-only"]
    assert "1 failed-call" in said["log-records-unusable"]
    assert "AWSLogs/a.json.gz" in said["broken-objects"]
    assert not plan.blockers


@pytest.mark.parametrize(
    ("source", "code"),
    [("s3://no-such-bucket-here/logs", "no-log-bucket"), ("s3://acme-eu/logs", "log-bucket-elsewhere")],
)
def test_logs_that_bedrock_could_not_read_stop_the_plan_without_being_read(cloud, session, source, code):
    cloud.bucket("acme-eu", region="eu-west-1")
    before = len(cloud.calls)
    plan = session.plan(job(InvocationLogs(source)))
    assert [warning.code for warning in plan.blockers] == [code]
    assert "ListObjectsV2" not in {call.operation for call in list(cloud.calls)[before:]}


def test_another_accounts_log_bucket_stops_the_plan(cloud, session):
    cloud.faults.add(Fault(operation="HeadBucket", resource="acme-logs", status=403, nth=2))
    plan = session.plan(job(InvocationLogs(SOURCE)))
    assert [warning.code for warning in plan.blockers] == ["log-bucket-of-another-account"]


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject", "HeadBucket"])
def test_logs_that_may_not_be_read_are_not_counted_and_the_plan_says_so(cloud, session, operation):
    put(cloud, "AWSLogs/a.json.gz", line(0))
    cloud.faults.add(Fault(operation=operation, resource="acme-logs", status=403, code="AccessDenied"))
    plan = session.plan(job(InvocationLogs(SOURCE)))
    assert "logs-hidden" in warned(plan)
    assert plan.facts["prompts"].startswith("not counted")
    assert not plan.blockers


def test_logging_may_be_off_again_once_there_are_enough_logs(cloud, session):
    ask(session, 100)
    cloud.flush()
    session.apply(session.plan(LoggingOff(bucket="acme-logs", prefix="traffic", remove_policy=True)))
    assert session.apply(session.plan(job(InvocationLogs(SOURCE)))).result().arn
