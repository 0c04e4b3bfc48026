"""moto, which answers for S3, IAM, STS, KMS, CloudWatch and Logs. The only file that knows it.

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
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.local.gateway.dialects import dialect_of, render_plain_error
from bedrock_distill.local.gateway.wire import WireRequest, WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOTO_SERVICES", "Moto"]

MOTO_SERVICES = ("s3", "iam", "sts", "kms", "cloudwatch", "logs")
"""The services moto answers for, as boto3 names them."""

log = logging.getLogger(__name__)
_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_READ_ALREADY = frozenset({"content-length", "host", "transfer-encoding"})
_METADATA = "x-amz-meta-"
_UNDERSCORE = "-x5f-"
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
        self._turn = threading.Lock()
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
        app, environ = _load(), _environ(request, self._account_id)
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            started[:] = [int(status[:3]), headers]

        # moto does not say that it is safe in threads, and is not: it closes an object's bytes when the object is written
        # again, also under someone who is reading them. One request at a time, as far as the last byte of its answer.
        with self._turn:
            pieces = app(environ, start_response)
            try:
                body = b"".join(pieces)
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
        status, headers = started
        kept = [
            (_with_underscores(name), value) for name, value in headers if name.lower() not in _HOP_BY_HOP
        ]
        return WireResponse(status, kept, body)

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
def _load() -> Callable[..., Any]:
    """The WSGI application that moto is."""
    try:
        from moto import server  # noqa: PLC0415 - half a second, and only where S3 or IAM is used
    except ImportError as error:
        raise MissingDependencyError(
            "The local cloud's S3, IAM and STS come from moto with flask, which is not installed. "
            "Install it with: pip install 'bedrock-distill[local]'",
            extra="local",
        ) from error
    app: Any = server.DomainDispatcherApplication(server.create_backend_app)
    # For each request moto lists its own directory to see which service a host is: a third of what a small request takes.
    app.get_backend_for_host = cache(app.get_backend_for_host)
    made: Callable[..., Any] = app
    return made


def _control(path: str) -> WireRequest:
    """A request to moto's own documented control API."""
    return WireRequest("POST", f"http://motoapi.amazonaws.com/moto-api/{path}", (("Content-Length", "0"),))


def _environ(request: WireRequest, account_id: str) -> dict[str, Any]:
    """A request as WSGI has it."""
    parts = urlsplit(request.url)
    target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        # WSGI's texts are bytes in disguise.
        "PATH_INFO": unquote_to_bytes(parts.path or "/").decode("latin-1"),
        "QUERY_STRING": parts.query,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or 443),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_HOST": request.header("host") or parts.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        if name.lower() not in _READ_ALREADY:
            key = _without_underscores(name).upper().replace("-", "_")
            key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = account_id
    return environ


def _without_underscores(name: str) -> str:
    """The name of an S3 metadata header, in which WSGI would take an underscore for a hyphen."""
    return name.replace("_", _UNDERSCORE) if name.lower().startswith(_METADATA) else name


def _with_underscores(name: str) -> str:
    return name.lower().replace(_UNDERSCORE, "_") if name.lower().startswith(_METADATA) else name


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
