"""Planning model invocation logging, over worlds made by hand."""

from __future__ import annotations

import json

import boto3
import pytest

from bedrock_distill.aws import BucketRules, Buckets, BucketState, KeyState
from bedrock_distill.aws.buckets import HIDDEN
from bedrock_distill.aws.wire import check_request
from bedrock_distill.errors import SpecError
from bedrock_distill.plan import Plan
from bedrock_distill.resources import CloudWatchLogs, InvocationLogging
from bedrock_distill.resources.bucket_policy import key_statement, with_statement
from bedrock_distill.resources.invocation_logging import LOGGING
from bedrock_distill.resources.logging_plan import configuration_step, plan_logging, statement_for
from bedrock_distill.resources.logging_survey import LoggingSurvey, LogGroupState, PolicyState, policy_setting
from bedrock_distill.uris import S3Uri

ACCOUNT = "123456789012"
PLACE = {"region": "us-east-1", "account_id": ACCOUNT, "partition": "aws"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/logger"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
FINE = BucketRules(ownership="BucketOwnerEnforced", encryption="AES256")
THEIRS = {"cloudWatchConfig": {"logGroupName": "/audit", "roleArn": ROLE}, "textDataDeliveryEnabled": True}


def world(**found):
    bucket = BucketState("acme-logs", exists=True, region="us-east-1")
    return LoggingSurvey(**{**PLACE, "bucket": bucket, "rules": FINE, **found})


def wish(**spec):
    return InvocationLogging(**{"bucket": "acme-logs", "prefix": "traffic", **spec})


def enable(spec=None, **found):
    return plan_logging(spec or wish(), world(**found))


def after(plan):
    return configuration_step(plan).after


def codes(plan, *, blocking=None):
    return {w.code for w in plan.warnings if blocking is None or w.blocks is blocking}


OURS = {"bucketName": "acme-logs", "keyPrefix": "traffic"}
ON = {
    "s3Config": OURS,
    "textDataDeliveryEnabled": True,
    "imageDataDeliveryEnabled": False,
    "embeddingDataDeliveryEnabled": False,
}

# What is put


def test_where_nothing_is_logged_text_is_switched_on_and_nothing_else():
    plan = enable()
    assert after(plan) == ON
    assert codes(plan) == {"storage-costs"}
    assert [step.done for step in plan.steps] == [False, False]


def test_the_policy_comes_before_the_configuration_that_bedrock_checks_it_for():
    first, second = enable().steps
    assert first.setting.put == "put_bucket_policy"
    assert second.setting.put == "put_model_invocation_logging_configuration"


def test_what_is_put_is_what_the_services_model_takes():
    client = boto3.client(
        "bedrock", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    operation = client.meta.service_model.operation_model("PutModelInvocationLoggingConfiguration")
    group = CloudWatchLogs(log_group="/bedrock", role=ROLE)
    plan = enable(wish(cloudwatch=group, image=True, embedding=True, video=True, audio=True))
    check_request(operation, {"loggingConfig": after(plan)})


def test_destinations_and_flags_of_others_stay():
    before = THEIRS | {"imageDataDeliveryEnabled": True, "somethingNew": {"a": 1}}
    plan = enable(configuration=before)
    assert after(plan) == before | {"s3Config": OURS}
    assert configuration_step(plan).before == before
    assert plan.facts["before"] == "log group /audit"
    assert codes(plan, blocking=True) == set()


def test_flags_change_where_they_are_spoken_of():
    before = ON | {"imageDataDeliveryEnabled": True}
    plan = enable(wish(image=False, video=True, text=False), configuration=before)
    expected = {"imageDataDeliveryEnabled": False, "videoDataDeliveryEnabled": True}
    assert after(plan) == ON | expected | {"textDataDeliveryEnabled": False}
    assert "no-bodies" in codes(plan)


def test_text_for_s3_is_text_for_the_log_group_too_and_the_plan_says_so():
    plan = enable(configuration=THEIRS | {"textDataDeliveryEnabled": False})
    assert "text-elsewhere" in codes(plan, blocking=False)


@pytest.mark.parametrize(
    "now",
    [
        ON,
        ON | {"s3Config": {"bucketName": "acme-logs", "keyPrefix": "traffic/"}},
        {**ON, "cloudWatchConfig": {}},
    ],
)
def test_what_is_right_already_is_not_touched(now):
    statement = statement_for(S3Uri("acme-logs", "traffic"), world())
    policy = PolicyState(document=with_statement(None, statement))
    plan = enable(configuration=now, policy=policy)
    assert [step.done for step in plan.steps] == [True, True]
    assert codes(plan) == set()


def test_a_flag_that_aws_leaves_out_is_as_good_as_off():
    now = {"s3Config": OURS, "textDataDeliveryEnabled": True}
    assert LOGGING.same(now, ON)
    assert not LOGGING.same(now, ON | {"imageDataDeliveryEnabled": True})
    assert not LOGGING.same(None, ON)


def test_in_a_policy_false_is_a_word_of_its_own():
    policy = policy_setting("acme-logs", ACCOUNT)
    assert not policy.same({"Bool": {"aws:SecureTransport": False}}, {"Bool": {}})


def test_a_log_group_takes_the_role_and_the_place_for_large_bodies():
    group = CloudWatchLogs(log_group="/bedrock", role=ROLE)
    found = LogGroupState(exists=True, role_exists=True)
    plan = enable(wish(cloudwatch=group), log_group=found)
    assert after(plan)["cloudWatchConfig"] == {
        "logGroupName": "/bedrock",
        "roleArn": ROLE,
        "largeDataDeliveryS3Config": OURS,
    }
    assert codes(plan) == {"storage-costs", "log-group-role"}
    without = enable(wish(cloudwatch=group.model_copy(update={"large_bodies": False})))
    assert "largeDataDeliveryS3Config" not in after(without)["cloudWatchConfig"]


def test_the_plan_is_the_same_each_time_and_survives_json():
    plan = enable(configuration=THEIRS)
    assert plan == enable(configuration=THEIRS)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.kind == "logging"
    assert not any(step.bills for step in plan.steps)


def test_what_was_seen_is_no_part_of_the_fingerprint_and_what_is_wanted_is():
    assert enable().fingerprint == enable(configuration=ON).fingerprint
    assert enable().fingerprint != enable(wish(image=True)).fingerprint
    assert enable().fingerprint != enable(region="us-west-2").fingerprint


# What is refused, and what is said


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ({"bucket": BucketState("acme-logs", exists=False), "rules": None}, "no-bucket"),
        (
            {"bucket": BucketState("acme-logs", exists=True, forbidden=True), "rules": None},
            "bucket-forbidden",
        ),
        ({"rules": BucketRules(foreign=True)}, "bucket-of-another-account"),
        ({"bucket": BucketState("acme-logs", exists=True, region="eu-west-1")}, "bucket-elsewhere"),
        ({"rules": BucketRules(ownership="ObjectWriter")}, "acls-enabled"),
        ({"rules": BucketRules(ownership="BucketOwnerPreferred")}, "acls-enabled"),
        ({"policy": PolicyState(broken="no JSON")}, "policy-broken"),
        ({"configuration": {"s3Config": {"bucketName": "finance"}}}, "other-destination"),
        ({"configuration": {"s3Config": {"bucketName": "acme-logs"}}}, "other-destination"),
    ],
)
def test_what_bedrock_would_refuse_or_others_would_miss_blocks(found, code):
    plan = enable(**found)
    assert codes(plan, blocking=True) == {code}
    assert plan.warnings[0].blocks


