"""Model invocation logging: records in S3 in AWS's layout, for answered and for failed calls."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from botocore.exceptions import ClientError

from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.services.bedrock.state import Tables
from bedrock_distill.local.services.runtime.invocation_logs import (
    BATCH_RECORDS,
    LOG_STREAM,
)

PRO = "amazon.nova-pro-v1:0"
BUCKET = "acme-logs"
ROOT = "team/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/"
KEY = re.compile(re.escape(ROOT) + r"\d{4}/\d\d/\d\d/\d\d/\d{8}T\d{9}Z_[a-z0-9]{16}\.json\.gz")


def teacher(prompt):
    return "x" * 150_000 if prompt.prompt_text == "at length" else f"You said: {prompt.prompt_text}"


@pytest.fixture(scope="module")
def open_cloud():
    with Cloud(teachers={PRO: teacher}) as cloud:
        yield cloud


@pytest.fixture
def cloud(open_cloud):
    """The cloud with logging on and an empty bucket."""
    open_cloud.bucket(BUCKET)
    configure(open_cloud, {"s3Config": {"bucketName": BUCKET, "keyPrefix": "team"}})
    yield open_cloud
    open_cloud.flush()
    bucket = open_cloud.boto3_session().resource("s3").Bucket(BUCKET)
    bucket.objects.delete()


@pytest.fixture(scope="module")
def runtime(open_cloud):
    return open_cloud.boto3_session().client("bedrock-runtime")


def configure(cloud, settings):
    """Logging is on; the checks of its configuration are another test's subject."""
    Tables(cloud.world, "us-east-1").logging.put("configuration", settings)


def objects(cloud):
    """Delivered objects by key, unpacked."""
    cloud.flush()
    s3 = cloud.boto3_session().client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
    return {key: gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys}


def records(cloud):
    bodies = [body for key, body in objects(cloud).items() if "/data/" not in key]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def user(text):
    return [{"role": "user", "content": [{"text": text}]}]


def converse(runtime, text="hi", **options):
    return runtime.converse(modelId=PRO, messages=user(text), **options)


def test_nothing_is_written_while_logging_is_off(cloud, runtime):
    Tables(cloud.world, "us-east-1").logging.delete("configuration")
    converse(runtime)
    assert objects(cloud) == {}


def test_a_conversation_is_logged_with_its_request_its_answer_and_its_tokens(cloud, runtime):
    response = converse(
        runtime,
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 50},
        requestMetadata={"team": "a"},
    )
    [record] = records(cloud)
    request_id = response["ResponseMetadata"]["RequestId"]
    assert {
        key: record[key] for key in ("schemaType", "schemaVersion", "accountId", "region", "operation")
    } == {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "accountId": "123456789012",
        "region": "us-east-1",
        "operation": "Converse",
    }
    assert (record["requestId"], record["modelId"]) == (request_id, PRO)
    assert record["identity"]["arn"].startswith("arn:aws:")
    assert record["requestMetadata"] == {"team": "a"}
    assert record["input"] == {
        "inputContentType": "application/json",
        "inputBodyJson": {
            "messages": user("hi"),
            "system": [{"text": "Be brief."}],
            "inferenceConfig": {"maxTokens": 50},
        },
        "inputTokenCount": response["usage"]["inputTokens"],
    }
    logged = record["output"]["outputBodyJson"]
    assert logged["output"] == response["output"]
    assert (logged["stopReason"], logged["usage"]) == (response["stopReason"], response["usage"])
    assert record["output"]["outputTokenCount"] == response["usage"]["outputTokens"]


def test_a_streamed_conversation_is_logged_as_one_assembled_answer(cloud, runtime):
    list(runtime.converse_stream(modelId=PRO, messages=user("a b c"))["stream"])
    [record] = records(cloud)
    assert record["operation"] == "ConverseStream"
    message = record["output"]["outputBodyJson"]["output"]["message"]
    assert message == {"role": "assistant", "content": [{"text": "You said: a b c"}]}


def test_an_invocation_is_logged_with_the_bodies_of_its_family(cloud, runtime):
    body = {"messages": user("hi"), "inferenceConfig": {"maxTokens": 9}}
    runtime.invoke_model(modelId=PRO, body=json.dumps(body), requestMetadata=json.dumps({"team": "b"}))
    [record] = records(cloud)
    assert record["input"]["inputBodyJson"] == body
    assert record["output"]["outputBodyJson"]["stopReason"] == "end_turn"
    assert record["requestMetadata"] == {"team": "b"}


def test_a_streamed_invocation_is_logged_as_the_list_of_its_chunks(cloud, runtime):
    response = runtime.invoke_model_with_response_stream(
        modelId=PRO, body=json.dumps({"messages": user("hi")})
    )
    sent = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]
    [record] = records(cloud)
    assert record["output"]["outputBodyJson"] == sent


