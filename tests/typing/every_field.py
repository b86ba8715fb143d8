# mypy: disallow-any-expr
# pyright: strict
"""A program that uses every public name and every form of type. It is type-checked, never run."""

from __future__ import annotations

import pulumi
from typing_extensions import assert_type

import ecs_pulumi as ecs
from ecs_pulumi import (
    PortAllowedAddressPair,
    PortAllowedAddressPairArgs,
    PortAssignedIp,
    PortDnsAssignment,
    PortExtraDhcpOption,
    PortExtraDhcpOptionArgs,
    PortFixedIp,
    PortFixedIpArgs,
    RouterExternalFixedIp,
    RouterExternalFixedIpArgs,
    RouterStaticRoute,
    SecurityGroupAssignedRule,
    SecurityGroupInlineRule,
    SecurityGroupRuleArgs,
    ServerAddress,
    ServerAttachedVolume,
    ServerBlockDevice,
    ServerBlockDeviceArgs,
    ServerNetwork,
    ServerNetworkArgs,
    ServerNic,
    ServerPersonality,
    ServerPersonalityArgs,
    SubnetAllocationPool,
    SubnetAllocationPoolArgs,
    SubnetHostRoute,
    SubnetHostRouteArgs,
    VolumeAttachedServer,
)

config = pulumi.Config()
secret: pulumi.Output[str] = config.require_secret("password")

# --- networks ---------------------------------------------------------------------------------------------------

network = ecs.Network(
    "net",
    tags=["a", secret],
    availability_zone_hints=["nova"],
    value_specs={"vlan_transparent": True},
    opts=pulumi.ResourceOptions(protect=True),
)

pool: SubnetAllocationPoolArgs = {"start": "10.0.10.2", "end": secret}
route: SubnetHostRouteArgs = {"destination": "0.0.0.0/0", "nexthop": "10.0.10.1"}
subnet = ecs.Subnet(
    "sub",
    network_id=network.id,
    dns_nameservers=["8.8.8.8", secret],
    allocation_pools=[pool, {"start": "10.0.10.2", "end": "10.0.10.254"}],
    host_routes=[route, {"destination": "0.0.0.0/0", "nexthop": secret}],
    service_types=["network:floatingip"],
    opts=pulumi.ResourceOptions(parent=network),
)
inline: SecurityGroupRuleArgs = {"direction": "ingress", "protocol": secret, "port_range_min": 22}
group = ecs.SecurityGroup(
    "group", rules=[inline, {"direction": "egress", "ethertype": "IPv6", "remote_group_id": "self"}], stateful=True
)
assert_type(group.rules, pulumi.Output[list[SecurityGroupInlineRule]])
assert_type(group.all_rules, pulumi.Output[list[SecurityGroupAssignedRule]])
rule = ecs.SecurityGroupRule(
    "rule", security_group_id=group.id, direction="egress", protocol="udp", port_range_min=53, remote_group_id=group.id
)
assert_type(rule.protocol, pulumi.Output[str | None])
assert_type(ecs.get_security_group("default"), ecs.SecurityGroupInfo)
assert_type(ecs.get_security_group_output(id=group.id), pulumi.Output[ecs.SecurityGroupInfo])
assert_type(subnet.allocation_pools, pulumi.Output[list[SubnetAllocationPool]])
assert_type(subnet.host_routes, pulumi.Output[list[SubnetHostRoute]])

