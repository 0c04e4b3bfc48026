from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from bedrock_distill.local.services.bedrock.job_access import PROPAGATION_S

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
ACCOUNT, TEACHER = _stage["ACCOUNT"], _stage["TEACHER"]

S3 = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]


@pytest.fixture
def stage(shared):
    shared.empty().prompts()
    return shared


def refused(stage, match, **changes):
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match=match) as caught:
        stage.create(**changes)
    return str(caught.value)


def allow(actions, resources, **condition):
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def test_a_new_role_is_unknown_until_iam_has_spread_it_by_the_clouds_clock(stage):
    stage.role(old=False)
    refused(stage, "Could not assume provided IAM role")
    stage.cloud.clock.sleep(PROPAGATION_S / 2)
    refused(stage, "which is new")
    stage.cloud.clock.sleep(PROPAGATION_S / 2)
    assert stage.create()


def test_a_refused_request_leaves_nothing_behind(stage):
    stage.role(old=False)
    refused(stage, "Could not assume", clientRequestToken="token-1")
    assert stage.bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []
    stage.cloud.clock.sleep(PROPAGATION_S)
    assert stage.create(clientRequestToken="token-1")


def test_a_trust_policy_without_conditions_will_do(stage):
    stage.role(
        trust={
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": ["bedrock.amazonaws.com"]},
                "Action": "sts:*",
            }
        }
    )
    assert stage.create()


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceAccount": "999999999999"}},
        {"ArnEquals": {"aws:SourceArn": f"arn:aws:bedrock:us-west-2:{ACCOUNT}:model-customization-job/*"}},
        {"ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-import-job/*"}},
        {"StringEquals": {"sts:ExternalId": "secret"}},
    ],
)
def test_a_trust_policy_whose_conditions_do_not_hold_is_refused(stage, condition):
    stage.role(trust=stage.trust(**condition))
    refused(stage, "Could not assume provided IAM role.*trust policy")


def test_permissions_may_come_from_a_managed_policy(stage):
    stage.role(statements=[])
    document = {"Version": "2012-10-17", "Statement": stage.statements()}
    policy = stage.iam.create_policy(PolicyName="distil", PolicyDocument=json.dumps(document))["Policy"][
        "Arn"
    ]
    stage.iam.attach_role_policy(RoleName="distiller", PolicyArn=policy)
    try:
        assert stage.create()
    finally:
        stage.iam.detach_role_policy(RoleName="distiller", PolicyArn=policy)


def test_a_boundary_limits_what_the_policies_allow(stage):
    document = {"Version": "2012-10-17", "Statement": [allow("s3:GetObject", "*")]}
    policy = stage.iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(document))["Policy"][
        "Arn"
    ]
    stage.role()
    stage.iam.put_role_permissions_boundary(RoleName="distiller", PermissionsBoundary=policy)
    refused(stage, "needs s3:ListBucket")


def test_the_least_policy_restricts_listing_to_the_datas_prefix(stage):
    stage.role(
        statements=[
            allow("s3:GetObject", "arn:aws:s3:::acme/in/*"),
            allow("s3:ListBucket", "arn:aws:s3:::acme", StringLike={"s3:prefix": ["in/*"]}),
            allow("s3:PutObject", "arn:aws:s3:::acme/out/*"),
        ]
    )
    assert stage.create()


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        (
            "s3:GetObject",
            "Could not validate GetObject permissions to access Amazon S3 bucket: acme at key in/prompts.jsonl",
        ),
        ("s3:ListBucket", "Could not validate GetObject permissions.*needs s3:ListBucket"),
        (
            "s3:PutObject",
            r"Amazon S3 perms missing \(PutObject\).*acme at key out/\.write_access_check_file\.tmp",
        ),
    ],
)
def test_each_permission_on_s3_is_needed(stage, lacking, words):
    stage.role(statements=[allow([action for action in S3 if action != lacking], "*")])
    refused(stage, words)
    assert "out/.write_access_check_file.temp" not in stage.objects()


def test_a_bucket_policy_can_grant_and_can_deny(stage):
    role = stage.role(statements=[])
    granting = allow(S3, ["arn:aws:s3:::acme", "arn:aws:s3:::acme/*"]) | {"Principal": {"AWS": role}}
    denying = granting | {"Effect": "Deny", "Action": "s3:PutObject"}
    try:
        stage.s3.put_bucket_policy(
            Bucket="acme", Policy=json.dumps({"Version": "2012-10-17", "Statement": [granting]})
        )
        assert stage.create()
        stage.s3.put_bucket_policy(
            Bucket="acme", Policy=json.dumps({"Version": "2012-10-17", "Statement": [granting, denying]})
        )
        refused(stage, "PutObject", jobName="other", customModelName="other")
    finally:
        stage.s3.delete_bucket_policy(Bucket="acme")


def test_data_under_a_customers_key_takes_the_permission_to_decrypt(stage):
    key = stage.cloud.boto3_session().client("kms").create_key()["KeyMetadata"]["Arn"]
    body = stage.read("in/prompts.jsonl")
    stage.s3.put_object(
        Bucket="acme", Key="in/prompts.jsonl", Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    stage.role()
    refused(stage, "needs kms:Decrypt")
    document = {"Version": "2012-10-17", "Statement": [allow("kms:Decrypt", key)]}
    stage.iam.put_role_policy(RoleName="distiller", PolicyName="key", PolicyDocument=json.dumps(document))
    assert stage.create()


def through(profile):
    return {"distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": profile}}}


def test_a_teacher_called_by_a_profile_takes_invoke_model_on_the_profile_and_the_model(stage):
    profile = f"us.{TEACHER}"
    profile_arn = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{profile}"
    stage.role(statements=[*stage.statements(), allow("bedrock:InvokeModel", profile_arn)])
    refused(
        stage,
        f"InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/{TEACHER}",
        customizationConfig=through(profile),
    )
    document = {
        "Version": "2012-10-17",
        "Statement": [allow("bedrock:InvokeModel", f"arn:aws:bedrock:*::foundation-model/{TEACHER}")],
    }
    stage.iam.put_role_policy(RoleName="distiller", PolicyName="teacher", PolicyDocument=json.dumps(document))
    stage.create("by-id", customizationConfig=through(profile))
    stage.create("by-arn", customizationConfig=through(profile_arn))


def test_a_role_under_a_path_is_known_by_its_whole_arn(stage):
    made = stage.iam.create_role(
        RoleName="pathed", Path="/service-role/", AssumeRolePolicyDocument=json.dumps(stage.trust())
    )["Role"]["Arn"]
    assert made.endswith(":role/service-role/pathed")
    refused(stage, "which is new", roleArn=made)
    refused(stage, "There is no role", roleArn=f"arn:aws:iam::{ACCOUNT}:role/pathed")
