"""Objects that the tests of a session share in one cloud, and clients to change objects outside of Pulumi."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import secrets
import time
from typing import TYPE_CHECKING, Any

import openstack
import pytest
from openstack.config import OpenStackConfig
from pydantic.alias_generators import to_snake

from ecs_pulumi.cloud.clock import Clock
from tests.support.clouds import hide_variables
from tests.support.steps import Resource, clear_caches

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from openstack.connection import Connection
    from typing_extensions import Self

    from ecs_pulumi.emulator import Emulator
    from ecs_pulumi.emulator.dialects import DialectName
    from tests.support.landscape import Landscape

PREFIX = "fields-"
CLOCK_FACTOR = 20.0
TIMEOUT = 120
SPEED = 200


@contextlib.contextmanager
def run_emulator(dialect: DialectName, *, rules: dict[str, str] | None = None) -> Iterator[Emulator]:
    """Run an emulated cloud, optionally with other rules, in an environment without OS_* variables."""
    from ecs_pulumi.emulator import Emulator

    with pytest.MonkeyPatch.context() as patch, Emulator(speed=SPEED, dialect=dialect, rules=rules) as cloud:
        hide_variables(patch)
        yield cloud


@contextlib.contextmanager
def emulator(dialect: DialectName, *, rules: dict[str, str] | None = None, **fault: Any) -> Iterator[Landscape]:
    """Run an emulated cloud, optionally with other rules or a fault, and return what the tests use in it."""
    from tests.support.landscape import emulated

    with run_emulator(dialect, rules=rules) as cloud:
        if fault:
            cloud.fault(**fault)
        yield emulated(cloud)


@contextlib.contextmanager
def new_resources(fixtures: CloudFixtures, default: str = "") -> Iterator[Callable[..., Resource]]:
    """Return a function that returns new resources, of the default kind if none is given; finally destroy them."""
    created: list[Resource] = []

    def resource(kind: str = default, name: str = "", **options: Any) -> Resource:
        created.append(fixtures.resource(kind, **options))
        created[-1].name = name or created[-1].name
        return created[-1]

    yield resource
    for each in reversed(created):
        each.destroy()


class ScaledClock(Clock):
    """A clock that runs faster, as the clock of an emulated cloud does."""

    def now(self) -> float:
        """Return the scaled time in seconds."""
        return super().now() * CLOCK_FACTOR

    def sleep(self, seconds: float) -> None:
        """Sleep for this scaled time."""
        super().sleep(seconds / CLOCK_FACTOR)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait for this scaled time or for a notification."""
        super().wait(condition, seconds / CLOCK_FACTOR)


