"""Which ports belong to the NICs of a server's `networks`, and which requests that takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud.differences import Differences
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.polling import Deadline, Poller, PollResult
from ecs_pulumi.resources.server import first_nic, nics
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_pulumi.resources.clients import Context

Document = dict[str, Any]


def mac(id_: str) -> str:
    """Return the MAC address of a port."""
    return f"02:00:00:00:00:0{id_}"


def address(id_: str) -> str:
    """Return the address of a port."""
    return f"10.0.0.{ord(id_)}"


def port(id_: str, network: str = "n", *, by_user: bool = False) -> Document:
    """Return a port as Neutron shows it."""
    fixed_ips = [{"ip_address": address(id_)}]
    created = {"name": "mine", "description": "mine"} if by_user else {"name": "", "description": ""}
    return {"id": id_, "network_id": network, "mac_address": mac(id_), "fixed_ips": fixed_ips, **created}


def output(id_: str, network: str = "n") -> Document:
    """Return an item of the output `nics`."""
    return {
        "port_id": id_,
        "network_id": network,
        "mac_address": mac(id_),
        "fixed_ips": [{"ip_address": address(id_)}],
    }


class Cloud:
    """A cloud with one server.

    Attributes:
        ports: The ports of the server.
        lists: The number of lists of them.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ports: list[Document] = []
        self.created: dict[str, Document] = {}
        self.lists = 0
        self.clock = FakeClock()
        writes = OwnWrites(self.clock)
        self.clock.time += 60
        self.region = SimpleNamespace(differences=Differences(set))
        self.clients = SimpleNamespace(writes=writes, region=self.region, deadline=Deadline(self.clock, 600))
        monkeypatch.setattr(nics, "ports_of", self._list)
        monkeypatch.setattr(nics, "created_ports", lambda _: self.created)

    def _list(self, _context: object, _id: str) -> list[Document]:
        self.lists += 1
        return [dict(each) for each in self.ports]

    def context(
        self, verb: str, inputs: Mapping[str, Any] | None = None, prior: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the context of an operation."""
        return SimpleNamespace(
            verb=verb,
            inputs=inputs or {},
            prior=prior or {},
            known=prior or {},
            cloud=self.clients,
            report_status=lambda _: None,
            project="shop",
            stack="test",
            backend="",
        )

    def outputs(self, context: Context, listed: str) -> dict[str, Any]:
        """Return the outputs of the server, whose addresses are those of these ports."""
        items = [
            {"OS-EXT-IPS-MAC:mac_addr": mac(id_), "addr": address(id_), "OS-EXT-IPS:type": "fixed"} for id_ in listed
        ]
        remote = {"id": "s", "addresses": {"net": items}, "OS-SRV-USG:launched_at": "2026-01-01T00:00:00"}
        return nics.nic_outputs(context, remote)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with a server."""
    return Cloud(monkeypatch)


TWO = [{"network_id": "n"}, {"network_id": "n"}]
ACTIVE = {"status": "ACTIVE"}


@pytest.mark.parametrize(
    ("prior", "listed", "lists", "found"),
    [
        # Recorded NICs that the addresses confirm need no list.
        ({"networks": TWO, "nics": [output("a"), output("b")]}, "ab", 0, ["a", "b"]),
        ({"networks": TWO, "nics": [output("b"), output("a")]}, "abc", 0, ["b", "a"]),
        ({"networks": TWO, "nics": [output("a"), output("b")]}, "a", 1, ["a"]),
        # An imported server: look the ports up only if a NIC may be missing.
        ({"networks": TWO, **ACTIVE}, "ab", 0, None),
        ({"networks": TWO, **ACTIVE}, "a", 1, ["a"]),
        ({"networks": TWO, **ACTIVE, "addresses": {"net": [{"mac": mac("c")}]}}, "ab", 1, ["a", "b"]),
        ({"networks": TWO, **ACTIVE, "addresses": {"net": [{"mac": mac("b")}]}}, "ab", 0, None),
        ({**ACTIVE}, "ab", 0, None),
        ({"networks": "auto", **ACTIVE}, "ab", 0, None),
        # `Server.get` shows all NICs.
        ({}, "ab", 1, ["a", "b"]),
    ],
)
def test_nics_in_a_refresh(
    cloud: Cloud, prior: dict[str, Any], listed: str, lists: int, found: list[str] | None
) -> None:
    """A refresh lists the ports of a server only if its addresses do not show that all NICs are there."""
    cloud.ports = [port(id_) for id_ in listed]
    outputs = cloud.outputs(cloud.context("read", prior, prior), listed)
    assert cloud.lists == lists
    assert (None if "nics" not in outputs else [each["port_id"] for each in outputs["nics"]]) == found
    if found is not None and prior.get("networks"):
        assert len(outputs["networks"]) == len(found)


def test_server_that_is_only_read_shows_nics_of_any_owner(cloud: Cloud) -> None:
    """`Server.get` manages no NIC, so it leaves none out."""
    cloud.ports = [port("a", by_user=True), port("b")]
    outputs = cloud.outputs(cloud.context("read"), "ab")
    assert outputs["nics"] == [output("a"), output("b")]


@pytest.mark.parametrize(("adopt", "found"), [(None, ["a", "b"]), ("s", ["b"])])
def test_nics_of_a_server_without_networks(cloud: Cloud, adopt: str | None, found: list[str]) -> None:
    """A new server has no NICs of other owners; those of an imported one may be of other resources."""
    cloud.ports = [port("a", by_user=True), port("b")]
    outputs = cloud.outputs(cloud.context("create", {"adopt": adopt} if adopt else {}), "ab")
    assert [each["port_id"] for each in outputs["nics"]] == found


def test_ports_that_this_process_has_created_need_no_list(cloud: Cloud) -> None:
    """The NICs of a new server are known from the ports of the program, once the server has their addresses."""
    desired = {"networks": [{"port_id": "a"}, {"port_id": "b"}]}
    cloud.created = {id_: port(id_) for id_ in "ab"}
    cloud.ports = [port("a"), port("b")]
    assert cloud.outputs(cloud.context("create", desired), "ab")["nics"] == [output("a"), output("b")]
    assert cloud.lists == 0
    cloud.outputs(cloud.context("create", desired), "a")
    assert cloud.lists == 1
    del cloud.created["b"]
    cloud.outputs(cloud.context("create", desired), "ab")
    assert cloud.lists == 2


@pytest.mark.parametrize(
    ("prior", "taken"),
    [
        # The recorded port is the server's own, whatever other port would match, and also if it is gone.
        ({"networks": [{"network_id": "n"}], "nics": [output("b")]}, ["b"]),
        ({"networks": [{"network_id": "n"}], "nics": [output("d")]}, []),
        ({"networks": "auto", "nics": [output("c")]}, ["c"]),
        ({"networks": [{"network_id": "n"}]}, ["a"]),
        ({"networks": "none"}, []),
        ({}, ["a", "b"]),
        ({"networks": "auto"}, ["a", "b"]),
    ],
)
def test_own_ports_before_a_change(cloud: Cloud, prior: dict[str, Any], taken: list[str]) -> None:
    """A change of `networks` leaves the NICs alone that other resources or clients have attached."""
    ports = [port("a"), port("b"), port("c", by_user=True)]
    found = nics._take_prior_ports(cloud.context("update", {}, prior), prior, ports)
    assert [each["id"] for _, each in found] == taken
    assert [each["id"] for each in ports] == [id_ for id_ in "abc" if id_ not in taken]


def server(listed: str, status: str = "ACTIVE", task: str | None = None) -> Document:
    """Return a server with the addresses of these ports."""
    items = [{"OS-EXT-IPS-MAC:mac_addr": mac(id_), "addr": address(id_)} for id_ in listed]
    return {"id": "s", "status": status, "OS-EXT-STS:task_state": task, "addresses": {"net": items}}


class Polled:
    """A server that is polled.

    Attributes:
        polls: Its next states; the last one stays.
    """

    def __init__(self, cloud: Cloud, *polls: Document | None) -> None:
        self.polls = list(polls)
        cloud.region.servers = self
        self.poller = Poller(lambda _ids, _fresh: PollResult({"s": self._next()}), cloud.clock)

    def _next(self) -> Document | None:
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]

    def get(self, _: str) -> Document | None:
        """Return the present server."""
        return self.polls[0]


