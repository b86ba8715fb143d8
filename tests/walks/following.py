"""Whether a cloud can follow from one program to the next in one `up`.

Pulumi makes the new before it deletes the old, unless both are one resource. What exists only once, an address or the
place of a port in a server, cannot go from one resource to another in one `up`; what is the same object for both, a
key pair or an attachment, can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.walks.programs import networks_of_nics, of_kind, renamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.walks.programs import Declaration, Program

Thing = tuple[str, ...]
"""Something that there is only one of."""


@dataclass(frozen=True)
class Holder:
    """Who has it.

    Attributes:
        name: The name of the resource.
        same: What is equal for two resources that can have it as the same object; empty if none can.
    """

    name: str
    same: str = ""


def can_follow(before: Program, after: Program) -> bool:
    """Whether every object that changes hands can be the same one for both, and nothing else is in the way."""
    # Under its new name an aliased resource is the same one.
    before = renamed(before, {each.alias: each.name for each in after if each.alias})
    if _shrinks(before, after) or _grows_in_a_shelved_server(before, after):
        return False
    if _takes_an_address_that_goes(before, after):
        return False
    had = dict(_holders(before))
    for thing, holder in _holders(after):
        former = had.get(thing, holder)
        if former.name == holder.name:
            continue
        keeps_its_name = any(each.name == former.name and "name" not in each.inputs for each in after)
        if not holder.same or holder.same != former.same or (thing[0] == "key" and keeps_its_name):
            return False
    return True


def _holders(program: Program) -> Iterator[tuple[Thing, Holder]]:
    for each in program:
        for thing, same in _held(each):
            yield thing, Holder(each.name, same)


def _held(each: Declaration) -> Iterator[tuple[Thing, str]]:
    """What a resource has for itself, and what another one needs to be the same object."""
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


def _addresses(port: Declaration) -> list[tuple[str, str]]:
    return [(ip["subnet_id"].name, ip["ip_address"]) for ip in port.inputs["fixed_ips"] if "ip_address" in ip]


def _shrinks(before: Program, after: Program) -> bool:
    """Whether a volume would have to become smaller."""
    had = {each.name: each.inputs for each in of_kind(before, "Volume")}
    return any(each.name in had and each.inputs["size"] < had[each.name]["size"] for each in of_kind(after, "Volume"))


def _grows_in_a_shelved_server(before: Program, after: Program) -> bool:
    """Whether a volume would have to grow that Cinder keeps reserved for a server without a host."""
    shelved = {each.name for each in of_kind(before, "Server") if each.inputs.get("power_state") == "shelved_offloaded"}
    attached = {
        each.inputs["volume_id"].name: each.inputs["server_id"].name for each in of_kind(before, "VolumeAttachment")
    }
    had = {each.name: each.inputs["size"] for each in of_kind(before, "Volume")}
    return any(
        attached.get(each.name) in shelved and each.inputs["size"] != had.get(each.name)
        for each in of_kind(after, "Volume")
    )


def _takes_an_address_that_goes(before: Program, after: Program) -> bool:
    """Whether Neutron may give a NIC an address from a subnet that is about to go, and then cannot."""
    left = {_place(each) for each in of_kind(after, "Subnet")}
    going = {_place(each)[1] for each in of_kind(before, "Subnet") if _place(each) not in left}
    return any(network in going for each in after for network in networks_of_nics(each))


def _place(subnet: Declaration) -> tuple[str, str, str]:
    return subnet.name, subnet.inputs["network_id"].name, subnet.inputs["cidr"]
