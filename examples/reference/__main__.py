"""Every kind in its typical use. The pages of docs/reference show parts of this program."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
flavor = config.get("flavor") or "s3.medium.2"
image = config.get("image") or "Standard_Debian_12_latest"
volume_type = config.get("volumeType") or "SSD"

generated = ecs.KeyPair("generated")
imported = ecs.KeyPair(
    "imported",
    public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUGyshFLP8Zuyv7TqYSnGO0Jd0KkF8Qx7eGOFDXQ me@example.org",
)

network = ecs.Network("app", description="Where the application lives", tags=["app"])

subnet = ecs.Subnet(
    "app",
    network_id=network.id,
    cidr="10.0.10.0/24",
    gateway_ip="10.0.10.1",
    allocation_pools=[{"start": "10.0.10.100", "end": "10.0.10.200"}],
    dns_nameservers=["8.8.8.8", "8.8.4.4"],
)

group = ecs.SecurityGroup(
    "app",
    rules=[
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 443},
        {"direction": "ingress", "remote_group_id": "self"},
        {"direction": "egress"},
    ],
)
database = ecs.SecurityGroup("database")
rule = ecs.SecurityGroupRule(
    "database",
    security_group_id=database.id,
    direction="ingress",
    protocol="tcp",
    port_range_min=5432,
    remote_group_id=group.id,
)

port = ecs.Port(
    "front",
    network_id=network.id,
    fixed_ips=[{"subnet_id": subnet.id, "ip_address": "10.0.10.10"}],
    security_group_ids=[group.id],
)
back = ecs.Port("back", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])

anti_affinity = ecs.ServerGroup("web", policy="anti-affinity")

router = ecs.Router("app", external_network=config.get("externalNetwork") or "admin_external_net")

router_interface = ecs.RouterInterface("app", router_id=router.id, subnet_id=subnet.id)

route = ecs.RouterRoute("office", router_id=router.id, destination="192.168.10.0/24", nexthop="10.0.10.10")

# It waits for the router between the port's subnet and the external network.
floating_ip = ecs.FloatingIp(
    "front", external_network=config.get("externalNetwork") or "admin_external_net", port_id=port.id
)

reserved = ecs.FloatingIp("back", external_network=config.get("externalNetwork") or "admin_external_net")
association = ecs.FloatingIpAssociation("back", floating_ip_id=reserved.id, port_id=back.id)

server = ecs.Server(
    "web",
    flavor=flavor,  # a change resizes: stop, resize, confirm, start
    image=image,
    key_name=generated.name,
    # On Open Telekom Cloud, this port is deleted with its server.
    networks=[{"port_id": port.id}],
    block_devices=[
        {
            "source_type": "image",
            "destination_type": "volume",
            "boot_index": 0,
            "volume_size": 10,
            "volume_type": volume_type,
            "delete_on_termination": True,
        }
    ],
    metadata={"role": "web"},
    scheduler_hints={"group": anti_affinity.id},
    user_data="#cloud-config\npackages: [nginx]\n",
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="45m")),
)

volume = ecs.Volume("data", size=20, volume_type=volume_type, metadata={"backup": "daily"})

attachment = ecs.VolumeAttachment("data", server_id=server.id, volume_id=volume.id)

interface = ecs.InterfaceAttachment("back", server_id=server.id, port_id=back.id)

pulumi.export("address", port.ip_address)
pulumi.export("second_address", back.ip_address)
pulumi.export("private_key", generated.private_key)
pulumi.export("device", attachment.device)
