# mypy: disallow-any-expr
# pyright: strict
"""A program that uses every input and output of every kind, and every lookup. It is type-checked, never run."""

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
    name="net",
    description="",
    admin_state_up=True,
    shared=False,
    external=False,
    port_security_enabled=True,
    mtu=1450,
    dns_domain="example.org.",
    qos_policy_id="",
    tags=["a", secret],
    availability_zone_hints=["nova"],
    provider_network_type="vlan",
    provider_physical_network="physnet1",
    provider_segmentation_id=100,
    project_id="74610f3a5ad941998e91f076297ecf27",
    value_specs={"vlan_transparent": True},
    region="eu-de",
    adopt="c4a3019d-1ac0-4cfb-a838-2342eb992e6b",
    opts=pulumi.ResourceOptions(protect=True),
)
assert_type(network.id, pulumi.Output[str])
assert_type(network.name, pulumi.Output[str])
assert_type(network.description, pulumi.Output[str])
assert_type(network.admin_state_up, pulumi.Output[bool])
assert_type(network.shared, pulumi.Output[bool])
assert_type(network.external, pulumi.Output[bool])
assert_type(network.port_security_enabled, pulumi.Output[bool | None])
assert_type(network.mtu, pulumi.Output[int | None])
assert_type(network.dns_domain, pulumi.Output[str | None])
assert_type(network.qos_policy_id, pulumi.Output[str | None])
assert_type(network.tags, pulumi.Output[list[str]])
assert_type(network.availability_zone_hints, pulumi.Output[list[str]])
assert_type(network.provider_network_type, pulumi.Output[str | None])
assert_type(network.provider_physical_network, pulumi.Output[str | None])
assert_type(network.provider_segmentation_id, pulumi.Output[int | None])
assert_type(network.project_id, pulumi.Output[str])
assert_type(network.value_specs, pulumi.Output[dict[str, object] | None])
assert_type(network.region, pulumi.Output[str])
assert_type(network.adopt, pulumi.Output[str | None])
assert_type(network.status, pulumi.Output[str])
assert_type(network.subnet_ids, pulumi.Output[list[str]])
assert_type(network.created_at, pulumi.Output[str | None])
assert_type(network.updated_at, pulumi.Output[str | None])

pool: SubnetAllocationPoolArgs = {"start": "10.0.10.2", "end": secret}
route: SubnetHostRouteArgs = {"destination": "0.0.0.0/0", "nexthop": "10.0.10.1"}
subnet = ecs.Subnet(
    "sub",
    network_id=network.id,
    cidr="10.0.10.0/24",
    subnet_pool_id=secret,
    prefix_length=24,
    ip_version=4,
    name="sub",
    description="",
    gateway_ip="10.0.10.1",
    no_gateway=False,
    enable_dhcp=True,
    dns_nameservers=["8.8.8.8", secret],
    allocation_pools=[pool, {"start": "10.0.10.2", "end": "10.0.10.254"}],
    host_routes=[route, {"destination": "0.0.0.0/0", "nexthop": secret}],
    ipv6_address_mode="slaac",
    ipv6_ra_mode="slaac",
    service_types=["network:floatingip"],
    segment_id=secret,
    tags=[],
    project_id=secret,
    value_specs={},
    region="eu-de",
    adopt="877b5567-e8c6-4a0d-aabf-0f13da225fe5",
    opts=pulumi.ResourceOptions(parent=network),
)
assert_type(subnet.network_id, pulumi.Output[str])
assert_type(subnet.cidr, pulumi.Output[str])
assert_type(subnet.subnet_pool_id, pulumi.Output[str | None])
assert_type(subnet.prefix_length, pulumi.Output[int | None])
assert_type(subnet.ip_version, pulumi.Output[int])
assert_type(subnet.name, pulumi.Output[str])
assert_type(subnet.description, pulumi.Output[str])
assert_type(subnet.gateway_ip, pulumi.Output[str | None])
assert_type(subnet.no_gateway, pulumi.Output[bool])
assert_type(subnet.enable_dhcp, pulumi.Output[bool])
assert_type(subnet.dns_nameservers, pulumi.Output[list[str]])
assert_type(subnet.allocation_pools, pulumi.Output[list[SubnetAllocationPool]])
assert_type(subnet.host_routes, pulumi.Output[list[SubnetHostRoute]])
assert_type(subnet.ipv6_address_mode, pulumi.Output[str | None])
assert_type(subnet.ipv6_ra_mode, pulumi.Output[str | None])
assert_type(subnet.service_types, pulumi.Output[list[str]])
assert_type(subnet.segment_id, pulumi.Output[str | None])
assert_type(subnet.tags, pulumi.Output[list[str]])
assert_type(subnet.project_id, pulumi.Output[str])
assert_type(subnet.value_specs, pulumi.Output[dict[str, object] | None])
assert_type(subnet.region, pulumi.Output[str])
assert_type(subnet.adopt, pulumi.Output[str | None])
assert_type(subnet.created_at, pulumi.Output[str | None])
assert_type(subnet.updated_at, pulumi.Output[str | None])

