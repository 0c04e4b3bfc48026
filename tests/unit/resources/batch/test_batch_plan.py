"""The plan of a batch inference job: its steps, its role, what it costs, and what stops it."""

from __future__ import annotations

import dataclasses
from datetime import date

import msgspec
import pytest

from bedrock_distill.aws.objects import BucketState
from bedrock_distill.catalog import load_catalog
from bedrock_distill.plan import CreateListed, EnsureRole, Plan, StageRequests, WaitFor
from bedrock_distill.resources.survey import Place

CATALOG = load_catalog()
HERE = "arn:aws:bedrock:us-east-1:123456789012:"
CUSTOM = f"{HERE}custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"
ROLE = "arn:aws:iam::123456789012:role/mine"
KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"


def with_quota(**values):
    quotas = [msgspec.structs.replace(row, value=values.get(row.name, row.value)) for row in CATALOG.quotas]
    return dataclasses.replace(CATALOG, quotas=tuple(quotas))


def codes(plan):
    return [warning.code for warning in plan.warnings]


def statements(plan):
    (role,) = [step for step in plan.steps if isinstance(step, EnsureRole)]
    return {each["Sid"]: each for each in role.policy["Statement"]}


def test_the_steps_are_requests_role_job_and_wait(make_plan):
    plan = make_plan()
    assert [type(step) for step in plan.steps] == [StageRequests, EnsureRole, CreateListed, WaitFor]
    assert (plan.kind, plan.blockers, codes(plan)) == ("batch", (), [])
    assert [step.bills for step in plan.steps] == [False, False, True, False]
    assert plan == Plan.from_json(plan.to_json())


def test_the_request_carries_the_fingerprint_in_its_name_and_token(make_plan):
    request = make_plan(survey={"attempt": 3}).creates.request
    assert request["jobName"] == "triage-01234567-3"
    assert request["clientRequestToken"] == "bedrock-distill-0123456789ab-3"
    assert request["modelInvocationType"] == "Converse"
    assert "timeoutDurationInHours" not in request
    assert make_plan(timeout_hours=48).creates.request["timeoutDurationInHours"] == 48
    assert make_plan(kms_key=KEY).creates.request["outputDataConfig"]["s3OutputDataConfig"] == {
        "s3Uri": "s3://acme/batch/",
        "s3EncryptionKeyId": KEY,
    }


def test_the_role_is_bedrocks_for_such_jobs_here_and_may_read_requests_and_write_answers_only(make_plan):
    plan = make_plan()
    (trust,) = plan.steps[1].trust["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnEquals": {"aws:SourceArn": f"{HERE}model-invocation-job/*"},
    }
    found = statements(plan)
    assert set(found) == {"ReadPrompts", "ListPrompts", "WriteResults", "ListResults"}
    assert found["ReadPrompts"]["Resource"] == ["arn:aws:s3:::acme/batch/staged/*"]
    assert found["WriteResults"]["Resource"] == ["arn:aws:s3:::acme/batch/*"]


def test_a_profile_lets_the_role_invoke_it_and_what_is_behind_it(make_plan):
    found = statements(make_plan(model="us.amazon.nova-pro-v1:0"))["CrossRegionInference"]
    assert found["Resource"] == [
        f"{HERE}inference-profile/us.amazon.nova-pro-v1:0",
        "arn:aws:bedrock:*::foundation-model/amazon.nova-pro-v1:0",
    ]


def test_keys_and_a_vpc_are_in_the_roles_policy(make_plan):
    other = KEY.replace("0000-000000000000", "1111-000000000000")
    vpc = {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}
    plan = make_plan(kms_key=KEY, data_kms_key=other, vpc=vpc)
    found = statements(plan)
    assert found["UseKeys"]["Resource"] == [other, KEY]
    assert "aws:RequestTag/BedrockModelInvocationJobArn" in found["MakeInterface"]["Condition"]["ArnEquals"]
    assert plan.creates.request["vpcConfig"] == {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}


def test_a_role_of_the_users_own_is_used_as_it_is(make_plan):
    plan = make_plan(role=ROLE)
    assert [type(step) for step in plan.steps] == [StageRequests, CreateListed, WaitFor]
    assert plan.creates.request["roleArn"] == ROLE
    assert plan.creates.needs_role is False


