"""What a create of an attachment leaves in the state, and which ports it finds from an interrupted run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic import rpc_bridge, state
from ecs_pulumi.dynamic.state import StackState
from ecs_pulumi.resources import floating_ip_association, interface_attachment
from ecs_pulumi.resources.floating_ip_association import FloatingIpAssociationInputs
from ecs_pulumi.resources.interface_attachment import InterfaceAttachmentInputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.resources.clients import Context


@pytest.fixture
def context() -> Context:
    """An operation that records the id of its resource."""
    created = SimpleNamespace(id="", cloud=None, project="story", stack="test")
    created.record_id = lambda id_: setattr(created, "id", id_)
    created.clear_id = lambda: setattr(created, "id", "")
    return cast("Context", created)


@pytest.mark.parametrize(
    ("place", "marker", "found"),
    [
        ({"network_id": "n"}, "marker", ["s/free", "s/unset", "s/attached"]),
        ({"network_id": "n"}, "", []),
        ({"port_id": "p"}, "marker", []),
    ],
)
def test_ports_of_an_interrupted_attachment(
    context: Context, monkeypatch: pytest.MonkeyPatch, place: dict[str, str], marker: str, found: list[str]
) -> None:
    """They have the owner marker of the NIC, and are free or attached to its server.

    A given port is never one, nor is a port in the state, whose NIC is being replaced.
    """
    ports = [
        {"id": "free", "device_id": ""},
        {"id": "unset"},
        {"id": "attached", "device_id": "s"},
        {"id": "of-another-server", "device_id": "t"},
        {"id": "in-the-state", "device_id": ""},
    ]

    def read(*names: str) -> StackState:
        assert names == ("story", "test")
        return StackState([{"id": "gone/in-the-state"}, {"id": "free-too"}, {}])

    def with_marker(_context: object, kind: str, searched: str, _is_own: object) -> list[dict[str, str]]:
        assert (kind, searched) == ("port", "marker")
        return ports

    monkeypatch.setattr(interface_attachment, "nic_marker", lambda _: marker)
    monkeypatch.setattr(interface_attachment, "with_marker", with_marker)
    monkeypatch.setattr(state, "read", read)
    desired = InterfaceAttachmentInputs(server_id="s", **place)
    orphans = interface_attachment.HANDLER.find_own_orphans(context, desired)
    assert orphans == [(id_, None) for id_ in found]


@pytest.mark.parametrize("marker", ["marker", ""])
@pytest.mark.parametrize("place", [{"network_id": "n"}, {"port_id": "p"}])
def test_attachment_has_the_desired_inputs(
    context: Context, monkeypatch: pytest.MonkeyPatch, place: dict[str, str], marker: str
) -> None:
    """With an owner marker the provider creates the port in the network, without one Nova does."""
    sent: list[Any] = []

    def while_active(_context: object, server_id: str, do: Callable[[], object]) -> object:
        assert server_id == "s"
        return do()

    def create(_context: object, *arguments: Any, marker: str) -> dict[str, str]:
        sent.append(("create", *arguments, marker))
        return {"id": "created"}

    def attach(_context: object, server_id: str, **arguments: Any) -> dict[str, str]:
        sent.append((server_id, arguments))
        return {"id": "attached"}

    monkeypatch.setattr(interface_attachment, "while_active", while_active)
    monkeypatch.setattr(interface_attachment, "nic_marker", lambda _: marker)
    monkeypatch.setattr(interface_attachment, "create_and_attach_port", create)
    monkeypatch.setattr(interface_attachment, "attach", attach)
    fixed_ips = [{"ip_address": "10.0.0.5"}]
    desired = InterfaceAttachmentInputs.model_validate({"server_id": "s", "tag": "t", "fixed_ips": fixed_ips, **place})
    interface_attachment.HANDLER.create(context, desired)
    if marker and "network_id" in place:
        assert (sent, context.id) == ([("create", "s", "n", ["10.0.0.5"], "t", "marker")], "s/created")
    else:
        arguments = {"port_id": None, "network_id": None, **place, "addresses": ["10.0.0.5"], "tag": "t"}
        assert (sent, context.id) == ([("s", arguments)], "s/attached")


@pytest.mark.parametrize(
    ("found", "id_"),
    [
        ({"id": "f", "port_id": "p"}, "f"),
        ({"id": "f", "port_id": "q"}, ""),
        ({"id": "f", "port_id": None}, ""),
        (None, ""),
        (errors.Forbidden(403, "not allowed"), "f"),
    ],
)
def test_failed_association_is_in_the_state_if_it_may_exist(
    context: Context, monkeypatch: pytest.MonkeyPatch, found: Any, id_: str
) -> None:
    """The floating IP shows whether it has the port; if that cannot be read, the association may exist."""

    def fail(*_: object) -> None:
        raise errors.WaitTimeout("a router", "none", 600)

    def find(*_: object) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(floating_ip_association, "associate", fail)
    monkeypatch.setattr(floating_ip_association, "_find", find)
    with pytest.raises(errors.WaitTimeout):
        floating_ip_association.HANDLER.create(context, FloatingIpAssociationInputs(floating_ip_id="f", port_id="p"))
    assert context.id == id_


def test_association_sends_port_and_address(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address has the API's name; without one the cloud chooses it."""
    sent: list[object] = []
    monkeypatch.setattr(floating_ip_association, "associate", lambda _, id_, body: sent.append((id_, body)))
    for fixed_ip in ("10.0.0.5", None):
        desired = FloatingIpAssociationInputs(floating_ip_id="f", port_id="p", fixed_ip=fixed_ip)
        floating_ip_association.HANDLER.create(context, desired)
    assert sent == [("f", {"port_id": "p", "fixed_ip_address": "10.0.0.5"}), ("f", {"port_id": "p"})]


