"""Neutron's routers and floating IPs: responses and errors, on the emulator and on a real OpenStack alike."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from tests.api.emulator.conftest import account_of
from tests.api.emulator.plain import MISSING_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.emulator.plain import PlainClient, Response

STANDARD_FIELDS = {"id", "tenant_id", "project_id", "created_at", "updated_at", "revision_number", "tags"}
ROUTER_FIELDS = STANDARD_FIELDS | {
    *("name", "description", "admin_state_up", "status", "external_gateway_info", "routes", "flavor_id"),
    *("availability_zone_hints", "availability_zones"),
}
FLOATING_IP_FIELDS = STANDARD_FIELDS | {
    *("description", "floating_network_id", "floating_ip_address", "fixed_ip_address", "port_id", "router_id"),
    *("status", "port_details"),
}
INTERFACE_FIELDS = {"id", "tenant_id", "port_id", "network_id", "subnet_id", "subnet_ids"}
BAD_ROUTER, BAD_FLOATING_IP = "400 BadRequest: Bad router request: ", "400 BadRequest: Bad floatingip request: "


@pytest.fixture
def external(api: PlainClient) -> dict[str, Any]:
    """The external network `public`."""
    found: list[dict[str, Any]] = api.network("GET", "/networks?router:external=true").body["networks"]
    return next(network for network in found if network["name"] == "public")


@pytest.fixture
def router(api: PlainClient) -> dict[str, Any]:
    """A router without gateway."""
    return api.create("/routers", name=f"{api.prefix}-router")


@pytest.fixture
def gateway(api: PlainClient, external: dict[str, Any]) -> dict[str, Any]:
    """A router with a gateway on the external network."""
    return api.create("/routers", name=f"{api.prefix}-gw", external_gateway_info={"network_id": external["id"]})


@pytest.fixture
def subnet(api: PlainClient) -> dict[str, Any]:
    """The subnet 10.77.1.0/24 of a new network."""
    return make_subnet(api, "10.77.1.0/24")


@pytest.fixture
def port(api: PlainClient, subnet: dict[str, Any]) -> dict[str, Any]:
    """A port in the subnet."""
    return api.create("/ports", network_id=subnet["network_id"])


def make_subnet(api: PlainClient, cidr: str, **values: Any) -> dict[str, Any]:
    """Create a network with a subnet."""
    network = api.create("/networks", name=f"{api.prefix}-net")
    return api.create("/subnets", **{"network_id": network["id"], "ip_version": 4, "cidr": cidr} | values)


def put(api: PlainClient, router: dict[str, Any], action: str = "", /, **body: Any) -> Response:
    """Update a router, or send an action of it."""
    path = f"/routers/{router['id']}"
    return api.network("PUT", f"{path}/{action}", body) if action else api.network("PUT", path, {"router": body})


def connect(api: PlainClient, router: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Add an interface to a router and return it."""
    response = put(api, router, "add_router_interface", **body)
    assert response.status == 200, response.body
    interface: dict[str, Any] = response.body
    return interface


def show(api: PlainClient, path: str, thing: dict[str, Any]) -> dict[str, Any]:
    """Return the current state of an object."""
    return dict(next(iter(api.network("GET", f"/{path}/{thing['id']}").body.values())))


def test_router_lifecycle(api: PlainClient) -> None:
    """A new router has all fields, and after its delete it returns 404."""
    created = api.create("/routers", name=f"{api.prefix}-a", description="d")
    assert set(created) == ROUTER_FIELDS
    assert (created["status"], created["admin_state_up"], created["external_gateway_info"]) == ("ACTIVE", True, None)
    assert (created["routes"], created["flavor_id"], created["availability_zone_hints"]) == ([], None, [])
    changed = put(api, created, name=f"{api.prefix}-b", admin_state_up=False).body["router"]
    assert (changed["name"], changed["admin_state_up"]) == (f"{api.prefix}-b", False)
    assert changed["revision_number"] > created["revision_number"]
    listed = api.network("GET", f"/routers?name={api.prefix}-b").body["routers"]
    assert [each["id"] for each in listed] == [created["id"]]
    path = f"/routers/{created['id']}"
    assert api.network("PUT", f"{path}/tags", {"tags": ["b", "a"]}).status == 200
    assert sorted(show(api, "routers", created)["tags"]) == ["a", "b"]
    assert api.network("DELETE", path).status == 204
    not_found = f"404 RouterNotFound: Router {created['id']} could not be found"
    assert api.network("GET", path).error == not_found
    assert api.network("DELETE", path).error == not_found
    assert put(api, created, name="x").error == not_found


