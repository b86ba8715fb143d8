"""Importing existing objects with the program that `ecs_pulumi.adopt` writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import registry
from tests.support.command import printed
from tests.support.landscape import client
from tests.support.pages import blocks, missing, script
from tests.support.terraform_state import rebuild
from tools.workspace import CHECKOUT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openstack.connection import Connection

    from ecs_pulumi.emulator.dialects import DialectName
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Project

PREFIX = "adopt-"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"


@pytest.fixture
def dialect() -> DialectName:
    """The dialect of the emulated cloud."""
    return "openstack"


@pytest.fixture
def cloud(dialect: DialectName) -> Iterator[Emulator]:
    """An emulated cloud."""
    with Emulator(speed=200, dialect=dialect) as running:
        yield running


@pytest.fixture
def existing(landscape: Landscape) -> Iterator[dict[str, str]]:
    """The ids of sixty objects that another client created, by name. Deleted after the test."""
    with landscape.connect() as cloud:
        try:
            yield build(cloud, landscape)
        finally:
            if landscape.live:
                delete_existing(cloud)


def build(cloud: Connection, landscape: Landscape) -> dict[str, str]:
    """Create objects of all kinds, which refer to each other in every way that `adopt` has to keep."""
    created: dict[str, str] = {}
    neutron: Any = cloud.network
    nova: Any = cloud.compute
    cinder: Any = cloud.block_storage
    supports_tags = nova.get_endpoint_data().max_microversion is not None
    name = f"{PREFIX}key"
    created[name] = nova.create_keypair(name=name, public_key=KEY).id
    created |= build_groups(neutron)
    group = created["group group"]
    policy = {"policies": ["soft-anti-affinity" if supports_tags else "anti-affinity"]}
    created["server group"] = nova.create_server_group(name=f"{PREFIX}apart", **policy).id

    created |= build_networks(neutron, group)
    created |= build_routers(neutron, landscape, created)

    for index in range(3):
        name = f"{PREFIX}disk{index}"
        volume = cinder.create_volume(
            name=name,
            **landscape.empty_volume | {"size": landscape.smallest_volume + index},
            volume_type=landscape.volume_types[-1],
            metadata={"tier": "data"},
        )
        created[name] = volume.id
    image = next(item.id for item in cloud.image.images(name=landscape.image))
    name = f"{PREFIX}root"
    root = cinder.create_volume(name=name, **landscape.empty_volume | {"size": 40}, image_id=image)
    created[name] = root.id
    for volume_id in [created[f"{PREFIX}disk{index}"] for index in range(3)] + [root.id]:
        cinder.wait_for_status(cinder.get_volume(volume_id), "available", interval=0.2, wait=60)

    flavor = next(item.id for item in nova.flavors() if item.name == landscape.small)
    disk = {"source_type": "image", "uuid": image, "destination_type": "volume", "boot_index": 0, "volume_size": 40}
    own_disk = [{**disk, "delete_on_termination": True}]
    root_volume = [{"source_type": "volume", "uuid": root.id, "destination_type": "volume", "boot_index": 0}]
    can_boot_locally = landscape.live or cloud.image.get_image(image).min_disk <= nova.get_flavor(flavor).disk
    servers: dict[str, dict[str, Any]] = {
        "web0": {"networks": [{"port": created[f"{PREFIX}web-port0"]}, {"port": created[f"{PREFIX}data-port1"]}]},
        "web1": {"networks": [{"uuid": created["network web"]}, {"port": created[f"{PREFIX}ops-port1"]}]},
        "db": {"networks": [{"uuid": created["network data"]}], "block_device_mapping": root_volume},
        "ops": {
            "networks": [{"uuid": created["network ops"]}],
            "key_name": f"{PREFIX}key",
            "security_groups": [{"name": f"{PREFIX}group"}],
            "scheduler_hints": {"group": created["server group"]},
        },
        "spare": {"networks": [{"uuid": created["network web"]}], "metadata": {"role": "spare", "note": "x" * 90}},
    }
    for short, attributes in servers.items():
        boot: dict[str, Any] = (
            {"image_id": image}
            if can_boot_locally and short in ("web0", "spare")
            else {"block_device_mapping": own_disk}
        )
        server = nova.create_server(
            **{"name": f"{PREFIX}{short}", "flavor_id": flavor, "user_data": "aHVzaA=="} | boot | attributes
        )
        created[f"server {short}"] = server.id
    for short in servers:
        nova.wait_for_server(nova.get_server(created[f"server {short}"]), interval=0.2, wait=120)
    if supports_tags:
        nova.add_tag_to_server(created["server ops"], "shop")
    nova.stop_server(created["server spare"])
    nova.wait_for_server(nova.get_server(created["server spare"]), status="SHUTOFF", interval=0.2, wait=60)

    for index, short in enumerate(("web0", "web1", "db")):
        volume_id, server_id = created[f"{PREFIX}disk{index}"], created[f"server {short}"]
        nova.create_volume_attachment(server_id, volume_id=volume_id)
        cinder.wait_for_status(cinder.get_volume(volume_id), "in-use", interval=0.2, wait=60)
        created[f"{server_id}/{volume_id}"] = f"{server_id}/{volume_id}"
    # The creation time of a port has whole seconds, and this port has to be younger than its server.
    time.sleep(1.1)
    late_port = neutron.create_port(name=f"{PREFIX}late", network_id=created["network ops"])
    created[f"{PREFIX}late"] = late_port.id
    nova.create_server_interface(created["server web0"], port_id=late_port.id)
    nova.create_server_interface(created["server web1"], port_id=created[f"{PREFIX}web-port2"])
    nic = next(neutron.ports(device_id=created["server ops"])).id
    return created | build_floating_ips(neutron, landscape, created, nic)


def build_networks(neutron: Any, group: str) -> dict[str, str]:
    """Create three networks, six subnets and nine ports."""
    created: dict[str, str] = {}
    for number, tier in enumerate(("web", "data", "ops")):
        name = f"{PREFIX}{tier}"
        network = neutron.create_network(name=name, description=f"the {tier} tier")
        neutron.set_tags(network, ["shop", tier])
        created[f"network {tier}"] = network.id
        first = neutron.create_subnet(
            name=f"{name}-4",
            network_id=network.id,
            ip_version=4,
            cidr=f"10.2{number}.0.0/24",
            dns_nameservers=["9.9.9.9", "1.1.1.1"],
            gateway_ip=f"10.2{number}.0.254",
            allocation_pools=[{"start": f"10.2{number}.0.20", "end": f"10.2{number}.0.90"}],
            host_routes=[{"destination": "10.99.0.0/16", "nexthop": f"10.2{number}.0.7"}],
        )
        second = neutron.create_subnet(
            network_id=network.id,
            ip_version=4,
            cidr=f"10.3{number}.0.0/28",
            **({"gateway_ip": None, "is_dhcp_enabled": False} if tier == "data" else {}),
        )
        created |= {f"{name}-4": first.id, f"{name}-other": second.id}
        ports: list[dict[str, Any]] = [
            {"fixed_ips": [{"subnet_id": first.id, "ip_address": f"10.2{number}.0.10"}], "description": 'say "it\'s"'},
            {
                "fixed_ips": [{"subnet_id": first.id}, {"subnet_id": second.id}],
                "allowed_address_pairs": [{"ip_address": "10.77.0.0/24"}, {"ip_address": f"10.2{number}.0.200"}],
                "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}],
                "security_groups": [group],
            },
            {"fixed_ips": [{"subnet_id": second.id}], "security_groups": [], "is_admin_state_up": False},
        ]
        for index, attributes in enumerate(ports):
            name = f"{PREFIX}{tier}-port{index}"
            created[name] = neutron.create_port(name=name, network_id=network.id, **attributes).id
    return created


def build_floating_ips(neutron: Any, landscape: Landscape, created: dict[str, str], nic: str) -> dict[str, str]:
    """Create a floating IP for a port, one for a NIC that Nova created, and a free one."""
    public = neutron.find_network(landscape.external_network).id
    addresses: dict[str, dict[str, str]] = {
        "web": {"port_id": created[f"{PREFIX}web-port0"], "description": f"{PREFIX}shop"},
        "ops": {"port_id": nic, "description": f"{PREFIX}ops"},
        "free": {"description": f"{PREFIX}free"},
    }
    return {
        f"floating ip {name}": neutron.create_ip(floating_network_id=public, **attributes).id
        for name, attributes in addresses.items()
    }


def build_groups(neutron: Any) -> dict[str, str]:
    """Create a group with rules, one with the default rules, and two groups that refer to each other."""
    created: dict[str, str] = {}
    for name in ("group", "plain", "app", "data"):
        group = neutron.create_security_group(name=f"{PREFIX}{name}", description=f"the group {name}")
        created[f"group {name}"] = group.id
    ports = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    for name, rule in (
        ("group", {**ports, "remote_ip_prefix": "10.0.0.0/8", "description": "ssh"}),
        ("group", {"protocol": "icmp"}),
        ("group", {"remote_group_id": created["group group"]}),
        ("group", {**ports, "port_range_max": 23, "remote_group_id": created["group plain"]}),
        ("app", {"protocol": "udp", "remote_group_id": created["group data"]}),
        ("data", {"ether_type": "IPv6", "protocol": "58", "remote_group_id": created["group app"]}),
    ):
        attributes = {"direction": "ingress", **rule, "security_group_id": created[f"group {name}"]}
        rule_id = neutron.create_security_group_rule(**attributes).id
        if name != "group":
            created[f"rule {name}"] = rule_id
    return created


def build_routers(neutron: Any, landscape: Landscape, created: dict[str, str]) -> dict[str, str]:
    """Create a router with three interfaces and a gateway, and one with an interface by port and a route."""
    gateway = {"network_id": neutron.find_network(landscape.external_network).id}
    outside = neutron.create_router(name=f"{PREFIX}outside", external_gateway_info=gateway).id
    inside = neutron.create_router(name=f"{PREFIX}inside", description="for backups", is_admin_state_up=False).id
    # Neutron chooses the subnet of a NIC that Nova creates, here the subnet with the smaller id.
    for subnet in ("web-4", "ops-4", "ops-other"):
        neutron.add_interface_to_router(outside, subnet=created[f"{PREFIX}{subnet}"])
    address = {"subnet_id": created[f"{PREFIX}data-4"], "ip_address": "10.21.0.3"}
    port = neutron.create_port(name=f"{PREFIX}hop", network_id=created["network data"], fixed_ips=[address]).id
    neutron.add_interface_to_router(inside, port=port)
    neutron.update_router(inside, routes=[{"destination": "192.168.7.0/24", "nexthop": "10.21.0.9"}])
    return {
        "router outside": outside,
        "router inside": inside,
        f"{PREFIX}hop": port,
        "interface": f"{inside}/{port}",
        "route": f"{inside}/192.168.7.0/24/10.21.0.9",
    }


def delete_existing(cloud: Connection) -> None:
    """Delete the remaining objects."""
    nova: Any = cloud.compute
    servers = [item for item in nova.servers() if item.name.startswith(PREFIX)]
    for server in servers:
        nova.delete_server(server)
    for server in servers:
        nova.wait_for_delete(server, interval=0.5, wait=60)
    delete_routing(cloud.network)
    networks = [item for item in cloud.network.networks() if (item.name or "").startswith(PREFIX)]
    for network in networks:
        for port in cloud.network.ports(network_id=network.id):
            cloud.network.delete_port(port)
        cloud.network.delete_network(network)
    delete_groups(cloud)
    cinder: Any = cloud.block_storage
    for volume in cinder.volumes():
        if (volume.name or "").startswith(PREFIX):
            cinder.delete_volume(volume)
    for pair in nova.keypairs():
        if pair.name.startswith(PREFIX):
            nova.delete_keypair(pair)


def delete_groups(cloud: Connection) -> None:
    """Delete the remaining security groups and server groups."""
    neutron: Any = cloud.network
    nova: Any = cloud.compute
    groups = [item for item in neutron.security_groups() if item.name.startswith(PREFIX)]
    for rule in neutron.security_group_rules():
        if rule.security_group_id in {group.id for group in groups}:
            neutron.delete_security_group_rule(rule)
    for group in groups:
        neutron.delete_security_group(group)
    for apart in nova.server_groups():
        if apart.name.startswith(PREFIX):
            nova.delete_server_group(apart)


def delete_routing(neutron: Any) -> None:
    """Delete the remaining floating IPs and routers."""
    routers = [item for item in neutron.routers() if item.name.startswith(PREFIX)]
    for address in neutron.ips():
        if address.description.startswith(PREFIX):
            neutron.delete_ip(address)
    for router in routers:
        neutron.update_router(router, routes=[])
        for port in neutron.ports(device_id=router.id):
            if port.device_owner == "network:router_interface":
                neutron.remove_interface_from_router(router, port=port.id)
        neutron.delete_router(router)


def adopt(story: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder of the project."""
    command = (sys.executable, "-m", "ecs_pulumi.adopt", *arguments)
    return subprocess.run(
        command, cwd=story.folder, env=story.env, capture_output=True, text=True, check=False, timeout=120
    )


