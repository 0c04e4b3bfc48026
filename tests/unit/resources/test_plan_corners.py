"""Identifiers, roles, keys and places that are written unusually, and what their plan makes of them."""

from __future__ import annotations

import gzip
from datetime import date

import pytest

from bedrock_distill.aws.objects import BucketState
from bedrock_distill.catalog import load_catalog
from bedrock_distill.plan import EnsureRole, StageFile
from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.checking import check_file
from bedrock_distill.records.digest import digest_file
from bedrock_distill.records.rules import rules_for
from bedrock_distill.resources import Distillation, OnDemandDeployment, Prompts
from bedrock_distill.resources.deployment_plan import plan_deployment
from bedrock_distill.resources.distillation import plan_distillation
from bedrock_distill.resources.survey import FoundPrompts, LiveModel, Survey, callable_id, staged_uri
from bedrock_distill.uris import Arn

CATALOG = load_catalog()
PRO, MICRO, PREMIER = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-premier-v1:0"
ACCOUNT, DAY = "123456789012", date(2026, 11, 24)
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
ALIVE = LiveModel(status="ACTIVE", distillable=True)


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"".join(encode_record(Record.of(f"Question {i}?")) + b"\n" for i in range(120)))
    return path


@pytest.fixture
def make(prompts):
    def make(*, data=prompts, region="us-east-1", survey=None, name="triage", **spec):
        fields = {"teacher": PRO, "student": MICRO, "output": "s3://acme/out"} | spec
        wanted = Distillation(name=name, data=Prompts(data), **fields)
        found = {
            "region": region,
            "account_id": ACCOUNT,
            "partition": "aws",
            "today": DAY,
            "data": FoundPrompts(
                path=wanted.data.path,
                check=check_file(data, rules_for(CATALOG, wanted.teacher, wanted.student)),
                digest=digest_file(data),
                uri=staged_uri(wanted, data.name, digest_file(data)),
                staged=False,
            ),
            "bucket": BucketState("acme", exists=True, region=region),
            "teacher_id": callable_id(wanted.teacher, CATALOG, region),
            "teacher": ALIVE,
            "student": ALIVE,
            "role": None,
        } | (survey or {})
        return plan_distillation(wanted, Survey(**found), CATALOG)

    return make


def warned(plan):
    return {warning.code: warning for warning in plan.warnings}


def role_of(plan):
    return next(step for step in plan.steps if isinstance(step, EnsureRole))


def teacher_sent(plan):
    config = plan.creates.request["customizationConfig"]["distillationConfig"]
    return config["teacherModelConfig"]["teacherModelIdentifier"]


def test_a_student_with_another_suffix_than_the_pairs_is_not_replaced_in_silence(make):
    plan = make(student=f"{MICRO}:24k")
    assert plan.creates.request["baseModelIdentifier"] == f"{MICRO}:128k"
    text = warned(plan)["student-sent-as"].text
    assert f"{MICRO}:24k" in text
    assert f"{MICRO}:128k" in text


@pytest.mark.parametrize("student", [MICRO, f"{MICRO}:128k"])
def test_a_student_that_is_sent_as_it_is_meant_needs_no_word(make, student):
    assert "student-sent-as" not in warned(make(student=student))


def test_a_teachers_context_suffix_is_dropped_because_such_ids_cannot_be_asked(make):
    plan = make(teacher=f"{PRO}:300k")
    assert teacher_sent(plan) == PRO
    assert ":300k" in warned(plan)["teacher-sent-as"].text


@pytest.mark.parametrize(
    ("teacher", "profile"),
    [
        (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.{PRO}", f"us.{PRO}"),
        (f"us.{PRO}", f"us.{PRO}"),
        (f"global.{PRO}", f"global.{PRO}"),
    ],
)
def test_a_teacher_called_by_any_profile_may_be_called_by_the_role(make, teacher, profile):
    plan = make(teacher=teacher)
    assert teacher_sent(plan) == teacher
    (statement,) = [s for s in role_of(plan).policy["Statement"] if s["Sid"] == "CrossRegionInference"]
    assert statement["Resource"] == [
        f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{profile}",
        f"arn:aws:bedrock:*::foundation-model/{PRO}",
    ]


def test_a_teacher_by_arn_that_needs_a_profile_is_sent_by_it(make):
    plan = make(teacher=f"arn:aws:bedrock:us-east-1::foundation-model/{PREMIER}")
    assert teacher_sent(plan) == f"us.{PREMIER}"
    assert "teacher-needs-profile" in warned(plan)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"teacher": f"arn:aws:bedrock:us-west-2::foundation-model/{PRO}"}, "teacher-elsewhere"),
        (
            {"teacher": f"arn:aws:bedrock:us-east-1:999999999999:inference-profile/us.{PRO}"},
            "teacher-elsewhere",
        ),
        ({"student": f"arn:aws:bedrock:eu-west-1::foundation-model/{MICRO}"}, "student-elsewhere"),
        ({"role": "arn:aws:iam::999999999999:role/Theirs"}, "role-elsewhere"),
        ({"role": f"arn:aws-cn:iam::{ACCOUNT}:role/Theirs"}, "role-elsewhere"),
    ],
)
def test_what_lies_in_another_account_or_region_stops_the_plan(make, change, code):
    assert warned(make(**change))[code].blocks


