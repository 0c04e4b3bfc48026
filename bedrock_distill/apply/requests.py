"""Staging the requests of a batch inference job: made anew from the prompts, held against what was planned, and uploaded."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bedrock_distill.aws import ObjectStore
from bedrock_distill.errors import StalePlanError
from bedrock_distill.records.digest import digest_file
from bedrock_distill.resources.batch.lines import write_requests
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.aws import Clients
    from bedrock_distill.plan import StageRequests

__all__ = ["stage_requests"]


def stage_requests(
    step: StageRequests, clients: Clients, on_bytes: Callable[[int], None]
) -> tuple[Literal["made", "found"], str]:
    """Put the requests where the plan says, unless they are there.

    Raises:
        StalePlanError: If the prompts have changed since the plan was made, or are gone.
        ServiceError: If S3 refuses them.
    """
    uri, store = S3Uri.parse(step.uri), ObjectStore(clients)
    if store.holds(uri, sha256=step.sha256, size_bytes=step.size_bytes, kms_key_id=step.kms_key_id):
        return "found", step.uri
    path = Path(step.path)
    if not path.is_file():
        raise StalePlanError(f"The planned file {step.path} is gone: restore it, or plan again.")
    if digest_file(path).sha256 != step.source_sha256:
        raise StalePlanError(f"{step.path} has changed since the plan was made: plan again.")
    with tempfile.TemporaryDirectory(prefix="bedrock-distill-") as folder:
        made = Path(folder) / uri.name
        # Nobody else writes to this file, so that what is uploaded is what is digested here.
        if write_requests(path, step.form, made) != step.sha256:
            raise StalePlanError(
                f"{step.path} changed while requests were made of it, or another release of this package made the plan: plan again."
            )
        store.put_file(made, uri, sha256=step.sha256, kms_key_id=step.kms_key_id, on_bytes=on_bytes)
    return "made", step.uri