fixed_ip: PortFixedIpArgs = {"subnet_id": subnet.id}
pair: PortAllowedAddressPairArgs = {"ip_address": "10.0.10.9"}
option: PortExtraDhcpOptionArgs = {"name": "mtu", "value": "1400"}
port = ecs.Port(
    "port",
    network_id=network.id,
    fixed_ips=[fixed_ip, {"subnet_id": subnet.id, "ip_address": "10.0.10.7"}],
    security_group_ids=[secret],
    allowed_address_pairs=[pair, {"ip_address": secret, "mac_address": "fa:16:3e:00:00:01"}],
    extra_dhcp_options=[option, {"name": "mtu", "value": secret, "ip_version": 6}],
    binding_profile={"trusted": True},
    tags=["a"],
    opts=None,
)
assert_type(port.fixed_ips, pulumi.Output[list[PortFixedIp]])
assert_type(port.allowed_address_pairs, pulumi.Output[list[PortAllowedAddressPair]])
assert_type(port.extra_dhcp_options, pulumi.Output[list[PortExtraDhcpOption]])
assert_type(port.all_fixed_ips, pulumi.Output[list[PortAssignedIp]])
assert_type(port.dns_assignment, pulumi.Output[list[PortDnsAssignment] | None])
assert_type(port.all_fixed_ips.apply(lambda addresses: addresses[0]["ip_address"]), pulumi.Output[str])

# --- disks ------------------------------------------------------------------------------------------------------

volume = ecs.Volume(
    "vol",
    size=40,
    metadata={"a": secret},
    scheduler_hints={"different_host": ["51f45e08-1d4f-44c6-a4a9-84a488e0e8d3"]},
    opts=None,
)
assert_type(volume.attachments, pulumi.Output[list[VolumeAttachedServer]])

# --- servers ----------------------------------------------------------------------------------------------------

floating_ip = ecs.FloatingIp(
    "front", external_network=network.name, subnet_ids=["a", secret], port_id=port.id, fixed_ip=secret, tags=["a"]
)
assert_type(floating_ip.address, pulumi.Output[str])
assert_type(floating_ip.port_id, pulumi.Output[str])
association = ecs.FloatingIpAssociation("back", floating_ip_id=floating_ip.id, port_id=port.id)
assert_type(association.fixed_ip, pulumi.Output[str])

gateway_address: RouterExternalFixedIpArgs = {"subnet_id": secret}
router = ecs.Router(
    "edge",
    external_network=network.name,
    external_fixed_ips=[gateway_address, {"ip_address": "203.0.113.9"}],
    enable_snat=True,
    availability_zone_hints=["nova", secret],
    tags=["a"],
)
assert_type(router.external_fixed_ips, pulumi.Output[list[RouterExternalFixedIp]])
assert_type(router.routes, pulumi.Output[list[RouterStaticRoute]])
assert_type(router.external_network_id, pulumi.Output[str | None])
router_interface = ecs.RouterInterface("inside", router_id=router.id, subnet_id=subnet.id)
assert_type(router_interface.ip_address, pulumi.Output[str | None])
static_route = ecs.RouterRoute("vpn", router_id=router.id, destination="10.8.0.0/16", nexthop=secret)
assert_type(static_route.destination, pulumi.Output[str])

key_pair = ecs.KeyPair(
    "key",
    opts=None,
)

server_group = ecs.ServerGroup(
    "group", name="group", policy="anti-affinity", max_server_per_host=2, region=None, adopt=None, opts=None
)
assert_type(server_group.members, pulumi.Output[list[str]])