def test_a_bucket_of_no_known_region_is_left_for_bedrock_to_judge():
    assert codes(enable(bucket=BucketState("acme-logs", exists=True)), blocking=True) == set()


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ({"rules": BucketRules()}, "acls-enabled"),
        ({"rules": BucketRules(ownership=HIDDEN)}, "acls-unknown"),
        ({"policy": PolicyState(hidden=True)}, "policy-hidden"),
    ],
)
def test_what_cannot_be_known_is_said_and_does_not_block(found, code):
    plan = enable(**found)
    assert codes(plan, blocking=False) == {code, "storage-costs"}
    assert codes(plan, blocking=True) == set()


def test_a_policy_that_may_not_be_read_is_left_alone():
    plan = enable(policy=PolicyState(hidden=True))
    assert [step.setting.service for step in plan.steps] == ["bedrock"]
    assert '"Sid": "AmazonBedrockLogsWrite"' in plan.warnings[0].text


def test_a_destination_elsewhere_is_replaced_only_when_asked_and_stays_in_the_plan():
    before = {"s3Config": {"bucketName": "finance", "keyPrefix": "llm"}, "textDataDeliveryEnabled": True}
    refused = enable(configuration=before)
    assert "s3://finance/llm" in refused.blockers[0].text
    assert "--replace" in refused.blockers[0].text
    plan = enable(wish(replace=True), configuration=before)
    assert codes(plan, blocking=True) == set()
    assert "other-destination" in codes(plan)
    assert configuration_step(plan).before == before


def test_a_log_group_of_others_is_replaced_only_when_asked():
    group = CloudWatchLogs(log_group="/bedrock", role=ROLE)
    refused = enable(wish(cloudwatch=group), configuration=THEIRS)
    assert codes(refused, blocking=True) == {"other-destination"}
    assert "/audit" in refused.blockers[0].text
    allowed = enable(wish(cloudwatch=group, replace=True), configuration=THEIRS)
    assert after(allowed)["cloudWatchConfig"]["logGroupName"] == "/bedrock"


def test_a_log_group_or_role_that_is_not_there_blocks():
    group = CloudWatchLogs(log_group="/bedrock", role=ROLE)
    plan = enable(wish(cloudwatch=group), log_group=LogGroupState(exists=False, role_exists=False))
    assert codes(plan, blocking=True) == {"no-log-group", "no-logging-role"}
    (said,) = [w.text for w in plan.warnings if w.code == "log-group-role"]
    assert (
        f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/bedrock:log-stream:aws/bedrock/modelinvocations" in said
    )


