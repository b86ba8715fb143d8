"""When a delete may count on another delete of the same run."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_pulumi.dynamic import run, state
from ecs_pulumi.dynamic.state import StackState

PREFIX = "urn:pulumi:test::story::pulumi-python:dynamic/ecs:"
NIC, SERVER = f"{PREFIX}InterfaceAttachment::nic", f"{PREFIX}Server::web"


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that destroys a whole stack with a server and its NIC."""
    it_runs(monkeypatch, ["destroy", "--yes", "-s", "test"])
    state_has(monkeypatch)
    monkeypatch.setattr(run, "_compared", set())
    monkeypatch.setattr(run, "_replaced", set())


def it_runs(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """The engine was started with these arguments."""
    monkeypatch.setattr(run, "engine", lambda: (1, arguments))


def state_has(monkeypatch: pytest.MonkeyPatch, *, is_pending: bool = False, **server: Any) -> None:
    """The state has the NIC and the server, with these options of theirs."""
    kind = "pulumi-python:dynamic/ecs"
    listed = [
        {"urn": NIC, "type": f"{kind}:InterfaceAttachment", "id": "s/p", "delete": is_pending},
        {"urn": SERVER, "type": f"{kind}:Server", "id": "s", **server},
    ]
    monkeypatch.setattr(state, "read", lambda *stack: StackState(listed if stack == ("story", "test") else ()))


def goes() -> bool:
    """Whether the delete of the NIC may count on that of the server."""
    return run.also_deletes(NIC, "Server", "s")


def test_a_destroy_deletes_everything() -> None:
    """What the state has goes; what it does not have is somebody else's."""
    assert goes()
    assert not run.also_deletes(NIC, "Server", "other")


@pytest.mark.parametrize(
    "argument", ["--target=urn", "--target", "-t", "-yturn", "-x", "--exclude", "--exclude-protected"]
)
def test_a_run_of_a_part_of_the_stack_is_no_proof(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    """The server may be in the other part."""
    it_runs(monkeypatch, ["destroy", argument, "urn"])
    assert not goes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--parallel=1"], False),
        (["--parallel", "2"], False),
        (["-p", "1", "--yes"], False),
        (["-yp1"], False),
        (["--parallel", "8"], True),
        (["-p16"], True),
        (["--skip-preview", "-s", "my-app"], True),
        (["--parallel"], False),
    ],
)
def test_a_run_that_works_on_few_resources_at_a_time_is_no_proof(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], *, expected: bool
) -> None:
    """What needs the server gone may be deleted before it, and waits in vain."""
    it_runs(monkeypatch, ["destroy", *arguments])
    assert goes() is expected
    monkeypatch.setenv("PULUMI_PARALLEL", "1")
    assert not goes()


def test_an_engine_that_cannot_be_found_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what it runs."""
    it_runs(monkeypatch, [])
    assert not goes()


@pytest.mark.parametrize("option", ["retainOnDelete", "protect"])
def test_a_server_that_an_option_keeps_does_not_go(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """It leaves the state, or not even that."""
    state_has(monkeypatch, **{option: True})
    assert not goes()


def test_a_server_of_the_program_stays_unless_it_is_replaced() -> None:
    """A run that has compared it keeps it; one that replaces it deletes the former one."""
    run.compared(SERVER)
    assert not goes()
    run.compared(SERVER, replaced=True)
    assert goes()
    run.compared(NIC)
    assert goes()


def test_a_nic_that_is_replaced_is_needed_before_the_server_goes() -> None:
    """Its successor takes what it held, while the former server is still there."""
    run.compared(SERVER, replaced=True)
    run.compared(NIC, replaced=True)
    assert not goes()


def test_a_nic_that_was_compared_may_go_before_the_server_is() -> None:
    """It follows from what depends on it, while the program still runs."""
    run.compared(NIC)
    assert not goes()


def test_what_an_earlier_run_left_to_delete_may_go_before_the_program_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing has been compared that stays."""
    state_has(monkeypatch, is_pending=True)
    assert not goes()
    state_has(monkeypatch, delete=True)
    assert goes()
