"""A model's directory on S3, looked at by ranged reads: the bytes that are asked for, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.aws.retry import ONCE, RetryPolicy, retrying
from bedrock_distill.aws.streams import read_body
from bedrock_distill.errors import DataError
from bedrock_distill.models.files import MOST_FILES, too_many_files
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.aws.clients import Clients

__all__ = ["S3Folder"]


class S3Folder:
    """The objects under a prefix.

    Args:
        clients: The gate to AWS.
        uri: The prefix, with or without a slash at its end.

    Raises:
        SpecError: If it is not an S3 URI.
    """

    def __init__(self, clients: Clients, uri: S3Uri | str) -> None:
        self._clients = clients
        self._prefix = S3Uri.parse(uri).as_prefix

    @property
    def where(self) -> str:
        """The prefix, with its slash."""
        return str(self._prefix)

    def sizes(self) -> dict[str, int]:
        """Bytes of every object, by its key behind the prefix.

        Raises:
            DataError: If there is none, or too many for one model.
            ServiceError: If S3 refuses.
        """
        found: dict[str, int] = {}
        bucket, prefix = self._prefix.bucket, self._prefix.key
        for item in self._clients.pages(
            "s3", "list_objects_v2", "Contents", subject=self.where, Bucket=bucket, Prefix=prefix
        ):
            name = str(item["Key"]).removeprefix(prefix)
            if not name.endswith("/") and name:  # consoles make empty objects to stand for folders
                found[name] = int(item["Size"])
            if len(found) > MOST_FILES:
                raise too_many_files(self.where)
        if not found:
            raise DataError(
                f"There is no object under {self.where}. Name the prefix that holds config.json and *.safetensors."
            )
        return found

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """An object's bytes.

        Raises:
            ServiceError: If S3 refuses.
        """
        if length == 0:
            return b""
        uri = self._prefix / name
        asked: dict[str, Any] = {} if length is None and not start else {"Range": _range(start, length)}
        where = str(uri)

        def attempt() -> bytes:
            answer = self._clients.call(
                "s3", "get_object", retry=ONCE, subject=where, Bucket=uri.bucket, Key=uri.key, **asked
            )
            # A connection may be cut after the answer has begun, so the body belongs to the try.
            body: bytes = read_body(answer, "Body", service="s3", operation="GetObject", subject=where)[
                "Body"
            ]
            return body

        return retrying(attempt, policy=RetryPolicy(), clock=self._clients.clock)


def _range(start: int, length: int | None) -> str:
    return f"bytes={start}-" if length is None else f"bytes={start}-{start + length - 1}"
