"""An HTTP adapter that limits how long a whole response takes, not only how long each part of it.

The read timeout of requests applies to each read from the socket. A server or a proxy that sends a byte now and then
would keep a request, and the operation that waits for it, for hours.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import LocationValueError

if TYPE_CHECKING:
    import socket

READ_TIMEOUTS = 2.0
"""The maximum duration of a response, in read timeouts of its request."""


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until a time is over, which begins when the response is awaited.

    The timeout of the socket is that of a single read, as before.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock, self._timeout = raw, sock, sock.gettimeout()
        self._end = None if self._timeout is None else time.monotonic() + READ_TIMEOUTS * self._timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None and self._timeout is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(min(left, self._timeout))
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(self._timeout)

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Response(http.client.HTTPResponse):
    """A response whose headers and body are read within a time."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_BoundedReader(raw, sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class BoundedAdapter(HTTPAdapter):
    """An adapter whose responses take at most `READ_TIMEOUTS` read timeouts, also through a proxy."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send a request. Raises `requests.RequestException`, also for a host name that urllib3 cannot resolve."""
        try:
            return super().send(request, **options)
        except LocationValueError as error:
            # A proxy resolves the name of the host of the request itself.
            has_proxy = select_proxy(str(request.url), options.get("proxies"))
            kind = requests.exceptions.InvalidProxyURL if has_proxy else requests.exceptions.InvalidURL
            raise kind(str(error)) from error

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Return the pools of the connections through a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
