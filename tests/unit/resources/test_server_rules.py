"""What decides on the replacement, the retry and the warnings of a server, without a cloud."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from pulumi.output import UNKNOWN

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic.fields import CheckInputs
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources import idempotent_create, server_group
from ecs_pulumi.resources import preflight as checks
from ecs_pulumi.resources.server import HANDLER, create, disks, handler, preflight, stock
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

LAUNCHED = {"OS-SRV-USG:launched_at": "2026-01-01T00:00:00"}


@pytest.mark.parametrize(
    ("prior", "remote", "tainted"),
    [
        ({"status": "ERROR"}, None, True),
        ({"status": "ERROR", "launched_at": "then"}, None, False),
        ({"status": "ACTIVE"}, None, False),
        ({"status": "SHUTOFF"}, None, False),
        # A create that was interrupted: only the server shows what became of it.
        ({"status": "BUILD"}, {"status": "ERROR"}, True),
        ({}, {"status": "ERROR"}, True),
        ({"status": "BUILD"}, {"status": "ERROR", **LAUNCHED}, False),
        ({"status": "BUILD"}, {"status": "BUILD"}, False),
        ({"status": "BUILD"}, None, False),
    ],
)
def test_server_that_never_became_active_is_replaced(
    monkeypatch: pytest.MonkeyPatch, prior: dict[str, Any], remote: dict[str, Any] | None, *, tainted: bool
) -> None:
    """One that was active holds data, and is kept in ERROR. A status that decides needs no request."""
    reads: list[str] = []

    def read(_context: object, id_: str) -> dict[str, Any] | None:
        reads.append(id_)
        return remote

    monkeypatch.setattr(HANDLER, "read", read)
    assert HANDLER.tainted(cast("Context", None), "s", prior) == (["status"] if tainted else [])
    assert bool(reads) is (prior.get("status") not in ("ERROR", "ACTIVE", "SHUTOFF"))


@pytest.mark.parametrize(
    ("prior", "remote", "reason"),
    [
        ({"fault": "no host"}, {"fault": "new"}, "no host"),
        ({}, {"fault": "new"}, "new"),
        ({}, {}, "the cloud recorded no reason"),
        ({}, None, "the cloud recorded no reason"),
    ],
)
def test_reason_of_a_replacement(
    monkeypatch: pytest.MonkeyPatch, prior: dict[str, Any], remote: dict[str, Any] | None, reason: str
) -> None:
    """It is the fault in the state, or that of the server."""
    monkeypatch.setattr(HANDLER, "read", lambda *_: remote)
    monkeypatch.setattr(compute, "fault_of", lambda found: found.get("fault"))
    expected = f"the server never became active: {reason}"
    assert HANDLER.failure_reason(cast("Context", None), "s", prior) == expected


NO_SUBNET = errors.BadRequest(400, "Network n requires a subnet in order to boot instances on.")


@pytest.mark.parametrize(
    ("error", "created", "planned", "repeats"),
    [
        (NO_SUBNET, {"n"}, [], True),
        (NO_SUBNET, set(), [{"cidr": "10.0.0.0/24"}], True),
        (NO_SUBNET, set(), [], False),
        (errors.BadRequest(400, "Invalid flavor."), {"n"}, [], False),
        (errors.Conflict(409, NO_SUBNET.message), {"n"}, [], False),
    ],
)
def test_create_waits_for_a_subnet_of_the_run(
    monkeypatch: pytest.MonkeyPatch, error: errors.ApiError, created: set[str], planned: list[Any], *, repeats: bool
) -> None:
    """A server refers to its network only; the engine may create the subnet later, unless nobody declares one."""
    clock, lines, sent = FakeClock(), list[str](), list[int]()

    def send() -> dict[str, Any]:
        sent.append(1)
        if len(sent) < 4:
            raise error
        return {"id": "s"}

    monkeypatch.setattr(idempotent_create, "_created", created)
    monkeypatch.setattr(create, "planned", lambda _: SimpleNamespace(subnets=lambda id_: planned if id_ == "n" else []))
    clients = SimpleNamespace(region=None, connection=SimpleNamespace(clock=clock), deadline=Deadline(clock, 600))
    context = cast("Context", SimpleNamespace(cloud=clients, report_status=lines.append))
    if not repeats:
        with pytest.raises(errors.ApiError):
            create.once_subnets_exist(context, send)
        assert (len(sent), lines) == (1, [])
        return
    assert create.once_subnets_exist(context, send) == {"id": "s"}
    assert lines == ["waiting for a subnet of the network n"] * 3


class Disks:
    """A cloud with flavors of several disk sizes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flavors = {"f": 20, "g": 40, "small": 10, "none": 0}
        self.looked_up: list[str] = []
        self.boots_from_volumes_only: bool | errors.EcsError = False
        self.notices: list[str] = []
        monkeypatch.setattr(disks, "catalog", lambda _: SimpleNamespace(flavor=self._flavor))

    def _flavor(self, name: str) -> dict[str, Any]:
        self.looked_up.append(name)
        if name not in self.flavors:
            raise errors.NoMatch([])
        return {"name": name, "disk": self.flavors[name]}

    def context(self, verb: str = "diff", prior: dict[str, Any] | None = None) -> Context:
        """Return an operation on a server."""

        class Region:
            differences: Any = SimpleNamespace(boots_from_volumes_only=self.boots_from_volumes_only)

        class Unknown:
            @property
            def differences(self) -> Any:
                raise errors.MissingCredentials("no credentials")

        region = Unknown() if isinstance(self.boots_from_volumes_only, errors.EcsError) else Region()
        context = SimpleNamespace(
            verb=verb, prior=prior or {}, cloud=SimpleNamespace(region=region), notify=self.notices.append
        )
        return cast("Context", context)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Disks:
    """A cloud."""
    return Disks(monkeypatch)


