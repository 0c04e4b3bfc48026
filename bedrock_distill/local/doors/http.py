"""The door over loopback HTTP, for other processes, other languages, the AWS CLI and asynchronous clients.

werkzeug serves on 127.0.0.1 only, with a connection and a thread for each request. Event streams go out frame by frame in
chunked encoding.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from bedrock_distill.local.doors.environment import UNSET, client_environment
from bedrock_distill.local.gateway.dialects import dialect_of, render_plain_error
from bedrock_distill.local.gateway.effects import Disconnected
from bedrock_distill.local.gateway.targets import NotServedError
from bedrock_distill.local.gateway.wire import WireRequest, WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bedrock_distill.local.gateway.gateway import Gateway

__all__ = ["Server"]

log = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_RAW_HEADERS = "local_cloud.headers"
_LARGEST_BODY = 5 << 30
"""What S3 takes in one request."""


class Server:
    """The local cloud as an HTTP server on this machine.

    Args:
        gateway: Who answers.
        region: The region that clients are told to use.
        port: Port to listen on; 0 takes a free one.
        on_close: Called once, when the server has stopped.

    Raises:
        OSError: If the port is taken.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        region: str,
        port: int = 0,
        on_close: Callable[[Server], object] = lambda _: None,
    ) -> None:
        self._on_close = on_close
        self._server = _Server(gateway, port)
        self.host = _HOST
        self.port: int = self._server.port
        self.url = f"http://{_HOST}:{self.port}"
        self.environment: dict[str, str] = client_environment(self.url, region)
        """What a client in another process exports."""
        self.unset: tuple[str, ...] = UNSET
        """Variables that would lead such a client elsewhere: it should not have them."""
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="local-cloud-http",
            daemon=True,
        )
        self._thread.start()
        self._closed = False

    def close(self) -> None:
        """Stop listening, end the connections, and wait for the server's thread. Twice is once."""
        if self._closed:
            return
        self._closed = True
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()
        self._on_close(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Server({self.url!r})"


class _Server(ThreadedWSGIServer):  # type: ignore[misc]
    """werkzeug's threaded server, which knows its connections so that it can end them."""

    daemon_threads = True

    def __init__(self, gateway: Gateway, port: int) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        # Bound here: werkzeug ends the process where a port is taken.
        with socket.create_server((_HOST, port), backlog=128) as listening:
            super().__init__(_HOST, port, _Application(gateway), _Handler, fd=listening.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End every connection; the threads that serve them notice and return."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ARG002 - werkzeug's signature
        log.debug(message, *args)


class _Handler(WSGIRequestHandler):  # type: ignore[misc]
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every small frame waits for the last one's acknowledgement

    def handle_expect_100(self) -> bool:
        """Werkzeug sends the interim answer itself; once is enough."""
        return True

    def make_environ(self) -> dict[str, Any]:
        """Werkzeug's, with the headers as they came: WSGI drops names with underscores, which S3's metadata may have."""
        environ: dict[str, Any] = super().make_environ()
        environ[_RAW_HEADERS] = tuple(self.headers.items())
        return environ

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:  # noqa: ARG002 - werkzeug's signature
        """The client is gone, or a fault rule wants it to think that we are."""
        self.close_connection = True

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """The call log has it."""


class _Application:
    """The gateway as a WSGI application."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _head(environ)
        try:
            response = self._gateway.handle(replace(request, body=_body(environ)), door="http")
        except Disconnected:
            raise
        except _UnreadableBodyError as error:
            response = _refusal(request, "IncompleteBody", str(error), 400)
        except NotServedError as error:
            response = _refusal(request, "NotImplementedException", str(error), 501)
        except Exception:
            log.exception("The local cloud failed at %s %s", request.method, request.path)
            response = _refusal(
                request, "InternalServerException", "The local cloud failed; its log says where.", 500
            )
        start_response(f"{response.status} {_phrase(response.status)}", _framed(request, response))
        return response.pieces()


class _UnreadableBodyError(Exception):
    """The body is not what its headers promise: a client that broke off, or one that cannot count."""


def _framed(request: WireRequest, response: WireResponse) -> list[tuple[str, str]]:
    """The answer's headers, with the length of a body that is whole; one that streams goes out in chunks."""
    if request.method == "HEAD":
        return response.headers  # the length of what a GET would have brought
    headers = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
    if isinstance(response.body, bytes) and response.status not in (204, 304):
        headers.append(("Content-Length", str(len(response.body))))
    return headers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _refusal(request: WireRequest, code: str, message: str, status: int) -> WireResponse:
    """An answer to a request that no service has seen."""
    signature = request.signature
    dialect = dialect_of(request, signature.service if signature else "")
    return render_plain_error(dialect, code, message, request_id="local-cloud", status=status)


def _head(environ: dict[str, Any]) -> WireRequest:
    """The request without its body."""
    # RAW_URI keeps the escapes that PATH_INFO has lost: an ARN in a path carries slashes.
    target = environ["RAW_URI"]
    url = target if target.startswith("http") else f"http://{environ.get('HTTP_HOST') or _HOST}{target}"
    if not _is_readable(url):
        url = f"http://{_HOST}/{target.lstrip('/')}"
    return WireRequest(environ["REQUEST_METHOD"], url, environ[_RAW_HEADERS])


def _is_readable(url: str) -> bool:
    """Whether host and port can be told; a client may write anything into its Host header."""
    try:
        return bool(urlsplit(url).hostname) and (urlsplit(url).port or 0) >= 0
    except ValueError:
        return False


def _body(environ: dict[str, Any]) -> bytes:
    """The whole body.

    Raises:
        _UnreadableBodyError: If it ends early or its framing is broken. Half an object must not be stored as a whole one.
    """
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated", False):
        try:
            return bytes(stream.read())
        except (OSError, ValueError) as error:
            raise _UnreadableBodyError(f"The chunks of the body cannot be read: {error}") from error
    promised = environ.get("CONTENT_LENGTH") or "0"
    if not (promised.isdecimal() and int(promised) <= _LARGEST_BODY):
        raise _UnreadableBodyError(
            f"A body has a Content-Length from 0 to {_LARGEST_BODY}, not {promised!r}."
        )
    body = bytes(stream.read(int(promised)))
    if len(body) < int(promised):
        raise _UnreadableBodyError(f"The body ended after {len(body)} of {promised} bytes.")
    return body