fixed_ip: PortFixedIpArgs = {"subnet_id": subnet.id}
pair: PortAllowedAddressPairArgs = {"ip_address": "10.0.10.9"}
option: PortExtraDhcpOptionArgs = {"name": "mtu", "value": "1400"}
port = ecs.Port(
    "port",
    network_id=network.id,
    name="port",
    description="",
    admin_state_up=True,
    fixed_ips=[fixed_ip, {"subnet_id": subnet.id, "ip_address": "10.0.10.7"}],
    security_group_ids=[secret],
    allowed_address_pairs=[pair, {"ip_address": secret, "mac_address": "fa:16:3e:00:00:01"}],
    extra_dhcp_options=[option, {"name": "mtu", "value": secret, "ip_version": 6}],
    mac_address="fa:16:3e:db:91:f6",
    port_security_enabled=True,
    device_owner="compute:nova",
    dns_name="web",
    binding_host_id="node1",
    binding_profile={"trusted": True},
    binding_vnic_type="normal",
    qos_policy_id="",
    tags=["a"],
    project_id=secret,
    value_specs={},
    region="eu-de",
    adopt="7bf1c36f-e7f8-478a-be3d-674b486abbc4",
    opts=None,
)
assert_type(port.network_id, pulumi.Output[str])
assert_type(port.name, pulumi.Output[str])
assert_type(port.description, pulumi.Output[str])
assert_type(port.admin_state_up, pulumi.Output[bool])
assert_type(port.fixed_ips, pulumi.Output[list[PortFixedIp]])
assert_type(port.security_group_ids, pulumi.Output[list[str]])
assert_type(port.allowed_address_pairs, pulumi.Output[list[PortAllowedAddressPair]])
assert_type(port.extra_dhcp_options, pulumi.Output[list[PortExtraDhcpOption]])
assert_type(port.mac_address, pulumi.Output[str])
assert_type(port.port_security_enabled, pulumi.Output[bool | None])
assert_type(port.device_owner, pulumi.Output[str])
assert_type(port.dns_name, pulumi.Output[str | None])
assert_type(port.binding_host_id, pulumi.Output[str | None])
assert_type(port.binding_profile, pulumi.Output[dict[str, object] | None])
assert_type(port.binding_vnic_type, pulumi.Output[str])
assert_type(port.qos_policy_id, pulumi.Output[str | None])
assert_type(port.tags, pulumi.Output[list[str]])
assert_type(port.project_id, pulumi.Output[str])
assert_type(port.value_specs, pulumi.Output[dict[str, object] | None])
assert_type(port.region, pulumi.Output[str])
assert_type(port.adopt, pulumi.Output[str | None])
assert_type(port.status, pulumi.Output[str])
assert_type(port.all_fixed_ips, pulumi.Output[list[PortAssignedIp]])
assert_type(port.ip_address, pulumi.Output[str | None])
assert_type(port.device_id, pulumi.Output[str])
assert_type(port.dns_assignment, pulumi.Output[list[PortDnsAssignment] | None])
assert_type(port.all_fixed_ips.apply(lambda addresses: addresses[0]["ip_address"]), pulumi.Output[str])

# --- disks ------------------------------------------------------------------------------------------------------

volume = ecs.Volume(
    "vol",
    size=40,
    name="vol",
    description="",
    metadata={"a": secret},
    volume_type="SSD",
    retype_policy="never",
    availability_zone="eu-de-01",
    image="debian",
    snapshot_id=secret,
    source_volume_id=secret,
    backup_id=secret,
    multiattach=False,
    scheduler_hints={"different_host": ["51f45e08-1d4f-44c6-a4a9-84a488e0e8d3"]},
    read_only=False,
    region="eu-de",
    adopt="51f45e08-1d4f-44c6-a4a9-84a488e0e8d3",
    opts=None,
)
assert_type(volume.size, pulumi.Output[int])
assert_type(volume.name, pulumi.Output[str])
assert_type(volume.description, pulumi.Output[str | None])
assert_type(volume.metadata, pulumi.Output[dict[str, str]])
assert_type(volume.volume_type, pulumi.Output[str])
assert_type(volume.retype_policy, pulumi.Output[str])
assert_type(volume.availability_zone, pulumi.Output[str])
assert_type(volume.image, pulumi.Output[str | None])
assert_type(volume.snapshot_id, pulumi.Output[str | None])
assert_type(volume.source_volume_id, pulumi.Output[str | None])
assert_type(volume.backup_id, pulumi.Output[str | None])
assert_type(volume.multiattach, pulumi.Output[bool])
assert_type(volume.scheduler_hints, pulumi.Output[dict[str, object] | None])
assert_type(volume.read_only, pulumi.Output[bool])
assert_type(volume.region, pulumi.Output[str])
assert_type(volume.adopt, pulumi.Output[str | None])
assert_type(volume.status, pulumi.Output[str])
assert_type(volume.bootable, pulumi.Output[bool])
assert_type(volume.encrypted, pulumi.Output[bool])
assert_type(volume.attachments, pulumi.Output[list[VolumeAttachedServer]])
assert_type(volume.created_at, pulumi.Output[str])
assert_type(volume.image_id, pulumi.Output[str | None])
assert_type(volume.image_name, pulumi.Output[str | None])
assert_type(volume.was_available, pulumi.Output[bool])