def snapshot(landscape: Landscape, ids: dict[str, str]) -> dict[str, Any]:
    """Return the objects as another client reads them, including the times of their last change.

    Servers are without floating addresses, which the floating IPs show at once, but Nova only a while later.
    """
    with landscape.connect() as cloud:
        lists: tuple[Any, ...] = (
            cloud.compute.servers(),
            cloud.compute.keypairs(),
            cloud.block_storage.volumes(),
            cloud.network.networks(),
            cloud.network.subnets(),
            cloud.network.ports(),
            cloud.network.routers(),
            cloud.network.ips(),
            cloud.network.security_groups(),
            cloud.network.security_group_rules(),
            cloud.compute.server_groups(),
        )
        objects = {item.id: item.to_dict() for listed in lists for item in listed if item.id in ids.values()}
    for item in objects.values():
        item.pop("location", None)
        for network, addresses in (item.get("addresses") or {}).items():
            item["addresses"][network] = [each for each in addresses if each["OS-EXT-IPS:type"] != "floating"]
    return objects


def test_import_of_existing_objects_changes_nothing(
    existing: dict[str, str], project: MakeProject, landscape: Landscape, request: pytest.FixtureRequest
) -> None:
    """The first `up` of the generated program changes nothing in the cloud, and the following previews are empty."""
    story = project("")
    before = snapshot(landscape, existing)
    addresses = [
        argument for name, id_ in existing.items() if name.startswith("floating") for argument in ("--id", id_)
    ]
    done = adopt(story, "--name", f"{PREFIX}*", *addresses, "--output", str(story.program), "--force")
    assert done.returncode == 0, done.stderr
    text = story.program.read_text()
    kinds = re.findall(r"ecs\.(\w+)\(\n", text)

    assert len(kinds) >= 50
    for reference in (
        "router_id=adopt_outside.id",
        "subnet_id=adopt_web_4.id",
        f"external_network={landscape.external_network}.id",
        'port_id=adopt_ops_server.nics[0]["port_id"]',
        'scheduler_hints={"group": adopt_apart.id}',
        "security_groups=[adopt_group.id]",
        "security_group_ids=[adopt_group.id]",
        "remote_group_id=adopt_data_security_group.id",
        '"remote_group_id": adopt_plain.id',
    ):
        assert reference in text
    # The port of a floating IP is written into the FloatingIp.
    assert set(kinds) == set(registry.kinds()) - {"FloatingIpAssociation"}
    write_count = 0
    if not landscape.live:
        emulator: Emulator = request.getfixturevalue("cloud")
        write_count = len(writes(emulator))

    imported = story.up()
    assert len(imported.changes) == len(kinds)
    assert story.preview().changes == {}
    story.refresh()
    assert story.preview().changes == {}

    assert snapshot(landscape, existing) == before
    if not landscape.live:
        assert writes(emulator)[write_count:] == []
    assert {each["id"] for each in story.state().values()} >= {
        # A subnet without a name is not selected, and no program declares the port of an interface.
        id_
        for name, id_ in existing.items()
        if not name.endswith(("-other", "-hop"))
    }
    again = adopt(story, "--name", f"{PREFIX}*")
    assert (again.returncode, again.stdout) == (2, "")
    assert "the stack already manages it" in again.stderr
    assert "protected" in story.destroy(fails=True).text
    assert snapshot(landscape, existing) == before, "`destroy` deletes no imported object"
    story.run("state", "unprotect", "--all", "--yes")
    story.destroy()


