"""Which ports and volumes belong to an existing server, for the program with which `adopt` imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.defaults import defaults
from ecs_pulumi.resources.server.create import root_volume_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ecs_pulumi.dynamic.existing import Key
    from ecs_pulumi.dynamic.handler import ImportedResource
    from ecs_pulumi.resources.clients import Existing
    from ecs_pulumi.resources.remote import RemoteObject

_SET_BY_USERS = ("name", "description", "tags", "allowed_address_pairs", "extra_dhcp_opts")


def is_of_nova(existing: Existing, port: RemoteObject) -> bool:
    """Whether Nova created the port for a NIC: it has none of the properties that a user would have set."""
    if existing.is_declared("Port", port["id"]):
        return False
    return (port.get("device_owner") or "").startswith("compute:") and not any(map(port.get, _SET_BY_USERS))


def nics(existing: Existing, server: RemoteObject) -> list[RemoteObject]:
    """Return the server's ports, in the order of its NICs if the API returns it."""
    listed = [
        item.get("OS-EXT-IPS-MAC:mac_addr") for group in (server.get("addresses") or {}).values() for item in group
    ]
    ports = existing.related("Port", _device_of, server["id"])
    ports.sort(key=lambda port: (port.get("created_at") or "", port["id"]))
    return sorted(ports, key=lambda port: listed.index(port["mac_address"]) if port["mac_address"] in listed else 99)


def first_nics(existing: Existing, server: RemoteObject) -> list[RemoteObject]:
    """Return the ports that the server has had since its launch: the program lists them in `networks`."""
    return [port for port in nics(existing, server) if not _is_later(existing, port, server)]


def later_nics(existing: Existing, server: RemoteObject) -> list[RemoteObject]:
    """Return the ports that were attached after the launch of the server."""
    return [port for port in nics(existing, server) if _is_later(existing, port, server)]


def subnets_of(existing: Existing, ports: Iterable[RemoteObject]) -> list[Key]:
    """Return the subnets of the ports that Nova created.

    The NIC of such a port refers only to the network, but its subnets cannot be deleted before it.
    """
    items = [item for port in ports if is_of_nova(existing, port) for item in port.get("fixed_ips") or ()]
    return [("Subnet", id_) for id_ in dict.fromkeys(item["subnet_id"] for item in items)]


def parts(existing: Existing, server: RemoteObject) -> Iterator[Key]:
    """Yield the volumes and ports that were created with the server and are deleted with it."""
    yield from (("Volume", disk["id"]) for disk in _own_disks(existing, server))
    yield from (("Port", port["id"]) for port in nics(existing, server) if is_of_nova(existing, port))


def later_disks(existing: Existing, server: RemoteObject) -> list[RemoteObject]:
    """Return the volumes that the server's own resource does not declare, in the order of their devices."""
    root = _root(existing, server)
    disks = _disks(existing, server)
    return [disk for disk in disks if disk is not root and ("Volume", disk["id"]) not in existing.parts]


def complete(resource: ImportedResource, existing: Existing, server: RemoteObject, outputs: Mapping[str, Any]) -> None:
    """Add the NICs and disks of a server to its resource, and what differs from the defaults of the cloud.

    Args:
        resource: The resource, with the inputs that its field options determine.
        existing: All existing objects.
        server: The remote object.
        outputs: Its inputs and outputs in plain form.
    """
    known, ports = defaults(existing.cloud.region), nics(existing, server)
    resource.inputs["networks"] = [
        {"network_id": port["network_id"]} if is_of_nova(existing, port) else {"port_id": port["id"]}
        for port in first_nics(existing, server)
    ]
    _add_disks(resource, existing, server)
    _add_groups(resource, existing, server)
    for group in existing.related("ServerGroup", _members_of, server["id"]):
        resource.inputs["scheduler_hints"] = {"group": group["id"]}
    resource.inputs["key_name"] = server.get("key_name") or None
    if outputs.get("image_id"):
        resource.inputs["image"] = known.image_reference(outputs["image_id"])
    state = outputs.get("power_state")
    resource.inputs["power_state"] = None if state == "active" else state
    resource.inputs["disk_config"] = None
    resource.inputs["availability_zone"] = None if known.one_server_zone else outputs.get("availability_zone")
    resource.depends_on = subnets_of(existing, ports)


def _add_groups(resource: ImportedResource, existing: Existing, server: RemoteObject) -> None:
    """Add the security groups, which a program can set only if Nova created all NICs; otherwise a comment."""
    known, ports = defaults(existing.cloud.region), nics(existing, server)
    names = sorted({group["name"] for group in server.get("security_groups") or ()})
    resource.inputs["security_groups"] = None
    if not ports or names in ([], ["default"]):
        return
    groups = {id_ for port in ports if is_of_nova(existing, port) for id_ in port.get("security_groups") or ()}
    if all(is_of_nova(existing, port) for port in ports):
        # The ids become references to the resources of the groups.
        resource.inputs["security_groups"] = sorted(groups) or names
        return
    if groups - set(known.security_groups):
        resource.comments.append(f"The NICs that Nova created have the security groups {known.group_names(groups)}.")


def _members_of(group: RemoteObject) -> list[str]:
    return list(group.get("members") or ())