# --- servers ----------------------------------------------------------------------------------------------------

key_pair = ecs.KeyPair(
    "key",
    name="key",
    public_key="ssh-ed25519 AAAA",
    type="ssh",
    user_id="f79791beca3c48159ac2553fff22e166",
    region="eu-de",
    adopt="demo2",
    opts=None,
)
assert_type(key_pair.name, pulumi.Output[str])
assert_type(key_pair.public_key, pulumi.Output[str])
assert_type(key_pair.type, pulumi.Output[str | None])
assert_type(key_pair.user_id, pulumi.Output[str | None])
assert_type(key_pair.region, pulumi.Output[str])
assert_type(key_pair.adopt, pulumi.Output[str | None])
assert_type(key_pair.private_key, pulumi.Output[str | None])
assert_type(key_pair.fingerprint, pulumi.Output[str])

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
    adopt="89c312bb-285a-4026-a237-d441908c2f9e",
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="45m")),
)
automatic = ecs.Server("auto", flavor=secret, image=secret, networks="auto")
isolated = ecs.Server("none", flavor="s3.small.1", image="debian", networks="none", block_devices=[])
assert_type(server.flavor, pulumi.Output[str])
assert_type(server.image, pulumi.Output[str | None])
assert_type(server.name, pulumi.Output[str])
assert_type(server.description, pulumi.Output[str | None])
assert_type(server.metadata, pulumi.Output[dict[str, str]])
assert_type(server.tags, pulumi.Output[list[str] | None])
assert_type(server.security_groups, pulumi.Output[list[str]])
assert_type(server.admin_pass, pulumi.Output[str | None])
assert_type(server.power_state, pulumi.Output[str | None])
assert_type(server.networks, pulumi.Output[str | list[ServerNetwork] | None])
assert_type(server.block_devices, pulumi.Output[list[ServerBlockDevice] | None])
assert_type(server.key_name, pulumi.Output[str | None])
assert_type(server.availability_zone, pulumi.Output[str])
assert_type(server.user_data, pulumi.Output[str | None])
assert_type(server.config_drive, pulumi.Output[bool])
assert_type(server.personality, pulumi.Output[list[ServerPersonality] | None])
assert_type(server.scheduler_hints, pulumi.Output[dict[str, object] | None])
assert_type(server.disk_config, pulumi.Output[str])
assert_type(server.image_policy, pulumi.Output[str])
assert_type(server.stop_before_resize, pulumi.Output[bool])
assert_type(server.stop_before_delete, pulumi.Output[bool])
assert_type(server.force_delete, pulumi.Output[bool])
assert_type(server.region, pulumi.Output[str])
assert_type(server.adopt, pulumi.Output[str | None])
assert_type(server.status, pulumi.Output[str])
assert_type(server.vm_state, pulumi.Output[str])
assert_type(server.task_state, pulumi.Output[str | None])
assert_type(server.flavor_id, pulumi.Output[str])
assert_type(server.image_id, pulumi.Output[str | None])
assert_type(server.image_name, pulumi.Output[str | None])
assert_type(server.access_ip_v4, pulumi.Output[str | None])
assert_type(server.access_ip_v6, pulumi.Output[str | None])
assert_type(server.addresses, pulumi.Output[dict[str, list[ServerAddress]]])
assert_type(server.nics, pulumi.Output[list[ServerNic]])
assert_type(server.volumes_attached, pulumi.Output[list[ServerAttachedVolume]])
assert_type(server.host_id, pulumi.Output[str])
assert_type(server.instance_name, pulumi.Output[str | None])
assert_type(server.hostname, pulumi.Output[str | None])
assert_type(server.locked, pulumi.Output[bool | None])
assert_type(server.created, pulumi.Output[str])
assert_type(server.updated, pulumi.Output[str])
assert_type(server.launched_at, pulumi.Output[str | None])
assert_type(server.fault, pulumi.Output[str | None])
assert_type(server.pending_action, pulumi.Output[str | None])
first: pulumi.Output[str] = server.addresses.apply(lambda by_network: by_network["net"][0]["addr"])

