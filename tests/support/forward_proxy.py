"""A forward proxy for HTTP_PROXY and HTTPS_PROXY on a local port, which fails requests where a test requires it.

    with ForwardProxy() as proxy:
        proxy.fail("after")
        requests.post(url, proxies={"http": proxy.url, "https": proxy.url})

The proxy forwards a plain HTTP request as a whole. CONNECT opens a tunnel, in which the proxy sees TLS records only.
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import ssl
import threading
from typing import TYPE_CHECKING, Literal

from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Iterator

Phase = Literal["", "refuse", "stall", "hang-up", "before", "after"]

_APPLICATION_DATA = b"\x17"
"""The first byte of a TLS record with application data. Up to TLS 1.2, no handshake record begins with it."""
_END_OF_HEAD = b"\r\n\r\n"
_REFUSED = b"HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: 14\r\nConnection: close\r\n\r\n<h1>Squid</h1>"
_OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ThreadedServer(socketserver.ThreadingTCPServer):
    """A server that runs in the background, and handles each connection in its own thread."""

    daemon_threads = True
    block_on_close = False

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class ForwardProxy(ThreadedServer):
    """The proxy.

    Attributes:
        url: The URL for HTTP_PROXY.
        taken: The number of requests and tunnels that clients requested.
        forwarded: Whether one of these requests reached its service.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hop)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.fail()

    def fail(self, phase: Phase = "", *, status: bytes = b"403 Forbidden") -> None:
        """Fail all requests from now on.

        Args:
            phase: `refuse` answers with the status, `stall` never answers, `hang-up` closes the connection at once.
                `before` closes it before a request is forwarded, `after` when the response has arrived.
            status: The status that the proxy answers with `refuse`.
        """
        self.phase, self.status = phase, status
        self.taken, self.forwarded = 0, False


class _Hop(socketserver.BaseRequestHandler):
    """Handler of one client connection."""

    server: ForwardProxy
    request: socket.socket

    def handle(self) -> None:
        """Serve one request, or one tunnel."""
        with contextlib.suppress(OSError):
            message = read_message(self.request)
            self.server.taken += bool(message)
            if message:
                self._serve(message)

    def _serve(self, message: bytes) -> None:
        method, target, _ = message.split(b" ", 2)
        if self.server.phase == "refuse":
            self.request.sendall(_REFUSED % self.server.status)
        elif self.server.phase == "stall":
            self.request.recv(1)  # until the client disconnects
        elif self.server.phase == "hang-up":
            return
        elif method == b"CONNECT":
            self._tunnel(target)
        elif self.server.phase != "before":
            self._forward(message, target)

    def _forward(self, message: bytes, target: bytes) -> None:
        address, slash, path = target.removeprefix(b"http://").partition(b"/")
        message = message.replace(target, slash + path, 1).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        with _connected(address) as upstream:
            self.server.forwarded = True
            upstream.sendall(message.replace(b"\r\nConnection: keep-alive", b""))
            response = b""
            with contextlib.suppress(ConnectionError):
                response = b"".join(data for _, data in _between(self.request, upstream))
        if self.server.phase != "after":
            self.request.sendall(response or _REFUSED % b"502 Bad Gateway")

    def _tunnel(self, target: bytes) -> None:
        with _connected(target) as upstream:
            self.request.sendall(_OPEN)
            for sender, data in _between(self.request, upstream):
                is_request = sender is self.request
                if data.startswith(_APPLICATION_DATA):
                    if self.server.phase == ("before" if is_request else "after"):
                        return
                    self.server.forwarded = True
                (upstream if is_request else self.request).sendall(data)


class TlsFront(ThreadedServer):
    """Terminates TLS for a plain HTTP server on this machine.

    Attributes:
        url: The URL that it listens on.
    """

    def __init__(self, context: ssl.SSLContext, upstream: int) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that the proxy can distinguish data from a handshake
        self.context, self.upstream = context, upstream
        super().__init__(("127.0.0.1", 0), _Front)
        self.url = f"https://127.0.0.1:{self.server_address[1]}"


class _Front(socketserver.BaseRequestHandler):
    server: TlsFront
    request: socket.socket

    def handle(self) -> None:
        """Forward one request and its response."""
        with (
            contextlib.suppress(OSError),
            self.server.context.wrap_socket(self.request, server_side=True) as client,
            _connected(b"127.0.0.1:%d" % self.server.upstream) as upstream,
        ):
            upstream.sendall(read_message(client).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            while chunk := upstream.recv(65536):
                client.sendall(chunk)


def read_message(client: socket.socket) -> bytes:
    """Read one request with its body; empty if the client disconnects."""
    message = b""
    while _END_OF_HEAD not in message:
        if not (chunk := client.recv(65536)):
            return b""
        message += chunk
    head, _, body = message.partition(_END_OF_HEAD)
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    remaining = int(lengths[0]) - len(body) if lengths else 0
    while remaining > 0 and (chunk := client.recv(65536)):
        message, remaining = message + chunk, remaining - len(chunk)
    return message


def _between(client: socket.socket, upstream: socket.socket) -> Iterator[tuple[socket.socket, bytes]]:
    """Yield the data that either side sends, until one of them closes the connection."""
    while True:
        for sender in select.select([client, upstream], [], [])[0]:
            if not (data := sender.recv(65536)):
                return
            yield sender, data


def _connected(address: bytes) -> socket.socket:
    host, _, port = address.decode().partition(":")
    return socket.create_connection((host, int(port)), timeout=10)
