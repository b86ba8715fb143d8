"""Units: each is a server booted from an image with its port, a second port as a NIC, a volume and its attachment."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()

key = ecs.KeyPair("key")
network = ecs.Network("network", name="bench")
subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.89.0.0/20")
for number in range(config.require_int("units")):
    port = ecs.Port(f"port{number}", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    nic = ecs.Port(f"nic{number}", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    server = ecs.Server(
        f"server{number}",
        flavor=config.require("flavor"),
        image=config.require("image"),
        key_name=key.name,
        networks=[{"port_id": port.id}],
    )
    ecs.InterfaceAttachment(f"nic{number}", server_id=server.id, port_id=nic.id)
    volume = ecs.Volume(f"volume{number}", size=1)
    ecs.VolumeAttachment(f"volume{number}", server_id=server.id, volume_id=volume.id)
