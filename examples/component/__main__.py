"""Two servers of the same component, each reachable at an address of its own."""

import pulumi
from reachable import ReachableServer

import ecs_pulumi as ecs

config = pulumi.Config()
key = ecs.KeyPair("key")
for number, name in enumerate(("blue", "green")):
    reachable = ReachableServer(
        name,
        {
            "flavor": config.get("flavor") or "s3.medium.2",
            "image": config.get("image") or "Standard_Debian_12_latest",
            "external_network": config.get("externalNetwork") or "admin_external_net",
            "cidr": f"192.168.{number}.0/24",
            "key_name": key.name,
            "allowed": config.get("allowed") or "198.51.100.0/24",
        },
    )
    pulumi.export(name, reachable.address)
pulumi.export("private_key", key.private_key)
