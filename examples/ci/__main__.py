"""A server that the pipeline manages."""

import pulumi

import ecs_pulumi as ecs

network = ecs.Network("shop")
subnet = ecs.Subnet("shop", network_id=network.id, cidr="192.168.30.0/24")
server = ecs.Server(
    "shop",
    flavor=pulumi.Config().require("flavor"),
    image="Standard_Debian_12_latest",
    # Not a Port: Open Telekom Cloud deletes the port of the first NIC with the server, also in a replacement.
    networks=[{"network_id": network.id}],
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

pulumi.export("address", server.access_ip_v4)