def test_router_rejects_what_a_user_may_not_set(api: PlainClient, external: dict[str, Any]) -> None:
    """Only administrators set the kind of a router, the translation of its gateway and the gateway's addresses."""
    rule, network = "rule:create_router", external["id"]
    for name in ("distributed", "ha"):
        response = api.network("POST", "/routers", {"router": {name: True}})
        assert response.error == f"403 PolicyNotAuthorized: ({rule} and {rule}:{name}) is disallowed by policy"
    for name, value in (("enable_snat", True), ("external_fixed_ips", [{"ip_address": "203.0.113.77"}])):
        info = {"network_id": network, name: value}
        response = api.network("POST", "/routers", {"router": {"external_gateway_info": info}})
        info_rule = f"{rule}:external_gateway_info"
        expected = f"({rule} and ({info_rule} and ({info_rule}:network_id and {info_rule}:{name})))"
        assert response.error == f"403 PolicyNotAuthorized: {expected} is disallowed by policy"


def test_gateway(api: PlainClient, gateway: dict[str, Any], external: dict[str, Any], subnet: dict[str, Any]) -> None:
    """The gateway has an address of the external network, and an empty value removes it."""
    info = gateway["external_gateway_info"]
    assert set(info) == {"network_id", "external_fixed_ips", "enable_snat"}
    assert (info["network_id"], info["enable_snat"]) == (external["id"], True)
    assert info["external_fixed_ips"][0]["subnet_id"] in external["subnets"]
    again = put(api, gateway, external_gateway_info={"network_id": external["id"]}).body["router"]
    assert again["external_gateway_info"] == info
    inside = subnet["network_id"]
    response = put(api, gateway, external_gateway_info={"network_id": inside})
    assert response.error == f"{BAD_ROUTER}Network {inside} is not an external network."
    response = put(api, gateway, external_gateway_info={"network_id": MISSING_ID})
    assert response.error == f"404 NetworkNotFound: Network {MISSING_ID} could not be found."
    assert put(api, gateway, external_gateway_info={}).body["router"]["external_gateway_info"] is None


def test_interface_of_subnet(api: PlainClient, router: dict[str, Any], subnet: dict[str, Any]) -> None:
    """An interface by subnet is a port with the gateway's address, which only the router's requests delete."""
    interface = connect(api, router, subnet_id=subnet["id"])
    assert set(interface) == INTERFACE_FIELDS
    assert (interface["id"], interface["subnet_ids"]) == (router["id"], [subnet["id"]])
    port = api.network("GET", f"/ports/{interface['port_id']}").body["port"]
    assert (port["device_owner"], port["device_id"]) == ("network:router_interface", router["id"])
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.77.1.1"}]
    assert (port["security_groups"], port["port_security_enabled"]) == ([], False)
    owner = f"Port {port['id']} cannot be deleted directly via the port API: has device owner {port['device_owner']}."
    assert api.network("DELETE", f"/ports/{port['id']}").error == f"409 ServicePortInUse: {owner}"
    attached = f"409 RouterInUse: Router {router['id']} has ports still attached: {port['id']}"
    assert api.network("DELETE", f"/routers/{router['id']}").error == attached
    in_use = f"409 SubnetInUse: Unable to complete operation on subnet {subnet['id']}: "
    assert api.network("DELETE", f"/subnets/{subnet['id']}").error.startswith(in_use)
    response = api.network("PUT", f"/subnets/{subnet['id']}", {"subnet": {"gateway_ip": "10.77.1.254"}})
    message = f"Current gateway ip 10.77.1.1 already in use by port {port['id']}. Unable to update."
    assert response.error == f"409 GatewayIpInUse: {message}"
    again = put(api, router, "add_router_interface", subnet_id=subnet["id"])
    assert again.error == f"{BAD_ROUTER}Router already has a port on subnet {subnet['id']}."
    removed = put(api, router, "remove_router_interface", subnet_id=subnet["id"])
    assert (removed.status, removed.body["port_id"]) == (200, port["id"])
    assert api.network("GET", f"/ports/{port['id']}").status == 404
    response = put(api, router, "remove_router_interface", subnet_id=subnet["id"])
    message = f"Router {router['id']} has no interface on subnet {subnet['id']}"
    assert response.error == f"404 RouterInterfaceNotFoundForSubnet: {message}"
    response = put(api, router, "remove_router_interface", port_id=port["id"])
    message = f"Router {router['id']} does not have an interface with id {port['id']}"
    assert response.error == f"404 RouterInterfaceNotFound: {message}"