@pytest.mark.usefixtures("existing")
def test_commands_of_the_import_page(cloud: Emulator, engine_path: Path, tmp_path: Path) -> None:
    """The commands of the page import all objects without a change in the cloud, also with the fewest attributes."""
    page = (CHECKOUT / "docs" / "how-to" / "import.md").read_text()
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    # The old Nova API returns the fewest attributes.
    script = re.sub(r"(pulumi stack init \w+\n)", r"\1pulumi config set --path ecs:apiVersions.compute 2\n", script)
    home = tmp_path / "shop"
    home.mkdir()
    env = environment(engine_path, home, "test") | cloud.environment
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
        del env[name]  # the page selects its own
    write_count = len(writes(cloud))
    output = printed(("bash", "-euxo", "pipefail", "-c", script), folder=home, env=env)
    assert writes(cloud)[write_count:] == []
    assert "pulumi config set --secret ecs:password\n" in output
    assert cloud.settings["password"] not in output
    program = output.rpartition("import ecs_pulumi")[2]
    assert set(re.findall(r"ecs\.(\w+)\(", program)) == {"Network", "Subnet"}


TERRAFORM = """\
#!/bin/sh
# `terraform state pull`, `list` and `rm`, for a recorded state
case "$2" in
pull) cat "$STATE" ;;
list) cat "$STATE.list" ;;
rm) shift 2; echo "removed $#" ;;
esac
"""