def _add_disks(resource: ImportedResource, existing: Existing, server: RemoteObject) -> None:
    """Add the block devices, and the image of the root disk if it is one of them."""
    known = defaults(existing.cloud.region)
    root, own, devices = _root(existing, server), _own_disks(existing, server), []
    if root is not None and server.get("image"):
        # A replacement gets such a disk from `image` alone, unless the disk has grown.
        own = [disk for disk in own if disk is not root or _is_larger_than_image(existing, server, disk)]
        root = root if root in own else None
    else:
        resource.inputs["image"] = None
    for disk in own:
        outputs = existing.outputs("Volume", disk)
        source: RemoteObject = {"source_type": "blank"}
        if disk is root and outputs.get("image_id"):
            source = {"source_type": "image"}
            resource.inputs["image"] = known.image_reference(outputs["image_id"])
        elif outputs.get("snapshot_id"):
            source = {"source_type": "snapshot", "uuid": outputs["snapshot_id"]}
        elif outputs.get("image_id"):
            source = {"source_type": "image", "uuid": outputs["image_id"]}
        kind = outputs.get("volume_type")
        devices.append(
            {
                **source,
                "destination_type": "volume",
                "boot_index": 0 if disk is root else -1,
                "volume_size": outputs["size"],
                **({"volume_type": kind} if kind and kind != known.volume_type else {}),
                "delete_on_termination": True,
            }
        )
        resource.comments.append(f"Volume {disk['id']} was created with the server and is deleted with it.")
    if root is not None and root not in own:
        first = {"source_type": "volume", "uuid": root["id"], "destination_type": "volume", "boot_index": 0}
        devices.insert(0, first)
    if devices:
        resource.comments.append("No API returns block_devices: a replacement uses these, and a preview ignores them.")
    resource.inputs["block_devices"] = devices or None


def _device_of(port: RemoteObject) -> list[str]:
    return [port.get("device_id") or ""]


def _servers_of(volume: RemoteObject) -> list[str]:
    return [item["server_id"] for item in volume.get("attachments") or ()]


def _is_later(existing: Existing, port: RemoteObject, server: RemoteObject) -> bool:
    """Whether the port was created after the launch of the server, according to their timestamps.

    A port is not if another tool manages it, unless that tool also manages its attachment.
    """
    if existing.is_declared("InterfaceAttachment", f"{server['id']}/{port['id']}"):
        return True
    if existing.is_declared("Port", port["id"]):
        return False
    created, launched = port.get("created_at"), server.get("OS-SRV-USG:launched_at")
    return bool(created and launched and created.rstrip("Z") > launched.rstrip("Z"))


def _disks(existing: Existing, server: RemoteObject) -> list[RemoteObject]:
    """Return the volumes in the server, in the order of their devices."""

    def order(disk: RemoteObject) -> tuple[int, str, str]:
        device = next(
            (item.get("device") or "" for item in disk["attachments"] if item["server_id"] == server["id"]), ""
        )
        return len(device), device, disk["id"]

    return sorted(existing.related("Volume", _servers_of, server["id"]), key=order)


def _root(existing: Existing, server: RemoteObject) -> RemoteObject | None:
    """Return the volume that the server boots from; None if it boots from a local disk."""
    disks = _disks(existing, server)
    bootable = next((disk for disk in disks if str(disk.get("bootable")).lower() == "true"), None)
    if server.get("image"):
        # Some clouds show the image of a server although they made a volume of it.
        return bootable if bootable and _is_first(existing, server, bootable) else None
    return bootable or next(iter(disks), None)


def _is_first(existing: Existing, server: RemoteObject, disk: RemoteObject) -> bool:
    """Whether the disk is the first device of the server, which it cannot be next to a local root disk."""
    devices = [item.get("device") for item in disk["attachments"] if item["server_id"] == server["id"]]
    is_first = any((device or "").endswith("da") for device in devices)
    return is_first or existing.cloud.region.differences.boots_from_volumes_only


def _is_larger_than_image(existing: Existing, server: RemoteObject, disk: RemoteObject) -> bool:
    """Whether the disk is larger than the volume that a cloud makes of the server's image."""
    try:
        image = catalog(existing.cloud.region).image(server["image"]["id"])
    except errors.EcsError:
        return False  # the image is gone
    return int(disk["size"]) > root_volume_size(image)


def _own_disks(existing: Existing, server: RemoteObject) -> list[RemoteObject]:
    """Return the volumes that were created with the server and are deleted with it, the root disk first."""
    root = _root(existing, server)
    on_termination = {
        item["id"]: item.get("delete_on_termination")
        for item in server.get("os-extended-volumes:volumes_attached") or ()
    }
    own: list[RemoteObject] = []
    for disk in _disks(existing, server):
        if existing.is_declared("Volume", disk["id"]):
            continue
        is_deleted = on_termination.get(disk["id"])
        if disk is root and server.get("image"):
            is_deleted = is_deleted is not False
        elif disk is root:
            has_source = disk.get("volume_image_metadata") or disk.get("snapshot_id")
            # The older API does not return delete_on_termination. A volume that Nova created has no name.
            is_deleted = has_source and (not disk.get("name") if is_deleted is None else is_deleted)
        else:
            is_deleted = is_deleted and not disk.get("name")
        if is_deleted:
            own.insert(0 if disk is root else len(own), disk)
    return own