def test_the_model_is_logged_as_it_was_called_and_a_profile_names_its_region(cloud, runtime):
    runtime.converse(modelId=f"us.{PRO}", messages=user("hi"))
    [record] = records(cloud)
    assert (record["modelId"], record["inferenceRegion"]) == (f"us.{PRO}", "us-east-1")


def test_a_failed_call_is_logged_with_its_code_and_no_bodies(cloud, runtime):
    with pytest.raises(ClientError):
        runtime.converse(modelId=PRO, messages=[*user("a"), *user("b")], requestMetadata={"team": "a"})
    [record] = records(cloud)
    assert record["errorCode"] == "ValidationException"
    assert record["requestMetadata"] == {"team": "a"}
    assert record["input"] == {"inputContentType": "application/json", "inputTokenCount": 0}
    assert "output" not in record


def test_keys_follow_awss_layout_and_many_records_share_an_object(cloud, runtime):
    for number in range(5):
        converse(runtime, str(number))
    [key] = objects(cloud)
    assert KEY.fullmatch(key)
    assert len(records(cloud)) == 5


def test_a_full_batch_is_delivered_without_waiting(cloud, runtime):
    for number in range(BATCH_RECORDS):
        converse(runtime, str(number))
    s3 = cloud.boto3_session().client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
    assert keys


def test_a_body_over_100_kb_lies_in_an_object_of_its_own(cloud, runtime):
    response = converse(runtime, "at length", inferenceConfig={"maxTokens": 100_000})
    [record] = records(cloud)
    assert "outputBodyJson" not in record["output"]
    path = record["output"]["outputBodyS3Path"]
    request_id = response["ResponseMetadata"]["RequestId"]
    assert re.fullmatch(
        rf"s3://{BUCKET}/{ROOT}\d{{4}}/\d\d/\d\d/\d\d/data/{request_id}_output\.json\.gz", path
    )
    stored = json.loads(objects(cloud)[path.removeprefix(f"s3://{BUCKET}/")])
    assert stored["output"] == response["output"]
    assert record["input"]["inputBodyJson"]["messages"] == user("at length")


def test_without_text_delivery_there_are_counts_and_no_bodies(cloud, runtime):
    place = {"bucketName": BUCKET, "keyPrefix": "team"}
    configure(cloud, {"s3Config": place, "textDataDeliveryEnabled": False})
    converse(runtime)
    [record] = records(cloud)
    assert "inputBodyJson" not in record["input"]
    assert record["output"].keys() == {"outputContentType", "outputTokenCount"}


def test_without_a_prefix_the_layout_begins_at_the_bucket(cloud, runtime):
    configure(cloud, {"s3Config": {"bucketName": BUCKET}})
    converse(runtime)
    [key] = objects(cloud)
    assert key.startswith("AWSLogs/123456789012/")


def test_records_reach_cloudwatch_logs_too(cloud, runtime):
    logs = cloud.boto3_session().client("logs")
    logs.create_log_group(logGroupName="bedrock")
    role = "arn:aws:iam::123456789012:role/logging"
    configure(cloud, {"cloudWatchConfig": {"logGroupName": "bedrock", "roleArn": role}})
    converse(runtime, "first")
    cloud.flush()
    converse(runtime, "second")
    cloud.flush()
    events = logs.get_log_events(logGroupName="bedrock", logStreamName=LOG_STREAM, startFromHead=True)[
        "events"
    ]
    texts = [json.loads(event["message"])["input"]["inputBodyJson"]["messages"] for event in events]
    assert texts == [user("first"), user("second")]


def test_a_call_does_not_fail_because_its_log_cannot_be_delivered(cloud, runtime, caplog):
    configure(cloud, {"s3Config": {"bucketName": "no-such-bucket"}})
    assert converse(runtime)["stopReason"] == "end_turn"
    cloud.flush()
    assert "1 invocation log records were not delivered" in caplog.text


def test_metadata_of_a_failed_invocation_is_logged_too(cloud, runtime):
    with pytest.raises(ClientError):
        runtime.invoke_model(modelId=PRO, body=b"{", requestMetadata='{"team": "c"}')
    [record] = records(cloud)
    assert (record["errorCode"], record["requestMetadata"]) == ("ValidationException", {"team": "c"})


def test_counting_tokens_is_no_invocation(cloud, runtime):
    runtime.count_tokens(
        modelId="anthropic.claude-3-5-sonnet-20241022-v2:0", input={"converse": {"messages": user("hi")}}
    )
    assert records(cloud) == []


def test_a_closed_gatherer_has_delivered_what_waited_and_takes_no_more(cloud, runtime):
    converse(runtime, "before")
    cloud._running["bedrock-runtime"].close()
    converse(runtime, "after")
    [record] = records(cloud)
    assert record["input"]["inputBodyJson"]["messages"] == user("before")
