"""Rows for the table of refusals: customization jobs. Loaded by path."""

from __future__ import annotations

import runpy
from pathlib import Path

_rows = runpy.run_path(str(Path(__file__).parent / "refusal_rows.py"))
INVALID, ABSENT, CONFLICT, DENIED, TOO_MANY = _rows["CODES"]
ACCOUNT, TEACHER, MICRO, PATTERN, UNREADABLE, REMOVED, WEST, MANY_TAGS, NO_CUSTOM, NO_JOB, PAGED, role = (
    _rows[name]
    for name in (
        "ACCOUNT", "TEACHER", "MICRO", "PATTERN", "UNREADABLE", "REMOVED", "WEST", "MANY_TAGS",
        "NO_CUSTOM", "NO_JOB", "PAGED", "role",
    )
)  # fmt: skip


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


NOVA_LEGACY, LLAMA_LEGACY = "us.amazon.nova-premier-v1:0", "meta.llama3-1-405b-instruct-v1:0"
LEGACY = "marked by provider as Legacy"
UNWRITABLE = r"Amazon S3 perms missing \(PutObject\)"

CREATE_JOB = (
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
    ({"jobName": "under_score"}, INVALID, PATTERN),
    ({"jobName": "-" * 40}, INVALID, PATTERN),
    ({"customModelName": "two--hyphens"}, INVALID, PATTERN),
    ({"roleArn": "distiller"}, INVALID, PATTERN),
    ({"roleArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/distiller/me"}, INVALID, PATTERN),
    ({"outputDataConfig.s3Uri": "https://acme/out"}, INVALID, PATTERN),
    ({"trainingDataConfig.s3Uri": "s3://acme/dt=2026-01-01/p.jsonl"}, INVALID, PATTERN),
    (teacher(f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc"), INVALID, "pattern"),
    ({"customModelKmsKeyId": "not a key"}, INVALID, PATTERN),
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
    (logs(requestMetadataFilters={"equals": {"a": "one#two"}}), INVALID, PATTERN),
    ({"trainingDataConfig.s3Uri": "s3://acme/in/absent.jsonl"}, INVALID, f"{UNREADABLE}: acme at key in/absent.jsonl"),
    ({"trainingDataConfig.s3Uri": "s3://no-such-bucket/p.jsonl"}, INVALID, f"{UNREADABLE}: no-such-bucket"),
    ({"trainingDataConfig.s3Uri": "s3://acme-west/in/prompts.jsonl"}, INVALID, "must be in the job's region"),
    ({"validationDataConfig": {"validators": [{"s3Uri": "s3://acme/in/absent.jsonl"}]}}, INVALID, UNREADABLE),
    ({"trainingDataConfig": {"invocationLogsConfig": {"invocationLogSource": {"s3Uri": "s3://no-such-bucket"}}}}, INVALID, UNREADABLE),
    ({"outputDataConfig.s3Uri": "s3://no-such-bucket/out/"}, INVALID, f"{UNWRITABLE}.*no-such-bucket"),
    ({"outputDataConfig.s3Uri": "s3://acme-west/out/"}, INVALID, f"{UNWRITABLE}.*must be in the job's region"),
    # the role
    ({"roleArn": role("nobody")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("untrusting")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("new")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("powerless")}, INVALID, UNREADABLE),
    ({"roleArn": role("reader")}, INVALID, UNWRITABLE),
    ({"roleArn": "arn:aws:iam::999999999999:role/distiller"}, DENIED, "Cross-account pass role"),
    ({**teacher(f"us.{TEACHER}")}, INVALID, "not authorized to perform: bedrock:InvokeModel"),
    # models
    ({"baseModelIdentifier": "acme.unknown-v1:0"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": "NovaMicro"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": f"us.{MICRO}"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": "amazon.nova-micro-v1:0:7k"}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": NO_CUSTOM}, INVALID, "model identifier is invalid"),
    ({"baseModelIdentifier": f"arn:aws:bedrock:us-west-2::foundation-model/{MICRO}"}, INVALID, "identifier is invalid"),
    ({"baseModelIdentifier": "amazon.nova-micro-v1:0"}, INVALID, f"use {MICRO}"),
    ({"baseModelIdentifier": "amazon.nova-micro-v1:0:24k"}, INVALID, f"use {MICRO}"),
    (teacher("acme.unknown-v1:0"), INVALID, "model identifier is invalid"),
    (teacher(f"{TEACHER}:300k"), INVALID, "model identifier is invalid"),
    (teacher(f"eu.{TEACHER}"), INVALID, "model identifier is invalid"),
    (teacher(f"jp.{TEACHER}"), INVALID, "model identifier is invalid"),
    (teacher("meta.llama3-2-3b-instruct-v1:0"), INVALID, "on-demand throughput"),
    # pairs, regions, lifecycles
    (teacher("amazon.nova-lite-v1:0"), INVALID, "not supported as a student"),
    ({"baseModelIdentifier": "amazon.nova-pro-v1:0:300k"}, INVALID, "not supported as a student"),
    (llama("llama3-2-1b-instruct"), INVALID, "is not supported in us-east-1; it is supported in us-west-2"),
    ({"roleArn": role("west")}, INVALID, "is not supported in us-west-2", WEST),
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
    ({"jobTags": MANY_TAGS}, TOO_MANY, "50 tags"),
    ({"customModelTags": MANY_TAGS}, TOO_MANY, "50 tags"),
)  # fmt: skip

TABLES = {
    "CreateModelCustomizationJob": CREATE_JOB,
    "GetModelCustomizationJob": (
        ({"jobIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"jobIdentifier": NO_JOB}, ABSENT, "abcdefghijkl"),
        ({"jobIdentifier": NO_CUSTOM}, INVALID, PATTERN),
        ({"jobIdentifier": "j" * 1012}, INVALID, "less than or equal to 1011"),
        ({"jobIdentifier": "triage"}, ABSENT, "", WEST),
    ),
    "ListModelCustomizationJobs": (*PAGED, ({"statusEquals": "Done"}, INVALID, "enum value set")),
    "StopModelCustomizationJob": (
        ({"jobIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"jobIdentifier": NO_JOB}, ABSENT, "abcdefghijkl"),
        ({"jobIdentifier": "no_underscore"}, INVALID, PATTERN),
        ({"jobIdentifier": "triage"}, CONFLICT, "its status is Completed"),
        ({"jobIdentifier": "{job}"}, CONFLICT, "its status is Completed"),
        ({"jobIdentifier": "triage"}, ABSENT, "", WEST),
    ),
}


def working(stage):
    """Parameters that each operation takes."""
    job = {"jobIdentifier": "triage"}
    return {
        "CreateModelCustomizationJob": stage.request("another"),
        "GetModelCustomizationJob": job,
        "StopModelCustomizationJob": job,
    }


def prepare(stage):
    """A job and its model, a second bucket, and roles that lack one thing each."""
    stage.ready()
    stage.cloud.bucket("acme-west", region="us-west-2")
    stage.put("in/prompts.jsonl", stage.read("in/prompts.jsonl"), bucket="acme-west")
    stage.create(clientRequestToken="known-token")
    stage.names = {"job": stage.job()["jobArn"], "model": stage.finish()["outputModelArn"]}
    _make_roles(stage)
    stage.names["llama"] = _llama(stage)


def _make_roles(stage):
    reading = [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]
    stage.role("untrusting", trust={"Version": "2012-10-17", "Statement": []})
    stage.role("new", old=False)
    stage.role("powerless", statements=[])
    stage.role("reader", statements=reading)
    stage.region = "us-west-2"
    stage.role("west", statements=[{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    stage.region = "us-east-1"


def _llama(stage):
    """A custom model whose base cannot be deployed on demand; beside it, a job with too few prompts."""
    answer = stage.world.teachers[TEACHER]
    stage.world.teachers = {**stage.world.teachers, "meta.llama3-1-70b-instruct-v1:0": answer}
    request = stage.request(
        "llama",
        baseModelIdentifier="meta.llama3-2-1b-instruct-v1:0:128k",
        roleArn=role("west"),
        trainingDataConfig={"s3Uri": "s3://acme-west/in/prompts.jsonl"},
        outputDataConfig={"s3Uri": "s3://acme-west/out/"},
        customizationConfig={
            "distillationConfig": {
                "teacherModelConfig": {"teacherModelIdentifier": "meta.llama3-1-70b-instruct-v1:0"}
            }
        },
    )
    west = stage.cloud.boto3_session("us-west-2").client("bedrock")
    west.create_model_customization_job(**request)
    few = stage.prompts(99, key="in/few.jsonl")
    stage.put("in/few.jsonl", stage.read(few.removeprefix("s3://acme/")), bucket="acme-west")
    names = {"jobName": "few", "customModelName": "few"}
    west.create_model_customization_job(
        **{**request, **names, "trainingDataConfig": {"s3Uri": "s3://acme-west/in/few.jsonl"}}
    )
    assert stage.cloud.clock.settle(20)
    return west.get_model_customization_job(jobIdentifier="llama")["outputModelArn"]
