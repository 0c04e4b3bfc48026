"""Keys that act as a role are held to what the role may do; all others may do everything."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from bedrock_distill.local import Cloud
from bedrock_distill.local.services.bedrock.policies import Request, decide

POLICY = {
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::acme-ml/mine/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::acme-ml",
            "Condition": {"StringLike": {"s3:prefix": "mine/*"}},
        },
    ]
}
KEY = "ASIAAAAAAAAAAAAAAAAA"


@pytest.fixture
def world():
    with Cloud() as cloud:
        cloud.bucket("acme-ml")
        yield cloud.world


@pytest.fixture
def acting(world):
    """A maker of clients that sign with the key, while it acts as the role."""

    def judge(action, resource, context):
        return decide([POLICY], Request(action, resource=resource, context=context)) == "allow"

    take_back = world.grants.give(KEY, "arn:aws:iam::123456789012:role/r", judge)

    def client(service):
        return boto3.client(
            service, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key="x"
        )

    client.take_back = take_back
    return client


def refused(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_what_the_role_may_do_is_done(acting):
    s3 = acting("s3")
    s3.put_object(Bucket="acme-ml", Key="mine/a", Body=b"1")
    upload = s3.create_multipart_upload(Bucket="acme-ml", Key="mine/b")["UploadId"]
    part = s3.upload_part(Bucket="acme-ml", Key="mine/b", UploadId=upload, PartNumber=1, Body=b"2")
    s3.complete_multipart_upload(
        Bucket="acme-ml",
        Key="mine/b",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert s3.get_object(Bucket="acme-ml", Key="mine/b")["Body"].read() == b"2"
    assert s3.list_objects_v2(Bucket="acme-ml", Prefix="mine/")["KeyCount"] == 2
    s3.delete_objects(Bucket="acme-ml", Delete={"Objects": [{"Key": "mine/a"}, {"Key": "mine/b"}]})
    assert acting("sts").get_caller_identity()["Account"] == "123456789012"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("put_object", {"Key": "theirs/a", "Body": b""}),
        ("get_object", {"Key": "theirs/a"}),
        ("delete_object", {"Key": "theirs/a"}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "mine/a"}, {"Key": "theirs/a"}]}}),
        ("list_objects_v2", {"Prefix": "theirs/"}),
        ("list_objects_v2", {}),
        ("get_bucket_policy", {}),
        ("delete_bucket", {}),
    ],
)
def test_what_it_may_not_do_is_refused_as_s3_refuses(acting, operation, params):
    assert refused(getattr(acting("s3"), operation), Bucket="acme-ml", **params) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("iam", "list_roles", {}),
        ("bedrock", "list_custom_models", {}),
        ("emr-serverless", "list_applications", {}),
    ],
)
def test_services_that_its_policies_do_not_name_are_refused(acting, service, operation, params):
    assert refused(getattr(acting(service), operation), **params) == ("AccessDeniedException", 403)


def test_when_the_key_is_taken_back_it_is_a_key_like_any_other(acting):
    acting.take_back()
    acting("s3").put_object(Bucket="acme-ml", Key="theirs/a", Body=b"")
