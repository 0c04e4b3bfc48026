"""Switching logging on where something is in the way: the bucket, the key, the credentials; and what is then seen."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.errors import AccessDeniedError, PlanError, ServiceError
from bedrock_distill.local.faults import Fault
from bedrock_distill.resources import CloudWatchLogs, InvocationLogging, LoggingOff

ACCOUNT = "123456789012"
WISH = InvocationLogging(bucket="acme-logs", prefix="traffic")
OFF = LoggingOff(bucket="acme-logs", prefix="traffic", remove_policy=True)


def apply(session, spec, **options):
    events = []
    session.apply(session.plan(spec), on_event=events.append, **options)
    return [event.event for event in events if event.event != "started"]


def operations(cloud, since):
    return [call.operation for call in list(cloud.calls)[since:]]


# A bucket that will not do


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (InvocationLogging(bucket="no-such-bucket"), "no-bucket"),
        (InvocationLogging(bucket="acme-eu"), "bucket-elsewhere"),
        (InvocationLogging(bucket="acme-acls"), "acls-enabled"),
        (InvocationLogging(bucket="acme-broken"), "policy-broken"),
        (InvocationLogging(bucket="acme-odd"), "policy-broken"),
    ],
)
def test_a_bucket_that_bedrock_would_refuse_stops_the_plan_and_nothing_is_done(cloud, room, spec, code):
    cloud.bucket("acme-eu", region="eu-west-1")
    room.s3.create_bucket(Bucket="acme-acls", ObjectOwnership="ObjectWriter")
    for name, text in (("acme-broken", "{"), ("acme-odd", "[]")):
        room.make(name)
        room.s3.put_bucket_policy(Bucket=name, Policy=text)
    session = cloud.session()
    plan = session.plan(spec)
    assert code in {warning.code for warning in plan.blockers}
    before = len(cloud.calls)
    with pytest.raises(PlanError, match=code):
        session.apply(plan)
    assert operations(cloud, before) == []


@pytest.mark.parametrize(("nth", "code"), [(1, "bucket-forbidden"), (2, "bucket-of-another-account")])
def test_another_accounts_bucket_is_known_whether_or_not_it_may_be_looked_at(cloud, room, nth, code):
    cloud.faults.add(Fault(operation="HeadBucket", status=403, nth=nth))
    assert [w.code for w in cloud.session().plan(WISH).blockers] == [code]


def test_the_owner_is_part_of_every_request_that_touches_the_policy(cloud, room):
    session = cloud.session()
    apply(session, WISH)
    apply(session, OFF)
    touched = [call for call in cloud.calls if call.operation.endswith("BucketPolicy")]
    ours = [call for call in touched if "ExpectedBucketOwner" in call.params]
    assert {call.operation for call in ours} == {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"}
    assert {call.params["ExpectedBucketOwner"] for call in ours} == {ACCOUNT}


def test_a_bucket_with_a_key_is_judged_by_the_keys_policy(cloud, room):
    key = room.kms.create_key()["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    room.s3.put_bucket_encryption(Bucket="acme-logs", ServerSideEncryptionConfiguration={"Rules": [rule]})
    session = cloud.session()
    plan = session.plan(WISH)
    (warning,) = plan.blockers
    assert warning.code == "key-policy"
    statement = json.loads(warning.text.partition("add: ")[2])
    policy = json.loads(room.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"].append(statement)
    room.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert session.plan(WISH.model_copy(update={"kms_key": key})).blockers == ()


def test_a_key_that_kms_does_not_know_is_no_error_of_the_plan(cloud, room):
    rule = {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012",
        }
    }
    room.s3.put_bucket_encryption(Bucket="acme-logs", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert "key-policy-unknown" in {w.code for w in cloud.session().plan(WISH).warnings}


def test_the_key_that_aws_manages_is_known_by_its_alias(cloud, room):
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"}
    }
    room.s3.put_bucket_encryption(Bucket="acme-logs", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert "aws-managed-key" in {w.code for w in cloud.session().plan(WISH).warnings}


@pytest.mark.parametrize(
    "operation",
    ["HeadBucket", "GetBucketOwnershipControls", "GetBucketEncryption", "GetBucketPolicy", "DescribeKey"],
)
def test_a_service_that_fails_is_not_taken_for_a_bucket_without_rules(cloud, room, operation):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/logs"}}
    room.s3.put_bucket_encryption(Bucket="acme-logs", ServerSideEncryptionConfiguration={"Rules": [rule]})
    cloud.faults.add(Fault(operation=operation, code="InternalError", status=500))
    with pytest.raises(ServiceError, match=operation):
        cloud.session().plan(WISH)


# Credentials that may not


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("GetBucketPolicy", "policy-hidden"),
        ("GetBucketOwnershipControls", "acls-unknown"),
    ],
)
def test_what_may_not_be_read_is_said_in_the_plan(cloud, room, operation, code):
    cloud.faults.add(Fault(operation=operation, status=403, code="AccessDenied"))
    plan = cloud.session().plan(WISH)
    assert code in {warning.code for warning in plan.warnings}
    assert plan.blockers == ()


@pytest.mark.parametrize(
    "operation", ["GetBucketEncryption", "DescribeKey", "GetKeyPolicy", "DescribeLogGroups", "GetRole"]
)
def test_what_may_not_be_read_and_bedrock_checks_anyway_does_not_stop_the_plan(cloud, room, operation):
    group = CloudWatchLogs(log_group="/audit", role=room.to_log_group()["roleArn"])
    key = room.kms.create_key()["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    room.s3.put_bucket_encryption(Bucket="acme-logs", ServerSideEncryptionConfiguration={"Rules": [rule]})
    fault = cloud.faults.add(Fault(operation=operation, code="AccessDeniedException", status=403))
    plan = cloud.session().plan(WISH.model_copy(update={"cloudwatch": group, "replace": True}))
    assert cloud.faults.struck(fault) > 0
    unknown = operation in ("GetBucketEncryption", "DescribeKey", "GetKeyPolicy")
    assert {w.code for w in plan.blockers} == (set() if unknown else {"key-policy"})


def test_a_configuration_that_may_not_be_read_is_not_replaced(cloud, room):
    cloud.faults.add(Fault(operation="GetModelInvocationLoggingConfiguration", code="AccessDeniedException"))
    session = cloud.session()
    with pytest.raises(AccessDeniedError, match="bedrock:GetModelInvocationLoggingConfiguration"):
        session.plan(WISH)
    with pytest.raises(AccessDeniedError):
        session.log_delivery().status()


@pytest.mark.parametrize(
    "operation",
    ["PutBucketPolicy", "PutModelInvocationLoggingConfiguration"],
)
def test_what_may_not_be_written_is_told_and_another_try_finishes_it(cloud, room, operation):
    fault = cloud.faults.add(Fault(operation=operation, code="AccessDenied", status=403))
    session = cloud.session()
    with pytest.raises(AccessDeniedError, match=operation):
        apply(session, WISH)
    assert room.configuration() is None
    cloud.faults.remove(fault)
    apply(session, WISH)
    assert len(room.policy()["Statement"]) == 1
    assert room.configuration() is not None


def test_a_policy_that_s3_refuses_leaves_everything_as_it_was(cloud, room):
    cloud.faults.add(
        Fault(operation="PutBucketPolicy", code="MalformedPolicy", message="Invalid principal in policy")
    )
    with pytest.raises(ServiceError, match="Invalid principal"):
        apply(cloud.session(), WISH)
    assert (room.policy(), room.configuration()) == (None, None)


def test_a_policy_that_may_not_be_read_is_left_to_whoever_may(cloud, room):
    """A platform team puts the statement; whoever switches logging on may only do that."""
    session = cloud.session()
    statement = session.plan(WISH).steps[0].after["Statement"][0]
    room.put_policy(statement)
    fault = cloud.faults.add(Fault(operation="GetBucketPolicy", code="AccessDenied", status=403))
    assert apply(session, WISH) == ["made"]
    assert session.log_delivery().status().policy == "unknown"
    with pytest.raises(PlanError, match="policy-unread"):
        apply(session, OFF)
    cloud.faults.remove(fault)
    assert room.policy()["Statement"] == [statement]


# What is seen


def test_the_status_of_nothing_says_how_to_begin(cloud, room):
    status = cloud.session().log_delivery().status()
    assert (status.enabled, status.destination, status.policy) == (False, None, None)
    assert set(status.hints) == {"off"}


def test_the_status_tells_what_is_in_the_way(cloud, room):
    session = cloud.session()
    apply(session, WISH.model_copy(update={"text": False}))
    room.s3.delete_bucket_policy(Bucket="acme-logs")
    status = session.log_delivery().status()
    assert status.policy == "does not allow"
    assert set(status.hints) == {"no-bodies", "policy", "mantle", "nothing-yet"}
    assert "logs enable s3://acme-logs/traffic" in status.hints["policy"]
    room.put_policy({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"})
    assert session.log_delivery().status().policy == "may deny"


def test_the_status_of_a_bucket_that_is_gone_or_closed(cloud, room):
    session = cloud.session()
    apply(session, WISH)
    fault = cloud.faults.add(Fault(operation="ListObjectsV2", code="AccessDenied", status=403))
    assert "not-listed" in session.log_delivery().status().hints
    cloud.faults.remove(fault)
    for item in room.s3.list_objects_v2(Bucket="acme-logs")["Contents"]:
        room.s3.delete_object(Bucket="acme-logs", Key=item["Key"])
    room.s3.delete_bucket(Bucket="acme-logs")
    status = session.log_delivery().status()
    assert "no-bucket" in status.hints
    assert "policy" not in status.hints
    assert apply(session, OFF) == ["made"]


def test_the_newest_object_is_found_by_its_hour_without_listing_the_others(cloud, room):
    session = cloud.session()
    apply(session, WISH)
    folder = f"traffic/AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/us-east-1"
    for hour in ("2025/12/31/23", "2026/01/02/03", "2026/01/02/11"):
        for minute in range(3):
            room.s3.put_object(Bucket="acme-logs", Key=f"{folder}/{hour}/{minute}_x.json.gz", Body=b"x")
    # The newest hour of all holds only a large body.
    room.s3.put_object(Bucket="acme-logs", Key=f"{folder}/2026/01/02/12/data/r_input.json.gz", Body=b"x")
    before = len(cloud.calls)
    status = session.log_delivery().status()
    assert status.newest == f"s3://acme-logs/{folder}/2026/01/02/11/2_x.json.gz"
    assert status.newest_at.utcoffset().total_seconds() == 0
    assert operations(cloud, before).count("ListObjectsV2") == 6


def test_the_status_of_a_log_group_alone_says_that_nothing_reads_it(cloud, room):
    room.to_log_group()
    status = cloud.session().log_delivery().status()
    assert (status.enabled, status.log_group, status.folder) == (True, "/audit", None)
    assert "no-bucket-destination" in status.hints
