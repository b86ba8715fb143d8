"""Resources that a program declares without a dependency, and that the engine creates in order nevertheless."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pulumi

import ecs_pulumi as ecs

if TYPE_CHECKING:
    import pytest


def test_routes_depend_on_the_interfaces_of_their_router(monkeypatch: pytest.MonkeyPatch) -> None:
    """A route depends on the earlier interfaces of its router: as many waiting routes would block their interface."""
    depends_on: dict[str, Any] = {}

    def register(_self: object, _type: str, name: str, _inputs: object, opts: pulumi.ResourceOptions) -> None:
        depends_on[name] = opts.depends_on or []

    monkeypatch.setattr(pulumi.CustomResource, "__init__", register)

    async def program() -> None:
        first, second = (pulumi.Output.from_input(id_) for id_ in ("one", "two"))
        group = ecs.SecurityGroup("group")
        a = ecs.RouterInterface("a", router_id=first, subnet_id="a")
        b = ecs.RouterInterface("b", router_id=first, subnet_id="b")
        ecs.RouterInterface("c", router_id=second, subnet_id="c")
        ecs.RouterInterface("d", router_id="three", subnet_id="d")
        route: Any = {"destination": "192.168.9.0/24", "nexthop": "10.0.0.9"}
        options = pulumi.ResourceOptions(depends_on=[group])
        ecs.RouterRoute("vpn", router_id=first, **route, opts=options)
        ecs.RouterRoute("other", router_id="three", **route)
        assert depends_on["vpn"] == [group, a, b]
        assert depends_on["other"] == depends_on["a"] == []

    asyncio.run(program())
