"""What a plan can say: stage files, ensure a role, create or configure a resource, put a setting, wait. A closed union.

Each step carries all that doing it needs, so that the executor decides nothing; `done` says what the planner saw when
it looked, and is no part of the plan's identity.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from bedrock_distill.plan.configure import Configure, LookAt, Ready, Undo
from bedrock_distill.plan.folder import FolderFile, StageFolder
from bedrock_distill.plan.listed import CreateListed, Listing, StageText, size_in_words
from bedrock_distill.plan.requests import RequestForm, StageRequests
from bedrock_distill.plan.settings import PutSetting, Setting
from bedrock_distill.plan.staged import Staged

__all__ = [
    "Configure",
    "CreateListed",
    "CreateResource",
    "EnsureRole",
    "FolderFile",
    "Listing",
    "LookAt",
    "Lookup",
    "PutSetting",
    "Ready",
    "RequestForm",
    "Setting",
    "StageFile",
    "StageFolder",
    "StageRequests",
    "StageText",
    "Step",
    "Undo",
    "WaitFor",
]


class StageFile(Staged, msgspec.Struct, frozen=True, kw_only=True, tag="stage-file"):
    """Put a local file into S3, unless the same content is there."""

    path: str
    """The file."""
    uri: str
    """Where it goes."""
    size_bytes: int
    sha256: str
    """Digest of the content that was checked and planned."""
    kms_key_id: str | None = None
    done: bool = False

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Stage {self.path} ({size_in_words(self.size_bytes)}) as {self.uri}"


class EnsureRole(msgspec.Struct, frozen=True, kw_only=True, tag="ensure-role"):
    """Make an IAM role with one inline policy, unless it is there."""

    name: str
    trust: dict[str, Any]
    policy: dict[str, Any]
    tags: dict[str, str]
    done: bool = False

    @property
    def id(self) -> str:
        """Name of the step in the journal."""
        return f"role:{self.name}"

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Make the IAM role {self.name} with the least policy the job needs"

    @property
    def bills(self) -> bool:
        """Roles are free."""
        return False


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """How to find out whether a resource is there already."""

    operation: str
    """The client's method, such as `get_model_customization_job`."""
    parameter: str
    """Its parameter that takes a name or an ARN."""
    arn: str
    """Member of its answer that holds the ARN."""
    same: dict[str, str]
    """Members of the answer that must have these values for the resource to be this plan's own."""


class CreateResource(msgspec.Struct, frozen=True, kw_only=True, tag="create"):
    """Create one AWS resource, unless it is there."""

    kind: str
    """In words, such as `distillation job`."""
    name: str
    service: str
    operation: str
    """The client's method, such as `create_model_customization_job`."""
    request: dict[str, Any]
    """The request as boto3 takes it, client token included."""
    arn: str
    """Member of the answer that holds the ARN."""
    lookup: Lookup
    bills: bool
    """Whether it costs money."""
    needs_role: bool = False
    """Whether a role that was just made may be refused until IAM has spread it."""
    ready: Ready | None = None
    """When the next step may follow; None for at once."""
    undo: Undo | None = None
    """How it is taken back where a later step fails; None where it stays for the next try."""
    done: bool = False

    @property
    def id(self) -> str:
        """Name of the step in the journal."""
        return f"create:{self.kind}:{self.name}" if self.undo else f"create:{self.name}"

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Create the {self.kind} {self.name}"


class WaitFor(msgspec.Struct, frozen=True, kw_only=True, tag="wait"):
    """Wait until what was created has reached its end; only done when asked to."""

    kind: str
    name: str
    typical: str
    """How long it usually takes, in words, with where that is from."""
    done: bool = False

    @property
    def id(self) -> str:
        """Name of the step in the journal."""
        return f"wait:{self.name}"

    @property
    def says(self) -> str:
        """The step in words."""
        return f"Wait for the {self.kind} ({self.typical})"

    @property
    def bills(self) -> bool:
        """Waiting is free."""
        return False


Step: TypeAlias = (
    StageFile
    | StageRequests
    | StageText
    | StageFolder
    | EnsureRole
    | CreateResource
    | CreateListed
    | Configure
    | PutSetting
    | WaitFor
)
"""Any step."""
