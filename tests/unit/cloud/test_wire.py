"""Real sockets that misbehave: what requests and urllib3 make of them is understood for what it is."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
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
    """Accepts connections and treats each as it is told."""

    def __init__(self, treat: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken = 0
        self._treat = treat
        self._context = context
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                self.taken += 1
                with contextlib.suppress(OSError), plain, self._opened(plain) as connection:
                    self._treat(connection)

    def _opened(self, plain: socket.socket) -> socket.socket:
        return self._context.wrap_socket(plain, server_side=True) if self._context else plain

    def close(self) -> None:
        """Accept no more."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self.listener.close()
        self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    servers: list[Server] = []

    def start(treat: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(treat, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _send(
    url: str, method: str, *, clock: FakeClock | None = None, patience: float = 0.1, cacert: str | None = None
) -> None:
    """One request to a real socket, with a token from the fake cloud."""
    connection = Connection(settings(max_retries=1, cacert=cacert), clock=clock or FakeClock())
    connection.transport.http.mount("https://iam.test", FakeCloud())
    connection.transport.patience = patience
    connection.transport.send(Request(method, url, "compute", {"server": {}}))


def _drop(connection: socket.socket) -> None:
    """Close after the request was read, without an answer."""
    read_message(connection)


def _cut(connection: socket.socket) -> None:
    """Close in the middle of a handshake."""
    connection.recv(65536)


def _reset(connection: socket.socket) -> None:
    """Reset after the request was read."""
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _half(connection: socket.socket) -> None:
    """Close in the middle of the answer's body."""
    connection.recv(65536)
    connection.sendall(HEAD + b'{"server": ')


def _stall(connection: socket.socket) -> None:
    """Take the request and say nothing for as long as the client waits."""
    read_message(connection)
    connection.recv(1)


@pytest.mark.parametrize("treat", [_drop, _reset, _half, _stall])
def test_a_connection_that_breaks_after_the_request_loses_the_answer(
    serve: Callable[..., Server], treat: Callable[[socket.socket], None]
) -> None:
    """A create is sent once and reported as lost; a read is repeated."""
    server = serve(treat)
    with pytest.raises(ResponseLost):
        _send(f"http://127.0.0.1:{server.port}/servers", "POST")
    assert server.taken == 1
    with pytest.raises(ConnectionFailed) as caught:
        _send(f"http://127.0.0.1:{server.port}/servers", "GET")
    assert not isinstance(caught.value, ResponseLost)
    assert f"http://127.0.0.1:{server.port} (compute)" in str(caught.value)


def test_a_tls_connection_that_breaks_is_no_wrong_setting(serve: Callable[..., Server]) -> None:
    """OpenSSL tells no handshake that was cut from an answer that was: a read is repeated, a create looked for."""
    server = serve(_cut)
    with pytest.raises(ResponseLost):
        _send(f"https://127.0.0.1:{server.port}/servers", "POST")
    assert server.taken == 1
    with pytest.raises(ConnectionFailed, match="the connection broke"):
        _send(f"https://127.0.0.1:{server.port}/servers", "GET")
    assert server.taken == 3


class Origin:
    """Starts services to send requests to: in plain HTTP, or with TLS."""

    def __init__(self, scheme: str, serve: Callable[..., Server], folder: Path) -> None:
        self.scheme = scheme
        self.cacert = str(folder / "ca.pem")
        authority, self._serve, self._context = trustme.CA(), serve, None
        authority.cert_pem.write_to_path(self.cacert)
        if scheme == "https":
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.maximum_version = ssl.TLSVersion.TLSv1_2  # as ForwardProxy needs it
            authority.issue_cert("127.0.0.1").configure_cert(self._context)

    def start(self, treat: Callable[[socket.socket], None]) -> Server:
        """Start one that treats its connections so."""
        return self._serve(treat, self._context)

    def post(self, server: Server, clock: FakeClock | None = None, patience: float = 5.0) -> None:
        """Send it a POST."""
        url = f"{self.scheme}://127.0.0.1:{server.port}/servers"
        _send(url, "POST", clock=clock, patience=patience, cacert=self.cacert)


@pytest.fixture(params=["http", "https"])
def origin(request: pytest.FixtureRequest, serve: Callable[..., Server], tmp_path: Path) -> Origin:
    """A service with either scheme: a proxy forwards the one and opens a tunnel to the other."""
    return Origin(request.param, serve, tmp_path)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    """A forward proxy that the environment names."""
    with ForwardProxy() as running:
        _use_proxy(monkeypatch, running.url)
        yield running


def _use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        value = "" if name == "no_proxy" else url
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)


def _answer(connection: socket.socket) -> None:
    """Answer as a service does."""
    read_message(connection)
    connection.sendall(HEAD.replace(b"100", b"2") + b"{}")


def _refuse(connection: socket.socket) -> None:
    """Answer what is no request."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_requests_go_through_the_proxy(proxy: ForwardProxy, origin: Origin) -> None:
    """Forwarded or through a tunnel, a request succeeds."""
    server = origin.start(_answer)
    origin.post(server)
    assert (proxy.forwarded, proxy.taken, server.taken) == (True, 1, 1)


@pytest.mark.parametrize(("phase", "forwarded"), [("before", False), ("after", True)])
def test_a_response_lost_at_a_proxy_is_response_lost(
    phase: Phase,
    forwarded: bool,  # noqa: FBT001
    proxy: ForwardProxy,
    origin: Origin,
) -> None:
    """urllib3 calls it a failure to connect to the proxy; it is not sent again all the same."""
    server = origin.start(_answer)
    proxy.fail(phase)
    with pytest.raises(ResponseLost, match="the connection broke") as caught:
        origin.post(server)
    assert (proxy.taken, proxy.forwarded, caught.value.is_timeout) == (1, forwarded, False)


def test_a_response_lost_behind_a_proxy_is_response_lost(proxy: ForwardProxy, origin: Origin) -> None:
    """A proxy that forwards answers 502 then, which may mean that the request took effect; a tunnel breaks."""
    server = origin.start(_drop)
    with pytest.raises((ResponseLost, ServerError)) as caught:
        origin.post(server)
    assert may_have_taken_effect(caught.value)
    assert (proxy.taken, server.taken) == (1, 1)


def test_a_stall_behind_a_proxy_is_a_timeout(proxy: ForwardProxy, origin: Origin) -> None:
    """The service may still be at work on the request."""
    server = origin.start(_stall)
    with pytest.raises(ResponseLost, match="no answer in time") as caught:
        origin.post(server, patience=0.1)
    assert (proxy.taken, server.taken, caught.value.is_timeout) == (1, 1, True)


@pytest.mark.parametrize("scheme", ["http://127.0.0.1:{port}", "http://proxy.invalid:3128"])
def test_a_proxy_that_cannot_be_reached_was_never_sent_to(
    scheme: str, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is repeated, and the failure names the variables."""
    server, clock = origin.start(_answer), FakeClock()
    _use_proxy(monkeypatch, scheme.format(port=_closed_port()))
    with pytest.raises(
        ConnectionFailed, match=r"through the proxy of HTTP_PROXY or HTTPS_PROXY: (connection refused|no address)"
    ) as caught:
        origin.post(server, clock)
    assert not isinstance(caught.value, ResponseLost)
    assert (clock.slept, server.taken) == ([0.5], 0)


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_a_refused_tunnel_carried_nothing(status: str, proxy: ForwardProxy, origin: Origin) -> None:
    """The proxy's own words are shown, and the request is repeated."""
    server, clock = origin.start(_answer), FakeClock()
    proxy.fail("refuse", status=status.encode())
    with pytest.raises(ConnectionFailed, match=rf"HTTPS_PROXY: {status}\. Check these variables") as caught:
        origin.post(server, clock)
    assert not isinstance(caught.value, ResponseLost)
    assert (clock.slept, proxy.taken, server.taken) == ([0.5], 2, 0)


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_a_tunnel_that_opens_too_late_carried_nothing(
    proxy: ForwardProxy, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that waits for a service that is down keeps CONNECT waiting, and the request was never sent."""
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.1)
    server, clock = origin.start(_answer), FakeClock()
    proxy.fail("stall")
    with pytest.raises(ConnectionFailed, match=r"HTTPS_PROXY: no answer\.") as caught:
        origin.post(server, clock)
    assert not isinstance(caught.value, ResponseLost)
    assert clock.slept == [0.5]


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_a_tunnel_that_breaks_while_it_opens_is_response_lost(proxy: ForwardProxy, origin: Origin) -> None:
    """No error of urllib3's tells it from a connection that breaks later, so the object is looked for."""
    server = origin.start(_answer)
    proxy.fail("hang-up")
    with pytest.raises(ResponseLost):
        origin.post(server)
    assert (proxy.taken, server.taken) == (1, 0)


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_a_certificate_in_a_tunnel_is_checked(proxy: ForwardProxy, origin: Origin, tmp_path: Path) -> None:
    """A certificate that does not verify is reported as the service's, not as the proxy's fault."""
    trustme.CA().cert_pem.write_to_path(origin.cacert)
    with pytest.raises(ConnectionFailed, match=r"The certificate of https://127\S+ \(compute\) does not verify"):
        origin.post(origin.start(_answer))


@pytest.mark.parametrize("origin", ["https"], indirect=True)
def test_a_proxy_without_tls_is_named(
    origin: Origin, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY names an https URL, and the proxy speaks plain HTTP."""
    _use_proxy(monkeypatch, f"https://127.0.0.1:{serve(_refuse).port}")
    with pytest.raises(ConnectionFailed, match="No TLS connection to the proxy of HTTP_PROXY or HTTPS_PROXY"):
        origin.post(origin.start(_answer))


def test_a_proxy_url_without_a_host_names_the_variables(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the service's URL."""
    _use_proxy(monkeypatch, "http:///proxy")
    with pytest.raises(ConfigurationError, match="The URL of the proxy of HTTP_PROXY or HTTPS_PROXY cannot be used: "):
        origin.post(origin.start(_answer))


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_closed_port_was_never_sent_to() -> None:
    """Refused is told from lost: nothing happened, so even a create is tried again."""
    clock = FakeClock()
    with pytest.raises(ConnectionFailed, match="connection refused") as caught:
        _send(f"http://127.0.0.1:{_closed_port()}/servers", "POST", clock=clock)
    assert not isinstance(caught.value, ResponseLost)
    assert clock.slept == [0.5]


def test_a_name_that_does_not_resolve_is_told() -> None:
    """``.invalid`` never has an address."""
    with pytest.raises(ConnectionFailed, match=r"no address is known for the name nova\.invalid"):
        _send("http://nova.invalid/servers", "GET")


def test_plain_http_behind_https_is_told(serve: Callable[..., Server]) -> None:
    """The wrong scheme is not mistaken for a bad certificate."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(HEAD)

    with pytest.raises(ConnectionFailed, match=r"No TLS connection to https://127.*Check the URL's scheme"):
        _send(f"https://127.0.0.1:{serve(answer).port}/servers", "GET")


def test_a_self_signed_certificate_is_told(serve: Callable[..., Server], tmp_path: Path) -> None:
    """The reason is OpenSSL's own; nothing is tried twice."""
    server = serve(_drop, _certificate(tmp_path))
    clock = FakeClock()
    with pytest.raises(
        ConnectionFailed, match=r"does not verify: self-signed certificate\. Name its CA's file"
    ) as caught:
        _send(f"https://127.0.0.1:{server.port}/servers", "GET", clock=clock)
    assert not caught.value.temporary
    assert clock.slept == []


def _certificate(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody vouches for."""
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
