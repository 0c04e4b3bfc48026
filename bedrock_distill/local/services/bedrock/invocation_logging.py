"""Put, Get and DeleteModelInvocationLoggingConfiguration: one configuration a region, checked when it is set."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.policies import Request, decide
from bedrock_distill.local.services.bedrock.roles import BEDROCK, bucket_policy, read_role
from bedrock_distill.local.services.bedrock.state import Tables
from bedrock_distill.uris import S3Uri, partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["InvocationLogging", "log_root"]

_STREAM = "aws/bedrock/modelinvocations"
_PERMISSION_CHECK = "amazon-bedrock-logs-permission-check"
_DELIVERED = ("textDataDeliveryEnabled", "imageDataDeliveryEnabled", "embeddingDataDeliveryEnabled")
"""Kinds of data that are delivered unless the configuration says otherwise."""


def log_root(config: Mapping[str, Any], account_id: str) -> S3Uri:
    """The prefix that Bedrock delivers logs under, for an `s3Config`."""
    return (
        S3Uri(config["bucketName"], (config.get("keyPrefix") or "").strip("/"))
        / f"AWSLogs/{account_id}/BedrockModelInvocationLogs"
    )


class InvocationLogging:
    """The region's model invocation logging."""

    def __init__(self, world: World) -> None:
        self._world = world

    def put_model_invocation_logging_configuration(self, call: Call) -> dict[str, Any]:
        """Replace the configuration, once Bedrock has made sure that it can deliver."""
        config = copy.deepcopy(dict(call.params["loggingConfig"]))
        logs, bucket = config.get("cloudWatchConfig"), config.get("s3Config")
        if logs is None and bucket is None:
            raise AwsError(
                "ValidationException",
                "loggingConfig must have at least one of cloudWatchConfig and s3Config.",
            )
        if logs is not None:
            self._log_group(call, logs)
        for target in (bucket, (logs or {}).get("largeDataDeliveryS3Config")):
            if target is not None:
                self._bucket(call, target)
        for name in _DELIVERED:
            config.setdefault(name, True)
        with self._world.lock:
            Tables(self._world, call.region).logging.put("configuration", config)
        return {}

    def get_model_invocation_logging_configuration(self, call: Call) -> dict[str, Any]:
        """The configuration, or nothing where logging is off."""
        config = Tables(self._world, call.region).logging.get("configuration")
        return {} if config is None else {"loggingConfig": config}

    def delete_model_invocation_logging_configuration(self, call: Call) -> dict[str, Any]:
        """Turn logging off."""
        Tables(self._world, call.region).logging.delete("configuration")
        return {}

    def _bucket(self, call: Call, config: Mapping[str, Any]) -> None:
        """The bucket is there, in this region, its policy lets Bedrock write, and it takes the test object."""
        root = log_root(config, call.account_id)
        s3 = self._world.client("s3", call.region)
        words = f"Failed to validate permissions for S3 bucket: {root.bucket}, with prefix: {config.get('keyPrefix', '')}."
        try:
            region = s3.get_bucket_location(Bucket=root.bucket).get("LocationConstraint") or "us-east-1"
        except ClientError as error:
            raise _refused(words, "There is no such bucket.") from error
        if region != call.region:
            raise _refused(words, f"The bucket is in {region}, and must be in {call.region}.")
        policy = bucket_policy(self._world, call.region, root.bucket)
        target = root / _PERMISSION_CHECK
        asked = Request(
            "s3:PutObject",
            f"arn:{partition_of(call.region)}:s3:::{target.bucket}/{target.key}",
            service=BEDROCK,
            context=_delivery(call),
        )
        if policy is None or decide([policy], asked) != "allow":
            raise _refused(words, f"The bucket policy must let {BEDROCK} put objects under {root}/.")
        s3.put_object(Bucket=target.bucket, Key=target.key, Body=b"")

    def _log_group(self, call: Call, config: Mapping[str, Any]) -> None:
        """The log group is there, and Bedrock may assume a role that writes to it."""
        group, role_arn = config["logGroupName"], config["roleArn"]
        words = (
            f"Failed to validate permissions for log group: {group}, with role: {role_arn}. "
            "Verify the IAM role permissions are correct."
        )
        found = self._world.client("logs", call.region).describe_log_groups(logGroupNamePrefix=group)[
            "logGroups"
        ]
        if not any(each["logGroupName"] == group for each in found):
            raise _refused(words, "There is no such log group.")
        role = read_role(self._world, call.region, role_arn)
        context = _delivery(call)
        if role is None or not role.trusts_bedrock(
            account_id=context["aws:sourceaccount"], source_arn=context["aws:sourcearn"]
        ):
            raise _refused(
                words, f"There is no such role, or its trust policy does not let {BEDROCK} assume it."
            )
        partition = partition_of(call.region)
        stream = (
            f"arn:{partition}:logs:{call.region}:{call.account_id}:log-group:{group}:log-stream:{_STREAM}"
        )
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not role.may(action, stream):
                raise _refused(words, f"The role needs {action} on {stream}.")


def _delivery(call: Call) -> dict[str, str]:
    """The condition keys that Bedrock's log delivery carries."""
    source = (
        f"arn:{partition_of(call.region)}:bedrock:{call.region}:{call.account_id}:model-invocation-logging"
    )
    return {"aws:sourceaccount": call.account_id, "aws:sourcearn": source}


def _refused(words: str, hint: str) -> AwsError:
    return AwsError("ValidationException", f"{words} {hint}")
