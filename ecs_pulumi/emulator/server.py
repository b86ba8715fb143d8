"""The emulator as a web application that is served by a thread."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import cinder, control, glance, keystone, neutron, nova, vpc
from .cloud import Cloud
from .dialects import DIALECTS, QUOTAS, DialectName, changed_rules
from .faults import Fault
from .gateway import Gateway, RequestLog

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from typing_extensions import Self

    from .context import Context
    from .routing import Service


class Emulator:
    """An ECS-compatible cloud that runs in a thread of this process, by default on the loopback interface.

    ```python
    with Emulator() as cloud:
        requests.get(cloud.auth_url)
    ```

    `accounts.py` lists the users, projects, access keys and agencies of both dialects.

    Args:
        dialect: `otc` enforces what the Open Telekom Cloud documents; `openstack` is a current OpenStack release.
        rules: changes of the dialect's rules; see `Rules`.
        speed: speed relative to a real cloud; use 100 or more in tests.
        state: path of the file that stores the state; None keeps the state in memory.
        faults: faults that are active from the start; see `Fault`.
        clock: returns the current time in seconds since the epoch; a `ManualClock` only moves on `advance`.
        host: the address to listen on.
        port: the port to listen on; 0 selects a free port.
        token_lifetime: seconds until a token expires.
        stale: the age in seconds of the state that each GET of Nova, Neutron and Cinder shows, or a function that
            returns it for a request, such as `partial(random.Random(7).uniform, 0, 5)`.
    """

    def __init__(
        self,
        *,
        dialect: DialectName = "otc",
        rules: Mapping[str, str] | None = None,
        speed: float = 1.0,
        state: str | None = None,
        faults: Iterable[Fault] = (),
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        port: int = 0,
        token_lifetime: float = 4 * 3600,
        stale: float | Callable[[], float] = 0.0,
    ) -> None:
        kind = DIALECTS[dialect]
        self.cloud = Cloud(
            replace(kind, rules=changed_rules(kind.rules, rules or {})),
            state=state or ":memory:",
            speed=speed,
            clock=clock,
            faults=tuple(faults),
            token_lifetime=token_lifetime,
        )
        _seed(self.cloud)
        self.cloud.set_stale(stale)  # the initial objects exist from the start
        connections: dict[tuple[str, int], Any] = {}
        offered: list[Service] = [nova.service, neutron.service, cinder.service, glance.service]
        if kind.name == "otc":
            offered.append(vpc.service)
        services = {each.path: each for each in offered}
        self._gateway = Gateway(self.cloud, services, keystone.service, connections)
        app = FastAPI(title="ECS emulator", docs_url="/_emulator/docs", openapi_url="/_emulator/openapi.json")
        app.add_exception_handler(RequestValidationError, control.refuse)
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
                app,
                http=_protocol(connections),
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,  # the gateway sets it
                timeout_keep_alive=75,
            )
        )
        # Naming the protocol makes asyncio set TCP_NODELAY. Without it, each response, which is sent in two writes,
        # is delayed by 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        """The base URL of the emulator, for example `http://127.0.0.1:9876`."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def auth_url(self) -> str:
        """The URL of Keystone."""
        return f"{self.url}/v3"

    @property
    def settings(self) -> dict[str, str]:
        """The stack configuration for this cloud; the keys have no `ecs:` prefix."""
        return self.settings_of(self.cloud.dialect.accounts.users[0].name)

    def settings_of(self, user: str) -> dict[str, str]:
        """Return the stack configuration for a user, such as `admin`, and the first project that belongs to it."""
        accounts = self.cloud.dialect.accounts
        account = accounts.user(user)
        project = next(each for each in accounts.projects if each.users[0] == user)
        return {
            "authUrl": self.auth_url,
            "username": user,
            "password": account.password or "",
            "projectName": project.name,
            "userDomainName": account.domain.name,
            "projectDomainName": project.domain.name,
            "region": self.cloud.dialect.region,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The `OS_*` environment variables for this cloud, as used by OpenStack clients."""
        settings = self.settings
        return {
            "OS_AUTH_URL": settings["authUrl"],
            "OS_USERNAME": settings["username"],
            "OS_PASSWORD": settings["password"],
            "OS_PROJECT_NAME": settings["projectName"],
            "OS_USER_DOMAIN_NAME": settings["userDomainName"],
            "OS_PROJECT_DOMAIN_NAME": settings["projectDomainName"],
            "OS_REGION_NAME": settings["region"],
            "OS_IDENTITY_API_VERSION": "3",
        }

    @property
    def requests(self) -> RequestLog:
        """The log of the latest requests, oldest first."""
        return self._gateway.requests

    def fault(self, fault: Fault | None = None, **fields: Any) -> None:
        """Add a fault: a `Fault`, or its fields as keyword arguments."""
        self.cloud.faults.add(fault or Fault(**fields))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.cloud.faults.clear()

    def expire_tokens(self) -> None:
        """Invalidate all tokens."""
        self.cloud.expire_tokens()

    def set_stale(self, age: float | Callable[[], float]) -> None:
        """Change the age in seconds of the state that GETs show; 0 is the current state."""
        self.cloud.set_stale(age)

    def set_quota(self, /, **limits: int) -> None:
        """Change quota limits: `instances`, `cores`, `ram`, `volumes`, `gigabytes`, `port`, …; -1 means unlimited.

        Raises:
            ValueError: there is no such limit.
        """
        for name in limits:
            if name not in QUOTAS and not name.startswith(("volumes_", "gigabytes_")):
                raise ValueError(f"there is no quota {name!r}; there is {', '.join(sorted(QUOTAS))}")
        self.cloud.set_quota(**limits)

    def state(self, region: str | None = None, project: str | None = None) -> AbstractContextManager[Context]:
        """Open a transaction in which the current state can be inspected and changed.

        `with cloud.state() as state: state.find("server", name="web")`

        Args:
            region: the region. Default: the first one.
            project: name of the project to which new objects belong. Default: the first one of the region.
        """
        return self.cloud.transaction(region or self.cloud.dialect.region, project)

    def start(self) -> Self:
        """Start the server thread and wait until it accepts requests."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"the emulator failed to start on {self.url}")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop the server thread and close the state."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()
        self._socket.close()
        self.cloud.store.close()

    def wait(self) -> None:
        """Block until the emulator stops."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _seed(cloud: Cloud) -> None:
    """Create the initial objects of each region, unless the state contains them already."""
    for region in cloud.dialect.regions:
        with cloud.transaction(region) as ctx:
            if not ctx.find("seeded"):
                ctx.put("seeded", {"id": "seeded"})
                for each in (glance, cinder, neutron, nova):
                    each.seed(ctx)


def _protocol(connections: dict[tuple[str, int], Any]) -> type[H11Protocol]:
    """Return a subclass of uvicorn's HTTP protocol that tracks the connections, so that a fault can close one."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            self._peer = transport.get_extra_info("peername")[:2]
            connections[self._peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            connections.pop(self._peer, None)

    return Protocol
