"""Server groups of the emulator: requests of both dialects, the quotas, and the hosts of their servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.emulator.plain import Response

NO_HOST = "No valid host was found. There are not enough hosts available."
LATEST = "2.64"


@pytest.fixture(scope="module", params=["otc", "openstack"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    """An account of an emulator of each dialect."""
    with signed_in(request.param) as created:
        yield created


@pytest.fixture(scope="module")
def openstack() -> Iterator[Account]:
    """An account of an emulator with the dialect `openstack`, which has two hosts."""
    with signed_in("openstack") as created:
        yield created


def create(account: Account, microversion: str = "", **group: Any) -> Response:
    """Create a server group."""
    return account.nova("POST", "/os-server-groups", {"server_group": group}, microversion=microversion)


def group_of(account: Account, policy: str, **rules: int) -> str:
    """Create a server group with the newest microversion and return its id."""
    response = create(account, LATEST, name="group", policy=policy, **({"rules": rules} if rules else {}))
    assert response.status == 200, response.body
    return str(response.body["server_group"]["id"])


def build(account: Account, network: str, hints: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Create a server with these hints, wait for the end of the build and return it."""
    body = account.body(networks=[{"uuid": network}], **fields) | {"os:scheduler_hints": hints}
    response = account.nova("POST", "/servers", body)
    assert response.status == 202, response.body
    return next(
        each
        for each in account.poll(response.body["server"]["id"])
        if each["status"] != "BUILD" and not each["OS-EXT-STS:task_state"]
    )


def test_life_of_a_group(account: Account) -> None:
    """Create, show, list and delete; the oldest version has a list of one policy and no project."""
    response = create(account, name="group", policies=["anti-affinity"])
    group = response.body["server_group"]
    expected = {"id": group["id"], "name": "group", "policies": ["anti-affinity"], "members": [], "metadata": {}}
    assert (response.status, group) == (200, expected)
    url = f"/os-server-groups/{group['id']}"
    assert account.nova("GET", url).body["server_group"] == group
    assert group in account.nova("GET", "/os-server-groups").body["server_groups"]
    assert account.nova("DELETE", url).status == 204
    for method in ("GET", "DELETE"):
        response = account.nova(method, url)
        assert (response.status, response.message) == (404, f"Instance group {group['id']} could not be found.")


@pytest.mark.parametrize(
    "group",
    [
        {"name": "group"},
        {"name": "", "policies": ["anti-affinity"]},
        {"name": "group", "policies": []},
        {"name": "group", "policies": ["anti-affinity", "anti-affinity"]},
        {"name": "group", "policies": ["soft-affinity"]},
        {"name": "group", "policies": ["legacy"]},
        {"name": "group", "policy": "anti-affinity"},
    ],
)
def test_invalid_group(account: Account, group: dict[str, Any]) -> None:
    """The oldest version takes one policy, and none of those that 2.15 adds."""
    assert create(account, **group).status == 400


def test_microversions(openstack: Account) -> None:
    """2.13 adds the project, 2.15 the soft policies, 2.64 the rules, which only anti-affinity has."""
    assert "project_id" in create(openstack, "2.13", name="group", policies=["affinity"]).body["server_group"]
    assert create(openstack, "2.15", name="group", policies=["soft-affinity"]).status == 200
    rules = {"max_server_per_host": 2}
    group = create(openstack, LATEST, name="group", policy="anti-affinity", rules=rules).body["server_group"]
    assert (group["policy"], group["rules"], "policies" in group) == ("anti-affinity", rules, False)
    response = create(openstack, LATEST, name="group", policy="affinity", rules=rules)
    assert (response.status, response.message) == (400, "Only anti-affinity policy supports rules.")
    for invalid in ({"max_server_per_host": 0}, {"others": 1}):
        assert create(openstack, LATEST, name="group", policy="anti-affinity", rules=invalid).status == 400


def test_pages() -> None:
    """`limit` and `offset` select a part of the list."""
    with Emulator(dialect="openstack") as cloud:
        account = Account(cloud, ManualClock())
        ids = [group_of(account, "affinity") for _ in range(3)]
        listed = account.nova("GET", "/os-server-groups?limit=1&offset=1").body
        assert [[each["id"] for each in listed["server_groups"]], [*listed]] == [[ids[1]], ["server_groups"]]
        assert account.nova("GET", "/os-server-groups?limit=x").status == 400


