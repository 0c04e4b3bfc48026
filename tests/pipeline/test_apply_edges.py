"""Planning and applying where the account, the network or the caller is not as it should be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import (
    AccessDeniedError,
    JobFailedError,
    NotFoundError,
    PlanError,
    ServiceError,
    SpecError,
    StalePlanError,
    WaitTimeoutError,
)
from bedrock_distill.local.faults import Fault
from bedrock_distill.resources import survey as survey_module

TRUST = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"""
MAY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", "Action": "s3:*"}]}"""


@pytest.fixture
def role(cloud):
    iam = cloud.boto3_session().client("iam")
    arn = iam.create_role(RoleName="Mine", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName="Mine", PolicyName="may", PolicyDocument=MAY)
    return arn


@pytest.fixture
def model(cloud, spec):
    session = cloud.session()
    return session.apply(session.plan(spec)).result(timeout_s=7200)


def denied(service, operation="*"):
    return Fault(service=service, operation=operation, code="AccessDenied", status=403)


def codes(plan):
    return {warning.code for warning in plan.warnings}


def test_with_a_role_of_the_callers_iam_is_never_asked(cloud, spec, role):
    cloud.faults.add(denied("iam"))
    session = cloud.session()
    plan = session.plan(spec.model_copy(update={"role": role}))
    before = [call.service for call in cloud.calls].count("iam")
    with pytest.raises(ServiceError, match="assume"):
        session.apply(plan)  # it is new, and so refused; a role that the caller answers for is not waited for
    cloud.clock.sleep(60)
    assert session.apply(plan).wait(timeout_s=7200).succeeded
    assert [call.service for call in cloud.calls].count("iam") == before == 2


def test_who_may_not_look_at_iam_can_plan_and_is_told_the_way_round_when_applying(cloud, spec):
    cloud.faults.add(denied("iam"))
    session = cloud.session()
    plan = session.plan(spec)
    assert "role-unknown" in codes(plan)
    with pytest.raises(AccessDeniedError, match=r"role of yours.*role = arn:aws:iam") as caught:
        session.apply(plan)
    assert caught.value.operation == "GetRole"


def test_who_may_not_look_at_models_and_buckets_can_still_plan_and_apply(cloud, spec):
    cloud.faults.add(denied("bedrock", "GetFoundationModel"))
    cloud.faults.add(Fault(operation="Head*", status=403))
    session = cloud.session()
    plan = session.plan(spec)
    assert "bucket-forbidden" in codes(plan)
    assert session.apply(plan).wait(timeout_s=7200).succeeded


def test_a_role_that_lost_its_policy_is_mended_and_the_plan_says_so(cloud, spec):
    session = cloud.session()
    first = session.plan(spec)
    session.apply(first).wait(timeout_s=7200)
    name = next(step.name for step in first.steps if step.id.startswith("role:"))
    cloud.boto3_session().client("iam").delete_role_policy(RoleName=name, PolicyName="bedrock-distill")
    more = spec.model_copy(update={"max_response_tokens": 99})
    plan = session.plan(more)
    (role,) = [step for step in plan.steps if step.id.startswith("role:")]
    assert (role.name, role.done) == (name, False)
    assert session.apply(plan).wait(timeout_s=7200).succeeded


def test_a_plan_file_is_applied_from_another_folder(cloud, spec, prompts, tmp_path, monkeypatch):
    monkeypatch.chdir(prompts.parent)
    plan = cloud.session().plan(spec.model_copy(update={"data": bd.Prompts(prompts.name)}))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cloud.session().apply(bd.Plan.from_json(plan.to_json())).wait(timeout_s=7200).succeeded


def test_a_job_file_can_be_planned_by_its_path(cloud, spec, prompts, tmp_path):
    job = tmp_path / "job.toml"
    job.write_text(
        f'[distillation]\nname = "triage"\nteacher = "{spec.teacher}"\nstudent = "{spec.student}"\n'
        f'data = "{prompts.name}"\noutput = "{spec.output}"\n'
    )
    session = cloud.session()
    assert session.plan(job) == session.plan(str(job)) == session.plan(spec)


def test_data_that_changes_while_it_is_read_is_not_planned(cloud, spec, prompts, monkeypatch):
    digest = survey_module.digest_file

    def late(path):
        with prompts.open("ab") as file:
            file.write(b"not a record\n")
        return digest(path)

    monkeypatch.setattr(survey_module, "digest_file", late)
    with pytest.raises(StalePlanError, match="changed while it was read"):
        cloud.session().plan(spec)


def test_data_that_changes_while_it_is_sent_is_not_left_in_s3_as_what_was_planned(cloud, spec, prompts):
    session = cloud.session()
    plan = session.plan(spec)

    def meddle(event):
        if event.event == "progress":
            with prompts.open("ab") as file:
                file.write(b" ")

    with pytest.raises(StalePlanError, match="while it was being staged"):
        session.apply(plan, on_event=meddle)
    listed = cloud.boto3_session().client("s3").list_objects_v2(Bucket="acme-ml")
    assert listed.get("Contents", []) == []


def test_a_plan_that_cannot_work_says_how_to_go_on_all_the_same(cloud, spec):
    session = cloud.session()
    plan = session.plan(spec.model_copy(update={"output": "s3://no-such-bucket/x/"}))
    with pytest.raises(PlanError, match="force"):
        session.apply(plan)


def test_a_model_name_that_is_taken_is_found_when_planning(cloud, spec):
    session = cloud.session()
    named = spec.model_copy(update={"model_name": "mine"})
    plan = session.plan(named)
    session.apply(plan).wait(timeout_s=7200)
    assert "model-name-taken" not in codes(session.plan(named))
    other = named.model_copy(update={"max_response_tokens": 5})
    assert "model-name-taken" in codes(session.plan(other))


