"""The dependencies that no reference expresses: the engine creates what a resource waits for before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pulumi

import ecs_pulumi as ecs

if TYPE_CHECKING:
    import pytest


class Monitor:
    """The monitor of a program."""


def test_resources_depend_on_those_that_they_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """They depend on those of the same program that are declared before them, besides those that the program names."""
    depends_on: dict[str, Any] = {}

    def register(_self: object, _type: str, name: str, _inputs: object, opts: pulumi.ResourceOptions) -> None:
        depends_on[name] = opts.depends_on or []

    monkeypatch.setattr(pulumi.CustomResource, "__init__", register)

    async def program() -> list[Any]:
        monitor = Monitor()
        monkeypatch.setattr(pulumi.runtime.settings, "get_monitor", lambda: monitor)
        subnet = ecs.Subnet("sub", network_id="a", cidr="10.0.0.0/24")
        first = ecs.RouterInterface("first", router_id="one", subnet_id="a")
        port = ecs.Port("port", network_id="a")
        ecs.FloatingIp("address", external_network="public", port_id="p")
        second = ecs.RouterInterface("second", router_id="two", subnet_id="b")
        options = pulumi.ResourceOptions(depends_on=[port])
        ecs.RouterRoute("vpn", router_id="one", destination="192.168.9.0/24", nexthop="10.0.0.9", opts=options)
        assert depends_on["port"] == [subnet]
        assert depends_on["address"] == [first]
        assert depends_on["vpn"] == [port, first, second]
        assert depends_on["first"] == depends_on["sub"] == []
        return [subnet, first, second]

    for _ in range(2):
        asyncio.run(program())
