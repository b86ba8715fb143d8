"""The outputs of a resource in the preview of an update: those that it cannot change have their prior values."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.output import UNKNOWN

import ecs_pulumi as ecs

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORKS = [{"network_id": "a"}]
NICS = [{"port_id": "p"}]
STATE = {
    "web": {
        "region": "eu-de",
        "networks": NETWORKS,
        "nics": NICS,
        "flavor": "small",
        "flavor_id": "1",
        "availability_zone": "az1",
        "status": "ACTIVE",
    },
    "net": {"mtu": 1450.0},
}


class Monitor:
    """The monitor of a program."""


async def is_and_value(output: pulumi.Output[Any]) -> tuple[bool, Any]:
    """Whether the output is known, and its value."""
    return await output.is_known(), await output.future()


def in_preview(
    monkeypatch: pytest.MonkeyPatch,
    response: Mapping[str, Any],
    *,
    kind: Any = ecs.Server,
    reads: list[str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Declare a resource in a preview, and return its known outputs.

    Args:
        monkeypatch: Replaces the engine.
        response: What the engine returns for the resource: the new inputs if it is updated.
        kind: The class of the resource.
        reads: Receives an item for each time that the state is read.
        options: Options of the resource.
    """

    async def invoke(token: str, arguments: Mapping[str, Any]) -> Any:
        if token == "pulumi:pulumi:getResource":
            known = {each: value for each, value in response.items() if "UNKNOWN" not in repr(value)}
            return {"urn": arguments["urn"], "id": "an-id", "state": known}
        assert token == "pulumi:pulumi:readStackResourceOutputs"
        if reads is not None:
            reads.append(arguments["stackName"])
        return {"outputs": {urn: {"type": "any", "outputs": outputs} for urn, outputs in STATE.items()}}

    def register(self: Any, _type: str, name: str, properties: Mapping[str, Any], _opts: Any) -> None:
        for each in (*properties, "id", "urn"):
            value = {"id": "an-id", "urn": name, **response}.get(each)
            future, known = asyncio.Future[Any](), asyncio.Future[bool]()
            future.set_result(value)
            known.set_result(value is not None and value is not UNKNOWN)
            self.__dict__[each] = pulumi.Output({self}, future, known)

    async def program() -> dict[str, Any]:
        monitor = Monitor()
        monkeypatch.setattr(pulumi.runtime.settings, "get_monitor", lambda: monitor)
        name = "net" if kind is ecs.Network else "web"
        inputs = {each: value for each, value in response.items() if each not in (*kind._outputs, "id")}
        resource = kind(name, **inputs, opts=pulumi.ResourceOptions(**options))
        found = {each: await is_and_value(getattr(resource, each)) for each in kind._properties}
        assert await resource.region.resources() == {resource}
        return {each: value for each, (known, value) in found.items() if known}

    monkeypatch.setattr(pulumi.CustomResource, "__init__", register)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setattr(pulumi.runtime, "invoke_async", invoke)
    return asyncio.run(program())


def test_update_keeps_outputs_of_unchanged_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs are known unless an input changes on which they depend; unset inputs do not change."""
    reads: list[str] = []
    new = {"flavor": "large", "networks": NETWORKS}
    kept = {"region": "eu-de", "nics": NICS}
    assert in_preview(monkeypatch, new, reads=reads) == new | kept
    assert len(reads) == 1
    assert in_preview(monkeypatch, {"flavor": "small"}) == {"flavor": "small", "flavor_id": "1", **kept} | {
        "availability_zone": "az1"
    }
    assert in_preview(monkeypatch, {}, kind=ecs.Network) == {"mtu": 1450}


@pytest.mark.parametrize("networks", ["auto", UNKNOWN, [{"network_id": UNKNOWN}], []])
def test_update_of_networks_changes_nics(monkeypatch: pytest.MonkeyPatch, networks: Any) -> None:
    """The NICs are unknown if `networks` changes or contains an unknown value."""
    assert "nics" not in in_preview(monkeypatch, {"networks": networks})


def test_unknown_input_stays_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that the program sets to an unknown value does not have its prior value."""
    assert "availability_zone" not in in_preview(monkeypatch, {"flavor": "small", "availability_zone": UNKNOWN})


def test_secret_output_stays_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview does not show the prior value of an output that the program declares as secret."""
    assert "nics" not in in_preview(monkeypatch, {}, additional_secret_outputs=["nics"])


@pytest.mark.parametrize("response", [{"id": None}, {"status": "ACTIVE", "flavor": "small"}])
def test_other_operations_do_not_read_the_state(monkeypatch: pytest.MonkeyPatch, response: Mapping[str, Any]) -> None:
    """A resource that will be created or replaced has no outputs yet; one that does not change has all of them."""
    reads: list[str] = []
    assert in_preview(monkeypatch, response, reads=reads) == {
        name: value for name, value in response.items() if name != "id"
    }
    assert reads == []


def test_unreadable_state_leaves_outputs_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the engine does not return the state, the outputs are unknown, as without it."""
    monkeypatch.setattr(f"{__name__}.STATE", None)
    assert in_preview(monkeypatch, {"flavor": "small"}) == {"flavor": "small"}
