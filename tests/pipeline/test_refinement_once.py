"""A round of refinement that dies anywhere goes on where it died: one job, one candidate, one promotion."""

from __future__ import annotations

import pytest

import bedrock_distill as bd
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.records.writing import write_records
from bedrock_distill.refinement import lineage, outlook

pytest.importorskip("torch")

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"


@pytest.fixture
def luck():
    """What becomes of training; a test may change it."""
    return {"fails": False}


@pytest.fixture
def trainer(untaught, luck):
    """A trainer that teaches nothing, or fails."""

    def train(config, **options):
        if luck["fails"]:
            raise bd.errors.DataError("The machine caught fire.")
        return untaught(config, **options)

    return train


@pytest.fixture
def cloud(tmp_path, trainer):
    services = lambda world: {  # noqa: E731 - the cloud takes a function
        "bedrock": Bedrock(world, trainer=trainer),
        "bedrock-runtime": BedrockRuntime(world),
    }
    with Cloud(
        teachers={TEACHER: lambda record: f"About {record.prompt_text}"},
        services=services,
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("acme-ml")
        cloud.bucket("acme-logs")
        yield cloud


def prompts(word, count):
    return [bd.Record.of(f"{word} number {number} of many") for number in range(count)]


@pytest.fixture
def session(cloud, tmp_path):
    return cloud.session(state_dir=tmp_path / "state" / "journal")


@pytest.fixture
def spec(cloud, session, tmp_path):
    write_records(tmp_path / "train.jsonl", prompts("Invoice", 110))
    write_records(tmp_path / "held.jsonl", prompts("Parcel", 10))
    session.apply(session.plan(bd.InvocationLogging(bucket="acme-logs", prefix="traffic")))
    distillation = bd.Distillation(
        name="mail",
        teacher=TEACHER,
        student=STUDENT,
        data=bd.Prompts(tmp_path / "train.jsonl"),
        output="s3://acme-ml/distill/",
        max_response_tokens=2,
    )
    model = session.apply(session.plan(distillation)).result()
    student = session.deploy(bd.OnDemandDeployment(model=model, name="mail"))
    for record in prompts("Password", 60):
        student.chat(record, max_tokens=1, temperature=0)
    cloud.flush()
    return bd.Refinement(
        name="mail",
        deployment=student.model_id,
        distillation=distillation,
        evaluation=tmp_path / "held.jsonl",
        logs=bd.InvocationLogs("s3://acme-logs/traffic"),
        gate=bd.Gate(min_gain=-0.9),
        ask_teacher=60,
    )


CRASHES = [
    ("PutObject", "before"),
    ("PutObject", "after"),
    ("CreateModelCustomizationJob", "before"),
    ("CreateModelCustomizationJob", "after"),
    ("CreateCustomModelDeployment", "after"),
    ("Converse", "after"),
    ("DeleteCustomModelDeployment", "before"),
    ("PutObject", "after"),
    ("UpdateCustomModelDeployment", "after"),
    ("PutObject", "before"),
]


def tags(told):
    return [event.__struct_config__.tag for event in told.events]


def test_a_round_that_dies_again_and_again_does_everything_once(cloud, session, spec):
    for operation, when in CRASHES:
        with cloud.faults.crashing(1, when=when, operation=operation) as crash:
            bd.refine(session, spec)
        assert crash.happened, (operation, when, tags(lineage(session, spec)))
    outcome = bd.refine(session, spec)
    assert outcome.promoted
    assert tags(outcome.lineage) == ["opened", "distilled", "judged", "promoted"]
    assert len(session.jobs()) == 2  # the first student's, and the candidate's
    assert [each["customModelDeploymentArn"] for each in session.deployments()] == [spec.deployment]
    assert session.attach(spec.deployment).status().model_arn == outcome.model


def test_a_round_goes_on_from_another_machine(cloud, session, spec, tmp_path):
    with cloud.faults.crashing(1, operation="CreateCustomModelDeployment"):
        bd.refine(session, spec)
    outcome = bd.refine(cloud.session(state_dir=tmp_path / "elsewhere" / "journal"), spec)
    assert outcome.promoted
    assert len(session.jobs()) == 2


def test_the_candidate_goes_whatever_happens_in_the_comparison(cloud, session, spec):
    rule = bd.local.Fault(operation="Converse", code="AccessDeniedException", resource=spec.deployment)
    cloud.faults.add(rule)
    with pytest.raises(bd.errors.AccessDeniedError):
        bd.refine(session, spec)
    cloud.faults.clear()
    assert len(session.deployments()) == 1
    assert bd.refine(session, spec).promoted


def test_of_two_runs_at_once_one_is_told(cloud, session, spec):
    other = []

    def tell(text):
        if "distilling" in text and not other:
            other.append(bd.refine(session, spec))

    with pytest.raises(bd.errors.ConflictError, match="Somebody else is refining 'mail'"):
        bd.refine(session, spec, tell=tell)
    assert other[0].promoted
    assert len(session.deployments()) == 1


def test_a_failed_job_ends_the_round_and_the_next_one_is_new(session, spec, luck):
    luck["fails"] = True
    with pytest.raises(bd.errors.JobFailedError):
        bd.refine(session, spec)
    assert tags(lineage(session, spec)) == ["opened", "ended"]
    luck["fails"] = False
    outcome = bd.refine(session, spec)
    assert outcome.round == 2
    assert outcome.promoted


def test_a_deployment_changed_from_outside_ends_the_round(cloud, session, spec):
    with cloud.faults.crashing(1, operation="CreateModelCustomizationJob"):
        bd.refine(session, spec)
    other = session.apply(session.plan(spec.distillation.model_copy(update={"name": "own"}))).result()
    handle = session.attach(spec.deployment)
    handle.update(other)
    handle.wait()
    outcome = bd.refine(session, spec)
    assert tags(outcome.lineage)[:3] == ["opened", "ended", "opened"]
    assert outcome.promoted


def test_a_round_that_ends_takes_the_candidate_of_a_comparison_that_died_with_it(cloud, session, spec):
    with cloud.faults.crashing(1, operation="DeleteCustomModelDeployment"):
        bd.refine(session, spec)
    assert len(session.deployments()) == 2
    other = session.apply(session.plan(spec.distillation.model_copy(update={"name": "own"}))).result()
    handle = session.attach(spec.deployment)
    handle.update(other)
    handle.wait()
    bd.refine(session, spec.model_copy(update={"min_new": 2_000}))  # too few for another round
    assert tags(lineage(session, spec))[-1] == "ended"
    assert [each["customModelDeploymentArn"] for each in session.deployments()] == [spec.deployment]


def test_nobody_pays_without_consent_and_the_round_waits(session, spec):
    with pytest.raises(bd.errors.PlanError, match="waits for consent"):
        bd.refine(session, spec, may_pay=lambda plan: False)
    assert len(session.jobs()) == 1
    assert bd.refine(session, spec).promoted


def test_an_outlook_makes_nothing_and_tells_what_a_round_would(cloud, session, spec):
    found = outlook(session, spec)
    assert found.enough
    assert found.student_calls == 60
    assert found.plan.creates.operation == "create_model_customization_job"
    assert not lineage(session, spec).events
    assert len(session.jobs()) == 1
    outcome = bd.refine(session, spec)
    assert outcome.choice == found.choice
    assert outcome.lineage.of_round(1, type(outcome.lineage.events[1])).plan == found.plan.fingerprint


def test_without_new_traffic_there_is_no_round(session, spec):
    assert bd.refine(session, spec).promoted
    outcome = bd.refine(session, spec.model_copy(update={"min_new": 1}))
    assert outcome.round is None
    assert not outcome.promoted
    assert len(outcome.lineage.events) == 4