def test_commands_of_the_terraform_page(cloud: Emulator, engine_path: Path, tmp_path: Path) -> None:
    """The commands of the page import the 60 objects of a state that Terraform's provider wrote, without a change."""
    with client(cloud.settings) as connection:
        state = rebuild(connection)
        connection.network.create_network(name="shop-old")
    names = [f"{'data.' if each['mode'] == 'data' else ''}{each['type']}.{each['name']}" for each in state["resources"]]
    (tmp_path / "recorded").write_text(json.dumps(state))
    (tmp_path / "recorded.list").write_text("\n".join(names) + "\n")
    terraform = tmp_path / "programs" / "terraform"
    terraform.parent.mkdir()
    terraform.write_text(TERRAFORM)
    terraform.chmod(0o755)
    home = tmp_path / "shop"
    home.mkdir()
    env = environment(engine_path, tmp_path, "old") | cloud.environment | {"STATE": str(tmp_path / "recorded")}
    env["PATH"] = f"{terraform.parent}:{env['PATH']}"
    before = "printf 'name: shop\\nruntime: python\\n' > Pulumi.yaml; pulumi stack init old\n"
    printed(("bash", "-euxc", before), folder=home, env=env)
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
        del env[name]  # the page selects its own
    write_count = len(writes(cloud))
    page = blocks(CHECKOUT / "docs" / "how-to" / "terraform.md")
    commands = script(page, {"--name 'shop-*' --output __main__.py": "--name 'shop-*' --output __main__.py --force"})
    output = printed(("bash", "-euxo", "pipefail", "-c", commands), folder=home, env=env)
    assert writes(cloud)[write_count:] == []
    assert missing(page, output) == []
    assert "sentinel" not in output.partition("terraform.tfstate --output")[2], "a secret of the state"
    removed = re.findall(r"^removed (\d+)$", output, re.MULTILINE)
    assert removed == [str(len([each for each in state["resources"] if each["mode"] == "managed"]) - 1)]
    assert len(re.findall(r"^ \+  pulumi-python:.* create imports \S+ as \S+ *$", output, re.MULTILINE)) >= 60


