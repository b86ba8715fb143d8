"""Ownership of objects when resources are renamed, swapped, moved or replaced by force."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
CONFIG = {"story:key": PUBLIC_KEY}

IMPORTS = """
    import pulumi
    import ecs_pulumi as ecs

    key = pulumi.Config().get("key")
"""
NETWORK = (
    IMPORTS
    + """
    net = ecs.Network("net")
    sub = ecs.Subnet("sub", network_id=net.id, cidr="10.77.0.0/24", allocation_pools=[
        {"start": "10.77.0.128", "end": "10.77.0.250"},
    ])
"""
)


def server(landscape: Landscape, name: str, networks: str, more: str = "") -> str:
    """Return the line of a program that declares a server which boots from a volume."""
    root = (
        '{"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40, '
        '"delete_on_termination": True}'
    )
    return (
        f'\n    {name} = ecs.Server("{name}", flavor="{landscape.small}", image="{landscape.image}", '
        f"block_devices=[{root}], networks={networks}{more})\n"
    )


@pytest.mark.thorough
def test_rename_and_swap_of_key_pairs(project: MakeProject, landscape: Landscape) -> None:
    """A key pair whose resource is renamed without an alias, and two that swap names, still exist afterwards."""
    names = [f"own-{time.time_ns()}-{index}" for index in range(3)]

    def program(**names: str) -> str:
        pairs = (f'    ecs.KeyPair("{resource}", name="{name}", public_key=key)\n' for resource, name in names.items())
        return IMPORTS + "".join(pairs)

    it = project(program(key=names[0], a=names[1], b=names[2]), config=CONFIG)
    before = landscape.objects()
    it.up()
    it.write(program(renamed=names[0], a=names[2], b=names[1]))
    it.up()
    assert landscape.objects() - before == {each["id"] for each in it.state().values()}
    assert it.preview().changes == {}
    it.refresh()
    assert it.preview().changes == {}
    it.destroy()
    assert landscape.objects() == before


@pytest.mark.thorough
def test_numbered_rules_shift(project: MakeProject, landscape: Landscape) -> None:
    """Rules that are named by their place in a list keep working if one is inserted, removed, or moved."""

    def program(*ports: int) -> str:
        return (
            IMPORTS
            + f"""
    group = ecs.SecurityGroup("web")
    for number, port in enumerate({ports}):
        ecs.SecurityGroupRule(f"rule-{{number}}", security_group_id=group.id, direction="ingress", protocol="tcp",
            port_range_min=port)
    pulumi.export("group", group.id)
"""
        )

    it = project(program(22, 80), config=CONFIG)
    it.up()
    for ports in ((443, 22, 80), (80, 22, 443), (22, 443), (8080,)):
        it.write(program(*ports))
        it.up()
        with landscape.connect() as other:
            rules: Any = other.network.security_group_rules(security_group_id=it.outputs["group"])
            assert sorted(each.port_range_min for each in rules if each.port_range_min) == sorted(ports)
        assert it.preview().changes == {}
    it.destroy()


@pytest.mark.thorough
def test_rename_of_attachments(project: MakeProject, landscape: Landscape) -> None:
    """A disk and a NIC whose attachments are renamed without an alias stay attached."""
    program = (
        NETWORK
        + server(landscape, "web", '[{"network_id": net.id}]', ", opts=pulumi.ResourceOptions(depends_on=[sub])")
        + """
    disk = ecs.Volume("disk", size=10)
    port = ecs.Port("port", network_id=net.id, fixed_ips=[{"subnet_id": sub.id}])
    ecs.VolumeAttachment("data", server_id=web.id, volume_id=disk.id)
    ecs.InterfaceAttachment("nic", server_id=web.id, port_id=port.id)
    pulumi.export("port", port.id)
    pulumi.export("disk", disk.id)
    """
    )
    it = project(program)
    it.up()
    it.write(program.replace('"data"', '"renamed-data"').replace('"nic"', '"renamed-nic"'))
    it.up()
    with landscape.connect() as cloud:
        port, disk = it.outputs["port"], it.outputs["disk"]
        web = it.state()["Server web"]["id"]
        assert cloud.network.get_port(port).device_id == web
        assert cloud.block_storage.get_volume(disk).status == "in-use"
    it.refresh()
    assert it.preview().changes == {}
    it.destroy()


def test_port_moves_between_attachment_and_networks(project: MakeProject, landscape: Landscape) -> None:
    """A port that moves between an InterfaceAttachment and the server's `networks` stays attached."""
    port = (
        NETWORK
        + """
    port = ecs.Port("port", network_id=net.id, fixed_ips=[{"subnet_id": sub.id}])
    first = ecs.Port("first", network_id=net.id, fixed_ips=[{"subnet_id": sub.id}])
    pulumi.export("port", port.id)
    """
    )
    attached = (
        port
        + server(landscape, "web", '[{"port_id": first.id}]')
        + '    ecs.InterfaceAttachment("nic", server_id=web.id, port_id=port.id)\n'
    )
    listed = port + server(landscape, "web", '[{"port_id": first.id}, {"port_id": port.id}]')
    it = project(attached)
    it.up()
    for program in (listed, attached):
        it.write(program)
        it.up()
        with landscape.connect() as cloud:
            assert cloud.network.get_port(it.outputs["port"]).device_id == it.state()["Server web"]["id"]
        assert it.preview().changes == {}
        assert it.preview("--refresh").changes == {}
    it.destroy()


