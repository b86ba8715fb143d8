"""Web servers, each with a port and a disk. The setting `servers` is their number."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config("webshop")
flavor = ecs.get_flavor(config.get("flavor") or "s3.medium.2")
image = ecs.get_image(config.get("image") or "Standard_Debian_12_latest")

network = ecs.Network("web")
subnet = ecs.Subnet("web", network_id=network.id, cidr="192.168.20.0/24")
group = ecs.SecurityGroup(
    "web",
    rules=[
        {
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": 443,
            "port_range_max": 443,
            "remote_ip_prefix": "0.0.0.0/0",
        }
    ],
)

servers = []
for number in range(config.get_int("servers") or 1):
    port = ecs.Port(
        f"web-{number}",
        network_id=network.id,
        fixed_ips=[{"subnet_id": subnet.id}],
        security_group_ids=[group.id],
    )
    server = ecs.Server(
        f"web-{number}",
        flavor=flavor.id,
        image=image.id,
        metadata={"role": "web"},
        networks=[{"port_id": port.id}],
        block_devices=[
            {
                "source_type": "image",
                "destination_type": "volume",
                "volume_size": max(10, image.min_disk),
                "boot_index": 0,
                "delete_on_termination": True,
            }
        ],
    )
    servers.append(server)
