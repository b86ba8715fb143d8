"""The request that each function for an API sends, and what it returns of the response."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import block_storage, compute, network, routers
from ecs_pulumi.cloud.errors import EcsError
from tests.unit.cloud.fakes import GUIDE_VERSIONS, PROJECT, FakeCloud, Reply, Request, region_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.cloud.api import ServiceClient

OBJECT = {"id": "1", "name": "a"}
TAGGED = "2.26"
NOVA, CINDER, NEUTRON = f"/v2.1/{PROJECT}", f"/v3/{PROJECT}", "/v2.0"

Function = Any  # takes the client
Row = tuple[Function, str, Any, Any, Any]

COMPUTE: dict[str, Row] = {
    "create_server": (
        lambda api: compute.create_server(api, {"name": "a"}, hints={"group": "g"}, microversion=TAGGED),
        f"POST /servers {TAGGED}",
        {"server": {"name": "a"}, "os:scheduler_hints": {"group": "g"}},
        {"server": OBJECT},
        OBJECT,
    ),
    "create_server without hints": (
        lambda api: compute.create_server(api, {"name": "a"}),
        "POST /servers",
        {"server": {"name": "a"}},
        {"server": OBJECT},
        OBJECT,
    ),
    "get_server": (
        lambda api: compute.get_server(api, "1", TAGGED),
        f"GET /servers/1 {TAGGED}",
        None,
        {"server": OBJECT},
        OBJECT,
    ),
    "list_servers": (
        lambda api: compute.list_servers(
            api, name="a", status="ACTIVE", limit=2, not_tags=["x", "y"], all_tenants=True, microversion=TAGGED
        ),
        f"GET /servers/detail all_tenants=1 limit=2 name=a not-tags=x,y status=ACTIVE {TAGGED}",
        None,
        {"servers": [OBJECT]},
        [OBJECT],
    ),
    "list_servers with filters": (
        lambda api: compute.list_servers(
            api, changes_since="t", image="i", flavor="f", marker="m", reservation_id="r", not_tags="x"
        ),
        "GET /servers/detail changes-since=t flavor=f image=i limit=1000 marker=m not-tags=x reservation_id=r",
        None,
        {"servers": []},
        [],
    ),
    "update_server": (
        lambda api: compute.update_server(api, "1", {"name": "b"}),
        "PUT /servers/1",
        {"server": {"name": "b"}},
        {"server": OBJECT},
        OBJECT,
    ),
    "update_server with description": (
        lambda api: compute.update_server(api, "1", {"description": "b"}),
        f"PUT /servers/1 {compute.DESCRIPTION}",
        {"server": {"description": "b"}},
        {"server": OBJECT},
        OBJECT,
    ),
    "delete_server": (lambda api: compute.delete_server(api, "1"), "DELETE /servers/1", None, None, None),
    "delete_server with force": (
        lambda api: compute.delete_server(api, "1", force=True),
        "POST /servers/1/action",
        {"forceDelete": None},
        None,
        None,
    ),
    "action": (
        lambda api: compute.action(api, "1", "resize", {"flavorRef": "f"}, TAGGED),
        f"POST /servers/1/action {TAGGED}",
        {"resize": {"flavorRef": "f"}},
        {"adminPass": "x"},
        {"adminPass": "x"},
    ),
    "replace_metadata": (
        lambda api: compute.replace_metadata(api, "1", {"a": "b"}),
        "PUT /servers/1/metadata",
        {"metadata": {"a": "b"}},
        {"metadata": {"a": "b"}},
        {"a": "b"},
    ),
    "merge_metadata": (
        lambda api: compute.merge_metadata(api, "1", {"a": "b"}),
        "POST /servers/1/metadata",
        {"metadata": {"a": "b"}},
        {"metadata": {}},
        None,
    ),
    "delete_metadata": (
        lambda api: compute.delete_metadata(api, "1", "a/ b"),
        "DELETE /servers/1/metadata/a%2F%20b",
        None,
        None,
        None,
    ),
    "replace_tags": (
        lambda api: compute.replace_tags(api, "1", ("a",)),
        f"PUT /servers/1/tags {TAGGED}",
        {"tags": ["a"]},
        {"tags": ["a"]},
        None,
    ),
    "create_key_pair": (
        lambda api: compute.create_key_pair(api, {"name": "k"}, "2.10"),
        "POST /os-keypairs 2.10",
        {"keypair": {"name": "k"}},
        {"keypair": {"name": "k"}},
        {"name": "k"},
    ),
    "get_key_pair": (
        lambda api: compute.get_key_pair(api, "k/1", user_id="u", microversion="2.10"),
        "GET /os-keypairs/k%2F1 user_id=u 2.10",
        None,
        {"keypair": OBJECT},
        OBJECT,
    ),
    "list_key_pairs": (
        lambda api: compute.list_key_pairs(api, user_id="u", microversion="2.10"),
        "GET /os-keypairs user_id=u 2.10",
        None,
        {"keypairs": [{"keypair": OBJECT}]},
        [OBJECT],
    ),
    "delete_key_pair": (
        lambda api: compute.delete_key_pair(api, "k/1", user_id="u", microversion="2.10"),
        "DELETE /os-keypairs/k%2F1 user_id=u 2.10",
        None,
        None,
        None,
    ),
    "create_server_group": (
        lambda api: compute.create_server_group(api, "g", "anti-affinity", {"max_server_per_host": 2}),
        "POST /os-server-groups 2.64",
        {"server_group": {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 2}}},
        {"server_group": OBJECT},
        OBJECT,
    ),
    "get_server_group": (
        lambda api: compute.get_server_group(api, "1"),
        "GET /os-server-groups/1 2.64",
        None,
        {"server_group": OBJECT},
        OBJECT,
    ),
    "list_server_groups": (
        compute.list_server_groups,
        "GET /os-server-groups 2.64",
        None,
        {"server_groups": [OBJECT]},
        [OBJECT],
    ),
    "delete_server_group": (
        lambda api: compute.delete_server_group(api, "1"),
        "DELETE /os-server-groups/1",
        None,
        None,
        None,
    ),
    "attach_volume": (
        lambda api: compute.attach_volume(api, "1", {"volumeId": "v"}, TAGGED),
        f"POST /servers/1/os-volume_attachments {TAGGED}",
        {"volumeAttachment": {"volumeId": "v"}},
        {"volumeAttachment": OBJECT},
        OBJECT,
    ),
    "list_volume_attachments": (
        lambda api: compute.list_volume_attachments(api, "1", TAGGED),
        f"GET /servers/1/os-volume_attachments {TAGGED}",
        None,
        {"volumeAttachments": [OBJECT]},
        [OBJECT],
    ),
    "get_volume_attachment": (
        lambda api: compute.get_volume_attachment(api, "1", "v", TAGGED),
        f"GET /servers/1/os-volume_attachments/v {TAGGED}",
        None,
        {"volumeAttachment": OBJECT},
        OBJECT,
    ),
    "detach_volume": (
        lambda api: compute.detach_volume(api, "1", "v"),
        "DELETE /servers/1/os-volume_attachments/v",
        None,
        None,
        None,
    ),
    "attach_interface": (
        lambda api: compute.attach_interface(api, "1", {"port_id": "p"}, "2.49"),
        "POST /servers/1/os-interface 2.49",
        {"interfaceAttachment": {"port_id": "p"}},
        {"interfaceAttachment": OBJECT},
        OBJECT,
    ),
    "list_interfaces": (
        lambda api: compute.list_interfaces(api, "1", TAGGED),
        f"GET /servers/1/os-interface {TAGGED}",
        None,
        {"interfaceAttachments": [OBJECT]},
        [OBJECT],
    ),
    "detach_interface": (
        lambda api: compute.detach_interface(api, "1", "p"),
        "DELETE /servers/1/os-interface/p",
        None,
        None,
        None,
    ),
    "detach_interface, keep the port": (
        lambda api: compute.detach_interface(api, "1", "p", reserve_port=True),
        "DELETE /servers/1/os-interface/p reserve_port=True",
        None,
        None,
        None,
    ),
    "list_flavors": (
        lambda api: compute.list_flavors(api, query={"minRam": 1}, microversion="2.61"),
        "GET /flavors/detail minRam=1 2.61",
        None,
        {"flavors": [OBJECT]},
        [OBJECT],
    ),
    "get_flavor": (
        lambda api: compute.get_flavor(api, "m1/a", TAGGED),
        f"GET /flavors/m1%2Fa {TAGGED}",
        None,
        {"flavor": OBJECT},
        OBJECT,
    ),
    "get_flavor_extra_specs": (
        lambda api: compute.get_flavor_extra_specs(api, "f"),
        "GET /flavors/f/os-extra_specs",
        None,
        {"extra_specs": {"a": "b"}},
        {"a": "b"},
    ),
    "list_images": (
        lambda api: compute.list_images(api, {"status": "ACTIVE"}),
        "GET /images/detail status=ACTIVE",
        None,
        {"images": [OBJECT]},
        [OBJECT],
    ),
    "list_os_networks": (
        compute.list_os_networks,
        "GET /os-networks",
        None,
        {"networks": [OBJECT]},
        [OBJECT],
    ),
    "list_availability_zones": (
        compute.list_availability_zones,
        "GET /os-availability-zone",
        None,
        {"availabilityZoneInfo": [OBJECT]},
        [OBJECT],
    ),
    "get_limits": (
        compute.get_limits,
        "GET /limits",
        None,
        {"limits": {"absolute": {"maxTotalCores": 1}}},
        {"maxTotalCores": 1},
    ),
}
BLOCK_STORAGE: dict[str, Row] = {
    "create_volume": (
        lambda api: block_storage.create_volume(api, {"size": 1}, hints={"same_host": "v"}, microversion="3.47"),
        "POST /volumes 3.47",
        {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": "v"}},
        {"volume": OBJECT},
        OBJECT,
    ),
    "create_volume without hints": (
        lambda api: block_storage.create_volume(api, {"size": 1}),
        "POST /volumes",
        {"volume": {"size": 1}},
        {"volume": OBJECT},
        OBJECT,
    ),
    "get_volume": (lambda api: block_storage.get_volume(api, "1"), "GET /volumes/1", None, {"volume": OBJECT}, OBJECT),
    "update_volume": (
        lambda api: block_storage.update_volume(api, "1", {"name": "b"}),
        "PUT /volumes/1",
        {"volume": {"name": "b"}},
        {"volume": OBJECT},
        None,
    ),
    "delete_volume": (lambda api: block_storage.delete_volume(api, "1"), "DELETE /volumes/1", None, None, None),
    "delete_volume with snapshots": (
        lambda api: block_storage.delete_volume(api, "1", cascade=True),
        "DELETE /volumes/1 cascade=true",
        None,
        None,
        None,
    ),
    "replace_metadata": (
        lambda api: block_storage.replace_metadata(api, "1", {"a": "b"}),
        "PUT /volumes/1/metadata",
        {"metadata": {"a": "b"}},
        {"metadata": {"a": "b"}},
        {"a": "b"},
    ),
    "merge_metadata": (
        lambda api: block_storage.merge_metadata(api, "1", {"a": "b"}),
        "POST /volumes/1/metadata",
        {"metadata": {"a": "b"}},
        {"metadata": {}},
        None,
    ),
    "delete_metadata": (
        lambda api: block_storage.delete_metadata(api, "1", "a:b/c"),
        "DELETE /volumes/1/metadata/a:b%2Fc",
        None,
        None,
        None,
    ),
    "extend": (
        lambda api: block_storage.extend(api, "1", 2, "3.42"),
        "POST /volumes/1/action 3.42",
        {"os-extend": {"new_size": 2}},
        None,
        None,
    ),
    "retype": (
        lambda api: block_storage.retype(api, "1", "SSD"),
        "POST /volumes/1/action",
        {"os-retype": {"new_type": "SSD", "migration_policy": "on-demand"}},
        None,
        None,
    ),
    "retype in place": (
        lambda api: block_storage.retype(api, "1", "SSD", "never"),
        "POST /volumes/1/action",
        {"os-retype": {"new_type": "SSD", "migration_policy": "never"}},
        None,
        None,
    ),
    "retype_by_path": (
        lambda api: block_storage.retype_by_path(api, "1", "SSD"),
        "POST /volumes/1/retype",
        {"os-retype": {"new_type": "SSD"}},
        None,
        None,
    ),
    "set_read_only": (
        lambda api: block_storage.set_read_only(api, "1", read_only=True),
        "POST /volumes/1/action",
        {"os-update_readonly_flag": {"readonly": True}},
        None,
        None,
    ),
    "list_types": (block_storage.list_types, "GET /types", None, {"volume_types": [OBJECT]}, [OBJECT]),
    "default_type": (
        block_storage.default_type,
        "GET /types/default",
        None,
        {"volume_type": OBJECT},
        "a",
    ),
    "get_snapshot": (
        lambda api: block_storage.get_snapshot(api, "1"),
        "GET /snapshots/1",
        None,
        {"snapshot": OBJECT},
        OBJECT,
    ),
    "list_availability_zones": (
        block_storage.list_availability_zones,
        "GET /os-availability-zone",
        None,
        {"availabilityZoneInfo": [OBJECT]},
        [OBJECT],
    ),
    "get_limits": (
        block_storage.get_limits,
        "GET /limits",
        None,
        {"limits": {"absolute": {"a": 1}}},
        {"a": 1},
    ),
    "get_quota_set": (
        lambda api: block_storage.get_quota_set(api, "p"),
        "GET /os-quota-sets/p usage=True",
        None,
        {"quota_set": {"a": 1}},
        {"a": 1},
    ),
}
NETWORK: dict[str, Row] = {
    "create": (
        lambda api: network.create(api, "port", {"name": "a"}),
        "POST /ports",
        {"port": {"name": "a"}},
        {"port": OBJECT},
        OBJECT,
    ),
    "create_several": (
        lambda api: network.create_several(api, "security_group_rule", [{"a": 1}]),
        "POST /security-group-rules",
        {"security_group_rules": [{"a": 1}]},
        {"security_group_rules": [OBJECT]},
        [OBJECT],
    ),
    "get": (
        lambda api: network.get(api, "address_group", "1"),
        "GET /address-groups/1",
        None,
        {"address_group": OBJECT},
        OBJECT,
    ),
    "list_all": (
        lambda api: network.list_all(
            api, "floatingip", shared=True, name="a", not_tags="x", tags_any="y", port_id=None
        ),
        "GET /floatingips name=a not-tags=x shared=true tags-any=y",
        None,
        {"floatingips": [OBJECT]},
        [OBJECT],
    ),
    "get_any": (
        lambda api: network.get_any(api, "subnet"),
        "GET /subnets limit=1",
        None,
        {"subnets": [OBJECT, {}]},
        OBJECT,
    ),
    "get_any of none": (
        lambda api: network.get_any(api, "subnet"),
        "GET /subnets limit=1",
        None,
        {"subnets": []},
        None,
    ),
    "update": (
        lambda api: network.update(api, "network", "1", {"name": "b"}),
        "PUT /networks/1",
        {"network": {"name": "b"}},
        {"network": OBJECT},
        OBJECT,
    ),
    "replace_tags": (
        lambda api: network.replace_tags(api, "security_group", "1", ["a"]),
        "PUT /security-groups/1/tags",
        {"tags": ["a"]},
        {"tags": ["a"]},
        None,
    ),
    "delete": (lambda api: network.delete(api, "router", "1"), "DELETE /routers/1", None, None, None),
    "list_availability_zones": (
        network.list_availability_zones,
        "GET /availability_zones",
        None,
        {"availability_zones": [OBJECT]},
        [OBJECT],
    ),
    "get_quotas": (
        lambda api: network.get_quotas(api, "p"),
        "GET /quotas/p/details",
        None,
        {"quota": {"port": {"limit": 1}}},
        {"port": {"limit": 1}},
    ),
    "add_interface": (
        lambda api: routers.add_interface(api, "r", {"subnet_id": "s"}),
        "PUT /routers/r/add_router_interface",
        {"subnet_id": "s"},
        {"port_id": "p"},
        "p",
    ),
    "remove_interface": (
        lambda api: routers.remove_interface(api, "r", {"port_id": "p"}),
        "PUT /routers/r/remove_router_interface",
        {"port_id": "p"},
        {"id": "r"},
        None,
    ),
    "add routes": (
        lambda api: routers.change_routes(api, "r", "add", [{"destination": "d"}]),
        "PUT /routers/r/add_extraroutes",
        {"router": {"routes": [{"destination": "d"}]}},
        {"router": OBJECT},
        OBJECT,
    ),
    "remove routes": (
        lambda api: routers.change_routes(api, "r", "remove", []),
        "PUT /routers/r/remove_extraroutes",
        {"router": {"routes": []}},
        {"router": OBJECT},
        OBJECT,
    ),
}
NOT_REPEATED = {
    "add_interface",
    "attach_volume",
    "attach_interface",
    "action",
    "extend",
    "retype",
    "retype in place",
    "set_read_only",
}
"""The functions besides the creates whose requests must not take effect twice."""


TABLES = {"compute": COMPUTE, "block_storage": BLOCK_STORAGE, "network": NETWORK}
ROWS = [
    pytest.param(service, name, *row, id=f"{service}: {name}")
    for service, table in TABLES.items()
    for name, row in table.items()
]


def client(cloud: FakeCloud, service: str) -> tuple[ServiceClient, str]:
    """Return the client of a service that offers all microversions, and the beginning of its paths."""
    cloud.catalog = {
        "compute": f"https://nova.test{NOVA}",
        "volumev3": f"https://cinder.test{CINDER}",
        "network": "https://neutron.test",
    }
    newest = {**GUIDE_VERSIONS["versions"][1], "version": "2.96"}
    cloud.on("GET", "/", lambda _: Reply(200, {"versions": [newest]}))
    api: ServiceClient = getattr(region_of(cloud), service)
    return api, {"compute": NOVA, "block_storage": CINDER, "network": NEUTRON}[service]


def text_of(request: Request, prefix: str) -> str:
    """Return the request in one line: method, path, query and microversion."""
    version = request.headers.get("OpenStack-API-Version", "").rpartition(" ")[2]
    query = [f"{name}={','.join(values)}" for name, values in sorted(request.query.items())]
    return " ".join(filter(None, [request.method, request.path.removeprefix(prefix), *query, version]))


@pytest.mark.parametrize(("service", "name", "function", "line", "body", "reply", "result"), ROWS)
def test_request_and_result(
    cloud: FakeCloud, service: str, name: str, function: Function, line: str, body: Any, reply: Any, result: Any
) -> None:
    """Each function sends the request of the API reference once, and returns the object or the objects."""
    api, prefix = client(cloud, service)
    answer: Callable[[Request], Reply] = lambda _: Reply(200 if reply else 204, reply)  # noqa: E731
    for method in ("GET", "POST", "PUT", "DELETE"):
        cloud.on(method, f"{prefix}/*", answer)
    assert function(api) == result
    (sent,) = [each for each in cloud.log if each.path.startswith(prefix)]
    assert text_of(sent, prefix) == line
    assert sent.body == body


@pytest.mark.parametrize(("service", "name", "function", "line", "body", "reply", "result"), ROWS)
def test_request_is_repeated_if_it_may_take_effect_twice(
    cloud: FakeCloud, service: str, name: str, function: Function, line: str, body: Any, reply: Any, result: Any
) -> None:
    """After a 502, which may hide a success, a create, an attachment and most actions are not sent again."""
    api, prefix = client(cloud, service)
    replies = [Reply(502, "<html>Bad Gateway</html>")]
    answer: Callable[[Request], Reply] = lambda _: replies.pop() if replies else Reply(200 if reply else 204, reply)  # noqa: E731
    for method in ("GET", "POST", "PUT", "DELETE"):
        cloud.on(method, f"{prefix}/*", answer)
    if name in NOT_REPEATED or name.startswith("create") or name == "retype_by_path":
        with pytest.raises(EcsError):
            function(api)
        count = 1
    else:
        assert function(api) == result
        count = 2
    assert len([each for each in cloud.log if each.path.startswith(prefix)]) == count


@pytest.mark.parametrize(
    ("service", "function", "result"),
    [
        ("compute", partial(compute.delete_metadata, id="1", key="a"), None),
        ("block_storage", partial(block_storage.delete_metadata, id="1", key="a"), None),
        ("block_storage", block_storage.default_type, None),
        ("network", network.list_availability_zones, []),
    ],
)
@pytest.mark.parametrize("reply", [Reply(404, {"message": "not found"})])
def test_what_does_not_exist(cloud: FakeCloud, service: str, function: Function, result: Any, reply: Reply) -> None:
    """What does not exist needs no deletion, and what a cloud does not have is empty."""
    api, prefix = client(cloud, service)
    for method in ("GET", "DELETE"):
        cloud.on(method, f"{prefix}/*", lambda _: reply)
    assert function(api) == result
