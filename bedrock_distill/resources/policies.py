"""The IAM documents that Bedrock's jobs need, and no more. Pure: values in, documents out.

Source: Amazon Bedrock user guide, custom-model-job-access-security, encryption-custom-job, model-import-iam-role and
vpc-custom-model-import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bedrock_distill.uris import S3Uri

__all__ = ["import_policy", "job_policy", "job_trust", "profile_resources"]

Document = dict[str, Any]


def job_trust(
    *, partition: str, region: str, account_id: str, job: str = "model-customization-job"
) -> Document:
    """Who may assume the role: Bedrock, for this account's jobs of one kind in this region."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "bedrock.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": account_id},
                    "ArnEquals": {"aws:SourceArn": f"arn:{partition}:bedrock:{region}:{account_id}:{job}/*"},
                },
            }
        ],
    }


def job_policy(
    *,
    partition: str,
    training: S3Uri,
    output: S3Uri,
    what: str = "Prompts",
    profile: Sequence[str] = (),
    kms_key_arns: Sequence[str] = (),
    vpc: Mapping[str, Sequence[str]] | None = None,
    region: str = "",
    account_id: str = "",
    job: str = "model-customization-job",
) -> Document:
    """What the role may do.

    Args:
        partition: The region's partition.
        training: The staged prompts: read and list their folder, nothing else. The folder and not the one object, so
            that the same role serves the next version of the data; results, which the role reads too, lie beside it.
        output: Where results go: read, write and list under this prefix.
        what: `Prompts` or `Logs`: what is read. Of logs, `training` is the prefix they lie under.
        profile: ARNs to invoke where the teacher is called through an inference profile.
        kms_key_arns: Keys of encrypted buckets, to decrypt and to make data keys.
        vpc: `subnet_ids` and `security_group_ids` where the job runs in a VPC.
        region: For the VPC's ARNs.
        account_id: For the VPC's ARNs.
        job: Resource type of the job, for the VPC's network interfaces.
    """
    bucket = f"arn:{partition}:s3:::"
    folder = training.key.rpartition("/")[0]
    listed = [f"{folder}/*" if folder else "*"]
    if what == "Logs" and folder:
        listed.insert(0, folder)  # nothing says whether the service lists a prefix with its slash or without
    statements: list[Document] = [
        {
            "Sid": f"Read{what}",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": [
                f"{bucket}{training.bucket}/{folder}/*" if folder else f"{bucket}{training.bucket}/*"
            ],
        },
        {
            "Sid": f"List{what}",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [f"{bucket}{training.bucket}"],
            "Condition": {"StringLike": {"s3:prefix": listed}},
        },
        {
            "Sid": "WriteResults",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": [f"{bucket}{output.bucket}/{output.as_prefix.key}*"],
        },
        {
            "Sid": "ListResults",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [f"{bucket}{output.bucket}"],
            "Condition": {"StringLike": {"s3:prefix": [f"{output.as_prefix.key}*"]}},
        },
    ]
    if profile:
        statements.append(
            {
                "Sid": "CrossRegionInference",
                "Effect": "Allow",
                "Action": ["bedrock:InvokeModel"],
                "Resource": list(profile),
            }
        )
    if kms_key_arns:
        statements.append(
            {
                "Sid": "UseKeys",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": list(kms_key_arns),
            }
        )
    if vpc:
        statements += _vpc_statements(vpc, partition, region, account_id, job)
    return {"Version": "2012-10-17", "Statement": statements}


