"""An S3 that is never the bottleneck, for benchmarks of clients: it lists and gets, over TLS, in processes of its own."""

from __future__ import annotations

import ipaddress
import multiprocessing
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["serving"]

_PROCESSES = 2
_PAGE = 1000
_HEADERS = (  # those that S3 sends with an object that was put without any settings
    "x-amz-id-2: 8IrtAoE2sQ0dTnHh3iMdLqn2zqXgVKjW5bYcRfUeTs1pO7aBxC9dEfGhIjKlMnOpQrStUvWxYz0=",
    "x-amz-request-id: 4M5N6P7Q8R9S0T1V",
    "Date: Sun, 01 Nov 2026 00:00:01 GMT",
    "Last-Modified: Sun, 01 Nov 2026 00:00:00 GMT",
    'ETag: "d41d8cd98f00b204e9800998ecf8427e"',
    "x-amz-checksum-type: FULL_OBJECT",
    "x-amz-server-side-encryption: AES256",
    "Accept-Ranges: bytes",
    "Server: AmazonS3",
)


@contextmanager
def serving(objects, folder):
    """Serve objects (key -> bytes), whatever the bucket is called; the URL, and the certificate to trust."""
    bundle, server = certificates(Path(folder))
    context = multiprocessing.get_context("fork")  # the objects are shared, not copied
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    processes = [
        context.Process(target=serve, args=(listener, objects, server), daemon=True)
        for _ in range(_PROCESSES)
    ]
    for process in processes:
        process.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", bundle
    finally:
        for process in processes:
            process.terminate()
            process.join()
        listener.close()


def certificates(folder):
    """An authority's certificate, and a file with a certificate for 127.0.0.1 that it signed and its key."""
    begin, end = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority, host = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("Benchmark", "127.0.0.1")
    )

    def signed(subject, key, *extensions):
        builder = x509.CertificateBuilder(authority, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(begin).not_valid_after(end)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    bundle, server = folder / "authority.pem", folder / "server.pem"
    bundle.write_bytes(signed(authority, keys[0], (x509.BasicConstraints(ca=True, path_length=0), True)))
    secret = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(signed(host, keys[1], (address, False)) + secret)
    return bundle, server


def serve(listener, objects, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    keys = sorted(objects)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=talk, args=(context, connection, keys, objects), daemon=True).start()


def talk(context, connection, keys, objects):
    """Answer the requests of one connection; none of them has a body."""
    with suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
        pending = b""
        while True:
            head, end, rest = pending.partition(b"\r\n\r\n")
            if end:
                pending = rest
                stream.sendall(answer(head, keys, objects))
            elif received := stream.recv(65_536):
                pending += received
            else:
                return


def answer(head, keys, objects):
    """The whole response to a request for an object or a page of a listing."""
    target = urlsplit(head.split(b" ", 2)[1].decode())
    _, _, key = unquote(target.path).lstrip("/").partition("/")
    if not key:
        return response(200, page(parse_qs(target.query), keys, objects), "application/xml")
    if key in objects:
        return response(200, objects[key], "binary/octet-stream")
    return response(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")


def page(query, keys, objects):
    prefix, token, start = (
        query.get(name, [""])[0] for name in ("prefix", "continuation-token", "start-after")
    )
    after = max(token, start)
    found = [key for key in keys if key.startswith(prefix) and key > after]
    token = f"<NextContinuationToken>{found[_PAGE - 1]}</NextContinuationToken>" if len(found) > _PAGE else ""
    contents = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        f"<Size>{len(objects[key])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key in found[:_PAGE]
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>{str(bool(token)).lower()}</IsTruncated>'
        f"{token}{contents}</ListBucketResult>"
    ).encode()


def response(status, body, kind):
    head = (
        f"HTTP/1.1 {status} -",
        *_HEADERS,
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(head).encode() + body
