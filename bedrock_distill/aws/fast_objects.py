"""Reading many objects: with obstore where it is installed and may be used, else with boto3.

boto3 spends over a millisecond of processor time on each object, and threads do not help; obstore spends a sixth. It opens
its own connections, so it is used only where the session is ours: a boto3 session that a caller hands in may carry hooks
and settings that it would not know of.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws.retry import RetryPolicy, retrying
from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.aws.clients import Clients

__all__ = ["object_reader"]


def object_reader(clients: Clients, bucket: str, *, fast: bool | None = None) -> Callable[[str], bytes]:
    """A thread-safe function from a key to the object's bytes.

    Args:
        clients: The gate to AWS.
        bucket: The bucket.
        fast: Whether to use obstore. Default: where it is installed and the session is ours.

    Returns:
        A function that raises a ServiceError where S3 refuses.
    """
    if fast is None:
        fast = clients.portable is not None and importlib.util.find_spec("obstore") is not None
    if fast:
        return _with_obstore(clients, bucket)

    def read(key: str) -> bytes:
        answer = clients.call("s3", "get_object", subject=f"s3://{bucket}/{key}", Bucket=bucket, Key=key)
        body: bytes = answer["Body"].read()
        return body

    return read


def _with_obstore(clients: Clients, bucket: str) -> Callable[[str], bytes]:
    import obstore  # noqa: PLC0415 - optional
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415
    from obstore.store import S3Store  # noqa: PLC0415

    endpoint = clients.endpoint_url
    settings: dict[str, Any] = {"region": clients.region}
    if endpoint:
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    store = S3Store(
        bucket,
        config=settings,
        client_options={"allow_http": bool(endpoint and endpoint.startswith("http:"))},
        credential_provider=Boto3CredentialProvider(clients.boto_session),
    )

    def read(key: str) -> bytes:
        def attempt() -> bytes:
            try:
                return bytes(obstore.get(store, key).bytes())
            except FileNotFoundError as error:
                raise NotFoundError(
                    f"s3 GetObject on s3://{bucket}/{key}: there is no such object.",
                    service="s3", operation="GetObject", code="NoSuchKey", status=404,
                ) from error  # fmt: skip
            except (
                obstore.exceptions.PermissionDeniedError,
                obstore.exceptions.UnauthenticatedError,
            ) as error:
                raise AccessDeniedError(
                    f"s3 GetObject on s3://{bucket}/{key}: access denied. These credentials need s3:GetObject.",
                    service="s3", operation="GetObject", code="AccessDenied", status=403,
                ) from error  # fmt: skip
            except (obstore.exceptions.BaseError, OSError) as error:
                raise ServiceError(
                    f"s3 GetObject on s3://{bucket}/{key}: {error}",
                    service="s3", operation="GetObject", code=type(error).__name__, retryable=True,
                ) from error  # fmt: skip

        return retrying(attempt, policy=RetryPolicy(), clock=clients.clock)

    return read
