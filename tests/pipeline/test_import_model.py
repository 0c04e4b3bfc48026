"""Custom Model Import from a directory to answers, once, wherever the process dies on the way."""

from __future__ import annotations

import itertools
import json
import shutil

import boto3
import pytest

import bedrock_distill as bd
from bedrock_distill.errors import (
    DataError,
    JobFailedError,
    NotFoundError,
    PlanError,
    SpecError,
    StalePlanError,
)
from bedrock_distill.local import Cloud, Fault


@pytest.fixture
def cloud():
    with Cloud() as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def model_dir(student_dir, tmp_path):
    return shutil.copytree(student_dir, tmp_path / "my student ü")


@pytest.fixture
def wanted(model_dir):
    def spec(**changes):
        return bd.ModelImport(
            **{"name": "triage", "model": str(model_dir), "staging": "s3://acme-ml/", **changes}
        )

    return spec


@pytest.fixture
def counts(cloud):
    session = cloud.boto3_session()
    bedrock, iam, s3 = (session.client(service) for service in ("bedrock", "iam", "s3"))

    def count():
        return {
            "jobs": len(bedrock.list_model_import_jobs()["modelImportJobSummaries"]),
            "models": len(bedrock.list_imported_models()["modelSummaries"]),
            "roles": len(iam.list_roles()["Roles"]),
            "objects": s3.list_objects_v2(Bucket="acme-ml")["KeyCount"],
        }

    return count


def test_a_directory_becomes_a_model_that_answers(cloud, wanted, counts):
    session = cloud.session()
    plan = session.plan(wanted())
    assert plan.blockers == ()
    model = session.apply(plan).result()
    assert counts() == {"jobs": 1, "models": 1, "roles": 1, "objects": 6}
    reply = session.model(model.arn).chat("Hello", max_tokens=8, temperature=0)
    assert reply.usage.output_tokens == 8
    pieces = list(session.model(model.arn).stream("Hello", max_tokens=8, temperature=0))
    assert "".join(pieces) == reply.text
    model.delete()
    model.delete()
    assert counts()["models"] == 0


def test_planning_only_reads(cloud, wanted):
    session = cloud.session()
    session.plan(wanted())
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
        spec = wanted(name=f"t{at}", staging=f"s3://acme-ml/{at}/")
        before = counts()
        plan = dying.plan(spec)
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(plan)
        job = other.apply(other.plan(spec))
        now = counts()
        grown = {kind: now[kind] - before[kind] for kind in ("jobs", "roles", "objects")}
        assert grown == {"jobs": 1, "roles": 1, "objects": 6}, (at, crash.operation)
        job.result().delete()
        if not crash.happened:
            break
        struck.append(crash.operation)
    assert {"CreateModelImportJob", "CreateRole", "PutRolePolicy", "PutObject"} <= set(struck)


def test_the_same_directory_again_uploads_nothing_and_makes_nothing(cloud, wanted, counts):
    session = cloud.session()
    first = session.apply(session.plan(wanted()))
    first.wait()
    before = counts()
    cloud.calls.clear()
    plan = session.plan(wanted())
    assert [step.done for step in plan.steps] == [True, True, True, False]
    assert session.apply(plan) == first
    assert counts() == before
    assert not [call for call in cloud.calls if call.operation in ("PutObject", "UploadPart")]


def test_the_same_directory_under_another_name_uploads_nothing(cloud, wanted):
    session = cloud.session()
    session.apply(session.plan(wanted()))
    cloud.calls.clear()
    session.apply(session.plan(wanted(name="other")))
    assert not [call for call in cloud.calls if call.operation in ("PutObject", "UploadPart")]


def test_a_plan_is_the_same_after_a_round_trip_through_json(cloud, wanted):
    plan = cloud.session().plan(wanted())
    assert bd.Plan.from_json(plan.to_json()) == plan


def test_a_directory_that_changed_since_the_plan_is_refused(cloud, wanted, model_dir):
    session = cloud.session()
    plan = session.plan(wanted())
    config = json.loads((model_dir / "config.json").read_text())
    (model_dir / "config.json").write_text(json.dumps(config | {"pad_token_id": 7}))
    with pytest.raises(StalePlanError, match=r"config\.json"):
        session.apply(plan)


