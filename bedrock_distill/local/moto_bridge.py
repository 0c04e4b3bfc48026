"""moto, which answers for S3, IAM, STS, KMS, CloudWatch, Logs and Application Auto Scaling. The only file that knows it.

moto is called as the WSGI application that its server mode is, without a server: the same way for both doors, with nothing
patched, and only by names that `moto.server` exports. What it keeps is global to the process, so it is emptied when a cloud
first needs it and when that cloud closes.
"""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from email.message import Message
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.local.gateway.dialects import dialect_of, render_plain_error
from bedrock_distill.local.gateway.wire import WireRequest, WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOTO_SERVICES", "Moto"]

MOTO_SERVICES = ("s3", "iam", "sts", "kms", "cloudwatch", "logs", "application-autoscaling")
"""The services moto answers for, as boto3 names them."""

log = logging.getLogger(__name__)
_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "server", "date"})


class Moto:
    """moto's services in this process.

    Args:
        account_id: The account that everything belongs to.
        seed: Seed of the ids that moto makes up.
    """

    def __init__(self, account_id: str, seed: int) -> None:
        self._account_id = account_id
        self._seed = seed
        self._lock = threading.Lock()
        self._used = False

    def handle(self, request: WireRequest, service: str, operation: str, request_id: str) -> WireResponse:
        """Answer a request to one of moto's services."""
        self._open()
        try:
            response = self._run(request)
        except NotImplementedError as error:
            return self._sorry(request, service, operation, request_id, str(error))
        if response.status >= 500 and b"<!doctype html" in _whole(response)[:200].lower():
            return self._sorry(request, service, operation, request_id, "")
        response.code = _error_code(response)
        if not any(name.lower() in ("x-amzn-requestid", "x-amz-request-id") for name, _ in response.headers):
            response.headers.append(("x-amzn-RequestId", request_id))
        return response

    def close(self) -> None:
        """Let moto forget everything, if it was used."""
        with self._lock:
            if self._used:
                self._run(_control("reset"))
            self._used = False

    def _open(self) -> None:
        with self._lock:
            if not self._used:
                self._run(_control("reset"))
                self._run(_control(f"seed?a={self._seed}"))
                self._used = True

    def _run(self, request: WireRequest) -> WireResponse:
        app, environ_of = _load()
        environ = environ_of(request)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account_id
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            started[:] = [int(status[:3]), headers]

        pieces = app(environ, start_response)
        try:
            body = b"".join(pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        status, headers = started
        return WireResponse(
            status, [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP], body
        )

    def _sorry(
        self, request: WireRequest, service: str, operation: str, request_id: str, reason: str
    ) -> WireResponse:
        signature = request.signature
        message = (
            f"The local cloud (moto) does not have {service}:{operation}. Nothing was sent to AWS. {reason}"
        )
        dialect = dialect_of(request, signature.service if signature else service)
        return render_plain_error(
            dialect, "NotImplementedException", message.strip(), request_id=request_id, status=501
        )


@cache
def _load() -> tuple[Callable[..., Any], Callable[[WireRequest], dict[str, Any]]]:
    """The WSGI application that moto is, and how a request becomes what it is called with."""
    try:
        from moto import server  # noqa: PLC0415 - half a second, and only where S3 or IAM is used
    except ImportError as error:
        raise MissingDependencyError(
            "The local cloud's S3, IAM and STS come from moto with flask, which is not installed. "
            "Install it with: pip install 'bedrock-distill[local]'",
            extra="local",
        ) from error
    app: Callable[..., Any] = server.DomainDispatcherApplication(server.create_backend_app)
    return app, _environ_maker(getattr(server, "MotoRequestHandler", None))


def _control(path: str) -> WireRequest:
    """A request to moto's own documented control API."""
    return WireRequest("POST", f"http://motoapi.amazonaws.com/moto-api/{path}", (("Content-Length", "0"),))


def _environ_maker(handler: type[Any] | None) -> Callable[[WireRequest], dict[str, Any]]:
    """How a request becomes a WSGI environment: as the server's own request handler does it.

    moto's handler keeps the underscores of S3's metadata names, which WSGI would fold into hyphens.
    """
    from werkzeug.serving import WSGIRequestHandler  # noqa: PLC0415 - comes with moto

    class Recorder(handler or WSGIRequestHandler):  # type: ignore[misc]
        """The handler without its socket."""

        def __init__(self, request: WireRequest) -> None:
            parts = urlsplit(request.url)
            self.command = request.method
            self.path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
            self.request_version = "HTTP/1.1"
            self.rfile = io.BytesIO(request.body)
            self.client_address = ("127.0.0.1", 0)
            self.connection = None
            self.server = _Nowhere(parts.hostname or "localhost", parts.port or 443)
            self.headers = Message()
            for name, value in _headers(request, parts.netloc):
                self.headers[name] = value

    def make(request: WireRequest) -> dict[str, Any]:
        environ: dict[str, Any] = Recorder(request).make_environ()
        environ["wsgi.url_scheme"] = urlsplit(request.url).scheme
        return environ

    return make


def _headers(request: WireRequest, host: str) -> list[tuple[str, str]]:
    """The request's headers as a server would see them: with a host, and with the length of the body that was read."""
    ours = {"host", "content-length", "transfer-encoding"}
    kept = [(name, value) for name, value in request.headers if name.lower() not in ours]
    return [*kept, ("Host", request.header("host") or host), ("Content-Length", str(len(request.body)))]


class _Nowhere:
    """What a request handler asks of its server."""

    ssl_context = None
    multithread = True
    multiprocess = False

    def __init__(self, host: str, port: int) -> None:
        self.server_address = (host, port)


def _error_code(response: WireResponse) -> str | None:
    """The AWS error code of moto's answer, wherever its protocol puts it."""
    if response.status < 400:
        return None
    headers = {name.lower(): value for name, value in response.headers}
    if kind := headers.get("x-amzn-errortype"):
        return kind.partition(":")[0]
    body = _whole(response)
    if found := _CODE.search(body):
        return found[1].decode()
    try:
        return str(json.loads(body)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        return str(response.status)


def _whole(response: WireResponse) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""