def test_addresses_of_detached_nics_are_awaited(cloud: Cloud) -> None:
    """Nova lists them a moment longer than Neutron has the ports; other NICs do not matter."""
    polled = Polled(cloud, server("ab"), server("ab"), server("a"))
    nics._wait_for_detached_addresses(cloud.context("update"), "s", {mac("b")})
    assert len(polled.polls) == 1
    start = cloud.clock.time
    nics._wait_for_detached_addresses(cloud.context("update"), "s", {mac("b")})
    assert cloud.clock.time - start < 0.5
    Polled(cloud, None)
    nics._wait_for_detached_addresses(cloud.context("update"), "s", {mac("b")})
    # A cloud that keeps on listing them is no error.
    Polled(cloud, server("ab"))
    nics._wait_for_detached_addresses(cloud.context("update"), "s", {mac("b")})
    assert 0 < cloud.clock.time - start < 600


@pytest.mark.parametrize(
    ("networks", "polls", "waits"),
    [
        ([{"port_id": "a"}], [server("", "BUILD"), server("", "BUILD"), server("a")], True),
        ([{"port_id": "a"}], [server("", "BUILD"), server("", "ERROR")], True),
        ([{"port_id": "a"}], [server("", "BUILD"), None], True),
        ([{"port_id": "a"}], [server("", "BUILD"), server("", "BUILD", "deleting")], True),
        ("auto", [server("", "BUILD"), server("a")], True),
        (None, [server("", "BUILD"), server("a")], True),
        ([{"port_id": "a"}], [server("a")], False),
        ([{"network_id": "n"}], [server("", "BUILD")], False),
        ([], [server("", "BUILD")], False),
    ],
)
def test_deletion_waits_for_the_end_of_a_build(
    cloud: Cloud, networks: Any, polls: list[Document | None], *, waits: bool
) -> None:
    """Nova detaches no NIC during a build: if the server may have ports of the program, its end is awaited."""
    Polled(cloud, *polls)
    start = cloud.clock.time
    assert first_nic.wait_for_build(cloud.context("delete", {}, {"networks": networks}), "s") == polls[-1]
    assert (cloud.clock.time - start > 0) is waits


def test_build_that_hangs(cloud: Cloud) -> None:
    """After half of the time the server is deleted as it is."""
    Polled(cloud, server("", "BUILD"))
    start = cloud.clock.time
    found = first_nic.wait_for_build(cloud.context("delete", {}, {"networks": [{"port_id": "a"}]}), "s")
    assert found == server("", "BUILD")
    assert 250 < cloud.clock.time - start <= 300


def test_network_of_the_nics_replaces_none(cloud: Cloud) -> None:
    """A server with `networks="none"` that somebody gave a NIC is shown with its network, as drift."""
    cloud.ports = [port("a", "m")]
    prior = {"networks": "none", "nics": []}
    context = cast("Context", cloud.context("read", {"networks": "none"}, prior | ACTIVE))
    assert cloud.outputs(context, "a")["nics"] == []
    unrecorded = cast("Context", cloud.context("update", {"networks": "none"}, {"networks": "none"}))
    assert cloud.outputs(unrecorded, "a")["networks"] == [{"network_id": "m"}]