def test_what_is_there_already_is_marked_as_done(make_plan):
    found = {
        "staged": True,
        "job_arn": f"{HERE}model-invocation-job/abcdefghijkl",
        "job_status": "InProgress",
    }
    plan = make_plan(survey=found)
    assert [step.done for step in plan.steps] == [True, False, True, False]
    assert codes(plan) == ["job-exists"]


STOPS = {
    "too-few-records": {"catalog": with_quota(batch_min_records=121)},
    "too-many-records": {"catalog": with_quota(batch_max_records=119)},
    "too-large": {"catalog": with_quota(batch_max_file_bytes=1000)},
    "no-model": {"model": CUSTOM, "survey": {"model_status": "missing"}},
    "model-not-ready": {"model": CUSTOM, "survey": {"model_status": "Creating"}},
    "model-past-end-of-life": {"survey": {"today": date(2099, 1, 1)}, "model": "us.amazon.nova-premier-v1:0"},
    "model-elsewhere": {"model": CUSTOM.replace("us-east-1", "us-west-2")},
    "role-elsewhere": {"role": ROLE.replace("123456789012", "999999999999")},
    "role-for-profile": {"model": f"{HERE}application-inference-profile/abcdefghijkl"},
    "no-bucket": {"survey": {"bucket": BucketState("acme", exists=False)}},
    "bucket-elsewhere": {"survey": {"bucket": BucketState("acme", exists=True, region="eu-west-1")}},
    "key-not-an-arn": {"kms_key": "alias/mine"},
}


@pytest.mark.parametrize("code", STOPS)
def test_what_cannot_work_stops_the_plan(make_plan, code):
    plan = make_plan(**STOPS[code])
    assert [warning.code for warning in plan.blockers] == [code]
    assert all(warning.text.endswith((".", "?")) or "`" in warning.text for warning in plan.blockers)


NOTES = {
    "bucket-forbidden": {"survey": {"bucket": BucketState("acme", exists=True, forbidden=True)}},
    "role-hidden": {"survey": {"role_hidden": True}},
    "earlier-attempts": {"survey": {"attempt": 2}},
    "model-legacy": {"model": "us.meta.llama3-3-70b-instruct-v1:0"},
}


@pytest.mark.parametrize("code", NOTES)
def test_what_is_worth_knowing_is_said_and_stops_nothing(make_plan, code):
    plan = make_plan(**NOTES[code])
    assert (codes(plan), plan.blockers) == ([code], ())


def test_a_custom_model_here_stops_nothing(make_plan):
    assert codes(make_plan(model=CUSTOM, survey={"model_status": "Active"})) == []


def test_the_cost_is_tokens_by_the_catalogs_prices_and_unknown_without(make_plan, tmp_path):
    assert make_plan().estimate.total_usd is None
    (tmp_path / "prices.toml").write_text(
        "".join(
            f'[[price]]\nmodel = "amazon.nova-pro-v1:0"\nkind = "{kind}_1k_tokens"\nusd = {usd}\nsource = "x"\n'
            "as_of = 2026-11-01\n"
            for kind, usd in (("input", 1.0), ("output", 2.0))
        )
    )
    plan = make_plan(catalog=load_catalog(tmp_path / "prices.toml"), max_tokens=100)
    inputs, outputs = plan.estimate.lines
    assert outputs.usd == pytest.approx(120 * 100 / 1000 * 2.0)  # each answer as long as it may be
    assert inputs.quantity == pytest.approx(120 * 3 / 1000, rel=0.5)
    assert plan.within(30.0) is plan


def test_a_plan_is_for_its_place(make_plan):
    gov = Place(region="us-gov-west-1", account_id="123456789012", partition="aws-us-gov")
    bucket = BucketState("acme", exists=True, region="us-gov-west-1")
    plan = make_plan(survey={"place": gov, "bucket": bucket})
    assert plan.creates.request["roleArn"].startswith("arn:aws-us-gov:iam::")
    assert statements(plan)["ReadPrompts"]["Resource"] == ["arn:aws-us-gov:s3:::acme/batch/staged/*"]
