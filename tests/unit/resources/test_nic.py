"""How NICs are attached and detached, and what happens after a lost response or a refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import compute, errors, network
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.polling import Deadline, Poller, PollResult
from ecs_pulumi.dynamic.handler import SUFFIX_BYTES
from ecs_pulumi.resources import missing_attributes, nic
from ecs_pulumi.resources.owner_markers import _MARKER_PREFIX
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

Port = dict[str, Any]
LOST = errors.ResponseLost("the connection broke")


def port(id_: str, *addresses: str, net: str = "n", device: str = "s") -> Port:
    """Return a port as Neutron shows it."""
    fixed_ips = [{"ip_address": address} for address in addresses]
    return {"id": id_, "network_id": net, "device_id": device, "fixed_ips": fixed_ips}


class Cloud:
    """A cloud with one server.

    Attributes:
        ports: The ports of the server at each look.
        errors: The errors of the first requests.
        sent: The requests.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ports: list[list[Port]] = []
        self.errors: list[errors.EcsError] = []
        self.sent: list[Any] = []
        self.polls: list[Port | None] = []
        self.facts: set[Fact] = set()
        self.keeps_first_nic = self.deletes_ports_with_nics = False
        self.is_ending = False
        clock = FakeClock()
        # Reads show all that this process has written.
        writes = OwnWrites(clock)
        clock.time += 60
        poller = Poller(lambda _ids, _fresh: PollResult({"p": self.polls.pop(0)}), clock)
        objects = SimpleNamespace(poller=poller, read=lambda id_: {"id": id_, "cached": True})
        region = SimpleNamespace(compute=None, network=None, differences=self, network_objects=lambda _: objects)
        clients = SimpleNamespace(
            compute=None, network=None, region=region, deadline=Deadline(clock, 600), writes=writes
        )
        self.lines: list[str] = []
        self.context = cast("Context", SimpleNamespace(cloud=clients, report_status=self.lines.append))
        monkeypatch.setattr(compute, "attach_interface", self._attach)
        monkeypatch.setattr(compute, "detach_interface", self._detach)
        monkeypatch.setattr(network, "get", self._get)
        monkeypatch.setattr(nic, "ports_of", lambda *_: self.ports.pop(0))
        monkeypatch.setattr(nic, "require_not_lost", lambda *_: None)
        monkeypatch.setattr(nic, "left_to_server", self._left)

    def knows(self, fact: Fact) -> bool:
        """Whether the difference was noted."""
        return fact in self.facts

    def note(self, fact: Fact) -> None:
        """Note a difference."""
        self.facts.add(fact)

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def _attach(self, _api: object, id_: str, body: Port, microversion: str | None) -> Port:
        self.sent.append((id_, body, microversion))
        self._fail()
        return {"port_id": "p", "net_id": "n", "mac_addr": "m", "fixed_ips": [], "port_state": "ACTIVE"}

    def _detach(self, _api: object, id_: str, port_id: str, *, reserve_port: bool = False) -> None:
        self.sent.append((id_, port_id, reserve_port))
        self._fail()

    def _get(self, _api: object, kind: str, id_: str) -> Port:
        raise errors.NotFound(404, f"no {kind} {id_}")

    def _left(self, _context: object, server_id: str, *consequence: str) -> bool:
        self.sent.append((server_id, *consequence))
        return self.is_ending


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with one server."""
    return Cloud(monkeypatch)


@pytest.mark.parametrize(
    ("inputs", "looks", "body", "version"),
    [
        ({"port_id": "p"}, 0, {"port_id": "p"}, None),
        ({"network_id": "n"}, 1, {"net_id": "n"}, None),
        (
            {"network_id": "n", "addresses": ["10.0.0.5"]},
            0,
            {"net_id": "n", "fixed_ips": [{"ip_address": "10.0.0.5"}]},
            None,
        ),
        ({"port_id": "p", "tag": "t"}, 0, {"port_id": "p", "tag": "t"}, "2.49"),
    ],
)
def test_attach_sends_one_request(
    cloud: Cloud, inputs: dict[str, Any], looks: int, body: Port, version: str | None
) -> None:
    """The ports of the server are listed before only if nothing else would distinguish the new one."""
    cloud.ports = [[]] * looks
    attached = nic.attach(cloud.context, "s", **inputs)
    assert (cloud.sent, cloud.ports) == ([("s", body, version)], [])
    assert attached == {
        "id": "p",
        "device_id": "s",
        "network_id": "n",
        "mac_address": "m",
        "fixed_ips": [],
        "status": "ACTIVE",
    }


CONFLICT = errors.Conflict(409, "Port p is still in use.")
FAULT = errors.ServerError(500, "Unexpected API Error")


@pytest.mark.parametrize("error", [LOST, CONFLICT, FAULT])
@pytest.mark.parametrize(
    ("inputs", "prior", "now", "found"),
    [
        ({"port_id": "p"}, None, [port("o"), port("p")], "p"),
        ({"network_id": "n"}, [port("o")], [port("o"), port("p")], "p"),
        ({"network_id": "n"}, [], [port("o", net="m"), port("p")], "p"),
        ({"network_id": "n", "addresses": ["10.0.0.5"]}, None, [port("o", "10.0.0.4"), port("p", "10.0.0.5")], "p"),
    ],
)
def test_nic_that_is_attached_already_is_the_result(
    cloud: Cloud, error: errors.EcsError, inputs: dict[str, Any], prior: list[Port] | None, now: list[Port], found: str
) -> None:
    """After an error that may hide a success, the new NIC is recognized by what the request contained."""
    cloud.errors = [error]
    cloud.ports = [now] if prior is None else [prior, now]
    assert nic.attach(cloud.context, "s", **inputs)["id"] == found
    assert len(cloud.sent) == 1


@pytest.mark.parametrize(
    ("inputs", "prior", "now"),
    [
        ({"port_id": "p"}, None, [port("o")]),
        ({"network_id": "n"}, [port("o")], [port("o")]),
        ({"network_id": "n", "addresses": ["10.0.0.5"]}, None, [port("o", "10.0.0.4"), port("q", "10.0.0.5", net="m")]),
    ],
)
def test_failed_attach_is_an_error(
    cloud: Cloud, inputs: dict[str, Any], prior: list[Port] | None, now: list[Port]
) -> None:
    """Another NIC of the server is not the result."""
    cloud.errors = [CONFLICT]
    cloud.ports = [now] if prior is None else [prior, now]
    with pytest.raises(errors.Conflict):
        nic.attach(cloud.context, "s", **inputs)


def test_network_that_does_not_exist(cloud: Cloud) -> None:
    """Nova answers 500; the error of Neutron is precise. For a port, that of Nova is all there is."""
    cloud.errors, cloud.ports = [FAULT], [[], []]
    with pytest.raises(errors.NotFound, match="no network n"):
        nic.attach(cloud.context, "s", network_id="n")
    cloud.errors, cloud.ports = [FAULT], [[]]
    with pytest.raises(errors.ServerError):
        nic.attach(cloud.context, "s", port_id="p")


@pytest.mark.parametrize("keep_port", [True, False])
def test_detach_waits_until_the_port_is_free(cloud: Cloud, *, keep_port: bool) -> None:
    """A port that outlives its NIC is reserved, for clouds that would delete it."""
    free = port("p", device="")
    cloud.polls = [*[port("p")] * 9, free]
    assert nic.detach(cloud.context, "s", "p", keep_port=keep_port) == free
    assert {line.partition(",")[0] for line in cloud.lines} == {"detaching"}
    assert (cloud.sent, cloud.polls) == ([("s", "p", keep_port)], [])
    # A NIC that does not exist is detached.
    cloud.errors, cloud.polls = [errors.NotFound(404, "no such NIC")], [None]
    assert nic.detach(cloud.context, "s", "p", keep_port=keep_port) is None


@pytest.mark.parametrize(("keeps", "error"), [(True, nic.FirstNicStays), (False, errors.Forbidden)])
def test_forbidden_detach(cloud: Cloud, error: type[errors.EcsError], *, keeps: bool) -> None:
    """Only on a cloud that keeps the first NIC a 403 is more than missing rights."""
    cloud.keeps_first_nic, cloud.errors = keeps, [errors.Forbidden(403, "not allowed")]
    with pytest.raises(error):
        nic.detach_strictly(cloud.context, "s", "p", keep_port=True)


@pytest.mark.parametrize("deletes", [True, False])
@pytest.mark.parametrize("is_ending", [True, False])
def test_refused_detach_of_a_server_that_ends(cloud: Cloud, *, deletes: bool, is_ending: bool) -> None:
    """The NIC stays with the server; the notice says if the port does, too."""
    cloud.is_ending, cloud.deletes_ports_with_nics, cloud.errors = is_ending, deletes, [CONFLICT]
    if is_ending:
        assert nic.detach(cloud.context, "s", "p", keep_port=True) == {"id": "p", "cached": True}
    else:
        with pytest.raises(errors.Conflict):
            nic.detach(cloud.context, "s", "p", keep_port=True)
    assert cloud.sent[1:] == [("s", "its deletion deletes the port") if deletes else ("s",)]


UNKNOWN = errors.BadRequest(400, "Additional query parameters are not allowed")


@pytest.mark.parametrize("deletes", [True, False])
def test_cloud_that_does_not_know_reserved_ports(cloud: Cloud, *, deletes: bool) -> None:
    """The request is repeated without the parameter, unless the cloud might then delete the port."""
    cloud.errors, cloud.deletes_ports_with_nics, cloud.polls = [UNKNOWN], deletes, [None]
    if deletes:
        with pytest.raises(errors.BadRequest):
            nic.detach(cloud.context, "s", "p", keep_port=True)
        assert (cloud.sent, cloud.facts) == ([("s", "p", True)], set())
        return
    nic.detach(cloud.context, "s", "p", keep_port=True)
    assert (cloud.sent, cloud.facts) == ([("s", "p", True), ("s", "p", False)], {Fact.NO_RESERVED_PORT})
    cloud.polls, cloud.sent = [None], []
    nic.detach(cloud.context, "s", "p", keep_port=True)
    assert cloud.sent == [("s", "p", False)]


def test_other_bad_request_of_a_detach(cloud: Cloud) -> None:
    """Without the parameter there is nothing to repeat."""
    cloud.errors = [UNKNOWN]
    with pytest.raises(errors.BadRequest):
        nic.detach(cloud.context, "s", "p", keep_port=False)
    assert cloud.sent == [("s", "p", False)]


SUFFIX = "0" * 2 * SUFFIX_BYTES


@pytest.mark.parametrize(
    ("remote", "keeps_none", "expected"),
    [
        ({"description": "{marker}story/test/nic (port of the NIC)"}, False, True),
        ({"description": "{marker}story/test/port"}, False, False),
        ({"description": "my port (port of the NIC)"}, False, False),
        ({"description": None}, False, False),
        ({"name": f"web.nic-{SUFFIX}"}, True, True),
        ({"name": f"web.nic-{SUFFIX}0"}, True, False),
        ({"name": f"web-{SUFFIX}"}, True, False),
        ({"name": None}, True, False),
        ({"name": f"web.nic-{SUFFIX}", "description": ""}, False, False),
    ],
)
def test_port_of_a_nic_is_recognized(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, remote: dict[str, str | None], *, keeps_none: bool, expected: bool
) -> None:
    """Its owner marker shows it, or its name if the cloud keeps no descriptions."""
    monkeypatch.setattr(missing_attributes, "keeps_no_description", lambda *_: keeps_none)
    remote = {name: value and value.replace("{marker}", _MARKER_PREFIX) for name, value in remote.items()}
    assert nic.is_for_a_nic(cast("Any", None), remote) is expected


def test_resource_of_the_nic_of_a_port() -> None:
    """The owner of a port for a NIC is the NIC, whether a marker or the name shows it."""
    marked = {"description": f"{_MARKER_PREFIX}story/test/web (port of the NIC)"}
    assert nic.owner_of_nic("web (port of the NIC)", marked) == "web"
    assert nic.owner_of_nic("web.nic", {"name": "web.nic"}) == "web"
    assert nic.owner_of_nic(None, marked) is None


@pytest.mark.parametrize("is_deleted", [True, False])
def test_port_of_a_nic_that_cannot_be_attached(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, is_deleted: bool
) -> None:
    """It is deleted again; if that fails as well, the error names it and how to find it."""
    deleted: list[str] = []

    def delete(_context: object, id_: str) -> None:
        deleted.append(id_)
        if not is_deleted:
            raise errors.ServerError(503, "busy")

    refused = errors.BadRequest(400, "no room")
    monkeypatch.setattr(nic, "create_or_find", lambda *_, **__: {"id": "p"})
    monkeypatch.setattr(nic, "delete_port", delete)
    cloud.context.resource, cloud.context.stack = "web", ""
    cloud.errors = [refused]
    with pytest.raises(errors.EcsError) as caught:
        nic.create_and_attach_port(cloud.context, "s", "n", [], None, marker="marker")
    assert deleted == ["p"]
    if is_deleted:
        assert caught.value is refused
    else:
        assert str(caught.value) == (
            "no room (HTTP 400): The port p, created for this NIC, could not be deleted: busy (HTTP 503) "
            "Find it with `ecs-pulumi orphans`."
        )
