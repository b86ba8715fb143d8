"""A sample of the fault matrix that runs on any cloud, between the provider and an independent API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import clients
from tests.faults.trial import check_error_message
from tests.faults.wire import FAULTS, Fault, Request, Wire
from tests.fields.cloud_fixtures import CloudFixtures
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.landscape import Landscape

SPEED = 200
SAMPLE = ("dropped-before", "dropped-after", "409", "truncated", "502")
THOROUGH = ("dropped-before", "409", "truncated")
"""With these faults the cloud does the same as without a fault, or as with one of the others."""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud in which a server can boot from its image, as in the real one."""
    with Emulator(dialect="openstack", speed=SPEED) as running:
        yield running


@pytest.fixture
def fixtures(landscape: Landscape) -> Iterator[CloudFixtures]:
    """The shared objects in this cloud."""
    with CloudFixtures(landscape) as created:
        yield created


@pytest.fixture
def wire(fixtures: CloudFixtures) -> Iterator[Wire]:
    """The wire that sends the requests of the resources of `fixtures`."""
    assert fixtures.network  # opens the connection
    session = clients.connection(fixtures.config.get).transport.http
    adapter, wire = session.get_adapter("http://"), Wire()
    for scheme in ("http://", "https://"):
        session.mount(scheme, wire)
    yield wire
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)


def error_of(act: Callable[[], object]) -> str | None:
    """Return the error message of the operation; None if it succeeds."""
    try:
        act()
    except steps.Failed as failure:
        return str(failure)
    return None


class Trial:
    """Runs operations with one fault at each selected request, or at the first GET after it.

    A selected request is written as `POST resize`: its method, and a part of its path or its action.
    """

    def __init__(self, fault: Fault, wire: Wire) -> None:
        self._fault = fault
        self._wire = wire

    def up(self, resource: steps.Resource, *selected: str, **inputs: Any) -> None:
        """Apply these inputs, with a second `up` if the first one fails; afterwards a preview shows no changes."""
        self._run(resource, lambda: resource.up(**inputs), selected)
        assert resource.preview(**inputs) == steps.SAME

    def destroy(self, resource: steps.Resource, *selected: str) -> None:
        """Destroy the resource, with a second destroy if the first one fails."""
        self._run(resource, resource.destroy, selected)

    def _run(self, resource: steps.Resource, act: Callable[[], object], selected: Sequence[str]) -> None:
        remaining, armed = list(selected), False

        def hit(request: Request, _: int) -> bool:
            nonlocal armed
            is_first_get = armed and request.method == "GET"
            match = next((each for each in remaining if _is(request, *each.split())), None)
            if match:
                remaining.remove(match)
            armed = match is not None or (armed and not is_first_get)
            return is_first_get if self._fault.name == "502" else match is not None

        self._wire.inject(self._fault, hit)
        failure = error_of(act)
        assert self._wire.fault_count
        self._wire.inject()
        if failure is None:
            assert not remaining
        else:
            assert not list(check_error_message(failure, resource, self._fault.messages))
            act()


def _is(request: Request, method: str, word: str) -> bool:
    return request.method == method and word in (*request.kind.split("/"), request.action)


def _sample() -> Iterator[Any]:
    for fault in FAULTS:
        if fault.name in SAMPLE:
            yield pytest.param(fault, id=fault.name, marks=[pytest.mark.thorough] if fault.name in THOROUGH else [])


@pytest.mark.parametrize("fault", list(_sample()))
def test_server_lifecycle_with_faults(fault: Fault, fixtures: CloudFixtures, wire: Wire, landscape: Landscape) -> None:
    """Create, attach, resize, detach and destroy converge, and leave neither duplicates nor orphans."""
    disk = fixtures.volumes[0]
    before = landscape.objects()
    server, attachment = fixtures.resource("Server"), fixtures.resource("VolumeAttachment")
    trial, small = Trial(fault, wire), fixtures.server_inputs
    try:
        trial.up(server, "POST servers", **small)
        created = landscape.objects() - before
        assert len(created) == 2, "expected one server and one port"
        trial.up(attachment, "POST os-volume_attachments", server_id=server.id, volume_id=disk)
        actions = [f"POST {name}" for name in ("os-stop", "resize", "confirmResize", "os-start")]
        trial.up(server, *actions, **{**small, "flavor": landscape.medium})
        trial.destroy(attachment, "DELETE os-volume_attachments")
        trial.destroy(server, "DELETE servers")
    finally:
        wire.inject()
        attachment.destroy()
        server.destroy()
    assert landscape.objects() == before


def test_server_in_error_recovers_after_recommended_reboot(fixtures: CloudFixtures, landscape: Landscape) -> None:
    """A resize that the hypervisor rejects ends in ERROR; after a hard reboot the next `up` resizes the server."""
    server, small = fixtures.resource("Server"), {**fixtures.server_inputs, "name": "peer-fail-resize"}
    large = {**small, "flavor": landscape.medium}
    try:
        server.up(**small)
        first, second = error_of(lambda: server.up(**large)), error_of(lambda: server.up(**large))
        assert f"server {server.id} is in ERROR: " in str(first)
        assert "A hard reboot (`openstack server reboot --hard`)" in str(second)
        assert server.outputs["flavor"] == landscape.small
        fixtures.cloud.compute.reboot_server(server.id, "HARD")
        fixtures.wait_until_stable(server.id, "ACTIVE")
        server.up(**{**large, "name": "fine"})
        assert server.preview(**{**large, "name": "fine"}) == steps.SAME
    finally:
        server.destroy()


def test_failed_volume_attachment_is_not_in_the_state(fixtures: CloudFixtures) -> None:
    """The error has the reason of Nova, the state has no attachment, and the next `up` attaches the volume."""
    disk, inputs = fixtures.make("Volume", size=1).id, {**fixtures.server_inputs, "name": "peer-fail-attach"}
    server, attachment = fixtures.resource("Server"), fixtures.resource("VolumeAttachment")
    try:
        server.up(**inputs)
        both = {"server_id": server.id, "volume_id": disk}
        failure = error_of(lambda: attachment.up(**both))
        assert "failed to attach the volume (available): attach_volume failed" in str(failure)
        assert attachment.state is None
        server.up(**{**inputs, "name": "fine"})
        attachment.up(**both)
    finally:
        attachment.destroy()
        server.destroy()
