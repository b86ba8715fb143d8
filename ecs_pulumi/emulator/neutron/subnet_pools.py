"""Subnet pools: prefixes from which subnets are allocated."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from .addresses import IPV4, Prefix, contains_prefix, free_prefix
from .attributes import UNSET
from .collection import get_owned, get_visible, listing, new_document, render
from .refusals import bad_resource
from .resources import SUBNET_POOL
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

MIN_LENGTHS = {4: 8, 6: 64}


def view(call: Call, doc: Document) -> Document:
    """Return a pool as the API shows it, with the prefix lengths as strings."""
    lengths = ("default_prefixlen", "min_prefixlen", "max_prefixlen")
    return render(call, SUBNET_POOL, doc) | {name: str(doc[name]) for name in lengths}


@service.post("/subnetpools")
def create_pool(call: Call) -> Reply:
    """`POST /subnetpools`."""
    values = SUBNET_POOL.read_create(call, extensions(call))
    prefix = ipaddress.ip_network(values["prefixes"][0])
    values["ip_version"] = prefix.version
    if values["min_prefixlen"] is UNSET:
        values["min_prefixlen"] = MIN_LENGTHS[prefix.version]
    if values["max_prefixlen"] is UNSET:
        values["max_prefixlen"] = prefix.max_prefixlen
    if values["default_prefixlen"] is UNSET:
        values["default_prefixlen"] = values["min_prefixlen"]
    return Reply(201, {"subnetpool": view(call, call.put("subnetpool", new_document(call, values, revision=0)))})


@service.get("/subnetpools")
def list_pools(call: Call) -> Document:
    """`GET /subnetpools`."""
    return listing(call, SUBNET_POOL, view=view)


@service.delete("/subnetpools/{pool_id}")
def delete_pool(call: Call, pool_id: str) -> None:
    """`DELETE /subnetpools/{id}`: 400 if a subnet is allocated from the pool."""
    get_owned(call, SUBNET_POOL, pool_id, "delete")
    if call.count("subnet", subnetpool_id=pool_id):
        message = "Unable to delete subnet pool: Subnet pool has existing allocations."
        raise HttpError(400, message, kind="SubnetPoolDeleteError")
    call.remove("subnetpool", pool_id)


def prefix_from_pool(call: Call, values: Document) -> Prefix:
    """Return a free prefix of the subnet's pool."""
    if values["subnetpool_id"] in (UNSET, None):
        raise bad_resource("subnets", "a subnetpool must be specified in the absence of a cidr")
    pool = get_visible(call, SUBNET_POOL, values["subnetpool_id"])
    version = int(values["ip_version"])
    if pool["ip_version"] != version:
        message = f"Cannot allocate IPv{version} subnet from IPv{pool['ip_version']} subnet pool"
        raise bad_resource("subnets", message)
    if values["allocation_pools"] not in (UNSET, []):
        raise bad_resource("subnets", "allocation_pools allowed only for specific subnet requests.")
    length = pool["default_prefixlen"] if values["prefixlen"] is UNSET else values["prefixlen"]
    if length > (32 if version == IPV4 else 128):
        network = "0.0.0.0" if version == IPV4 else "::"  # noqa: S104  # not an address to listen on
        raise HttpError(400, f"invalid IPNetwork {network}/{length}", kind="AddrFormatError")
    for invalid, word, bound in (
        (length < pool["min_prefixlen"], "Min", f"minimum allowed prefix is {pool['min_prefixlen']}"),
        (length > pool["max_prefixlen"], "Max", f"maximum allowed prefix is {pool['max_prefixlen']}"),
    ):
        if invalid:
            message = f"Unable to allocate subnet with prefix length {length}, {bound}."
            raise HttpError(400, message, kind=f"{word}PrefixSubnetAllocationError")
    prefix = free_prefix(_networks(pool["prefixes"]), _used(call, pool), length)
    if prefix is None:
        raise _allocation_error(f"Insufficient prefix space to allocate subnet size /{length}")
    return prefix


def check_in_pool(call: Call, pool_id: str, prefix: Prefix) -> None:
    """Reject a prefix that is not contained in the pool or is allocated already."""
    pool = get_visible(call, SUBNET_POOL, pool_id)
    inside = any(contains_prefix(block, prefix) for block in _networks(pool["prefixes"]))
    if not inside or any(prefix.overlaps(other) for other in _used(call, pool)):
        raise _allocation_error("Cannot allocate requested subnet from the available set of prefixes")


def _networks(texts: list[str]) -> list[Prefix]:
    return [ipaddress.ip_network(text) for text in texts]


def _used(call: Call, pool: Document) -> list[Prefix]:
    return _networks([subnet["cidr"] for subnet in call.find("subnet", subnetpool_id=pool["id"])])


def _allocation_error(reason: str) -> HttpError:
    return HttpError(500, f"Failed to allocate subnet: {reason}.", kind="SubnetAllocationError")