def test_interface_of_port(api: PlainClient, router: dict[str, Any], port: dict[str, Any]) -> None:
    """A port that is an interface has the router as its device; removing the interface deletes the port."""
    interface = connect(api, router, port_id=port["id"])
    assert interface["port_id"] == port["id"]
    assert show(api, "ports", port)["device_id"] == router["id"]
    again = put(api, router, "add_router_interface", port_id=port["id"])
    message = f"Unable to complete operation on port {port['id']} for network {port['network_id']}."
    assert again.error == f"409 PortInUse: {message} Port already has an attached device {router['id']}."
    assert put(api, router, "remove_router_interface", port_id=port["id"]).status == 200
    assert api.network("GET", f"/ports/{port['id']}").status == 404


def test_interface_rejects_invalid_requests(api: PlainClient, router: dict[str, Any], subnet: dict[str, Any]) -> None:
    """An interface needs a subnet with a gateway that overlaps with no other one of the router, or a port."""
    connect(api, router, subnet_id=subnet["id"])
    overlapping = make_subnet(api, "10.77.0.0/16")
    without_gateway = make_subnet(api, "10.78.0.0/24", gateway_ip=None)
    overlap = f"Cidr 10.77.0.0/16 of subnet {overlapping['id']} overlaps with cidr 10.77.1.0/24 of subnet"
    for body, error in (
        ({}, f"{BAD_ROUTER}Either subnet_id or port_id must be specified."),
        ({"subnet_id": "x"}, f"{BAD_ROUTER}'x' is not a valid UUID."),
        (
            {"subnet_id": subnet["id"], "port_id": MISSING_ID},
            f"{BAD_ROUTER}Cannot specify both subnet-id and port-id.",
        ),
        ({"subnet_id": MISSING_ID}, f"404 SubnetNotFound: Subnet {MISSING_ID} could not be found."),
        ({"port_id": MISSING_ID}, f"404 PortNotFound: Port {MISSING_ID} could not be found."),
        ({"subnet_id": without_gateway["id"]}, f"{BAD_ROUTER}Subnet for router interface must have a gateway IP."),
        ({"subnet_id": overlapping["id"]}, f"{BAD_ROUTER}{overlap} {subnet['id']}."),
    ):
        assert put(api, router, "add_router_interface", **body).error == error
    missing = f"404 RouterNotFound: Router {MISSING_ID} could not be found"
    response = api.network("PUT", f"/routers/{MISSING_ID}/add_router_interface", {"subnet_id": subnet["id"]})
    assert response.error == missing


