"""The IAM documents of a container's role, and no more. Pure: values in, documents out.

Source: SageMaker developer guide, sagemaker-roles (CreateModel API: execution role permissions) and async inference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.uris import S3Uri

__all__ = ["endpoint_policy", "endpoint_trust"]

Document = dict[str, Any]


def endpoint_trust(*, account_id: str) -> Document:
    """Who may assume the role: SageMaker, for this account."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            }
        ],
    }


def endpoint_policy(
    *,
    partition: str,
    region: str,
    account_id: str,
    model: S3Uri,
    image: str,
    kms_key_arns: Sequence[str] = (),
    answers: Sequence[S3Uri] = (),
    topics: Sequence[str] = (),
    vpc: bool = False,
) -> Document:
    """What the role may do: read the model, pull the image, write logs and metrics.

    Args:
        partition: The region's partition.
        region: Where the endpoint is.
        account_id: Whose it is.
        model: The prefix that holds the model.
        image: URI of the image in ECR.
        kms_key_arns: Keys of encrypted objects.
        answers: Folders of an asynchronous endpoint: requests are read there and answers written.
        topics: SNS topics that are told of answers.
        vpc: Whether network interfaces are made in a VPC.
    """
    statements: list[Document] = [
        _allow("ReadModel", ["s3:GetObject"], [f"{_bucket(partition, model)}/{model.as_prefix.key}*"]),
        {
            **_allow("ListModel", ["s3:ListBucket"], [_bucket(partition, model)]),
            "Condition": {"StringLike": {"s3:prefix": [f"{model.as_prefix.key}*"]}},
        },
        # It is asked for no repository in particular.
        _allow("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
        _allow("PullImage", _PULL, [_repository(partition, image)]),
        _allow(
            "WriteLogs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [f"arn:{partition}:logs:{region}:{account_id}:log-group:/aws/sagemaker/*"],
        ),
        # CloudWatch has no resources; the namespace is what can be told apart.
        {
            **_allow("WriteMetrics", ["cloudwatch:PutMetricData"], ["*"]),
            "Condition": {"StringLike": {"cloudwatch:namespace": ["AWS/SageMaker*", "/aws/sagemaker*"]}},
        },
    ]
    if kms_key_arns:
        actions = ["kms:Decrypt", "kms:GenerateDataKey"] if answers else ["kms:Decrypt"]
        statements.append(_allow("UseKeys", actions, list(kms_key_arns)))
    if answers:
        folders = [f"{_bucket(partition, uri)}/{uri.as_prefix.key}*" for uri in answers]
        statements.append(_allow("ReadAndWriteAnswers", ["s3:GetObject", "s3:PutObject"], folders))
        buckets = sorted({_bucket(partition, uri) for uri in answers})
        statements.append(_allow("ListAnswers", ["s3:ListBucket"], buckets))
    if topics:
        statements.append(_allow("Tell", ["sns:Publish"], list(topics)))
    if vpc:
        statements.append(_allow("UseNetwork", _NETWORK, ["*"]))
    return {"Version": "2012-10-17", "Statement": statements}


_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
_NETWORK = [
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    *(
        f"ec2:Describe{what}"
        for what in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
    ),
]
"""The interfaces are SageMaker's to name, so that nothing narrower can be said beforehand."""


def _allow(sid: str, actions: list[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _bucket(partition: str, uri: S3Uri) -> str:
    return f"arn:{partition}:s3:::{uri.bucket}"


def _repository(partition: str, image: str) -> str:
    """ARN of an image's repository; any, where the image is in no registry of ECR's form."""
    host, _, rest = image.partition("/")
    parts = host.split(".")
    if len(parts) < 4 or parts[1:3] != ["dkr", "ecr"]:
        return f"arn:{partition}:ecr:*:*:repository/*"
    name = rest.partition("@")[0].rpartition(":")[0] or rest.partition("@")[0]
    return f"arn:{partition}:ecr:{parts[3]}:{parts[0]}:repository/{name}"
