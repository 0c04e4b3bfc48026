"""A custom model on provisioned throughput, and copied to another region: plans, refusals, answers, and an end to the bill."""

from __future__ import annotations

import itertools
import shutil

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import NotFoundError, PlanError, ServiceError, SpecError
from bedrock_distill.local import Cloud
from bedrock_distill.local.services import services
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.records import Record, encode_record

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"


@pytest.fixture
def cloud(student_dir, trainer):
    def train_copy(config, *, on_event=None, stop=None):
        """Train nothing, and give the student that is there."""
        result = trainer(config, on_event=on_event, stop=stop)
        shutil.rmtree(result.model_dir)
        shutil.copytree(student_dir, result.model_dir)
        return result

    with Cloud(
        teachers={TEACHER: lambda record: f"Answer to {record.prompt_text}"},
        services=lambda world: {**services(world), "bedrock": Bedrock(world, trainer=train_copy)},
    ) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def model(cloud, tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"".join(encode_record(Record.of(f"Question {i}?")) + b"\n" for i in range(120)))
    spec = bd.Distillation(
        name="triage",
        teacher=TEACHER,
        student=STUDENT,
        data=bd.Prompts(path),
        output="s3://acme-ml/distill/",
    )
    session = cloud.session()
    return session.apply(session.plan(spec)).result(timeout_s=7200)


def wanted(model, **changes):
    return bd.ProvisionedThroughput(
        **{"model": model, "name": "triage", "accept_hourly_cost": True, **changes}
    )


def test_a_provisioned_model_answers_until_it_is_deleted(cloud, model):
    session = cloud.session()
    target = session.deploy(wanted(model))
    on_demand = session.deploy(bd.OnDemandDeployment(model=model))
    ask = {"max_tokens": 8, "temperature": 0}
    reply = target.chat("Hello", **ask)
    assert reply.usage.output_tokens == 8
    assert reply.text == on_demand.chat("Hello", **ask).text
    assert "".join(target.stream("Hello", **ask)) == reply.text
    handle = session.attach(target.model_id)
    assert handle == session.provisioned(handle.status().name)
    handle.delete()
    handle.delete()
    assert session.provisioned_throughputs() == []
    with pytest.raises(ServiceError):
        target.chat("Hello")


def test_the_hourly_bill_must_be_accepted(cloud, model):
    session = cloud.session()
    plan = session.plan(wanted(model, accept_hourly_cost=False))
    assert [warning.code for warning in plan.blockers] == ["cost-not-accepted"]
    with pytest.raises(PlanError, match="accept_hourly_cost"):
        session.apply(plan)
    assert session.provisioned_throughputs() == []


def test_the_price_is_unknown_unless_the_catalog_has_it(cloud, model, tmp_path):
    plan = cloud.session().plan(wanted(model, units=2))
    assert plan.estimate.total_usd is None
    prices = tmp_path / "prices.toml"
    prices.write_text(
        f'[[price]]\nmodel = "{STUDENT}"\nkind = "model_unit_hour"\nusd = 60.5\nsource = "a test"\nas_of = 2026-11-24\n'
    )
    session = cloud.session(catalog=prices)
    assert session.plan(wanted(model, units=2)).estimate.total_usd == 121.0
    month = session.plan(wanted(model, commitment="OneMonth")).estimate.total_usd
    assert month == pytest.approx(60.5 * 720)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_leaves_one_throughput(cloud, model, tmp_path, when):
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    for at in itertools.count(1):
        plan = dying.plan(wanted(model, name=f"t{at}"))
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(plan)
        handle = other.apply(other.plan(wanted(model, name=f"t{at}")))
        assert len(other.provisioned_throughputs()) == 1
        handle.wait()
        handle.delete()
        if not crash.happened:
            break


def test_a_commitment_cannot_be_ended_early(cloud, model):
    session = cloud.session()
    handle = session.apply(session.plan(wanted(model, commitment="OneMonth")))
    status = handle.wait()
    assert status.commitment == "OneMonth"
    assert (status.committed_until - status.created).days in (30, 31)
    with pytest.raises(ServiceError, match=r"(?i)commitment"):
        handle.delete()


def test_another_model_is_served_under_the_same_arn(cloud, model):
    session = cloud.session()
    handle = session.apply(session.plan(wanted(model)))
    handle.wait()
    handle.update(name="renamed")
    assert handle.wait().name == "renamed"
    with pytest.raises(SpecError, match="nothing to change"):
        handle.update()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model": "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"}, "scales by itself"),
        ({"model": "my-model"}, "ARN of a custom model"),
        ({"units": 0}, "greater than or equal to 1"),
        ({"commitment": "OneYear"}, "OneMonth"),
        ({"name": ""}, "1 to 40"),
    ],
)
def test_what_cannot_work_is_refused_with_the_field(changes, text):
    with pytest.raises(SpecError, match=text):
        wanted(**{"model": "amazon.nova-micro-v1:0:128k", **changes})


def test_a_legacy_base_and_a_model_that_is_not_there_stop_the_plan(cloud, model):
    session = cloud.session()
    legacy = next(
        row for row in session.catalog.models if row.lifecycle(cloud.clock.now().date()) == "LEGACY"
    )
    gone = f"{model.arn[:-12]}aaaaaaaaaaaa"
    plans = [session.plan(wanted(each)) for each in (legacy.id, gone)]
    assert "base-legacy" in {warning.code for warning in plans[0].blockers}
    assert "no-model" in {warning.code for warning in plans[1].blockers}


def test_a_foundation_model_is_provisioned_by_its_variant(cloud):
    plan = cloud.session().plan(wanted("amazon.nova-micro-v1:0"))
    assert "no-variant" in {warning.code for warning in plan.blockers}
    assert cloud.session().plan(wanted("amazon.nova-micro-v1:0:128k")).blockers == ()


def test_a_model_of_another_region_says_how_to_copy_it(cloud, model):
    [warning] = cloud.session(region="us-west-2").plan(wanted(model)).blockers[:1]
    assert "models copy" in warning.text or warning.code == "no-model"


def test_a_copy_answers_in_the_other_region(cloud, model):
    there = cloud.session(region="us-west-2")
    plan = there.plan(bd.ModelCopy(model=model, name="triage-west"))
    assert plan.blockers == ()
    job = there.apply(plan)
    copy = job.result()
    assert there.attach(job.arn) == job
    assert ":us-west-2:" in copy.arn
    again = there.apply(there.plan(bd.ModelCopy(model=model, name="triage-west")))
    assert again == job
    here = cloud.session().deploy(wanted(model))
    west = there.deploy(wanted(copy))
    ask = {"max_tokens": 6, "temperature": 0}
    assert west.chat("Hello", **ask).text == here.chat("Hello", **ask).text


def test_a_copy_to_where_it_lies_is_refused(cloud, model):
    plan = cloud.session().plan(bd.ModelCopy(model=model))
    assert {warning.code for warning in plan.blockers} >= {"copy-here"}


def test_an_imported_model_cannot_be_copied():
    with pytest.raises(SpecError, match="import its directory once more"):
        bd.ModelCopy(model="arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl")


def test_a_throughput_that_is_not_there_is_not_found(cloud):
    with pytest.raises((NotFoundError, ServiceError)):
        cloud.session().provisioned("nobody")
