"""Rows for the table of refusals: batch inference jobs. Loaded by path."""

from __future__ import annotations

import runpy
from pathlib import Path

_rows = runpy.run_path(str(Path(__file__).parent / "refusal_rows.py"))
INVALID, ABSENT, CONFLICT, DENIED, TOO_MANY = _rows["CODES"]
TEACHER, PATTERN, UNREADABLE, REMOVED, WEST, MANY_TAGS, NO_CUSTOM, PAGED, arn, role = (
    _rows[name]
    for name in (
        "TEACHER", "PATTERN", "UNREADABLE", "REMOVED", "WEST", "MANY_TAGS", "NO_CUSTOM", "PAGED", "arn",
        "role",
    )
)  # fmt: skip
INPUT, OUTPUT = "inputDataConfig.s3InputDataConfig", "outputDataConfig.s3OutputDataConfig"

REQUIRED = (
    "jobName",
    "roleArn",
    "modelId",
    "inputDataConfig",
    "outputDataConfig",
    f"{INPUT}.s3Uri",
    f"{OUTPUT}.s3Uri",
)
CREATE = (
    *[({name: REMOVED}, INVALID, "must not be null") for name in REQUIRED],
    # type, enum, pattern, length, range, union
    ({"jobName": 7}, INVALID, "must be a string"),
    ({"modelInvocationType": "Invoke"}, INVALID, "enum value set"),
    ({f"{INPUT}.s3InputFormat": "CSV"}, INVALID, "enum value set"),
    ({"jobName": "under_score"}, INVALID, PATTERN),
    ({"jobName": "j" * 64}, INVALID, "less than or equal to 63"),
    ({"roleArn": "batcher"}, INVALID, PATTERN),
    ({"timeoutDurationInHours": 23}, INVALID, "greater than or equal to 24"),
    ({"timeoutDurationInHours": 169}, INVALID, "less than or equal to 168"),
    ({"inputDataConfig": {}}, INVALID, "exactly one of"),
    ({"outputDataConfig": {}}, INVALID, "exactly one of"),
    ({f"{INPUT}.s3Uri": "s3://acme/dt=2026-01-01/b.jsonl"}, INVALID, PATTERN),
    ({"vpcConfig": {"subnetIds": [], "securityGroupIds": ["sg"]}}, INVALID, "greater than or equal to 1"),
    # models: what the pattern does not take, and what it takes and nobody has
    *[({"modelId": arn(kind)}, INVALID, PATTERN) for kind in ("imported-model", "custom-model-deployment", "provisioned-model")],
    ({"modelId": "acme.unknown-v1:0"}, INVALID, "model identifier is invalid"),
    ({"modelId": "NovaMicro"}, INVALID, "model identifier is invalid"),
    ({"modelId": NO_CUSTOM}, INVALID, "model identifier is invalid"),
    ({"modelId": f"eu.{TEACHER}"}, INVALID, "model identifier is invalid"),
    ({"modelId": f"arn:aws:bedrock:us-west-2::foundation-model/{TEACHER}"}, INVALID, "model identifier is invalid"),
    ({"modelId": f"{TEACHER}:300k"}, ABSENT, "Context variants"),
    ({"modelId": "us.amazon.nova-premier-v1:0"}, ABSENT, "end of its life"),
    ({"modelId": "us.meta.llama3-3-70b-instruct-v1:0"}, ABSENT, "marked by provider as Legacy"),
    # places
    ({f"{INPUT}.s3Uri": "s3://acme/in/absent.jsonl"}, INVALID, f"{UNREADABLE}: acme at key in/absent.jsonl"),
    ({f"{INPUT}.s3Uri": "s3://no-such-bucket/in/"}, INVALID, f"{UNREADABLE}: no-such-bucket"),
    ({f"{INPUT}.s3Uri": "s3://acme-west/in/prompts.jsonl"}, INVALID, "must be in the job's region"),
    ({f"{OUTPUT}.s3Uri": "s3://no-such-bucket/"}, INVALID, r"Amazon S3 perms missing \(PutObject\)"),
    # the role
    ({"roleArn": role("nobody")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("distiller")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("mute")}, INVALID, UNREADABLE),
    ({"roleArn": "arn:aws:iam::999999999999:role/batcher"}, DENIED, "Cross-account pass role"),
    ({"modelId": f"us.{TEACHER}"}, INVALID, "not authorized to perform: bedrock:InvokeModel"),
    # names, keys, tags, tokens
    ({"jobName": "many"}, CONFLICT, "job name is currently in use"),
    ({"clientRequestToken": "known-token"}, CONFLICT, "other parameters"),
    ({f"{OUTPUT}.s3EncryptionKeyId": "alias/nothing"}, INVALID, "KMS key alias/nothing is not valid"),
    ({"tags": [{"key": "aws:mine", "value": "1"}]}, INVALID, "reserved"),
    ({"tags": MANY_TAGS}, INVALID, "50 tags"),
)  # fmt: skip

NAMED = (
    ({"jobIdentifier": "abcdefghijkl"}, ABSENT, "abcdefghijkl"),
    ({"jobIdentifier": arn("model-invocation-job")}, ABSENT, "abcdefghijkl"),
    ({"jobIdentifier": "many"}, INVALID, PATTERN),
    ({"jobIdentifier": arn("model-import-job")}, INVALID, PATTERN),
    ({}, ABSENT, "model-invocation-job", WEST),
)
TABLES = {
    "CreateModelInvocationJob": CREATE,
    "GetModelInvocationJob": NAMED,
    "ListModelInvocationJobs": (*PAGED, ({"statusEquals": "Done"}, INVALID, "enum value set")),
    "StopModelInvocationJob": (*NAMED, ({}, CONFLICT, "its status is Completed")),
}


def working(stage):
    """Parameters that each operation takes."""
    job = {"jobIdentifier": stage.names["batch"]}
    return {
        "CreateModelInvocationJob": stage.batch_request("another"),
        "GetModelInvocationJob": job,
        "StopModelInvocationJob": job,
    }


def prepare(stage):
    """A job that has completed."""
    stage.batcher()
    stage.batch_input()
    job = stage.batch(clientRequestToken="known-token")
    assert job["status"] == "Completed", job
    stage.names["batch"] = job["jobArn"]
