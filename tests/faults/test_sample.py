"""A sample of the matrix on any cloud: what the wire does, between the provider and an API with a life of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import common
from tests.faults.trial import check_error_message
from tests.faults.wire import FAULTS, Fault, Request, Wire
from tests.fields.ground import CloudFixtures
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.landscape import Landscape

SPEED = 200
SAMPLE = ("dropped-before", "dropped-after", "409", "truncated", "502")


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud that lets a server run from its image, as the real one does."""
    with Emulator(dialect="openstack", speed=SPEED) as running:
        yield running


@pytest.fixture
def ground(landscape: Landscape) -> Iterator[CloudFixtures]:
    """What the sample stands on in this cloud."""
    with CloudFixtures(landscape) as made:
        yield made


@pytest.fixture
def wire(ground: CloudFixtures) -> Iterator[Wire]:
    """What carries the requests of the resources of `ground`."""
    assert ground.network  # which opens the connection
    session = common.connection(ground.config.get).transport.http
    carrier, wire = session.get_adapter("http://"), Wire()
    for scheme in ("http://", "https://"):
        session.mount(scheme, wire)
    yield wire
    for scheme in ("http://", "https://"):
        session.mount(scheme, carrier)


def failed(act: Callable[[], object]) -> str | None:
    """How the user is told that it failed; None where it did not."""
    try:
        act()
    except steps.Failed as failure:
        return str(failure)
    return None


class Trial:
    """Operations, each with the same fault once at every request that matters in it, or at the first look after that.

    Such a request is told as `POST resize`: its method, and a word of its path or its action.
    """

    def __init__(self, fault: Fault, wire: Wire) -> None:
        self._fault = fault
        self._wire = wire

    def up(self, it: steps.Resource, *matter: str, **inputs: Any) -> None:
        """Bring the resource to these inputs: at once, or after one line by another `up`; then it is at rest."""
        self._play(it, lambda: it.up(**inputs), matter)
        assert it.preview(**inputs) == steps.SAME

    def destroy(self, it: steps.Resource, *matter: str) -> None:
        """Destroy the resource: at once, or after one line by another `destroy`."""
        self._play(it, it.destroy, matter)

    def _play(self, it: steps.Resource, act: Callable[[], object], matter: Sequence[str]) -> None:
        left, looking = list(matter), False

        def hit(request: Request, _: int) -> bool:
            nonlocal looking
            looks = looking and request.method == "GET"
            asked = next((each for each in left if _is(request, *each.split())), None)
            if asked:
                left.remove(asked)
            looking = asked is not None or (looking and not looks)
            return looks if self._fault.name == "502" else asked is not None

        self._wire.expect(self._fault, hit)
        failure = failed(act)
        assert self._wire.happened
        self._wire.expect()
        if failure is None:
            assert not left
        else:
            assert not list(check_error_message(failure, it, self._fault.said))
            act()


def _is(request: Request, method: str, word: str) -> bool:
    return request.method == method and word in (*request.kind.split("/"), request.action)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.name in SAMPLE], ids=lambda fault: fault.name)
def test_a_server_comes_changes_and_goes_once(
    fault: Fault, ground: CloudFixtures, wire: Wire, landscape: Landscape
) -> None:
    """Create, attach, resize, detach, destroy: each comes to its end, and nothing is there twice or left."""
    disk = ground.volumes[0]
    before = landscape.objects()
    server, attachment = ground.resource("Server"), ground.resource("VolumeAttachment")
    trial, small = Trial(fault, wire), ground.server_inputs
    try:
        trial.up(server, "POST servers", **small)
        alone = landscape.objects() - before
        assert len(alone) == 2, "the server and its port"
        trial.up(attachment, "POST os-volume_attachments", server_id=server.id, volume_id=disk)
        actions = [f"POST {name}" for name in ("os-stop", "resize", "confirmResize", "os-start")]
        trial.up(server, *actions, **{**small, "flavor": landscape.medium})
        trial.destroy(attachment, "DELETE os-volume_attachments")
        trial.destroy(server, "DELETE servers")
    finally:
        wire.expect()
        attachment.destroy()
        server.destroy()
    assert landscape.objects() == before


def test_a_server_in_error_is_helped_by_what_its_failure_says(ground: CloudFixtures, landscape: Landscape) -> None:
    """A resize that the hypervisor refuses ends in ERROR; a hard reboot brings it out, and the next `up` resizes it."""
    server, small = ground.resource("Server"), {**ground.server_inputs, "name": "peer-fail-resize"}
    large = {**small, "flavor": landscape.medium}
    try:
        server.up(**small)
        first, again = failed(lambda: server.up(**large)), failed(lambda: server.up(**large))
        assert f"server {server.id} is in ERROR: " in str(first)
        assert "A hard reboot (`openstack server reboot --hard`)" in str(again)
        assert server.outputs["flavor"] == landscape.small
        ground.cloud.compute.reboot_server(server.id, "HARD")
        ground.rested(server.id, "ACTIVE")
        server.up(**{**large, "name": "fine"})
        assert server.preview(**{**large, "name": "fine"}) == steps.SAME
    finally:
        server.destroy()


def test_a_volume_that_the_hypervisor_refuses_is_not_in_the_state(ground: CloudFixtures) -> None:
    """The failure tells what Nova recorded, nothing of it is left, and the next `up` attaches the volume."""
    disk, said = ground.make("Volume", size=1).id, {**ground.server_inputs, "name": "peer-fail-attach"}
    server, attachment = ground.resource("Server"), ground.resource("VolumeAttachment")
    try:
        server.up(**said)
        both = {"server_id": server.id, "volume_id": disk}
        failure = failed(lambda: attachment.up(**both))
        assert "did not take the volume (available): attach_volume failed" in str(failure)
        assert attachment.state is None
        server.up(**{**said, "name": "fine"})
        attachment.up(**both)
    finally:
        attachment.destroy()
        server.destroy()