def test_quotas() -> None:
    """Both quotas are enforced with Nova's messages, and the limits show the groups in use."""
    clock = ManualClock()
    with Emulator(clock=clock, dialect="openstack") as cloud:
        account = Account(cloud, clock)
        cloud.set_quota(server_groups=1, server_group_members=1)
        group = group_of(account, "soft-anti-affinity")
        response = create(account, LATEST, name="group", policy="affinity")
        assert (response.status, response.message) == (403, "Quota exceeded, too many server groups.")
        limits = account.nova("GET", "/limits").body["limits"]["absolute"]
        assert (limits["maxServerGroups"], limits["totalServerGroupsUsed"]) == (1, 1)
        network = account.network()
        build(account, network, {"group": group})
        body = account.body(networks=[{"uuid": network}]) | {"os:scheduler_hints": {"group": group}}
        response = account.nova("POST", "/servers", body)
        assert (response.status, response.message) == (403, "Quota exceeded, too many servers in group")
        assert len(account.nova("GET", "/servers").body["servers"]) == 1


def test_hints_of_a_new_server(account: Account) -> None:
    """A group must exist and be given by its id."""
    network = account.network("hints", "10.77.0.0/24")
    unknown = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"
    for hints, message in (
        ({"group": unknown}, f"Instance group {unknown} could not be found."),
        ({"group": "name"}, "Invalid input for field/attribute group. Value: name. 'name' is not a 'uuid'"),
        ({"cidr": "24"}, "Invalid input for field/attribute cidr. Value: 24. '24' does not match '^/[0-9a-f.:]+$'"),
    ):
        body = account.body(networks=[{"uuid": network}]) | {"os:scheduler_hints": hints}
        response = account.nova("POST", "/servers", body)
        assert (response.status, response.message) == (400, message)


@pytest.mark.parametrize(
    ("policy", "rules", "hosts"),
    [
        ("anti-affinity", {}, 2),
        ("anti-affinity", {"max_server_per_host": 2}, 4),
        ("affinity", {}, None),
        ("soft-anti-affinity", {}, None),
    ],
)
def test_policy_of_a_group(openstack: Account, policy: str, rules: dict[str, int], hosts: int | None) -> None:
    """A server for which the policy leaves no host ends in ERROR, with Nova's reason."""
    network = openstack.network("policies", "10.78.0.0/24")
    group = group_of(openstack, policy, **rules)
    count = (hosts or 2) + 1
    built = [build(openstack, network, {"group": group}, name=f"web-{number}") for number in range(count)]
    failed = [each for each in built if each["status"] == "ERROR"]
    assert [each["fault"]["message"] for each in failed] == [NO_HOST] * bool(hosts)
    placed = {each["hostId"] for each in built if each["status"] == "ACTIVE"}
    assert len(placed) == (1 if policy == "affinity" else 2)
    members = openstack.nova("GET", f"/os-server-groups/{group}").body["server_group"]["members"]
    assert sorted(members) == sorted(each["id"] for each in built)
    for each in built:
        openstack.nova("DELETE", f"/servers/{each['id']}")
    openstack.clock.advance(60)
    assert openstack.nova("GET", f"/os-server-groups/{group}").body["server_group"]["members"] == []


def test_affinity_to_another_zone(openstack: Account) -> None:
    """A server of an affinity group cannot be built in another zone than the servers of the group."""
    network = openstack.network("zones", "10.79.0.0/24")
    group = group_of(openstack, "affinity")
    first, second = (build(openstack, network, {"group": group}, availability_zone=zone) for zone in ("nova", "az2"))
    assert (first["status"], second["status"], second["fault"]["message"]) == ("ACTIVE", "ERROR", NO_HOST)
    apart = build(openstack, network, {"different_host": [first["id"]]})
    together = build(openstack, network, {"same_host": first["id"]})
    assert (apart["hostId"] != first["hostId"], together["hostId"] == first["hostId"]) == (True, True)


def test_requested_host(openstack: Account) -> None:
    """Since 2.74 an administrator selects the hypervisor of a new server; others may not."""
    admin = Account(openstack.cloud, openstack.clock, "admin")
    for account, name, expected in (
        (openstack, "compute-2", (403, "Policy doesn't allow compute:servers:create:requested_destination")),
        (admin, "nowhere", (400, "Compute host nowhere could not be found.")),
    ):
        body = account.body(networks="none", hypervisor_hostname=name)
        response = account.nova("POST", "/servers", body, microversion="2.74")
        assert (response.status, response.message.split(" to be ")[0]) == expected
    body = admin.body(networks="none", hypervisor_hostname="compute-2")
    assert admin.nova("POST", "/servers", body).status == 400
    response = admin.nova("POST", "/servers", body, microversion="2.74")
    admin.wait_for(response.body["server"]["id"], "ACTIVE")
    assert admin.show(response.body["server"]["id"])["OS-EXT-SRV-ATTR:hypervisor_hostname"] == "compute-2"