@pytest.mark.parametrize("dialect", ["otc"])
def test_import_from_open_telekom_cloud_changes_nothing(
    project: MakeProject, landscape: Landscape, cloud: Emulator
) -> None:
    """The first `up` of the program changes nothing there either, although the cloud lacks some requests and fields."""
    with landscape.connect() as other:
        ids = build_on_otc(other, landscape)
    story = project("")
    before, write_count = snapshot(landscape, ids), len(writes(cloud))
    selected = [argument for id_ in ids.values() for argument in ("--id", id_)]
    done = adopt(story, *selected, "--output", str(story.program), "--force")
    assert done.returncode == 0, done.stderr
    kinds = set(re.findall(r"ecs\.(\w+)\(\n", story.program.read_text()))
    assert kinds >= {"Network", "Subnet", "Port", "Router", "RouterInterface", "FloatingIp", "Volume", "KeyPair"}
    assert kinds >= {"SecurityGroup", "Server", "VolumeAttachment"}
    story.up()
    assert story.preview().changes == {}
    story.refresh()
    assert story.preview().changes == {}
    assert snapshot(landscape, ids) == before
    assert writes(cloud)[write_count:] == []


def build_on_otc(cloud: Connection, landscape: Landscape) -> dict[str, str]:
    """Create objects of most kinds with the attributes that Open Telekom Cloud documents."""
    neutron: Any = cloud.network
    nova: Any = cloud.compute
    cinder: Any = cloud.block_storage
    created: dict[str, str] = {"key": nova.create_keypair(name=f"{PREFIX}key", public_key=KEY).id}
    network = neutron.create_network(name=f"{PREFIX}net").id
    subnet = neutron.create_subnet(
        name=f"{PREFIX}subnet", network_id=network, ip_version=4, cidr="10.20.0.0/24", dns_nameservers=["9.9.9.9"]
    ).id
    group = neutron.create_security_group(name=f"{PREFIX}group", description="the group").id
    neutron.create_security_group_rule(
        security_group_id=group, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22
    )
    fixed_ips = [{"subnet_id": subnet, "ip_address": "10.20.0.10"}]
    # `create_port` asks for the extensions, which this cloud does not list.
    port = neutron.post(
        "/ports",
        json={
            "port": {
                "name": f"{PREFIX}port",
                "network_id": network,
                "fixed_ips": fixed_ips,
                "security_groups": [group],
                "allowed_address_pairs": [{"ip_address": "10.20.0.200"}],
            }
        },
    ).json()["port"]["id"]
    outside = next(neutron.networks(is_router_external=True)).id
    router = neutron.create_router(name=f"{PREFIX}router", external_gateway_info={"network_id": outside}).id
    interface = neutron.add_interface_to_router(router, subnet=subnet)["port_id"]
    address = neutron.create_ip(floating_network_id=outside, port_id=port).id
    created |= {"network": network, "subnet": subnet, "group": group, "port": port, "router": router}
    created |= {"interface": f"{router}/{interface}", "address": address}

    zone = {"availability_zone": landscape.zone}
    data = cinder.create_volume(name=f"{PREFIX}data", size=10, volume_type="SSD", **zone).id
    image = next(item.id for item in cloud.image.images(name=landscape.image))
    flavor = next(item.id for item in nova.flavors() if item.name == landscape.small)
    disk = {"source_type": "image", "uuid": image, "destination_type": "volume", "boot_index": 0, "volume_size": 40}
    server = nova.create_server(
        name=f"{PREFIX}server",
        flavor_id=flavor,
        key_name=f"{PREFIX}key",
        networks=[{"port": port}],
        block_device_mapping=[{**disk, "delete_on_termination": True}],
        **zone,
    ).id
    nova.wait_for_server(nova.get_server(server), interval=0.2, wait=120)
    cinder.wait_for_status(cinder.get_volume(data), "available", interval=0.2, wait=60)
    nova.create_volume_attachment(server, volume_id=data)
    cinder.wait_for_status(cinder.get_volume(data), "in-use", interval=0.2, wait=60)
    return created | {"data": data, "server": server, "attachment": f"{server}/{data}"}


