"""What a read shows after a write of this process counts only if it cannot be from before the write."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.own_writes import STALENESS, OwnWrites
from tests.unit.cloud.fakes import NOVA, PROJECT, FakeClock, FakeCloud, Reply, region_of

LONGER = STALENESS + 2.0
NEUTRON = "https://neutron.test:9696/v2.0"
PORT = "/v2.0/ports/p-1"


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock()


@pytest.fixture
def writes(clock: FakeClock) -> OwnWrites:
    """The writes of a process that runs long enough for no earlier process to matter."""
    created = OwnWrites(clock)
    clock.time += LONGER
    return created


def test_new_process_expects_stale_reads(clock: FakeClock) -> None:
    """The last run may have written any object until this process started."""
    writes = OwnWrites(clock)
    assert writes.settles_in("any") >= STALENESS
    assert writes.settles_in() >= STALENESS
    clock.time += LONGER
    assert writes.is_settled("any")
    assert writes.settles_in() == 0


@pytest.mark.parametrize(
    ("method", "url", "body", "result", "ids"),
    [
        ("PUT", f"{NEUTRON}/ports/p-1", {"port": {"name": "x"}}, {"id": "p-1"}, ["p-1"]),
        ("POST", f"{NOVA}/v2.1/x/servers/s-1/action", {"os-stop": None}, None, ["s-1"]),
        ("POST", f"{NOVA}/v2.1/x/servers/s-1/os-volume_attachments", {"v": {"volumeId": "v-1"}}, None, ["s-1", "v-1"]),
        ("POST", f"{NEUTRON}/security-group-rules", {"r": [{"security_group_id": "g-1"}]}, [{"id": "r"}], ["g-1", "r"]),
        ("PUT", f"{NEUTRON}/routers/r-1/add_router_interface", {"subnet_id": "n-1"}, "p-1", ["r-1", "n-1", "p-1"]),
        ("DELETE", f"{NEUTRON}/ports/p-1", None, None, ["p-1"]),
    ],
)
def test_write_makes_reads_of_its_objects_uncertain(
    writes: OwnWrites, clock: FakeClock, method: str, url: str, body: Any, result: Any, ids: list[str]
) -> None:
    """The objects in path, body and response are uncertain for the time of a stale read; all others are not."""
    writes.record(method, url, body, result)
    assert not [id_ for id_ in ids if writes.is_settled(id_)]
    assert writes.is_settled("other")
    clock.time += LONGER
    assert not [id_ for id_ in ids if not writes.is_settled(id_)]


def test_only_created_objects_may_be_missing(writes: OwnWrites) -> None:
    """A 404 counts at once for an object that this process has changed or deleted but not created."""
    writes.record("PUT", f"{NEUTRON}/ports/p-1", {"port": {}}, {"id": "p-1"})
    writes.record("DELETE", f"{NEUTRON}/ports/p-2", None)
    writes.record("POST", f"{NEUTRON}/ports", {"port": {"network_id": "n-1"}}, {"id": "p-3"})
    assert [writes.appears_in(id_) > 0 for id_ in ("p-1", "p-2", "p-3", "n-1")] == [False, False, True, False]
    assert writes.appears_at(f"{NEUTRON}/ports/p-3") > 0
    writes.record("DELETE", f"{NEUTRON}/ports/p-3", None)
    assert writes.appears_in("p-3") == 0
    assert [writes.has_deleted(id_) for id_ in ("p-1", "p-2", "p-3")] == [False, True, True]


def test_lost_create_may_have_created_what_it_names(writes: OwnWrites) -> None:
    """Without a response, the name of a key pair may be that of a new one."""
    writes.record("POST", f"{NOVA}/v2.1/x/os-keypairs", {"keypair": {"name": "k"}})
    assert writes.appears_in("k") > 0


def test_read_until_stops_at_the_effect(writes: OwnWrites, clock: FakeClock) -> None:
    """The first read that shows the effect is the result; until then the reads are repeated."""
    writes.touch("x")
    values = iter([1, 2, 3, 4])
    assert writes.read_until(lambda: next(values), lambda value: value == 3, "x") == 3
    assert len(clock.slept) == 2


def test_read_until_ends_when_no_read_is_stale(writes: OwnWrites, clock: FakeClock) -> None:
    """Without the effect, the result is a read that was sent when none could be stale any more."""
    writes.touch("x")
    started = clock.time
    assert writes.read_until(lambda: clock.time, lambda _: False, "x") >= started + STALENESS
    assert clock.time <= started + LONGER


def test_read_of_settled_object_is_sent_once(writes: OwnWrites, clock: FakeClock) -> None:
    """Nothing is repeated for an object that was not written to."""
    assert writes.read_until(lambda: 1, lambda _: False, "x") == 1
    assert clock.slept == []


def test_get_of_new_object_is_repeated_after_404(clock: FakeClock) -> None:
    """A GET after the create waits for the object to appear."""
    cloud = FakeCloud()
    cloud.script("POST", "/v2.0/ports", Reply(201, {"port": {"id": "p-1"}}))
    cloud.script("GET", PORT, Reply(404, {}), Reply(404, {}), Reply(200, {"port": {"id": "p-1"}}))
    api = region_of(cloud, clock).network
    api.post("/ports", json={"port": {}}, key="port")
    assert api.get("/ports/p-1", key="port") == {"id": "p-1"}


def test_new_object_that_never_appears_is_missing(clock: FakeClock) -> None:
    """The 404 is raised when no read can be stale any more."""
    cloud = FakeCloud()
    cloud.script("POST", "/v2.0/ports", Reply(201, {"port": {"id": "p-1"}}))
    cloud.script("GET", PORT, Reply(404, {}))
    api = region_of(cloud, clock).network
    api.post("/ports", json={"port": {}}, key="port")
    started = clock.time
    with pytest.raises(errors.NotFound):
        api.get("/ports/p-1", key="port")
    assert STALENESS <= clock.time - started <= LONGER


def test_404_of_other_object_is_final(clock: FakeClock) -> None:
    """A GET of an object that this process did not create is sent once."""
    cloud = FakeCloud()
    cloud.script("GET", PORT, Reply(404, {}))
    with pytest.raises(errors.NotFound):
        region_of(cloud, clock).network.get("/ports/p-1", key="port")
    assert cloud.sent("GET /v2.1").count(f"GET {PORT}") == 1


def test_poll_does_not_take_a_new_object_for_deleted(clock: FakeClock) -> None:
    """A wait goes on while the new object is not shown yet."""
    cloud, path = FakeCloud(), f"/v2.1/{PROJECT}/servers"
    cloud.script("POST", path, Reply(202, {"server": {"id": "s-1"}}))
    cloud.script("GET", f"{path}/s-1", Reply(404, {}), Reply(200, {"server": {"id": "s-1", "status": "ACTIVE"}}))
    region = region_of(cloud, clock)
    region.compute.post("/servers", json={"server": {}}, key="server")
    assert region.servers.watch(["s-1"], ["s-1"]).documents == {}
    assert region.servers.watch(["s-1"], []).documents["s-1"]