def test_a_policy_that_may_deny_is_warned_of():
    denying = {
        "Sid": "OnlyOurs",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "*",
    }
    plan = enable(policy=PolicyState(document={"Statement": [denying]}))
    (warning,) = [w for w in plan.warnings if w.code == "policy-may-deny"]
    assert "OnlyOurs" in warning.text
    assert not warning.blocks


def test_principals_that_s3_would_no_longer_take_block_only_where_the_policy_is_put():
    gone = {
        "Effect": "Allow",
        "Principal": {"AWS": "AIDAJQABLZS4A3QDU576Q"},
        "Action": "s3:*",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Statement": [gone]}
    assert "policy-orphans" in codes(enable(policy=PolicyState(document=document)), blocking=True)
    right = with_statement(document, statement_for(S3Uri("acme-logs", "traffic"), world()))
    assert "policy-orphans" not in codes(enable(policy=PolicyState(document=right)))


def test_a_policy_that_would_grow_too_long_blocks():
    many = [{"Sid": f"s{i}", "Effect": "Allow", "Resource": "x" * 200} for i in range(90)]
    assert "policy-too-long" in codes(enable(policy=PolicyState(document={"Statement": many})), blocking=True)


# Keys


def kms(**key):
    return BucketRules(
        ownership="BucketOwnerEnforced",
        encryption="aws:kms",
        key=KeyState(**{"named": KEY, "arn": KEY, **key}),
    )


def key_policy(*more):
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [root, *more]}


def test_a_key_that_bedrock_may_use_needs_no_word():
    plan = enable(rules=kms(policy=key_policy(key_statement(**PLACE))))
    assert codes(plan) == {"storage-costs"}


def test_a_key_policy_that_lacks_the_statement_blocks_and_shows_it():
    plan = enable(rules=kms(policy=key_policy()))
    (warning,) = plan.blockers
    assert warning.code == "key-policy"
    assert "kms:GenerateDataKey" in warning.text
    assert KEY in warning.text


@pytest.mark.parametrize(
    "policy",
    [None, key_policy({**key_statement(**PLACE), "Condition": {"StringEquals": {"kms:ViaService": "x"}}})],
)
def test_a_key_policy_that_cannot_be_judged_is_left_for_bedrock(policy):
    plan = enable(rules=kms(policy=policy))
    assert codes(plan, blocking=False) == {"key-policy-unknown", "storage-costs"}
    assert plan.blockers == ()


def test_a_key_that_aws_manages_is_warned_of():
    assert "aws-managed-key" in codes(enable(rules=kms(named="", arn=None, aws_managed=True)))


def test_a_key_of_aws_is_known_by_what_kms_says_of_it_too():
    class Kms:
        def call(self, service, operation, **_):
            metadata = {"KeyMetadata": {"Arn": KEY, "KeyManager": "AWS"}}
            return {"describe_key": metadata, "get_key_policy": {"Policy": json.dumps(key_policy())}}[
                operation
            ]

    assert Buckets(Kms()).key(KEY) == KeyState(named=KEY, arn=KEY, aws_managed=True, policy=key_policy())


@pytest.mark.parametrize("rules", [FINE, kms(arn=KEY.replace("12345678", "87654321"), named="other")])
def test_a_key_that_was_asked_for_must_be_the_buckets(rules):
    wanted = KeyState(named="alias/logs", arn=KEY, policy=key_policy(key_statement(**PLACE)))
    plan = enable(wish(kms_key="alias/logs"), rules=rules, wanted_key=wanted)
    assert codes(plan, blocking=True) == {"other-key"}
    right = enable(wish(kms_key="alias/logs"), rules=kms(policy=wanted.policy), wanted_key=wanted)
    assert codes(right) == {"storage-costs"}


# Specs


def test_slashes_around_a_prefix_do_not_matter():
    assert wish(prefix="/traffic/") == wish()
    assert wish(prefix="").s3_config() == {"bucketName": "acme-logs"}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"bucket": "Acme"}, "bucket"),
        ({"bucket": "acme-logs/traffic"}, "bucket"),
        ({"bucket": "s3://acme-logs"}, "bucket"),
        ({"prefix": "a//b"}, "prefix"),
        ({"prefix": "a\nb"}, "prefix"),
        ({"prefix": "a" * 801}, "prefix"),
        ({"kms_key": "my key"}, "kms_key"),
        ({"text": None}, "text"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_field_that_cannot_work_is_named(spec, field):
    with pytest.raises(SpecError) as refused:
        wish(**spec)
    assert refused.value.field == field


def test_a_log_group_takes_the_arn_of_a_role():
    with pytest.raises(SpecError, match="role"):
        CloudWatchLogs(log_group="/bedrock", role="logger")


def test_a_prefix_that_no_job_can_read_is_warned_of():
    assert "prefix-not-for-jobs" in codes(enable(wish(prefix="dt=2026"), configuration=None), blocking=False)