@pytest.mark.thorough
def test_forced_replacement(project: MakeProject, landscape: Landscape) -> None:
    """`pulumi up --replace` works for a server with a port, a port with an address, and attachments."""
    program = (
        NETWORK
        + """
    port = ecs.Port("port", network_id=net.id, fixed_ips=[{"subnet_id": sub.id, "ip_address": "10.77.0.5"}])
    more = ecs.Port("more", network_id=net.id, fixed_ips=[{"subnet_id": sub.id}])
    disk = ecs.Volume("disk", size=10)
    """
        + server(landscape, "web", '[{"network_id": net.id}, {"port_id": port.id}]')
        + """
    ecs.VolumeAttachment("data", server_id=web.id, volume_id=disk.id)
    ecs.InterfaceAttachment("nic", server_id=web.id, port_id=more.id)
    """
    )
    it = project(program)
    before = landscape.objects()
    it.up()
    for resource in ("Port port", "Server web", "VolumeAttachment data", "InterfaceAttachment nic"):
        forced = it.up("--replace", it.state()[resource]["urn"])
        assert forced.changes[resource] == "replace"
        assert it.preview().changes == {}
    it.run("state", "taint", it.state()["Server web"]["urn"], "--yes")
    assert it.up().changes["Server web"] == "replace"
    assert it.preview().changes == {}
    it.refresh()
    assert it.preview().changes == {}
    it.destroy()
    assert landscape.objects() == before


def test_forced_replacement_of_unique_object_needs_delete_before_replace(
    project: MakeProject, landscape: Landscape, cloud: Emulator
) -> None:
    """A named key pair and the range of a subnet cannot exist twice: the error names `delete_before_replace`.

    Without it nothing is deleted.
    """
    name = f"own-{time.time_ns()}"
    program = f'{NETWORK}\n    ecs.KeyPair("key", name="{name}", public_key=key)\n'
    it = project(program, config=CONFIG)
    it.up()
    objects = landscape.objects()
    urns = {resource: it.state()[resource]["urn"] for resource in ("KeyPair key", "Subnet sub")}
    for urn in urns.values():
        failed = it.up("--replace", urn, fails=True)
        assert "delete_before_replace=True" in failed.text
        assert landscape.objects() == objects
    option = "opts=pulumi.ResourceOptions(delete_before_replace=True)"
    it.write(program.replace("=key)", f"=key, {option})").replace('"sub", ', f'"sub", {option}, '))
    both = [part for urn in urns.values() for part in ("--replace", urn)]
    assert it.up(*both).changes == dict.fromkeys(urns, "replace")
    assert name in landscape.objects()
    assert it.preview().changes == {}
    it.destroy()
    assert name not in landscape.objects()


def test_replace_on_changes(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """A change that is normally made in place replaces the object."""
    options = 'pulumi.ResourceOptions(replace_on_changes=["name"])'
    program = IMPORTS + f'    ecs.Network("net", name="one", opts={options})\n'
    it = project(program)
    it.up()
    it.write(program.replace("one", "two"))
    assert it.up().changes == {"Network net": "replace"}
    assert it.preview().changes == {}
    it.destroy()


@pytest.mark.thorough
def test_key_pair_of_another_stack_is_not_imported(project: MakeProject, landscape: Landscape) -> None:
    """If two stacks declare a key pair of the same name, the second is refused in preview and `up`."""
    name = f"own-{time.time_ns()}"
    program = f'{IMPORTS}\n    ecs.KeyPair("key", name="{name}", public_key=key)\n'
    first, second = (project(program, name=each, config={f"{each}:key": PUBLIC_KEY}) for each in ("one", "two"))
    first.up()
    for failed in (second.preview(fails=True), second.up(fails=True)):
        assert f'adopt="{name}"' in failed.text
        assert "KeyPair.get" in failed.text
    first.destroy()
    second.up()
    second.destroy()


def test_adopt_of_object_in_the_stack_is_refused(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """A preview refuses `adopt` of an object that the stack manages under another name, and names `aliases`."""
    it = project(NETWORK)
    it.up()
    id_ = it.state()["Network net"]["id"]
    it.write(f"{NETWORK}\n    ecs.Network('again', adopt='{id_}')\n")
    failed = it.preview(fails=True)
    assert "Network net" in failed.text
    assert "aliases" in failed.text
    it.write(NETWORK)
    assert it.preview().changes == {}
    it.destroy()


def test_import_option_means_adopt(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """`opts=ResourceOptions(import_=…)` imports an existing object."""
    with landscape.connect() as client:
        existing = client.network.create_network(name=f"own-{time.time_ns()}")
    it = project(
        f"import pulumi\nimport ecs_pulumi as ecs\necs.Network('net', name='{existing.name}', "
        f"opts=pulumi.ResourceOptions(import_='{existing.id}'))\n"
    )
    it.up()
    assert it.state()["Network net"]["id"] == existing.id
    assert it.preview().changes == {}
    it.destroy()
    assert existing.id not in landscape.objects()


def test_stack_of_same_name_in_another_backend(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """Objects of a stack of the same name in another backend are neither imported nor deleted."""
    program = f"{NETWORK}\n    ecs.Volume('disk', size=10)\n"
    first, second = project(program), project(program)
    first.up()
    first_objects = landscape.objects()
    second.up()
    second.destroy()
    assert landscape.objects() == first_objects
    first.destroy()


def test_replacement_of_retained_object(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """With `retain_on_delete` each replacement keeps the old object and creates a new one."""
    program = (
        IMPORTS
        + """
    options = pulumi.ResourceOptions(retain_on_delete=True)
    ecs.Network("net", opts=options)
    """
    )
    it = project(program)
    before = landscape.objects()
    it.up()
    urn = it.state()["Network net"]["urn"]
    it.up("--replace", urn)
    it.up("--replace", urn)
    retained = landscape.objects() - before
    assert len(retained) == 3
    it.write(program.replace("retain_on_delete=True", ""))
    it.up()
    it.destroy()
    with landscape.connect() as client:
        for id_ in landscape.objects() - before:
            client.network.delete_network(id_)