attachment = ecs.VolumeAttachment(
    "att",
    server_id=server.id,
    volume_id=volume.id,
    device="/dev/vdb",
    tag="data",
    delete_on_termination=False,
    multiattach=False,
    region="eu-de",
    adopt="89c312bb-285a-4026-a237-d441908c2f9e/51f45e08-1d4f-44c6-a4a9-84a488e0e8d3",
    opts=None,
)
assert_type(attachment.server_id, pulumi.Output[str])
assert_type(attachment.volume_id, pulumi.Output[str])
assert_type(attachment.device, pulumi.Output[str])
assert_type(attachment.tag, pulumi.Output[str | None])
assert_type(attachment.delete_on_termination, pulumi.Output[bool | None])
assert_type(attachment.multiattach, pulumi.Output[bool | None])
assert_type(attachment.region, pulumi.Output[str])
assert_type(attachment.adopt, pulumi.Output[str | None])
assert_type(attachment.attachment_id, pulumi.Output[str | None])

interface = ecs.InterfaceAttachment(
    "nic",
    server_id=server.id,
    port_id=port.id,
    network_id=network.id,
    fixed_ips=[{"ip_address": "10.0.10.9"}],
    tag="back",
    region="eu-de",
    adopt="89c312bb-285a-4026-a237-d441908c2f9e/7bf1c36f-e7f8-478a-be3d-674b486abbc4",
    opts=None,
)
assert_type(interface.server_id, pulumi.Output[str])
assert_type(interface.port_id, pulumi.Output[str])
assert_type(interface.network_id, pulumi.Output[str])
assert_type(interface.fixed_ips, pulumi.Output[list[PortAssignedIp]])
assert_type(interface.tag, pulumi.Output[str | None])
assert_type(interface.region, pulumi.Output[str])
assert_type(interface.adopt, pulumi.Output[str | None])
assert_type(interface.mac_address, pulumi.Output[str])
assert_type(interface.port_state, pulumi.Output[str])

# --- get --------------------------------------------------------------------------------------------------------

assert_type(ecs.Server.get("old", server.id, region="eu-de", opts=None), ecs.Server)
assert_type(ecs.KeyPair.get("old", "demo2").fingerprint, pulumi.Output[str])

# --- lookups ----------------------------------------------------------------------------------------------------

try:
    flavor = ecs.get_flavor("s3.small.1", id=None, min_vcpus=2, min_ram=2048, min_disk=10, region="eu-de")
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
assert_type(ecs.get_api_versions(region=None), list[ecs.ApiVersion])

assert_type(ecs.get_flavor_output(server.flavor, min_ram=volume.size), pulumi.Output[ecs.FlavorInfo])
assert_type(ecs.list_flavors_output(min_ram=volume.size), pulumi.Output[list[ecs.FlavorInfo]])
assert_type(ecs.get_image_output(id=server.image_id, properties={"a": secret}), pulumi.Output[ecs.ImageInfo])
assert_type(ecs.list_images_output(name=volume.image_name), pulumi.Output[list[ecs.ImageInfo]])
assert_type(ecs.get_network_output(network.name, tags=[secret]), pulumi.Output[ecs.NetworkInfo])
assert_type(ecs.list_networks_output(tags=network.tags), pulumi.Output[list[ecs.NetworkInfo]])
assert_type(ecs.get_subnet_output(network_id=network.id, cidr=subnet.cidr), pulumi.Output[ecs.SubnetInfo])
assert_type(ecs.get_port_output(device_id=server.id, ip_address=secret), pulumi.Output[ecs.PortInfo])
assert_type(ecs.get_key_pair_output(key_pair.name), pulumi.Output[ecs.KeyPairInfo])
assert_type(ecs.get_volume_output(volume.name, metadata={"a": secret}), pulumi.Output[ecs.VolumeInfo])
assert_type(ecs.get_server_output(id=server.id, region=server.region), pulumi.Output[ecs.ServerInfo])
assert_type(ecs.list_servers_output(not_tags=server.tags), pulumi.Output[list[ecs.ServerInfo]])
assert_type(ecs.get_availability_zones_output("network"), pulumi.Output[list[ecs.AvailabilityZone]])
assert_type(ecs.get_api_versions_output(region=server.region), pulumi.Output[list[ecs.ApiVersion]])
gateway: pulumi.Output[str | None] = ecs.get_subnet_output(id=subnet.id).apply(lambda found: found.gateway_ip)

pulumi.export("address", server.access_ip_v4)
pulumi.export("gateway", gateway)
pulumi.export("first", first)
