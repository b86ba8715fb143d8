"""Servers in one network. The first one can have another flavor."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
flavor = config.require("flavor")

network = ecs.Network("network", name="bench")
subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.89.0.0/16")
for number in range(config.require_int("servers")):
    ecs.Server(
        f"server{number}",
        flavor=(config.get("first") or flavor) if number == 0 else flavor,
        image=config.require("image"),
        networks=[{"network_id": network.id}],
        opts=pulumi.ResourceOptions(depends_on=[subnet]),
    )
