"""The IAM documents a harvest on EMR Serverless needs, and no more. Pure: values in, documents out.

Source: Amazon EMR Serverless user guide, getting-started (job runtime role) and logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.uris import S3Uri

__all__ = ["LOG_GROUP", "harvest_policy", "harvest_trust"]

Document = dict[str, Any]

LOG_GROUP = "/aws/emr-serverless"
"""Where EMR Serverless sends a driver's output unless it is told otherwise."""


def harvest_trust(*, account_id: str) -> Document:
    """Who may assume the role: EMR Serverless, on behalf of this account."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "emr-serverless.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            }
        ],
    }


def harvest_policy(
    *,
    partition: str,
    region: str,
    account_id: str,
    logs: S3Uri,
    output: S3Uri,
    environment: S3Uri | None,
    kms_key_arns: Sequence[str] = (),
    cloudwatch: bool = False,
) -> Document:
    """What the role may do.

    Args:
        partition: The region's partition.
        region: For the log group's ARN.
        account_id: For the log group's ARN.
        logs: The invocation logs: read and list under this prefix.
        output: The output: read, write, delete and list under this prefix. Staged script and document lie there, too.
        environment: The one archive of the Python environment, to read.
        kms_key_arns: Keys of encrypted buckets, to decrypt and to make data keys.
        cloudwatch: Whether output goes to CloudWatch Logs.
    """
    s3 = f"arn:{partition}:s3:::"
    readable = [f"{s3}{logs.bucket}/{logs.key}*"]
    if environment is not None:
        readable.append(f"{s3}{environment.bucket}/{environment.key}")
    statements: list[Document] = [
        _allow("ReadLogs", ["s3:GetObject"], readable),
        _listing("ListLogs", s3, logs),
        _allow(
            "WriteOutput",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            [f"{s3}{output.bucket}/{output.key}*"],
        ),
        _listing("ListOutput", s3, output),
    ]
    if kms_key_arns:
        statements.append(_allow("UseKeys", ["kms:Decrypt", "kms:GenerateDataKey"], list(kms_key_arns)))
    if cloudwatch:
        groups = f"arn:{partition}:logs:{region}:{account_id}:log-group:"
        statements += [
            _allow("FindLogGroups", ["logs:DescribeLogGroups"], [f"{groups}*"]),
            _allow(
                "WriteLogGroup",
                [
                    "logs:CreateLogGroup",
                    "logs:CreateLogStream",
                    "logs:DescribeLogStreams",
                    "logs:PutLogEvents",
                ],
                [f"{groups}{LOG_GROUP}", f"{groups}{LOG_GROUP}:*"],
            ),
        ]
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: list[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _listing(sid: str, s3: str, prefix: S3Uri) -> Document:
    # IfExists: S3 tells "not there" from "not allowed" only to those who may list, and asks that without a prefix. What is not
    # there matters: a part that is not done, a body that was never delivered.
    statement = _allow(sid, ["s3:ListBucket"], [f"{s3}{prefix.bucket}"])
    return statement | {"Condition": {"StringLikeIfExists": {"s3:prefix": [f"{prefix.key}*"]}}}
