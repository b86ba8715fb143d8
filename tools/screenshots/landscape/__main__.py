"""A shop in two networks: web servers in both, a database with a data disk, and an unused volume.

A router connects both networks to the outside. Floating IPs lead to the shared address of the web servers and to the
database.
"""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
DISK: ecs.ServerBlockDeviceArgs = {
    "source_type": "image",
    "destination_type": "volume",
    "volume_size": 10,
    "boot_index": 0,
    "delete_on_termination": True,
}

nets, subnets = {}, {}
for name, cidr in (("frontend", "192.168.10.0/24"), ("backend", "10.20.0.0/24")):
    nets[name] = ecs.Network(name, name=name)
    subnets[name] = ecs.Subnet(name, network_id=nets[name].id, cidr=cidr)

router = ecs.Router("edge", name="edge", external_network="admin_external_net")
for name, subnet in subnets.items():
    ecs.RouterInterface(name, router_id=router.id, subnet_id=subnet.id)

key = ecs.KeyPair("deploy", name="deploy")
vip = ecs.Port("vip", name="vip", network_id=nets["frontend"].id, fixed_ips=[{"subnet_id": subnets["frontend"].id}])
ecs.FloatingIp("vip", external_network="admin_external_net", port_id=vip.id)
ecs.Volume("backup", name="backup", size=100, volume_type="SAS")

for number in range(1, config.require_int("web") + 1):
    ports = [
        ecs.Port(f"web-{number}-{name}", network_id=nets[name].id, fixed_ips=[{"subnet_id": subnets[name].id}])
        for name in nets
    ]
    ecs.Server(
        f"web-{number}",
        name=f"web-{number}",
        flavor="s3.medium.2",
        image="Standard_Debian_12_latest",
        key_name=key.name,
        networks=[{"port_id": port.id} for port in ports],
        block_devices=[DISK],
    )

port = ecs.Port("db", network_id=nets["backend"].id, fixed_ips=[{"subnet_id": subnets["backend"].id}])
database = ecs.Server(
    "db",
    name="db",
    flavor=config.require("database"),
    image="Standard_Debian_12_latest",
    key_name=key.name,
    networks=[{"port_id": port.id}],
    block_devices=[DISK],
)
ecs.FloatingIp("db", external_network="admin_external_net", port_id=port.id)
data = ecs.Volume("data", name="data", size=50, volume_type="SSD")
ecs.VolumeAttachment("data", server_id=database.id, volume_id=data.id)
