"""What a job learns from."""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from bedrock_distill.resources.spec import Spec

__all__ = ["Prompts", "stamp"]


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