VOLUME = {"id": "v", "delete_on_termination": True}


@pytest.mark.parametrize(
    ("verb", "prior", "only_volumes", "lost", "looked_up"),
    [
        ("diff", {"image_id": "i", "flavor_id": "f", "flavor": "g"}, False, ["its root disk (20 GiB)"], ["f"]),
        ("diff", {"image_id": "i", "flavor": "g"}, False, ["its root disk (40 GiB)"], ["g"]),
        ("diff", {"image_id": "i", "flavor": "gone"}, False, ["its root disk"], ["gone"]),
        ("delete", {"image_id": "i", "flavor_id": "f"}, False, ["its root disk"], []),
        ("diff", {"flavor_id": "f", "volumes_attached": [VOLUME]}, False, ["the volume v"], []),
        (
            "diff",
            {"image_id": "i", "flavor_id": "f", "volumes_attached": [VOLUME]},
            True,
            ["its root disk (the volume v)"],
            [],
        ),
        ("diff", {"flavor_id": "f", "volumes_attached": [VOLUME]}, True, ["the volume v"], []),
        (
            "diff",
            {"image_id": "i", "flavor_id": "f"},
            errors.MissingCredentials("no"),
            ["its root disk (20 GiB)"],
            ["f"],
        ),
    ],
)
def test_disks_that_are_lost(
    cloud: Disks, verb: str, prior: dict[str, Any], only_volumes: Any, lost: list[str], looked_up: list[str]
) -> None:
    """A warning names the size of the root disk, but a deletion sends no request for it."""
    cloud.boots_from_volumes_only = only_volumes
    assert disks.data_loss(cloud.context(verb, prior), prior) == lost
    assert cloud.looked_up == looked_up


@pytest.mark.parametrize(
    ("prior", "flavor", "notices", "refused"),
    [
        ({"image_id": "i", "flavor_id": "f", "flavor": "g"}, "g", 0, False),
        ({"image_id": "i", "flavor_id": "f", "flavor": "g"}, "small", 1, False),
        ({"image_id": "i", "flavor": "f"}, "none", 0, True),
        ({"image_id": "i", "flavor_id": "none"}, "none", 0, False),
        ({"image_id": "i", "flavor_id": "gone"}, "none", 0, False),
        ({"flavor_id": "f"}, "none", 0, False),
    ],
)
def test_disk_of_a_resize(cloud: Disks, prior: dict[str, Any], flavor: str, notices: int, *, refused: bool) -> None:
    """A flavor without a disk is an error for a server with a local root disk; a smaller disk is a notice."""
    if refused:
        with pytest.raises(errors.OperationFailed, match=r"flavor: none has no disk; the server has a root disk of 20"):
            disks.require_fit(cloud.context(prior=prior), flavor)
    else:
        disks.require_fit(cloud.context(prior=prior), flavor)
    assert len(cloud.notices) == notices


