"""Two web servers on different hosts share an address; a floating IP leads to the one that has it.

keepalived on the servers moves the address to the other one when a server fails. For the cloud, the address belongs to
a port without a server, and `allowed_address_pairs` lets both servers use it.
"""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
external = config.get("externalNetwork") or "admin_external_net"
SHARED = "10.0.20.10"
ADDRESSES = {"web-a": "10.0.20.11", "web-b": "10.0.20.12"}
USER_DATA = """\
#cloud-config
packages: [keepalived, nginx]
write_files:
  - path: /etc/keepalived/keepalived.conf
    content: |
      vrrp_instance web {{
          interface {interface}
          state BACKUP
          virtual_router_id 51
          priority {priority}
          unicast_src_ip {own}
          unicast_peer {{ {peer} }}
          virtual_ipaddress {{ {shared} }}
      }}
runcmd:
  - systemctl restart keepalived
"""

network = ecs.Network("web")
subnet = ecs.Subnet(
    "web",
    network_id=network.id,
    cidr="10.0.20.0/24",
    # The cloud gives no other port an address of this program.
    allocation_pools=[{"start": "10.0.20.100", "end": "10.0.20.200"}],
)
router = ecs.Router("web", external_network=external)
interface = ecs.RouterInterface("web", router_id=router.id, subnet_id=subnet.id)

group = ecs.SecurityGroup(
    "web",
    rules=[
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 80},
        {"direction": "ingress", "protocol": "vrrp", "remote_group_id": "self"},
        {"direction": "egress"},
    ],
)
shared = ecs.Port(
    "shared",
    network_id=network.id,
    fixed_ips=[{"subnet_id": subnet.id, "ip_address": SHARED}],
    security_group_ids=[group.id],
)
floating_ip = ecs.FloatingIp("web", external_network=external, port_id=shared.id)

hosts = ecs.ServerGroup("web", policy="anti-affinity")
for priority, (name, own) in enumerate(ADDRESSES.items(), start=100):
    port = ecs.Port(
        name,
        network_id=network.id,
        fixed_ips=[{"subnet_id": subnet.id, "ip_address": own}],
        security_group_ids=[group.id],
        allowed_address_pairs=[{"ip_address": SHARED}],
    )
    peer = next(address for address in ADDRESSES.values() if address != own)
    ecs.Server(
        name,
        flavor=config.get("flavor") or "s3.medium.2",
        image=config.get("image") or "Standard_Debian_12_latest",
        networks=[{"port_id": port.id}],
        scheduler_hints={"group": hosts.id},
        user_data=USER_DATA.format(
            interface=config.get("interface") or "ens3", priority=priority, own=own, peer=peer, shared=SHARED
        ),
        block_devices=[
            {
                "source_type": "image",
                "destination_type": "volume",
                "volume_size": 10,
                "boot_index": 0,
                "delete_on_termination": True,
            }
        ],
        # The provider cannot know that the server loads packages when it boots.
        opts=pulumi.ResourceOptions(depends_on=[interface]),
    )

pulumi.export("url", pulumi.Output.concat("http://", floating_ip.address, "/"))
