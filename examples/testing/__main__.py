"""Web servers, each with a port and a disk. The setting `servers` is their number."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
count = config.get_int("servers") or 1

network = ecs.Network("web")
subnet = ecs.Subnet("web", network_id=network.id, cidr="192.168.20.0/24")

servers = []
for number in range(count):
    port = ecs.Port(f"web-{number}", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    server = ecs.Server(
        f"web-{number}",
        flavor=config.get("flavor") or "s3.medium.2",
        image="Standard_Debian_12_latest",
        metadata={"role": "web"},
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
    servers.append(server)

pulumi.export("addresses", [server.access_ip_v4 for server in servers])
