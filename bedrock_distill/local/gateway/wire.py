"""A request and an answer as HTTP carries them, the same for both doors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Signature", "WireRequest", "WireResponse"]

_SCOPE = re.compile(
    r"Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
)
_SIGV4A_SCOPE = re.compile(r"Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a request, and for what. Signatures are read, never checked: any secret will do."""

    access_key: str
    region: str | None
    service: str
    """The signing name, which several services may share (`bedrock` and `bedrock-runtime` both sign as `bedrock`)."""


@dataclass(frozen=True)
class WireRequest:
    """An HTTP request, read to its end."""

    method: str
    url: str
    """The whole URL as the client wrote it: escapes in the path are kept."""
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @cached_property
    def path(self) -> str:
        """The path, still escaped."""
        return urlsplit(self.url).path or "/"

    @cached_property
    def host(self) -> str:
        """The host that was asked for, without the port, in lower case."""
        return (urlsplit(self.url).hostname or "").lower()

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """Query parameters, decoded, in order."""
        return tuple(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers}

    def header(self, name: str) -> str | None:
        """A header's value, or None. Names are compared without regard to case."""
        return self._by_name.get(name.lower())

    def headers_with(self, prefix: str) -> dict[str, str]:
        """Headers whose names begin with `prefix`, by what follows it."""
        start = prefix.lower()
        return {name[len(prefix) :]: value for name, value in self.headers if name.lower().startswith(start)}

    @cached_property
    def signature(self) -> Signature | None:
        """Who signed, from the Authorization header or a presigned URL; None where nothing is signed."""
        text = self.header("authorization")
        if text is None:
            credential = dict(self.query).get("X-Amz-Credential")
            text = f"Credential={credential}" if credential else ""
        if found := _SCOPE.search(text):
            return Signature(found["key"], found["region"], found["service"])
        if found := _SIGV4A_SCOPE.search(text):
            return Signature(found["key"], None, found["service"])
        return None


@dataclass(slots=True)
class WireResponse:
    """An HTTP answer; its body is whole, or comes piece by piece."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | Iterator[bytes] = b""
    code: str | None = None
    """The AWS error code, where the answer is an error: for the call log, not for the wire."""

    @property
    def streams(self) -> bool:
        """Whether the body comes piece by piece."""
        return not isinstance(self.body, bytes)

    def pieces(self) -> Iterable[bytes]:
        """The body, as an iterable of pieces."""
        return (self.body,) if isinstance(self.body, bytes) else self.body