OWN, DECLARED, FOREIGN = "own", "declared", "foreign"
REFUSED = "block_devices: [0]: the cloud would delete the program's Volume {} with the server; omit"


@pytest.mark.parametrize(
    ("device", "problem", "notices"),
    [
        ({"uuid": OWN}, REFUSED.format(OWN), 0),
        ({"uuid": DECLARED}, REFUSED.format(DECLARED), 0),
        ({"uuid": FOREIGN}, None, 0),
        ({"uuid": UNKNOWN}, None, 1),
        ({"uuid": OWN, "delete_on_termination": False}, None, 0),
        ({"uuid": OWN, "delete_on_termination": None}, None, 0),
        ({"uuid": OWN, "source_type": "snapshot"}, None, 0),
    ],
)
def test_volume_that_goes_with_the_server(
    monkeypatch: pytest.MonkeyPatch, device: dict[str, Any], problem: str | None, notices: int
) -> None:
    """The preview refuses `delete_on_termination` for a Volume of the program; if it is not known, that is a notice."""
    shown: list[str] = []
    monkeypatch.setattr(idempotent_create, "_created", {OWN})
    monkeypatch.setattr(OWNERSHIP, "_owners", {ObjectKey("Volume", "eu", DECLARED): "urn:disk"})
    region = SimpleNamespace(name="eu")
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=region), notify=shown.append))
    device = {"source_type": "volume", "delete_on_termination": True, **device}
    found = [
        f"{each.property}: {each.reason}" for each in preflight._check_delete_on_termination(context, device, "[0]: ")
    ]
    assert [text.partition(" `")[0] for text in found] == ([problem] if problem else [])
    assert len(shown) == notices
    assert all(
        text.startswith("block_devices[0]: the cloud deletes the volume with the server. If it is") for text in shown
    )


@pytest.mark.parametrize(
    ("prior", "zone", "shortage", "without", "problems", "notices"),
    [
        ({}, None, "sold out", ["one"], ["sold out"], []),
        ({}, None, None, ["one", "two"], [], ["flavor: f is sold out in one, two; set availability_zone"]),
        ({}, None, None, [], [], []),
        ({}, "one:host", None, ["two"], [], []),
        ({"flavor": "g"}, None, "sold out", ["one"], [], []),
    ],
)
def test_flavor_that_is_sold_out(
    monkeypatch: pytest.MonkeyPatch,
    prior: dict[str, Any],
    zone: str | None,
    shortage: str | None,
    without: list[str],
    problems: list[str],
    notices: list[str],
) -> None:
    """A new server needs a flavor in stock; without a zone, the zones that lack it are a notice."""
    shown: list[str] = []
    asked: list[str | None] = []

    def shortage_of(_context: object, _flavor: object, in_zone: str | None) -> str | None:
        asked.append(in_zone)
        return shortage

    monkeypatch.setattr(stock, "shortage", shortage_of)
    monkeypatch.setattr(stock, "zones_without", lambda *_: without)
    context = cast("Context", SimpleNamespace(notify=shown.append))
    checked = CheckInputs({"flavor": "f", **({"availability_zone": zone} if zone else {})}, prior)
    found = preflight._in_stock(context, checked, {"name": "f"})
    assert [each.reason for each in found] == problems
    assert shown == notices
    assert asked == ([] if prior else [zone and "one"])


