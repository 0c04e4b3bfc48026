"""The loop closes: what is said to a model in the cloud is logged, and a job learns from the logs."""

from __future__ import annotations

import gzip
import json

import pytest

from bedrock_distill.aws import RetryPolicy
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime

TEACHER = "amazon.nova-pro-v1:0"


@pytest.fixture
def cloud(tmp_path, trainer):
    with Cloud(
        teachers={TEACHER: lambda record: f"Answer to {record.prompt_text}"},
        services=lambda world: {
            "bedrock": Bedrock(world, trainer=trainer),
            "bedrock-runtime": BedrockRuntime(world),
        },
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("acme-logs")
        yield cloud


def _switch_on(cloud):
    session = cloud.boto3_session()
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::acme-logs/traffic/AWSLogs/123456789012/BedrockModelInvocationLogs/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    session.client("s3").put_bucket_policy(Bucket="acme-logs", Policy=json.dumps(policy))
    session.client("bedrock").put_model_invocation_logging_configuration(
        loggingConfig={
            "s3Config": {"bucketName": "acme-logs", "keyPrefix": "traffic"},
            "textDataDeliveryEnabled": True,
        }
    )
    return session


def test_traffic_becomes_log_objects_in_aws_layout_once_flushed(cloud):
    session = _switch_on(cloud)
    target = cloud.session().model(TEACHER)
    target.chat("Hello", metadata={"project": "triage"})
    cloud.flush()
    s3 = session.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="acme-logs", Prefix="traffic/")["Contents"]]
    logs = [key for key in keys if key.endswith(".json.gz")]
    assert len(logs) == 1
    assert logs[0].startswith("traffic/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/")
    body = s3.get_object(Bucket="acme-logs", Key=logs[0])["Body"].read()
    (entry,) = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    assert entry["modelId"] == TEACHER
    assert entry["requestMetadata"] == {"project": "triage"}


def test_a_job_learns_from_the_logs_of_the_teachers_own_answers(cloud):
    session = _switch_on(cloud)
    target = cloud.session().model(TEACHER)
    for number in range(110):
        target.chat(f"Question {number}?", metadata={"project": "triage" if number < 105 else "other"})
    iam, bedrock = session.client("iam"), session.client("bedrock")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    actions = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
    may = [
        {
            "Effect": "Allow",
            "Action": actions,
            "Resource": ["arn:aws:s3:::acme-logs", "arn:aws:s3:::acme-logs/*"],
        }
    ]
    role = iam.create_role(RoleName="Logs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="Logs",
        PolicyName="data",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may}),
    )
    # A role made just now is refused for some seconds, as on AWS.
    clients = cloud.session().clients
    spread = RetryPolicy(attempts=12, also=lambda error: "assume" in error.message)
    job = clients.call(
        "bedrock",
        "create_model_customization_job",
        retry=spread,
        jobName="from-logs",
        customModelName="from-logs",
        roleArn=role,
        baseModelIdentifier="amazon.nova-micro-v1:0:128k",
        customizationType="DISTILLATION",
        outputDataConfig={"s3Uri": "s3://acme-logs/out/"},
        customizationConfig={
            "distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": TEACHER}}
        },
        trainingDataConfig={
            "invocationLogsConfig": {
                "usePromptResponse": True,
                "invocationLogSource": {"s3Uri": "s3://acme-logs/traffic"},
                "requestMetadataFilters": {"equals": {"project": "triage"}},
            }
        },
    )["jobArn"]
    cloud.clock.settle()
    state = bedrock.get_model_customization_job(jobIdentifier=job)
    assert state["status"] == "Completed", state.get("failureMessage")
