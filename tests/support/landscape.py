"""Describe the cloud that a test runs on: the emulator, or the cloud of OS_CLOUD."""

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
    """The properties of a cloud that the tests need.

    Attributes:
        live: Whether it is a real cloud.
        connect: Opens a connection of the OpenStack SDK, to check the objects independently of the provider.
        settings: The plain settings of a stack that select the cloud; empty if the environment selects it.
        secrets: The encrypted settings of such a stack.
        env: The environment variables that select the cloud; empty if the settings select it.
        flavors: The names of three flavors, in ascending order of size.
        images: The names of the images, those with the smallest requirements first.
        volume_types: The names of the volume types.
        zones: The names of the compute zones.
        network: The id of an existing network, if the account has one.
        external_network: The name of an external network.
        smallest_volume: The smallest size of an empty volume in GiB.
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
    external_network: str = ""
    smallest_volume: int = 1

    @property
    def small(self) -> str:
        """The smallest flavor."""
        return self.flavors[0]

    @property
    def medium(self) -> str:
        """A flavor larger than `small`."""
        return self.flavors[1]

    @property
    def large(self) -> str:
        """The largest flavor that a test may use."""
        return self.flavors[2]

    @property
    def image(self) -> str:
        """A bootable image."""
        return self.images[0]

    @property
    def volume_type(self) -> str:
        """A volume type."""
        return self.volume_types[0]

    @property
    def zone(self) -> str:
        """A compute zone."""
        return self.zones[0]

    @property
    def empty_volume(self) -> dict[str, Any]:
        """The properties of the smallest empty volume, with the zone that some clouds require."""
        zone = {"availability_zone": self.zone} if self.smallest_volume > 1 else {}
        return {"size": self.smallest_volume, **zone}

    def objects(self) -> set[str]:
        """Return the ids of all objects of the account."""
        return set(self.named_objects())

    def named_objects(self) -> dict[str, str]:
        """Return the objects of the account: kind and name by id."""
        with self.connect() as cloud:
            mine = {"project_id": cloud.current_project_id}
            network, storage = cloud.network, cloud.block_storage
            lists: dict[str, Any] = {
                # Nova lists a deleted server with the status DELETED for a moment.
                "server": (server for server in cloud.compute.servers() if server.status != "DELETED"),
                "key pair": cloud.compute.keypairs(),
                "server group": cloud.compute.server_groups(),
                "volume": storage.volumes(details=False),
                "snapshot": storage.snapshots(details=False),
                "network": network.networks(**mine),
                "subnet": network.subnets(**mine),
                "port": network.ports(**mine),
                "router": network.routers(**mine),
                "floating IP": network.ips(**mine),
                "security group": network.security_groups(**mine),
                "subnet pool": network.subnet_pools(**mine),
                "image": cloud.image.images(owner=cloud.current_project_id),
            }
            return {item.id: f"{what} {item.name}" for what, items in lists.items() for item in items}


def discover(cloud: Connection) -> dict[str, Any]:
    """List the flavors, images, volume types, zones and networks of a cloud.

    Args:
        cloud: The connection to the cloud.
    """
    flavors: list[Any] = []
    for found in sorted(cloud.compute.flavors(), key=lambda each: (each.ram, each.vcpus, each.disk, each.name)):
        last = flavors[-1] if flavors else None
        larger = not last or (found.ram > last.ram and found.vcpus >= last.vcpus and found.disk >= last.disk)
        if larger and not found.ephemeral:
            flavors.append(found)
    # Images that fit the smallest flavor and the smallest disk come first.
    images = sorted(cloud.image.images(status="active"), key=lambda each: (each.min_disk, each.min_ram, each.name))
    networks = cloud.network.networks(project_id=cloud.current_project_id)
    # A test may have created others.
    external = sorted(cloud.network.networks(is_router_external=True), key=lambda each: str(each.created_at))
    return {
        "flavors": tuple(found.name for found in flavors[:3]),
        "images": tuple(found.name for found in images),
        "volume_types": tuple(sorted(found.name for found in cloud.block_storage.types())),
        "zones": tuple(sorted({zone.name for zone in cloud.compute.availability_zones() if zone.state["available"]})),
        "network": next((found.id for found in networks), None),
        "external_network": external[0].name,
    }


def of_environment() -> Landscape:
    """Describe the cloud that the OS_* variables name."""
    with openstack.connect() as cloud:
        found = discover(cloud)
    env = {name: value for name, value in os.environ.items() if name.startswith("OS_")}
    return Landscape(live=True, connect=openstack.connect, env=env, **found)


def client(settings: Mapping[str, str]) -> Connection:
    """Open a connection of the OpenStack SDK to an emulated cloud.

    Args:
        settings: The settings that select the cloud, without their namespace.
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
    """Describe an emulated cloud.

    Args:
        cloud: The emulated cloud.
    """

    def connect() -> Connection:
        return client(cloud.settings)

    settings = {f"ecs:{name}": value for name, value in cloud.settings.items()}
    secrets = {"ecs:password": settings.pop("ecs:password")}
    with connect() as connection:
        found = discover(connection)
    if cloud.cloud.dialect.name == "otc":
        # Not every zone has ESSD, and SATA is no longer sold.
        found |= {"smallest_volume": 10, "volume_types": ("SAS", "SSD")}
    return Landscape(live=False, connect=connect, settings=settings, secrets=secrets, **found)