class CloudFixtures:
    """One cloud and the shared objects in it; each object is created when a test first uses it."""

    def __init__(self, landscape: Landscape) -> None:
        self.landscape = landscape
        self.live = landscape.live
        self.drops_attributes = False
        """Whether the cloud drops attributes that it does not know."""
        self.config = {**landscape.settings, **landscape.secrets}
        self._closing = contextlib.ExitStack()
        self._clock = None if self.live else ScaledClock()

    def __enter__(self) -> Self:
        if not self.live:
            # Neutron assigns external addresses at random: leave those of `external_address` to the tests.
            cidr = ipaddress.ip_network(self.external_subnet.cidr)
            pool = {"start": str(cidr[100]), "end": str(cidr[-2])}
            self.admin.network.update_subnet(self.external_subnet, allocation_pools=[pool])
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def resource(
        self, kind: str, *, admin: bool = False, config: dict[str, str] | None = None, **more: Any
    ) -> Resource:
        """Return a resource that does not exist yet, in a stack of this account or of an administrator."""
        settings = {**(self.admin_config if admin else self.config), **(config or {})}
        return Resource(kind, settings, f"{PREFIX}{kind.lower()}", clock=self._clock, **more)

    def make(self, kind: str, **inputs: Any) -> Resource:
        """Create a resource that exists until the end of the session."""
        created = self.resource(kind)
        self._closing.callback(created.destroy)
        created.up(**inputs)
        return created

    @property
    def entry(self) -> dict[str, Any]:
        """The entry of clouds.yaml for an emulated cloud."""
        options = {to_snake(name.removeprefix("ecs:")): value for name, value in self.config.items()}
        return {"region_name": options.pop("region"), "auth": options}

    @functools.cached_property
    def admin_config(self) -> dict[str, str]:
        """The settings of an administrator; skip the test if there is none."""
        if not self.live:
            project = {"demo": "admin", "eu-de": "eu-de_admin"}[self.config["ecs:projectName"]]
            return {**self.config, "ecs:username": "admin", "ecs:password": "admin-secret", "ecs:projectName": project}
        if "admin" not in OpenStackConfig().get_cloud_names():
            pytest.skip("needs an administrator: a cloud named admin in clouds.yaml")
        return {"ecs:cloud": "admin"}

    @functools.cached_property
    def cloud(self) -> Connection:
        """A connection of the OpenStack SDK, to change objects outside of Pulumi."""
        return self._open(self.landscape.connect())

    def _open(self, connection: Connection) -> Connection:
        self._closing.callback(connection.close)
        return connection

    @functools.cached_property
    def admin(self) -> Connection:
        """A connection of the OpenStack SDK with the rights of an administrator."""
        config = self.admin_config
        if self.live:
            return self._open(openstack.connect(cloud=config["ecs:cloud"]))
        return self._open(
            openstack.connect(
                load_envvars=False,
                load_yaml_config=False,
                auth_url=config["ecs:authUrl"],
                username=config["ecs:username"],
                password=config["ecs:password"],
                project_name=config["ecs:projectName"],
                user_domain_name=config["ecs:userDomainName"],
                project_domain_name=config["ecs:projectDomainName"],
                region_name=config["ecs:region"],
            )
        )

    @functools.cached_property
    def region(self) -> str:
        """The name of the region."""
        return str(self.cloud.config.get_region_name())

    @functools.cached_property
    def project_id(self) -> str:
        """The id of the project of this account."""
        return str(self.cloud.current_project_id)

    @functools.cached_property
    def other_project_id(self) -> str:
        """The id of the project of the administrator."""
        return str(self.admin.current_project_id)

    @functools.cached_property
    def extensions(self) -> frozenset[str]:
        """The aliases of the Neutron extensions of this cloud."""
        return frozenset(found.alias for found in self.cloud.network.extensions())

    def new_network(self, cidr: str | None = None) -> str:
        """Create a network, with a subnet if a CIDR is given; return the id of the network."""
        network = self.make("Network")
        if cidr:
            # Neutron allocates addresses at random; the lower half is reserved for addresses that tests request.
            pool = {"start": cidr.replace(".0/24", ".128"), "end": cidr.replace(".0/24", ".250")}
            self.make("Subnet", network_id=network.id, cidr=cidr, allocation_pools=[pool])
        return network.id

    @functools.cached_property
    def network(self) -> str:
        """The id of a network with the subnet 10.90.1.0/24."""
        return self.new_network("10.90.1.0/24")

    @functools.cached_property
    def other_network(self) -> str:
        """The id of a network with the subnet 10.90.2.0/24."""
        return self.new_network("10.90.2.0/24")

    @functools.cached_property
    def network_with_subnet(self) -> str:
        """The id of a network with the subnet 10.90.6.0/24, for tests that create IPv6 subnets."""
        return self.new_network("10.90.6.0/24")

    @functools.cached_property
    def bare_network(self) -> str:
        """The id of a network without a subnet, for tests that create subnets."""
        return self.new_network()

    @functools.cached_property
    def other_bare_network(self) -> str:
        """The id of another network without a subnet."""
        return self.new_network()

    @functools.cached_property
    def subnet(self) -> str:
        """The id of the subnet of `network`."""
        return str(next(self.cloud.network.subnets(network_id=self.network)).id)

    @functools.cached_property
    def other_subnet(self) -> str:
        """The id of the subnet of `other_network`."""
        return str(next(self.cloud.network.subnets(network_id=self.other_network)).id)

    @functools.cached_property
    def routers(self) -> list[str]:
        """The ids of two routers. A project may have few, so `connected_routers` are the same ones."""
        return [self.make("Router").id for _ in range(2)]

    @functools.cached_property
    def connected_routers(self) -> list[str]:
        """The ids of the two routers, connected to 10.90.3.0/24 and 10.90.4.0/24."""
        for number, router in zip((3, 4), self.routers, strict=True):
            network = self.new_network(f"10.90.{number}.0/24")
            subnet = next(self.cloud.network.subnets(network_id=network))
            self.make("RouterInterface", router_id=router, subnet_id=subnet.id)
        return self.routers

    @functools.cached_property
    def published_network(self) -> str:
        """The id of a network that a router connects to the external network, with the subnet 10.90.5.0/24."""
        network = self.new_network("10.90.5.0/24")
        subnet = next(self.cloud.network.subnets(network_id=network))
        router = self.make("Router", external_network=self.landscape.external_network)
        self.make("RouterInterface", router_id=router.id, subnet_id=subnet.id)
        return network

    @functools.cached_property
    def published_ports(self) -> list[str]:
        """The ids of two ports in `published_network`."""
        return [self.make("Port", network_id=self.published_network).id for _ in range(2)]

    @functools.cached_property
    def port_with_two_addresses(self) -> str:
        """The id of a port in `published_network` with the addresses 10.90.5.11 and 10.90.5.12."""
        addresses = [{"ip_address": f"10.90.5.{number}"} for number in (11, 12)]
        return self.make("Port", network_id=self.published_network, fixed_ips=addresses).id

    @functools.cached_property
    def floating_ips(self) -> list[str]:
        """The ids of two floating IPs of the external network."""
        return [self.make("FloatingIp", external_network=self.landscape.external_network).id for _ in range(2)]

    @functools.cached_property
    def external_subnet(self) -> Any:
        """The IPv4 subnet of the external network."""
        external = self.admin.network.find_network(self.landscape.external_network, ignore_missing=False)
        return next(self.admin.network.subnets(network_id=external.id, ip_version=4))

    def external_address(self, number: int) -> str:
        """Return an address of the external network, below 100."""
        return str(ipaddress.ip_network(self.external_subnet.cidr)[number])

    @functools.cached_property
    def other_external_network(self) -> str:
        """The name of another external network."""
        network = self.admin.network
        created = network.create_network(name=self.unique_name("outside"), **{"router:external": True})
        self._closing.callback(network.delete_network, created.id)
        network.create_subnet(network_id=created.id, ip_version=4, cidr="198.51.100.0/24", enable_dhcp=False)
        clear_caches()
        return str(created.name)

    @property
    def missing_router_agents(self) -> str | None:
        """Why the cloud runs no highly available router, or None."""
        return "the cloud has no agents that run routers" if self.live else None

    @functools.cached_property
    def groups(self) -> list[str]:
        """The ids of two security groups."""
        return [self._group().id for _ in range(2)]

    @functools.cached_property
    def group_names(self) -> list[str]:
        """The names of the security groups of `groups`."""
        return [self.cloud.network.get_security_group(group).name for group in self.groups]

    def _group(self) -> Any:
        created = self.cloud.network.create_security_group(name=self.unique_name("group"))
        self._closing.callback(self.cloud.network.delete_security_group, created.id)
        return created

    @functools.cached_property
    def address_groups(self) -> list[str]:
        """The ids of two address groups; empty if the cloud has no address groups."""
        if "address-group" not in self.extensions:
            return ["", ""]
        created = [self.cloud.network.create_address_group(name=self.unique_name("group")).id for _ in range(2)]
        for group in created:
            self._closing.callback(self.cloud.network.delete_address_group, group)
        return created

    @functools.cached_property
    def pools(self) -> list[str]:
        """The ids of two subnet pools."""
        return [self._pool(f"10.9{number}.0.0/16") for number in (3, 4)]

    def _pool(self, prefix: str) -> str:
        created = self.cloud.network.create_subnet_pool(
            name=self.unique_name("pool"), prefixes=[prefix], default_prefixlen=26, min_prefixlen=16
        )
        self._closing.callback(self.cloud.network.delete_subnet_pool, created.id)
        return str(created.id)

    @functools.cached_property
    def server(self) -> str:
        """The id of a running server with one NIC in `network`."""
        return self._server().id

    @functools.cached_property
    def other_server(self) -> str:
        """The id of another running server."""
        return self._server().id

    def _server(self) -> Resource:
        return self.make("Server", **self.server_inputs)

    @property
    def server_inputs(self) -> dict[str, Any]:
        """The minimal inputs of a server."""
        # Create the subnet first, because a NIC needs one.
        assert self.subnet
        return {
            "flavor": self.landscape.small,
            "image": self.landscape.image,
            "networks": [{"network_id": self.network}],
        }

    @functools.cached_property
    def volumes(self) -> list[str]:
        """The ids of two small volumes, to clone and to attach."""
        return [self.make("Volume", size=self.landscape.smallest_volume).id for _ in range(2)]

    @functools.cached_property
    def snapshots(self) -> list[str]:
        """The ids of a snapshot of each of `volumes`."""
        return [self._snapshot(volume) for volume in self.volumes]

    def _snapshot(self, volume: str) -> str:
        storage = self.cloud.block_storage
        # Forced, because the volume may be attached.
        created = str(storage.create_snapshot(volume_id=volume, name=self.unique_name("snapshot"), is_forced=True).id)
        self.wait_for(lambda: storage.get_snapshot(created).status == "available")

        def delete() -> None:
            storage.delete_snapshot(created)
            self.wait_for(lambda: storage.find_snapshot(created) is None)

        self._closing.callback(delete)
        return created

    @functools.cached_property
    def ports(self) -> list[str]:
        """The ids of two ports in `network`."""
        assert self.subnet
        return [self.make("Port", network_id=self.network).id for _ in range(2)]

    @functools.cached_property
    def key_names(self) -> list[str]:
        """The names of two key pairs."""
        return [self.make("KeyPair").id for _ in range(2)]

    @functools.cached_property
    def images(self) -> tuple[str, ...]:
        """The names of at least two bootable images."""
        if len(self.landscape.images) < 2:
            pytest.skip("needs two images")
        return self.landscape.images

    @functools.cached_property
    def server_groups(self) -> list[str]:
        """The ids of two server groups."""
        return [self._server_group() for _ in range(2)]

    def _server_group(self) -> str:
        created = self.cloud.compute.create_server_group(name=self.unique_name("group"), policies=["anti-affinity"])
        self._closing.callback(self.cloud.compute.delete_server_group, created.id)
        return str(created.id)

    @functools.cached_property
    def policies(self) -> list[str]:
        """The ids of two shared QoS policies; empty if the cloud has no QoS extension."""
        if "qos" not in self.extensions:
            return ["", ""]
        created = [self.admin.network.create_qos_policy(name=self.unique_name("qos"), shared=True).id for _ in range(2)]
        for policy in created:
            self._closing.callback(self.admin.network.delete_qos_policy, policy)
        return created

    @functools.cached_property
    def segment(self) -> str:
        """The id of the segment of `bare_network`; empty if the cloud has no segment extension."""
        if "segment" not in self.extensions:
            return ""
        return str(next(self.admin.network.segments(network_id=self.bare_network)).id)

    @functools.cached_property
    def volume_zone(self) -> str:
        """The name of an availability zone for volumes."""
        zones = self.cloud.block_storage.get("/os-availability-zone").json()["availabilityZoneInfo"]
        return str(zones[0]["zoneName"])

    @functools.cached_property
    def backups(self) -> list[str]:
        """The ids of the volume backups of the cloud."""
        return [found.id for found in self.cloud.block_storage.backups()]

    @functools.cached_property
    def multiattach_type(self) -> str:
        """The name of a volume type that supports multiattach."""
        # Private, so that tests that list the volume types do not select it.
        types, name = self.admin.block_storage, f"z{self.unique_name('type')}"
        created = types.create_type(name=name, is_public=False, extra_specs={"multiattach": "<is> True"})
        self._closing.callback(types.delete_type, created.id)
        types.post(f"/types/{created.id}/action", json={"addProjectAccess": {"project": self.project_id}})
        clear_caches()
        return name

    @functools.cached_property
    def unschedulable_flavor(self) -> str:
        """The name of a flavor that exceeds every host but no quota."""
        return str(self.new_flavor(ram=1024, vcpus=1, disk=1_000_000).name)

    @functools.cached_property
    def flavor_with_local_disks(self) -> str:
        """The name of a flavor with ephemeral and swap disks."""
        return str(self.new_flavor(ram=64, vcpus=1, disk=1, ephemeral=2, swap=1024).name)

    def new_flavor(self, **size: int) -> Any:
        """Create a flavor of this size."""
        # The ephemeral disk keeps tests that list the flavors from selecting it.
        created = self.admin.compute.create_flavor(name=self.unique_name("flavor"), **{"ephemeral": 1, **size})
        self._closing.callback(self.admin.compute.delete_flavor, created.id)
        clear_caches()
        return created

    def rename_flavor(self, flavor: Any) -> Any:
        """Recreate the flavor with the same id and another name."""
        self.admin.compute.delete_flavor(flavor.id)
        size = {"ram": flavor.ram, "vcpus": flavor.vcpus, "disk": flavor.disk, "ephemeral": flavor.ephemeral}
        created = self.admin.compute.create_flavor(name=self.unique_name("flavor"), id=flavor.id, **size)
        clear_caches()
        return created

    def wait_until_stable(self, server: str, status: str = "") -> None:
        """Wait until the server has no task state and, if given, this status."""

        def is_stable() -> bool:
            remote = self.cloud.compute.get_server(server)
            return not remote.task_state and remote.status == (status or remote.status)

        self.wait_for(is_stable)

    def unique_name(self, what: str) -> str:
        """Return a unique name."""
        return f"{PREFIX}{what}-{secrets.token_hex(4)}"

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until the condition is true, for example after a change outside of Pulumi."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < end, f"the condition was not met within {TIMEOUT} s"
            time.sleep(0.3 if self.live else 0.01)