nic: ServerNetworkArgs = {"port_id": port.id, "tag": "front"}
disk: ServerBlockDeviceArgs = {"source_type": "blank", "destination_type": "volume", "volume_size": 10}
file: ServerPersonalityArgs = {"path": "/etc/motd", "contents": "hello"}
server = ecs.Server(
    "web",
    flavor="s3.small.1",
    image="debian",
    name="web",
    description="",
    metadata={"role": "web", "zone": secret},
    tags=["a"],
    security_groups=["default"],
    admin_pass=secret,
    power_state="active",
    networks=[nic, {"network_id": network.id, "fixed_ip": "10.0.10.8"}],
    block_devices=[
        disk,
        {
            "source_type": "image",
            "uuid": "11e8f727-d439-4ed1-b3b8-33f46c0379c4",
            "destination_type": "volume",
            "boot_index": 0,
            "volume_size": 40,
            "volume_type": "SATA",
            "delete_on_termination": True,
            "device_name": "/dev/vda",
            "device_type": "disk",
            "disk_bus": "virtio",
            "guest_format": "ext4",
            "tag": "root",
        },
    ],
    key_name=key_pair.name,
    availability_zone="eu-de-01",
    user_data="#cloud-config",
    config_drive=True,
    personality=[file, {"path": "/etc/issue", "contents": secret}],
    scheduler_hints={"group": "web", "different_host": ["89c312bb-285a-4026-a237-d441908c2f9e"]},
    disk_config="AUTO",
    image_policy="rebuild",
    stop_before_resize=True,
    stop_before_delete=True,
    force_delete=False,
    region="eu-de",
    cloud="backup",
    adopt="89c312bb-285a-4026-a237-d441908c2f9e",
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="45m")),
)
automatic = ecs.Server("auto", flavor=secret, image=secret, networks="auto")
isolated = ecs.Server("none", flavor="s3.small.1", image="debian", networks="none", block_devices=[])
assert_type(server.flavor, pulumi.Output[str])
assert_type(server.image, pulumi.Output[str | None])
assert_type(server.metadata, pulumi.Output[dict[str, str]])
assert_type(server.tags, pulumi.Output[list[str] | None])
assert_type(server.security_groups, pulumi.Output[list[str]])
assert_type(server.networks, pulumi.Output[str | list[ServerNetwork] | None])
assert_type(server.block_devices, pulumi.Output[list[ServerBlockDevice] | None])
assert_type(server.config_drive, pulumi.Output[bool])
assert_type(server.personality, pulumi.Output[list[ServerPersonality] | None])
assert_type(server.scheduler_hints, pulumi.Output[dict[str, object] | None])
assert_type(server.addresses, pulumi.Output[dict[str, list[ServerAddress]]])
assert_type(server.nics, pulumi.Output[list[ServerNic]])
assert_type(server.volumes_attached, pulumi.Output[list[ServerAttachedVolume]])
assert_type(server.locked, pulumi.Output[bool | None])
first: pulumi.Output[str] = server.addresses.apply(lambda by_network: by_network["net"][0]["addr"])

attachment = ecs.VolumeAttachment(
    "att",
    server_id=server.id,
    volume_id=volume.id,
    opts=None,
)

interface = ecs.InterfaceAttachment(
    "nic",
    server_id=server.id,
    port_id=port.id,
    network_id=network.id,
    fixed_ips=[{"ip_address": "10.0.10.9"}],
    opts=None,
)
assert_type(interface.fixed_ips, pulumi.Output[list[PortAssignedIp]])

# --- get --------------------------------------------------------------------------------------------------------

assert_type(ecs.Server.get("old", server.id, region="eu-de", cloud="backup", opts=None), ecs.Server)
assert_type(ecs.KeyPair.get("old", "demo2").fingerprint, pulumi.Output[str])

# --- lookups ----------------------------------------------------------------------------------------------------

try:
    flavor = ecs.get_flavor(
        "s3.small.1", id=None, min_vcpus=2, min_ram=2048, min_disk=10, region="eu-de", cloud="backup"
    )
except ecs.NoMatch as none:
    assert_type(none.candidates, list[str])
    raise
except ecs.NotUnique as several:
    raise ecs.LookupFailed(str(several)) from several
