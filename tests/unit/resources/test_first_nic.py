"""The ports of a server's NICs on a cloud that deletes them with it and does not detach the first NIC."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from pulumi.output import UNKNOWN

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources.nic import FirstNicStays
from ecs_pulumi.resources.server import first_nic, nics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.resources.clients import Context

FIRST = "02:00:00:00:00:0a"
REFUSED = FirstNicStays("not allowed (HTTP 403)")
BUSY = errors.Conflict(409, "busy")


def port(id_: str) -> dict[str, Any]:
    """Return a port, whose MAC address ends with its id."""
    return {"id": id_, "mac_address": f"02:00:00:00:00:0{id_}", "device_owner": "compute:nova"}


class Cloud:
    """A cloud with one server, whose first NIC has the port `a`.

    Attributes:
        refusals: The errors of a detach, by port.
        detached: The ports that a request has detached.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refusals: dict[str, errors.EcsError] = {}
        self.detached: list[str] = []
        self.facts: set[Fact] = set()
        self.warnings: list[str] = []
        self.keeps_first_nic = True
        self.listed = [FIRST]
        self.server = {"id": "s", "status": "ACTIVE", "OS-EXT-STS:task_state": None}
        region = SimpleNamespace(name="eu", differences=self, servers=SimpleNamespace(get=self._get))
        self.context = cast(
            "Context",
            SimpleNamespace(
                id="s",
                resource="web",
                cloud=SimpleNamespace(region=region),
                warn=self.warnings.append,
                prior={},
            ),
        )
        monkeypatch.setattr(first_nic, "detach_strictly", self._detach)
        monkeypatch.setattr(nics, "outlives_nic", lambda *_: True)

    def _get(self, id_: str) -> dict[str, Any]:
        assert id_ == "s"
        items = [
            {"OS-EXT-IPS-MAC:mac_addr": mac, "addr": "10.0.0.1", "OS-EXT-IPS:type": "fixed"} for mac in self.listed
        ]
        return {**self.server, "addresses": {"net": items}}

    def _detach(self, _context: object, server_id: str, port_id: str, *, keep_port: bool) -> None:
        assert (server_id, keep_port) == ("s", True)
        if error := self.refusals.get(port_id):
            raise error
        self.detached.append(port_id)

    def knows(self, fact: Fact) -> bool:
        """Whether the difference was noted."""
        return fact in self.facts

    def note(self, fact: Fact) -> None:
        """Note a difference."""
        self.facts.add(fact)

    def detach(self, ports: str, own: str = "") -> str:
        """Detach ports before the server is deleted; return those that it keeps."""
        kept = first_nic.detach_others(self.context, self._get("s"), [port(id_) for id_ in ports], own)
        return "".join(each["id"] for each in kept)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud with a server."""
    OWNERSHIP.clear()
    yield Cloud(monkeypatch)
    OWNERSHIP.clear()


def test_cloud_that_detaches_every_nic(cloud: Cloud) -> None:
    """The first NIC is the last one that leaves; nothing is noted about the cloud."""
    assert (cloud.detach("abc"), cloud.detached, cloud.facts) == ("", ["b", "c", "a"], set())


@pytest.mark.parametrize("ports", ["a", "abc"])
def test_first_nic_stays(cloud: Cloud, ports: str) -> None:
    """All other NICs leave; the next server keeps its last NIC without a request."""
    cloud.refusals = {"a": REFUSED}
    assert (cloud.detach(ports), cloud.detached) == ("a", list(ports[1:]))
    assert cloud.facts == {Fact.FIRST_NIC_STAYS}
    cloud.detached.clear()
    cloud.refusals = {"a": AssertionError("not again")}  # type: ignore[dict-item]
    assert (cloud.detach(ports), cloud.detached) == ("a", list(ports[1:]))


def test_last_nic_is_the_first_one_whatever_the_order_of_the_addresses(cloud: Cloud) -> None:
    """If all others have left, the refused NIC is the first one, although the addresses show another order."""
    cloud.refusals = {"b": REFUSED}
    assert (cloud.detach("ab"), cloud.detached) == ("b", ["a"])


def test_single_nic_that_is_not_the_first_one(cloud: Cloud) -> None:
    """A refusal for the only port that outlives the server, but is not that of its first NIC, shows missing rights."""
    cloud.refusals = {"b": REFUSED}
    with pytest.raises(FirstNicStays):
        cloud.detach("ab", own="a")
    assert cloud.facts == set()


def test_account_that_may_not_detach_nics(cloud: Cloud) -> None:
    """If several NICs are refused, the deletion would lose their ports: it fails."""
    cloud.refusals = {"a": REFUSED, "b": REFUSED}
    with pytest.raises(FirstNicStays):
        cloud.detach("abc")
    assert (cloud.detached, cloud.facts) == (["c"], set())


def test_first_nic_with_a_port_of_its_own(cloud: Cloud) -> None:
    """If the port of the first NIC goes with the server, all others are detached."""
    cloud.facts = {Fact.FIRST_NIC_STAYS}
    assert (cloud.detach("abc", own="a"), cloud.detached) == ("", ["b", "c"])


@pytest.mark.parametrize("status", ["BUILD", "ERROR", "ACTIVE", "PAUSED", "SHUTOFF"])
def test_status_that_allows_no_detach(cloud: Cloud, status: str) -> None:
    """The server keeps all ports; in another status, the conflict is the error."""
    cloud.server["status"] = status
    cloud.refusals = dict.fromkeys("ab", BUSY)
    if status in ("BUILD", "ERROR"):
        assert cloud.detach("ab") == "ba"
    else:
        with pytest.raises(errors.Conflict):
            cloud.detach("ab")


def test_server_that_is_being_deleted(cloud: Cloud) -> None:
    """No request is sent for a server that is gone or goes."""
    cloud.server["OS-EXT-STS:task_state"] = "deleting"
    assert (cloud.detach("ab", own="b"), cloud.detached) == ("a", [])
    assert first_nic.detach_others(cloud.context, None, [port("a")], ()) == [port("a")]


def nic(id_: str) -> dict[str, Any]:
    """Return an item of the output `nics`."""
    return {"port_id": id_, "mac_address": port(id_)["mac_address"], "network_id": "n", "fixed_ips": []}


PRIOR = {"networks": [{"port_id": "a"}, {"port_id": "b"}], "nics": [nic("a"), nic("b")]}
DECLARED = "urn:pulumi:dev::shop::Port::front"


@pytest.mark.parametrize(
    ("networks", "declared", "prior", "text"),
    [
        ([{"port_id": "a"}], True, PRIOR, f"; the new server needs that port: add `--replace '{DECLARED}'`, or the"),
        ([{"port_id": "a"}], False, PRIOR, "; the new server needs that port: give the first NIC another port, or the"),
        ([{"port_id": "b"}], True, PRIOR, "; `pulumi up --refresh` creates it anew afterwards [port-loss]"),
        ([{"port_id": "b"}], False, PRIOR, None),
        ([{"port_id": UNKNOWN}], True, PRIOR, None),
        ("none", True, PRIOR, "; `pulumi up --refresh` creates it anew afterwards [port-loss]"),
        ([{"port_id": "a"}], True, {}, None),
        # The first NIC has no port of the program.
        ([{"port_id": "b"}], True, PRIOR | {"networks": [{"network_id": "n"}, {"port_id": "b"}]}, None),
    ],
)
@pytest.mark.parametrize("keeps", [True, False])
def test_warning_of_a_replacement(
    cloud: Cloud, networks: Any, prior: dict[str, Any], text: str | None, *, declared: bool, keeps: bool
) -> None:
    """The port of the first NIC goes with the replaced server; the warning says what the program can do about it."""
    cloud.keeps_first_nic = keeps
    if declared:
        OWNERSHIP.keep(ObjectKey("Port", "eu", "a"), DECLARED)
    first_nic.warn_of_replacement(cloud.context, prior, {"networks": networks})
    if text is None or not keeps:
        assert cloud.warnings == []
        return
    (warning,) = cloud.warnings
    assert warning.startswith("replacing web also deletes the port a, because the cloud does not detach the first NIC;")
    assert text in warning


def test_server_that_cannot_be_read_is_no_warning(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is gone has no first NIC any more."""
    cloud.listed = []
    first_nic.warn_of_replacement(cloud.context, PRIOR, {"networks": [{"port_id": "a"}]})

    def fail(_: str) -> None:
        raise errors.NotFound(404, "gone")

    monkeypatch.setattr(cloud.context.cloud.region.servers, "get", fail)
    first_nic.warn_of_replacement(cloud.context, PRIOR, {"networks": [{"port_id": "a"}]})
    assert cloud.warnings == []
