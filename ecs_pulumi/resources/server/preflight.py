"""Checks of a server's inputs that a preview makes against the cloud."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, objects
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources import preflight, volume_requests
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.server import actions, stock
from ecs_pulumi.resources.server.schema import may_boot_from_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_NONE = "2.37"
"""The compute microversion that introduced `networks: none`."""
_SHOWN_NETWORKS = 5


def check(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that what the inputs refer to exists and that flavor, image, disks and NICs are compatible."""
    names = catalog(context.cloud.region)
    flavor = image = None
    if checked.known("flavor") and checked.changed("flavor", "image"):
        try:
            flavor = names.flavor(checked.known("flavor"))
        except (errors.NoMatch, errors.NotUnique) as error:
            yield Problem("flavor", str(error))
    if checked.known("image") and checked.changed("flavor", "image", "block_devices"):
        try:
            image = names.image(checked.known("image"))
        except (errors.NoMatch, errors.NotUnique) as error:
            yield Problem("image", str(error))
    yield from _fit(flavor, image, checked)
    if flavor:
        yield from _in_stock(context, checked, flavor)
    yield from _actions(context, checked)
    yield from _key_pair(context, checked)
    yield from preflight.check_exists(checked, "availability_zone", lambda zone: names.zone(zone.split(":")[0]))
    if zone := _zone(checked):
        planned(context.cloud.region).server_zones.append(zone)
    yield from _groups(context, checked)
    yield from _server_group(context, checked)
    yield from _nics(context, checked)
    yield from _choice_of_network(context, checked)
    yield from _disks(context, checked)


def _zone(checked: CheckInputs) -> str | None:
    """Return the zone in the program, without the host that an administrator may append; None if it is not known."""
    zone = checked.known("availability_zone")
    return zone.split(":")[0] if zone else None


def _in_stock(context: Context, checked: CheckInputs, flavor: RemoteObject) -> Iterator[Problem]:
    """Check that a new server's flavor is not sold out; `check_resize` checks it for one that exists."""
    zone = _zone(checked)
    if checked.prior:
        return
    if reason := stock.shortage(context, flavor, zone):
        yield Problem("flavor", reason)
    elif not checked.has("availability_zone") and (zones := stock.zones_without(context, flavor)):
        context.notify(f"flavor: {flavor['name']} is sold out in {errors.join_names(zones)}; set availability_zone")


def check_resize(context: Context, name: str) -> None:
    """Reject a resize to a flavor that is sold out, and report one that the cloud refuses for a server from an image.

    Raises:
        OperationFailed: The flavor is sold out in the zone of the server.
    """
    flavor, prior = catalog(context.cloud.region).flavor(name), context.prior
    if reason := stock.shortage(context, flavor, prior.get("availability_zone")):
        raise errors.OperationFailed("flavor", reason)
    types = stock.resource_types(context, prior.get("flavor_id") or prior["flavor"], name)
    if prior.get("image") and len(set(types)) > 1:
        context.warn(
            f"flavor: {flavor['name']} has the resource type {types[1]}, the server has {types[0]}: "
            "the cloud refuses such a resize of a server that was created from an image"
        )


