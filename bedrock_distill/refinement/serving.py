"""What a deployment serves, and making it serve another model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bedrock_distill.resources import Deployment, Provisioned

__all__ = ["UPDATE_S", "serve", "settled"]

UPDATE_S: Final = 3600.0
"""Seconds to wait for a deployment; about 8 minutes are usual (Bedrock user guide)."""


def serve(handle: Deployment | Provisioned, model: str, *, timeout_s: float | None = UPDATE_S) -> None:
    """Make a deployment serve a model, and wait until it does. An update that is under way comes to its end first.

    Raises:
        JobFailedError: If the update fails; it then serves what it served.
        WaitTimeoutError: If it takes longer; it goes on.
    """
    if settled(handle, timeout_s=timeout_s) != model:
        handle.update(model=model)
        handle.wait(timeout_s=timeout_s)


def settled(handle: Deployment | Provisioned, *, timeout_s: float | None = UPDATE_S) -> str:
    """The model that serves, once an update that is under way has come to its end.

    Raises:
        JobFailedError: If it fails while it is waited for.
        WaitTimeoutError: If it takes longer.
    """
    status = handle.status()
    return status.model_arn if status.over else handle.wait(timeout_s=timeout_s).model_arn