def test_routes(api: PlainClient, router: dict[str, Any], subnet: dict[str, Any]) -> None:
    """Routes are added, removed and replaced; their next hop is in a connected subnet and not of the router."""
    connect(api, router, subnet_id=subnet["id"])
    one, two = ({"destination": f"192.0.{n}.0/24", "nexthop": f"10.77.1.{n}"} for n in (10, 20))
    added = put(api, router, "add_extraroutes", router={"routes": [one]}).body["router"]
    assert added["routes"] == [one]
    again = put(api, router, "add_extraroutes", router={"routes": [one, two]}).body["router"]
    assert sorted(again["routes"], key=str) == [one, two]
    assert again["revision_number"] > added["revision_number"]
    for nexthop, reason in (
        ("10.99.0.1", "the nexthop is not connected with router"),
        ("10.77.1.1", "the nexthop is used by router"),
    ):
        invalid = {"destination": "192.0.30.0/24", "nexthop": nexthop}
        response = put(api, router, routes=[invalid])
        assert response.error == f"400 InvalidRoutes: Invalid format for routes: {[invalid]}, {reason}"
    response = put(api, router, "remove_router_interface", subnet_id=subnet["id"])
    message = f"Router interface for subnet {subnet['id']} on router {router['id']} cannot be deleted,"
    assert response.error == (f"409 RouterInterfaceInUseByRoute: {message} as it is required by one or more routes.")
    removed = put(api, router, "remove_extraroutes", router={"routes": [one]}).body["router"]
    assert removed["routes"] == [two]
    assert put(api, router, "remove_extraroutes", router={"routes": [one]}).status == 200
    assert put(api, router, routes=[]).body["router"]["routes"] == []


def test_update_of_router_requires_revision(api: PlainClient, router: dict[str, Any]) -> None:
    """An update with `If-Match` is rejected with 412 if the router has changed since."""
    url = f"{api.network_url}/routers/{router['id']}"
    match = {"If-Match": f"revision_number={router['revision_number']}"}
    assert api.send("PUT", url, {"router": {"description": "a"}}, **match).status == 200
    assert api.send("PUT", url, {"router": {"description": "b"}}, **match).status == 412


def test_floating_ip_lifecycle(api: PlainClient, external: dict[str, Any]) -> None:
    """A new floating IP has a free address of the external network, and after its delete it returns 404."""
    created = api.create("/floatingips", floating_network_id=external["id"], description="d")
    assert set(created) == FLOATING_IP_FIELDS
    assert (created["status"], created["port_id"], created["router_id"]) == ("DOWN", None, None)
    assert (created["fixed_ip_address"], created["port_details"]) == (None, None)
    subnets = [api.network("GET", f"/subnets/{id_}").body for id_ in external["subnets"]]
    cidrs = [ipaddress.ip_network(each["subnet"]["cidr"]) for each in subnets if "subnet" in each]
    address = ipaddress.ip_address(created["floating_ip_address"])
    assert not cidrs or any(address in cidr for cidr in cidrs)
    listed = api.network("GET", f"/floatingips?floating_ip_address={address}").body["floatingips"]
    assert [each["id"] for each in listed] == [created["id"]]
    path = f"/floatingips/{created['id']}"
    changed = api.network("PUT", path, {"floatingip": {"description": "e"}}).body["floatingip"]
    assert changed["description"] == "e"
    assert api.network("PUT", f"{path}/tags", {"tags": ["a"]}).status == 200
    assert api.network("DELETE", path).status == 204
    not_found = f"404 FloatingIPNotFound: Floating IP {created['id']} could not be found"
    assert api.network("GET", path).error == not_found
    assert api.network("DELETE", path).error == not_found


def test_floating_ip_rejects_invalid_requests(api: PlainClient, external: dict[str, Any], port: dict[str, Any]) -> None:
    """A floating IP needs an external network; only administrators select its address."""
    inside, outside, rule = port["network_id"], external["id"], "rule:create_floatingip"
    unreachable = (
        f"404 ExternalGatewayForFloatingIPNotFound: External network {outside} is not reachable from subnet"
        f" {port['fixed_ips'][0]['subnet_id']}.  Therefore, cannot associate Port {port['id']} with a Floating IP."
    )
    for values, error in (
        ({"floating_network_id": inside}, f"{BAD_FLOATING_IP}Network {inside} is not a valid external network."),
        ({"floating_network_id": MISSING_ID}, f"404 NetworkNotFound: Network {MISSING_ID} could not be found."),
        (
            {"floating_network_id": outside, "floating_ip_address": "203.0.113.9"},
            f"403 PolicyNotAuthorized: ({rule} and {rule}:floating_ip_address) is disallowed by policy",
        ),
        (
            {"floating_network_id": outside, "port_id": MISSING_ID},
            f"404 PortNotFound: Port {MISSING_ID} could not be found.",
        ),
        (
            {"floating_network_id": outside, "fixed_ip_address": "10.77.1.9"},
            f"{BAD_FLOATING_IP}fixed_ip_address cannot be specified without a port_id.",
        ),
        (
            {"floating_network_id": outside, "port_id": port["id"]},
            unreachable,
        ),
    ):
        assert api.network("POST", "/floatingips", {"floatingip": values}).error == error