@pytest.mark.parametrize(("name", "prefix"), [("web", False), ("it-0123abcd", True)], ids=["given", "automatic"])
def test_search_for_an_orphan_of_a_server(monkeypatch: pytest.MonkeyPatch, name: str, *, prefix: bool) -> None:
    """A list has the servers of the name, or of the prefix of an automatic one: each run generates a new suffix."""
    lists: list[Any] = []
    found: list[dict[str, Any]] = [
        {"id": "s", "name": name, "metadata": {"managed-by-pulumi": "marker of it"}},
        {"id": "t", "name": name},
    ]

    def list_by_name(_context: object, searched: str, *, is_prefix: bool) -> list[dict[str, Any]]:
        lists.append((searched, is_prefix))
        return found

    class Marked:
        @staticmethod
        def of(narrow: Any, is_own: Any, **_: object) -> list[Any]:
            return [each for each in narrow() if is_own(each)]

    monkeypatch.setattr(handler, "owner_marker", lambda _: "marker of it")
    monkeypatch.setattr(handler, "marked_objects", lambda _region, kind: Marked if kind == "server" else None)
    monkeypatch.setattr(handler, "_list_by_name", list_by_name)
    monkeypatch.setattr(handler, "is_short", lambda *_: False)
    monkeypatch.setattr(handler, "is_auto_name", lambda given, resource: given.startswith(f"{resource}-"))
    monkeypatch.setattr(handler, "markers_of", lambda remote: list(remote.get("metadata", {}).values()))
    clients = SimpleNamespace(region=None, writes=SimpleNamespace(has_deleted=None))
    context = cast("Context", SimpleNamespace(resource="it", cloud=clients))
    desired = cast("Any", SimpleNamespace(name=name))
    assert HANDLER.find_own_orphans(context, desired) == [("s", name)]
    assert lists == [("it-" if prefix else name, prefix)]
    monkeypatch.setattr(handler, "owner_marker", lambda _: "")
    assert HANDLER.find_own_orphans(context, desired) == []
    assert len(lists) == 1


NETWORK, PORT = {"network_id": "n"}, {"port_id": "p"}


@pytest.mark.parametrize(
    ("networks", "prior", "in_use", "addresses"),
    [
        ([NETWORK, PORT], [], ["networks[1]"], []),
        ([PORT], [NETWORK, PORT], [], []),
        ([{**NETWORK, "fixed_ip": "a"}], [], [], ["[0]: "]),
        ([{**NETWORK, "fixed_ip": "a"}], [{**NETWORK, "fixed_ip": "a"}], [], []),
        ([UNKNOWN, {"network_id": UNKNOWN, "fixed_ip": "a"}], [], [], []),
        ("auto", [], [], []),
    ],
)
def test_ports_and_addresses_of_a_server(
    monkeypatch: pytest.MonkeyPatch, networks: Any, prior: list[Any], in_use: list[str], addresses: list[str]
) -> None:
    """A port that the server does not have yet must be free, and so must an address in a network."""
    checked: dict[str, list[str]] = {"in use": [], "addresses": []}

    def port_in_use(_context: object, _checked: object, place: str, port_id: str) -> None:
        assert port_id == "p"
        checked["in use"].append(place)

    def check_address(_context: object, _checked: object, place: Any, address: str) -> list[Any]:
        assert (place.network_id, address) == ("n", "a")
        checked["addresses"].append(place.index)
        return []

    monkeypatch.setattr(checks, "missing_port", lambda *_: [])
    monkeypatch.setattr(checks, "missing", lambda *_: [])
    monkeypatch.setattr(checks, "port_in_use", port_in_use)
    monkeypatch.setattr(checks, "check_address", check_address)
    monkeypatch.setattr(preflight, "catalog", lambda _: SimpleNamespace(neutron=lambda *_: {}))
    monkeypatch.setattr(idempotent_create, "_created", set())
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=None)))
    inputs = CheckInputs({"networks": networks}, {"networks": prior})
    assert list(preflight._nics(context, inputs)) == []
    assert checked == {"in use": in_use, "addresses": addresses}


