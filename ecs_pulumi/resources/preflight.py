"""Checks that a preview makes against the cloud, to report errors before the update (`ecs:preflight`).

Every check ignores unknown values and unchanged inputs, and requests each list of objects once in a run.
"""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import CheckInputs, Problem
from ecs_pulumi.dynamic.handler import Provenance
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources.addresses import canonical_mac, ip_range, port_address_range
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.planned import planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ecs_pulumi.resources.addresses import Address
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject


def check_exists(checked: CheckInputs, name: str, look_up: Callable[[str], object]) -> Iterator[Problem]:
    """Check that the object that the input refers to, by name or id, exists."""
    name_or_id = checked.known(name)
    if name_or_id and checked.changed(name) and not created_in_this_run(name_or_id):
        yield from missing(name, lambda: look_up(name_or_id))


def missing_port(context: Context, name: str, port_id: str, place: str = "") -> Iterator[Problem]:
    """Yield a problem of the input if the port does not exist, with advice if the program declares it."""
    region = context.cloud.region
    for problem in missing(name, lambda: catalog(region).neutron("port", port_id), place):
        is_declared = OWNERSHIP.other_owner(ObjectKey("Port", region.name, port_id))
        advice = ", although the program declares it: `pulumi up --refresh` creates it anew" if is_declared else ""
        yield Problem(name, f"{problem.reason}{advice}")


def check_all_exist(checked: CheckInputs, name: str, look_up: Callable[[str], object]) -> Iterator[Problem]:
    """Check that every object that the input refers to exists."""
    for _, name_or_id in checked.items(name) if checked.changed(name) else ():
        if not created_in_this_run(name_or_id):
            yield from missing(name, partial(look_up, name_or_id))