def test_an_alias_is_no_arn_for_the_roles_policy(make):
    assert warned(make(data_kms_key=f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/mine"))["key-not-an-arn"].blocks
    assert "key-not-an-arn" not in warned(make(data_kms_key=KEY))
    assert "key-not-an-arn" not in warned(
        make(data_kms_key="alias/mine", role=f"arn:aws:iam::{ACCOUNT}:role/Mine")
    )


def test_a_models_key_must_let_the_role_in(make):
    warning = warned(make(kms_key=KEY))["model-key-policy"]
    assert not warning.blocks
    assert "kms:CreateGrant" in warning.text
    assert role_of(make(kms_key=KEY)).name in warning.text


def test_a_role_that_may_not_be_looked_at_is_said_with_the_way_round(make):
    warning = warned(make(survey={"role_hidden": True}))["role-unknown"]
    assert not warning.blocks
    assert "role" in warning.text


def test_a_model_name_that_is_taken_stops_the_plan_before_aws_does(make):
    plan = make(model_name="mine", survey={"model_name_taken": True})
    assert warned(plan)["model-name-taken"].blocks


def test_other_data_needs_no_other_role(make, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"".join(encode_record(Record.of(f"Other {i}?")) + b"\n" for i in range(120)))
    assert role_of(make(data=other)) == role_of(make())


def test_packed_data_stops_the_plan(tmp_path, prompts, make):
    packed = tmp_path / "prompts.jsonl.gz"
    packed.write_bytes(gzip.compress(prompts.read_bytes()))
    assert warned(make(data=packed))["data-gzip"].blocks


def test_the_longest_names_still_fit(make):
    name = "a_" * 19 + "bc"
    assert len(name) == 40
    plan = make(name=name, survey={"attempt": 99})
    assert len(plan.creates.name) <= 63
    assert len(role_of(plan).name) <= 64


def test_a_long_or_foreign_file_name_becomes_a_key_that_bedrock_takes(tmp_path, prompts, make):
    for name in ("запросы.jsonl", "a b=c+d.jsonl", "ü" * 100 + ".jsonl", ".jsonl"):
        path = tmp_path / name
        path.write_bytes(prompts.read_bytes())
        plan = make(data=path)
        (stage,) = [step for step in plan.steps if isinstance(step, StageFile)]
        assert Arn.looks_like(stage.uri) is False
        key = stage.uri.removeprefix("s3://acme/out/staged/")
        assert key.isascii()
        assert not set(key) & set(" =+/")
        assert stage.path == str(path)


MODEL = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:custom-model/{MICRO}:128k/abcdefghijkl"


def deployment(model=MODEL, **found):
    return plan_deployment(
        OnDemandDeployment(model=model),
        region="us-east-1",
        account_id=ACCOUNT,
        today=DAY,
        catalog=CATALOG,
        **found,
    )


def test_a_deployment_of_a_good_model_has_no_warnings():
    assert warned(deployment(model_status="Active")) == {}


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (lambda: deployment(MODEL.replace("us-east-1", "us-west-2")), "model-elsewhere"),
        (lambda: deployment(MODEL.replace(ACCOUNT, "999999999999")), "model-elsewhere"),
        (lambda: deployment(model_status="missing"), "no-model"),
        (lambda: deployment(model_status="Creating"), "model-not-ready"),
        (lambda: deployment(model_status="Failed"), "model-not-ready"),
        (lambda: deployment(existing="Failed"), "deployment-failed"),
    ],
)
def test_a_deployment_that_cannot_work_is_stopped(plan, code):
    assert warned(plan())[code].blocks


def test_a_deployment_that_is_there_is_done():
    plan = deployment(existing="Active")
    assert plan.creates.done
    assert warned(plan) == {}
