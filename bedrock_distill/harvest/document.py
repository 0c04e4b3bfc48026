"""A harvest as a JSON document: what a machine elsewhere is told to do, and doing it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.aws import ObjectStore
from bedrock_distill.errors import SpecError
from bedrock_distill.harvest.running import from_logs
from bedrock_distill.records.digest import digest_file
from bedrock_distill.records.logs.query import LogQuery
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest.engines.processes import Engine

__all__ = ["DOCUMENT_VERSION", "JobDocument", "read_document", "run_document"]

DOCUMENT_VERSION = 1
"""Version of the document's form."""


class JobDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to harvest, from where to where. Everything lies on S3."""

    version: int = DOCUMENT_VERSION
    region: str
    logs: str
    """Prefix of the invocation logs."""
    records: str
    """The file of training records that is made."""
    report: str
    """The report that is written last, as JSON."""
    work: str
    """Prefix for what parts leave; an interrupted harvest finds it again."""
    query: LogQuery
    max_records: int | None = None
    seed: int = 0
    distinct: bool = True
    near_duplicates: bool = False

    def to_json(self) -> str:
        """The document as text."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


def read_document(text: bytes | str, *, name: str) -> JobDocument:
    """Read what `to_json` wrote.

    Args:
        text: The document.
        name: Where it is from, for the message.

    Raises:
        SpecError: If it is no document of this version.
    """
    try:
        document = msgspec.json.decode(text, type=JobDocument)
    except msgspec.DecodeError as error:
        raise SpecError(
            f"{name} is no job document that this release reads: {error}. Plan again with this release.",
            field="document",
            value=name,
        ) from error
    if document.version != DOCUMENT_VERSION:
        raise SpecError(
            f"{name} has version {document.version}, and this release reads {DOCUMENT_VERSION}: give the run an environment "
            "with the release that planned it.",
            field="document",
            value=name,
        )
    return document


def run_document(document: JobDocument, engine: Engine, clients: Clients) -> dict[str, Any]:
    """Do what a document says, and return the report, which lies on S3 then, too.

    The records are put together on this machine's disk and then sent: it must have room for them.

    Args:
        document: What to do.
        engine: What runs the parts.
        clients: The gate to AWS.

    Raises:
        BedrockDistillError: What `from_logs` raises; no records and no report are left then.
    """
    store, target = ObjectStore(clients), S3Uri.parse(document.records)
    with tempfile.TemporaryDirectory(prefix="bedrock-distill-") as folder:
        path = Path(folder, target.name)
        report = from_logs(
            document.logs,
            path,
            query=document.query,
            clients=clients,
            engine=engine,
            max_records=document.max_records,
            seed=document.seed,
            distinct=document.distinct,
            near_duplicates=document.near_duplicates,
            work=document.work,
        )
        store.put_file(path, target, sha256=digest_file(path).sha256)
    told = report.to_dict() | {"out": document.records}
    text = msgspec.json.format(msgspec.json.encode(told), indent=2)
    place = S3Uri.parse(document.report)
    clients.call("s3", "put_object", subject=str(place), Bucket=place.bucket, Key=place.key, Body=text)
    return told
