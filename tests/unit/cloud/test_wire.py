"""Connection failures of real sockets: how exceptions of requests and urllib3 are mapped to errors."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ecs_pulumi.cloud import transport
from ecs_pulumi.cloud.connection import Connection
from ecs_pulumi.cloud.errors import (
    ConfigurationError,
    ConnectionFailed,
    ResponseLost,
    ServerError,
    may_have_taken_effect,
)
from ecs_pulumi.cloud.transport import Request
from tests.support.forward_proxy import ForwardProxy, Phase, read_message
from tests.unit.cloud.fakes import FakeClock, FakeCloud, settings

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"


class Server:
    """Accepts connections and passes each to a function."""

    def __init__(self, handle: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self._handle = handle
        self._context = context
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.accepted += 1
                with contextlib.suppress(OSError), sock, self._wrapped(sock) as connection:
                    self._handle(connection)

    def _wrapped(self, sock: socket.socket) -> socket.socket:
        return self._context.wrap_socket(sock, server_side=True) if self._context else sock

    def close(self) -> None:
        """Stop accepting connections."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self.listener.close()
        self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers that are closed at the end of the test."""
    servers: list[Server] = []

    def start(handle: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(handle, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _send(
    url: str, method: str, *, clock: FakeClock | None = None, read_timeout: float = 0.1, cacert: str | None = None
) -> None:
    """Send one request to a real socket, with a token from the fake cloud."""
    connection = Connection(settings(max_retries=1, cacert=cacert), clock=clock or FakeClock())
    connection.transport.http.mount("https://iam.test", FakeCloud())
    connection.transport.read_timeout = read_timeout
    connection.transport.send(Request(method, url, "compute", {"server": {}}))


def _drop(connection: socket.socket) -> None:
    """Close the connection after reading the request, without a response."""
    read_message(connection)


def _close_during_handshake(connection: socket.socket) -> None:
    """Close the connection during the TLS handshake."""
    connection.recv(65536)


def _reset(connection: socket.socket) -> None:
    """Reset the connection after reading the request."""
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _send_half(connection: socket.socket) -> None:
    """Close the connection in the middle of the response body."""
    connection.recv(65536)
    connection.sendall(HEAD + b'{"server": ')


def _stall(connection: socket.socket) -> None:
    """Read the request and send no response while the client waits."""
    read_message(connection)
    connection.recv(1)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.test"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_host_name_that_cannot_be_resolved_is_a_configuration_error(scheme: str, host: str) -> None:
    """Requests passes on the exception of urllib3 for such a name, which is not one of its own."""
    with pytest.raises(ConfigurationError, match=f"{scheme}://{host}/servers is not a usable URL"):
        _send(f"{scheme}://{host}/servers", "GET")


@pytest.mark.parametrize("handle", [_drop, _reset, _send_half, _stall])
def test_broken_connection_after_request_raises_response_lost(
    serve: Callable[..., Server], handle: Callable[[socket.socket], None]
) -> None:
    """A create is sent once and raises ``ResponseLost``; a read is retried."""
    server = serve(handle)
    with pytest.raises(ResponseLost):
        _send(f"http://127.0.0.1:{server.port}/servers", "POST")
    assert server.accepted == 1
    with pytest.raises(ConnectionFailed) as caught:
        _send(f"http://127.0.0.1:{server.port}/servers", "GET")
    assert not isinstance(caught.value, ResponseLost)
    assert f"http://127.0.0.1:{server.port} (compute)" in str(caught.value)


RESPONSE = HEAD.replace(b"100", b"200") + b'{"server": {"name": "' + b"x" * 176 + b'"}}'
CHUNKED = HEAD.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked") + b"1\r\n{\r\n" + b"1\r\n \r\n" * 200


def _drip(response: bytes, after: int, pause: float = 0.03) -> Callable[[socket.socket], None]:
    """Return a handler that sends a response byte by byte after the first ones, never slower than the read timeout."""

    def handle(connection: socket.socket) -> None:
        read_message(connection)
        connection.sendall(response[:after])
        for at in range(after, len(response)):
            connection.sendall(response[at : at + 1])
            time.sleep(pause)

    return handle


@pytest.mark.parametrize(
    ("response", "after"),
    [
        pytest.param(RESPONSE, 0, id="status"),
        pytest.param(RESPONSE, 20, id="headers"),
        pytest.param(RESPONSE, len(HEAD) + 5, id="body"),
        pytest.param(CHUNKED, len(HEAD) + 20, id="chunks"),
    ],
)
def test_response_that_never_ends_counts_as_lost(origin: "Origin", response: bytes, after: int) -> None:
    """A response that arrives byte by byte is given up, although no byte takes as long as the read timeout."""
    server = origin.start(_drip(response, after))
    with pytest.raises(ResponseLost):
        origin.post(server, read_timeout=0.1)
    assert server.accepted == 1


def test_response_through_proxy_that_never_ends_counts_as_lost(proxy: ForwardProxy, origin: "Origin") -> None:
    """The same holds behind a proxy."""
    assert proxy.url
    server = origin.start(_drip(RESPONSE, 0))
    with pytest.raises(ResponseLost):
        origin.post(server, read_timeout=0.1)


def test_slow_response_arrives(serve: Callable[..., Server]) -> None:
    """A response may take longer than the read timeout as a whole."""
    server = serve(_drip(RESPONSE, len(RESPONSE) - 4, pause=0.3))
    _send(f"http://127.0.0.1:{server.port}/servers", "GET", read_timeout=0.9)
    assert server.accepted == 1


@pytest.mark.parametrize("poll", [False, True], ids=["request", "poll"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_every_request_ends(
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    poll: bool,  # noqa: FBT001
) -> None:
    """No request and no poll waits for a response that never ends."""
    monkeypatch.setattr(transport, "POLL_READ_TIMEOUT", 0.1)
    server = serve(_drip(RESPONSE, 0))
    connection = Connection(settings(max_retries=0), clock=FakeClock())
    connection.transport.http.mount("https://iam.test", FakeCloud())
    connection.transport.read_timeout = 0.1
    with pytest.raises(ConnectionFailed):
        connection.transport.send(Request(method, f"http://127.0.0.1:{server.port}/x", "compute"), poll=poll)


def test_login_and_discovery_end(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests that keystoneauth sends are limited as well."""
    monkeypatch.setattr(transport, "READ_TIMEOUT", 0.1)
    url = f"http://127.0.0.1:{serve(_drip(RESPONSE, 0)).port}"
    with pytest.raises(ConnectionFailed):
        Connection(settings(max_retries=0, auth_url=f"{url}/v3"), clock=FakeClock()).transport.access()
    cloud = FakeCloud()
    cloud.catalog["compute"] = url
    connection = Connection(settings(max_retries=0), clock=FakeClock())
    connection.transport.http.mount("https://iam.test", cloud)
    with pytest.raises(ConnectionFailed):
        assert connection.region().compute.versions


