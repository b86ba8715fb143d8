"""The API clients of an operation, and the connections that all operations of a process share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.existing import ExistingObjects
from ecs_pulumi.dynamic.handler import OperationContext
from ecs_pulumi.dynamic.status import StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Connection, Region
    from ecs_pulumi.cloud.own_writes import OwnWrites
    from ecs_pulumi.cloud.polling import Deadline


@dataclass(frozen=True)
class Clients:
    """The API clients of one operation. Creating them sends no request."""

    connection: Connection
    region_name: str | None
    deadline: Deadline
    marker: bool = True
    """Whether objects carry an owner marker (`ecs:marker`)."""

    @property
    def region(self) -> Region:
        """The region of the resource; its first use looks it up in the service catalog."""
        return self.connection.region(self.region_name)

    @property
    def known_region(self) -> Region | None:
        """The region of the resource if this process has used it before; this sends no request."""
        return self.connection.known_region(self.region_name)

    @property
    def writes(self) -> OwnWrites:
        """What this process has written, which a read may not show yet."""
        return self.connection.transport.writes

    @property
    def compute(self) -> ServiceClient:
        """Nova."""
        return self.region.compute

    @property
    def network(self) -> ServiceClient:
        """Neutron."""
        return self.region.network

    @property
    def block_storage(self) -> ServiceClient:
        """Cinder."""
        return self.region.block_storage


Context: TypeAlias = OperationContext[Clients]
Existing: TypeAlias = ExistingObjects[Clients]

_connections: dict[Any, Connection] = {}
_connecting = threading.Lock()


def connection(config: Callable[[str], str | None], cloud: str | None = None) -> Connection:
    """Return the connection to a cloud. All handlers and threads of a process share it.

    Args:
        config: The settings of the stack.
        cloud: An entry of clouds.yaml. Default: the cloud of the settings.
    """
    from ecs_pulumi.cloud.connection import Connection, Settings  # loads keystoneauth

    settings = Settings.from_config(config)
    if cloud:
        settings = settings.of_entry(cloud)
    with _connecting:
        if settings not in _connections:
            opened = Connection(settings, trace=_debug, status=_show)
            for warning in opened.warnings:
                rpc_bridge.warn_once(warning)
            # The entry may be the one that the stack uses: then both share the token, the lists and the plans.
            same = (each for each in _connections.values() if each.identity and each.identity == opened.identity)
            _connections[settings] = next(same, opened)
        return _connections[settings]


def _debug(line: str) -> None:
    rpc_bridge.log(rpc_bridge.current_request().urn, line, severity="debug")


def _show(line: str) -> None:
    StatusLine(rpc_bridge.current_request().urn)(line)


def has_stored_secret() -> bool:
    """Whether the settings of a connection contain a secret, which may come from the state and be outdated."""
    secrets = ("password", "token", "application_credential_secret", "secret_key", "security_token")
    return any(getattr(settings, name) for settings in _connections for name in secrets)
