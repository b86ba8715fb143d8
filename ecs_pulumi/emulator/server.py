"""The emulator as a web application, and the thread that serves it."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import cinder, control, glance, keystone, neutron, nova
from .cloud import Cloud
from .dialects import DIALECTS, DialectName
from .faults import Fault
from .gateway import Gateway, RequestLog

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from typing_extensions import Self

    from .context import Context


class Emulator:
    """An ECS-compatible cloud in a thread of this process, on the loopback interface.

    ```python
    with Emulator() as cloud:
        requests.get(cloud.auth_url)
    ```

    Args:
        dialect: `otc` enforces the guide's rules; `openstack` offers microversions.
        speed: how much faster than a real cloud; tests want 100 or more.
        state: a file that outlives the emulator; None keeps everything in memory.
        faults: in force from the start; see `Fault`.
        clock: gives the moment in seconds since the epoch; `ManualClock` stands still until told.
        host: the address to listen on.
        port: the port to listen on; 0 is a free one.
        token_lifetime: seconds until a token expires.
    """

    def __init__(
        self,
        *,
        dialect: DialectName = "otc",
        speed: float = 1.0,
        state: str | None = None,
        faults: Iterable[Fault] = (),
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        port: int = 0,
        token_lifetime: float = 4 * 3600,
    ) -> None:
        self.cloud = Cloud(
            DIALECTS[dialect],
            state=state or ":memory:",
            speed=speed,
            clock=clock,
            faults=tuple(faults),
            token_lifetime=token_lifetime,
        )
        _seed(self.cloud)
        connections: dict[tuple[str, int], Any] = {}
        services = {each.path: each for each in (nova.service, neutron.service, cinder.service, glance.service)}
        self._gateway = Gateway(self.cloud, services, keystone.service, connections)
        app = FastAPI(title="ECS emulator", docs_url="/_emulator/docs", openapi_url="/_emulator/openapi.json")
        app.include_router(
            control.router(
                self.cloud,
                self._gateway.requests,
                lambda: {"settings": self.settings, "environment": self.environment},
            )
        )
        app.mount("/", control.with_page(self._gateway))
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._gateway.bounded(app),
                http=_protocol(connections),
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
            )
        )
        # The protocol is named so that asyncio sets TCP_NODELAY: an answer is two writes, and waits 40 ms
        # without it.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:9876`."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def auth_url(self) -> str:
        """Keystone's URL."""
        return f"{self.url}/v3"

    @property
    def settings(self) -> dict[str, str]:
        """The stack configuration for it: plain key (without `ecs:`) to value."""
        return {
            "authUrl": self.auth_url,
            "username": "demo",
            "password": keystone.PASSWORDS["demo"],
            "projectName": "demo",
            "userDomainName": "Default",
            "projectDomainName": "Default",
            "region": self.cloud.dialect.region,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The `OS_*` variables for it, which any OpenStack client understands."""
        return {
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": "demo",
            "OS_PASSWORD": keystone.PASSWORDS["demo"],
            "OS_PROJECT_NAME": "demo",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_REGION_NAME": self.cloud.dialect.region,
            "OS_IDENTITY_API_VERSION": "3",
        }

    @property
    def requests(self) -> RequestLog:
        """Every request served, oldest first."""
        return self._gateway.requests

    def fault(self, fault: Fault | None = None, **fields: Any) -> None:
        """Put a fault in force: a `Fault`, or its fields."""
        self.cloud.faults.add(fault or Fault(**fields))

    def clear_faults(self) -> None:
        """Back to a cloud without faults."""
        self.cloud.faults.clear()

    def expire_tokens(self) -> None:
        """Let every token given out so far be no good any more."""
        self.cloud.expire_tokens()

    def set_quota(self, **limits: int) -> None:
        """Change the limits: `instances`, `cores`, `ram`, `volumes`, `gigabytes`, `port`, …; -1 is none."""
        self.cloud.set_quota(**limits)

    def state(self, region: str | None = None, project: str = "demo") -> AbstractContextManager[Context]:
        """The state as of now, to assert on or to change by hand, in one transaction.

        `with cloud.state() as state: state.find("server", name="web")`
        """
        return self.cloud.transaction(region or self.cloud.dialect.region, project)

    def start(self) -> Self:
        """Begin to serve; returns when requests are answered."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"the emulator could not start to serve on {self.url}")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop serving and close the state."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()
        self._socket.close()
        self.cloud.store.close()

    def wait(self) -> None:
        """Block until the emulator is stopped."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _seed(cloud: Cloud) -> None:
    """Fill a new state; an old one stays as it is."""
    for region in cloud.dialect.regions:
        with cloud.transaction(region) as ctx:
            if not ctx.find("seeded"):
                ctx.put("seeded", {"id": "seeded"})
                for each in (glance, cinder, neutron, nova):
                    each.seed(ctx)


def _protocol(connections: dict[tuple[str, int], Any]) -> type[H11Protocol]:
    """Uvicorn's HTTP protocol, keeping track of the connections so that a fault can close one."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            self._peer = transport.get_extra_info("peername")[:2]
            connections[self._peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            connections.pop(self._peer, None)

    return Protocol