def import_policy(
    *,
    partition: str,
    model: S3Uri,
    kms_key_arns: Sequence[str] = (),
    vpc: Mapping[str, Sequence[str]] | None = None,
    region: str = "",
    account_id: str = "",
) -> Document:
    """What the role of a model import job may do: read and list the model's prefix, and nothing else.

    Args:
        partition: The region's partition.
        model: The prefix that holds the model.
        kms_key_arns: Keys of encrypted objects, to decrypt.
        vpc: `subnet_ids` and `security_group_ids` where the job runs in a VPC.
        region: For the VPC's ARNs.
        account_id: For the VPC's ARNs.
    """
    bucket, prefix = f"arn:{partition}:s3:::{model.bucket}", model.as_prefix.key
    statements: list[Document] = [
        {
            "Sid": "ReadModel",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": [f"{bucket}/{prefix}*"],
        },
        {
            "Sid": "ListModel",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [bucket],
            # Nothing says whether the service lists a prefix with its slash or without.
            "Condition": {"StringLike": {"s3:prefix": [prefix.rstrip("/"), f"{prefix}*"]}},
        },
    ]
    if kms_key_arns:
        statements.append(
            {"Sid": "UseKeys", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": list(kms_key_arns)}
        )
    if vpc:
        statements += _vpc_statements(vpc, partition, region, account_id, "model-import-job")
    return {"Version": "2012-10-17", "Statement": statements}


def profile_resources(
    *, partition: str, region: str, account_id: str, profile: str, model: str
) -> tuple[str, ...]:
    """The ARNs that a call through a system inference profile touches: the profile, and the model wherever it routes."""
    return (
        f"arn:{partition}:bedrock:{region}:{account_id}:inference-profile/{profile}",
        f"arn:{partition}:bedrock:*::foundation-model/{model}",
    )


_TAGS: Mapping[str, str] = {
    "model-customization-job": "BedrockModelCustomizationJobArn",
    "model-import-job": "BedrockModelImportJobArn",
    "model-invocation-job": "BedrockModelInvocationJobArn",
}
"""A job's resource type -> the tag with which it marks the network interfaces that it makes. The last is not verified."""


def _vpc_statements(
    vpc: Mapping[str, Sequence[str]], partition: str, region: str, account_id: str, resource: str
) -> list[Document]:
    tag = _TAGS[resource]
    ec2 = f"arn:{partition}:ec2:{region}:{account_id}:"
    job = f"arn:{partition}:bedrock:{region}:{account_id}:{resource}/*"
    interfaces = [f"{ec2}network-interface/*"]
    subnets = [f"{ec2}subnet/{subnet}" for subnet in vpc["subnet_ids"]]
    groups = [f"{ec2}security-group/{group}" for group in vpc["security_group_ids"]]
    return [
        {
            "Sid": "DescribeNetwork",
            "Effect": "Allow",
            "Resource": ["*"],
            "Action": [
                f"ec2:Describe{what}"
                for what in ("NetworkInterfaces", "Vpcs", "DhcpOptions", "Subnets", "SecurityGroups")
            ],
        },
        {
            "Sid": "MakeInterface",
            "Effect": "Allow",
            "Action": ["ec2:CreateNetworkInterface"],
            "Resource": interfaces,
            "Condition": {
                "StringEquals": {"aws:RequestTag/BedrockManaged": ["true"]},
                "ArnEquals": {f"aws:RequestTag/{tag}": [job]},
            },
        },
        {
            "Sid": "PlaceInterface",
            "Effect": "Allow",
            "Action": ["ec2:CreateNetworkInterface"],
            "Resource": subnets + groups,
        },
        {
            "Sid": "UseInterface",
            "Effect": "Allow",
            "Resource": ["*"],
            "Action": [
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ],
            "Condition": {
                "ArnEquals": {
                    "ec2:Subnet": subnets,
                    f"ec2:ResourceTag/{tag}": [job],
                },
                "StringEquals": {"ec2:ResourceTag/BedrockManaged": "true"},
            },
        },
        {
            "Sid": "TagInterface",
            "Effect": "Allow",
            "Action": ["ec2:CreateTags"],
            "Resource": interfaces,
            "Condition": {
                "StringEquals": {"ec2:CreateAction": ["CreateNetworkInterface"]},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["BedrockManaged", tag]},
            },
        },
    ]
