"""What a connection to the emulator may contain besides valid HTTP: broken lengths, encodings, headers and bytes."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import TYPE_CHECKING

import h11
import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_pulumi.emulator import Emulator
from tests.support.examples import examples

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
SECONDS = 20.0
"""Timeout of the client; a test that waits so long fails."""
BODY = b'{"auth": {"identity": {"methods": []}}}'
LINES = (
    *(
        b"GET / HTTP/1.1",
        b"POST /v3/auth/tokens HTTP/1.1",
        b"GET /v3 HTTP/1.0",
        b"GET /RegionOne/compute/v2.1 HTTP/1.1",
    ),
    *(b"GET /RegionOne/network/v2.0/ports?name=\xff HTTP/1.1", b"GET /RegionOne/network/v2.0/ports?name=%ff HTTP/1.1"),
    *(
        b"GET /\xff HTTP/1.1",
        b"GET /%00 HTTP/1.1",
        b"GET /%zz HTTP/1.1",
        b"GET http://x/v3 HTTP/1.1",
        b"GET * HTTP/1.1",
    ),
    *(b"OPTIONS * HTTP/1.1", b"CONNECT x:1 HTTP/1.1", b"TRACE / HTTP/1.1", b"G\x00T / HTTP/1.1", b"GET /", b"", b"GET"),
    *(b"GET / HTTP/9.9", b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET  / HTTP/1.1"),
    *(
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1",
        b"GET /?" + b"a=1&" * 4000 + b" HTTP/1.1",
        b"get / HTTP/1.1",
        b"\xff" * 50,
    ),
    *(b"GET /_emulator/topology HTTP/1.1", b"POST /_emulator/faults HTTP/1.1", b"PUT /_emulator/quotas HTTP/1.1"),
)
HEADERS = (
    *(
        b"Host: x",
        b"Host: x\r\nHost: y",
        b"Host: \xff",
        b"Host: [::1",
        b": x",
        b"no colon",
        b" folded: x",
        b"A\x00B: x",
    ),
    *(b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 5", b"Content-Length: 1e3", b"Content-Length: +5"),
    *(b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 99", b"Content-Length: 0", b"Content-Length: \xb2"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked\r\nContent-Length: 5"),
    *(
        b"Transfer-Encoding: chunked, chunked",
        b"Expect: 100-continue",
        b"Expect: x",
        b"Connection: close",
        b"Upgrade: h2c",
    ),
    *(
        b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13",
        b"Accept: text/html",
    ),
    *(b"X-Auth-Token: \xff", b"X-Auth-Token: " + b"x" * 60_000, b"X: " + b"x" * 200_000, b"X: y\r\n" * 3000 + b"Z: z"),
    *(b"Content-Encoding: gzip", b"Content-Type: \xff", b"Authorization: SDK-HMAC-SHA256 \xff", b"X-Sdk-Date: \xff"),
    *(b"OpenStack-API-Version: compute \xb2.1", b"Range: bytes=0-", b"X-Forwarded-For: \xff", b"Cookie: \x01"),
)
BODIES = (
    *(b"", BODY, b"{}", b"5\r\n{}   \r\n0\r\n\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n\r\n", b"g\r\n\r\n"),
    *(
        b"5\r\nab\r\n0\r\n\r\n",
        b"5;a=b\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n",
        b"\xff\xfe\x00",
        b"x" * 200_000,
        b"[" * 50_000,
    ),
    BODY + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
)
FATAL = re.compile(rb"HTTP/1\.[01] 5\d\d|Traceback")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """An emulator."""
    with Emulator(dialect="openstack", speed=100) as running:
        yield running


def exchange(cloud: Emulator, sent: bytes) -> bytes:
    """Send bytes, close the sending side, and return all bytes that the emulator sends."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2])), timeout=SECONDS) as connection:
        try:
            connection.sendall(sent)
            with contextlib.suppress(OSError):  # it may have closed the connection already
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                received += part
        except ConnectionError:
            pass  # It closes the connection of a request that is too large without reading all of it.
    return bytes(received)


@given(
    line=st.sampled_from(LINES) | st.binary(max_size=30),
    headers=st.lists(st.sampled_from(HEADERS) | st.binary(max_size=20), max_size=3),
    body=st.sampled_from(BODIES) | st.binary(max_size=20),
)
@examples(120)
@example(line=b"POST /v3/auth/tokens HTTP/1.1", headers=[b"Host: x", b"Content-Length: 99"], body=BODY)
@example(line=b"POST /v3/auth/tokens HTTP/1.1", headers=[b"Host: x", b"Transfer-Encoding: chunked"], body=b"g\r\n\r\n")
@example(line=b"GET /RegionOne/network/v2.0/ports?name=\xff HTTP/1.1", headers=[b"Host: x"], body=b"")
def test_broken_request_is_refused(
    cloud: Emulator,
    count: Callable[[str, int], None],
    caplog: pytest.LogCaptureFixture,
    line: bytes,
    headers: list[bytes],
    body: bytes,
) -> None:
    """No bytes on a connection lead to a server error or an endless wait, and other connections are not affected."""
    answer = exchange(cloud, b"\r\n".join((line, *headers, b"", body)))
    assert not FATAL.search(answer), answer[:300]
    assert requests.get(cloud.auth_url, timeout=SECONDS).status_code == 200
    failures = [each for each in caplog.records if each.levelname == "ERROR" and not _is_abandoned(each)]
    assert [each.message for each in failures] == []
    caplog.clear()
    count("requests", 2)


def _is_abandoned(record: logging.LogRecord) -> bool:
    """Whether uvicorn cannot send a response, because the client has sent an invalid request after this one."""
    return record.exc_info is not None and isinstance(record.exc_info[1], h11.LocalProtocolError)


def test_incomplete_request_does_not_block_others(cloud: Emulator) -> None:
    """While clients keep incomplete requests open, the emulator answers others."""
    address = ("127.0.0.1", int(cloud.url.rpartition(":")[2]))
    held = [socket.create_connection(address, timeout=SECONDS) for _ in range(20)]
    for at, connection in enumerate(held):
        connection.sendall(b"POST /v3/auth/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"[: 20 + at * 4])
    assert requests.get(cloud.auth_url, timeout=SECONDS).status_code == 200
    for connection in held:
        connection.close()
    assert requests.get(cloud.auth_url, timeout=SECONDS).status_code == 200
