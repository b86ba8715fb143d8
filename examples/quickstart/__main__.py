"""A server with a data disk, which a router and a floating IP connect to the outside, and which accepts only SSH."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
flavor = config.get("flavor") or "s3.medium.2"
image = config.get("image") or "Standard_Debian_12_latest"
volume_type = config.get("volumeType") or "SSD"
external = config.get("externalNetwork") or "admin_external_net"
user = config.get("user") or "debian"

network = ecs.Network("network")
subnet = ecs.Subnet("subnet", network_id=network.id, cidr="192.168.10.0/24")
router = ecs.Router("router", external_network=external)
ecs.RouterInterface("router", router_id=router.id, subnet_id=subnet.id)

ssh = ecs.SecurityGroup(
    "ssh",
    rules=[{"direction": "ingress", "protocol": "tcp", "port_range_min": 22}, {"direction": "egress"}],
)
port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}], security_group_ids=[ssh.id])

key = ecs.KeyPair("key")
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
floating_ip = ecs.FloatingIp("address", external_network=external, port_id=port.id)

data = ecs.Volume("data", size=20, volume_type=volume_type)
ecs.VolumeAttachment("data", server_id=server.id, volume_id=data.id)

pulumi.export("server", server.id)
pulumi.export("status", server.status)
pulumi.export("private_key", key.private_key)
pulumi.export("ssh", pulumi.Output.concat("ssh -i key ", user, "@", floating_ip.address))