def test_broken_tls_handshake_raises_response_lost(serve: Callable[..., Server]) -> None:
    """OpenSSL reports a broken handshake like a broken response: reads are retried, creates raise ``ResponseLost``."""
    server = serve(_close_during_handshake)
    with pytest.raises(ResponseLost):
        _send(f"https://127.0.0.1:{server.port}/servers", "POST")
    assert server.accepted == 1
    with pytest.raises(ConnectionFailed, match="the connection broke"):
        _send(f"https://127.0.0.1:{server.port}/servers", "GET")
    assert server.accepted == 3


class Origin:
    """Starts services that receive requests with plain HTTP or TLS."""

    def __init__(self, scheme: str, serve: Callable[..., Server], folder: Path) -> None:
        self.scheme = scheme
        self.cacert = str(folder / "ca.pem")
        authority, self._serve, self._context = trustme.CA(), serve, None
        authority.cert_pem.write_to_path(self.cacert)
        if scheme == "https":
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.maximum_version = ssl.TLSVersion.TLSv1_2  # required by ForwardProxy
            authority.issue_cert("127.0.0.1").configure_cert(self._context)

    def start(self, handle: Callable[[socket.socket], None]) -> Server:
        """Start a service that passes each connection to this function."""
        return self._serve(handle, self._context)

    def post(self, server: Server, clock: FakeClock | None = None, read_timeout: float = 5.0) -> None:
        """Send a POST to a service."""
        url = f"{self.scheme}://127.0.0.1:{server.port}/servers"
        _send(url, "POST", clock=clock, read_timeout=read_timeout, cacert=self.cacert)


