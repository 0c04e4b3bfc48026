"""What lies between the wire and a service's method."""

from __future__ import annotations

import json
import urllib.parse

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.gateway import BrokenAnswerError
from bedrock_distill.local.gateway.models import load_api
from bedrock_distill.local.gateway.wire import WireRequest

JOB_ARN = (
    "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/amazon.nova-micro-v1:0:128k/abcdefghijkl"
)
CREATE = {
    "jobName": "job",
    "customModelName": "model",
    "roleArn": "arn:aws:iam::123456789012:role/r",
    "baseModelIdentifier": "amazon.nova-micro-v1:0:128k",
    "trainingDataConfig": {"s3Uri": "s3://bucket/a"},
    "outputDataConfig": {"s3Uri": "s3://bucket/b"},
}


def _signed(service="bedrock", region="us-east-1"):
    return (
        ("Authorization", f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/{region}/{service}/aws4_request, x"),
    )


def _post(cloud, path, body=b"{}", headers=(), method="POST"):
    request = WireRequest(
        method, f"https://bedrock.us-east-1.amazonaws.com{path}", (*_signed(), *headers), body
    )
    return cloud._gateway.handle(request, door="http")


def test_an_arn_in_a_path_arrives_decoded(fake, open_cloud, deployment_arn):
    bedrock = fake(delete_custom_model_deployment={})
    open_cloud({"bedrock": bedrock})
    boto3.client("bedrock").delete_custom_model_deployment(customModelDeploymentIdentifier=deployment_arn)
    assert bedrock.calls[0].params == {"customModelDeploymentIdentifier": deployment_arn}


def test_a_service_is_told_who_calls_from_where(fake, open_cloud):
    bedrock = fake(stop_model_customization_job={})
    open_cloud({"bedrock": bedrock}, account_id="210987654321")
    boto3.client("bedrock", region_name="eu-west-3").stop_model_customization_job(jobIdentifier="job")
    call = bedrock.calls[0]
    assert (call.service, call.operation) == ("bedrock", "StopModelCustomizationJob")
    assert (call.region, call.account_id) == ("eu-west-3", "210987654321")
    assert call.caller_arn == boto3.client("sts").get_caller_identity()["Arn"]


def test_an_assumed_role_calls_as_that_role(fake, open_cloud):
    bedrock = fake(stop_model_customization_job={})
    open_cloud({"bedrock": bedrock})
    role = boto3.client("iam").create_role(
        RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"})
    )
    keys = boto3.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="me")["Credentials"]
    boto3.client(
        "bedrock",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).stop_model_customization_job(jobIdentifier="job")
    assert bedrock.calls[0].caller_arn == "arn:aws:sts::123456789012:assumed-role/r/me"


