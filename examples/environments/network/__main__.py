"""The networks of an environment, one in each of its regions."""

import pulumi

import ecs_pulumi as ecs

networks = {}
for region, cidr in pulumi.Config().require_object("cidrs").items():
    network = ecs.Network(f"shop-{region}", region=region)
    subnet = ecs.Subnet(f"shop-{region}", network_id=network.id, cidr=cidr, region=region)
    # Whoever gets a network from here gets one that has addresses.
    networks[region] = subnet.network_id

pulumi.export("networks", networks)
