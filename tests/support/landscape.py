"""The cloud that a lifecycle case runs on: the emulator, or the one of OS_CLOUD."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openstack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openstack.connection import Connection

    from ecs_pulumi.emulator import Emulator


@dataclass(frozen=True)
class Landscape:
    """What a case needs to know about its cloud.

    Attributes:
        live: Whether it is a real one.
        connect: Makes another client's connection to it, to see what is really there.
        settings: The stack's settings that lead to it, in clear; empty where the environment does.
        secrets: Those that are stored encrypted.
        env: The variables that lead to it; empty where the settings do.
        flavors: The names of three flavors, each larger than the one before.
        images: The names of the images, those that need least first.
        volume_types: The names of the volume types.
        zones: The names of the compute zones.
        network: The id of an existing network, where the account has any.
    """

    live: bool
    connect: Callable[[], Connection]
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    flavors: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    volume_types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    network: str | None = None

    @property
    def small(self) -> str:
        """The smallest flavor."""
        return self.flavors[0]

    @property
    def medium(self) -> str:
        """A larger flavor."""
        return self.flavors[1]

    @property
    def large(self) -> str:
        """The largest flavor that a test may use."""
        return self.flavors[2]

    @property
    def image(self) -> str:
        """An image that boots."""
        return self.images[0]

    @property
    def volume_type(self) -> str:
        """A volume type."""
        return self.volume_types[0]

    @property
    def zone(self) -> str:
        """A compute zone."""
        return self.zones[0]

    def objects(self) -> set[str]:
        """Return the ids of everything that the account has."""
        return set(self.named_objects())

    def named_objects(self) -> dict[str, str]:
        """Return what the account has, by id: what it is, and its name."""
        with self.connect() as cloud:
            mine = {"project_id": cloud.current_project_id}
            network, storage = cloud.network, cloud.block_storage
            lists: dict[str, Any] = {
                # Nova shows one that is gone as DELETED for a moment before it forgets it.
                "server": (server for server in cloud.compute.servers() if server.status != "DELETED"),
                "key pair": cloud.compute.keypairs(),
                "server group": cloud.compute.server_groups(),
                "volume": storage.volumes(details=False),
                "snapshot": storage.snapshots(details=False),
                "network": network.networks(**mine),
                "subnet": network.subnets(**mine),
                "port": network.ports(**mine),
                "security group": network.security_groups(**mine),
                "subnet pool": network.subnet_pools(**mine),
                "image": cloud.image.images(owner=cloud.current_project_id),
            }
            return {found.id: f"{what} {found.name}" for what, listed in lists.items() for found in listed}


def discover(cloud: Connection) -> dict[str, Any]:
    """Find out by listing what a cloud offers.

    Args:
        cloud: The connection to it.
    """
    flavors: list[Any] = []
    for found in sorted(cloud.compute.flavors(), key=lambda each: (each.ram, each.vcpus, each.disk, each.name)):
        last = flavors[-1] if flavors else None
        larger = not last or (found.ram > last.ram and found.vcpus >= last.vcpus and found.disk >= last.disk)
        if larger and not found.ephemeral:
            flavors.append(found)
    # What the smallest flavor and the smallest disk can boot comes first.
    images = sorted(cloud.image.images(status="active"), key=lambda each: (each.min_disk, each.min_ram, each.name))
    networks = cloud.network.networks(project_id=cloud.current_project_id)
    return {
        "flavors": tuple(found.name for found in flavors[:3]),
        "images": tuple(found.name for found in images),
        "volume_types": tuple(sorted(found.name for found in cloud.block_storage.types())),
        "zones": tuple(sorted({zone.name for zone in cloud.compute.availability_zones() if zone.state["available"]})),
        "network": next((found.id for found in networks), None),
    }


def of_environment() -> Landscape:
    """Return the cloud that the OS_* variables name."""
    with openstack.connect() as cloud:
        found = discover(cloud)
    env = {name: value for name, value in os.environ.items() if name.startswith("OS_")}
    return Landscape(live=True, connect=openstack.connect, env=env, **found)


def client(settings: Mapping[str, str]) -> Connection:
    """Another client's connection to an emulated cloud.

    Args:
        settings: Those that lead to it, without their namespace.
    """
    return openstack.connect(
        load_envvars=False,
        load_yaml_config=False,
        auth_url=settings["authUrl"],
        username=settings["username"],
        password=settings["password"],
        project_name=settings["projectName"],
        user_domain_name=settings["userDomainName"],
        project_domain_name=settings["projectDomainName"],
        region_name=settings["region"],
    )


def emulated(cloud: Emulator) -> Landscape:
    """Describe an emulated cloud the way that a real one is described.

    Args:
        cloud: The emulated cloud.
    """

    def connect() -> Connection:
        return client(cloud.settings)

    settings = {f"ecs:{name}": value for name, value in cloud.settings.items()}
    secrets = {"ecs:password": settings.pop("ecs:password")}
    with connect() as connection:
        return Landscape(live=False, connect=connect, settings=settings, secrets=secrets, **discover(connection))
