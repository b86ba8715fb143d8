"""A bastion with a floating IP, and private servers that accept SSH from the bastion only.

The private servers reach the outside through the router; nothing outside reaches them.
"""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
flavor = config.get("flavor") or "s3.medium.2"
image = config.get("image") or "Standard_Debian_12_latest"
user = config.get("user") or "debian"
external = config.get("externalNetwork") or "admin_external_net"
SSH: ecs.SecurityGroupRuleArgs = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22}

network = ecs.Network("private")
subnet = ecs.Subnet("private", network_id=network.id, cidr="10.0.10.0/24")
# The default is the cloud's: on OpenStack, servers without a floating IP reach the outside. Open Telekom Cloud requires
# `snat: true`, once the interface exists.
router = ecs.Router("private", external_network=external, enable_snat=config.get_bool("snat"))
ecs.RouterInterface("private", router_id=router.id, subnet_id=subnet.id)

outside = ecs.SecurityGroup(
    "bastion",
    rules=[{**SSH, "remote_ip_prefix": config.get("allowed") or "0.0.0.0/0"}, {"direction": "egress"}],
)
inside = ecs.SecurityGroup("private", rules=[{**SSH, "remote_group_id": outside.id}, {"direction": "egress"}])
key = ecs.KeyPair("key")


def server(name: str, group: ecs.SecurityGroup) -> ecs.Port:
    """Create a server in the private network, and return its port."""
    port = ecs.Port(name, network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}], security_group_ids=[group.id])
    ecs.Server(
        name,
        flavor=flavor,
        image=image,
        key_name=key.name,
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
    )
    return port


bastion = ecs.FloatingIp("bastion", external_network=external, port_id=server("bastion", outside).id)
ports = {name: server(name, inside) for name in (f"app-{number}" for number in range(config.get_int("servers") or 2))}

hop = pulumi.Output.concat("ssh -i key ", user, "@", bastion.address)
pulumi.export("private_key", key.private_key)
pulumi.export("bastion", hop)
for name, port in ports.items():
    # `ssh -J` would not use the key for the bastion.
    proxied = pulumi.Output.format("ssh -i key -o ProxyCommand='{} -W %h:%p' {}@{}", hop, user, port.ip_address)
    pulumi.export(name, proxied)
