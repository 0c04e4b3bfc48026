from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from bedrock_distill.local.services.bedrock.state import logging_configuration
from bedrock_distill.local.services.bedrock.tags import MAX_TAGS

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
ACCOUNT = _stage["ACCOUNT"]


@pytest.fixture(scope="module")
def shared(shared):
    shared.logs = shared.cloud.boto3_session().client("logs")
    return shared


@pytest.fixture
def stage(shared):
    yield shared.empty()
    shared.s3.delete_bucket_policy(Bucket="acme")


def delivery(stage, prefix="", **condition):
    """The bucket policy that AWS documents for log delivery."""
    statement = {
        "Sid": "AmazonBedrockLogsWrite",
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": ["s3:PutObject"],
        "Resource": [f"arn:aws:s3:::acme/{prefix}AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/*"],
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:*"},
            **condition,
        },
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    stage.s3.put_bucket_policy(Bucket="acme", Policy=json.dumps(document))


def put(stage, **config):
    stage.bedrock.put_model_invocation_logging_configuration(loggingConfig=config)


def get(stage):
    return stage.bedrock.get_model_invocation_logging_configuration().get("loggingConfig")


# Logging --------------------------------------------------------------------------------------------------------


def test_logging_is_off_until_it_is_configured_and_after_it_is_deleted(stage):
    assert get(stage) is None
    assert logging_configuration(stage.world, "us-east-1") is None
    delivery(stage)
    put(stage, s3Config={"bucketName": "acme"})
    assert get(stage)["s3Config"] == {"bucketName": "acme"}
    stage.bedrock.delete_model_invocation_logging_configuration()
    stage.bedrock.delete_model_invocation_logging_configuration()  # once more changes nothing
    assert get(stage) is None


def test_a_new_configuration_replaces_the_old_one_whole(stage):
    delivery(stage, "logs/")
    put(stage, s3Config={"bucketName": "acme", "keyPrefix": "logs"}, textDataDeliveryEnabled=False)
    assert get(stage)["textDataDeliveryEnabled"] is False
    put(stage, s3Config={"bucketName": "acme", "keyPrefix": "logs/"})
    assert get(stage)["textDataDeliveryEnabled"] is True
    assert logging_configuration(stage.world, "us-east-1") == get(stage)
    assert logging_configuration(stage.world, "us-west-2") is None


def test_bedrock_makes_sure_that_it_can_deliver_and_leaves_its_mark(stage):
    delivery(stage)
    put(stage, s3Config={"bucketName": "acme"})
    mark = f"AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/amazon-bedrock-logs-permission-check"
    assert stage.objects("AWSLogs/") == [mark]


def test_a_bucket_that_bedrock_may_not_write_to_is_refused_and_the_old_configuration_stays(stage):
    delivery(stage)
    put(stage, s3Config={"bucketName": "acme"})
    for config in ({"bucketName": "acme", "keyPrefix": "elsewhere"}, {"bucketName": "no-such-bucket"}):
        with pytest.raises(
            stage.bedrock.exceptions.ValidationException, match="Failed to validate permissions"
        ):
            put(stage, s3Config=config)
    delivery(stage, StringEquals={"aws:SourceAccount": "999999999999"})
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="bucket policy must let"):
        put(stage, s3Config={"bucketName": "acme"})
    assert get(stage)["s3Config"] == {"bucketName": "acme"}


def test_a_log_group_takes_a_role_that_may_write_to_its_stream(stage):
    stage.logs.create_log_group(logGroupName="/bedrock")
    stream = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/bedrock:log-stream:aws/bedrock/modelinvocations"
    writes = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": stream}
    trust = stage.trust(ArnLike={"aws:SourceArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:*"})
    role = stage.role("logger", trust=trust, statements=[writes])
    put(stage, cloudWatchConfig={"logGroupName": "/bedrock", "roleArn": role})
    assert get(stage)["cloudWatchConfig"]["logGroupName"] == "/bedrock"
    half = stage.role("half", trust=trust, statements=[writes | {"Action": "logs:PutLogEvents"}])
    for config in (
        {"logGroupName": "/bedrock", "roleArn": half},
        {"logGroupName": "/bed", "roleArn": role},
        {"logGroupName": "/bedrock", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
    ):
        words = f"Failed to validate permissions for log group: {config['logGroupName']}, with role: {config['roleArn']}"
        with pytest.raises(stage.bedrock.exceptions.ValidationException, match=words):
            put(stage, cloudWatchConfig=config)


# Tags -----------------------------------------------------------------------------------------------------------


def tags(stage, arn):
    found = stage.bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    return {tag["key"]: tag["value"] for tag in found}


def pairs(**values):
    return [{"key": key, "value": value} for key, value in values.items()]


def test_jobs_models_and_deployments_carry_the_tags_they_were_made_with(stage):
    job = stage.ready().create(jobTags=pairs(team="a"), customModelTags=pairs(team="b"))
    model = stage.finish()["outputModelArn"]
    deployment = stage.bedrock.create_custom_model_deployment(
        modelDeploymentName="live", modelArn=model, tags=pairs(team="c")
    )["customModelDeploymentArn"]
    assert [tags(stage, arn)["team"] for arn in (job, model, deployment)] == ["a", "b", "c"]


def test_tags_are_added_replaced_and_removed(stage):
    arn = stage.ready().create(jobTags=pairs(team="a", cost="1"))
    stage.bedrock.tag_resource(resourceARN=arn, tags=pairs(team="b", stage="test"))
    assert tags(stage, arn) == {"team": "b", "cost": "1", "stage": "test"}
    stage.bedrock.untag_resource(resourceARN=arn, tagKeys=["cost", "never-there"])
    assert tags(stage, arn) == {"team": "b", "stage": "test"}


def test_a_resource_that_is_gone_has_no_tags(stage):
    stage.ready()
    arn = stage.model()
    stage.bedrock.delete_custom_model(modelIdentifier=arn)
    with pytest.raises(stage.bedrock.exceptions.ResourceNotFoundException):
        tags(stage, arn)


def test_old_and_new_tags_together_keep_to_the_limit(stage):
    arn = stage.ready().create(jobTags=[{"key": f"k{n}", "value": ""} for n in range(MAX_TAGS)])
    stage.bedrock.tag_resource(resourceARN=arn, tags=pairs(k0="replaced"))
    with pytest.raises(stage.bedrock.exceptions.TooManyTagsException) as caught:
        stage.bedrock.tag_resource(resourceARN=arn, tags=pairs(one="more"))
    assert caught.value.response["resourceName"] == arn
    assert len(tags(stage, arn)) == MAX_TAGS
