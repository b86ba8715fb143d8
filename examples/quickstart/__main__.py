"""A server with a key pair, network, port and data disk."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
flavor = config.get("flavor") or "s3.medium.2"
image = config.get("image") or "Standard_Debian_12_latest"
volume_type = config.get("volumeType") or "SSD"

key = ecs.KeyPair("key")
network = ecs.Network("network")
subnet = ecs.Subnet("subnet", network_id=network.id, cidr="192.168.10.0/24")
port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])

server = ecs.Server(
    "web",
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

data = ecs.Volume("data", size=20, volume_type=volume_type)
ecs.VolumeAttachment("data", server_id=server.id, volume_id=data.id)

pulumi.export("server", server.id)
pulumi.export("address", port.ip_address)
pulumi.export("status", server.status)
