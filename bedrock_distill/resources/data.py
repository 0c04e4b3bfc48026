"""What a job learns from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from bedrock_distill.resources import fields
from bedrock_distill.resources.spec import Spec
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.records.logs.filters import Filter

__all__ = ["InvocationLogs", "Prompts", "stamp"]


def stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written to or replaced; a file that is not there has a stamp, too."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


class Prompts(Spec):
    """A JSONL file of `bedrock-conversation-2024` records: prompts, some of them with a golden completion.

    Example:
        `Prompts("prompts.jsonl")`, the same as `Prompts(path="prompts.jsonl")`.
    """

    path: Path
    """The file; kept as an absolute path. Use `bedrock-distill data convert` for other formats."""

    def __init__(self, /, path: str | Path, **fields: object) -> None:
        super().__init__(path=path, **fields)

    @field_validator("path")
    @classmethod
    def _exists(cls, path: Path) -> Path:
        if str(path).startswith("s3:/"):
            raise ValueError("must be a local file; it is checked line by line before anything is staged")
        # Absolute, so that a plan means the same file wherever it is applied; links stay links, by their names.
        path = path.expanduser().absolute()
        if not path.is_file():
            raise ValueError("there is no such file")
        return path


class InvocationLogs(Spec):
    """Invocation logs on S3 that the job reads by itself: single-turn text prompts, and if wanted the logged answers.

    Example:
        `InvocationLogs("s3://acme-logs/bedrock", where=Metadata("project") == "triage", use_responses=True)`
    """

    source: str
    """S3 URI of the prefix that the logs lie under, in the job's region and account."""
    where: dict[str, Any] | None = None
    """Filter on the requests' metadata, kept as the request's `requestMetadataFilters`. Taken are a filter of
    `Metadata` comparisons, the request's own form, and a plain table of keys that must all have their values."""
    use_responses: bool = False
    """Whether the logged answers are what is learned. Only answers count whose model the log names exactly as the job
    names the teacher; without this, the teacher answers the prompts anew."""

    def __init__(self, /, source: str, **fields: object) -> None:
        super().__init__(source=source, **fields)

    _source = field_validator("source")(fields.check_log_source)

    @field_validator("where", mode="before")
    @classmethod
    def _where(cls, value: object) -> object:
        from bedrock_distill.resources.log_filters import as_request  # noqa: PLC0415 - it brings what reads logs with it

        return None if value is None else as_request(value)

    @property
    def source_uri(self) -> S3Uri:
        """`source` as a URI."""
        return S3Uri.parse(self.source)

    @property
    def filter(self) -> Filter | None:
        """`where` as an object."""
        from bedrock_distill.records.logs.filters import Filter  # noqa: PLC0415 - as above

        return None if self.where is None else Filter.from_request(self.where)
