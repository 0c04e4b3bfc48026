"""The door in this process: botocore's own `before-send` event, answered before a socket is opened.

While the door is open, every boto3 session and client that is made comes with its handler. botocore calls it with the request
it was about to send, and takes the response it returns; parsing, retries and errors are botocore's own. Nothing gets out: a
client that was made before the cloud opened has no handler and meets the guard; one that outlives the cloud is refused here.
"""

from __future__ import annotations

import io
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import boto3.session
import botocore.awsrequest
import botocore.exceptions
import botocore.handlers
import botocore.loaders
import botocore.session
from urllib3.exceptions import ProtocolError

from bedrock_distill.errors import SpecError
from bedrock_distill.local.doors.environment import ACCESS_KEY, SECRET_KEY
from bedrock_distill.local.doors.guard import NetworkGuard, refusal
from bedrock_distill.local.gateway.effects import Disconnected
from bedrock_distill.local.gateway.targets import Hint, NotServedError
from bedrock_distill.local.gateway.wire import WireRequest, WireResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.local.gateway.gateway import Gateway
    from bedrock_distill.local.moto_bridge import Moto

__all__ = ["ProcessDoor", "refuse_other_doors"]

_EVENT = "before-send"
_MOCK_AWS_KEY = "FOOBARKEY"
"""What mock_aws puts into the environment, which alone tells that it has begun."""
_WHO_AM_I = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


class ProcessDoor:
    """Answers the requests of this process's boto3 clients.

    Args:
        gateway: Who answers.
        moto: Who answers the cloud's own clients.
        region: The default session's region.
    """

    def __init__(self, gateway: Gateway, moto: Moto, region: str) -> None:
        self._gateway = gateway
        self._moto = moto
        self._region = region
        self._open = False
        self._spec = (_EVENT, self._on_request, botocore.handlers.REGISTER_FIRST)
        self._default_session: Any = None
        self._own_session: Any = None
        self._own_lock = threading.Lock()
        self._identities: dict[str, str] = {}
        self.guard = NetworkGuard()

    def open(self) -> None:
        """Begin to answer."""
        botocore.handlers.BUILTIN_HANDLERS.append(self._spec)
        self._default_session, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, self.session(self._region)
        self.guard.lock()
        self._open = True

    def close(self) -> None:
        """Put botocore back as it was. Clients made while the door was open are refused from now on."""
        self._open = False
        botocore.handlers.BUILTIN_HANDLERS.remove(self._spec)
        boto3.DEFAULT_SESSION, self._default_session = self._default_session, None
        self.guard.unlock()

    def session(self, region: str, access_key: str = ACCESS_KEY) -> boto3.session.Session:
        """A boto3 session whose clients are answered here."""
        return boto3.session.Session(
            aws_access_key_id=access_key,
            aws_secret_access_key=SECRET_KEY,
            region_name=region,
            botocore_session=_plain_session(),
        )

    def own_client(self, service: str, region: str, access_key: str = ACCESS_KEY) -> Any:
        """A client for the cloud's own use: answered by moto, past the faults and the log."""
        with self._own_lock:  # one session for all of them, and sessions are not made for threads
            if self._own_session is None:
                self._own_session = _plain_session()
            client = self._own_session.create_client(
                service,
                region_name=region,
                aws_access_key_id=access_key,
                aws_secret_access_key=SECRET_KEY,
            )
        client.meta.events.unregister(_EVENT, self._on_request)
        client.meta.events.register_first(_EVENT, self._on_own_request)
        return client

    def identity(self, access_key: str, region: str) -> str:
        """The ARN of whoever holds an access key, as STS tells it; asked once for each key."""
        if access_key not in self._identities:
            answer: dict[str, Any] = self.own_client("sts", region, access_key).get_caller_identity()
            self._identities[access_key] = str(answer["Arn"])
        return self._identities[access_key]

    def _on_request(self, request: Any, event_name: str, **_: Any) -> Any:
        if self._open and self.guard.is_own(request.url):
            return None  # to our own HTTP door
        service, operation = event_name.split(".")[1:3]
        self._check_open(service, operation)
        try:
            response = self._gateway.handle(_wire(request), door="process", hint=Hint(service, operation))
        except NotServedError as error:
            raise refusal(str(error), error.service, error.operation) from error
        except Disconnected as error:
            raise botocore.exceptions.ConnectionClosedError(
                endpoint_url=request.url, request=request, error=error
            ) from error
        return _aws_response(request.url, response)

    def _on_own_request(self, request: Any, event_name: str, **_: Any) -> Any:
        service, operation = event_name.split(".")[1:3]
        self._check_open(service, operation)
        response = self._moto.handle(_wire(request), service, operation, "local-cloud")
        return _aws_response(request.url, response)

    def _check_open(self, service: str, operation: str) -> None:
        if os.environ.get("AWS_ACCESS_KEY_ID") == _MOCK_AWS_KEY:
            raise refusal(
                "moto's mock_aws was started inside the local cloud: it answers every request a second time, and what the "
                f"cloud's S3 and IAM held is gone. {service}:{operation} was not answered. Use the cloud alone.",
                service,
                operation,
            )
        if not self._open:
            raise refusal(
                f"This client was made in a local cloud that is closed, so {service}:{operation} was not sent. "
                "Make a new client.",
                service,
                operation,
            )