assert_type(flavor, ecs.FlavorInfo)
assert_type(flavor.extra_specs, dict[str, str] | None)
assert_type(
    ecs.list_flavors(min_vcpus=1, min_ram=1, min_disk=1, is_public=True, sort_key="vcpus", sort_dir="asc", region=None),
    list[ecs.FlavorInfo],
)
image = ecs.get_image(
    "debian", id=None, name_regex="^deb", most_recent=True, visibility="public", properties={"a": "b"}, region=None
)
assert_type(image, ecs.ImageInfo)
assert_type(image.properties, dict[str, str])
assert_type(
    ecs.list_images(name="a", name_regex="a", visibility="all", properties={}, status="active", region=None),
    list[ecs.ImageInfo],
)
assert_type(ecs.get_network("net", id=None, tags=["a"], region=None), ecs.NetworkInfo)
assert_type(ecs.list_networks(tags=["a"], region=None), list[ecs.NetworkInfo])
assert_type(
    ecs.get_subnet("sub", id=None, cidr="10.0.0.0/24", network_id="", tags=[], region=None).allocation_pools,
    list[ecs.PoolInfo],
)
found = ecs.get_port(
    "port", id=None, network_id="", ip_address="10.0.0.1", mac_address="", device_id="", tags=[], region=None
)
assert_type(found, ecs.PortInfo)
assert_type(found.ip_address, str | None)
assert_type(ecs.get_key_pair("key", region=None), ecs.KeyPairInfo)
assert_type(ecs.get_server_group("group", id=None, region=None).members, list[str])
assert_type(ecs.get_floating_ip("203.0.113.5", id=None, region=None).port_id, str | None)
assert_type(ecs.get_router("edge", id=None, tags=["a"], region=None).external_network_id, str | None)
assert_type(ecs.get_volume("vol", id=None, metadata={"a": "b"}, region=None).attachments, list[ecs.VolumeServerInfo])
assert_type(ecs.get_server("web", id=None, region=None).addresses, dict[str, list[ecs.AddressInfo]])
assert_type(
    ecs.list_servers(
        changes_since="2018-11-08T00:00:00Z",
        image="",
        flavor="",
        name="web",
        status="ACTIVE",
        limit=10,
        marker="",
        not_tags=["a"],
        reservation_id="",
        all_tenants=False,
        region=None,
    ),
    list[ecs.ServerInfo],
)
assert_type(ecs.get_availability_zones("volume", region=None), list[ecs.AvailabilityZone])
assert_type(ecs.get_api_versions(region=None, cloud=None), list[ecs.ApiVersion])

assert_type(ecs.get_flavor_output(server.flavor, min_ram=volume.size), pulumi.Output[ecs.FlavorInfo])
assert_type(ecs.list_flavors_output(min_ram=volume.size), pulumi.Output[list[ecs.FlavorInfo]])
assert_type(ecs.get_image_output(id=server.image_id, properties={"a": secret}), pulumi.Output[ecs.ImageInfo])
assert_type(ecs.list_images_output(name=volume.image_name), pulumi.Output[list[ecs.ImageInfo]])
assert_type(ecs.get_network_output(network.name, tags=[secret]), pulumi.Output[ecs.NetworkInfo])
assert_type(ecs.list_networks_output(tags=network.tags), pulumi.Output[list[ecs.NetworkInfo]])
assert_type(ecs.get_subnet_output(network_id=network.id, cidr=subnet.cidr), pulumi.Output[ecs.SubnetInfo])
assert_type(ecs.get_port_output(device_id=server.id, ip_address=secret), pulumi.Output[ecs.PortInfo])
assert_type(ecs.get_floating_ip_output(floating_ip.address), pulumi.Output[ecs.FloatingIpInfo])
assert_type(ecs.get_router_output(router.name, tags=[secret]), pulumi.Output[ecs.RouterInfo])
assert_type(ecs.get_key_pair_output(key_pair.name), pulumi.Output[ecs.KeyPairInfo])
assert_type(ecs.get_server_group_output(id=group.id), pulumi.Output[ecs.ServerGroupInfo])
assert_type(ecs.get_volume_output(volume.name, metadata={"a": secret}), pulumi.Output[ecs.VolumeInfo])
assert_type(ecs.get_server_output(id=server.id, region=server.region), pulumi.Output[ecs.ServerInfo])
assert_type(ecs.list_servers_output(not_tags=server.tags), pulumi.Output[list[ecs.ServerInfo]])
assert_type(ecs.get_availability_zones_output("network"), pulumi.Output[list[ecs.AvailabilityZone]])
assert_type(ecs.get_api_versions_output(region=server.region), pulumi.Output[list[ecs.ApiVersion]])
gateway: pulumi.Output[str | None] = ecs.get_subnet_output(id=subnet.id).apply(lambda found: found.gateway_ip)

pulumi.export("address", server.access_ip_v4)
pulumi.export("gateway", gateway)
pulumi.export("first", first)