def test_files_that_serving_does_not_read_stay_where_they_are(cloud, wanted, model_dir):
    (model_dir / "optimizer.pt").write_bytes(b"x" * 1000)
    (model_dir / "README.md").write_text("hello")
    session = cloud.session()
    session.apply(session.plan(wanted()))
    keys = [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="acme-ml")["Contents"]]
    assert {key.rpartition("/")[2] for key in keys} == {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_a_model_in_s3_is_imported_from_where_it_lies(cloud, wanted, counts):
    session = cloud.session()
    plan = session.plan(wanted())
    session.apply(plan).result().delete()
    before = counts()
    spec = bd.ModelImport(name="from-s3", model=plan.facts["from"])
    model = session.apply(session.plan(spec)).result()
    assert counts()["objects"] == before["objects"]
    assert session.model(model.arn).chat("Hello", max_tokens=4).usage.output_tokens == 4


def test_an_import_that_fails_says_what_to_look_at_and_is_followed_by_a_second_attempt(cloud, wanted):
    """What inspection cannot see: the weights that were staged are broken by the time the job reads them."""
    session = cloud.session()
    plan = session.plan(wanted())
    with cloud.faults.crashing(1, operation="CreateModelImportJob"):
        session.apply(plan)
    s3 = boto3.client("s3")
    for item in s3.list_objects_v2(Bucket="acme-ml")["Contents"]:
        if item["Key"].endswith("model.safetensors"):
            told = s3.head_object(Bucket="acme-ml", Key=item["Key"])
            body = b"x" * told["ContentLength"]
            s3.put_object(Bucket="acme-ml", Key=item["Key"], Body=body, Metadata=told["Metadata"])
    job = session.apply(session.plan(wanted()))
    with pytest.raises(JobFailedError, match="bedrock-distill models inspect"):
        job.wait()
    again = session.plan(wanted())
    assert again.facts["job"].endswith("(attempt 2)")
    assert "failed-before" in {warning.code for warning in again.warnings}
    assert session.apply(again) != job


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox"}, "architecture"),
        ({"architectures": ["BertForSequenceClassification"]}, ""),
    ],
)
def test_a_model_that_import_refuses_is_refused_before_anything_is_created(
    cloud, wanted, model_dir, change, code
):
    config = json.loads((model_dir / "config.json").read_text())
    (model_dir / "config.json").write_text(json.dumps(config | change))
    session = cloud.session()
    plan = session.plan(wanted())
    assert plan.blockers
    assert any(code in warning.code for warning in plan.blockers)
    before = len(cloud.calls)
    with pytest.raises(PlanError, match="cannot work"):
        session.apply(plan)
    names = [call.operation for call in list(cloud.calls)[before:]]
    assert all(name.startswith(("Get", "Head", "List", "AssumeRole")) for name in names), names


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"model": "/no/such/directory"}, SpecError, "no such directory"),
        ({"staging": None}, SpecError, "say where to stage it"),
        ({"staging": "s3://acme-ml/dt=1/"}, SpecError, "no '='"),
        ({"name": "two words"}, SpecError, "1 to 40 letters"),
        ({"role": "triage"}, SpecError, "role's own ARN"),
        ({"model_name": "a b"}, SpecError, "1 to 63"),
        ({"kms_key": "key"}, SpecError, "KMS key"),
        ({"model": "s3://acme-ml/empty/"}, DataError, "acme-ml/empty"),
        ({"tags": {"aws:x": "y"}}, SpecError, "reserved"),
    ],
)
def test_what_cannot_work_is_refused_with_the_field_and_what_to_do(cloud, wanted, changes, error, text):
    with pytest.raises(error, match=text):
        cloud.session().plan(wanted(**changes))


def test_a_missing_bucket_and_a_bucket_elsewhere_stop_the_plan(cloud, wanted):
    cloud.bucket("acme-far", region="eu-central-1")
    session = cloud.session()
    codes = [
        {warning.code for warning in session.plan(wanted(staging=staging)).blockers}
        for staging in ("s3://acme-none/", "s3://acme-far/")
    ]
    assert codes == [{"no-bucket"}, {"bucket-elsewhere"}]


def test_a_region_without_import_is_refused_with_those_that_have_it(cloud, wanted):
    cloud.bucket("acme-tokyo", region="ap-northeast-1")
    plan = cloud.session(region="ap-northeast-1").plan(wanted(staging="s3://acme-tokyo/"))
    assert any("us-east-1" in warning.text for warning in plan.blockers)


def test_a_taken_model_name_and_a_key_that_is_no_arn_stop_the_plan(cloud, wanted):
    session = cloud.session()
    session.apply(session.plan(wanted(model_name="mine"))).result()
    assert {w.code for w in session.plan(wanted(name="other", model_name="mine")).blockers} == {
        "model-name-taken"
    }
    assert "key-not-an-arn" in {w.code for w in session.plan(wanted(data_kms_key="alias/mine")).blockers}


def test_a_role_that_may_not_be_looked_at_is_a_note(cloud, wanted):
    cloud.faults.add(Fault(operation="GetRole", code="AccessDenied", status=403))
    plan = cloud.session().plan(wanted())
    assert "role-hidden" in {warning.code for warning in plan.warnings}
    assert plan.blockers == ()


def test_handles_are_found_by_name_and_by_arn(cloud, wanted):
    session = cloud.session()
    job = session.apply(session.plan(wanted()))
    model = job.result()
    assert session.import_job(job.status().name) == job
    assert session.attach(job.arn) == job
    assert session.imported_model(model.name) == model
    assert session.attach(model.arn) == model
    assert [item["jobArn"] for item in session.import_jobs(name_contains="triage")] == [job.arn]
    assert [item["modelArn"] for item in session.imported_models()] == [model.arn]
    with pytest.raises(NotFoundError):
        session.imported_model("nobody")
    with pytest.raises(SpecError, match="not a model import job"):
        session.import_job(model.arn)


def test_a_model_that_was_deleted_is_imported_again_when_it_is_wanted_again(cloud, wanted, counts):
    session = cloud.session()
    first = session.apply(session.plan(wanted())).result()
    first.delete()
    plan = session.plan(wanted())
    assert not all(step.done for step in plan.steps if step.id.startswith("create:"))
    again = session.apply(plan).result()
    assert again != first
    assert session.model(again.arn).chat("Hello", max_tokens=8, temperature=0).usage.output_tokens == 8
    assert session.apply(session.plan(wanted())).result() == again
    assert counts() == {"jobs": 2, "models": 1, "roles": 1, "objects": 6}