def refuse_other_doors() -> None:
    """Refuse to open where somebody else answers boto3 already: a request is shown to everyone, so it would take effect twice.

    Raises:
        SpecError: If a request that nobody sends is answered.
    """
    if _answered_elsewhere():
        raise SpecError(
            "moto's mock_aws, or something like it, is active, and it would answer every request a second time. Open the "
            "local cloud outside of it: S3, IAM and STS are in the cloud already."
        )


def _answered_elsewhere() -> bool:
    request = botocore.awsrequest.AWSRequest("POST", "https://sts.us-east-1.amazonaws.com/", data=_WHO_AM_I)
    # What every new client comes with; a session, which would say the same, takes as long to make as the rest of the cloud.
    handlers = [spec[1] for spec in botocore.handlers.BUILTIN_HANDLERS if spec[0] == _EVENT]
    called = {"request": request.prepare(), "event_name": f"{_EVENT}.sts.GetCallerIdentity"}
    return any(handler(**called) is not None for handler in handlers)


def _plain_session() -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", _shared_loader())
    return session


@cache
def _shared_loader() -> Any:
    """One loader of botocore's data for all our sessions: it remembers what it has read, which takes longer than most calls."""
    return botocore.loaders.Loader()


def _wire(request: Any) -> WireRequest:
    headers = tuple((name, _text(value)) for name, value in request.headers.items())
    return WireRequest(request.method, request.url, headers, _bytes(request.body))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body.read()) if hasattr(body, "read") else bytes(body)


def _aws_response(url: str, response: WireResponse) -> Any:
    headers: Any = botocore.awsrequest.HeadersDict()
    for name, value in response.headers:
        headers[name] = value
    return botocore.awsrequest.AWSResponse(url, response.status, headers, _Raw(response))


class _Raw(io.RawIOBase):
    """The body of a response, as botocore reads it off a connection: whole, in pieces, or as a stream of frames."""

    def __init__(self, response: WireResponse) -> None:
        super().__init__()
        self._pieces: Iterator[bytes] = iter(response.pieces())
        self._source = response.body
        # A view, because cutting a piece off the front of bytes copies all the others.
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def stream(self, amt: int = 1 << 16, **_: Any) -> Iterator[bytes]:  # noqa: ARG002 - urllib3's signature
        """Each piece as soon as it is there."""
        if self._rest:
            rest, self._rest = bytes(self._rest), memoryview(b"")
            yield rest
        while piece := self._next():
            yield piece

    def read(self, amt: int | None = None, **_: Any) -> bytes:
        """At most `amt` bytes; all that is left where `amt` is None or negative."""
        if amt is None or amt < 0:
            return b"".join(self.stream())
        taken = []
        while amt and (self._rest or (piece := self._next())):
            if not self._rest:
                self._rest = memoryview(piece)
            part, self._rest = self._rest[:amt], self._rest[amt:]
            taken.append(part)
            amt -= len(part)
        return b"".join(taken)

    def readinto(self, buffer: Any) -> int:
        taken = self.read(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        """Give up the rest; whoever produces it is told."""
        if not self.closed and hasattr(self._source, "close"):
            self._source.close()
        super().close()

    def release_conn(self) -> None:
        """There is no connection to give back."""

    def _next(self) -> bytes:
        """The next piece that is not empty; empty at the end."""
        try:
            for piece in self._pieces:
                if piece:
                    return piece
        except Disconnected as error:
            raise ProtocolError("Connection broken: the stream was cut", error) from error
        return b""