def test_server_groups_of_this_run_are_no_orphans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of the same name that this run has created belongs to another resource."""
    groups = [{"id": "old"}, {"id": "new"}]
    monkeypatch.setattr(server_group, "catalog", lambda _: SimpleNamespace(server_groups=lambda: groups))
    monkeypatch.setattr(idempotent_create, "_created", {"new"})
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=None)))
    assert server_group._listed(context) == [{"id": "old"}]


@pytest.mark.parametrize(
    ("description", "remote", "is_own"),
    [
        (None, "marker", True),
        (None, "", False),
        (None, "marker of another", False),
        ("mine", "mine", True),
        ("mine", "marker", False),
    ],
)
def test_server_of_a_lost_create(
    monkeypatch: pytest.MonkeyPatch, description: str | None, remote: str, *, is_own: bool
) -> None:
    """Its description distinguishes it from a server of the same name that somebody else has created meanwhile."""
    found: list[bool] = []

    def create_or_find(*_: object, is_own: Any, **__: object) -> dict[str, Any]:
        found.append(is_own({"id": "s", "description": remote}))
        raise errors.ResponseLost("the connection broke")

    monkeypatch.setattr(handler, "create_or_find", create_or_find)
    monkeypatch.setattr(handler, "require_not_lost", lambda *_: None)
    monkeypatch.setattr(handler, "owner_marker", lambda _: "marker")
    monkeypatch.setattr(create, "CreateRequest", lambda *_: SimpleNamespace(send=None))
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(compute=None)))
    desired = HANDLER.inputs(name="web", flavor="f", image="i", description=description)
    with pytest.raises(errors.ResponseLost):
        HANDLER.create(context, desired)
    assert found == [is_own]


@pytest.mark.parametrize(
    ("remote", "exists"), [({"status": "ACTIVE"}, True), ({"status": "SOFT_DELETED"}, False), (None, False)]
)
def test_server_whose_deletion_is_deferred_does_not_exist(remote: dict[str, str] | None, *, exists: bool) -> None:
    """A refresh removes it from the state, and so does the read before a change."""
    servers = SimpleNamespace(read=lambda _: remote, get=lambda _: remote)
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=SimpleNamespace(servers=servers))))
    expected = remote if exists else None
    assert HANDLER.read_cached(context, "s") == HANDLER.read(context, "s") == expected


@pytest.mark.parametrize(
    ("hints", "prior", "looked_up"),
    [
        ({"group": "g"}, None, ["g"]),
        ({"group": "created"}, None, []),
        ({"group": UNKNOWN}, None, []),
        ({"same_host": "h"}, None, []),
        ("unknown", None, []),
        ({"group": "g"}, {"group": "g"}, []),
    ],
)
def test_server_group_in_the_hints(
    monkeypatch: pytest.MonkeyPatch, hints: Any, prior: Any, looked_up: list[str]
) -> None:
    """A group that does not exist is a problem; what this run has created and what is unchanged is not looked up."""
    found: list[str] = []

    def look_up(id_: str) -> None:
        found.append(id_)
        raise errors.NoMatch([], "there is no such group")

    monkeypatch.setattr(idempotent_create, "_created", {"created"})
    monkeypatch.setattr(preflight, "catalog", lambda _: SimpleNamespace(server_group=look_up))
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=None)))
    checked = CheckInputs({"scheduler_hints": hints}, {"scheduler_hints": prior} if prior else {})
    problems = [f"{each.property}: {each.reason}" for each in preflight._server_group(context, checked)]
    assert problems == ["scheduler_hints: group: there is no such group"] * len(looked_up)
    assert found == looked_up


@pytest.mark.parametrize(
    ("device", "problems"),
    [
        ({"uuid": "gone"}, ["[0]: there is no image"]),
        ({"uuid": "i", "volume_size": 1}, ["[0]: its image needs a disk of at least 4 GiB"]),
        ({"uuid": "i", "volume_size": 4}, []),
        ({"uuid": UNKNOWN}, []),
        ({}, []),
    ],
)
def test_image_of_a_block_device(monkeypatch: pytest.MonkeyPatch, device: dict[str, Any], problems: list[str]) -> None:
    """It must exist, and fit the disk."""

    def image(id_: str) -> dict[str, Any]:
        if id_ != "i":
            raise errors.NoMatch([], "there is no image")
        return {"id": "i", "name": "debian", "min_disk": 4}

    names = SimpleNamespace(image=image, volume=None, snapshot=None)
    monkeypatch.setattr(preflight, "catalog", lambda _: names)
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=None)))
    checked = CheckInputs({"block_devices": [{"source_type": "image", **device}]}, {})
    assert [each.reason for each in preflight._disks(context, checked)] == problems
