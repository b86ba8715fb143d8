"""What the cloud would refuse late, found out in the preview (`ecs:preflight`).

Every check is silent about what is not known yet, looks only where the program changed something, and asks for one
list per kind of thing and run.
"""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, objects
from ecs_pulumi.dynamic.kind import Provenance
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources.catalog import catalog, ip_range, is_uuid, port_address_range
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.server_fields import may_boot_from_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ecs_pulumi.resources.catalog import Address
    from ecs_pulumi.resources.common import Context, RemoteObject

NONE = "2.37"
"""The microversion of the compute API that came with a word for no network."""


def check_exists(checked: CheckInputs, name: str, look_up: Callable[[str], object]) -> Iterator[Problem]:
    """The object that the input names, by name or id, exists."""
    asked = checked.known(name)
    if asked and checked.changed(name) and not created_in_this_run(asked):
        yield from _missing(name, lambda: look_up(asked))


def check_all_exist(checked: CheckInputs, name: str, look_up: Callable[[str], object]) -> Iterator[Problem]:
    """Every object that the input names exists."""
    for _, asked in checked.items(name) if checked.changed(name) else ():
        yield from _missing(name, partial(look_up, asked))


def groups(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """The security groups of a server exist.

    One that is named may still be made by the same program, with another provider: that is a warning.
    """
    look_up = catalog(context.cloud.region).security_group
    for _, asked in checked.items("security_groups") if checked.changed("security_groups") else ():
        for problem in _missing("security_groups", partial(look_up, asked)):
            if is_uuid(asked):
                yield problem
            else:
                end = "" if problem.reason.endswith("?") else "."
                context.warn(
                    f"security_groups: {problem.reason}{end} "
                    "The update fails unless the program creates it before the server."
                )


def choice_of_network(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """The cloud connects a new server without networks to the only one there is, and does not choose among several."""
    networks = checked.values.get("networks")
    # An empty list means none, for which the older API has no word.
    is_left_out = networks in (None, "auto") or (networks == [] and not context.cloud.compute.supports(NONE))
    if checked.prior or not is_left_out:
        return
    try:
        usable = catalog(context.cloud.region).usable_networks()
    except errors.MissingCredentials:
        raise
    except errors.EcsError:
        # A cloud whose networks cannot be listed refuses the create request itself.
        return
    if len(usable) > 1:
        listed = errors.join_names(sorted(network.get("name") or network["id"] for network in usable))
        reason = f"the cloud does not choose among the {len(usable)} networks of this project ({listed})"
        yield Problem("networks", f'{reason}; list those to connect, or give "none"')


def diskless(context: Context, checked: CheckInputs, flavor: RemoteObject) -> None:
    """Warn of a flavor without a disk for a server that boots from an image.

    Only a warning: some clouds make a volume for the root disk by themselves, and others allow it to some accounts.
    """
    if not flavor["disk"] and not checked.prior and checked.has("image") and not may_boot_from_device(checked):
        context.warn(
            f"flavor: {flavor['name']} has no disk; unless the cloud makes a volume for the root disk by itself, it "
            "refuses a server that boots from an image (HTTP 403): add a block device with boot_index 0 and "
            "destination_type volume, or choose another flavor"
        )


def nics(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """The networks and ports of a server's NICs exist, and a requested address can be had there."""
    if not checked.changed("networks"):
        return
    names = catalog(context.cloud.region)
    for index, nic in checked.items("networks"):
        for part, kind in (("network_id", "network"), ("port_id", "port")):
            if not isinstance(nic.get(part), str) or created_in_this_run(nic[part]):
                continue
            missing = list(_missing("networks", partial(names.neutron, kind, nic[part]), f"[{index}]: "))
            yield from missing
            if kind == "port" and nic[part] not in [each.get(part) for each in objects(checked.prior.get("networks"))]:
                port_in_use(context, checked, f"networks[{index}]", nic[part])
            if not missing and nic.get("fixed_ip") is not None:
                place = Place("networks", f"[{index}]: ", nic[part])
                yield from _available(context, checked, place, nic["fixed_ip"])


def addresses(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Requested addresses (`fixed_ips`) can be had: in their subnets, or in one of their network."""
    if not checked.changed("fixed_ips", "network_id"):
        return
    names, network_id = catalog(context.cloud.region), checked.known("network_id")
    for index, wish in checked.items("fixed_ips"):
        subnet_id, address = wish.get("subnet_id"), wish.get("ip_address")
        place = Place("fixed_ips", f"[{index}]: ", network_id)
        if subnet_id is None:
            if network_id and not created_in_this_run(network_id):
                yield from _available(context, checked, place, address)
            continue
        if not isinstance(subnet_id, str) or created_in_this_run(subnet_id):
            continue
        try:
            subnet = names.neutron("subnet", subnet_id)
        except errors.NoMatch as missing:
            yield place.problem(str(missing))
            continue
        if network_id and subnet["network_id"] != network_id:
            yield place.problem(f"the subnet {subnet_id} is not of the network {network_id}")
            continue
        yield from _available(context, checked, replace(place, network_id=subnet["network_id"]), address, subnet)


def volume_in_use(context: Context, checked: CheckInputs, volume_id: str) -> None:
    """Warn that another server has a volume which one server can have at a time."""
    if not _is_settled(checked, volume_id):
        with contextlib.suppress(*_NOT_SHOWN):
            volume = catalog(context.cloud.region).volume(volume_id)
            users = [] if volume.get("multiattach") else [each["server_id"] for each in volume.get("attachments") or ()]
            _warn_of_users(context, checked, "volume_id", f"the volume {volume_id} is attached to", volume_id, users)


def port_in_use(context: Context, checked: CheckInputs, place: str, port_id: str) -> None:
    """Warn that another server, or a service of the cloud, uses a port."""
    if not _is_settled(checked, port_id):
        with contextlib.suppress(*_NOT_SHOWN):
            port = catalog(context.cloud.region).neutron("port", port_id)
            what = f"the port {port_id} is bound ({port.get('device_owner') or 'to an unknown device'}) to"
            _warn_of_users(context, checked, place, what, port_id, filter(None, [port.get("device_id")]))


def _is_settled(checked: CheckInputs, id_: str) -> bool:
    """Whether no other object can be using it: it is replaced, imported, or created by this run."""
    return checked.is_replacement or checked.has("adopt") or created_in_this_run(id_)


def _warn_of_users(
    context: Context, checked: CheckInputs, place: str, what: str, id_: str, users: Iterable[str]
) -> None:
    """Only a warning, as another resource may detach it earlier in the same update."""
    own = (Provenance.PREDECESSOR, Provenance.INTERRUPTED)
    for user in users:
        is_own = any(context.provenance(each, None) in own for each in (f"{user}/{id_}", user))
        if not is_own and user != checked.known("server_id"):
            context.warn(
                f"{place}: {what} {user}, and the update fails unless it is detached there first. A resource that "
                "keeps its name, or has the former one in `aliases`, detaches it first"
            )


@dataclass(frozen=True)
class Place:
    """Where in the inputs an address is asked for, and in which network."""

    property: str
    index: str
    network_id: str

    def problem(self, reason: str) -> Problem:
        """What is wrong here."""
        return Problem(self.property, f"{self.index}{reason}")


def _available(
    context: Context, checked: CheckInputs, place: Place, address: object, subnet: RemoteObject | None = None
) -> Iterator[Problem]:
    """An address lies in the subnet, or in one of the network's, and nobody else has it."""
    if not isinstance(address, str):
        return
    try:
        asked = ipaddress.ip_address(address)
    except ValueError:
        yield place.problem(f'not an address, got "{address}"')
        return
    subnets = [subnet] if subnet else catalog(context.cloud.region).subnets(place.network_id)
    if not subnets:
        # Those of somebody else's network may be hidden.
        return
    around = next((each for each in subnets if each["cidr"] is None or asked in ip_range(each["cidr"])), None)
    if around is None:
        which = "its subnet" if subnet else "the subnets of its network"
        ranges = errors.join_names([each["cidr"] for each in subnets])
        yield place.problem(f"{address} lies outside {which}: {ranges}")
        return
    if around["cidr"] is not None:
        first, last = port_address_range(ip_range(around["cidr"]))
        if not int(first) <= int(asked) <= int(last):
            yield place.problem(f"{address} is not an address for a port: {around['cidr']} has {first} to {last}")
            return
    yield from _free(context, checked, place, asked)
    for word in _noteworthy(asked, around):
        context.notify(f"{place.property}{place.index}{address} {word}")


def _free(context: Context, checked: CheckInputs, place: Place, asked: Address) -> Iterator[Problem]:
    """Neither a port of the cloud's has the address, nor does another resource of the program want it."""
    names = catalog(context.cloud.region)
    holder = None if checked.is_replacement else names.port_with_address(place.network_id, asked)
    if holder and not _is_own(checked, holder) and not is_not_in_the_way(context, checked, *_holders(holder)):
        user = f", which {holder['device_owner']} uses" if holder.get("device_owner") else ""
        yield place.problem(f"{asked} is taken by the port {holder.get('name') or holder['id']}{user}")
    elif context.resource and (
        other := names.reserve_address(place.network_id, asked, f"{context.kind} {context.resource}")
    ):
        yield place.problem(f"{asked} is what {other} asks for, too")


def _is_own(checked: CheckInputs, port: RemoteObject) -> bool:
    """Whether a port is the resource's own, or that of a server which it takes over."""
    if {port["id"], port.get("device_id")} & set(str(checked.known("adopt") or "").split("/")) - {""}:
        return True
    # Else its name alone tells it, and those of a server have none.
    return bool(checked.prior) and (port.get("name") or "") in ("", checked.prior.get("name"))


def is_not_in_the_way(context: Context, checked: CheckInputs, *found: tuple[str, str | None]) -> bool:
    """Whether an object is the one to be replaced by force, or one that a killed run has begun to create.

    Neither is checked with the prior inputs, which would tell.

    Args:
        context: The operation.
        checked: The inputs.
        found: What may be the object: ids of the resource's kind, and names where they are known.
    """
    if checked.prior or checked.is_replacement:
        return False
    own = (Provenance.PREDECESSOR, Provenance.INTERRUPTED)
    return any(context.provenance(id_, name) in own for id_, name in found)


def _holders(port: RemoteObject) -> Iterator[tuple[str, str | None]]:
    """What may have an address that a port has: the port, an attachment, a server."""
    yield port["id"], port.get("name")
    if server := port.get("device_id"):
        yield f"{server}/{port['id']}", None
        yield server, None


def _noteworthy(asked: Address, subnet: RemoteObject) -> Iterator[str]:
    """What a cloud may take, and most people do not mean."""
    if subnet.get("gateway_ip") and asked == ipaddress.ip_address(subnet["gateway_ip"]):
        yield "is the address of the subnet's router"
        return
    pools = [tuple(map(ipaddress.ip_address, (pool["start"], pool["end"]))) for pool in subnet["allocation_pools"]]
    if pools and not any(int(start) <= int(asked) <= int(end) for start, end in pools):
        listed = errors.join_names([f"{start} to {end}" for start, end in pools])
        yield f"lies outside the subnet's allocation pools: {listed}"


def disks(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """The sources and volume types of a server's block devices exist, and the images fit."""
    if not checked.changed("block_devices"):
        return
    names = catalog(context.cloud.region)
    for index, device in checked.items("block_devices"):
        place = f"[{index}]: "
        yield from _own_volume(context, device, place)
        if isinstance(device.get("volume_type"), str):
            yield from _missing("block_devices", partial(names.volume_type, device["volume_type"]), place)
        of_this = {"volume": names.volume, "snapshot": names.snapshot}.get(str(device.get("source_type")))
        if of_this and isinstance(device.get("uuid"), str) and not created_in_this_run(device["uuid"]):
            yield from _missing("block_devices", partial(of_this, device["uuid"]), place)
        if device.get("source_type") == "image" and isinstance(device.get("uuid"), str):
            missing = list(_missing("block_devices", partial(names.image, device["uuid"]), place))
            yield from missing
            least = 0 if missing else names.image(device["uuid"]).get("min_disk") or 0
            if isinstance(device.get("volume_size"), int) and device["volume_size"] < least:
                yield Problem("block_devices", f"{place}its image needs a disk of at least {least} GiB")


def _own_volume(context: Context, device: Mapping[str, object], place: str) -> Iterator[Problem]:
    """A volume that goes with the server is no Volume of the program."""
    if device.get("source_type") != "volume" or device.get("delete_on_termination") is not True:
        return
    volume = device.get("uuid")
    advice = "leave `delete_on_termination` out: the Volume goes when it is taken out of the program"
    if not isinstance(volume, str):
        context.notify(f"block_devices{place}the cloud deletes the volume with the server. If it is a Volume, {advice}")
    elif created_in_this_run(volume) or OWNERSHIP.other_owner(
        ObjectKey("Volume", context.cloud.region.name, volume), ""
    ):
        reason = f"the cloud would delete the program's Volume {volume} with the server"
        yield Problem("block_devices", f"{place}{reason}; {advice}")


_NOT_SHOWN = (errors.NoMatch, errors.Forbidden, errors.NotFound, errors.ProxyNotFound)
"""What a look at an object ends in that is not there, or not shown to this account."""


def _missing(name: str, look: Callable[[], object], place: str = "") -> Iterator[Problem]:
    try:
        look()
    except (errors.NoMatch, errors.NotUnique) as error:
        yield Problem(name, f"{place}{error}")
    except (errors.Forbidden, errors.NotFound, errors.ProxyNotFound):
        # Who may not list a thing may still use it.
        return
