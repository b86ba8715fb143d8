"""Networks, subnets and ports (guide, chapter 4, step 3 and chapter 7; Neutron API reference).

Networks are asked of the compute service, as the guide does, where the catalog has no network service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors, network
from ecs_pulumi.lookups.calls import later, needed, only, region_of, told
from ecs_pulumi.lookups.models import NetworkInfo, PortInfo, SubnetInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Region


@told
def get_network(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    tags: Sequence[str] | None = None,
    region: str | None = None,
) -> NetworkInfo:
    """The network that fulfils all of this.

    Args:
        name: Its name.
        id: Its id.
        tags: Tags that it has, all of them.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
        NotUnique: There are several; the message lists them.
    """
    asked = {"name": name, "id": id, "tags": tags}
    needed("network", asked)
    here = region_of(region)
    return only(_networks(here, name, id, tags), "network", asked, lambda: _networks(here))


def get_network_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    tags: pulumi.Input[Sequence[pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[NetworkInfo]:
    """`get_network` for the outputs of resources."""
    return later(get_network, name=name, id=id, tags=tags, region=region)


@told
def list_networks(*, tags: Sequence[str] | None = None, region: str | None = None) -> list[NetworkInfo]:
    """Every network that the project can use.

    Args:
        tags: Tags that it has, all of them.
        region: The region. Default: the configured one.
    """
    return _networks(region_of(region), tags=tags)


def list_networks_output(
    *,
    tags: pulumi.Input[Sequence[pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[list[NetworkInfo]]:
    """`list_networks` for the outputs of resources."""
    return later(list_networks, tags=tags, region=region)


@told
def get_subnet(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002
    cidr: str | None = None,
    network_id: str | None = None,
    tags: Sequence[str] | None = None,
    region: str | None = None,
) -> SubnetInfo:
    """The subnet that fulfils all of this.

    Args:
        name: Its name.
        id: Its id.
        cidr: Its range of addresses, such as `10.0.10.0/24`.
        network_id: The network it belongs to.
        tags: Tags that it has, all of them.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
        NotUnique: There are several; the message lists them.
    """
    asked = {"name": name, "id": id, "cidr": cidr, "network_id": network_id, "tags": tags}
    needed("subnet", asked)
    api = region_of(region).network
    found = network.list_all(api, "subnet", **{**asked, "tags": _all_of(tags)})
    return only(
        [SubnetInfo.model_validate(item) for item in found],
        "subnet",
        asked,
        lambda: [SubnetInfo.model_validate(item) for item in network.list_all(api, "subnet")],
    )


def get_subnet_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    cidr: pulumi.Input[str | None] = None,
    network_id: pulumi.Input[str | None] = None,
    tags: pulumi.Input[Sequence[pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[SubnetInfo]:
    """`get_subnet` for the outputs of resources."""
    return later(get_subnet, name=name, id=id, cidr=cidr, network_id=network_id, tags=tags, region=region)


@told
def get_port(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002
    network_id: str | None = None,
    ip_address: str | None = None,
    mac_address: str | None = None,
    device_id: str | None = None,
    tags: Sequence[str] | None = None,
    region: str | None = None,
) -> PortInfo:
    """The port that fulfils all of this.

    Args:
        name: Its name.
        id: Its id.
        network_id: The network it belongs to.
        ip_address: One of its addresses.
        mac_address: Its MAC address.
        device_id: The server that uses it.
        tags: Tags that it has, all of them.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
        NotUnique: There are several; the message lists them.
    """
    asked: dict[str, Any] = {
        "name": name,
        "id": id,
        "network_id": network_id,
        "ip_address": ip_address,
        "mac_address": mac_address,
        "device_id": device_id,
        "tags": tags,
    }
    needed("port", asked)
    api = region_of(region).network
    return only(_ports(api, **asked), "port", asked, lambda: _ports(api))


def get_port_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    network_id: pulumi.Input[str | None] = None,
    ip_address: pulumi.Input[str | None] = None,
    mac_address: pulumi.Input[str | None] = None,
    device_id: pulumi.Input[str | None] = None,
    tags: pulumi.Input[Sequence[pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[PortInfo]:
    """`get_port` for the outputs of resources."""
    return later(
        get_port,
        name=name,
        id=id,
        network_id=network_id,
        ip_address=ip_address,
        mac_address=mac_address,
        device_id=device_id,
        tags=tags,
        region=region,
    )


def _networks(
    region: Region, name: str | None = None, id_: str | None = None, tags: Sequence[str] | None = None
) -> list[NetworkInfo]:
    try:
        neutron = region.network
    except errors.ConfigurationError:
        return _through_compute(region, name, id_, tags)
    found = network.list_all(neutron, "network", name=name, id=id_, tags=_all_of(tags))
    return [NetworkInfo.model_validate(item) for item in found]


def _through_compute(
    region: Region, name: str | None, id_: str | None, tags: Sequence[str] | None
) -> list[NetworkInfo]:
    if tags is not None:
        raise errors.Unsupported("tags", "the network service", "networks through its compute service only")
    found = [NetworkInfo.model_validate(item) for item in compute.list_os_networks(region.compute)]
    return [item for item in found if name in (None, item.name) and id_ in (None, item.id)]


def _ports(
    api: ServiceClient, ip_address: str | None = None, tags: Sequence[str] | None = None, **filters: Any
) -> list[PortInfo]:
    address = None if ip_address is None else f"ip_address={ip_address}"
    found = network.list_all(api, "port", fixed_ips=address, tags=_all_of(tags), **filters)
    return [PortInfo.model_validate(item) for item in found]


def _all_of(tags: Sequence[str] | None) -> str | None:
    """Tags as Neutron reads them: with commas in between, all of them are asked for."""
    return ",".join(tags) if tags else None