def test_replacement_of_imported_object_creates_new_object(
    project: MakeProject, cloud: Emulator, landscape: Landscape
) -> None:
    """`adopt` applies to the first `up` only; a later replacement creates an object. Previews refuse wrong imports."""
    with landscape.connect() as other:
        network: Any = other.network.create_network(name="net")
        port: Any = other.network.create_port(network_id=network.id)
    program = """
        import ecs_pulumi as ecs

        ecs.Port("port", adopt="{}", network_id="{}", mac_address={})
    """
    program = textwrap.dedent(program)
    mac = '"fa:16:3e:00:00:01"'
    story = project(program.format("no-such-thing", network.id, None))
    assert any("there is no Port no-such-thing" in line for line in story.preview(fails=True).errors)
    story.write(program.format(port.id, network.id, mac))
    assert any("would have to be replaced" in line for line in story.preview(fails=True).errors)
    story.write(program.format(port.id, network.id, None))
    story.up()
    assert story.state()["Port port"]["id"] == port.id
    story.write(program.format(port.id, network.id, mac))
    assert story.preview().changes == {"Port port": "replace"}
    story.up()
    assert story.state()["Port port"]["id"] != port.id
    assert story.preview().changes == {}


def writes(cloud: Emulator) -> list[tuple[str, str]]:
    """Return the requests that change something, without those for tokens."""
    return [
        (request.method, request.path)
        for request in cloud.requests
        if request.method not in ("GET", "HEAD") and not request.path.endswith("/auth/tokens")
    ]
