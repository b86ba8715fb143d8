"""Reading a state of Terraform or OpenTofu."""

from __future__ import annotations

import copy
import json
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.adopt.__main__ import main
from ecs_pulumi.adopt.terraform import KINDS, Item, load
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.resources import registry
from tests.support.terraform_state import LANDSCAPE

if TYPE_CHECKING:
    from pathlib import Path

    from ecs_pulumi.adopt.terraform import TerraformState

PROVIDER = 'provider["registry.terraform.io/terraform-provider-openstack/openstack"]'
NETWORK = "openstack_networking_network_v2"


def resource(type_: str = NETWORK, name: str = "web", **values: Any) -> dict[str, Any]:
    """Return a resource of a state, with one instance."""
    keys = ("module", "mode", "provider")
    of_resource: dict[str, Any] = {"mode": "managed", "provider": PROVIDER}
    of_resource |= {key: values.pop(key) for key in keys if key in values}
    return {"type": type_, "name": name, "instances": [{"attributes": {"id": "1"}, **values}], **of_resource}


def read(folder: Path, *resources: dict[str, Any]) -> TerraformState:
    """Read a state with these resources."""
    file = folder / "terraform.tfstate"
    file.write_text(json.dumps({"version": 4, "serial": 1, "resources": list(resources)}))
    return load(str(file))


def labels(state: TerraformState) -> list[str]:
    """Return the names of the resources of a state."""
    return [item.label for item in state.items]


def test_recorded_state_has_objects_of_every_kind() -> None:
    """The state that the provider wrote has 60 objects of all kinds; an object of another kind is skipped."""
    state = load(str(LANDSCAPE))
    assert Counter(item.kind for item in state.items).keys() == set(registry.kinds())
    assert len(state.items) == 60
    assert list(state.skipped.items()) == [("ecs_pulumi has no such kind", ["openstack_networking_subnetpool_v2.pool"])]
    assert list(state.lookups.values()) == ["backup"]
    assert set(KINDS.values()) == set(registry.kinds())


@pytest.mark.parametrize(
    ("values", "address", "label"),
    [
        ({}, f"{NETWORK}.web", "web"),
        ({"index_key": 0}, f"{NETWORK}.web[0]", "web-0"),
        ({"index_key": "blue"}, f'{NETWORK}.web["blue"]', "web-blue"),
        ({"index_key": 'a."b"'}, f'{NETWORK}.web["a.\\"b\\""]', 'web-a."b"'),
        ({"module": "module.net"}, f"module.net.{NETWORK}.web", "net-web"),
        (
            {"module": 'module.zone["eu.de/1"].module.net[2]', "index_key": 1},
            f'module.zone["eu.de/1"].module.net[2].{NETWORK}.web[1]',
            "zone-eu.de/1-net-2-web-1",
        ),
    ],
)
def test_resource_is_named_as_in_terraform(tmp_path: Path, values: dict[str, Any], address: str, label: str) -> None:
    """The name contains the modules and the key in `count` or `for_each`."""
    (item,) = read(tmp_path, resource(**values)).items
    assert (item.address, item.label) == (address, label)


@pytest.mark.parametrize(
    ("type_", "attributes", "ids"),
    [
        ("compute_volume_attach_v2", {"id": "s/a", "instance_id": "s", "volume_id": "v"}, ["s/v"]),
        ("compute_interface_attach_v2", {"id": "s/p", "instance_id": "s", "port_id": "p"}, ["s/p"]),
        ("networking_router_interface_v2", {"id": "p", "router_id": "r", "subnet_id": "n"}, ["r/p", "r/p/n"]),
        (
            "networking_router_route_v2",
            {"id": "r-route-…", "router_id": "r", "destination_cidr": "10.0.0.0/24", "next_hop": "10.1.0.1"},
            ["r/10.0.0.0/24/10.1.0.1"],
        ),
        ("networking_floatingip_associate_v2", {"id": "f", "floating_ip": "192.0.2.1", "port_id": "p"}, ["f"]),
        ("compute_keypair_v2", {"id": "deploy", "name": "deploy"}, ["deploy"]),
    ],
)
def test_composite_ids_are_converted(tmp_path: Path, type_: str, attributes: dict[str, Any], ids: list[str]) -> None:
    """An id that consists of several is converted to the one of the input `adopt`."""
    (item,) = read(tmp_path, resource(f"openstack_{type_}", attributes=attributes)).items
    assert list(item.ids) == ids


