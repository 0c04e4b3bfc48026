"""The call log: everything that clients asked of the local cloud, in the order it arrived."""

from __future__ import annotations

import fnmatch
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

__all__ = ["CallLog", "LoggedCall"]

Door = Literal["process", "http"]


@dataclass(slots=True, kw_only=True)
class LoggedCall:
    """One request, and how it ended. A client's retry is a request of its own."""

    service: str
    """Service as boto3 names it, such as `s3`."""
    operation: str
    """Operation as the API names it, such as `PutObject`."""
    params: Mapping[str, Any]
    """What was asked, under boto3's names. For S3, IAM and the other services that moto answers: as far as path, query
    and headers tell."""
    region: str
    request_id: str
    door: Door
    at: datetime
    """When it arrived, by the cloud's clock."""
    status: int | None = None
    """HTTP status of the answer; None while it is being answered, or if no answer was sent."""
    code: str | None = None
    """AWS's error code, or `Disconnected` or `SimulatedCrash`; None if all went well."""

    @property
    def name(self) -> str:
        """Service and operation, such as `s3.PutObject`."""
        return f"{self.service}.{self.operation}"

    @property
    def ok(self) -> bool:
        """Whether it was answered without an error."""
        return self.code is None and self.status is not None and self.status < 400


class CallLog:
    """The calls so far, oldest first: a sequence that can be filtered. Thread-safe.

    Args:
        limit: How many calls to keep; the oldest go first.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._calls: deque[LoggedCall] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def add(self, call: LoggedCall) -> LoggedCall:
        """Append a call; returns it."""
        with self._lock:
            self._calls.append(call)
        return call

    def clear(self) -> None:
        """Forget every call."""
        with self._lock:
            self._calls.clear()

    def names(self, service: str = "*", operation: str = "*") -> list[str]:
        """The operations that were called, such as `["PutObject", "CreateModelCustomizationJob"]`."""
        return [call.operation for call in self.where(service=service, operation=operation)]

    def where(
        self,
        *,
        service: str = "*",
        operation: str = "*",
        code: str | None = None,
        wanted: Callable[[LoggedCall], bool] | None = None,
    ) -> list[LoggedCall]:
        """The calls that match all that is given.

        Args:
            service: Service, with `*` and `?` as wildcards.
            operation: Operation, likewise.
            code: Error code, likewise; None (the default) asks for any outcome.
            wanted: Any further condition.
        """
        return [
            call
            for call in self
            if fnmatch.fnmatchcase(call.service, service)
            and fnmatch.fnmatchcase(call.operation, operation)
            and (code is None or fnmatch.fnmatchcase(call.code or "", code))
            and (wanted is None or wanted(call))
        ]

    def count(self, operation: str = "*", *, service: str = "*") -> int:
        """How many calls match."""
        return len(self.where(service=service, operation=operation))

    @property
    def last(self) -> LoggedCall | None:
        """The newest call, or None."""
        with self._lock:
            return self._calls[-1] if self._calls else None

    def __iter__(self) -> Iterator[LoggedCall]:
        with self._lock:
            return iter(list(self._calls))

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)

    @overload
    def __getitem__(self, index: int) -> LoggedCall: ...
    @overload
    def __getitem__(self, index: slice) -> list[LoggedCall]: ...
    def __getitem__(self, index: int | slice) -> LoggedCall | list[LoggedCall]:
        with self._lock:
            return list(self._calls)[index]

    def __repr__(self) -> str:
        return f"CallLog({[call.name for call in self]})"