def test_a_wait_that_is_refused_ends_at_once(cloud, spec):
    session = cloud.session()
    run = session.apply(session.plan(spec))
    cloud.faults.add(denied("bedrock", "GetModelCustomizationJob"))
    before = len(cloud.calls)
    with pytest.raises(AccessDeniedError):
        run.wait()
    assert len(cloud.calls) == before + 1


def test_a_deployment_that_takes_too_long_says_how_to_wait_for_it_again(cloud, model):
    session = cloud.session()
    deployment = session.apply(session.plan(bd.OnDemandDeployment(model=model)))
    with pytest.raises(WaitTimeoutError, match="bedrock-distill deploy wait") as caught:
        # A look that never ends well: what it says of itself is always the same.
        type(deployment)(_Stuck(session.clients), deployment.arn).wait(timeout_s=0.5)
    assert caught.value.arn == deployment.arn
    assert "0.5 s" in str(caught.value)


class _Stuck:
    """The gate, with every deployment still being created."""

    def __init__(self, clients):
        self._clients = clients

    def __getattr__(self, name):
        return getattr(self._clients, name)

    def call(self, *args, **kwargs):
        return self._clients.call(*args, **kwargs) | {"status": "Creating"}


class _Failed(_Stuck):
    def call(self, *args, **kwargs):
        return self._clients.call(*args, **kwargs) | {"status": "Failed", "failureMessage": "No capacity."}


def test_a_failed_deployment_says_why_and_what_to_do(cloud, model):
    session = cloud.session()
    deployment = session.apply(session.plan(bd.OnDemandDeployment(model=model)))
    with pytest.raises(JobFailedError, match=r"No capacity\..*bedrock-distill deploy delete"):
        type(deployment)(_Failed(session.clients), deployment.arn).wait()


@pytest.mark.parametrize(
    ("arn", "says"),
    [
        (
            "arn:aws:bedrock:us-west-2:123456789012:custom-model-deployment/abcdefghijkl",
            r"us-west-2.*region='us-west-2'",
        ),
        ("arn:aws:sagemaker:us-east-1:123456789012:custom-model/x/abcdefghijkl", "sagemaker"),
        ("arn:aws:bedrock:us-east-1:123456789012:guardrail/abc", "no handle"),
        ("arn:aws:s3:::bucket", "no handle|s3"),
    ],
)
def test_what_cannot_be_picked_up_here_says_where(cloud, arn, says):
    with pytest.raises(SpecError, match=says):
        cloud.session().attach(arn)


def test_a_model_is_not_taken_for_a_job(cloud, model):
    with pytest.raises(SpecError, match="custom model, not a distillation job"):
        cloud.session().job(model.arn)


def test_a_deployment_of_a_model_elsewhere_or_nowhere_is_stopped_when_planning(cloud, model):
    session = cloud.session()
    nowhere = model.arn[:-12] + "zzzzzzzzzzzz"
    assert "no-model" in codes(session.plan(bd.OnDemandDeployment(model=nowhere)))
    elsewhere = model.arn.replace("us-east-1", "us-west-2")
    assert "model-elsewhere" in codes(session.plan(bd.OnDemandDeployment(model=elsewhere)))
    assert codes(session.plan(bd.OnDemandDeployment(model=model))) == set()


def test_an_output_at_the_root_of_a_bucket_works(cloud, spec):
    session = cloud.session()
    wanted = spec.model_copy(update={"output": bd.Distillation.model_validate(spec.__dict__).output})
    wanted = bd.Distillation(**(dict(wanted) | {"output": "s3://acme-ml"}))
    run = session.apply(session.plan(wanted))
    assert run.wait(timeout_s=7200).succeeded
    assert run.artifacts()


def test_the_longest_name_is_taken_by_every_service(cloud, spec):
    session = cloud.session()
    plan = session.plan(spec.model_copy(update={"name": "a_" * 19 + "bc"}))
    model = session.apply(plan).result(timeout_s=7200)
    deployment = session.apply(session.plan(bd.OnDemandDeployment(model=model, name="d-" * 19 + "ef")))
    assert deployment.wait().succeeded


def test_a_deployment_is_found_by_its_name_or_arn_and_nothing_else_is_taken_for_one(cloud, model):
    session = cloud.session()
    deployment = session.apply(session.plan(bd.OnDemandDeployment(model=model)))
    name = deployment.status().name
    assert session.deployment(name) == session.deployment(deployment.arn) == deployment
    with pytest.raises(SpecError, match="custom model, not a deployment"):
        session.deployment(model.arn)
    with pytest.raises(NotFoundError, match="absent"):
        session.deployment("absent")


def test_only_a_plan_can_be_applied(cloud, spec):
    with pytest.raises(SpecError, match=r"session\.apply\(session\.plan"):
        cloud.session().apply(spec)


def test_two_applies_side_by_side_make_one_of_everything(cloud, spec):
    plan = cloud.session().plan(spec)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: cloud.session().apply(plan), range(4)))
    assert len({run.arn for run in runs}) == 1
    assert len(cloud.session().jobs()) == 1


def test_a_silent_answer_to_the_creating_call_makes_no_second_job(cloud, spec):
    cloud.faults.add(Fault(operation="Create*", disconnect=True, when="after", every=2))
    session = cloud.session()
    assert session.apply(session.plan(spec)).wait(timeout_s=7200).succeeded
    assert len(session.jobs()) == 1
