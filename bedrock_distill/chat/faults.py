"""Errors that arrive as answers: what a container writes into its answer or stream where it fails after all went well."""

from __future__ import annotations

from typing import Any

from bedrock_distill.errors import ServiceError

__all__ = ["fault_in", "placed"]

_MAY_PASS = frozenset({"overloaded", "429", "500", "502", "503", "504"})
"""Types and statuses after which the same request may succeed."""


def fault_in(value: Any) -> ServiceError | None:
    """The error that a decoded value is, or None where it is an answer.

    Every server has its own way: `{"error": …}` with a text or an object, with `error_type` (TGI) or `code` (LMI) beside it;
    `{"object": "error", "message": …}` (older vLLM); and a finish reason `error` with no words at all (LMI).
    """
    if isinstance(value, list):
        return fault_in(value[0]) if value else None
    if not isinstance(value, dict):
        return None
    said = value.get("error") or (value if _is_error(value) else None)
    if said is None:
        return None
    inner = said if isinstance(said, dict) else {}
    message = inner.get("message") or inner.get("error") or value.get("message")
    if not isinstance(said, dict):
        message = said
    kind = value.get("error_type") or inner.get("type") or inner.get("error_type") or ""
    status = next((code for code in (inner.get("code"), value.get("code")) if isinstance(code, int)), None)
    return ServiceError(
        f"the container reports an error: {message or 'the finish reason is `error`, and it says no more'}."
        + (f" ({', '.join(str(part) for part in (kind, status) if part)})" if kind or status else "")
        + " Its log says more.",
        code=str(kind or "ModelError"),
        status=status,
        retryable=not _MAY_PASS.isdisjoint((str(kind), str(status))),
    )


def _is_error(value: dict[str, Any]) -> bool:
    code = value.get("code")
    return (
        value.get("object") == "error"
        or "error_type" in value
        or (isinstance(code, int) and code >= 400)
        or any(isinstance(part, dict) and part.get("finish_reason") == "error" for part in _endings(value))
    )


def _endings(value: dict[str, Any]) -> list[Any]:
    """Where a finish reason may stand."""
    choices = value.get("choices")
    return [value.get("details"), *(choices if isinstance(choices, list) else ())]


def placed(
    error: ServiceError, *, service: str, operation: str, target: str, request_id: str
) -> ServiceError:
    """The error with the call in which it came; one that already knows stays as it is."""
    return type(error)(
        error.message if error.service else f"{service} {operation} on {target}: {error.message}",
        service=error.service or service,
        operation=error.operation or operation,
        code=error.code,
        status=error.status,
        request_id=error.request_id or request_id or None,
        retryable=error.retryable,
    )
