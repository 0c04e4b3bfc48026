"""Waiting for a job, for what serves, or until it has gone, the same in every command: progress on stderr, one document at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.cli.common import Settings

__all__ = ["Waitable", "emit_unfinished", "narrate_state", "wait_and_emit"]


class Waitable(Protocol):
    """A handle that can be waited for."""

    @property
    def arn(self) -> str:
        """What it stands for."""
        ...

    def wait(self, *, timeout_s: float | None, on_change: Callable[[Any], None] | None) -> Any:
        """Wait until it is over, and return how it ended."""
        ...


def wait_and_emit(
    settings: Settings,
    handle: Waitable,
    *,
    timeout_s: float | None,
    text: Callable[[dict[str, Any]], str],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Wait, and print how it ended.

    The document is printed also where the wait ends badly or too late: whoever reads it needs the ARN then most.

    Args:
        settings: How to print.
        handle: What to wait for.
        timeout_s: Seconds to wait at most, or None.
        text: The document as text for people, where all went well.
        more: What the document begins with.

    Raises:
        JobFailedError: If it failed.
        WaitTimeoutError: If it is not over in time.
    """
    from bedrock_distill.errors import JobFailedError, WaitTimeoutError

    document: dict[str, Any] = {**(more or {}), "arn": handle.arn}
    try:
        state = handle.wait(timeout_s=timeout_s, on_change=lambda seen: settings.note(narrate_state(seen)))
    except (JobFailedError, WaitTimeoutError) as error:
        document |= {"status": error.status, **_model(handle, None), "reason": getattr(error, "reason", "")}
        settings.emit(document, f"{handle.arn}\n{error.status}")
        raise
    document |= {"status": state.status, **_model(handle, state), "reason": ""}
    settings.emit(document, lambda: text(document))


def _model(handle: Any, state: Any) -> dict[str, str | None]:
    """The model that comes of what was waited for; what serves or harvests has none."""
    from bedrock_distill.resources import BatchJob, EvaluationJob, HarvestRun, LiveEndpoint, Provisioned

    if isinstance(handle, BatchJob | EvaluationJob | HarvestRun | LiveEndpoint | Provisioned):
        return {}
    return {"model_arn": getattr(state, "model_arn", None)}


def emit_unfinished(settings: Settings, parts: Mapping[str, str]) -> None:
    """Print how far a deletion came that did not come to its end: one document, as where it does.

    Args:
        settings: How to print.
        parts: Each part, in words -> its last status, `Deleted` where it has gone.
    """
    deleted = [part for part, status in parts.items() if status == "Deleted"]
    going = {part: status for part, status in parts.items() if status != "Deleted"}
    lines = [f"Deleted the {part}" for part in deleted]
    lines += [f"Still {status}: the {part}" for part, status in going.items()]
    settings.emit({"deleted": None, "parts": deleted, "going": going}, "\n".join(lines))


def narrate_state(state: Any) -> str:
    """A job's or deployment's state in a line."""
    phase = f": {state.phase}" if state.phase else ""
    return f"{state.name}: {state.status}{phase}"
