"""The networks of an environment, one in each of its regions."""

import pulumi

import ecs_pulumi as ecs

networks = {}
for region, cidr in pulumi.Config().require_object("cidrs").items():
    network = ecs.Network(f"shop-{region}", region=region)
    subnet = ecs.Subnet(f"shop-{region}", network_id=network.id, cidr=cidr, region=region)
    # This output depends on the subnet, so that the network has addresses when another stack uses it.
    networks[region] = subnet.network_id

pulumi.export("networks", networks)