def _actions(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the cloud offers the actions that a change needs; warn if it may not."""
    sets_password = checked.prior and checked.has("admin_pass")
    for name, action in (("power_state", checked.known("power_state")), ("admin_pass", "changePassword")):
        if not checked.changed(name) or (name == "admin_pass" and not sets_password):
            continue
        if reason := actions.not_offered(context, action):
            yield Problem(name, reason)
        elif reason := actions.maybe_not_offered(context, action):
            context.warn(f"{name}: {reason}")


def _key_pair(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the key pair of a server exists, unless the program declares it."""
    region = context.cloud.region
    if checked.known("key_name") not in planned(region).key_pairs:
        yield from preflight.check_exists(checked, "key_name", catalog(region).key_pair)


def _groups(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the security groups of a server exist.

    A missing group that is given by name is only a warning: the program may create it with another provider.
    """
    region = context.cloud.region
    look_up = catalog(region).security_group
    for _, name_or_id in checked.items("security_groups") if checked.changed("security_groups") else ():
        if name_or_id in planned(region).security_groups or created_in_this_run(name_or_id):
            continue
        for problem in preflight.missing("security_groups", partial(look_up, name_or_id)):
            if is_uuid(name_or_id):
                yield problem
            else:
                end = "" if problem.reason.endswith("?") else "."
                context.warn(
                    f"security_groups: {problem.reason}{end} "
                    "The update fails unless the program creates it before the server."
                )


def _server_group(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the server group in the hints exists."""
    hints = checked.values.get("scheduler_hints")
    group = hints.get("group") if isinstance(hints, dict) and checked.changed("scheduler_hints") else None
    if isinstance(group, str) and not created_in_this_run(group):
        look_up = partial(catalog(context.cloud.region).server_group, group)
        yield from preflight.missing("scheduler_hints", look_up, "group: ")


def _choice_of_network(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that a new server without `networks` has at most one to choose from: Nova does not choose among several."""
    networks = checked.values.get("networks")
    # An empty list means none, which the older API cannot express.
    is_unset = networks in (None, "auto") or (networks == [] and not context.cloud.compute.supports(_NONE))
    if checked.prior or not is_unset:
        return
    try:
        usable = catalog(context.cloud.region).usable_networks()
    except errors.MissingCredentials:
        raise
    except errors.EcsError:
        # Without the list, the create request reports the error.
        return
    if len(usable) > 1:
        names = sorted(network.get("name") or network["id"] for network in usable)
        listed = errors.join_names(names, most=_SHOWN_NETWORKS)
        reason = f"the cloud does not choose among the {len(usable)} networks of this project ({listed})"
        other = "" if context.cloud.region.differences.requires_nics else ', or give "none"'
        yield Problem("networks", f"{reason}; list those to connect{other}")


def _nics(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the networks and ports of a server's NICs exist and that desired addresses are available."""
    if not checked.changed("networks"):
        return
    resolver = catalog(context.cloud.region)
    for index, nic in checked.items("networks"):
        for part, kind in (("network_id", "network"), ("port_id", "port")):
            if not isinstance(nic.get(part), str) or created_in_this_run(nic[part]):
                continue
            if kind == "port":
                absent = list(preflight.missing_port(context, "networks", nic[part], f"[{index}]: "))
            else:
                absent = list(preflight.missing("networks", partial(resolver.neutron, kind, nic[part]), f"[{index}]: "))
            yield from absent
            if kind == "port" and nic[part] not in [each.get(part) for each in objects(checked.prior.get("networks"))]:
                preflight.port_in_use(context, checked, f"networks[{index}]", nic[part])
            if not absent and nic.get("fixed_ip") is not None:
                place = preflight.Place("networks", f"[{index}]: ", nic[part])
                yield from preflight.check_address(context, checked, place, nic["fixed_ip"])


def _disks(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the sources and volume types of a server's block devices exist, and that the images fit."""
    if not checked.changed("block_devices", "availability_zone"):
        return
    resolver = catalog(context.cloud.region)
    for index, device in checked.items("block_devices"):
        place = f"[{index}]: "
        yield from _check_delete_on_termination(context, device, place)
        if isinstance(device.get("volume_type"), str):
            absent = list(
                preflight.missing("block_devices", partial(resolver.volume_type, device["volume_type"]), place)
            )
            yield from absent or _lacking_type(context, checked, device["volume_type"], place)
        look_up = {"volume": resolver.volume, "snapshot": resolver.snapshot}.get(str(device.get("source_type")))
        if look_up and isinstance(device.get("uuid"), str) and not created_in_this_run(device["uuid"]):
            absent = list(preflight.missing("block_devices", partial(look_up, device["uuid"]), place))
            yield from absent
            if device["source_type"] == "volume" and not absent:
                yield from _other_zone(context, checked, device["uuid"], place)
        if device.get("source_type") == "image" and isinstance(device.get("uuid"), str):
            absent = list(preflight.missing("block_devices", partial(resolver.image, device["uuid"]), place))
            yield from absent
            image = {} if absent else resolver.image(device["uuid"])
            if needed := preflight.disk_needed(image, device.get("volume_size")):
                yield Problem("block_devices", f"{place}its image needs a disk of at least {needed} GiB")


def _lacking_type(context: Context, checked: CheckInputs, name: str, place: str) -> Iterator[Problem]:
    """Check that the zone of the server has the volume type, if the types name their zones."""
    zone = _zone(checked)
    if zone and (reason := volume_requests.lacking_type(context.cloud.region, name, zone)):
        yield Problem("block_devices", f"{place}{reason}")


def _other_zone(context: Context, checked: CheckInputs, volume_id: str, place: str) -> Iterator[Problem]:
    """Check that a volume is in the zone of the server, as the Open Telekom Cloud demands."""
    region, zone = context.cloud.region, _zone(checked)
    if zone and region.differences.attaches_within_zone_only:
        volume = catalog(region).volume(volume_id).get("availability_zone")
        if volume and volume != zone:
            reason = f"the volume is in {volume}, the server would be in {zone}: set `availability_zone` to {volume}"
            yield Problem("block_devices", f"{place}{reason}")


def _check_delete_on_termination(context: Context, device: Mapping[str, object], place: str) -> Iterator[Problem]:
    """Check that the cloud does not delete a Volume of the program together with the server."""
    if device.get("source_type") != "volume" or device.get("delete_on_termination") is not True:
        return
    volume = device.get("uuid")
    advice = "omit `delete_on_termination`: Pulumi deletes the Volume when it is removed from the program"
    if not isinstance(volume, str):
        context.notify(
            f"block_devices{place}the cloud deletes the volume with the server. If it is a Volume resource, {advice}"
        )
    elif created_in_this_run(volume) or OWNERSHIP.other_owner(ObjectKey("Volume", context.cloud.region.name, volume)):
        reason = f"the cloud would delete the program's Volume {volume} with the server"
        yield Problem("block_devices", f"{place}{reason}; {advice}")


def _fit(flavor: RemoteObject | None, image: RemoteObject | None, checked: CheckInputs) -> Iterator[Problem]:
    if not image:
        return
    min_ram = image.get("min_ram") or 0
    boot = next((item for _, item in checked.items("block_devices") if item.get("boot_index") == 0), None)
    if boot and (needed := preflight.disk_needed(image, boot.get("volume_size"))):
        yield Problem(
            "block_devices",
            f"the image {image['name']} needs a disk of at least {needed} GiB; volume_size is {boot['volume_size']}",
        )
    if flavor and min_ram > flavor["ram"]:
        yield Problem("flavor", f"{flavor['name']} has {flavor['ram']} MiB; the image {image['name']} needs {min_ram}")
    if flavor and not may_boot_from_device(checked) and (needed := preflight.disk_needed(image, flavor["disk"])):
        yield Problem(
            "flavor", f"{flavor['name']} has a disk of {flavor['disk']} GiB; the image {image['name']} needs {needed}"
        )
