"""What the emulated Open Telekom Cloud documents of networks, subnets, routers, floating IPs and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from tests.api.emulator.conftest import account_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.emulator.plain import PlainClient

EXTERNAL = "admin_external_net"


@pytest.fixture
def otc() -> Iterator[PlainClient]:
    """A client of an emulated Open Telekom Cloud."""
    with Emulator(dialect="otc") as cloud:
        yield account_of(cloud)


@pytest.fixture
def network(otc: PlainClient) -> str:
    """The id of a network without a subnet."""
    return str(otc.create("/networks", name="net")["id"])


def create(api: PlainClient, path: str, **values: Any) -> str:
    """Return the error of a create request, empty if it succeeds."""
    response = api.network("POST", path, {path.strip("/").removesuffix("s"): values})
    return "" if response.status == 201 else response.error


def update(api: PlainClient, path: str, id_: str, **values: Any) -> Any:
    """Return the object after an update, or the error."""
    response = api.network("PUT", f"{path}/{id_}", {path.strip("/").removesuffix("s"): values})
    return next(iter(response.body.values())) if response.status == 200 else response.error


def subnet(api: PlainClient, network: str, **values: Any) -> dict[str, Any]:
    """Create an IPv4 subnet."""
    return api.create("/subnets", **{"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"} | values)


def external_network(api: PlainClient) -> str:
    """Return the id of the external network."""
    (found,) = api.network("GET", "/networks?router:external=true").body["networks"]
    return str(found["id"])


def test_networks_are_up_and_have_free_names(otc: PlainClient, network: str) -> None:
    """A network cannot be down, nor have the name of the external network."""
    for refused in ({"admin_state_up": False}, {"name": EXTERNAL}):
        assert next(iter(refused)) in create(otc, "/networks", **refused)
        assert next(iter(refused)) in update(otc, "/networks", network, **refused)


def test_filter_for_external_networks_excludes_others(otc: PlainClient) -> None:
    """The filter `router:external=true` drops all other filters."""
    found = otc.network("GET", "/networks?router:external=true&name=no-such&id=none&tags=a").body["networks"]
    assert [each["name"] for each in found] == [EXTERNAL]
    assert otc.network("GET", "/networks?name=no-such").body["networks"] == []


def test_network_has_one_subnet_of_each_version(otc: PlainClient, network: str) -> None:
    """A network has one IPv4 subnet, and then one IPv6 subnet of a range that the cloud chooses."""
    six = {"network_id": network, "ip_version": 6}
    assert "has no IPv4 subnet" in create(otc, "/subnets", **six)
    subnet(otc, network)
    assert "has a subnet already" in create(otc, "/subnets", network_id=network, ip_version=4, cidr="10.2.0.0/24")
    assert "cidr must not be supplied" in create(otc, "/subnets", **six, cidr="2001:db8::/64")
    assert "ipv6_ra_mode" in create(otc, "/subnets", **six, ipv6_ra_mode="slaac")
    chosen = otc.create("/subnets", **six)
    assert chosen["cidr"].endswith("/64")
    assert (chosen["ipv6_ra_mode"], chosen["ipv6_address_mode"]) == ("dhcpv6-stateful", "dhcpv6-stateful")
    assert "has a subnet already" in create(otc, "/subnets", **six)
    other = otc.create("/networks", name="other")["id"]
    subnet(otc, other)
    assert otc.create("/subnets", **six | {"network_id": other})["cidr"] != chosen["cidr"]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"cidr": "11.0.0.0/24"}, "is not within 10.0.0.0/8-28"),
        ({"cidr": "172.32.0.0/24"}, "is not within 10.0.0.0/8-28"),
        ({"cidr": "10.0.0.0/29"}, "is not within 10.0.0.0/8-28"),
        ({"enable_dhcp": False}, "enable_dhcp"),
        ({"gateway_ip": None}, "gateway_ip"),
        ({"dns_nameservers": [f"9.9.9.{number}" for number in range(6)]}, "exceeds the limit 5"),
    ],
)
def test_create_subnet_rejects(otc: PlainClient, network: str, values: dict[str, Any], error: str) -> None:
    """A subnet is private and not smaller than 16 addresses, has DHCP, a gateway, and at most five DNS servers."""
    assert error in create(otc, "/subnets", **{"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"} | values)
    for cidr in ("10.0.0.0/8", "172.31.0.0/16", "192.168.5.0/28"):
        created = subnet(otc, network, cidr=cidr)
        assert otc.network("DELETE", f"/subnets/{created['id']}").status == 204


def test_update_subnet(otc: PlainClient, network: str) -> None:
    """The gateway never changes, DHCP stays on, routes are accepted and ignored."""
    routes = [{"destination": "10.9.0.0/24", "nexthop": "10.1.0.9"}]
    created = subnet(otc, network, host_routes=routes)
    assert created["host_routes"] == []
    assert update(otc, "/subnets", created["id"], host_routes=routes)["host_routes"] == []
    assert "gateway_ip" in update(otc, "/subnets", created["id"], gateway_ip="10.1.0.254")
    assert "enable_dhcp" in update(otc, "/subnets", created["id"], enable_dhcp=False)
    assert update(otc, "/subnets", created["id"], name="new", dns_nameservers=["9.9.9.9"])["name"] == "new"


def test_dropped_gateway() -> None:
    """A cloud that drops unknown attributes ignores a change of the gateway, and a subnet without one."""
    with Emulator(dialect="otc", rules={"unknown_attributes": "drop"}) as cloud:
        api = account_of(cloud)
        created = subnet(api, api.create("/networks", name="net")["id"], gateway_ip=None)
        assert created["gateway_ip"] == "10.1.0.1"
        assert update(api, "/subnets", created["id"], gateway_ip="10.1.0.254")["gateway_ip"] == "10.1.0.1"


def test_reserved_addresses(otc: PlainClient, network: str) -> None:
    """The last three addresses belong to the cloud, unless a pool of the request or the gateway has them."""
    created = subnet(otc, network)
    assert created["allocation_pools"] == [{"start": "10.1.0.2", "end": "10.1.0.252"}]
    fixed = {"network_id": network, "fixed_ips": [{"ip_address": "10.1.0.253"}]}
    assert create(otc, "/ports", **fixed).startswith("400 InvalidIpForSubnet")
    pool = {"start": "10.1.0.10", "end": "10.1.0.254"}
    assert update(otc, "/subnets", created["id"], allocation_pools=[pool])["allocation_pools"] == [pool]
    assert create(otc, "/ports", **fixed) == ""


def test_name_of_router(otc: PlainClient) -> None:
    """The name of a router has at most 64 letters, digits and a few others."""
    router = otc.create("/routers", name="a.B_c-1")["id"]
    for name in ("a b", "ä", "x" * 65):
        assert "name" in create(otc, "/routers", name=name)
        assert "name" in update(otc, "/routers", router, name=name)


def test_gateway_of_router(otc: PlainClient, network: str) -> None:
    """Every router leads outside; it translates only on request, which requires an interface."""
    outside = external_network(otc)
    created = otc.create("/routers", name="router")
    shown = created["external_gateway_info"]
    assert (shown["network_id"], shown["enable_snat"]) == (outside, False)
    removed = update(otc, "/routers", created["id"], external_gateway_info={})
    assert removed["external_gateway_info"]["network_id"] == outside
    gateway = {"network_id": outside, "enable_snat": True}
    assert "requires a router interface" in create(otc, "/routers", name="other", external_gateway_info=gateway)
    assert "requires a router interface" in update(otc, "/routers", created["id"], external_gateway_info=gateway)
    fixed = gateway | {"external_fixed_ips": [{"ip_address": "203.0.113.9"}]}
    assert "external_fixed_ips" in update(otc, "/routers", created["id"], external_gateway_info=fixed)
    connect(otc, created["id"], subnet(otc, network)["id"])
    translating = update(otc, "/routers", created["id"], external_gateway_info=gateway)
    assert translating["external_gateway_info"]["enable_snat"] is True
    assert "admin_state_up" in create(otc, "/routers", admin_state_up=False)
    assert "admin_state_up" in update(otc, "/routers", created["id"], admin_state_up=False)


def connect(api: PlainClient, router: str, subnet_id: str) -> str:
    """Add an interface to a router; return the error, empty if it succeeds."""
    response = api.network("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet_id})
    return "" if response.status == 200 else response.error


def test_subnet_has_one_router(otc: PlainClient, network: str) -> None:
    """A subnet that one router connects cannot be connected to another one, nor by a port."""
    created = subnet(otc, network)
    first, second = (otc.create("/routers", name=name)["id"] for name in ("first", "second"))
    assert connect(otc, first, created["id"]) == ""
    port = otc.create("/ports", network_id=network)["id"]
    response = otc.network("PUT", f"/routers/{second}/add_router_interface", {"port_id": port})
    assert f"is connected to router {first} already" in response.error
    route = {"destination": "10.9.0.0/24", "nexthop": "10.2.0.9"}
    assert "not connected" in update(otc, "/routers", first, routes=[route])
    assert update(otc, "/routers", first, routes=[route | {"nexthop": "10.1.0.9"}])["routes"]


def test_port_has_one_floating_ip(otc: PlainClient, network: str) -> None:
    """A second floating IP of a port is refused."""
    created, outside = subnet(otc, network), external_network(otc)
    connect(otc, otc.create("/routers", name="router")["id"], created["id"])
    port = otc.create("/ports", network_id=network)["id"]
    otc.create("/floatingips", floating_network_id=outside, port_id=port)
    error = create(otc, "/floatingips", floating_network_id=outside, port_id=port)
    assert error.startswith("409 FloatingIPPortAlreadyAssociated")


@pytest.mark.parametrize(
    "values",
    [
        {"protocol": "tcp", "port_range_min": 0, "port_range_max": 80},
        {"protocol": "tcp", "port_range_min": 80, "port_range_max": 65536},
        {"protocol": "udp", "port_range_min": 80},
        {"protocol": "udp", "port_range_max": 80},
        {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "self"},
    ],
)
def test_rule_rejects(otc: PlainClient, values: dict[str, Any]) -> None:
    """A rule for TCP or UDP has both ports, from 1 to 65535, and a rule has one remote."""
    group = otc.create("/security-groups", name="group")
    assert len(group["security_group_rules"]) == 2
    values = {name: group["id"] if value == "self" else value for name, value in values.items()}
    rule = {"security_group_id": group["id"], "direction": "ingress", **values}
    assert otc.network("POST", "/security-group-rules", {"security_group_rule": rule}).status == 400


def test_pages(otc: PlainClient) -> None:
    """A page has at most 2000 objects, and always links; a marker that does not exist is refused."""
    networks = sorted(otc.create("/networks", name="net")["id"] for _ in range(3))
    body = otc.network("GET", "/networks?name=net").body
    (link,) = body["networks_links"]
    assert link["rel"] == "previous"
    assert "page_reverse=True" in link["href"]
    assert otc.network("GET", "/networks?limit=2001").status == 400
    assert otc.network("GET", "/networks?limit=2000").status == 200
    assert otc.network("GET", "/networks?marker=no-such").status == 400
    page = otc.network("GET", f"/networks?name=net&limit=1&page_reverse=True&marker={networks[2]}").body["networks"]
    assert [each["id"] for each in page] == [networks[1]]


def test_times_have_no_zone(otc: PlainClient, network: str) -> None:
    """Times are written without the sign of the time zone."""
    shown = otc.network("GET", f"/networks/{network}").body["network"]
    assert len(shown["created_at"]) == len("2026-01-01T00:00:00")


def test_account_without_rights() -> None:
    """Without rights, lists are empty, and all other requests are refused with 403."""
    with Emulator(dialect="otc", rules={"network_rights": "none"}) as cloud:
        api = account_of(cloud)
        for path in ("networks", "subnets", "ports", "routers", "floatingips", "security-groups"):
            response = api.network("GET", f"/{path}")
            assert (response.status, response.body) == (200, {path.replace("-", "_"): []})
        assert api.network("POST", "/networks", {"network": {"name": "net"}}).status == 403
        with cloud.state() as state:
            network = state.find("network", name="demo-net")[0]["id"]
        assert api.network("GET", f"/networks/{network}").status == 403
