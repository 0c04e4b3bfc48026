"""A cloud whose trainer writes an empty model at once: these tests are about calls, not about learning."""

from __future__ import annotations

import json

import pytest

import bedrock_distill as bd
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.records import Record, encode_record

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"


@pytest.fixture
def cloud(tmp_path, trainer):
    with Cloud(
        teachers={TEACHER: lambda record: f"Answer to {record.prompt_text}"},
        services=lambda world: {"bedrock": Bedrock(world, trainer=trainer)},
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"".join(encode_record(Record.of(f"Question {i}?")) + b"\n" for i in range(120)))
    return path


@pytest.fixture
def spec(prompts):
    return bd.Distillation(
        name="triage",
        teacher=TEACHER,
        student=STUDENT,
        data=bd.Prompts(prompts),
        output="s3://acme-ml/distill/",
    )


class Room:
    """The account that the tests look into, by boto3 and not by what is tested."""

    def __init__(self, cloud):
        boto3 = cloud.boto3_session()
        self.bedrock, self.s3, self.iam, self.logs = map(boto3.client, ("bedrock", "s3", "iam", "logs"))
        self.kms = boto3.client("kms")

    def make(self, name):
        self.s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced")

    def configuration(self):
        return self.bedrock.get_model_invocation_logging_configuration().get("loggingConfig")

    def policy(self, bucket="acme-logs"):
        try:
            return json.loads(self.s3.get_bucket_policy(Bucket=bucket)["Policy"])
        except self.s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
                return None
            raise

    def put_policy(self, *statements, bucket="acme-logs", **more):
        document = {"Version": "2012-10-17", "Statement": list(statements), **more}
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        return document

    def to_log_group(self, name="/audit"):
        """Logging to a log group, as an audit team would have set it up long ago."""
        self.logs.create_log_group(logGroupName=name)
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        may = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
        trust, may = ({"Version": "2012-10-17", "Statement": [each]} for each in (trust, may))
        role = self.iam.create_role(RoleName="audit", AssumeRolePolicyDocument=json.dumps(trust))
        self.iam.put_role_policy(RoleName="audit", PolicyName="logs", PolicyDocument=json.dumps(may))
        group = {"logGroupName": name, "roleArn": role["Role"]["Arn"]}
        self.bedrock.put_model_invocation_logging_configuration(
            loggingConfig={"cloudWatchConfig": group, "imageDataDeliveryEnabled": True}
        )
        return group


@pytest.fixture
def room(cloud):
    room = Room(cloud)
    room.make("acme-logs")
    return room
