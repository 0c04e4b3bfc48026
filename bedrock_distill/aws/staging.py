"""Putting a directory of tens of gigabytes into S3: parts of all files side by side, and nothing sent twice.

Nothing is remembered on this machine. What a killed upload had finished is asked of S3, which lists the parts of uploads that
are still open, each with the digest it was sent with.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws.objects import ObjectStore, Tally, with_digest
from bedrock_distill.aws.parts import Part, digest_of, parts_of, read_part
from bedrock_distill.errors import AccessDeniedError, DataError, NotFoundError, ServiceError, StalePlanError
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from bedrock_distill.aws.clients import Clients
    from bedrock_distill.plan import FolderFile

__all__ = ["FolderStage"]

_WORKERS = 8
"""Parts under way at a time; each is held in memory once."""


@dataclass(slots=True)
class _Upload:
    """One file on its way."""

    file: FolderFile
    uri: S3Uri
    parts: Sequence[Part]
    upload_id: str = ""
    """Empty for a file of one part, which is put in one piece."""
    sent: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    """By part's number: its SHA-256 and its ETag."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def missing(self) -> list[Part]:
        return [part for part in self.parts if part.number not in self.sent]


class FolderStage:
    """Stages directories under prefixes.

    Args:
        clients: The gate to AWS.
        on_bytes: Told how many bytes more are in S3, by one thread at a time; parts and files that were there count too.
    """

    def __init__(self, clients: Clients, *, on_bytes: Callable[[int], None] | None = None) -> None:
        self._clients = clients
        self._store = ObjectStore(clients)
        self._tally = Tally(on_bytes)

    def missing(
        self, files: Sequence[FolderFile], prefix: S3Uri, *, kms_key_id: str | None = None
    ) -> list[FolderFile]:
        """The files whose content is not under the prefix."""

        def there(file: FolderFile) -> bool:
            return self._store.holds(
                prefix / file.name, sha256=file.digest, size_bytes=file.size_bytes, kms_key_id=kms_key_id
            )

        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="stage") as pool:
            return [file for file, held in zip(files, pool.map(there, files), strict=True) if not held]

    def put(
        self, folder: Path, files: Sequence[FolderFile], prefix: S3Uri, *, kms_key_id: str | None = None
    ) -> int:
        """Send what is missing.

        Args:
            folder: The directory.
            files: Its files as they were planned.
            prefix: Where they go.
            kms_key_id: Encrypt with this KMS key. Default: as the bucket is set.

        Returns:
            How many files were sent; 0 where all were there.

        Raises:
            StalePlanError: If a file is not the one that was planned; what was sent of it is removed.
            ServiceError: If S3 refuses. What was sent stays for the next try, and is billed as storage meanwhile;
                `abandon` removes it.
        """
        missing = self.missing(files, prefix, kms_key_id=kms_key_id)
        self._tally.add(sum(file.size_bytes for file in files) - sum(file.size_bytes for file in missing))
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="stage") as pool:
            try:
                open_uploads = self._open_uploads(prefix) if missing else {}

                def begin(file: FolderFile) -> _Upload:
                    return self._begin(folder, file, prefix / file.name, kms_key_id, open_uploads)

                uploads = list(pool.map(begin, missing))
                _finish(
                    [
                        *(pool.submit(self._complete, upload) for upload in uploads if not upload.missing),
                        *(
                            pool.submit(self._send, upload, part, kms_key_id)
                            for upload in uploads
                            for part in upload.missing
                        ),
                    ]
                )
            except ServiceError as error:
                raise error.advised(
                    "What was sent stays in S3 for the next try, which goes on from there; until then it is billed as storage."
                ) from error
        return len(missing)

    def abandon(self, prefix: S3Uri) -> int:
        """Remove what unfinished uploads under a prefix have left in S3, and tell how many there were."""
        uploads = self._open_uploads(prefix)
        for key, upload_id in uploads.items():
            self._abort(S3Uri(prefix.bucket, key), upload_id)
        return len(uploads)

    def _open_uploads(self, prefix: S3Uri) -> dict[str, str]:
        """Key -> id of uploads that were begun under the prefix and not finished; the newest of each key."""
        found: dict[str, tuple[Any, str]] = {}
        markers = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        listing = self._pages(
            "list_multipart_uploads", "Uploads", markers, Bucket=prefix.bucket, Prefix=prefix.as_prefix.key
        )
        try:
            for upload in listing:
                newer = (upload["Initiated"], upload["UploadId"])
                found[upload["Key"]] = max(found.get(upload["Key"], newer), newer)
        except AccessDeniedError:
            return {}  # without the right to see them, every file is sent from its beginning
        return {key: upload_id for key, (_, upload_id) in found.items()}

    def _begin(
        self, folder: Path, file: FolderFile, uri: S3Uri, kms_key_id: str | None, open_uploads: dict[str, str]
    ) -> _Upload:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.size_bytes:
            raise StalePlanError(
                f"{path} is not the {file.size_bytes} bytes that were planned: it changed, or is gone. Plan again."
            )
        upload = _Upload(file, uri, parts_of(path, file.size_bytes))
        if len(upload.parts) == 1:
            return upload
        upload.upload_id = open_uploads.get(uri.key, "")
        if upload.upload_id:
            self._take_up(upload)
            return upload
        answer = self._clients.call(
            "s3", "create_multipart_upload", subject=str(uri), Bucket=uri.bucket, Key=uri.key, ChecksumAlgorithm="SHA256",
            **with_digest(file.digest, kms_key_id),
        )  # fmt: skip
        upload.upload_id = answer["UploadId"]
        return upload

    def _take_up(self, upload: _Upload) -> None:
        """Go on with an upload that was begun earlier: the parts that are there and are the file's count as sent."""
        by_number = {part.number: part for part in upload.parts}
        listing = self._pages(
            "list_parts", "Parts", {"PartNumberMarker": "NextPartNumberMarker"},
            Bucket=upload.uri.bucket, Key=upload.uri.key, UploadId=upload.upload_id,
        )  # fmt: skip
        for listed in listing:
            part = by_number.get(listed["PartNumber"])
            if part is None or listed["Size"] != part.size:
                continue
            data = read_part(part)
            digest = hashlib.sha256(data).digest()
            if _is(listed, data, digest):
                upload.sent[part.number] = (digest, listed["ETag"])
                self._tally.add(part.size)

    def _pages(
        self, operation: str, key: str, markers: dict[str, str], **params: Any
    ) -> Iterator[dict[str, Any]]:
        """Every item of a listing that goes on by markers: the request's name of each -> the answer's."""
        page: dict[str, Any] = {"IsTruncated": True}
        while page.get("IsTruncated"):
            going_on = {name: page[after] for name, after in markers.items() if after in page}
            page = self._clients.call("s3", operation, subject=params["Bucket"], **params, **going_on)
            yield from page.get(key, ())

    def _send(self, upload: _Upload, part: Part, kms_key_id: str | None) -> None:
        data, uri = read_part(part), upload.uri
        digest = hashlib.sha256(data).digest()
        where: dict[str, Any] = {
            "Bucket": uri.bucket,
            "Key": uri.key,
            "Body": data,
            "ChecksumSHA256": _b64(digest),
        }
        if not upload.upload_id:
            _check(upload, [digest])
            self._clients.call(
                "s3", "put_object", subject=str(uri), **where, **with_digest(upload.file.digest, kms_key_id)
            )
            self._tally.add(part.size)
            return
        try:
            answer = self._clients.call(
                "s3", "upload_part", subject=str(uri), UploadId=upload.upload_id, PartNumber=part.number, **where
            )  # fmt: skip
        except NotFoundError:
            self._check_completed(upload)
            return
        self._tally.add(part.size)
        with upload.lock:
            upload.sent[part.number] = (digest, answer["ETag"])
            last = not upload.missing
        if last:
            self._complete(upload)

    def _complete(self, upload: _Upload) -> None:
        uri, sent = upload.uri, [upload.sent[part.number] for part in upload.parts]
        try:
            _check(upload, [digest for digest, _ in sent])
        except StalePlanError:
            self._abort(uri, upload.upload_id)
            raise
        parts = [
            {"PartNumber": part.number, "ETag": etag, "ChecksumSHA256": _b64(digest)}
            for part, (digest, etag) in zip(upload.parts, sent, strict=True)
        ]
        try:
            self._clients.call(
                "s3", "complete_multipart_upload", subject=str(uri), Bucket=uri.bucket, Key=uri.key,
                UploadId=upload.upload_id, MultipartUpload={"Parts": parts},
            )  # fmt: skip
        except NotFoundError:
            self._check_completed(upload)

    def _check_completed(self, upload: _Upload) -> None:
        """Where S3 knows the upload no more: it was completed beside this one, or by a try whose answer got lost."""
        file = upload.file
        if self.missing([file], S3Uri(upload.uri.bucket, upload.uri.key.removesuffix(file.name))):
            raise ServiceError(
                f"The upload of {upload.uri} was taken away while it was under way, by a lifecycle rule or by hand. Apply again.",
                service="s3",
                operation="UploadPart",
                code="NoSuchUpload",
                retryable=True,
            )

    def _abort(self, uri: S3Uri, upload_id: str) -> None:
        try:
            self._clients.call(
                "s3", "abort_multipart_upload", subject=str(uri), Bucket=uri.bucket, Key=uri.key, UploadId=upload_id
            )  # fmt: skip
        except NotFoundError:
            return


def _check(upload: _Upload, digests: list[bytes]) -> None:
    if digest_of(digests) != upload.file.digest:
        path = upload.parts[0].path
        raise StalePlanError(
            f"{path} is not the file that was planned (its digest is another): plan again when it no longer changes."
        )


def _is(listed: dict[str, Any], data: bytes, digest: bytes) -> bool:
    """Whether a part in S3 is these bytes. Where S3 keeps no checksum for it, its ETag is the MD5, unless encrypted by KMS."""
    if known := listed.get("ChecksumSHA256"):
        return bool(known == _b64(digest))
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return bool(listed["ETag"].strip('"') == md5)


def _finish(futures: list[Future[None]]) -> None:
    """Wait for all; at the first error the rest is not begun, and the error is raised."""
    done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
    for future in waiting:
        future.cancel()
    wait(waiting)
    for future in (*done, *(each for each in waiting if not each.cancelled())):
        error = future.exception()
        if isinstance(error, OSError) and not isinstance(error, ServiceError | DataError):
            raise DataError(f"Could not read what is to be staged: {error}.") from error
        if error is not None:
            raise error


def _b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
