"""What holders of certain keys may do: services' own workers act as a role, and are held to its policies.

The local cloud asks nobody else for permission: whoever has found it may do everything in it. But a job that runs on AWS
under a role fails there for what the role may not do, and that is worth finding out here.
"""

from __future__ import annotations

import re
import threading
from html import unescape
from typing import TYPE_CHECKING, Protocol

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.uris import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bedrock_distill.local.gateway.targets import Target
    from bedrock_distill.local.gateway.wire import WireRequest

__all__ = ["Grants", "Judge"]

_OBJECT_ACTIONS = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
}
"""S3's operations on one object -> the action that IAM is asked about."""

_BUCKET_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "ListObjects": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "GetBucketLocation": "s3:GetBucketLocation",
}

_FREE = frozenset({"sts:GetCallerIdentity"})
"""What IAM allows everybody."""

_KEY = re.compile(rb"<Key>([^<]*)</Key>")


class Judge(Protocol):
    """Says whether a role may do something."""

    def __call__(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether the action on the resource's ARN is allowed under these condition keys (in lower case)."""
        ...


class Grants:
    """Access keys that act as a role. Thread-safe."""

    def __init__(self) -> None:
        self._judges: dict[str, tuple[str, Judge]] = {}
        self._lock = threading.Lock()

    def give(self, access_key: str, role_arn: str, judge: Judge) -> Callable[[], None]:
        """From now on, requests signed with this key are the role's; returns what ends that."""
        with self._lock:
            self._judges[access_key] = (role_arn, judge)
        return lambda: self._take(access_key)

    def check(self, request: WireRequest, target: Target) -> None:
        """Let a request pass, unless its key acts as a role that may not do this.

        Raises:
            AwsError: AccessDenied.
        """
        signature = request.signature
        with self._lock:
            found = self._judges.get(signature.access_key) if signature else None
        if found is None:
            return
        role_arn, judge = found
        for action, resource, context in _asked(request, target):
            if action not in _FREE and not judge(action, resource, context):
                raise AwsError(
                    "AccessDenied" if target.service == "s3" else "AccessDeniedException",
                    f"User: {role_arn} is not authorized to perform: {action} on resource: {resource}",
                    status=403,
                )

    def _take(self, access_key: str) -> None:
        with self._lock:
            self._judges.pop(access_key, None)


def _asked(request: WireRequest, target: Target) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every action, resource and context that a request needs."""
    operation, params = target.operation, target.params
    if target.service != "s3":
        yield f"{target.service}:{operation}", "*", {}
        return
    bucket = f"arn:{partition_of(target.region)}:s3:::{params.get('Bucket', '')}"
    if operation in _OBJECT_ACTIONS:
        yield _OBJECT_ACTIONS[operation], f"{bucket}/{params.get('Key', '')}", {}
    elif operation == "DeleteObjects":
        for key in _KEY.findall(request.body):
            yield "s3:DeleteObject", f"{bucket}/{unescape(key.decode())}", {}
    elif operation.startswith("ListObjects"):
        prefix = params.get("Prefix")
        yield _BUCKET_ACTIONS[operation], bucket, {} if prefix is None else {"s3:prefix": str(prefix)}
    else:
        yield _BUCKET_ACTIONS.get(operation, f"s3:{operation}"), bucket, {}
