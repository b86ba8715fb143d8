"""A component: a server with a network of its own, which a router and a floating IP connect to the outside."""

from __future__ import annotations

from typing import TypedDict

import pulumi
from typing_extensions import NotRequired

import ecs_pulumi as ecs


class ReachableServerArgs(TypedDict):
    """The arguments of a reachable server."""

    flavor: pulumi.Input[str]
    """Name or id of the flavor."""
    image: pulumi.Input[str]
    """Name or id of the image."""
    external_network: pulumi.Input[str]
    """Name or id of the network that the floating IP comes from."""
    cidr: pulumi.Input[str]
    """Range of addresses of the network."""
    key_name: NotRequired[pulumi.Input[str]]
    """Name of a key pair."""
    allowed: NotRequired[pulumi.Input[str]]
    """Range of addresses that may connect by SSH. Default: none."""


class ReachableServer(pulumi.ComponentResource):
    """A server with a network, a router, a security group, a port and a floating IP."""

    server: ecs.Server
    address: pulumi.Output[str]
    """The floating IP."""

    def __init__(self, name: str, args: ReachableServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Create the server and all that connects it."""
        super().__init__("shop:index:ReachableServer", name, dict(args), opts)
        child = pulumi.ResourceOptions(parent=self)
        network = ecs.Network(name, opts=child)
        subnet = ecs.Subnet(name, network_id=network.id, cidr=args["cidr"], opts=child)
        router = ecs.Router(name, external_network=args["external_network"], opts=child)
        ecs.RouterInterface(name, router_id=router.id, subnet_id=subnet.id, opts=child)
        rules: list[ecs.SecurityGroupRuleArgs] = [{"direction": "egress"}]
        if allowed := args.get("allowed"):
            ssh: ecs.SecurityGroupRuleArgs = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22}
            rules.append({**ssh, "remote_ip_prefix": allowed})
        group = ecs.SecurityGroup(name, rules=rules, opts=child)
        port = ecs.Port(
            name,
            network_id=network.id,
            fixed_ips=[{"subnet_id": subnet.id}],
            security_group_ids=[group.id],
            opts=child,
        )
        self.server = ecs.Server(
            name,
            flavor=args["flavor"],
            image=args["image"],
            key_name=args.get("key_name"),
            networks=[{"port_id": port.id}],
            block_devices=[
                {
                    "source_type": "image",
                    "destination_type": "volume",
                    "volume_size": 10,
                    "boot_index": 0,
                    "delete_on_termination": True,
                }
            ],
            opts=child,
        )
        floating_ip = ecs.FloatingIp(name, external_network=args["external_network"], port_id=port.id, opts=child)
        self.address = floating_ip.address
        self.register_outputs({"address": self.address})
