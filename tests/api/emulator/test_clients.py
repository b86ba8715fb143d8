"""Third-party clients work with the emulator without changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openstack
import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVAL = 0.01
FLAVORS = {"otc": ("s3.large.2", "s3.xlarge.2"), "openstack": ("s1.small", "s1.medium")}


@pytest.fixture(params=["otc", "openstack"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator of each dialect, faster than the poll intervals of the clients."""
    with Emulator(dialect=request.param, speed=500) as running:
        yield running


def test_openstacksdk_server_lifecycle(cloud: Emulator) -> None:
    """A program with openstacksdk creates, changes, resizes and deletes a server with its network, port and volumes."""
    settings = cloud.environment
    names = ("auth_url", "username", "password", "project_name", "user_domain_name")
    auth: dict[str, Any] = {name: settings[f"OS_{name.upper()}"] for name in names}
    sdk: Any = openstack.connect(
        **auth,
        project_domain_name=settings["OS_PROJECT_DOMAIN_NAME"],
        region_name=settings["OS_REGION_NAME"],
        load_yaml_config=False,
        load_envvars=False,
    )
    zoned = cloud.cloud.dialect.name == "otc"
    small, large = (sdk.compute.find_flavor(name) for name in FLAVORS[cloud.cloud.dialect.name])
    image = next(image for image in sdk.image.images() if "ebian" in image.name)
    key = sdk.compute.create_keypair(name="key")
    assert "PRIVATE KEY" in key.private_key
    network = sdk.network.create_network(name="net")
    subnet = sdk.network.create_subnet(network_id=network.id, cidr="10.9.0.0/24", ip_version=4)
    port = sdk.network.create_port(network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    disk = {"source_type": "image", "uuid": image.id, "destination_type": "volume", "volume_size": 4}
    server = sdk.compute.create_server(
        name="web",
        flavor_id=small.id,
        key_name="key",
        networks=[{"port": port.id}],
        block_device_mapping_v2=[disk | {"boot_index": 0, "delete_on_termination": True}],
    )
    server = sdk.compute.wait_for_server(server, interval=INTERVAL)
    assert server.addresses["net"][0]["addr"] == port.fixed_ips[0]["ip_address"]
    volume = sdk.block_storage.create_volume(
        name="data", size=10, availability_zone=server.availability_zone if zoned else None
    )
    sdk.block_storage.wait_for_status(volume, "available", interval=INTERVAL)
    sdk.compute.create_volume_attachment(server, volume_id=volume.id)
    sdk.block_storage.wait_for_status(sdk.block_storage.get_volume(volume.id), "in-use", interval=INTERVAL)
    sdk.compute.create_server_interface(server, net_id=network.id)
    assert len(list(sdk.compute.server_interfaces(server))) == 2
    sdk.compute.stop_server(server)
    sdk.compute.wait_for_server(server, status="SHUTOFF", interval=INTERVAL)
    sdk.compute.resize_server(server, large.id)
    sdk.compute.wait_for_server(server, status="VERIFY_RESIZE", interval=INTERVAL)
    sdk.compute.confirm_server_resize(server)
    sdk.compute.wait_for_server(server, status="SHUTOFF", interval=INTERVAL)
    sdk.compute.start_server(server)
    server = sdk.compute.wait_for_server(server, interval=INTERVAL)
    assert large.id in (server.flavor.id, server.flavor.original_name, getattr(large, "id", None))
    sdk.compute.delete_volume_attachment(server, volume)
    sdk.block_storage.wait_for_status(sdk.block_storage.get_volume(volume.id), "available", interval=INTERVAL)
    sdk.compute.delete_server(server)
    sdk.compute.wait_for_delete(server, interval=INTERVAL)
    sdk.block_storage.delete_volume(volume)
    sdk.network.delete_port(port)
    sdk.network.delete_network(network)
    sdk.compute.delete_keypair(key)
    assert [request for request in cloud.requests if request.status >= 500] == []
    with cloud.state() as state:
        assert state.find("server", deleted=False) == []
        assert state.find("port", network_id=network.id) == []


def test_openstack_command_server_lifecycle() -> None:
    """One `openstack` shell runs the same lifecycle, without commands that need the list of Neutron's extensions."""
    command = shutil.which("openstack", path=str(Path(sys.executable).parent))
    assert command, "python-openstackclient is among the development dependencies"
    small, large = FLAVORS["otc"]
    script = f"""
        network create net
        subnet create --network net --subnet-range 10.9.0.0/24 subnet
        keypair create key
        server create --flavor {small} --image Standard_Debian_12_latest --boot-from-volume 4 --network net web
        volume create --size 10 --availability-zone eu-de-01 data
        server add volume web data
        server stop web
        server resize --flavor {large} web
        server resize confirm web
        server start web
        server show web -f value -c flavor -c status
        server list -f csv
        flavor list -f csv
        image list -f csv
        availability zone list --compute -f csv
        server remove volume web data
        server delete web
        volume delete data
        """
    with Emulator(speed=5_000) as cloud:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        run = subprocess.run(
            [command],
            input="\n".join(line.strip() for line in script.strip().splitlines()),
            env=environment | cloud.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        output = run.stdout + run.stderr
        assert f"{large}" in output
        assert '"web","ACTIVE"' in output
        rejected = [request for request in cloud.requests if request.status >= 400 and request.method != "GET"]
        assert rejected == [], output
        with cloud.state() as state:
            assert state.find("server", deleted=False) == [], output