@pytest.mark.parametrize(
    ("old_inputs", "marker", "port", "deleted"),
    [
        # A port that was created for the NIC goes with it, also if a read does not show it.
        ({"network_id": "n"}, "marker", None, True),
        ({"network_id": "n"}, "marker", {"id": "p", "device_id": ""}, True),
        ({"network_id": "n"}, "marker", {"id": "p", "device_id": "s"}, True),
        ({"network_id": "n"}, "marker", {"id": "p", "device_id": "another"}, False),
        # Without a marker, Nova created the port and deletes it.
        ({"network_id": "n"}, "", None, False),
        # A port of the program stays, also if a read does not show it.
        ({"port_id": "p"}, "marker", None, False),
        ({"port_id": "p"}, "marker", {"id": "p", "device_id": "", "is_mine": True}, False),
        (None, "marker", None, False),
    ],
)
def test_port_after_the_detach_of_its_nic(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    old_inputs: dict[str, str] | None,
    marker: str,
    port: dict[str, Any] | None,
    *,
    deleted: bool,
) -> None:
    """Only a port that was created for the NIC is deleted; the detach keeps any other one."""
    detached, gone = list[Any](), list[str]()

    def detach(_context: object, server_id: str, port_id: str, *, keep_port: bool) -> dict[str, Any] | None:
        detached.append((server_id, port_id, keep_port))
        return port

    request = rpc_bridge.RequestContext(old_inputs=old_inputs)
    monkeypatch.setattr(context, "cloud", SimpleNamespace(region=None))
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
    monkeypatch.setattr(interface_attachment, "detach", detach)
    monkeypatch.setattr(interface_attachment, "while_active", lambda _context, _server, call: call())
    monkeypatch.setattr(interface_attachment, "nic_marker", lambda _: marker)
    monkeypatch.setattr(interface_attachment, "is_for_a_nic", lambda _, found: "is_mine" not in found)
    monkeypatch.setattr(interface_attachment, "delete_port", lambda _, id_: gone.append(id_))
    interface_attachment.HANDLER.delete(context, "s/p", {})
    assert detached == [("s", "p", "network_id" not in (old_inputs or {}))]
    assert gone == (["p"] if deleted else [])
