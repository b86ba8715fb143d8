"""Networks, subnets and ports (guide, chapter 4, step 3 and chapter 7; Neutron API reference).

If the catalog has no network service, networks are looked up through the compute service, as in the guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors, network
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import NetworkInfo, PortInfo, SubnetInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Region


@one_line_errors
def get_network(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    tags: Sequence[str] | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> NetworkInfo:
    """Find the network that meets all criteria.

    Args:
        name: The name.
        id: The id.
        tags: Tags, all of which the object must have.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"name": name, "id": id, "tags": tags}
    require_criteria("network", criteria)
    target = region_of(region, cloud)
    return exactly_one(_list_networks(target, name, id, tags), "network", criteria, lambda: _list_networks(target))


def get_network_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    tags: pulumi.Input[Sequence[pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[NetworkInfo]:
    """Variant of `get_network` that accepts outputs and returns an output."""
    return call_with_outputs(get_network, name=name, id=id, tags=tags, region=region, cloud=cloud)


@one_line_errors
def list_networks(
    *, tags: Sequence[str] | None = None, region: str | None = None, cloud: str | None = None
) -> list[NetworkInfo]:
    """List the networks that the project can use.

    Args:
        tags: Tags, all of which the object must have.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.
    """
    return _list_networks(region_of(region, cloud), tags=tags)


def list_networks_output(
    *,
    tags: pulumi.Input[Sequence[pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[list[NetworkInfo]]:
    """Variant of `list_networks` that accepts outputs and returns an output."""
    return call_with_outputs(list_networks, tags=tags, region=region, cloud=cloud)


@one_line_errors
def get_subnet(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002
    cidr: str | None = None,
    network_id: str | None = None,
    tags: Sequence[str] | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> SubnetInfo:
    """Find the subnet that meets all criteria.

    Args:
        name: The name.
        id: The id.
        cidr: The address range, such as `10.0.10.0/24`.
        network_id: Id of the network.
        tags: Tags, all of which the object must have.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"name": name, "id": id, "cidr": cidr, "network_id": network_id, "tags": tags}
    require_criteria("subnet", criteria)
    api = region_of(region, cloud).network
    found = network.list_all(api, "subnet", **{**criteria, "tags": _tags_filter(tags)})
    return exactly_one(
        [SubnetInfo.model_validate(item) for item in found],
        "subnet",
        criteria,
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
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[SubnetInfo]:
    """Variant of `get_subnet` that accepts outputs and returns an output."""
    return call_with_outputs(
        get_subnet, name=name, id=id, cidr=cidr, network_id=network_id, tags=tags, region=region, cloud=cloud
    )


@one_line_errors
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
    cloud: str | None = None,
) -> PortInfo:
    """Find the port that meets all criteria.

    Args:
        name: The name.
        id: The id.
        network_id: Id of the network.
        ip_address: One of the port's addresses.
        mac_address: The MAC address.
        device_id: Id of the server that uses the port.
        tags: Tags, all of which the object must have.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria: dict[str, Any] = {
        "name": name,
        "id": id,
        "network_id": network_id,
        "ip_address": ip_address,
        "mac_address": mac_address,
        "device_id": device_id,
        "tags": tags,
    }
    require_criteria("port", criteria)
    api = region_of(region, cloud).network
    return exactly_one(_list_ports(api, **criteria), "port", criteria, lambda: _list_ports(api))


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
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[PortInfo]:
    """Variant of `get_port` that accepts outputs and returns an output."""
    return call_with_outputs(
        get_port,
        name=name,
        id=id,
        network_id=network_id,
        ip_address=ip_address,
        mac_address=mac_address,
        device_id=device_id,
        tags=tags,
        region=region,
        cloud=cloud,
    )


def _list_networks(
    region: Region, name: str | None = None, id_: str | None = None, tags: Sequence[str] | None = None
) -> list[NetworkInfo]:
    try:
        neutron = region.network
    except errors.ConfigurationError:
        return _list_through_compute(region, name, id_, tags)
    found = network.list_all(neutron, "network", name=name, id=id_, tags=_tags_filter(tags))
    return [NetworkInfo.model_validate(item) for item in found]


def _list_through_compute(
    region: Region, name: str | None, id_: str | None, tags: Sequence[str] | None
) -> list[NetworkInfo]:
    if tags is not None:
        raise errors.Unsupported("tags", "the network service", "networks through its compute service only")
    found = [NetworkInfo.model_validate(item) for item in compute.list_os_networks(region.compute)]
    return [item for item in found if name in (None, item.name) and id_ in (None, item.id)]


def _list_ports(
    api: ServiceClient, ip_address: str | None = None, tags: Sequence[str] | None = None, **filters: Any
) -> list[PortInfo]:
    address = None if ip_address is None else f"ip_address={ip_address}"
    found = network.list_all(api, "port", fixed_ips=address, tags=_tags_filter(tags), **filters)
    return [PortInfo.model_validate(item) for item in found]


def _tags_filter(tags: Sequence[str] | None) -> str | None:
    """Convert tags to Neutron's filter for all of them, separated by commas."""
    return ",".join(tags) if tags else None
