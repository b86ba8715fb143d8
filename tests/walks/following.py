"""Whether a cloud can change from one program to the next in one `up`.

Pulumi creates new resources before it deletes others. A unique item, such as an address or the attachment of a port,
cannot move from one resource to another in one `up`, unless both resources are the same object in the cloud, such as a
key pair or an attachment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.walks.programs import networks_of_nics, of_kind, renamed
from tests.walks.routing import connections, is_kept, is_valid, published, rule_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.walks.programs import Declaration, Program

UniqueItem = tuple[str, ...]
"""An item that only one object can have."""


@dataclass(frozen=True)
class Holder:
    """The resource that has a unique item.

    Attributes:
        name: The name of the resource.
        identity: A value that is equal for two resources that are the same object; empty if that is impossible.
    """

    name: str
    identity: str = ""


def can_follow(before: Program, after: Program) -> bool:
    """Whether one `up` can change the cloud from one program to the next."""
    # An aliased resource is the same resource under its new name.
    before = renamed(before, {each.alias: each.name for each in after if each.alias})
    if _shrinks(before, after) or _grows_in_a_shelved_server(before, after) or _loses_port(before, after):
        return False
    if (
        _unsets(before, after)
        or _uses_deleted_subnet(before, after)
        or not is_valid(after)
        or not is_kept(before, after)
    ):
        return False
    if _shares_key_pair(after):
        return False
    prior_holders = dict(_holders(before))
    for item, holder in _holders(after):
        prior = prior_holders.get(item, holder)
        if prior.name == holder.name or _is_moved(item, prior, holder, before, after):
            continue
        keeps_name = any(each.name == prior.name and "name" not in each.inputs for each in after)
        if not holder.identity or holder.identity != prior.identity or (item[0] == "key" and keeps_name):
            return False
    return True


def _is_moved(item: UniqueItem, prior: Holder, holder: Holder, before: Program, after: Program) -> bool:
    """Whether a port moves from a server to one that is updated later."""
    servers = [each for each in after if each.kind == "Server"]
    names = [each.name for each in servers]
    if item[0] != "port" or prior.name not in names or holder.name not in names:
        return False
    former = {each.name: each for each in before}
    is_kept = all(
        each.name in former
        and replace(each, inputs=_without_nics(each))
        == replace(former[each.name], inputs=_without_nics(former[each.name]))
        for each in servers
        if each.name in (prior.name, holder.name)
    )
    return is_kept and names.index(prior.name) < names.index(holder.name)


def _without_nics(server: Declaration) -> dict[str, Any]:
    return {name: value for name, value in server.inputs.items() if name != "networks"}


def _holders(program: Program) -> Iterator[tuple[UniqueItem, Holder]]:
    for each in program:
        for item, identity in _unique_items(each):
            yield item, Holder(each.name, identity)
    for name, one in connections(program).items():
        # A router takes no overlapping ranges.
        yield ("range of router", one.router, one.cidr), Holder(name, f"{one.subnet} {one.network}")
    for port, each in published(program):
        if port is not None:
            yield ("published", *port), Holder(each.name, _floating_ip(each))


def _unique_items(each: Declaration) -> Iterator[tuple[UniqueItem, str]]:
    """Yield the unique items of a resource, each with the identity of the object."""
    inputs = each.inputs
    if each.kind == "Subnet":
        yield ("range", inputs["network_id"].name, inputs["cidr"]), ""
    elif each.kind == "Port":
        yield from ((("address", *address), "") for address in _addresses(each))
        if "mac_address" in inputs:
            yield ("mac", inputs["mac_address"]), ""
    elif each.kind == "KeyPair" and "name" in inputs:
        yield ("key", inputs["name"]), inputs.get("public_key", "")
    elif each.kind == "VolumeAttachment":
        yield ("volume", inputs["volume_id"].name), inputs["server_id"].name
    elif each.kind == "InterfaceAttachment" and "port_id" in inputs:
        yield ("port", inputs["port_id"].name), inputs["server_id"].name
    elif each.kind == "Server":
        yield from ((("port", nic["port_id"].name), each.name) for nic in inputs["networks"] if "port_id" in nic)
    else:
        yield from _unique_items_of_routers(each)


def _unique_items_of_routers(each: Declaration) -> Iterator[tuple[UniqueItem, str]]:
    inputs = each.inputs
    if each.kind == "RouterInterface" and "port_id" in inputs:
        yield ("port", inputs["port_id"].name), inputs["router_id"].name
    elif each.kind == "RouterInterface":
        yield ("interface", inputs["subnet_id"].name), inputs["router_id"].name
    elif each.kind == "RouterRoute":
        yield ("route", inputs["router_id"].name, inputs["destination"]), inputs["nexthop"]
    elif each.kind == "SecurityGroupRule":
        yield ("rule", inputs["security_group_id"].name, *map(str, rule_values(inputs))), ""
    elif each.kind == "FloatingIpAssociation":
        yield ("floating IP", inputs["floating_ip_id"].name), inputs["floating_ip_id"].name


def _floating_ip(each: Declaration) -> str:
    """Return the floating IP that a resource associates with a port."""
    name: str = each.name if each.kind == "FloatingIp" else each.inputs["floating_ip_id"].name
    return name


def _addresses(port: Declaration) -> list[tuple[str, str]]:
    return [(ip["subnet_id"].name, ip["ip_address"]) for ip in port.inputs["fixed_ips"] if "ip_address" in ip]


def _shrinks(before: Program, after: Program) -> bool:
    """Whether a volume becomes smaller."""
    prior = {each.name: each.inputs for each in of_kind(before, "Volume")}
    return any(
        each.name in prior and each.inputs["size"] < prior[each.name]["size"] for each in of_kind(after, "Volume")
    )


def _grows_in_a_shelved_server(before: Program, after: Program) -> bool:
    """Whether a volume grows that is reserved for a shelved server, which Cinder does not allow."""
    shelved = {each.name for each in of_kind(before, "Server") if each.inputs.get("power_state") == "shelved_offloaded"}
    attached = {
        each.inputs["volume_id"].name: each.inputs["server_id"].name for each in of_kind(before, "VolumeAttachment")
    }
    prior_sizes = {each.name: each.inputs["size"] for each in of_kind(before, "Volume")}
    return any(
        attached.get(each.name) in shelved and each.inputs["size"] != prior_sizes.get(each.name)
        for each in of_kind(after, "Volume")
    )


def _unsets(before: Program, after: Program) -> bool:
    """Whether a resource no longer sets references that its object then keeps."""
    prior = {each.name: each.inputs for each in before}
    return any(
        name in prior.get(each.name, {}) and name not in each.inputs
        for each in after
        for name in ("security_group_ids", "scheduler_hints")
    )


def _loses_port(before: Program, after: Program) -> bool:
    """Whether a router interface is deleted or replaced, with which Neutron deletes a port that remains declared."""

    def ports(program: Program) -> set[tuple[str, str]]:
        found = of_kind(program, "RouterInterface")
        return {
            (each.inputs["port_id"].name, each.inputs["router_id"].name) for each in found if "port_id" in each.inputs
        }

    lost = {port for port, _ in ports(before) - ports(after)}
    return bool(lost & {each.name for each in after})


def _shares_key_pair(program: Program) -> bool:
    """Whether two resources are one key pair, as between `--target` of a renamed one and the delete of the former."""
    names = [each.inputs["name"] for each in of_kind(program, "KeyPair") if "name" in each.inputs]
    return len(names) != len(set(names))


def _uses_deleted_subnet(before: Program, after: Program) -> bool:
    """Whether Neutron may allocate an address for a NIC from a subnet that the `up` deletes."""
    remaining = {_subnet_key(each) for each in of_kind(after, "Subnet")}
    deleted = {_subnet_key(each)[1] for each in of_kind(before, "Subnet") if _subnet_key(each) not in remaining}
    return any(network in deleted for each in after for network in networks_of_nics(each))


def _subnet_key(subnet: Declaration) -> tuple[str, str, str]:
    return subnet.name, subnet.inputs["network_id"].name, subnet.inputs["cidr"]