def addresses(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the addresses in `fixed_ips` are available in their subnet, or in a subnet of their network."""
    if not checked.changed("fixed_ips", "network_id"):
        return
    resolver, network_id = catalog(context.cloud.region), checked.known("network_id")
    for index, fixed_ip in checked.items("fixed_ips"):
        subnet_id, address = fixed_ip.get("subnet_id"), fixed_ip.get("ip_address")
        place = Place("fixed_ips", f"[{index}]: ", network_id)
        if subnet_id is None:
            if network_id and not created_in_this_run(network_id):
                yield from check_address(context, checked, place, address)
            continue
        if not isinstance(subnet_id, str) or created_in_this_run(subnet_id):
            continue
        try:
            subnet = resolver.neutron("subnet", subnet_id)
        except errors.NoMatch as error:
            yield place.problem(str(error))
            continue
        if network_id and subnet["network_id"] != network_id:
            yield place.problem(f"the subnet {subnet_id} does not belong to the network {network_id}")
            continue
        yield from check_address(context, checked, replace(place, network_id=subnet["network_id"]), address, subnet)


def subnets_of(context: Context, network_id: str) -> list[RemoteObject]:
    """Return the subnets of a network, and those that the program plans in it: these have no id."""
    region = context.cloud.region
    return catalog(region).subnets(network_id) + planned(region).subnets(network_id)


def volume_in_use(context: Context, checked: CheckInputs, volume_id: str) -> None:
    """Warn if a volume that allows a single attachment is attached to another server."""
    if not _needs_no_check(checked, volume_id):
        with contextlib.suppress(*_NOT_VISIBLE):
            volume = catalog(context.cloud.region).volume(volume_id)
            users = [] if volume.get("multiattach") else [each["server_id"] for each in volume.get("attachments") or ()]
            _warn_of_users(context, checked, "volume_id", f"the volume {volume_id} is attached to", volume_id, users)


def port_in_use(context: Context, checked: CheckInputs, place: str, port_id: str) -> None:
    """Warn if another server, or a service of the cloud, uses a port."""
    if not _needs_no_check(checked, port_id):
        with contextlib.suppress(*_NOT_VISIBLE):
            port = catalog(context.cloud.region).neutron("port", port_id)
            what = f"the port {port_id} is bound ({port.get('device_owner') or 'to an unknown device'}) to"
            _warn_of_users(context, checked, place, what, port_id, filter(None, [port.get("device_id")]))


def _needs_no_check(checked: CheckInputs, id_: str) -> bool:
    """Whether no other server can use the object: the resource is replaced or imported, or this run created it."""
    return checked.is_replacement or checked.has("adopt") or created_in_this_run(id_)


def _warn_of_users(
    context: Context, checked: CheckInputs, place: str, what: str, id_: str, users: Iterable[str]
) -> None:
    """Warn of each user. This is no error, because another resource may detach it earlier in the same update."""
    own = (Provenance.PREDECESSOR, Provenance.INTERRUPTED)
    for user in users:
        is_own = any(context.provenance(each, None) in own for each in (f"{user}/{id_}", user))
        if not is_own and user != checked.known("server_id"):
            context.warn(
                f"{place}: {what} {user}; the update fails unless it is detached first. If this resource was renamed, "
                "add its former name to `aliases`, so that Pulumi detaches it first"
            )


@dataclass(frozen=True)
class Place:
    """The input that specifies an address, and the network of the address."""

    property: str
    index: str
    network_id: str

    def problem(self, reason: str) -> Problem:
        """Return a problem of this input."""
        return Problem(self.property, f"{self.index}{reason}")


def check_address(
    context: Context, checked: CheckInputs, place: Place, address: object, subnet: RemoteObject | None = None
) -> Iterator[Problem]:
    """Check that an address lies in the subnet, or in a subnet of the network, and that it is not in use."""
    if not isinstance(address, str):
        return
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        yield place.problem(f'not an address, got "{address}"')
        return
    subnets = [subnet] if subnet else subnets_of(context, place.network_id)
    if not subnets:
        # The account may not see the subnets of a network of another project.
        return
    containing = next((each for each in subnets if each["cidr"] is None or parsed in ip_range(each["cidr"])), None)
    if containing is None:
        which = "its subnet" if subnet else "the subnets of its network"
        ranges = errors.join_names([each["cidr"] for each in subnets])
        yield place.problem(f"{address} lies outside {which}: {ranges}")
        return
    if containing["cidr"] is not None:
        first, last = port_address_range(ip_range(containing["cidr"]))
        if not int(first) <= int(parsed) <= int(last):
            yield place.problem(f"{address} is not available to ports; {containing['cidr']} has {first} to {last}")
            return
    yield from _check_free(context, checked, place, parsed)
    for remark in _unusual(parsed, containing):
        context.notify(f"{place.property}{place.index}{address} {remark}")


def _check_free(context: Context, checked: CheckInputs, place: Place, address: Address) -> Iterator[Problem]:
    """Check that no port in the cloud has the address and no other resource of the program requests it."""
    region = context.cloud.region
    port = None if checked.is_replacement else catalog(region).port_with_address(place.network_id, address)
    if port and not _is_own_port(checked, port) and not is_own_object(context, checked, *_holders(port)):
        user = f" ({port['device_owner']})" if port.get("device_owner") else ""
        yield place.problem(f"{address} is already used by the port {port.get('name') or port['id']}{user}")
    elif context.resource and (
        other := planned(region).reserve_address(place.network_id, address, f"{context.kind} {context.resource}")
    ):
        yield place.problem(f"{address} is also requested by {other}")


def mac_address(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that no other port of the network has the MAC address. One of this stack may lose it in the same update."""
    desired, network_id = checked.known("mac_address"), checked.known("network_id")
    is_unchanged = checked.is_replacement or not checked.changed("mac_address", "network_id")
    if not (desired and network_id) or is_unchanged or created_in_this_run(network_id):
        return
    for port in catalog(context.cloud.region).ports(network_id):
        holders = list(_holders(port))
        if canonical_mac(port.get("mac_address") or "") != canonical_mac(desired):
            continue
        if _is_own_port(checked, port) or is_own_object(context, checked, *holders):
            continue
        reason = f"{desired} is already used by the port {port.get('name') or port['id']}"
        if all(context.provenance(*holder) is Provenance.FOREIGN for holder in holders):
            yield Problem("mac_address", reason)
        else:
            context.warn(f"mac_address: {reason}; the update fails unless that is deleted or replaced first")


def _is_own_port(checked: CheckInputs, port: RemoteObject) -> bool:
    """Whether a port belongs to the resource, or to the server that the resource imports."""
    if {port["id"], port.get("device_id")} & set(str(checked.known("adopt") or "").split("/")) - {""}:
        return True
    # The prior inputs have no id to compare. Ports that Nova created for a server have no name.
    return bool(checked.prior) and (port.get("name") or "") in ("", checked.prior.get("name"))


def is_own_object(context: Context, checked: CheckInputs, *found: tuple[str, str | None]) -> bool:
    """Whether an object belongs to the resource, by the state: it is being replaced, or an interrupted run created it.

    In both cases the engine checks the resource without prior inputs, so that these cannot identify the object.

    Args:
        context: The operation.
        checked: The inputs.
        found: Candidates for the object: an id of the resource's kind, and the name if it is known.
    """
    if checked.prior or checked.is_replacement:
        return False
    own = (Provenance.PREDECESSOR, Provenance.INTERRUPTED)
    return any(context.provenance(id_, name) in own for id_, name in found)


def _holders(port: RemoteObject) -> Iterator[tuple[str, str | None]]:
    """Ids and names of the objects that may hold the address of a port: the port, its attachment, its server."""
    yield port["id"], port.get("name")
    if server := port.get("device_id"):
        yield f"{server}/{port['id']}", None
        yield server, None


def _unusual(address: Address, subnet: RemoteObject) -> Iterator[str]:
    """Describe why an address is probably a mistake, although the cloud accepts it."""
    if subnet.get("gateway_ip") and address == ipaddress.ip_address(subnet["gateway_ip"]):
        yield "is the address of the subnet's router"
        return
    pools = [tuple(map(ipaddress.ip_address, (pool["start"], pool["end"]))) for pool in subnet["allocation_pools"]]
    if pools and not any(int(start) <= int(address) <= int(end) for start, end in pools):
        listed = errors.join_names([f"{start} to {end}" for start, end in pools])
        yield f"lies outside the subnet's allocation pools: {listed}"


def disk_needed(image: RemoteObject, size: object) -> int:
    """Return the size in GiB of the disk that an image needs; 0 if it fits into a disk of `size`, or `size` is unknown.

    Size 0 is that of a flavor without a disk, whose root disk the cloud may size by the image.
    """
    needed = int(image.get("min_disk") or 0)
    return needed if isinstance(size, int) and 0 < size < needed else 0


_NOT_VISIBLE = (errors.NoMatch, errors.Forbidden, errors.NotFound, errors.ProxyNotFound)
"""Errors of a look-up if the object does not exist, or if this account may not see it."""


def missing(name: str, look: Callable[[], object], place: str = "") -> Iterator[Problem]:
    """Yield a problem of the input if the look-up finds no object, or several."""
    try:
        look()
    except (errors.NoMatch, errors.NotUnique) as error:
        yield Problem(name, f"{place}{error}")
    except (errors.Forbidden, errors.NotFound, errors.ProxyNotFound):
        # An account that may not list objects may still use them.
        return
