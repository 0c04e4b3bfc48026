"""For every operation of `bedrock`: inputs that AWS refuses, and the modelled error they are refused with."""

from __future__ import annotations

import copy
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from bedrock_distill.local.services.bedrock import job_access

_stage = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "local" / "bedrock_stage.py"))
open_stage, ACCOUNT, TEACHER, STUDENT = (
    _stage[name] for name in ("open_stage", "ACCOUNT", "TEACHER", "STUDENT")
)

_serving = runpy.run_path(str(Path(__file__).parent / "serving_refusals.py"))

_batch = runpy.run_path(str(Path(__file__).parent / "batch_refusals.py"))

_evaluation = runpy.run_path(str(Path(__file__).parent / "evaluation_refusals.py"))

INVALID, ABSENT, CONFLICT = "ValidationException", "ResourceNotFoundException", "ConflictException"
NO_MODEL = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:custom-model/{STUDENT}/abcdefghijkl"
NO_JOB = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-customization-job/{STUDENT}/abcdefghijkl"
NO_DEPLOYMENT = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:custom-model-deployment/abcdefghijkl"
REMOVED = _serving["REMOVED"]
"""Stands for a parameter that is left out."""


@dataclass(frozen=True)
class Row:
    """One bad input: what is changed in a request that works, and how it is refused."""

    operation: str
    change: dict[str, Any]
    """Dotted path -> value, or `REMOVED`. A text may name `{model}`, `{job}`, `{deployment}` of the stage."""
    code: str = INVALID
    says: str = ""
    region: str = "us-east-1"

    def __str__(self) -> str:
        shown = ",".join(
            f"{path}={'-' if value is REMOVED else value!r:.40}" for path, value in self.change.items()
        )
        return f"{self.operation}:{shown or self.region}"


def rows(operation, *table):
    return [
        Row(operation, change, *rest[:2], **(rest[2] if len(rest) > 2 else {})) for change, *rest in table
    ]


def teacher(identifier):
    return {"customizationConfig.distillationConfig.teacherModelConfig.teacherModelIdentifier": identifier}


def logs(**config):
    return {
        "trainingDataConfig": {
            "invocationLogsConfig": {"invocationLogSource": {"s3Uri": "s3://acme/logs/"}, **config}
        }
    }


def llama(student, teacher_id="meta.llama3-1-70b-instruct-v1:0", **more):
    return {"baseModelIdentifier": f"meta.{student}-v1:0:128k", **teacher(teacher_id), **more}


