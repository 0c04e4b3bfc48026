"""The call log."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from bedrock_distill.local.calls import CallLog


@pytest.fixture
def cloud(open_cloud, fake):
    return open_cloud({"bedrock": fake(list_custom_models={"modelSummaries": []})})


def test_every_call_is_logged_in_order_whoever_answers_it(cloud):
    boto3.client("s3").create_bucket(Bucket="a-bucket")
    boto3.client("bedrock").list_custom_models(nameContains="x")
    with pytest.raises(ClientError):
        boto3.client("iam").get_role(RoleName="nobody")
    assert cloud.calls.names() == ["CreateBucket", "ListCustomModels", "GetRole"]
    assert [call.name for call in cloud.calls] == [
        "s3.CreateBucket",
        "bedrock.ListCustomModels",
        "iam.GetRole",
    ]
    assert [call.ok for call in cloud.calls] == [True, True, False]
    assert cloud.calls[-1].code == "NoSuchEntity"
    assert cloud.calls[-1].status == 404


def test_a_call_says_what_was_asked(cloud):
    boto3.client("bedrock", region_name="us-west-2").list_custom_models(nameContains="x")
    boto3.client("s3").create_bucket(Bucket="a-bucket")
    boto3.client("s3").put_object(Bucket="a-bucket", Key="k", Body=b"b", ContentType="text/plain")
    boto3.client("sts").get_caller_identity()
    first, _, put, _ = cloud.calls
    assert (first.params, first.region, first.door) == ({"nameContains": "x"}, "us-west-2", "process")
    assert first.at <= cloud.clock.now()
    assert {"Bucket": "a-bucket", "Key": "k", "ContentType": "text/plain"}.items() <= put.params.items()


def test_parts_and_copies_have_their_own_names(cloud):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key="k", Body=b"b")
    s3.copy_object(Bucket="a-bucket", Key="c", CopySource={"Bucket": "a-bucket", "Key": "k"})
    upload = s3.create_multipart_upload(Bucket="a-bucket", Key="m")["UploadId"]
    s3.upload_part(Bucket="a-bucket", Key="m", UploadId=upload, PartNumber=1, Body=b"p")
    s3.list_objects_v2(Bucket="a-bucket")
    expected = [
        "CreateBucket",
        "PutObject",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPart",
        "ListObjectsV2",
    ]
    assert cloud.calls.names() == expected


def test_names_over_http_are_found_out_of_the_request(open_cloud):
    cloud = open_cloud()
    with cloud.serve() as server:
        s3 = boto3.client("s3", endpoint_url=server.url)
        s3.create_bucket(Bucket="a-bucket")
        s3.put_object(Bucket="a-bucket", Key="a/k", Body=b"b")
        s3.copy_object(Bucket="a-bucket", Key="c", CopySource={"Bucket": "a-bucket", "Key": "a/k"})
        upload = s3.create_multipart_upload(Bucket="a-bucket", Key="m")["UploadId"]
        s3.upload_part(Bucket="a-bucket", Key="m", UploadId=upload, PartNumber=1, Body=b"p")
        s3.list_objects_v2(Bucket="a-bucket")
        s3.head_object(Bucket="a-bucket", Key="a/k")
        s3.get_bucket_location(Bucket="a-bucket")
        s3.delete_objects(Bucket="a-bucket", Delete={"Objects": [{"Key": "a/k"}]})
        boto3.client("iam", endpoint_url=server.url).list_roles()
        boto3.client("kms", endpoint_url=server.url).list_keys()
        boto3.client("cloudwatch", endpoint_url=server.url).list_metrics()
    assert cloud.calls.names() == [
        "CreateBucket",
        "PutObject",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPart",
        "ListObjectsV2",
        "HeadObject",
        "GetBucketLocation",
        "DeleteObjects",
        "ListRoles",
        "ListKeys",
        "ListMetrics",
    ]


def test_the_log_is_filtered(cloud):
    boto3.client("s3").create_bucket(Bucket="a-bucket")
    boto3.client("bedrock").list_custom_models()
    with pytest.raises(ClientError):
        boto3.client("bedrock").list_guardrails()
    log = cloud.calls
    assert log.names(service="bedrock") == ["ListCustomModels", "ListGuardrails"]
    assert log.count("List*") == 2
    assert log.count(service="s3") == 1
    assert [call.operation for call in log.where(code="NotImpl*")] == ["ListGuardrails"]
    assert [call.operation for call in log.where(wanted=lambda call: call.ok)] == [
        "CreateBucket",
        "ListCustomModels",
    ]
    assert log.last is log[-1]
    assert len(log[1:]) == 2
    log.clear()
    assert len(log) == 0
    assert log.last is None


def test_the_log_forgets_the_oldest_first(cloud):
    short = CallLog(limit=2)
    for _ in range(3):
        boto3.client("bedrock").list_custom_models()
    for call in cloud.calls:
        short.add(call)
    assert [call.request_id for call in short] == [call.request_id for call in cloud.calls[1:]]
