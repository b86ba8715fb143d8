"""How a volume is attached and detached, and what happens after a refusal; the zones of volume and server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.polling import Deadline, Poller, PollResult
from ecs_pulumi.resources import idempotent_create, volume_attachment
from ecs_pulumi.resources.volume_attachment import HANDLER, VolumeAttachmentHandler, VolumeAttachmentInputs
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.resources.clients import Context

SERVER_ZONE = "OS-EXT-AZ:availability_zone"


@pytest.mark.parametrize(
    ("server", "volume", "is_refused"),
    [
        ({SERVER_ZONE: "one"}, {"availability_zone": "two"}, True),
        ({SERVER_ZONE: "one"}, {"availability_zone": "one"}, False),
        ({SERVER_ZONE: ""}, {"availability_zone": "two"}, False),
        ({}, {"availability_zone": "two"}, False),
        ({SERVER_ZONE: "one"}, {}, False),
        (None, {"availability_zone": "two"}, False),
        ({SERVER_ZONE: "one"}, None, False),
    ],
)
@pytest.mark.parametrize("within_zone_only", [True, False])
@pytest.mark.parametrize("created", ["", "s", "v"])
def test_zones_of_an_attachment(
    monkeypatch: pytest.MonkeyPatch,
    server: dict[str, Any] | None,
    volume: dict[str, Any] | None,
    created: str,
    *,
    is_refused: bool,
    within_zone_only: bool,
) -> None:
    """The preview refuses an attachment across zones where the cloud does, if both exist and their zones are known.

    An object that this run has created is not read: the program has chosen its zone, and the cloud decides.
    """
    reads: list[str] = []

    def read(id_: str) -> dict[str, Any] | None:
        reads.append(id_)
        return {"s": server, "v": volume}[id_]

    monkeypatch.setattr(idempotent_create, "_created", {created})
    objects, differences = SimpleNamespace(read=read), SimpleNamespace(attaches_within_zone_only=within_zone_only)
    region = SimpleNamespace(servers=objects, volumes=objects, differences=differences)
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=region)))
    found = [each.reason for each in VolumeAttachmentHandler._other_zone(context, "s", "v")]
    assert [reason.partition(":")[0] for reason in found] == (
        ["the volume is in two, the server in one"] if is_refused and within_zone_only and not created else []
    )
    assert reads == (["s", "v"] if within_zone_only and not created else [])
    assert list(VolumeAttachmentHandler._other_zone(context, None, "v")) == []
    assert list(VolumeAttachmentHandler._other_zone(context, "s", None)) == []


Document = dict[str, Any]
BUSY = errors.Conflict(409, "Cannot 'attach_volume' instance s while it is in task_state spawning")
REFUSED = errors.BadRequest(400, "Invalid volume: status must be available.")
MISSING = errors.NotFound(404, "no such attachment")
LOST = errors.ResponseLost("the connection broke")


def volume(status: str, *servers: str, **more: Any) -> Document:
    """Return a volume as Cinder shows it."""
    items = [{"server_id": server, "device": "/dev/vdb", "attachment_id": "a"} for server in servers]
    return {"id": "v", "status": status, "attachments": items, **more}


class Cloud:
    """A cloud with a server and a volume.

    Attributes:
        polls: The next states of the volume; the last one stays.
        nova: The next results of a look-up of the attachment in Nova; the last one stays.
        errors: The errors of the next requests.
        sent: The requests.
        status: The status of the server.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.polls: list[Document | None] = [None]
        self.nova: list[Document | None] = [None]
        self.errors: list[errors.EcsError | None] = []
        self.sent: list[Any] = []
        self.lines: list[str] = []
        self.status = "ACTIVE"
        self.leaves = False
        self.clock = FakeClock()
        self.writes = OwnWrites(self.clock)
        self.clock.time += 60
        poller = Poller(lambda _ids, _fresh: PollResult({"v": self._next()}), self.clock)
        servers = SimpleNamespace(get=lambda _: {"id": "s", "status": self.status})
        region = SimpleNamespace(
            name="eu", servers=servers, volumes=SimpleNamespace(poller=poller, read=lambda _: self._next())
        )
        api = SimpleNamespace(newest=lambda versions: max(versions, default=None), clock=self.clock)
        clients = SimpleNamespace(
            region=region, compute=api, block_storage=None, deadline=Deadline(self.clock, 600), writes=self.writes
        )
        self.context = cast(
            "Context", SimpleNamespace(cloud=clients, report_status=self.lines.append, id="s/v", inputs={}, prior={})
        )
        monkeypatch.setattr(compute, "attach_volume", self._attach)
        monkeypatch.setattr(compute, "detach_volume", self._detach)
        monkeypatch.setattr(compute, "get_volume_attachment", lambda *_: self._in_nova())
        monkeypatch.setattr(compute, "last_failed_action", lambda _api, id_, of: f"{of} of {id_}")
        monkeypatch.setattr(block_storage, "get_volume", lambda *_: self._get())
        monkeypatch.setattr(volume_attachment, "while_active", lambda _context, _server, call: call())
        monkeypatch.setattr(volume_attachment, "left_to_server", lambda *_: self.leaves)

    def _next(self) -> Document | None:
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]

    def _get(self) -> Document:
        found = self._next()
        if found is None:
            raise errors.NotFound(404, "no volume v")
        return found

    def _in_nova(self) -> Document:
        found = self.nova.pop(0) if len(self.nova) > 1 else self.nova[0]
        if found is None:
            raise MISSING
        return found

    def _fail(self) -> None:
        if self.errors and (error := self.errors.pop(0)):
            raise error

    def _attach(self, _api: object, server_id: str, body: Document, *, microversion: str | None) -> Document:
        self.sent.append((server_id, body, microversion))
        self._fail()
        return {"id": "v"}

    def _detach(self, _api: object, server_id: str, volume_id: str) -> None:
        self.sent.append((server_id, volume_id))
        self._fail()

    def attach(self, **more: Any) -> Document:
        """Attach the volume."""
        return HANDLER._attach(self.context, VolumeAttachmentInputs(server_id="s", volume_id="v", **more))

    def detach(self) -> None:
        """Detach the volume."""
        HANDLER.delete(self.context, "s/v", {})

    def statuses(self) -> list[str]:
        """Return the status lines without the times, each once."""
        return list(dict.fromkeys(line.partition(",")[0] for line in self.lines))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud with a server and a volume."""
    return Cloud(monkeypatch)  # type: ignore[return-value]


ATTACHED = volume("in-use", "s")
WAITING = [volume("reserved")] * 9


@pytest.mark.parametrize(
    ("inputs", "body", "version"),
    [
        ({}, {}, None),
        ({"device": "/dev/vdc"}, {"device": "/dev/vdc"}, None),
        ({"tag": "t"}, {"tag": "t"}, "2.49"),
        ({"delete_on_termination": True, "tag": "t"}, {"tag": "t", "delete_on_termination": True}, "2.79"),
        ({"multiattach": True}, {}, "2.60"),
    ],
)
def test_attach(cloud: Cloud, inputs: Document, body: Document, version: str | None) -> None:
    """One request, then a wait that shows the status of the volume."""
    cloud.polls = [*WAITING, volume("attaching", "s"), ATTACHED]
    attached = cloud.attach(**inputs)
    assert cloud.sent == [("s", {"volumeId": "v", **body}, version)]
    assert attached == {**ATTACHED["attachments"][0], "volume_id": "v", "status": "in-use"}
    assert cloud.statuses() == ["reserved", "attaching"]


def test_attachment_of_another_server_is_not_the_result(cloud: Cloud) -> None:
    """A volume that several servers share is in use before this one has it."""
    cloud.polls = [*[volume("in-use", "t")] * 3, volume("in-use", "t", "s")]
    assert cloud.attach(multiattach=True)["server_id"] == "s"
    assert len(cloud.polls) == 1


@pytest.mark.parametrize("status", ["error", "error_attaching", "available"])
def test_failed_attach(cloud: Cloud, status: str) -> None:
    """The error names the last action of the server; an available volume has failed if Nova lists no attachment."""
    cloud.polls = [*WAITING, volume(status)]
    with pytest.raises(errors.OperationFailed) as caught:
        cloud.attach()
    assert str(caught.value) == f"the server s failed to attach the volume ({status}): attach_volume of s"


def test_volume_that_is_still_available(cloud: Cloud) -> None:
    """While Nova lists the attachment, or a read may be out of date, it has not failed."""
    cloud.polls, cloud.nova = [volume("available"), volume("available"), ATTACHED], [{"id": "v"}]
    cloud.attach()
    cloud.polls, cloud.nova = [volume("available"), volume("available"), ATTACHED], [None]
    cloud.writes.touch("v")
    cloud.attach()
    cloud.polls = [None]
    with pytest.raises(errors.EcsError, match="Volume v"):
        cloud.attach()


def test_busy_server_is_awaited(cloud: Cloud) -> None:
    """Another action of the server has to end first; the status line says so."""
    cloud.errors, cloud.polls = [BUSY, BUSY], [ATTACHED]
    cloud.attach()
    assert len(cloud.sent) == 3
    assert cloud.lines


@pytest.mark.parametrize("error", [LOST, REFUSED])
def test_attachment_that_exists_already(cloud: Cloud, error: errors.EcsError) -> None:
    """What an interrupted `up` or a lost request has attached is used as it is."""
    cloud.errors, cloud.nova, cloud.polls = [error], [{"id": "v"}], [ATTACHED]
    cloud.attach()
    assert len(cloud.sent) == 1


@pytest.mark.parametrize("error", [LOST, REFUSED])
def test_attachment_that_does_not_exist(cloud: Cloud, error: errors.EcsError) -> None:
    """A lost request is sent again; a refusal is the error."""
    cloud.errors, cloud.polls = [error], [ATTACHED]
    if error is LOST:
        cloud.attach()
    else:
        with pytest.raises(errors.BadRequest):
            cloud.attach()
    assert len(cloud.sent) == (2 if error is LOST else 1)


def test_attachment_that_nova_still_lists(cloud: Cloud) -> None:
    """Nova removes a detached one a moment later than Cinder: then the request is sent again."""
    cloud.errors = [REFUSED]
    cloud.polls = [*[volume("available")] * 4, ATTACHED]
    cloud.nova = [*[{"id": "v"}] * 4, None]
    cloud.attach()
    assert len(cloud.sent) == 2
    assert cloud.statuses() == ["still listed"]


@pytest.mark.parametrize(
    ("inputs", "bootable", "message", "is_named"),
    [
        ({}, "true", "Invalid device name.", True),
        ({}, "false", "Invalid device name.", False),
        ({}, "true", "Invalid deviceless name.", False),
        ({"device": "/dev/vdz"}, "true", "Invalid device name.", False),
        ({"tag": "t"}, "true", "Invalid device name.", False),
    ],
)
def test_device_that_the_cloud_demands(
    cloud: Cloud, inputs: Document, bootable: str, message: str, *, is_named: bool
) -> None:
    """The error names the input `device` if the cloud demands one for a bootable volume."""
    cloud.errors, cloud.polls = [errors.BadRequest(400, message)], [volume("available", bootable=bootable)]
    expected = errors.OperationFailed if is_named else errors.BadRequest
    with pytest.raises(expected) as caught:
        cloud.attach(**inputs)
    assert str(caught.value).startswith("device: ") is is_named


def test_server_without_a_host(cloud: Cloud) -> None:
    """Cinder keeps the volume reserved as long as the server is shelved: the attachment is complete."""
    cloud.status, cloud.errors = "SHELVED_OFFLOADED", [LOST]
    cloud.nova, cloud.polls = [{"id": "v", "device": "/dev/vdb"}], [volume("reserved")]
    assert cloud.attach() == {"server_id": "s", "volume_id": "v", "device": "/dev/vdb", "status": "reserved"}


@pytest.mark.parametrize("states", [[volume("in-use", "s")], [volume("detaching", "s")], []])
def test_detach(cloud: Cloud, states: list[Document]) -> None:
    """One request, then a wait until Cinder no longer lists the attachment; other servers may keep the volume."""
    cloud.polls = [*states * 5, volume("in-use", "t")]
    cloud.detach()
    assert cloud.sent == [("s", "v")]
    assert cloud.statuses() == [state["status"] for state in states]
    cloud.polls = [None]
    cloud.detach()


def test_failed_detach(cloud: Cloud) -> None:
    """A volume that is in use again after it was detaching has failed, unless the read may be out of date."""
    cloud.polls = [volume("detaching", "s"), volume("in-use", "s")]
    with pytest.raises(errors.OperationFailed) as caught:
        cloud.detach()
    assert str(caught.value) == "the server s failed to detach the volume v: detach_volume of s"
    cloud.polls = [volume("detaching", "s"), volume("in-use", "s"), volume("available")]
    cloud.writes.touch("v")
    cloud.detach()
    # It was never detaching: the request has not begun yet.
    cloud.clock.time += 60
    cloud.polls = [volume("in-use", "s"), volume("in-use", "s"), volume("available")]
    cloud.detach()


def test_detach_of_a_server_that_ends(cloud: Cloud) -> None:
    """A conflict is no error if the server is deleted anyway."""
    conflict = errors.Conflict(409, "Cannot 'detach_volume' instance s while it is in vm_state error")
    cloud.errors, cloud.leaves, cloud.polls = [conflict], True, [ATTACHED]
    cloud.detach()
    cloud.errors, cloud.leaves = [conflict], False
    with pytest.raises(errors.Conflict):
        cloud.detach()


@pytest.mark.parametrize(("state", "is_error"), [(ATTACHED, True), (volume("available"), False), (None, False)])
def test_refused_detach(cloud: Cloud, state: Document | None, *, is_error: bool) -> None:
    """It is sent twice, and an error only if Cinder lists the attachment."""
    cloud.errors, cloud.polls = [REFUSED] * 2, [state]
    if is_error:
        with pytest.raises(errors.BadRequest):
            cloud.detach()
    else:
        cloud.detach()
    assert len(cloud.sent) == 2


@pytest.mark.parametrize("status", ["reserved", "attaching", "detaching"])
def test_operation_of_another_server_is_awaited(cloud: Cloud, status: str) -> None:
    """A volume that several servers share takes one request at a time."""
    cloud.errors = [REFUSED]
    cloud.polls = [*[volume(status, "t")] * 9, volume("in-use", "s", "t"), volume("in-use", "t")]
    cloud.detach()
    assert len(cloud.sent) == 2
    assert cloud.statuses()[0] == status


def test_missing_attachment_is_detached(cloud: Cloud) -> None:
    """A 404 is no error."""
    cloud.errors, cloud.polls = [MISSING], [volume("available")]
    cloud.detach()
    assert len(cloud.sent) == 1


def test_busy_server_is_awaited_before_a_detach(cloud: Cloud) -> None:
    """Another action of the server has to end first; the status line says so."""
    cloud.errors, cloud.polls = [BUSY, BUSY], [volume("available")]
    cloud.detach()
    assert len(cloud.sent) == 3
    assert cloud.lines
