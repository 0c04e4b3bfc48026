"""The one exception a service raises to answer no; the gateway finds its status and shape in the service's model."""

from __future__ import annotations

from typing import Any

__all__ = ["AwsError"]


class AwsError(Exception):
    """AWS's answer when it is not the asked-for one.

    Raise it in a service's method to answer with an HTTP error, or while an event stream is being read to end that
    stream with an exception event.

    Attributes:
        code: The error's name as the API's model spells it, such as `ResourceNotFoundException`.
        message: The sentence for the caller.
        status: HTTP status to use in place of the model's; None (the default) takes the model's, or 400.
        members: Further modelled members of the error, such as `resourceName`, by their modelled names.
    """

    def __init__(self, code: str, message: str = "", *, status: int | None = None, **members: Any) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
