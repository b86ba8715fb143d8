"""What the cases of a session share in one cloud: networks, a server, images, and the ways to change things by hand."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import time
from typing import TYPE_CHECKING, Any

import openstack
import pytest
from openstack.config import OpenStackConfig

from ecs_pulumi.cloud.clock import Clock
from tests.support.steps import Resource, forget_what_was_read

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from openstack.connection import Connection
    from typing_extensions import Self

    from ecs_pulumi.emulator.dialects import DialectName
    from tests.support.landscape import Landscape

PREFIX = "fields-"
HASTE = 20.0
PATIENCE = 120
SPEED = 200


@contextlib.contextmanager
def emulator(dialect: DialectName, **fault: Any) -> Iterator[Landscape]:
    """An emulated cloud, which no variable of the environment leads away from, and a fault of it, if one is given."""
    from ecs_pulumi.emulator import Emulator
    from tests.support.landscape import emulated

    with pytest.MonkeyPatch.context() as patch, Emulator(speed=SPEED, dialect=dialect) as cloud:
        for name in [name for name in os.environ if name.startswith("OS_")]:
            patch.delenv(name)
        if fault:
            cloud.fault(**fault)
        yield emulated(cloud)


class ScaledClock(Clock):
    """Time that passes faster, as an emulated cloud's does."""

    def now(self) -> float:
        """Seconds of that time."""
        return super().now() * HASTE

    def sleep(self, seconds: float) -> None:
        """Let that time pass."""
        super().sleep(seconds / HASTE)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Let that time pass, or be notified."""
        super().wait(condition, seconds / HASTE)


class CloudFixtures:
    """One cloud, and what was made in it for all. Everything is made when it is first asked for."""

    def __init__(self, landscape: Landscape) -> None:
        self.landscape = landscape
        self.live = landscape.live
        self.config = {**landscape.settings, **landscape.secrets}
        self._closing = contextlib.ExitStack()
        self._clock = None if self.live else ScaledClock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def resource(
        self, kind: str, *, admin: bool = False, config: dict[str, str] | None = None, **more: Any
    ) -> Resource:
        """A resource of this kind that nobody has made yet, in a stack of this account or of an administrator."""
        settings = {**(self.admin_config if admin else self.config), **(config or {})}
        return Resource(kind, settings, f"{PREFIX}{kind.lower()}", clock=self._clock, **more)

    def make(self, kind: str, **inputs: Any) -> Resource:
        """A resource that stands until the end of the session."""
        made = self.resource(kind)
        self._closing.callback(made.destroy)
        made.up(**inputs)
        return made

    @functools.cached_property
    def admin_config(self) -> dict[str, str]:
        """The settings of an administrator; the case is skipped where nobody is one."""
        if not self.live:
            emulated = {"ecs:username": "admin", "ecs:password": "admin-secret", "ecs:projectName": "admin"}
            return {**self.config, **emulated}
        if "admin" not in OpenStackConfig().get_cloud_names():
            pytest.skip("needs an administrator: a cloud named admin in clouds.yaml")
        return {"ecs:cloud": "admin"}

    @functools.cached_property
    def cloud(self) -> Connection:
        """Another client, to change things by hand."""
        return self._open(self.landscape.connect())

    def _open(self, connection: Connection) -> Connection:
        self._closing.callback(connection.close)
        return connection

    @functools.cached_property
    def admin(self) -> Connection:
        """The same with an administrator's rights."""
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
        """The region's name."""
        return str(self.cloud.config.get_region_name())

    @functools.cached_property
    def project_id(self) -> str:
        """This account's project."""
        return str(self.cloud.current_project_id)

    @functools.cached_property
    def other_project_id(self) -> str:
        """The administrator's project."""
        return str(self.admin.current_project_id)

    @functools.cached_property
    def extensions(self) -> frozenset[str]:
        """What Neutron can do here."""
        return frozenset(found.alias for found in self.cloud.network.extensions())

    def new_network(self, cidr: str | None = None) -> str:
        """The id of a network, with a subnet where a range is given."""
        network = self.make("Network")
        if cidr:
            # Neutron chooses at random: the lower half is for the addresses that the cases name.
            pool = {"start": cidr.replace(".0/24", ".128"), "end": cidr.replace(".0/24", ".254")}
            self.make("Subnet", network_id=network.id, cidr=cidr, allocation_pools=[pool])
        return network.id

    @functools.cached_property
    def network(self) -> str:
        """A network with the range 10.90.1.0/24."""
        return self.new_network("10.90.1.0/24")

    @functools.cached_property
    def other_network(self) -> str:
        """A network with the range 10.90.2.0/24."""
        return self.new_network("10.90.2.0/24")

    @functools.cached_property
    def bare_network(self) -> str:
        """A network without a subnet, for cases that make their own."""
        return self.new_network()

    @functools.cached_property
    def other_bare_network(self) -> str:
        """Another one."""
        return self.new_network()

    @functools.cached_property
    def subnet(self) -> str:
        """The subnet of `network`."""
        return str(next(self.cloud.network.subnets(network_id=self.network)).id)

    @functools.cached_property
    def groups(self) -> list[str]:
        """The ids of two security groups."""
        return [self._group().id for _ in range(2)]

    @functools.cached_property
    def group_names(self) -> list[str]:
        """Their names."""
        return [self.cloud.network.get_security_group(group).name for group in self.groups]

    def _group(self) -> Any:
        made = self.cloud.network.create_security_group(name=self.unique("group"))
        self._closing.callback(self.cloud.network.delete_security_group, made.id)
        return made

    @functools.cached_property
    def pools(self) -> list[str]:
        """The ids of two subnet pools."""
        return [self._pool(f"10.9{number}.0.0/16") for number in (3, 4)]

    def _pool(self, prefix: str) -> str:
        made = self.cloud.network.create_subnet_pool(
            name=self.unique("pool"), prefixes=[prefix], default_prefixlen=26, min_prefixlen=16
        )
        self._closing.callback(self.cloud.network.delete_subnet_pool, made.id)
        return str(made.id)

    @functools.cached_property
    def server(self) -> str:
        """The id of a running server with one NIC in `network`."""
        return self._server().id

    @functools.cached_property
    def other_server(self) -> str:
        """The id of another one."""
        return self._server().id

    def _server(self) -> Resource:
        return self.make("Server", **self.server_inputs)

    @property
    def server_inputs(self) -> dict[str, Any]:
        """The least that a server needs."""
        # A network without a subnet is no place for a NIC.
        assert self.subnet
        return {
            "flavor": self.landscape.small,
            "image": self.landscape.image,
            "networks": [{"network_id": self.network}],
        }

    @functools.cached_property
    def volumes(self) -> list[str]:
        """The ids of two volumes of 1 GiB, to copy and to attach."""
        return [self.make("Volume", size=1).id for _ in range(2)]

    @functools.cached_property
    def snapshots(self) -> list[str]:
        """The ids of a snapshot of each of `volumes`."""
        return [self._snapshot(volume) for volume in self.volumes]

    def _snapshot(self, volume: str) -> str:
        storage = self.cloud.block_storage
        # By force, since a server may have it.
        made = str(storage.create_snapshot(volume_id=volume, name=self.unique("snapshot"), is_forced=True).id)
        self.until(lambda: storage.get_snapshot(made).status == "available")

        def delete() -> None:
            storage.delete_snapshot(made)
            self.until(lambda: storage.find_snapshot(made) is None)

        self._closing.callback(delete)
        return made

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
        """Names of images that boot, at least two."""
        if len(self.landscape.images) < 2:
            pytest.skip("needs two images")
        return self.landscape.images

    @functools.cached_property
    def server_groups(self) -> list[str]:
        """The ids of two server groups."""
        return [self._server_group() for _ in range(2)]

    def _server_group(self) -> str:
        made = self.cloud.compute.create_server_group(name=self.unique("group"), policies=["anti-affinity"])
        self._closing.callback(self.cloud.compute.delete_server_group, made.id)
        return str(made.id)

    @functools.cached_property
    def policies(self) -> list[str]:
        """The ids of two QoS policies that everybody may use, in a cloud that has them."""
        if "qos" not in self.extensions:
            return ["", ""]
        made = [self.admin.network.create_qos_policy(name=self.unique("qos"), shared=True).id for _ in range(2)]
        for policy in made:
            self._closing.callback(self.admin.network.delete_qos_policy, policy)
        return made

    @functools.cached_property
    def segment(self) -> str:
        """The id of the segment of `bare_network`, in a cloud that has segments."""
        if "segment" not in self.extensions:
            return ""
        return str(next(self.admin.network.segments(network_id=self.bare_network)).id)

    @functools.cached_property
    def volume_zone(self) -> str:
        """A zone for volumes."""
        zones = self.cloud.block_storage.get("/os-availability-zone").json()["availabilityZoneInfo"]
        return str(zones[0]["zoneName"])

    @functools.cached_property
    def backups(self) -> list[str]:
        """The ids of backups, where the cloud has any."""
        return [found.id for found in self.cloud.block_storage.backups()]

    @functools.cached_property
    def multiattach_type(self) -> str:
        """The name of a volume type that several servers may attach."""
        # Private, so that nobody who looks for an ordinary type in this cloud takes it.
        types, name = self.admin.block_storage, f"z{self.unique('type')}"
        made = types.create_type(name=name, is_public=False, extra_specs={"multiattach": "<is> True"})
        self._closing.callback(types.delete_type, made.id)
        types.post(f"/types/{made.id}/action", json={"addProjectAccess": {"project": self.project_id}})
        forget_what_was_read()
        return name

    @functools.cached_property
    def homeless_flavor(self) -> str:
        """The name of a flavor that no host can take, within the quotas."""
        return str(self.new_flavor(ram=1024, vcpus=1, disk=1_000_000).name)

    @functools.cached_property
    def roomy_flavor(self) -> str:
        """The name of a flavor with local disks."""
        return str(self.new_flavor(ram=64, vcpus=1, disk=1, ephemeral=2, swap=1024).name)

    def new_flavor(self, **size: int) -> Any:
        """A flavor of this size."""
        # One with a disk besides is taken by nobody who looks for an ordinary flavor in this cloud.
        made = self.admin.compute.create_flavor(name=self.unique("flavor"), **{"ephemeral": 1, **size})
        self._closing.callback(self.admin.compute.delete_flavor, made.id)
        forget_what_was_read()
        return made

    def rename_flavor(self, flavor: Any) -> Any:
        """The flavor, with the id that it had and another name."""
        self.admin.compute.delete_flavor(flavor.id)
        size = {"ram": flavor.ram, "vcpus": flavor.vcpus, "disk": flavor.disk, "ephemeral": flavor.ephemeral}
        made = self.admin.compute.create_flavor(name=self.unique("flavor"), id=flavor.id, **size)
        forget_what_was_read()
        return made

    def rested(self, server: str, status: str = "") -> None:
        """Wait until nothing is going on with a server, and it is in this status."""

        def at_rest() -> bool:
            seen = self.cloud.compute.get_server(server)
            return not seen.task_state and seen.status == (status or seen.status)

        self.until(at_rest)

    def unique(self, what: str) -> str:
        """A name that nothing else has."""
        return f"{PREFIX}{what}-{secrets.token_hex(4)}"

    def until(self, there: Callable[[], object]) -> None:
        """Wait for what was done by hand."""
        end = time.monotonic() + PATIENCE
        while not there():
            assert time.monotonic() < end, "the cloud took too long"
            time.sleep(0.3 if self.live else 0.01)