@pytest.fixture(params=["http", "https"])
def origin(request: pytest.FixtureRequest, serve: Callable[..., Server], tmp_path: Path) -> Origin:
    """A service for each scheme: a proxy forwards HTTP requests and opens a tunnel for HTTPS."""
    return Origin(request.param, serve, tmp_path)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    """A forward proxy that is set in the environment variables."""
    with ForwardProxy() as running:
        _use_proxy(monkeypatch, running.url)
        yield running


def _use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        value = "" if name == "no_proxy" else url
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)


def _answer(connection: socket.socket) -> None:
    """Send a valid response."""
    read_message(connection)
    connection.sendall(HEAD.replace(b"100", b"2") + b"{}")


def _refuse(connection: socket.socket) -> None:
    """Reject the data with 400, as for an invalid request."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_request_through_proxy(proxy: ForwardProxy, origin: Origin) -> None:
    """A request succeeds if the proxy forwards it or opens a tunnel."""
    server = origin.start(_answer)
    origin.post(server)
    assert (proxy.forwarded, proxy.taken, server.accepted) == (True, 1, 1)


@pytest.mark.parametrize(("phase", "forwarded"), [("before", False), ("after", True)])
def test_response_lost_at_proxy(
    phase: Phase,
    forwarded: bool,  # noqa: FBT001
    proxy: ForwardProxy,
    origin: Origin,
) -> None:
    """urllib3 reports a failed connection to the proxy, but the request may have been sent and is not retried."""
    server = origin.start(_answer)
    proxy.fail(phase)
    with pytest.raises(ResponseLost, match="the connection broke") as caught:
        origin.post(server)
    assert (proxy.taken, proxy.forwarded, caught.value.is_timeout) == (1, forwarded, False)


def test_response_lost_behind_proxy(proxy: ForwardProxy, origin: Origin) -> None:
    """A forwarding proxy answers 502 and a tunnel breaks; in both cases the request may have taken effect."""
    server = origin.start(_drop)
    with pytest.raises((ResponseLost, ServerError)) as caught:
        origin.post(server)
    assert may_have_taken_effect(caught.value)
    assert (proxy.taken, server.accepted) == (1, 1)


def test_timeout_behind_proxy(proxy: ForwardProxy, origin: Origin) -> None:
    """The error is a timeout, because the service may still process the request."""
    server = origin.start(_stall)
    with pytest.raises(ResponseLost, match="no response in time") as caught:
        origin.post(server, read_timeout=0.1)
    assert (proxy.taken, server.accepted, caught.value.is_timeout) == (1, 1, True)


@pytest.mark.parametrize("scheme", ["http://127.0.0.1:{port}", "http://proxy.invalid:3128"])
def test_unreachable_proxy_is_retried(scheme: str, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request was not sent, so it is retried; the error names the proxy variables."""
    server, clock = origin.start(_answer), FakeClock()
    _use_proxy(monkeypatch, scheme.format(port=_closed_port()))
    with pytest.raises(
        ConnectionFailed, match=r"through the proxy of HTTP_PROXY or HTTPS_PROXY: (connection refused|no address)"
    ) as caught:
        origin.post(server, clock)
    assert not isinstance(caught.value, ResponseLost)
    assert (clock.slept, server.accepted) == ([0.5], 0)


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_rejected_tunnel_is_retried(status: str, proxy: ForwardProxy, origin: Origin) -> None:
    """The request was not sent, so it is retried; the error contains the proxy's status."""
    server, clock = origin.start(_answer), FakeClock()
    proxy.fail("refuse", status=status.encode())
    with pytest.raises(ConnectionFailed, match=rf"HTTPS_PROXY: {status}\. Check these variables") as caught:
        origin.post(server, clock)
    assert not isinstance(caught.value, ResponseLost)
    assert (clock.slept, proxy.taken, server.accepted) == ([0.5], 2, 0)


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_tunnel_timeout_is_retried(proxy: ForwardProxy, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """If CONNECT times out because the service is down, the request was not sent, so it is retried."""
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.1)
    server, clock = origin.start(_answer), FakeClock()
    proxy.fail("stall")
    with pytest.raises(ConnectionFailed, match=r"HTTPS_PROXY: no response\.") as caught:
        origin.post(server, clock)
    assert not isinstance(caught.value, ResponseLost)
    assert clock.slept == [0.5]


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_broken_connect_raises_response_lost(proxy: ForwardProxy, origin: Origin) -> None:
    """urllib3 reports it like a connection that breaks later, so the request may have been sent."""
    server = origin.start(_answer)
    proxy.fail("hang-up")
    with pytest.raises(ResponseLost):
        origin.post(server)
    assert (proxy.taken, server.accepted) == (1, 0)


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_certificate_error_behind_proxy(proxy: ForwardProxy, origin: Origin, tmp_path: Path) -> None:
    """A certificate that does not verify is reported for the service, not for the proxy."""
    trustme.CA().cert_pem.write_to_path(origin.cacert)
    with pytest.raises(ConnectionFailed, match=r"The certificate of https://127\S+ \(compute\) does not verify"):
        origin.post(origin.start(_answer))


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_tls_error_of_proxy_names_variables(
    origin: Origin, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If HTTPS_PROXY is an https URL and the proxy uses plain HTTP, the error names the variables."""
    _use_proxy(monkeypatch, f"https://127.0.0.1:{serve(_refuse).port}")
    with pytest.raises(ConnectionFailed, match="No TLS connection to the proxy of HTTP_PROXY or HTTPS_PROXY"):
        origin.post(origin.start(_answer))


@pytest.mark.parametrize("url", ["http:///proxy", "http://a..b:3128"])
def test_invalid_proxy_url_error_names_variables(origin: Origin, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The error for a proxy URL without a host, or with an invalid one, does not mention the service's URL."""
    _use_proxy(monkeypatch, url)
    with pytest.raises(ConfigurationError, match="The URL of the proxy of HTTP_PROXY or HTTPS_PROXY cannot be used: "):
        origin.post(origin.start(_answer))


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_refused_connection_is_retried() -> None:
    """If the connection is refused, the request was not sent, so even a create is retried."""
    clock = FakeClock()
    with pytest.raises(ConnectionFailed, match="connection refused") as caught:
        _send(f"http://127.0.0.1:{_closed_port()}/servers", "POST", clock=clock)
    assert not isinstance(caught.value, ResponseLost)
    assert clock.slept == [0.5]


def test_unresolved_host_error() -> None:
    """The error contains the host name; a name in ``.invalid`` never resolves."""
    with pytest.raises(ConnectionFailed, match=r"no address is known for the name nova\.invalid"):
        _send("http://nova.invalid/servers", "GET")


def test_https_url_of_plain_http_service(serve: Callable[..., Server]) -> None:
    """The error suggests to check the URL's scheme; it does not mention certificates that fail verification."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(HEAD)

    with pytest.raises(ConnectionFailed, match=r"No TLS connection to https://127.*Check the URL's scheme"):
        _send(f"https://127.0.0.1:{serve(answer).port}/servers", "GET")


def test_self_signed_certificate_error(serve: Callable[..., Server], tmp_path: Path) -> None:
    """The error contains OpenSSL's reason, and the request is not retried."""
    server = serve(_drop, _certificate(tmp_path))
    clock = FakeClock()
    with pytest.raises(
        ConnectionFailed, match=r"does not verify: self-signed certificate\. Name its CA's file"
    ) as caught:
        _send(f"https://127.0.0.1:{server.port}/servers", "GET", clock=clock)
    assert not caught.value.temporary
    assert clock.slept == []


def _certificate(folder: Path) -> ssl.SSLContext:
    """A server-side TLS context with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nova.test")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context
