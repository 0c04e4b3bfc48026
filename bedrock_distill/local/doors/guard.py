"""The lock behind the door: what would leave the machine while a local cloud is open is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import botocore.compat
import botocore.httpsession

from bedrock_distill.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NetworkGuard", "refusal"]

_transport: Any = botocore.httpsession.URLLib3Session
"""The class through which every botocore client reaches the network."""


def refusal(message: str, service: str, operation: str = "") -> ServiceError:
    """The error for a request that the local cloud neither answers nor lets out."""
    return ServiceError(message, service=service, operation=operation, code="NotInLocalCloud")


class NetworkGuard:
    """Holds back what no handler has answered.

    A client made before the cloud opened has no handler of ours: its requests come down to botocore's transport, and stop
    there. awscrt's S3 client knows neither events nor that transport, so boto3 is told that it is not there.

    Attributes:
        servers: Host and port of our own HTTP doors, which are reached over a socket.
    """

    def __init__(self) -> None:
        self.servers: set[tuple[str, int]] = set()
        self._send: Callable[..., Any] | None = None
        self._had_crt = False

    def is_own(self, url: str) -> bool:
        """Whether a URL leads to one of our own servers."""
        address = urlsplit(url)
        return (address.hostname or "", address.port or 0) in self.servers

    def lock(self) -> None:
        """Hold back from now on."""
        send = self._send = _transport.send

        def guarded(session: Any, request: Any) -> Any:
            if self.is_own(request.url):
                return send(session, request)
            host = urlsplit(request.url).hostname or request.url
            raise refusal(
                f"A request to {host} was held back, because a local cloud is open. A client that was made before the "
                "cloud opened, or by a session that was, would reach AWS: make both inside the cloud.",
                host,
            )

        _transport.send = guarded
        if botocore.compat.HAS_CRT:
            self._set_crt(present=False)
            self._had_crt = True

    def unlock(self) -> None:
        """Let everything through again."""
        _transport.send, self._send = self._send, None
        if self._had_crt:
            self._set_crt(present=True)
            self._had_crt = False

    @staticmethod
    def _set_crt(*, present: bool) -> None:
        from boto3.s3 import transfer  # noqa: PLC0415 - only where awscrt is installed

        module: Any = transfer
        module.HAS_CRT = present
