"""Detection that the current run also deletes another resource."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import run, state
from ecs_pulumi.dynamic.state import StackState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "urn:pulumi:test::story::pulumi-python:dynamic/ecs:"
NIC, SERVER = f"{PREFIX}InterfaceAttachment::nic", f"{PREFIX}Server::web"


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that destroys a stack with a server and its NIC."""
    set_arguments(monkeypatch, ["destroy", "--yes", "-s", "test"])
    set_state(monkeypatch)
    monkeypatch.setattr(run, "_compared", set())
    monkeypatch.setattr(run, "_replaced", set())
    monkeypatch.setattr(run, "_checked_as_new", set())
    monkeypatch.setattr(run, "_created", set())
    monkeypatch.setattr(run, "_refreshed", set())


def set_arguments(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Set the arguments with which the engine was started."""
    monkeypatch.setattr(run, "engine", lambda: (1, arguments))


def set_state(monkeypatch: pytest.MonkeyPatch, *, is_pending: bool = False, **server: Any) -> None:
    """Set a state with the NIC and the server.

    Args:
        monkeypatch: The fixture.
        is_pending: Whether the NIC is pending deletion.
        server: Resource options of the server.
    """
    kind = "pulumi-python:dynamic/ecs"
    resources = [
        {"urn": NIC, "type": f"{kind}:InterfaceAttachment", "id": "s/p", "delete": is_pending},
        {"urn": SERVER, "type": f"{kind}:Server", "id": "s", **server},
    ]
    monkeypatch.setattr(state, "read", lambda *stack: StackState(resources if stack == ("story", "test") else ()))


def deletes_server() -> bool:
    """Return whether the run is certain to delete the server after the NIC."""
    return run.also_deletes(NIC, "Server", "s")


def test_destroy_deletes_all_resources() -> None:
    """A destroy of the whole stack deletes all resources in the state, and no others."""
    assert deletes_server()
    assert not run.also_deletes(NIC, "Server", "other")


@pytest.mark.parametrize(
    "argument", ["--target=urn", "--target", "-t", "-yturn", "-x", "--exclude", "--exclude-protected"]
)
def test_not_certain_if_run_excludes_resources(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    """A run with `--target` or `--exclude` may not include the server."""
    set_arguments(monkeypatch, ["destroy", argument, "urn"])
    assert not deletes_server()


def test_object_that_the_run_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as deleted from the begin of its delete on, unless that fails."""
    monkeypatch.setattr(run, "_deleting", set())

    def fail() -> None:
        with run.deleting("Server", "s"):
            assert run.is_deleting("Server", "s")
            raise TimeoutError

    with pytest.raises(TimeoutError):
        fail()
    assert not run.is_deleting("Server", "s")
    with run.deleting("Server", "s"):
        pass
    assert run.is_deleting("Server", "s")
    assert not run.is_deleting("Port", "s")
    run.created("Server", "s")
    assert not run.is_deleting("Server", "s")


def test_not_certain_if_engine_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the engine's process is not found, its arguments are not known."""
    set_arguments(monkeypatch, [])
    assert not deletes_server()


@pytest.mark.parametrize("option", ["retainOnDelete", "protect"])
def test_server_with_retain_or_protect_is_not_deleted(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """A server with `retain_on_delete` or `protect` stays in the cloud."""
    set_state(monkeypatch, **{option: True})
    assert not deletes_server()


def test_compared_server_is_only_deleted_if_replaced() -> None:
    """A run that has compared the server keeps it, unless it replaces the server."""
    run.compared(SERVER)
    assert not deletes_server()
    run.compared(SERVER, replaced=True)
    assert deletes_server()
    run.compared(NIC)
    assert deletes_server()


def test_forced_replacement() -> None:
    """A resource of the state that is checked without prior inputs, as with `--replace`, is replaced."""
    run.compared(SERVER)
    assert not run.replaces(NIC, "Server", "s")
    run.compared(SERVER, is_new=True)
    assert run.replaces(NIC, "Server", "s")


def test_replacement_according_to_the_diff(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource whose diff demands a replacement is replaced; without any, or outside of a stack, none is."""
    reads: list[object] = []

    def resources(urn: str) -> Sequence[Mapping[str, Any]]:
        reads.append(urn)
        return state.read("story", "test").resources

    monkeypatch.setattr(run, "_resources", resources)
    run.compared(SERVER)
    assert not run.replaces(NIC, "Server", "s")
    assert reads == []  # which takes time
    run.compared(SERVER, replaced=True)
    assert run.replaces(NIC, "Server", "s")
    assert not run.replaces("", "Server", "s")
    assert not run.replaces(NIC, "Server", "other")
    assert reads == [NIC, NIC]


def test_new_resource_is_not_replaced() -> None:
    """A resource that the run has created is in the state as well, and is not replaced."""
    run.compared(SERVER, is_new=True)
    run.created("Server", "s")
    assert not run.replaces(NIC, "Server", "s")


def test_refreshed_resource_is_not_compared() -> None:
    """The diff that ends the refresh of a resource, as in `destroy --refresh`, is no sign of a program."""
    run.refreshed(SERVER)
    assert run.ends_refresh(SERVER)
    assert deletes_server()
    assert not run.ends_refresh(SERVER)
    run.refreshed(SERVER)
    run.compared(SERVER)
    assert not run.ends_refresh(SERVER)


def test_not_certain_if_nic_is_replaced() -> None:
    """The replacement of the NIC needs what the NIC holds before the old server is deleted."""
    run.compared(SERVER, replaced=True)
    run.compared(NIC, replaced=True)
    assert not deletes_server()


def test_not_certain_if_only_nic_was_compared() -> None:
    """A compared NIC may be deleted while the program runs, before the server is compared."""
    run.compared(NIC)
    assert not deletes_server()


def test_not_certain_if_nic_is_pending_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A NIC that is pending deletion from an earlier run may be deleted before the program starts."""
    set_state(monkeypatch, is_pending=True)
    assert not deletes_server()
    set_state(monkeypatch, delete=True)
    assert deletes_server()


def test_failed_create_is_found_while_others_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A create can ask for the object of an earlier one while creates of other resources fail."""
    monkeypatch.setattr(run, "_failed", type(run._failed)())
    run.create_failed(NIC, "1")

    def fail() -> None:
        for count in range(10_000):
            run.create_failed(f"{SERVER}-{count}", "2")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    others = threading.Thread(target=fail)
    others.start()
    try:
        found = {run.failed_create(NIC)}
        while others.is_alive():
            found.add(run.failed_create(NIC))
    finally:
        others.join()
        sys.setswitchinterval(interval)
    assert found == {"1"}
    run.failed_create_deleted(NIC)
    assert run.failed_create(NIC) is None
