"""A step for what is made from a local file: the lines of a batch inference job, one request a prompt."""

from __future__ import annotations

from typing import Literal

import msgspec

from bedrock_distill.plan.listed import size_in_words
from bedrock_distill.plan.staged import Staged

__all__ = ["Invocation", "RequestForm", "StageRequests"]

Invocation = Literal["Converse", "InvokeModel"]
"""How a batch inference job asks: in Converse's form for every model, or in the body of the model's family."""


class RequestForm(msgspec.Struct, frozen=True, kw_only=True):
    """How a prompt becomes a request."""

    invocation: Invocation
    body: str = ""
    """The catalog's name of the family's body; empty for Converse."""
    system: str | None = None
    """System prompt of every request. None takes each record's own; an empty text sends none."""
    max_tokens: int
    temperature: float | None = None


class StageRequests(Staged, msgspec.Struct, frozen=True, kw_only=True, tag="stage-requests"):
    """Make a request of each prompt in a local file, and put them into S3, unless they are there."""

    path: str
    """The file of prompts."""
    source_sha256: str
    """Digest of that file as it was planned."""
    form: RequestForm
    records: int
    uri: str
    """Where the requests go."""
    size_bytes: int
    sha256: str
    """Digest of the requests."""
    kms_key_id: str | None = None
    done: bool = False

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Stage {self.records:,} requests made from {self.path} ({size_in_words(self.size_bytes)}) as {self.uri}"
