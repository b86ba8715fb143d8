"""Unit tests of what the program declares. They need no cloud and no Pulumi command, and take milliseconds."""

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

FOUND: dict[str, dict[str, Any]] = {
    "ecs:index:getFlavor": {"id": "s3.medium.2"},
    "ecs:index:getImage": {"id": "debian", "min_disk": 20},
}
"""What the lookups of the program find."""


class Mocks(pulumi.runtime.Mocks):
    """An engine that creates nothing, and a cloud with one flavor and one image."""

    def __init__(self) -> None:
        self.declared: list[pulumi.runtime.MockResourceArgs] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return the id and the outputs of a resource."""
        self.declared.append(args)
        return args.resource_id or f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        """Return what a lookup finds."""
        return FOUND[args.token], []


InputsOf = Callable[[str], dict[str, dict[Any, Any]]]


@pytest.fixture(scope="module")
def inputs_of() -> InputsOf:
    """Run the program, and return a function for the inputs of its resources of a kind, by their names."""
    mocks = Mocks()
    asyncio.set_event_loop(asyncio.new_event_loop())  # Pulumi requires one, and another test may have closed it
    pulumi.runtime.set_mocks(mocks, project="webshop")
    pulumi.runtime.set_config("webshop:servers", "2")

    @pulumi.runtime.test
    def run() -> None:
        importlib.import_module("webshop")

    run()
    return lambda kind: {each.name: each.inputs for each in mocks.declared if each.typ.endswith(f":{kind}")}


def test_each_server_has_a_port_and_a_large_enough_disk(inputs_of: InputsOf) -> None:
    """The flavor and the image are those that the lookups found."""
    servers = inputs_of("Server")
    assert servers.keys() == {"web-0", "web-1"}
    for name, server in servers.items():
        assert server["networks"] == [{"port_id": f"{name}-id"}]
        assert (server["flavor"], server["image"]) == ("s3.medium.2", "debian")
        assert server["block_devices"][0]["volume_size"] == FOUND["ecs:index:getImage"]["min_disk"]


def test_only_https_is_public(inputs_of: InputsOf) -> None:
    """A rule of the company: no other port is open to everyone."""
    rules = [rule for group in inputs_of("SecurityGroup").values() for rule in group.get("rules", [])]
    rules += inputs_of("SecurityGroupRule").values()
    ingress = [rule for rule in rules if rule["direction"] == "ingress" and "remote_group_id" not in rule]
    public = [rule for rule in ingress if rule.get("remote_ip_prefix", "0.0.0.0/0").endswith("/0")]
    assert [(rule.get("port_range_min"), rule.get("port_range_max")) for rule in public] == [(443, 443)]
