"""How a volume is deleted while servers have it, and what its create request contains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.polling import Deadline, Poller, PollResult
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.resources import volume, volume_requests
from ecs_pulumi.resources.volume import HANDLER, VolumeInputs
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

Document = dict[str, Any]
BUSY = errors.BadRequest(400, "Volume status must be available.")
URN = "urn:pulumi:dev::shop::Volume::data"


def remote(status: str, *servers: str) -> Document:
    """Return a volume as Cinder shows it."""
    return {"id": "v", "status": status, "attachments": [{"server_id": id_, "device": "/dev/vdb"} for id_ in servers]}


class Cloud:
    """A cloud with one volume.

    Attributes:
        states: Its next states; the last one stays.
        errors: The errors of the next delete requests.
        sent: The number of delete requests.
        status: The status of the volume at the last one.
        detached: The attachments that are deleted.
        deletes: The servers that the run deletes, and whether it has begun to delete them.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states: list[Document | None] = [None]
        self.errors: list[errors.EcsError] = []
        self.sent = 0
        self.status: str | None = None
        self.detached: list[str] = []
        self.deletes: dict[str, bool] = {}
        self.lines: list[str] = []
        clock = FakeClock()
        writes = OwnWrites(clock)
        clock.time += 60
        poller = Poller(lambda _ids, _fresh: PollResult({"v": self._next()}), clock)
        region = SimpleNamespace(volumes=SimpleNamespace(poller=poller, get=lambda _: self._next()))
        clients = SimpleNamespace(
            region=region,
            block_storage=None,
            connection=SimpleNamespace(clock=clock),
            deadline=Deadline(clock, 600),
            writes=writes,
        )
        self.context = cast("Context", SimpleNamespace(cloud=clients, report_status=self.lines.append))
        request = rpc_bridge.RequestContext(urn=URN)
        attachments = SimpleNamespace(detach_strictly=lambda _context, *ids: self.detached.append("/".join(ids)))
        monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
        monkeypatch.setattr(block_storage, "delete_volume", self._delete)
        monkeypatch.setattr(HANDLER, "read", lambda *_: self._next())
        monkeypatch.setattr(volume, "get_handler", lambda kind: attachments if kind == "VolumeAttachment" else None)
        monkeypatch.setattr(
            run, "also_deletes", lambda *resource: resource[:2] == (URN, "Server") and resource[2] in self.deletes
        )
        monkeypatch.setattr(run, "is_deleting", lambda kind, id_: kind == "Server" and self.deletes.get(id_, False))

    def _next(self) -> Document | None:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def _delete(self, _api: object, id_: str) -> None:
        assert id_ == "v"
        self.sent += 1
        state = self.states[0]
        self.status = state["status"] if state else None
        if self.errors:
            raise self.errors.pop(0)

    def delete(self) -> None:
        """Delete the volume."""
        HANDLER.delete(self.context, "v", {})

    def statuses(self) -> list[str]:
        """Return the status lines without the times, each once."""
        return list(dict.fromkeys(line.partition(",")[0] for line in self.lines))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with a volume."""
    return Cloud(monkeypatch)


def test_delete_waits_until_the_volume_is_gone(cloud: Cloud) -> None:
    """One request, and a wait that shows the status."""
    cloud.states = [*[remote("deleting")] * 9, None]
    cloud.delete()
    assert (cloud.sent, cloud.states, cloud.statuses()) == (1, [None], ["deleting"])


@pytest.mark.parametrize("is_refused", [True, False])
def test_failed_delete(cloud: Cloud, *, is_refused: bool) -> None:
    """A volume in `error_deleting` is an error at once, whether the request is refused or accepted."""
    cloud.errors, cloud.states = [BUSY] if is_refused else [], [remote("error_deleting")]
    with pytest.raises(errors.OperationFailed, match=r"v.*Only the cloud's operator can reset its state"):
        cloud.delete()
    assert cloud.sent == 1


def test_volume_of_a_server_that_stays(cloud: Cloud) -> None:
    """The request is repeated for a minute; then the error names the servers."""
    cloud.errors, cloud.states = [BUSY] * 99, [remote("in-use", "s")]
    with pytest.raises(errors.EcsError, match=r"server s as /dev/vdb"):
        cloud.delete()
    assert cloud.sent > 5
    assert cloud.detached == []


@pytest.mark.parametrize("state", [remote("deleting"), None])
def test_volume_that_is_being_deleted_already(cloud: Cloud, state: Document | None) -> None:
    """A refusal because of an earlier delete is no error."""
    cloud.errors, cloud.states = [BUSY], [state, state, None]
    cloud.delete()
    assert cloud.sent == 1


@pytest.mark.parametrize("status", ["in-use", "detaching"])
@pytest.mark.parametrize(("deletes", "detached"), [({"s": True}, []), ({"s": False}, ["s/v"])])
def test_volume_of_a_server_that_the_run_deletes(
    cloud: Cloud, status: str, deletes: dict[str, bool], detached: list[str]
) -> None:
    """It waits until a server that is being deleted has detached it; another one may be deleted only after it."""
    cloud.errors, cloud.deletes = [BUSY], deletes
    cloud.states = [*[remote(status, "s")] * 9, remote("available"), None]
    cloud.delete()
    assert (cloud.sent, cloud.status, cloud.detached) == (2, None, detached)
    assert cloud.statuses() == [status]


def test_volume_of_a_server_whose_deletion_fails(cloud: Cloud) -> None:
    """It waits no longer, and is detached."""
    cloud.errors, cloud.deletes = [BUSY, BUSY], {"s": True}

    def fail(line: str) -> None:
        cloud.lines.append(line)
        cloud.deletes["s"] = False

    cloud.context.report_status = fail
    cloud.states = [*[remote("in-use", "s")] * 9, remote("available"), None]
    cloud.delete()
    assert (cloud.sent, cloud.detached) == (3, ["s/v"])


def test_volume_that_one_of_its_servers_keeps(cloud: Cloud) -> None:
    """It is detached from none of them."""
    cloud.errors, cloud.deletes = [BUSY] * 99, {"s": False}
    cloud.states = [remote("in-use", "s", "t")]
    with pytest.raises(errors.EcsError, match="server s as /dev/vdb, server t"):
        cloud.delete()
    assert cloud.detached == []


@pytest.mark.parametrize(
    ("inputs", "marker", "body"),
    [
        ({}, "marker", {"description": "marker", "metadata": {"key": "marker"}}),
        ({}, "", {}),
        ({"description": "mine"}, "marker", {"description": "mine", "metadata": {"key": "marker"}}),
        ({"description": ""}, "marker", {"description": "", "metadata": {"key": "marker"}}),
        ({"image": "debian"}, "", {"imageRef": "id of debian"}),
        ({"multiattach": True}, "", {"multiattach": True}),
        ({"multiattach": True, "volume_type": "shared"}, "", {"volume_type": "shared"}),
        ({"multiattach": True, "volume_type": "plain"}, "", {"volume_type": "plain", "multiattach": True}),
        ({"volume_type": "shared"}, "", {"volume_type": "shared"}),
        ({"source_volume_id": "w"}, "", {"source_volid": "w"}),
    ],
)
def test_create_request(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Any], marker: str, body: dict[str, Any]
) -> None:
    """It has the owner marker, as the description too unless the program sets one, and what the cloud accepts."""
    sent: list[Any] = []
    names = SimpleNamespace(
        image=lambda name: {"id": f"id of {name}"}, allows_several=lambda volume_type: volume_type == "shared"
    )

    def create(_region: object, volume: dict[str, Any], **options: object) -> dict[str, Any]:
        sent.append((volume, options))
        return {"id": "v"}

    monkeypatch.setattr(volume, "catalog", lambda _: names)
    monkeypatch.setattr(volume, "owner_marker", lambda _: marker)
    monkeypatch.setattr(volume, "metadata_with_marker", lambda *_: {"key": marker} if marker else {})
    monkeypatch.setattr(volume, "create_or_find", lambda *_, send, **__: send())
    monkeypatch.setattr(volume_requests, "create", create)
    monkeypatch.setattr(HANDLER, "wait_until_stable", lambda *_: {"id": "v"})
    monkeypatch.setattr(cloud.context, "record_id", lambda _: None, raising=False)
    assert HANDLER.create(cloud.context, VolumeInputs(size=1, name="data", **inputs)) == {"id": "v"}
    assert sent == [({"size": 1, "name": "data", **body}, {"hints": None, "microversion": None})]
