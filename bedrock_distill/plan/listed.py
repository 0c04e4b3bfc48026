"""Steps for services that give their resources an id and let names repeat: create, and find again by listing.

And a text that a plan carries itself, for what is made by planning and lies in no file.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bedrock_distill.plan.staged import Staged

__all__ = ["CreateListed", "Listing", "StageText", "size_in_words"]


class StageText(Staged, msgspec.Struct, frozen=True, kw_only=True, tag="stage-text"):
    """Put a small text that the plan itself carries into S3, unless the same text is there."""

    what: str
    """In words, such as `job document`."""
    text: str
    uri: str
    """Where it goes."""
    sha256: str
    """Digest of the text in UTF-8."""
    kms_key_id: str | None = None
    done: bool = False

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Write the {self.what} ({size_in_words(len(self.text.encode()))}) to {self.uri}"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How to find a resource of a service that gives it an id and lets names repeat."""

    operation: str
    """The client's method, such as `list_applications`."""
    items: str
    """Member of its answer that holds the resources."""
    name: str = "name"
    """Member of an item that holds its name."""
    arn: str = "arn"
    """Member of an item that holds its ARN."""
    state: str = "state"
    """Member of an item that holds its state."""
    gone: tuple[str, ...] = ()
    """States in which a resource is no more."""
    ready: tuple[str, ...] = ()
    """States in which the plan can go on; empty for any."""
    same: dict[str, str] = {}
    """Members of the item that must have these values for the resource to be this plan's own."""
    contains: str = ""
    """The listing's parameter that takes a part of the name; empty where it has none, and all are looked through."""


class CreateListed(msgspec.Struct, frozen=True, kw_only=True, tag="create-listed"):
    """Create one AWS resource that is found again by listing, unless it is there."""

    kind: str
    """In words, such as `harvest run`."""
    name: str
    service: str
    operation: str
    """The client's method, such as `start_job_run`."""
    request: dict[str, Any]
    """The request as boto3 takes it, client token included."""
    arn: str
    """Member of the answer that holds the ARN."""
    listing: Listing
    inside: dict[str, str] = {}
    """Members of the request and of the listing that name what it lies in -> the id, or the step of this plan that makes it."""
    bills: bool
    """Whether it costs money."""
    needs_role: bool = False
    """Whether a role that was just made may be refused until IAM has spread it."""
    done: bool = False

    @property
    def id(self) -> str:
        """Name of the step in the journal."""
        return f"create:{self.name}"

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Create the {self.kind} {self.name}"


def size_in_words(size_bytes: int) -> str:
    """A size as people read it."""
    size = float(size_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