def to_log_group(role, large=None):
    config = {"logGroupName": "group", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    return {
        "loggingConfig": {
            "cloudWatchConfig": config | ({} if large is None else {"largeDataDeliveryS3Config": large})
        }
    }


WEST = {"region": "us-west-2"}
NOVA_LEGACY, LLAMA_LEGACY = "us.amazon.nova-premier-v1:0", "meta.llama3-1-405b-instruct-v1:0"
LEGACY = "marked by provider as Legacy"
UNREADABLE = "Could not validate GetObject permissions to access Amazon S3 bucket"
UNWRITABLE = r"Amazon S3 perms missing \(PutObject\)"

CREATE_JOB = rows(
    "CreateModelCustomizationJob",
    # missing
    *[({name: REMOVED}, INVALID, "must not be null") for name in (
        "jobName", "customModelName", "roleArn", "baseModelIdentifier", "trainingDataConfig", "outputDataConfig",
        "outputDataConfig.s3Uri", "customizationConfig.distillationConfig.teacherModelConfig.teacherModelIdentifier",
    )],
    # type
    ({"jobName": 7}, INVALID, "must be a string"),
    ({"outputDataConfig.s3Uri": 7}, INVALID, "must be a string"),
    ({"jobTags": [{"key": 7, "value": True}]}, INVALID, "must be a string"),
    # enum
    ({"customizationType": "DISTILL"}, INVALID, "enum value set"),
    # pattern
    ({"jobName": "under_score"}, INVALID, "regular expression pattern"),
    ({"jobName": "-" * 40}, INVALID, "regular expression pattern"),
    ({"customModelName": "two--hyphens"}, INVALID, "regular expression pattern"),
    ({"roleArn": "distiller"}, INVALID, "regular expression pattern"),
    ({"roleArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/distiller/me"}, INVALID, "regular expression pattern"),
    ({"outputDataConfig.s3Uri": "https://acme/out"}, INVALID, "regular expression pattern"),
    ({"trainingDataConfig.s3Uri": "s3://acme/dt=2026-01-01/p.jsonl"}, INVALID, "regular expression pattern"),
    (teacher(f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc"), INVALID, "pattern"),
    ({"customModelKmsKeyId": "not a key"}, INVALID, "regular expression pattern"),
    # length
    ({"jobName": "j" * 64}, INVALID, "length less than or equal to 63"),
    ({"customModelName": "m" * 64}, INVALID, "length less than or equal to 63"),
    ({"jobTags": [{"key": "k" * 129, "value": ""}]}, INVALID, "length less than or equal to 128"),
    ({"validationDataConfig": {"validators": [{"s3Uri": "s3://acme/in/prompts.jsonl"}] * 11}}, INVALID, "to 10"),
    ({"vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg"] * 6}}, INVALID, "to 5"),
    # the data's place: exactly one, and there
    ({"trainingDataConfig": {}}, INVALID, "exactly one of s3Uri and invocationLogsConfig"),
    ({**logs(), "trainingDataConfig.s3Uri": "s3://acme/in/prompts.jsonl"}, INVALID, "exactly one of s3Uri"),
    (logs(requestMetadataFilters={}), INVALID, "exactly one of"),
    (logs(requestMetadataFilters={"equals": {"a": "1"}, "notEquals": {"b": "1"}}), INVALID, "exactly one of"),
    (logs(requestMetadataFilters={"equals": {"a": "1", "b": "1"}}), INVALID, "equal to 1"),
    (logs(requestMetadataFilters={"andAll": [{"equals": {"a": "1"}}] * 17}), INVALID, "equal to 16"),
    (logs(requestMetadataFilters={"equals": {"a": "one#two"}}), INVALID, "regular expression pattern"),
    ({"trainingDataConfig.s3Uri": "s3://acme/in/absent.jsonl"}, INVALID, f"{UNREADABLE}: acme at key in/absent.jsonl"),
    ({"trainingDataConfig.s3Uri": "s3://no-such-bucket/p.jsonl"}, INVALID, f"{UNREADABLE}: no-such-bucket"),
    ({"trainingDataConfig.s3Uri": "s3://acme-west/in/prompts.jsonl"}, INVALID, "must be in the job's region"),
    ({"validationDataConfig": {"validators": [{"s3Uri": "s3://acme/in/absent.jsonl"}]}}, INVALID, UNREADABLE),
    ({"trainingDataConfig": {"invocationLogsConfig": {"invocationLogSource": {"s3Uri": "s3://no-such-bucket"}}}}, INVALID, UNREADABLE),
    ({"outputDataConfig.s3Uri": "s3://no-such-bucket/out/"}, INVALID, f"{UNWRITABLE}.*no-such-bucket"),
    ({"outputDataConfig.s3Uri": "s3://acme-west/out/"}, INVALID, f"{UNWRITABLE}.*must be in the job's region"),
    # the role
    ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/untrusting"}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/new"}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/powerless"}, INVALID, UNREADABLE),
    ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/reader"}, INVALID, UNWRITABLE),
    ({"roleArn": "arn:aws:iam::999999999999:role/distiller"}, "AccessDeniedException", "Cross-account pass role"),
    ({**teacher(f"us.{TEACHER}")}, INVALID, "not authorized to perform: bedrock:InvokeModel"),
    # models
    ({"baseModelIdentifier": "acme.unknown-v1:0"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": "NovaMicro"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": f"us.{STUDENT}"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": "amazon.nova-micro-v1:0:7k"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": NO_MODEL}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": f"arn:aws:bedrock:us-west-2::foundation-model/{STUDENT}"}, INVALID, "identifier is invalid"),
    ({"baseModelIdentifier": "amazon.nova-micro-v1:0"}, INVALID, f"use {STUDENT}"),
    ({"baseModelIdentifier": "amazon.nova-micro-v1:0:24k"}, INVALID, f"use {STUDENT}"),
    (teacher("acme.unknown-v1:0"), INVALID, "model identifier is invalid"),
    (teacher(f"{TEACHER}:300k"), INVALID, "model identifier is invalid"),
    (teacher(f"eu.{TEACHER}"), INVALID, "model identifier is invalid"),
    (teacher(f"jp.{TEACHER}"), INVALID, "model identifier is invalid"),
    (teacher("meta.llama3-2-3b-instruct-v1:0"), INVALID, "on-demand throughput"),
    # pairs, regions, lifecycles
    (teacher("amazon.nova-lite-v1:0"), INVALID, "not supported as a student"),
    ({"baseModelIdentifier": "amazon.nova-pro-v1:0:300k"}, INVALID, "not supported as a student"),
    (llama("llama3-2-1b-instruct"), INVALID, "is not supported in us-east-1; it is supported in us-west-2"),
    ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/west"}, INVALID, "is not supported in us-west-2", WEST),
    (teacher(NOVA_LEGACY), ABSENT, "end of its life"),
    (teacher(LLAMA_LEGACY), ABSENT, LEGACY),
    (llama("llama3-1-8b-instruct"), ABSENT, LEGACY, WEST),
    (teacher("anthropic.claude-3-5-sonnet-20240620-v1:0"), ABSENT, LEGACY),
    # the customization
    *[({"customizationType": kind, "customizationConfig": REMOVED}, INVALID, f"{kind} is not supported")
      for kind in ("CONTINUED_PRE_TRAINING", "REINFORCEMENT_FINE_TUNING", "IMPORTED")],
    ({"customizationConfig": REMOVED}, INVALID, "distillationConfig is required"),
    ({"customizationConfig": {"rftConfig": {}}}, INVALID, "distillationConfig is required"),
    ({"customizationConfig.rftConfig": {}}, INVALID, "exactly one of"),
    ({"customizationType": "FINE_TUNING"}, INVALID, "does not go with the customization type FINE_TUNING"),
    ({"customizationType": "FINE_TUNING", "customizationConfig": REMOVED, **logs()}, INVALID, "only with .* DISTILLATION"),
    ({"customizationType": "FINE_TUNING", "customizationConfig": REMOVED, "baseModelIdentifier": "amazon.nova-micro-v1:0"}, INVALID, "does not support the customization type FINE_TUNING"),
    *[({"customizationType": "FINE_TUNING", "customizationConfig": REMOVED, "hyperParameters": given}, INVALID, says)
      for given, says in (({"epochs": "1"}, "Unknown hyperparameter"), ({"epochCount": "many"}, "not a number"), ({"epochCount": "50"}, "between 1 and 5"))],
    ({"hyperParameters": {"epochCount": "2"}}, INVALID, "cannot be set for a DISTILLATION job"),
    ({"customizationConfig.distillationConfig.teacherModelConfig.maxResponseLengthForInference": 0}, INVALID, "at least 1"),
    # names, keys, tags
    ({"jobName": "triage"}, CONFLICT, r"The provided job name is currently in use\.$"),
    ({"customModelName": "triage-model"}, CONFLICT, "model name is currently in use"),
    ({"clientRequestToken": "known-token"}, CONFLICT, "other parameters"),
    ({"customModelKmsKeyId": "alias/nothing"}, INVALID, "KMS key alias/nothing is not valid"),
    ({"jobTags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}, INVALID, "given twice"),
    ({"customModelTags": [{"key": "aws:mine", "value": "1"}]}, INVALID, "reserved"),
    ({"jobTags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, "TooManyTagsException", "50 tags"),
    ({"customModelTags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, "TooManyTagsException", "50 tags"),
)  # fmt: skip

PAGED = (
    ({"maxResults": 0}, INVALID, "greater than or equal to 1"),
    ({"maxResults": 1001}, INVALID, "less than or equal to 1000"),
    ({"maxResults": "ten"}, INVALID, ""),
    ({"nextToken": "nonsense"}, INVALID, "nextToken is invalid"),
    ({"nextToken": "with space"}, INVALID, "regular expression pattern"),
    ({"sortBy": "Name"}, INVALID, "enum value set"),
    ({"sortOrder": "Up"}, INVALID, "enum value set"),
    ({"nameContains": ""}, INVALID, "greater than or equal to 1"),
    ({"nameContains": "n" * 64}, INVALID, "less than or equal to 63"),
    ({"nameContains": "no spaces"}, INVALID, "regular expression pattern"),
)

TABLE = [
    *CREATE_JOB,
    *rows(
        "GetModelCustomizationJob",
        ({"jobIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"jobIdentifier": NO_JOB}, ABSENT, "abcdefghijkl"),
        ({"jobIdentifier": NO_MODEL}, INVALID, "regular expression pattern"),
        ({"jobIdentifier": "j" * 1012}, INVALID, "less than or equal to 1011"),
        ({"jobIdentifier": "triage"}, ABSENT, "", WEST),
    ),
    *rows("ListModelCustomizationJobs", *PAGED, ({"statusEquals": "Done"}, INVALID, "enum value set")),
    *rows(
        "StopModelCustomizationJob",
        ({"jobIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"jobIdentifier": NO_JOB}, ABSENT, "abcdefghijkl"),
        ({"jobIdentifier": "no_underscore"}, INVALID, "regular expression pattern"),
        ({"jobIdentifier": "triage"}, CONFLICT, "its status is Completed"),
        ({"jobIdentifier": "{job}"}, CONFLICT, "its status is Completed"),
        ({"jobIdentifier": "triage"}, ABSENT, "", WEST),
    ),
    *rows(
        "GetFoundationModel",
        ({"modelIdentifier": "acme.unknown-v1:0"}, INVALID, "model identifier is invalid"),
        ({"modelIdentifier": "NovaMicro"}, INVALID, "regular expression pattern"),
        ({"modelIdentifier": "a." + "b" * 2048}, INVALID, "less than or equal to 2048"),
        ({"modelIdentifier": "arn:aws:bedrock:us-east-1::foundation-model/acme.unknown-v1:0"}, ABSENT, "unknown"),
        ({"modelIdentifier": f"arn:aws:bedrock:us-west-2::foundation-model/{TEACHER}"}, ABSENT, "us-west-2"),
    ),
    *rows(
        "ListFoundationModels",
        ({"byCustomizationType": "DISTILL"}, INVALID, "enum value set"),
        ({"byInferenceType": "SERVERLESS"}, INVALID, "enum value set"),
        ({"byOutputModality": "AUDIO"}, INVALID, "enum value set"),
        ({"byProvider": "Ama/zon"}, INVALID, "regular expression pattern"),
        ({"byProvider": "a" * 64}, INVALID, "regular expression pattern"),
    ),
    *rows(
        "GetCustomModel",
        ({"modelIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"modelIdentifier": NO_MODEL}, ABSENT, "abcdefghijkl"),
        ({"modelIdentifier": TEACHER}, ABSENT, "nova-pro"),
        ({"modelIdentifier": NO_JOB}, INVALID, "regular expression pattern"),
        ({"modelIdentifier": "m" * 2049}, INVALID, "less than or equal to 2048"),
        ({"modelIdentifier": "triage-model"}, ABSENT, "", WEST),
    ),
    *rows(
        "ListCustomModels",
        *PAGED,
        ({"baseModelArnEquals": TEACHER}, INVALID, "regular expression pattern"),
        ({"foundationModelArnEquals": NO_MODEL}, INVALID, "regular expression pattern"),
        ({"modelStatus": "Ready"}, INVALID, "enum value set"),
        ({"isOwned": "perhaps"}, INVALID, ""),
    ),
    *rows(
        "DeleteCustomModel",
        ({"modelIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"modelIdentifier": NO_MODEL}, ABSENT, "abcdefghijkl"),
        ({"modelIdentifier": "two--hyphens"}, INVALID, "regular expression pattern"),
        ({"modelIdentifier": "{model}"}, CONFLICT, "in use by the custom model deployment live"),
        ({"modelIdentifier": "triage-model"}, ABSENT, "", WEST),
    ),
    *rows(
        "CreateCustomModelDeployment",
        ({"modelDeploymentName": REMOVED}, INVALID, "must not be null"),
        ({"modelArn": REMOVED}, INVALID, "must not be null"),
        ({"modelDeploymentName": ["a"]}, INVALID, "must be a string"),
        ({"modelDeploymentName": "two--hyphens"}, INVALID, "regular expression pattern"),
        ({"modelDeploymentName": "d" * 64}, INVALID, "less than or equal to 63"),
        ({"modelArn": "triage-model"}, INVALID, ""),
        ({"modelArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:imported-model/abcdefghijkl"}, INVALID, "pattern"),
        ({"description": ""}, INVALID, "greater than or equal to 1"),
        ({"description": "d" * 2049}, INVALID, "less than or equal to 2048"),
        ({"modelArn": NO_MODEL}, ABSENT, "abcdefghijkl"),
        ({"modelDeploymentName": "live"}, INVALID, "already in use"),
        ({"modelArn": "{llama}"}, INVALID, "cannot be deployed for on-demand inference in us-west-2", WEST),
        ({}, ABSENT, "custom-model", WEST),
        ({"clientRequestToken": "known-token"}, INVALID, "other parameters"),
        ({"tags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, "TooManyTagsException", "50 tags"),
        ({"tags": [{"key": "aws:mine", "value": ""}]}, INVALID, "reserved"),
    ),
    *rows(
        "GetCustomModelDeployment",
        ({"customModelDeploymentIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"customModelDeploymentIdentifier": NO_DEPLOYMENT}, ABSENT, "abcdefghijkl"),
        ({"customModelDeploymentIdentifier": "two--hyphens"}, INVALID, "regular expression pattern"),
        ({"customModelDeploymentIdentifier": "d" * 94}, INVALID, "less than or equal to 93"),
        ({"customModelDeploymentIdentifier": "live"}, ABSENT, "", WEST),
    ),
    *rows(
        "ListCustomModelDeployments",
        *PAGED,
        ({"statusEquals": "ACTIVE"}, INVALID, "enum value set"),
        ({"modelArnEquals": "triage-model"}, INVALID, ""),
    ),
    *rows(
        "UpdateCustomModelDeployment",
        ({"modelArn": REMOVED}, INVALID, "must not be null"),
        ({"modelArn": NO_MODEL}, ABSENT, "abcdefghijkl"),
        ({"modelArn": "triage-model"}, INVALID, ""),
        ({"customModelDeploymentIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"customModelDeploymentIdentifier": "two--hyphens"}, INVALID, "regular expression pattern"),
        ({"modelArn": "{llama}"}, ABSENT, "custom-model"),
        ({}, ABSENT, "live", WEST),
    ),
    *rows(
        "DeleteCustomModelDeployment",
        ({"customModelDeploymentIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"customModelDeploymentIdentifier": NO_DEPLOYMENT}, ABSENT, "abcdefghijkl"),
        ({"customModelDeploymentIdentifier": "two--hyphens"}, INVALID, "regular expression pattern"),
        ({}, ABSENT, "live", WEST),
    ),
    *rows(
        "PutModelInvocationLoggingConfiguration",
        ({"loggingConfig": REMOVED}, INVALID, "must not be null"),
        ({"loggingConfig": {}}, INVALID, "at least one of cloudWatchConfig and s3Config"),
        ({"loggingConfig.s3Config": {}}, INVALID, "must not be null"),
        ({"loggingConfig.s3Config.bucketName": "ab"}, INVALID, "greater than or equal to 3"),
        ({"loggingConfig.s3Config.keyPrefix": "k" * 1025}, INVALID, "less than or equal to 1024"),
        ({"loggingConfig.textDataDeliveryEnabled": "yes"}, INVALID, "must be a boolean"),
        ({"loggingConfig.s3Config.bucketName": "no-such-bucket"}, INVALID, "Failed to validate permissions"),
        ({"loggingConfig.s3Config.bucketName": "acme-west"}, INVALID, "must be in us-east-1"),
        ({}, INVALID, "bucket policy must let bedrock.amazonaws.com"),
        (
            {"loggingConfig.cloudWatchConfig": {"logGroupName": "none", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/distiller"}},
            INVALID,
            "Failed to validate permissions for log group: none",
        ),
        ({"loggingConfig.cloudWatchConfig": {"logGroupName": "none"}}, INVALID, "must not be null"),
        (to_log_group("nobody"), INVALID, "There is no such role"),
        (to_log_group("untrusting"), INVALID, "its trust policy does not let bedrock"),
        (to_log_group("distiller"), INVALID, "its trust policy does not let bedrock"),
        (to_log_group("mute"), INVALID, "The role needs logs:CreateLogStream"),
        (to_log_group("logger", {"bucketName": "no-such-bucket"}), INVALID, "There is no such bucket"),
        (to_log_group("logger", {"bucketName": "acme"}), INVALID, "bucket policy must let bedrock.amazonaws.com"),
    ),
    *rows(
        "TagResource",
        ({"resourceARN": REMOVED}, INVALID, "must not be null"),
        ({"tags": REMOVED}, INVALID, "must not be null"),
        ({"resourceARN": NO_JOB}, ABSENT, "abcdefghijkl"),
        ({}, ABSENT, "", WEST),
        ({"resourceARN": "arn:aws:s3:::a-bucket-name"}, INVALID, "regular expression pattern"),
        ({"resourceARN": "short"}, INVALID, "greater than or equal to 20"),
        ({"tags": [{"key": "k"}]}, INVALID, "must not be null"),
        ({"tags": [{"key": "k!", "value": ""}]}, INVALID, "regular expression pattern"),
        ({"tags": [{"key": "k", "value": "v" * 257}]}, INVALID, "less than or equal to 256"),
        ({"tags": [{"key": "aws:k", "value": ""}]}, INVALID, "reserved"),
        ({"tags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, "TooManyTagsException", "50 tags"),
        ({"tags": [{"key": f"k{n}", "value": ""} for n in range(201)]}, INVALID, "less than or equal to 200"),
    ),
    *rows(
        "UntagResource",
        ({"resourceARN": NO_MODEL}, ABSENT, "abcdefghijkl"),
        ({"tagKeys": REMOVED}, INVALID, "must not be null"),
        ({"tagKeys": [7]}, INVALID, "must be a string"),
        ({"tagKeys": [""]}, INVALID, "greater than or equal to 1"),
        ({"resourceARN": "{job}"}, ABSENT, "", WEST),
    ),
    *rows(
        "ListTagsForResource",
        ({"resourceARN": REMOVED}, INVALID, "must not be null"),
        ({"resourceARN": NO_DEPLOYMENT}, ABSENT, "abcdefghijkl"),
        ({"resourceARN": "{job}"}, ABSENT, "", WEST),
    ),
    *[row for operation, table in _serving["tables"](PAGED).items() for row in rows(operation, *table)],
    *[row for operation, table in _batch["tables"](PAGED, REMOVED).items() for row in rows(operation, *table)],
    *[row for operation, table in _evaluation["tables"](PAGED, REMOVED).items() for row in rows(operation, *table)],
]  # fmt: skip

REFUSES_NOTHING = {"GetModelInvocationLoggingConfiguration", "DeleteModelInvocationLoggingConfiguration"}
"""Operations without a parameter."""

MODELS_NO_INVALID = {"CreateModelCopyJob"}
"""Operations whose model has no error for a bad input: they answer the ValidationException of all the others."""


@pytest.fixture(scope="module")
def stage():
    """A cloud with one of everything: jobs, models, a deployment, and roles of every quality."""
    # So that a role that is new stays new until the table comes to it, however slow the machine is.
    with pytest.MonkeyPatch.context() as patch, open_stage() as stage:
        patch.setattr(job_access, "PROPAGATION_S", 3600.0)
        stage.ready()
        stage.cloud.bucket("acme-west", region="us-west-2")
        stage.put("in/prompts.jsonl", stage.read("in/prompts.jsonl"), bucket="acme-west")
        stage.create(clientRequestToken="known-token")
        stage.names = {"job": stage.job()["jobArn"], "model": stage.finish()["outputModelArn"]}
        stage.names["deployment"] = stage.bedrock.create_custom_model_deployment(
            modelDeploymentName="live", modelArn=stage.names["model"], clientRequestToken="known-token"
        )["customModelDeploymentArn"]
        _serving["prepare"](stage)
        _batch["prepare"](stage)
        _evaluation["prepare"](stage)
        _make_roles(stage)
        stage.cloud.boto3_session().client("logs").create_log_group(logGroupName="group")
        unchecked = Config(parameter_validation=False)
        doors = {"process": None, "http": stage.cloud.serve().url}
        stage.clients = {
            (door, region): stage.cloud.boto3_session(region).client(
                "bedrock", config=unchecked, endpoint_url=url
            )
            for door, url in doors.items()
            for region in ("us-east-1", "us-west-2", "ap-south-1")
        }
        stage.names["llama"] = _llama(stage)
        yield stage


def _make_roles(stage):
    reading = [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]
    stage.role("untrusting", trust={"Statement": []} | {"Version": "2012-10-17"})
    stage.role("new", old=False)
    stage.role("powerless", statements=[])
    stage.role("reader", statements=reading)
    anyone_here = stage.trust(StringEquals={"aws:SourceAccount": ACCOUNT})
    stage.role("mute", trust=anyone_here, statements=[])
    stage.role(
        "logger", trust=anyone_here, statements=[{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]
    )
    stage.region = "us-west-2"
    writing = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
    stage.role("west", statements=writing)
    stage.region = "us-east-1"


def _llama(stage):
    """A custom model whose base cannot be deployed on demand; beside it, a job with too few prompts."""
    answer = stage.world.teachers[TEACHER]
    stage.world.teachers = {**stage.world.teachers, "meta.llama3-1-70b-instruct-v1:0": answer}
    request = stage.request(
        "llama",
        baseModelIdentifier="meta.llama3-2-1b-instruct-v1:0:128k",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/west",
        trainingDataConfig={"s3Uri": "s3://acme-west/in/prompts.jsonl"},
        outputDataConfig={"s3Uri": "s3://acme-west/out/"},
        customizationConfig={
            "distillationConfig": {
                "teacherModelConfig": {"teacherModelIdentifier": "meta.llama3-1-70b-instruct-v1:0"}
            }
        },
    )
    west = stage.clients["process", "us-west-2"]
    west.create_model_customization_job(**request)
    few = stage.prompts(99, key="in/few.jsonl")
    stage.put("in/few.jsonl", stage.read(few.removeprefix("s3://acme/")), bucket="acme-west")
    names = {"jobName": "few", "customModelName": "few"}
    west.create_model_customization_job(
        **{**request, **names, "trainingDataConfig": {"s3Uri": "s3://acme-west/in/few.jsonl"}}
    )
    assert stage.cloud.clock.settle(20)
    return west.get_model_customization_job(jobIdentifier="llama")["outputModelArn"]


def working(stage, operation):
    """Parameters that the operation takes."""
    names = stage.names
    deployment = {"customModelDeploymentIdentifier": "live"}
    tagged = {"resourceARN": names["job"]}
    return copy.deepcopy(
        {
            "CreateModelCustomizationJob": stage.request("another"),
            "GetModelCustomizationJob": {"jobIdentifier": "triage"},
            "StopModelCustomizationJob": {"jobIdentifier": "triage"},
            "GetFoundationModel": {"modelIdentifier": TEACHER},
            "GetCustomModel": {"modelIdentifier": "triage-model"},
            "DeleteCustomModel": {"modelIdentifier": "triage-model"},
            "CreateCustomModelDeployment": {"modelDeploymentName": "second", "modelArn": names["model"]},
            "GetCustomModelDeployment": deployment,
            "UpdateCustomModelDeployment": {**deployment, "modelArn": names["model"]},
            "DeleteCustomModelDeployment": deployment,
            "PutModelInvocationLoggingConfiguration": {"loggingConfig": {"s3Config": {"bucketName": "acme"}}},
            "TagResource": {**tagged, "tags": [{"key": "k", "value": "v"}]},
            "UntagResource": {**tagged, "tagKeys": ["k"]},
            "ListTagsForResource": tagged,
            **_serving["working"](stage),
            **_batch["working"](stage),
            **_evaluation["working"](stage),
        }.get(operation, {})
    )


def changed(params, change, names):
    """The parameters with one row's changes."""
    for path, value in change.items():
        *parents, last = path.split(".")
        inner = params
        for parent in parents:
            inner = inner[parent]
        if value is REMOVED:
            del inner[last]
        else:
            inner[last] = (
                names[value[1:-1]]
                if isinstance(value, str) and value.startswith("{")
                else copy.deepcopy(value)
            )
    return params


@pytest.mark.parametrize("door", ["process", "http"])
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_bad_input_is_refused_with_the_modelled_error(stage, row, door):
    client = stage.clients[door, row.region]
    params = changed(working(stage, row.operation), row.change, stage.names)
    with pytest.raises(ClientError, match=row.says or None) as caught:
        getattr(client, xform_name(row.operation))(**params)
    answer = caught.value.response
    assert answer["Error"]["Code"] == row.code
    modelled = {
        shape.name: shape for shape in client.meta.service_model.operation_model(row.operation).error_shapes
    }
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    if row.code == INVALID and row.operation in MODELS_NO_INVALID:
        assert (status, row.code in modelled) == (400, False)
        return
    assert row.code in modelled, f"{row.operation} does not model {row.code}"
    assert status == modelled[row.code].metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize("door", ["process", "http"])
def test_ninety_nine_prompts_are_taken_and_fail_in_aws_s_words(stage, door):
    job = stage.clients[door, "us-west-2"].get_model_customization_job(jobIdentifier="few")
    assert job["status"] == "Failed"
    assert "Input data must have at minimum 100 valid prompts" in job["failureMessage"]
    assert "outputModelArn" not in job


def test_every_operation_has_its_rows(stage):
    from bedrock_distill.local.services.bedrock import Bedrock

    served = {
        name
        for name in stage.bedrock.meta.service_model.operation_names
        if hasattr(Bedrock(stage.world), xform_name(name))
    }
    assert served == {row.operation for row in TABLE} | REFUSES_NOTHING


def test_refusals_changed_nothing(stage):
    """Runs after the table: what was there is there, and no more."""
    jobs = stage.bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]
    assert [job["jobName"] for job in jobs] == ["triage"]
    assert len(stage.bedrock.list_custom_models()["modelSummaries"]) == 1
    assert len(stage.bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]) == 1
    assert len(stage.bedrock.list_model_import_jobs()["modelImportJobSummaries"]) == 1
    assert len(stage.bedrock.list_imported_models()["modelSummaries"]) == 1
    assert len(stage.bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]) == 2
    assert len(stage.clients["process", "us-west-2"].list_model_copy_jobs()["modelCopyJobSummaries"]) == 1
    assert len(stage.bedrock.list_model_invocation_jobs()["invocationJobSummaries"]) == 1
    assert "loggingConfig" not in stage.bedrock.get_model_invocation_logging_configuration()
    assert stage.bedrock.list_tags_for_resource(resourceARN=stage.names["job"])["tags"] == []


def test_an_operation_that_the_local_cloud_lacks_is_refused_by_its_name(stage):
    with pytest.raises(ClientError, match="bedrock:ListGuardrails") as caught:
        stage.bedrock.list_guardrails()
    assert caught.value.response["Error"]["Code"] == "NotImplementedException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
