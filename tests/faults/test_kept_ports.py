"""Ports given by `port_id` outlive the NIC and the server, whatever the cloud does with the ports of its NICs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute, image, network
from tests.faults.scenes import OTHER_IMAGE
from tests.support import steps
from tests.support.steps import Failed, Refused, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.world import EmulatedWorld
    from tests.support.steps import Resource


@pytest.fixture(params=["openstack", "otc"])
def world(request: pytest.FixtureRequest) -> Iterator[EmulatedWorld]:
    """A cloud of each dialect, as it was at the start."""
    found: EmulatedWorld = request.getfixturevalue(request.param)
    found.restore(found.start)
    found.connect()
    yield found
    found.restore(found.start)


@pytest.fixture
def cloud(otc: EmulatedWorld) -> EmulatedWorld:
    """A cloud that deletes the ports of a server with it, as it was at the start."""
    otc.restore(otc.start)
    otc.connect()
    return otc


def ports(world: EmulatedWorld, **filters: str) -> set[str]:
    """Return the ids of the ports with these attributes."""
    return {port["id"] for port in network.list_all(world.region.network, "port", **filters)}


def server(world: EmulatedWorld, *nics: dict[str, Any]) -> Resource:
    """Create a server with these NICs."""
    created = world.resource("Server", "web")
    created.up(**program(world, *nics))
    return created


def program(world: EmulatedWorld, *nics: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    """Return the inputs of a server with these NICs."""
    return {**world.server(), "networks": list(nics), **inputs}


def by_network(world: EmulatedWorld) -> dict[str, Any]:
    """Return a NIC whose port Nova creates."""
    return {"network_id": world.base["net"]}


def by_port(world: EmulatedWorld, name: str) -> dict[str, Any]:
    """Return a NIC with a port of the program."""
    return {"port_id": world.base[name]}


def test_port_survives_deletion_of_server(world: EmulatedWorld) -> None:
    """The ports of all NICs but the first survive, also that of an attachment; a port that Nova created does not."""
    before = ports(world)
    web = server(world, by_network(world), by_port(world, "port"))
    world.resource("InterfaceAttachment").up(server_id=web.id, port_id=world.base["nic"])
    web.destroy()
    assert ports(world) == before
    assert world.base["port"] in ports(world, device_id="")
    assert world.base["nic"] in ports(world, device_id="")


def test_first_nic_is_tried_once(cloud: EmulatedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first refusal in a process, no request is sent for the first NIC of a server that is deleted."""
    monkeypatch.setattr(steps, "clear_caches", lambda: None)
    tried: list[list[int]] = []
    for names in (["port"], ["nic"], ["two", "three"]):
        made = [by_port(cloud, name) if name in cloud.base else new_port(cloud, name) for name in names]
        web = server(cloud, *made)
        cloud.cloud.requests.clear()
        web.destroy()
        sent = [each for each in cloud.cloud.requests if each.method == "DELETE" and "/os-interface/" in each.path]
        tried.append([each.status for each in sent])
    assert tried == [[403], [], [202]]


def new_port(world: EmulatedWorld, name: str) -> dict[str, Any]:
    """Create a port, and return a NIC with it."""
    port = world.resource("Port", name)
    port.up(network_id=world.base["net"])
    return {"port_id": port.id}


def test_port_survives_replacement_of_server(world: EmulatedWorld) -> None:
    """A server that is replaced is deleted first, and its successor gets the same port."""
    web = server(world, by_network(world), by_port(world, "port"))
    prior = web.id
    changed = program(world, by_network(world), by_port(world, "port"), image=other_image(world))
    assert web.up(**changed).delete_first
    assert web.id != prior
    assert world.base["port"] in ports(world, device_id=web.id)


def other_image(world: EmulatedWorld) -> str:
    """Return an image of which no server of the tests is."""
    return OTHER_IMAGE[world.cloud.cloud.dialect.name]


@pytest.mark.parametrize("nic", ["port_id", "network_id"])
def test_port_of_attachment_goes_only_if_it_is_its_own(world: EmulatedWorld, nic: str) -> None:
    """Deleting an attachment deletes the port that was created for it, and no other one."""
    before = ports(world)
    attachment = world.resource("InterfaceAttachment")
    given = by_port(world, "nic") if nic == "port_id" else by_network(world)
    attachment.up(server_id=world.base["server"], **given)
    attachment.destroy()
    assert ports(world) == before


def test_port_survives_update_of_server(world: EmulatedWorld) -> None:
    """Taking a NIC with a port of the program out of a server keeps the port; a port that Nova created goes."""
    before = ports(world)
    web = server(world, by_network(world), by_port(world, "port"), by_network(world))
    web.up(**program(world, by_network(world)))
    assert len(ports(world) - before) == 1
    assert world.base["port"] in ports(world, device_id="")


