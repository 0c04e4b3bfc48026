"""What a job learns from."""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from bedrock_distill.resources.spec import Spec

__all__ = ["Prompts"]


class Prompts(Spec):
    """A JSONL file of `bedrock-conversation-2024` records: prompts, some of them with a golden completion.

    Example:
        `Prompts("prompts.jsonl")`, the same as `Prompts(path="prompts.jsonl")`.
    """

    path: Path
    """The file. Use `bedrock-distill data convert` for other formats."""

    def __init__(self, path: str | Path, **fields: object) -> None:
        super().__init__(path=path, **fields)

    @field_validator("path")
    @classmethod
    def _exists(cls, path: Path) -> Path:
        if str(path).startswith("s3:/"):
            raise ValueError("must be a local file; it is checked line by line before anything is staged")
        if not path.is_file():
            raise ValueError("there is no such file")
        return path
