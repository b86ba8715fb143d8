"""What the bridge to Pulumi's host does in any process: the response of a diff, and the end of the engine."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from pulumi.dynamic import DiffResult

from ecs_pulumi.dynamic import rpc_bridge


@pytest.mark.parametrize("deletes_first", [True, False, None])
def test_diff_names_the_changed_inputs(*, deletes_first: bool | None) -> None:
    """The host copies the result into its dictionary `fields`; no other variable of that name is touched."""
    result = rpc_bridge.difference(
        DiffResult(changes=True, replaces=["size"], delete_before_replace=deletes_first), ["size", "name"]
    )

    def respond(fields: Any) -> Any:
        assert result.delete_before_replace is deletes_first
        return fields

    assert respond({"changes": True}) == {"changes": True, "diffs": ["size", "name"]}
    assert respond({"other": 1}) == {"other": 1}
    assert respond(["changes"]) == ["changes"]
    assert (result.changes, result.replaces) == (True, ["size"])
    assert result.delete_before_replace is deletes_first


def test_engine_listens_until_its_port_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is tried again after a pause, because the engine may only be busy."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert rpc_bridge.is_listening(address)
    assert pauses == []
    assert rpc_bridge.is_listening(address) is False
    assert (len(pauses), pauses[0] > 0, pauses[-1]) == (2, True, 0.0)


def test_engine_that_does_not_answer_in_time_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a refused connection shows that nobody listens."""
    attempts: list[Any] = []

    def connect(address: tuple[str, int], timeout: float) -> None:
        attempts.append((address, timeout > 0))
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", connect)
    assert rpc_bridge.is_listening("localhost:1234") is True
    assert attempts == [(("localhost", 1234), True)]


def test_reason_of_a_repeated_operation_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of a failure is shown again a little later, unless the operation is repeated meanwhile."""
    shown: list[tuple[str, str]] = []
    monkeypatch.setattr(rpc_bridge, "_REPEAT_SECONDS", 0)
    monkeypatch.setattr(rpc_bridge, "log", lambda urn, reason, **_: shown.append((urn, reason)))
    rpc_bridge._show_reason("a", "stuck")
    rpc_bridge._repeats["a"].join()
    assert shown == [("a", "stuck")] * 2
    monkeypatch.setattr(rpc_bridge, "_REPEAT_SECONDS", 3600)
    rpc_bridge._show_reason("b", "stuck")
    repeat = rpc_bridge._repeats["b"]
    rpc_bridge.retract_reason("b")
    repeat.join()
    assert shown[2:] == [("b", "stuck")]
    rpc_bridge.retract_reason("b")