def test_association(
    api: PlainClient,
    external: dict[str, Any],
    gateway: dict[str, Any],
    subnet: dict[str, Any],
    port: dict[str, Any],
) -> None:
    """A floating IP is associated, moved and released; its router and the router's interface are in use meanwhile."""
    connect(api, gateway, subnet_id=subnet["id"])
    fixed = port["fixed_ips"][0]["ip_address"]
    floating_ip = api.create("/floatingips", floating_network_id=external["id"], port_id=port["id"])
    path = f"/floatingips/{floating_ip['id']}"
    assert (floating_ip["router_id"], floating_ip["fixed_ip_address"]) == (gateway["id"], fixed)
    assert floating_ip["port_details"]["network_id"] == subnet["network_id"]
    in_use = f"Router interface for subnet {subnet['id']} on router {gateway['id']} cannot be deleted, as it is"
    response = put(api, gateway, "remove_router_interface", subnet_id=subnet["id"])
    assert response.error == (f"409 RouterInterfaceInUseByFloatingIP: {in_use} required by one or more floating IPs.")
    response = put(api, gateway, external_gateway_info={})
    message = f"Gateway cannot be updated for router {gateway['id']}, since a gateway to external network"
    assert response.error == (
        f"409 RouterExternalGatewayInUseByFloatingIp: {message} {external['id']} is required by one or more"
        " floating IPs."
    )
    second = api.create("/floatingips", floating_network_id=external["id"])
    response = api.network("PUT", f"/floatingips/{second['id']}", {"floatingip": {"port_id": port["id"]}})
    assert response.error == (
        f"409 FloatingIPPortAlreadyAssociated: Cannot associate floating IP {second['floating_ip_address']}"
        f" ({second['id']}) with port {port['id']} using fixed IP {fixed}, as that fixed IP already has a floating IP"
        f" on external network {external['id']}."
    )
    other = api.create("/ports", network_id=subnet["network_id"])
    moved = api.network("PUT", path, {"floatingip": {"port_id": other["id"]}}).body["floatingip"]
    assert (moved["port_id"], moved["fixed_ip_address"]) == (other["id"], other["fixed_ips"][0]["ip_address"])
    assert api.network("PUT", path, {"floatingip": {"description": "x"}}).body["floatingip"]["port_id"] == other["id"]
    assert api.network("DELETE", f"/ports/{other['id']}").status == 204
    released = show(api, "floatingips", floating_ip)
    assert (released["port_id"], released["router_id"], released["fixed_ip_address"]) == (None, None, None)
    assert api.network("PUT", path, {"floatingip": {"port_id": port["id"]}}).status == 200
    released = api.network("PUT", path, {"floatingip": {"port_id": None}}).body["floatingip"]
    assert (released["port_id"], released["router_id"]) == (None, None)


def test_association_with_several_addresses(
    api: PlainClient, external: dict[str, Any], gateway: dict[str, Any], subnet: dict[str, Any]
) -> None:
    """A port with several addresses needs one of them in the request."""
    connect(api, gateway, subnet_id=subnet["id"])
    fixed_ips = [{"ip_address": f"10.77.1.{n}", "subnet_id": subnet["id"]} for n in (51, 52)]
    port = api.create("/ports", network_id=subnet["network_id"], fixed_ips=fixed_ips)
    floating_ip = api.create("/floatingips", floating_network_id=external["id"])
    path = f"/floatingips/{floating_ip['id']}"
    response = api.network("PUT", path, {"floatingip": {"port_id": port["id"]}})
    assert response.error.startswith(f"{BAD_FLOATING_IP}Port {port['id']} has multiple fixed IPv4 addresses.")
    response = api.network("PUT", path, {"floatingip": {"port_id": port["id"], "fixed_ip_address": "10.77.1.9"}})
    assert response.error == f"{BAD_FLOATING_IP}Port {port['id']} does not have fixed ip 10.77.1.9."
    response = api.network("PUT", path, {"floatingip": {"port_id": port["id"], "fixed_ip_address": "10.77.1.52"}})
    assert response.body["floatingip"]["fixed_ip_address"] == "10.77.1.52"
    # An update of anything else has to name the address again.
    response = api.network("PUT", path, {"floatingip": {"description": "mine"}})
    assert response.error.startswith(f"{BAD_FLOATING_IP}Port {port['id']} has multiple fixed IPv4 addresses.")


