"""Rows for the table of refusals: invocation logging and tags. Loaded by path."""

from __future__ import annotations

import runpy
from pathlib import Path

_rows = runpy.run_path(str(Path(__file__).parent / "refusal_rows.py"))
INVALID, ABSENT, CONFLICT, DENIED, TOO_MANY = _rows["CODES"]
ACCOUNT, PATTERN, REMOVED, WEST, MANY_TAGS, NO_CUSTOM, NO_JOB, arn, role = (
    _rows[name]
    for name in ("ACCOUNT", "PATTERN", "REMOVED", "WEST", "MANY_TAGS", "NO_CUSTOM", "NO_JOB", "arn", "role")
)  # fmt: skip


def to_log_group(writer, large=None):
    config = {"logGroupName": "group", "roleArn": role(writer)}
    return {
        "loggingConfig": {
            "cloudWatchConfig": config | ({} if large is None else {"largeDataDeliveryS3Config": large})
        }
    }


TABLES = {
    "PutModelInvocationLoggingConfiguration": (
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
            {"loggingConfig.cloudWatchConfig": {"logGroupName": "none", "roleArn": role("distiller")}},
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
    "TagResource": (
        ({"resourceARN": REMOVED}, INVALID, "must not be null"),
        ({"tags": REMOVED}, INVALID, "must not be null"),
        ({"resourceARN": NO_JOB}, ABSENT, "abcdefghijkl"),
        ({}, ABSENT, "", WEST),
        ({"resourceARN": "arn:aws:s3:::a-bucket-name"}, INVALID, PATTERN),
        ({"resourceARN": "short"}, INVALID, "greater than or equal to 20"),
        ({"tags": [{"key": "k"}]}, INVALID, "must not be null"),
        ({"tags": [{"key": "k!", "value": ""}]}, INVALID, PATTERN),
        ({"tags": [{"key": "k", "value": "v" * 257}]}, INVALID, "less than or equal to 256"),
        ({"tags": [{"key": "aws:k", "value": ""}]}, INVALID, "reserved"),
        ({"tags": MANY_TAGS}, TOO_MANY, "50 tags"),
        ({"tags": [{"key": f"k{n}", "value": ""} for n in range(201)]}, INVALID, "less than or equal to 200"),
    ),
    "UntagResource": (
        ({"resourceARN": NO_CUSTOM}, ABSENT, "abcdefghijkl"),
        ({"tagKeys": REMOVED}, INVALID, "must not be null"),
        ({"tagKeys": [7]}, INVALID, "must be a string"),
        ({"tagKeys": [""]}, INVALID, "greater than or equal to 1"),
        ({"resourceARN": "{job}"}, ABSENT, "", WEST),
    ),
    "ListTagsForResource": (
        ({"resourceARN": REMOVED}, INVALID, "must not be null"),
        ({"resourceARN": arn("custom-model-deployment")}, ABSENT, "abcdefghijkl"),
        ({"resourceARN": "{job}"}, ABSENT, "", WEST),
    ),
}  # fmt: skip


def working(stage):
    """Parameters that each operation takes."""
    tagged = {"resourceARN": stage.names["job"]}
    return {
        "PutModelInvocationLoggingConfiguration": {"loggingConfig": {"s3Config": {"bucketName": "acme"}}},
        "TagResource": {**tagged, "tags": [{"key": "k", "value": "v"}]},
        "UntagResource": {**tagged, "tagKeys": ["k"]},
        "ListTagsForResource": tagged,
    }


def prepare(stage):
    """A log group, a role that may write to it, and one that may not."""
    anyone_here = stage.trust(StringEquals={"aws:SourceAccount": ACCOUNT})
    writing = [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]
    stage.role("mute", trust=anyone_here, statements=[])
    stage.role("logger", trust=anyone_here, statements=writing)
    stage.cloud.boto3_session().client("logs").create_log_group(logGroupName="group")