def test_moved_first_nic_is_an_update_on_openstack(openstack: EmulatedWorld) -> None:
    """OpenStack detaches the first NIC as any other."""
    openstack.restore(openstack.start)
    openstack.connect()
    web = server(openstack, by_port(openstack, "port"))
    assert web.preview(**program(openstack, by_port(openstack, "nic"))).op == "update"
    openstack.restore(openstack.start)


def test_change_of_first_nic_replaces_server(cloud: EmulatedWorld) -> None:
    """Where the first NIC cannot leave, a preview shows that another one in its place replaces the server."""
    web = server(cloud, by_port(cloud, "port"), by_network(cloud))
    moved = program(cloud, by_port(cloud, "nic"), by_network(cloud))
    assert web.preview(**moved) == Step("replace", frozenset({"networks"}), delete_first=True)
    # The other NICs can change, and the order of the program does not matter.
    web.up(**program(cloud, by_network(cloud), by_port(cloud, "port")))
    assert web.preview(**program(cloud, by_port(cloud, "port"))).op == "update"
    assert web.preview(**program(cloud, by_network(cloud))).op == "replace"
    web.up(**moved)
    assert cloud.base["nic"] in ports(cloud, device_id=web.id)
    assert cloud.base["port"] not in ports(cloud)


def test_first_nic_that_is_gone_can_be_replaced_in_place(cloud: EmulatedWorld) -> None:
    """A first NIC whose port somebody deleted does not have to leave: the update attaches another one."""
    web = server(cloud, by_port(cloud, "port"))
    with cloud.cloud.state() as state:
        state.remove("port", cloud.base["port"])
        state.put("server", {**(state.get("server", web.id) or {}), "nics": []})
    assert web.preview(**program(cloud, by_port(cloud, "nic"))).op == "update"


def test_port_of_first_nic_goes_with_the_server(cloud: EmulatedWorld, warnings: list[str]) -> None:
    """The deletion says which port the cloud deleted; a refresh finds that, and the next `up` creates the port."""
    port = cloud.resource("Port", "first")
    inputs = {"network_id": cloud.base["net"], "name": "first"}
    port.up(**inputs)
    web = server(cloud, {"port_id": port.id}, by_port(cloud, "nic"))
    web.destroy()
    (line,) = warnings
    assert line == (
        f"the cloud deleted the port first ({port.id}) together with the server, which did not detach it; if the "
        "program declares it, `pulumi up --refresh` creates it anew [port-loss]"
    )
    assert cloud.base["nic"] in ports(cloud, device_id="")
    port.refresh()
    assert port.state is None
    port.up(**inputs)
    web.up(**program(cloud, {"port_id": port.id}))


def test_successor_without_its_port_fails_with_advice(cloud: EmulatedWorld) -> None:
    """A new server whose port went with its predecessor is not created, and the error says what to do."""
    web = server(cloud, by_port(cloud, "port"))
    changed = program(cloud, by_port(cloud, "port"), image=other_image(cloud))
    with pytest.raises(Failed) as failure:
        web.up(**changed)
    assert f"the port {cloud.base['port']} does not exist any more" in str(failure.value)
    assert "`pulumi up --refresh` creates the port anew" in str(failure.value)
    assert web.state is None
    with pytest.raises(Refused, match="there is no port with the id"):
        cloud.resource("InterfaceAttachment").up(server_id=cloud.base["server"], **by_port(cloud, "port"))


def test_preview_of_replacement_names_the_port(cloud: EmulatedWorld, warnings: list[str]) -> None:
    """A preview warns that the replacement deletes a port that the new server needs."""
    web = server(cloud, by_port(cloud, "port"))
    web.preview(**program(cloud, by_port(cloud, "port"), image=other_image(cloud)))
    (line,) = [each for each in warnings if "port-loss" in each]
    assert line == (
        f"replacing web also deletes the port {cloud.base['port']}, because the cloud does not detach the first NIC; "
        "the new server needs that port: give the first NIC another port, or the update ends without a server "
        "[port-loss]"
    )
    warnings.clear()
    web.preview(**program(cloud, by_network(cloud), image=other_image(cloud)))
    web.preview(**program(cloud, by_port(cloud, "port"), user_data="#cloud-config", image_policy="rebuild"))
    assert web.preview(**program(cloud, by_port(cloud, "port"))).op == "same"


def test_first_nic_that_an_attachment_holds_stays(cloud: EmulatedWorld) -> None:
    """The refusal of the first NIC is explained as such, not only as a missing role."""
    port_id = next(iter(ports(cloud, device_id=cloud.base["server"])))
    attachment = cloud.resource("InterfaceAttachment")
    attachment.up(server_id=cloud.base["server"], port_id=port_id, adopt=f"{cloud.base['server']}/{port_id}")
    with pytest.raises(Failed, match="the first NIC of a server cannot leave it on this cloud") as failure:
        attachment.destroy()
    assert "\n" not in str(failure.value)
    assert port_id in ports(cloud)


