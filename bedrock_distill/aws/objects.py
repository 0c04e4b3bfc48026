"""What is asked of S3: whether a bucket and an object are there, and putting a file where it is missing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from bedrock_distill.aws.faults import translate
from bedrock_distill.aws.retry import RetryPolicy, retrying
from bedrock_distill.errors import AccessDeniedError, ConflictError, DataError, NotFoundError, ServiceError
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bedrock_distill.aws.clients import Clients

__all__ = ["BucketState", "ObjectStore", "Tally", "with_digest"]

_DIGEST = "sha256"
"""Name of the metadata entry that holds a staged file's digest: S3's own multipart checksums depend on the parts."""

_KEY = "kms-key"
"""Name of the metadata entry that holds the key that was asked for, as it was written: S3 answers with another form."""

_PART_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BucketState:
    """What could be learnt of a bucket."""

    name: str
    exists: bool
    region: str | None = None
    """Where it lies, or None where S3 did not say."""
    forbidden: bool = False
    """It exists, and these credentials may not look at it."""


class ObjectStore:
    """S3 through the gate."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def bucket(self, name: str) -> BucketState:
        """Whether a bucket is there and where it lies."""
        try:
            answer = self._clients.call("s3", "head_bucket", subject=name, Bucket=name)
        except NotFoundError:
            return BucketState(name, exists=False)
        except AccessDeniedError:
            return BucketState(name, exists=True, forbidden=True)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return BucketState(
            name, exists=True, region=answer.get("BucketRegion") or headers.get("x-amz-bucket-region")
        )

    def holds(self, uri: S3Uri, *, sha256: str, size_bytes: int, kms_key_id: str | None = None) -> bool:
        """Whether the object was put there by `put_file` with this content and this key.

        Where S3 will not say, the answer is no: it hides missing objects behind 403 from those who may not list the
        bucket, and putting the same content again does no harm.
        """
        try:
            head = self._clients.call("s3", "head_object", subject=str(uri), Bucket=uri.bucket, Key=uri.key)
        except (NotFoundError, AccessDeniedError):
            return False
        noted = head.get("Metadata", {})
        return (
            head.get("ContentLength") == size_bytes
            and noted.get(_DIGEST) == sha256
            and noted.get(_KEY) == kms_key_id
        )

    def put_file(
        self,
        path: Path,
        uri: S3Uri,
        *,
        sha256: str,
        kms_key_id: str | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """Upload a file in parts, with its digest beside it.

        Args:
            path: The file.
            uri: Where it goes.
            sha256: The file's digest, kept as metadata so that `holds` can compare.
            kms_key_id: Encrypt with this KMS key. Default: as the bucket is set.
            on_bytes: Called with the count of bytes just sent, by one thread at a time; with a negative count where
                sent bytes were lost and are sent again.

        Raises:
            ServiceError: If S3 refuses it; no part of the object is left behind.
            DataError: If the file cannot be read.
        """
        extra = {"ContentType": "application/jsonl", **with_digest(sha256, kms_key_id)}
        # The classic client honours endpoint_url; the CRT one, which boto3 may choose by itself, does not.
        config = TransferConfig(preferred_transfer_client="classic", multipart_chunksize=_PART_BYTES)

        tally = Tally(on_bytes)

        def attempt() -> None:
            tally.restart()
            try:
                self._clients.client("s3").upload_file(
                    str(path), uri.bucket, uri.key, ExtraArgs=extra, Callback=tally.add, Config=config
                )
            except Boto3Error as error:
                cause = error.__cause__ or error.__context__ or error
                raise self._translated(cause, uri) from error
            except (BotoCoreError, ClientError, HTTPClientError) as error:
                raise self._translated(error, uri) from error
            except OSError as error:
                raise DataError(f"Could not read {str(path)!r}: {error.strerror or error}.") from error

        retrying(attempt, policy=RetryPolicy(), clock=self._clients.clock)

    def put_bytes(self, body: bytes, uri: S3Uri, *, sha256: str, kms_key_id: str | None = None) -> None:
        """Put a small object, with its digest beside it as `put_file` does.

        Args:
            body: Its content.
            uri: Where it goes.
            sha256: The content's digest.
            kms_key_id: Encrypt with this KMS key. Default: as the bucket is set.

        Raises:
            ServiceError: If S3 refuses it.
        """
        extra = with_digest(sha256, kms_key_id)
        self._clients.call(
            "s3", "put_object", subject=str(uri), Bucket=uri.bucket, Key=uri.key, Body=body, **extra
        )

    def put_new(self, body: bytes, uri: S3Uri, *, kms_key_id: str | None = None) -> None:
        """Put a small object where there is none yet, so that of several writers one alone succeeds.

        Args:
            body: Its content.
            uri: Where it goes.
            kms_key_id: Encrypt with this KMS key. Default: as the bucket is set.

        Raises:
            ConflictError: If there is an object already, with another content than this one.
            ServiceError: If S3 refuses it.
        """
        request: dict[str, Any] = {"Bucket": uri.bucket, "Key": uri.key, "Body": body, "IfNoneMatch": "*"}
        if kms_key_id:
            request |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}
        try:
            self._clients.call("s3", "put_object", subject=str(uri), **request)
        except ConflictError:
            # A put whose answer was lost is sent again, and then finds its own object.
            if self.read(uri) != body:
                raise

    def _translated(self, error: BaseException, uri: S3Uri) -> Exception:
        if isinstance(error, Exception) and not isinstance(error, Boto3Error):
            return translate(error, service="s3", operation="PutObject", subject=str(uri))
        return ServiceError(
            f"s3 PutObject on {uri}: {error}", service="s3", operation="PutObject", code="Upload"
        )

    def delete(self, uri: S3Uri) -> None:
        """Delete an object; nothing happens where there is none."""
        self._clients.call("s3", "delete_object", subject=str(uri), Bucket=uri.bucket, Key=uri.key)

    def read(self, uri: S3Uri) -> bytes:
        """An object's bytes, for small objects."""
        answer = self._clients.read(
            "s3", "get_object", "Body", subject=str(uri), Bucket=uri.bucket, Key=uri.key
        )
        body: bytes = answer["Body"]
        return body

    def list(self, prefix: S3Uri) -> Iterator[tuple[S3Uri, int]]:
        """Every object under a prefix, with its size in bytes."""
        for item in self._clients.pages(
            "s3",
            "list_objects_v2",
            "Contents",
            subject=str(prefix),
            Bucket=prefix.bucket,
            Prefix=prefix.key,
        ):
            yield S3Uri(prefix.bucket, item["Key"]), int(item["Size"])


def with_digest(digest: str, kms_key_id: str | None) -> dict[str, Any]:
    """Members of a request that puts an object: the digest that `holds` compares, and the key to encrypt with."""
    if not kms_key_id:
        return {"Metadata": {_DIGEST: digest}}
    return {
        "Metadata": {_DIGEST: digest, _KEY: kms_key_id},
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": kms_key_id,
    }


class Tally:
    """Counts bytes that were sent and passes the counts on, one thread at a time; takes back those of an upload that begins again."""

    def __init__(self, tell: Callable[[int], None] | None) -> None:
        self._tell = tell
        self._sent = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """Count bytes."""
        with self._lock:
            self._sent += size
            if self._tell is not None and size:
                self._tell(size)

    def restart(self) -> None:
        """Take back all that was counted."""
        self.add(-self._sent)
