"""A server that the pipeline manages."""

import pulumi

import ecs_pulumi as ecs

network = ecs.Network("shop")
subnet = ecs.Subnet("shop", network_id=network.id, cidr="192.168.30.0/24")
port = ecs.Port("shop", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
server = ecs.Server(
    "shop",
    flavor=pulumi.Config().require("flavor"),
    image="Standard_Debian_12_latest",
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

pulumi.export("address", port.ip_address)
