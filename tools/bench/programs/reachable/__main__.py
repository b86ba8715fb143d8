"""Servers that can be reached: each has a port with security groups and a floating IP; all are in a server group."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()

key = ecs.KeyPair("key")
network = ecs.Network("network", name="bench")
subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.89.0.0/20")
router = ecs.Router("router", external_network=config.get("external") or "public")
ecs.RouterInterface("interface", router_id=router.id, subnet_id=subnet.id)
web = ecs.SecurityGroup(
    "web",
    rules=[
        {"direction": "egress"},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 22},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 80},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 443},
    ],
)
admin = ecs.SecurityGroup("admin")
ecs.SecurityGroupRule("admin", security_group_id=admin.id, direction="ingress", remote_group_id=web.id)
apart = ecs.ServerGroup("apart", policy="soft-anti-affinity")
for number in range(config.require_int("servers")):
    port = ecs.Port(
        f"port{number}",
        network_id=network.id,
        fixed_ips=[{"subnet_id": subnet.id}],
        security_group_ids=[web.id, admin.id],
    )
    ecs.Server(
        f"server{number}",
        flavor=config.require("flavor"),
        image=config.require("image"),
        key_name=key.name,
        networks=[{"port_id": port.id}],
        scheduler_hints={"group": apart.id},
    )
    ecs.FloatingIp(f"address{number}", external_network=config.get("external") or "public", port_id=port.id)
