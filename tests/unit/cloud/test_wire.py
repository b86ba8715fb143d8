"""Real sockets that misbehave: what requests and urllib3 make of them is understood for what it is."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ecs_pulumi.cloud.connection import Connection
from ecs_pulumi.cloud.errors import AnswerLost, ConnectionFailed
from ecs_pulumi.cloud.transport import Call
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
                with contextlib.suppress(OSError), plain:
                    self._treat(self._context.wrap_socket(plain, server_side=True) if self._context else plain)

    def close(self) -> None:
        """Accept no more."""
        self.listener.close()


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


def _send(url: str, method: str, *, cloud: FakeCloud | None = None, clock: FakeClock | None = None) -> None:
    """One request to a real socket, with a token from the fake cloud."""
    connection = Connection(settings(max_retries=1), clock=clock or FakeClock())
    connection.transport.http.mount("https://iam.test", cloud or FakeCloud())
    connection.transport.patience = 0.1
    connection.transport.send(Call(method, url, "compute", {"server": {}}))


def _drop(connection: socket.socket) -> None:
    """Close after the request was read, without an answer."""
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
    """Take the request and say nothing for longer than anyone waits."""
    connection.recv(65536)
    connection.settimeout(2)
    connection.recv(1)


@pytest.mark.parametrize("treat", [_drop, _reset, _half, _stall])
def test_a_connection_that_breaks_after_the_request_loses_the_answer(
    serve: Callable[..., Server], treat: Callable[[socket.socket], None]
) -> None:
    """A create is sent once and reported as lost; a read is repeated."""
    server = serve(treat)
    with pytest.raises(AnswerLost):
        _send(f"http://127.0.0.1:{server.port}/servers", "POST")
    assert server.taken == 1
    with pytest.raises(ConnectionFailed) as caught:
        _send(f"http://127.0.0.1:{server.port}/servers", "GET")
    assert not isinstance(caught.value, AnswerLost)
    assert f"http://127.0.0.1:{server.port} (compute)" in str(caught.value)


def test_a_tls_connection_that_breaks_is_no_wrong_setting(serve: Callable[..., Server]) -> None:
    """OpenSSL tells no handshake that was cut from an answer that was: a read is repeated, a create looked for."""
    server = serve(_drop)
    with pytest.raises(AnswerLost):
        _send(f"https://127.0.0.1:{server.port}/servers", "POST")
    assert server.taken == 1
    with pytest.raises(ConnectionFailed, match="the connection broke"):
        _send(f"https://127.0.0.1:{server.port}/servers", "GET")
    assert server.taken == 3


def test_a_closed_port_was_never_sent_to() -> None:
    """Refused is told from lost: nothing happened, so even a create is tried again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clock = FakeClock()
    with pytest.raises(ConnectionFailed, match="connection refused") as caught:
        _send(f"http://127.0.0.1:{port}/servers", "POST", clock=clock)
    assert not isinstance(caught.value, AnswerLost)
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