def test_resource_with_several_routes_is_several_resources(tmp_path: Path) -> None:
    """Each route of `openstack_networking_router_routes_v2` is a resource, named after its destination."""
    routes = [{"destination_cidr": f"10.0.{index}.0/24", "next_hop": "10.1.0.1"} for index in range(2)]
    several = {"id": "r", "router_id": "r", "routes": routes}
    state = read(tmp_path, resource("openstack_networking_router_routes_v2", attributes=several))
    assert labels(state) == ["web-10.0.0.0/24", "web-10.0.1.0/24"]
    assert [item.ids for item in state.items] == [("r/10.0.0.0/24/10.1.0.1",), ("r/10.0.1.0/24/10.1.0.1",)]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"type_": "openstack_lb_loadbalancer_v2"}, "ecs_pulumi has no such kind"),
        ({"type_": "aws_instance"}, "managed by another provider than OpenStack's"),
        ({"status": "tainted"}, "tainted: Terraform would replace it"),
        ({"deposed": "0123abcd"}, "deposed: Terraform still has to delete it"),
        ({"attributes": {"id": None}}, "the state has no id of it"),
        ({"attributes": None}, "the state has no id of it"),
        ({"type_": "openstack_networking_subnet_route_v2"}, "`host_routes` of the Subnet has the same routes"),
    ],
)
def test_object_that_cannot_be_imported_is_skipped(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    """It is listed with the reason; the other objects are kept."""
    state = read(tmp_path, resource(**values), resource(name="other"))
    assert dict(state.skipped) == {reason: [f"{values.get('type_', NETWORK)}.web"]}
    assert labels(state) == ["other"]


@pytest.mark.parametrize("type_", ["blockstorage_volume_v1", "blockstorage_volume_v2", "compute_secgroup_v2"])
def test_former_type_is_skipped_with_its_id(tmp_path: Path, type_: str) -> None:
    """The line about an object of a type that the provider no longer has contains its id, for `adopt --id`."""
    state = read(tmp_path, resource(f"openstack_{type_}", attributes={"id": "abc"}))
    ((reason, addresses),) = state.skipped.items()
    assert "`ecs-pulumi adopt --id ID`" in reason
    assert addresses == [f"openstack_{type_}.web (abc)"]


def test_data_source_is_no_resource(tmp_path: Path) -> None:
    """An object that the configuration only looks up is not imported."""
    state = read(tmp_path, resource(mode="data", attributes={"id": "abc"}), resource("aws_ami", mode="data"))
    assert (state.items, state.skipped, state.lookups) == ([], {}, {("Network", "abc"): "web"})


def test_attributes_of_an_upgraded_state_are_read(tmp_path: Path) -> None:
    """A state that Terraform 0.11 wrote has flat attributes after its upgrade."""
    flat = {"id": "s/a", "instance_id": "s", "volume_id": "v"}
    state = read(tmp_path, resource("openstack_compute_volume_attach_v2", attributes=None, attributes_flat=flat))
    assert state.items[0].ids == ("s/v",)


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b" \n", "is empty"),
    "no JSON": (b'resource "x" {}', "is not a Terraform state: it is not JSON"),
    "binary": (b"\xff\xfe\x00\x01", "is not a Terraform state: it is not JSON"),
    "deeply nested": (b"[" * 100_000, "is not a Terraform state: it is not JSON"),
    "list": (b"[]", "is not a Terraform state"),
    "plan": (b"PK\x03\x04rest", "is a plan, not a state"),
    "encrypted": (b'{"serial":1,"encrypted_data":"x","encryption_version":"v0"}', "is encrypted by OpenTofu"),
    "backend": (b'{"version":3,"backend":{"type":"s3"}}', "names the backend that stores the state"),
    "show": (b'{"format_version":"1.0","values":{}}', "is the output of `terraform show -json`"),
    "old": (b'{"version":3,"modules":[]}', "has version 3, but only Terraform states of version 4"),
    "new": (b'{"version":5}', "has version 5, but only Terraform states of version 4"),
    "other JSON": (b'{"name":"x"}', "has no version"),
    "resources": (b'{"version":4,"resources":{}}', "is not a valid Terraform state: `resources`"),
    "instance": (
        b'{"version":4,"resources":[{"mode":"managed","type":"a","name":"b","instances":[{"attributes":["hush"]}]}]}',
        "is not a valid Terraform state: `resources.0.instances.0.attributes`",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_reported_in_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no state is an error of one line that names the file, before any request."""
    content, reason = BAD_FILES[case]
    file = tmp_path / "terraform.tfstate"
    file.write_bytes(content)
    assert main(["--terraform", str(file)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith(f"error: {file} {reason}")
    assert "hush" not in line


def test_missing_file_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that does not exist is an error that names it."""
    assert main(["--terraform", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'none'}: No such file or directory\n"


def test_state_in_utf_16_is_read(tmp_path: Path) -> None:
    """PowerShell stores the output of `terraform state pull` so."""
    file = tmp_path / "terraform.tfstate"
    file.write_text(json.dumps({"version": 4, "resources": [resource()]}), encoding="utf-16")
    assert labels(load(str(file))) == ["web"]


def completed(kind: str, inputs: dict[str, Any] | None = None, /, **attributes: Any) -> ImportedResource:
    """Return a resource with these inputs after those of the state are added."""
    from ecs_pulumi.adopt.terraform import TerraformState

    item = Item("address", "web", kind, ("1",), attributes)
    result = ImportedResource(copy.deepcopy(inputs or {}))
    TerraformState([item]).declarations.complete(Candidate(kind, "1", "web", SimpleNamespace()), result)
    return result


@pytest.mark.parametrize(
    ("kind", "attributes", "inputs"),
    [
        ("Server", {"stop_before_destroy": True, "force_delete": False}, {"stop_before_delete": True}),
        ("Server", {"stop_before_destroy": "false", "force_delete": "true"}, {"force_delete": True}),
        (
            "Server",
            {"scheduler_hints": [{"group": "g", "query": [">=", "$free_ram_mb", 1024], "same_host": []}]},
            {"scheduler_hints": {"group": "g", "query": '[">=", "$free_ram_mb", 1024]'}},
        ),
        (
            "Server",
            {"scheduler_hints": [{"group": "", "additional_properties": {"zone": "b"}}]},
            {"scheduler_hints": {"zone": "b"}},
        ),
        ("Server", {"scheduler_hints": None, "block_device": None, "network": "auto"}, {}),
        ("Volume", {"backup_id": "b", "scheduler_hints": [{"same_host": ["v"]}]}, None),
        ("Network", {"value_specs": {"key": "value"}}, {"value_specs": {"key": "value"}}),
        ("FloatingIp", {"subnet_id": "s", "subnet_ids": None}, {"subnet_ids": ["s"]}),
        ("FloatingIp", {"subnet_id": None, "subnet_ids": ["a", "b"]}, {"subnet_ids": ["a", "b"]}),
        ("FloatingIp", {"subnet_id": "", "subnet_ids": None}, {}),
        ("VolumeAttachment", {"tag": "data", "multiattach": None}, {"tag": "data"}),
    ],
)
def test_inputs_that_no_api_returns_are_restored(
    kind: str, attributes: dict[str, Any], inputs: dict[str, Any] | None
) -> None:
    """Inputs that only the state has are added."""
    expected = inputs if inputs is not None else {"backup_id": "b", "scheduler_hints": {"same_host": ["v"]}}
    assert completed(kind, **attributes).inputs == expected


def test_block_devices_are_those_of_the_state() -> None:
    """The state has all block devices, also swap disks; the image of the root disk is the input `image`."""
    empty = {"guest_format": "", "volume_size": 0, "multiattach": False, "volume_type": ""}
    root = {**empty, "source_type": "image", "uuid": "i", "destination_type": "local", "boot_index": 0}
    swap = {**empty, "source_type": "blank", "destination_type": "local", "boot_index": -1, "guest_format": "swap"}
    swap["volume_size"] = 1
    devices = completed("Server", {"image": "debian", "block_devices": ["guess"]}, block_device=[root, swap]).inputs
    assert devices["block_devices"] == [
        {"source_type": "image", "destination_type": "local", "boot_index": 0},
        {
            "source_type": "blank",
            "destination_type": "local",
            "boot_index": -1,
            "guest_format": "swap",
            "volume_size": 1,
        },
    ]
    (without_image,) = completed("Server", block_device=[root]).inputs["block_devices"]
    assert without_image["uuid"] == "i"


def test_access_network_is_marked() -> None:
    """The NIC that the configuration chose for `access_ip_v4` is marked, by its port or its network."""
    nics = [{"network_id": "n"}, {"port_id": "p"}]
    network = [{"uuid": "m", "port": "p", "access_network": True}]
    marked = completed("Server", {"networks": nics}, network=network).inputs["networks"]
    assert marked == [{"network_id": "n"}, {"port_id": "p", "access_network": True}]
    network = [{"uuid": "n", "port": "", "access_network": True}]
    marked = completed("Server", {"networks": nics}, network=network).inputs["networks"]
    assert marked == [{"network_id": "n", "access_network": True}, {"port_id": "p"}]