@pytest.mark.parametrize("first", ["port", ""])
def test_server_stays_if_its_ports_cannot_be_detached(cloud: EmulatedWorld, first: str) -> None:
    """If another NIC than the first one is refused, the server is not deleted with its port."""
    web = server(cloud, by_port(cloud, first) if first else by_network(cloud), by_port(cloud, "nic"))
    cloud.cloud.fault(method="DELETE", path="*/os-interface/*", status=403)
    with pytest.raises(Failed, match="the account's roles in this project do not allow"):
        web.destroy()
    cloud.cloud.clear_faults()
    assert cloud.base["nic"] in ports(cloud, device_id=web.id)


def test_server_in_error_is_deleted_with_its_ports(cloud: EmulatedWorld, warnings: list[str]) -> None:
    """A server whose status allows no detach is deleted nevertheless, and what went with it is named."""
    web = server(cloud, by_network(cloud), by_port(cloud, "port"))
    with cloud.cloud.state() as state:
        state.put("server", {**(state.get("server", web.id) or {}), "vm_state": "error"})
    web.destroy()
    assert cloud.base["port"] not in ports(cloud)
    assert cloud.base["port"] in warnings[0]


def test_port_survives_deletion_of_building_server(cloud: EmulatedWorld, warnings: list[str]) -> None:
    """The deletion waits for a build, in which the cloud detaches no NIC."""
    building = build(cloud, by_network(cloud), by_port(cloud, "port"))
    while not ports(cloud, device_id=building.id):
        cloud._time.advance(0.1)
    found = cloud.region.servers.get(building.id)
    assert found
    assert found["status"] == "BUILD"
    building.destroy()
    assert cloud.base["port"] in ports(cloud, device_id="")
    assert not any("port-loss" in line for line in warnings)


def test_hanging_build_is_deleted_with_its_ports(cloud: EmulatedWorld, warnings: list[str]) -> None:
    """A build that does not end is deleted before the timeout, and the port that went with it is named."""
    web = server(cloud, by_network(cloud), by_port(cloud, "port"))
    with cloud.cloud.state() as state:
        state.put("server", {**(state.get("server", web.id) or {}), "vm_state": "building"})
    web.destroy()
    assert cloud.base["port"] not in ports(cloud)
    assert any(cloud.base["port"] in line and "port-loss" in line for line in warnings)


def test_build_without_ports_of_the_program_is_deleted_at_once(cloud: EmulatedWorld) -> None:
    """The deletion does not wait for a build whose NICs all have ports of Nova."""
    building = build(cloud, by_network(cloud))
    assert building.state
    building.state.outputs["networks"] = [by_network(cloud)]
    start = cloud._time.now
    building.destroy()
    assert cloud._time.now - start < 5


def build(world: EmulatedWorld, *nics: dict[str, Any]) -> Resource:
    """Create a server of which an `up` was killed, and return it while it is building."""
    region = world.region
    created = world.resource("Server", "web")
    flavor = next(each for each in compute.list_flavors(region.compute) if each["name"] == world.server()["flavor"])
    body = {
        "name": "web",
        "flavorRef": flavor["id"],
        "imageRef": image.list_images(region.image)[0]["id"],
        "networks": [{"uuid": nic.get("network_id"), "port": nic.get("port_id")} for nic in nics],
    }
    body["networks"] = [{name: id_ for name, id_ in nic.items() if id_} for nic in body["networks"]]
    created.state = created.get(compute.create_server(region.compute, body)["id"])
    return created


def test_query_parameter_that_the_cloud_refuses(openstack: EmulatedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that refuses `reserve_port` with 400 gets the request, and every further one, without it."""
    openstack.restore(openstack.start)
    openstack.connect()
    web = server(openstack, by_network(openstack), by_port(openstack, "port"), by_port(openstack, "nic"))
    forward, queries = openstack.wire._forward, []

    def strict(request: Any, **options: Any) -> Any:
        if request.method == "DELETE" and "/os-interface/" in request.url:
            queries.append(request.url.partition("?")[2])
            if queries[-1]:
                body = b'{"badRequest": {"code": 400, "message": "Additional properties are not allowed"}}'
                return openstack.wire._respond(request, 400, body, {"Content-Type": "application/json"})
        return forward(request, **options)

    monkeypatch.setattr(openstack.wire, "_forward", strict)
    web.up(**program(openstack, by_network(openstack)))
    assert queries == ["reserve_port=True", "", ""]
    assert {openstack.base["port"], openstack.base["nic"]} <= ports(openstack, device_id="")
    monkeypatch.undo()
    openstack.restore(openstack.start)
