"""The log of an endpoint's containers in CloudWatch Logs: /aws/sagemaker/Endpoints/<name>."""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from bedrock_distill.uris import Arn, partition_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.local.services.sagemaker.hosting import Order
    from bedrock_distill.local.world import World

__all__ = ["group_arn", "group_of", "write"]


def group_of(endpoint: str) -> str:
    """The log group of an endpoint."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


def group_arn(endpoint: str, region: str, account_id: str) -> str:
    """Its ARN."""
    return str(Arn(partition_of(region), "logs", region, account_id, f"log-group:{group_of(endpoint)}"))


def write(world: World, order: Order, lines: Sequence[str]) -> None:
    """Add lines to the log stream of a variant's instance; none makes no stream."""
    if not lines:
        return
    logs = world.client("logs", order.region)
    group = group_of(order.endpoint)
    digest = hashlib.sha256(f"{order.endpoint}/{order.variant}".encode()).hexdigest()[:17]
    stream = f"{order.variant}/i-{digest}"
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    with contextlib.suppress(ClientError):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    at = int(
        time.time() * 1000
    )  # the machine's time: events of a clock that ran ahead would be refused as too new
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": at, "message": line} for line in lines],
    )
