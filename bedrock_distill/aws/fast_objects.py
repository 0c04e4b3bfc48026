"""Reading and listing many objects: with obstore where it is installed and may be used, else with boto3.

boto3 spends about a millisecond of processor time on each object that it reads, and threads do not help; obstore spends a
tenth. It opens its own connections, so it is used only where the session is ours: a boto3 session that a caller hands in may
carry hooks and settings that it would not know of. What obstore cannot do, boto3 is asked to do once more: then the answer,
the retries and the words of an error are those of every other request.
"""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bedrock_distill.aws.clients import Clients

__all__ = ["list_objects", "object_reader"]

_PAGE = 1000  # as many as S3 gives at a time


def object_reader(clients: Clients, bucket: str, *, fast: bool | None = None) -> Callable[[str], bytes]:
    """A thread-safe function from a key to the object's bytes.

    Args:
        clients: The gate to AWS.
        bucket: The bucket.
        fast: Whether to use obstore. Default: where it is installed and the session is ours.

    Returns:
        A function that raises a ServiceError where S3 refuses.
    """

    def read(key: str) -> bytes:
        answer = clients.call("s3", "get_object", subject=f"s3://{bucket}/{key}", Bucket=bucket, Key=key)
        body: bytes = answer["Body"].read()
        return body

    if not _may_be_fast(clients, fast=fast):
        return read
    import obstore  # noqa: PLC0415 - optional

    store = _store(clients, bucket)

    def read_fast(key: str) -> bytes:
        try:
            return bytes(obstore.get(store, key).bytes())
        except (ValueError, OSError, obstore.exceptions.BaseError):  # such as a key with two slashes in a row
            return read(key)

    return read_fast


def list_objects(
    clients: Clients, bucket: str, root: str, *, fast: bool | None = None
) -> Iterator[tuple[str, int, str]]:
    """Key, size and ETag of the object `root` and of all in the folder of that name, in the order of the keys' bytes.

    boto3 spends as much on listing an object as obstore on reading it.

    Args:
        clients: The gate to AWS.
        bucket: The bucket.
        root: A key or a prefix; an empty one stands for the whole bucket.
        fast: As for `object_reader`.

    Raises:
        ServiceError: If S3 refuses.
    """
    folder = root if not root or root.endswith("/") else f"{root}/"
    request: dict[str, Any] = {"subject": f"s3://{bucket}/{root}", "Bucket": bucket, "Prefix": root}

    def ours(items: Iterable[dict[str, Any]]) -> Iterator[tuple[str, int, str]]:
        for item in items:
            if item["Key"] == root or item["Key"].startswith(folder):
                yield item["Key"], int(item["Size"]), str(item.get("ETag", ""))

    if not _may_be_fast(clients, fast=fast):
        yield from ours(clients.pages("s3", "list_objects_v2", "Contents", **request))
        return
    # The first page tells whether we may list at all, and is all there is of most prefixes.
    page = clients.call("s3", "list_objects_v2", **request)
    yield from ours(page.get("Contents", ()))
    if not page.get("NextContinuationToken"):
        return
    import obstore  # noqa: PLC0415 - optional

    after = page["Contents"][-1]["Key"]
    with suppress(ValueError, OSError, obstore.exceptions.BaseError):
        for chunk in obstore.list(_store(clients, bucket), folder or None, offset=after, chunk_size=_PAGE):
            for found in chunk:
                after = found["path"]
                yield after, found["size"], found["e_tag"] or ""
        return
    yield from ours(clients.pages("s3", "list_objects_v2", "Contents", **request, StartAfter=after))


def _may_be_fast(clients: Clients, *, fast: bool | None) -> bool:
    if fast is None:
        fast = clients.portable is not None and importlib.util.find_spec("obstore") is not None
    # Where there are no credentials, boto3 says so in its own way.
    return fast and clients.boto_session.get_credentials() is not None


def _store(clients: Clients, bucket: str) -> Any:
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - optional
    from obstore.store import S3Store  # noqa: PLC0415

    endpoint = clients.endpoint_url
    settings: dict[str, Any] = {"region": clients.region}
    if endpoint:
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    options: dict[str, Any] = {"allow_http": bool(endpoint and endpoint.startswith("http:"))}
    if certificates := _certificates(clients):
        options["root_certificate"] = certificates
    return S3Store(
        bucket,
        config=settings,
        client_options=options,
        credential_provider=Boto3CredentialProvider(clients.boto_session),
    )


def _certificates(clients: Clients) -> bytes | None:
    """The authorities that boto3 trusts by `AWS_CA_BUNDLE` or the profile's `ca_bundle`, or None."""
    session = clients.boto_session._session  # noqa: SLF001 - boto3 has no public name for its settings
    path = session.get_config_variable("ca_bundle")
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SpecError(
            f"Could not read the certificates in {path!r} (AWS_CA_BUNDLE, or ca_bundle of the profile): "
            f"{error.strerror or error}.",
            field="ca_bundle",
            value=path,
        ) from error