@pytest.fixture(params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator of each dialect."""
    with Emulator(dialect=request.param) as emulator:
        yield emulator


def test_quota(cloud: Emulator) -> None:
    """A router or a floating IP beyond the quota is rejected; ports of routers do not count."""
    api = account_of(cloud)
    cloud.set_quota(router=1, floatingip=1, port=0)
    external = api.network("GET", "/networks?router:external=true").body["networks"][0]["id"]
    api.create("/routers", external_gateway_info={"network_id": external})
    api.create("/floatingips", floating_network_id=external)
    over = "409 OverQuota: Quota exceeded for resources: ['{}']."
    assert api.network("POST", "/routers", {"router": {}}).error == over.format("router")
    response = api.network("POST", "/floatingips", {"floatingip": {"floating_network_id": external}})
    assert response.error == over.format("floatingip")


def test_administrator_selects_gateway_and_address(cloud: Emulator) -> None:
    """An administrator sets the translation and the addresses of a gateway, and the address of a floating IP."""
    api = account_of(cloud, "admin")
    external = api.network("GET", "/networks?router:external=true").body["networks"][0]["id"]
    if cloud.cloud.dialect.name == "openstack":
        fixed = [{"ip_address": "203.0.113.70"}]
        info = {"network_id": external, "enable_snat": False, "external_fixed_ips": fixed}
        created = api.create("/routers", external_gateway_info=info)
        shown = created["external_gateway_info"]
        assert (shown["enable_snat"], shown["external_fixed_ips"][0]["ip_address"]) == (False, "203.0.113.70")
        info["external_fixed_ips"] = [{"ip_address": "203.0.113.71"}]
        changed = put(api, created, external_gateway_info=info)
        assert changed.body["router"]["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "203.0.113.71"
    floating_ip = api.create("/floatingips", floating_network_id=external, floating_ip_address="203.0.113.72")
    assert floating_ip["floating_ip_address"] == "203.0.113.72"
    values = {"floating_network_id": external, "floating_ip_address": "203.0.113.72"}
    assert api.network("POST", "/floatingips", {"floatingip": values}).error.startswith("409 IpAddressAlreadyAllocated")


def test_open_telekom_cloud_has_no_atomic_routes() -> None:
    """Open Telekom Cloud lacks `add_extraroutes`."""
    with Emulator(dialect="otc") as cloud:
        api = account_of(cloud)
        router = api.create("/routers")
        assert put(api, router, "add_extraroutes", router={"routes": []}).status == 404


def test_status_follows_the_association() -> None:
    """A floating IP becomes ACTIVE when the agent of its router is done, and DOWN after its release."""
    import time

    with Emulator(dialect="openstack", speed=100) as cloud:
        api = account_of(cloud)
        external = api.network("GET", "/networks?router:external=true").body["networks"][0]["id"]
        router = api.create("/routers", external_gateway_info={"network_id": external})
        subnet = make_subnet(api, "10.77.1.0/24")
        connect(api, router, subnet_id=subnet["id"])
        port = api.create("/ports", network_id=subnet["network_id"])
        floating_ip = api.create("/floatingips", floating_network_id=external, port_id=port["id"])
        assert floating_ip["status"] == "DOWN"
        time.sleep(0.05)
        assert show(api, "floatingips", floating_ip)["status"] == "ACTIVE"
        assert api.network("DELETE", f"/ports/{port['id']}").status == 204
        time.sleep(0.05)
        assert show(api, "floatingips", floating_ip)["status"] == "DOWN"