def test_an_operation_that_is_not_there_answers_with_its_name(fake, open_cloud):
    open_cloud({"bedrock": fake()})
    with pytest.raises(ClientError) as caught:
        boto3.client("bedrock").list_guardrails()
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NotImplementedException"
    assert "bedrock:ListGuardrails" in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_path_that_no_operation_has_is_an_unknown_operation(open_cloud):
    response = _post(open_cloud(), "/no/such/path")
    assert (response.status, response.code) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ResourceNotFoundException", 404),
        ("AccessDeniedException", 403),
        ("ValidationException", 400),
        ("ConflictException", 400),
        ("InternalServerException", 500),
        ("TooManyTagsException", 400),
        ("ServiceQuotaExceededException", 400),
        ("ThrottlingException", 429),
    ],
)
def test_a_refusal_has_the_status_that_the_model_says(code, status, fake, open_cloud):
    def refuse(_):
        raise AwsError(code, "No, because of äöü.")

    open_cloud({"bedrock": fake(create_model_customization_job=refuse)})
    client = boto3.client("bedrock", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(getattr(client.exceptions, code)) as caught:
        client.create_model_customization_job(**CREATE)
    answer = caught.value.response
    assert answer["Error"] == {"Code": code, "Message": "No, because of äöü."}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert answer["ResponseMetadata"]["RequestId"]


def test_a_refusal_carries_the_members_that_its_model_has(fake, open_cloud, deployment_arn):
    def refuse(_):
        raise AwsError(
            "ModelErrorException", "It broke.", originalStatusCode=500, resourceName="r", other="left out"
        )

    open_cloud({"bedrock-runtime": fake(invoke_model=refuse)})
    client = boto3.client("bedrock-runtime", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(client.exceptions.ModelErrorException) as caught:
        client.invoke_model(modelId=deployment_arn, body=b"{}")
    assert caught.value.response["originalStatusCode"] == 500
    assert caught.value.response["resourceName"] == "r"
    assert "other" not in caught.value.response
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_validation_is_refused_even_where_the_model_does_not_list_it(open_cloud, fake):
    operation = load_api("bedrock").operation("CreateModelCopyJob")
    assert "ValidationException" not in {shape.name for shape in operation.error_shapes}
    open_cloud({"bedrock": fake(create_model_copy_job={})})
    client = boto3.client("bedrock")
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.create_model_copy_job(sourceModelArn="no-arn-but-long-enough", targetModelName="m")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_json_rpc_service_is_routed_by_its_target_header(fake, open_cloud):
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"
    sagemaker = fake(create_endpoint={"EndpointArn": arn})
    open_cloud({"sagemaker": sagemaker})
    reply = boto3.client("sagemaker").create_endpoint(EndpointName="e", EndpointConfigName="c")
    assert reply["EndpointArn"] == arn
    assert sagemaker.calls[0].params == {"EndpointName": "e", "EndpointConfigName": "c"}


def test_a_json_rpc_refusal_is_a_modelled_error(fake, open_cloud):
    def refuse(_):
        raise AwsError("ResourceLimitExceeded", "Too many.")

    open_cloud({"sagemaker": fake(create_endpoint=refuse)})
    client = boto3.client("sagemaker")
    with pytest.raises(client.exceptions.ResourceLimitExceeded, match="Too many"):
        client.create_endpoint(EndpointName="e", EndpointConfigName="c")


def test_an_answer_that_breaks_the_model_is_caught_as_the_slip_it_is(fake, open_cloud):
    open_cloud({"bedrock": fake(create_model_customization_job={"jobArn": "arn:of:nothing"})})
    with pytest.raises(BrokenAnswerError, match="jobArn"):
        boto3.client("bedrock").create_model_customization_job(**CREATE)


def test_an_answer_with_an_unknown_member_is_caught(fake, open_cloud):
    open_cloud({"bedrock": fake(create_model_customization_job={"jobArn": JOB_ARN, "jobArm": "?"})})
    with pytest.raises(TypeError, match="jobArm"):
        boto3.client("bedrock").create_model_customization_job(**CREATE)


def test_unknown_members_of_a_request_are_ignored_as_aws_does(fake, open_cloud):
    bedrock = fake(create_model_customization_job={"jobArn": JOB_ARN})
    cloud = open_cloud({"bedrock": bedrock})
    response = _post(
        cloud, "/model-customization-jobs", json.dumps(CREATE | {"new": 1, "jobTags": None}).encode()
    )
    assert response.status == 201
    assert bedrock.calls[0].params == CREATE


@pytest.mark.parametrize("body", [b"{", b"[]", b"nonsense", b"\xff"])
def test_a_body_that_is_not_a_json_object_is_a_serialization_error(body, open_cloud):
    response = _post(open_cloud(), "/model-customization-jobs", body)
    assert (response.status, response.code) == (400, "SerializationException")


@pytest.mark.skipif(
    load_api("bedrock-runtime").operation("CountTokens") is None, reason="this botocore is older"
)
def test_a_blob_that_is_not_base64_is_a_serialization_error(fake, open_cloud):
    body = json.dumps({"input": {"invokeModel": {"body": "!"}}}).encode()
    cloud = open_cloud({"bedrock-runtime": fake()})
    response = _post(cloud, "/model/amazon.nova-pro-v1:0/count-tokens", body)
    assert (response.status, response.code) == (400, "SerializationException")


def test_a_services_signing_name_does_not_hide_its_sibling(fake, open_cloud, deployment_arn):
    bedrock = fake(list_custom_models={"modelSummaries": []})
    runtime = fake(invoke_model={"body": b"{}", "contentType": "application/json"})
    cloud = open_cloud({"bedrock": bedrock, "bedrock-runtime": runtime})
    assert _post(cloud, "/custom-models", b"", method="GET").status == 200
    assert _post(cloud, f"/model/{urllib.parse.quote(deployment_arn, safe='')}/invoke").status == 200
    assert cloud.calls.names() == ["ListCustomModels", "InvokeModel"]


def test_query_parameters_of_a_list_arrive_as_their_types(fake, open_cloud):
    bedrock = fake(list_custom_models={"modelSummaries": []})
    cloud = open_cloud({"bedrock": bedrock})
    _post(
        cloud,
        "/custom-models?maxResults=5&isOwned=true&creationTimeAfter=2026-01-02T03:04:05Z",
        b"",
        method="GET",
    )
    params = bedrock.calls[0].params
    assert params["maxResults"] == 5
    assert params["isOwned"] is True
    assert params["creationTimeAfter"].isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("query", "field"),
    [("maxResults=many", "maxResults"), ("isOwned=perhaps", "isOwned"), ("sortBy=Size", "sortBy")],
)
def test_query_parameters_of_a_wrong_type_are_refused(query, field, open_cloud, fake):
    cloud = open_cloud({"bedrock": fake(list_custom_models={})})
    response = _post(cloud, f"/custom-models?{query}", b"", method="GET")
    assert (response.status, response.code) == (400, "ValidationException")
    assert f"'{field}'" in response.body.decode()


def test_times_are_written_to_the_millisecond_in_utc(fake, open_cloud, make_value):
    shape = load_api("bedrock").operation("GetModelCustomizationJob").output_shape
    answer = make_value(shape)
    cloud = open_cloud({"bedrock": fake(get_model_customization_job=answer)})
    response = _post(cloud, "/model-customization-jobs/job", b"", method="GET")
    assert json.loads(response.body)["creationTime"] == "2026-03-04T05:06:07.250Z"
