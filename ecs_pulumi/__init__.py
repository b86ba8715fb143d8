"""Pulumi resources for Elastic Cloud Servers on OpenStack-compatible clouds.

The modules of the public names are imported on first use. Thus a program that declares a server does not import the
lookups, and the emulator does not import Pulumi.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecs_pulumi.lookups.calls import LookupFailed, NoMatch, NotUnique
    from ecs_pulumi.lookups.flavors import get_flavor, get_flavor_output, list_flavors, list_flavors_output
    from ecs_pulumi.lookups.images import get_image, get_image_output, list_images, list_images_output
    from ecs_pulumi.lookups.key_pairs import get_key_pair, get_key_pair_output
    from ecs_pulumi.lookups.models import (
        AddressInfo,
        AddressPairInfo,
        ApiVersion,
        AttachedVolumeInfo,
        AvailabilityZone,
        DhcpOptionInfo,
        DnsAssignmentInfo,
        FixedIpInfo,
        FlavorInfo,
        ImageInfo,
        KeyPairInfo,
        Link,
        NetworkInfo,
        PoolInfo,
        PortInfo,
        RouteInfo,
        ServerInfo,
        SubnetInfo,
        VolumeInfo,
        VolumeServerInfo,
    )
    from ecs_pulumi.lookups.networks import (
        get_network,
        get_network_output,
        get_port,
        get_port_output,
        get_subnet,
        get_subnet_output,
        list_networks,
        list_networks_output,
    )
    from ecs_pulumi.lookups.offers import (
        get_api_versions,
        get_api_versions_output,
        get_availability_zones,
        get_availability_zones_output,
    )
    from ecs_pulumi.lookups.servers import get_server, get_server_output, list_servers, list_servers_output
    from ecs_pulumi.lookups.volumes import get_volume, get_volume_output
    from ecs_pulumi.resources.addresses import FixedIp
    from ecs_pulumi.resources.interface_attachment import InterfaceAttachment, InterfaceAttachmentFixedIpArgs
    from ecs_pulumi.resources.key_pair import KeyPair
    from ecs_pulumi.resources.network import Network
    from ecs_pulumi.resources.port import (
        DnsAssignment,
        Port,
        PortAllowedAddressPairArgs,
        PortExtraDhcpOptionArgs,
        PortFixedIpArgs,
    )
    from ecs_pulumi.resources.server import Server
    from ecs_pulumi.resources.server_fields import (
        Address,
        AttachedVolume,
        ServerBlockDeviceArgs,
        ServerNetworkArgs,
        ServerNic,
        ServerPersonalityArgs,
    )
    from ecs_pulumi.resources.subnet import Subnet, SubnetAllocationPoolArgs, SubnetHostRouteArgs
    from ecs_pulumi.resources.volume import Volume, VolumeServer
    from ecs_pulumi.resources.volume_attachment import VolumeAttachment

_EXPORTS = {
    "lookups.calls": ("LookupFailed", "NoMatch", "NotUnique"),
    "lookups.flavors": ("get_flavor", "get_flavor_output", "list_flavors", "list_flavors_output"),
    "lookups.images": ("get_image", "get_image_output", "list_images", "list_images_output"),
    "lookups.key_pairs": ("get_key_pair", "get_key_pair_output"),
    "lookups.models": (
        "AddressInfo",
        "AddressPairInfo",
        "ApiVersion",
        "AttachedVolumeInfo",
        "AvailabilityZone",
        "DhcpOptionInfo",
        "DnsAssignmentInfo",
        "FixedIpInfo",
        "FlavorInfo",
        "ImageInfo",
        "KeyPairInfo",
        "Link",
        "NetworkInfo",
        "PoolInfo",
        "PortInfo",
        "RouteInfo",
        "ServerInfo",
        "SubnetInfo",
        "VolumeInfo",
        "VolumeServerInfo",
    ),
    "lookups.networks": (
        "get_network",
        "get_network_output",
        "get_port",
        "get_port_output",
        "get_subnet",
        "get_subnet_output",
        "list_networks",
        "list_networks_output",
    ),
    "lookups.offers": (
        "get_api_versions",
        "get_api_versions_output",
        "get_availability_zones",
        "get_availability_zones_output",
    ),
    "lookups.servers": ("get_server", "get_server_output", "list_servers", "list_servers_output"),
    "lookups.volumes": ("get_volume", "get_volume_output"),
    "resources.interface_attachment": ("InterfaceAttachment", "InterfaceAttachmentFixedIpArgs"),
    "resources.key_pair": ("KeyPair",),
    "resources.network": ("Network",),
    "resources.addresses": ("FixedIp",),
    "resources.port": (
        "PortAllowedAddressPairArgs",
        "PortExtraDhcpOptionArgs",
        "DnsAssignment",
        "PortFixedIpArgs",
        "Port",
    ),
    "resources.server": ("Server",),
    "resources.server_fields": (
        "Address",
        "AttachedVolume",
        "ServerBlockDeviceArgs",
        "ServerNetworkArgs",
        "ServerPersonalityArgs",
        "ServerNic",
    ),
    "resources.subnet": ("SubnetAllocationPoolArgs", "SubnetHostRouteArgs", "Subnet"),
    "resources.volume": ("Volume", "VolumeServer"),
    "resources.volume_attachment": ("VolumeAttachment",),
}
_MODULES = {name: f"ecs_pulumi.{module}" for module, names in _EXPORTS.items() for name in names}

__all__ = [
    "Address",
    "AddressInfo",
    "AddressPairInfo",
    "ApiVersion",
    "AttachedVolume",
    "AttachedVolumeInfo",
    "AvailabilityZone",
    "DhcpOptionInfo",
    "DnsAssignment",
    "DnsAssignmentInfo",
    "FixedIp",
    "FixedIpInfo",
    "FlavorInfo",
    "ImageInfo",
    "InterfaceAttachment",
    "InterfaceAttachmentFixedIpArgs",
    "KeyPair",
    "KeyPairInfo",
    "Link",
    "LookupFailed",
    "Network",
    "NetworkInfo",
    "NoMatch",
    "NotUnique",
    "PoolInfo",
    "Port",
    "PortAllowedAddressPairArgs",
    "PortExtraDhcpOptionArgs",
    "PortFixedIpArgs",
    "PortInfo",
    "RouteInfo",
    "Server",
    "ServerBlockDeviceArgs",
    "ServerInfo",
    "ServerNetworkArgs",
    "ServerNic",
    "ServerPersonalityArgs",
    "Subnet",
    "SubnetAllocationPoolArgs",
    "SubnetHostRouteArgs",
    "SubnetInfo",
    "Volume",
    "VolumeAttachment",
    "VolumeInfo",
    "VolumeServer",
    "VolumeServerInfo",
    "get_api_versions",
    "get_api_versions_output",
    "get_availability_zones",
    "get_availability_zones_output",
    "get_flavor",
    "get_flavor_output",
    "get_image",
    "get_image_output",
    "get_key_pair",
    "get_key_pair_output",
    "get_network",
    "get_network_output",
    "get_port",
    "get_port_output",
    "get_server",
    "get_server_output",
    "get_subnet",
    "get_subnet_output",
    "get_volume",
    "get_volume_output",
    "list_flavors",
    "list_flavors_output",
    "list_images",
    "list_images_output",
    "list_networks",
    "list_networks_output",
    "list_servers",
    "list_servers_output",
]


if not TYPE_CHECKING:  # otherwise a type checker would accept any misspelled name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
