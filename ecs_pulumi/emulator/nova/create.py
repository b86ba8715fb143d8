"""Creating servers (`POST /servers`): the checks before the response, and the document of the new server."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.neutron import servers as neutron
from ecs_pulumi.emulator.validation import (
    ADDRESS,
    BOOLEAN,
    COUNT,
    DISK_CONFIG,
    FLAVOR,
    MOST,
    NAME,
    OPTIONAL_TEXT,
    TAG,
    TEXT,
    UUID,
    Schema,
    body,
    fields,
    is_true,
    is_uuid,
)
from ecs_pulumi.emulator.versioned import links, require_admin

from . import otc
from .attachments import reserve_volume
from .flavors import find_flavor
from .instance import NOSTATE, begin_action, new_id, new_password
from .labels import METADATA
from .lifecycle import begin_build, next_device, volume_entry
from .placement import hosts
from .server_groups import join
from .service import service
from .usage import claim

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

GIB = 2**30
HINTS = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")
SHORT_TEXT: Schema = {"type": ["string", "null"], "maxLength": 255}
BLOCK_DEVICE: Schema = {
    "virtual_name": TEXT,
    "volume_id": OPTIONAL_TEXT,
    "snapshot_id": OPTIONAL_TEXT,
    "volume_size": {"type": ["integer", "string", "null"], "pattern": "^[0-9]+$", "minimum": 1},
    "device_name": OPTIONAL_TEXT,
    "delete_on_termination": BOOLEAN,
    "no_device": {"type": ["boolean", "string", "null"]},
    "connection_info": TEXT,
    "source_type": {"type": "string", "enum": ["volume", "image", "snapshot", "blank"]},
    "uuid": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
    "image_id": OPTIONAL_TEXT,
    "destination_type": {"type": "string", "enum": ["local", "volume"]},
    "guest_format": SHORT_TEXT,
    "device_type": SHORT_TEXT,
    "disk_bus": SHORT_TEXT,
    "boot_index": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$", "minimum": -MOST},
}
NETWORK: Schema = {"fixed_ip": ADDRESS, "port": OPTIONAL_TEXT, "uuid": TEXT}
FILE = fields({"path": TEXT, "contents": {"type": "string", "format": "base64"}})
SERVER_IDS: Schema = {"anyOf": [UUID, {"type": "array", "items": UUID}]}
SCHEDULER_HINTS: Schema = {
    "type": "object",
    "properties": {
        "group": UUID,
        "different_host": SERVER_IDS,
        "same_host": SERVER_IDS,
        "query": {"type": ["string", "object"]},
        "target_cell": NAME,
        "different_cell": {"type": ["string", "array"], "items": TEXT},
        "build_near_host_ip": TEXT,
        "cidr": {"type": "string", "pattern": "^/[0-9a-f.:]+$"},
    },
}
USER_DATA: Schema = {"type": "string", "format": "base64", "maxLength": 65535}


def _body_schema(call: Call) -> Schema:
    """Return the schema of the request body for the microversion of the request."""
    device, network = dict(BLOCK_DEVICE), dict(NETWORK)
    # Device tags exist from 2.32 to 2.36 and again since 2.42.
    if call.at_least(42) or (call.at_least(32) and not call.at_least(37)):
        device["tag"] = network["tag"] = TAG
    if call.at_least(67) or call.is_otc:
        device["volume_type"] = SHORT_TEXT
    if call.is_otc:
        device = {name: device[name] for name in otc.DEVICE_FIELDS} | otc.DEVICE
        network = dict(NETWORK)
    properties: Schema = {
        "name": NAME,
        "flavorRef": FLAVOR,
        "imageRef": {"type": "string", "anyOf": [{"enum": [""]}, {"format": "uuid"}, {"pattern": "/"}]},
        "adminPass": TEXT,
        "metadata": METADATA,
        "networks": {"type": ["array", "string"] if call.at_least(37) else "array", "items": fields(network)},
        "block_device_mapping_v2": {"type": "array", "items": fields(device)},
        "OS-DCF:diskConfig": DISK_CONFIG,
        "accessIPv4": {"type": "string", "format": "ipv4"},
        "accessIPv6": {"type": "string", "format": "ipv6"},
        "availability_zone": NAME,
        "config_drive": BOOLEAN,
        "key_name": NAME,
        "min_count": COUNT,
        "max_count": COUNT,
        "return_reservation_id": BOOLEAN,
        "security_groups": {"type": "array", "items": fields({"name": NAME})},
        # On v2 user data may be null, which changes the error message.
        "user_data": {"anyOf": [USER_DATA, {"type": "null"}]} if call.version == "v2" else USER_DATA,
    }
    if not call.at_least(57):
        properties["personality"] = {"type": "array", "items": FILE}
    if call.at_least(19):
        properties["description"] = SHORT_TEXT
    if call.at_least(52):
        properties["tags"] = {"type": "array", "maxItems": 50, "items": TAG}
    if call.at_least(63):
        properties["trusted_image_certificates"] = {"type": ["array", "null"]}
    if call.at_least(74):
        properties["host"] = properties["hypervisor_hostname"] = TEXT
    if call.at_least(90):
        properties["hostname"] = {"type": "string", "minLength": 2, "maxLength": 63}
    if call.is_otc:
        otc.restrict(properties)
    return fields(properties, "name", "flavorRef", *(["networks"] if call.at_least(37) or call.is_otc else []))


@service.post("/servers")
def create(call: Call) -> Reply:
    """`POST /servers`: accept the request and start the build."""
    requested = body(call, "server", _body_schema(call), *HINTS)
    destination = _destination(call, requested)
    flavor = find_flavor(call, requested["flavorRef"])
    image = _image(call, requested)
    zone = _zone(call, requested)
    key_name = requested.get("key_name")
    if key_name is not None and call.get("keypair", f"{call.user_id}/{key_name}") is None:
        raise HttpError(400, "Invalid key_name provided.")
    groups = _security_groups(call, requested)
    networks = _networks(call, requested)
    volumes, root_size = _volumes(call, requested, image)
    _check_sizes(flavor, image, root_size)
    _check_local(flavor, requested.get("block_device_mapping_v2") or [])
    hints = _hints(call)
    count = _count(requested)
    if call.is_otc:
        otc.check(requested, count)
        zone = otc.zone_of_volumes(call, zone, [each["volume_id"] for each in volumes if each["volume_id"]])
    claim(
        call,
        call.project_id,
        instances=count,
        cores=count * flavor["vcpus"],
        ram=count * flavor["ram"],
    )
    reservation = f"r-{''.join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))}"
    docs = []
    for number in range(count):
        suffix = f"-{number:04d}" if call.is_otc else f"-{number + 1}"
        name = requested["name"] if count == 1 else f"{requested['name']}{suffix}"
        doc = _document(call, requested | {"name": name}, flavor, zone)
        boot_image = image["id"] if image and root_size is None else ""
        doc |= {"image_id": boot_image, "reservation_id": reservation, "requested_networks": networks}
        doc |= {"security_group_ids": groups, "hints": hints, "destination": destination}
        doc["volumes"] = _disks(call, doc, [dict(volume) for volume in volumes])
        if image and call.is_otc:
            doc["image_id"] = image["id"]  # the root disk is a volume, and Nova shows the image all the same
        for volume in doc["volumes"]:
            if volume["volume_id"]:
                reserve_volume(call, volume["volume_id"])
        begin_action(call, doc, "create")
        call.put("server", doc)
        join(call, hints.get("group"), doc["id"])
        begin_build(call, doc)
        docs.append(doc)
    if is_true(requested.get("return_reservation_id", False)):
        return Reply(202, {"reservation_id": reservation})
    return _accepted(call, requested, docs[0])


def _count(requested: Document) -> int:
    min_count = int(requested.get("min_count", 1))
    max_count = int(requested.get("max_count", min_count))
    if min_count > max_count:
        raise HttpError(400, "min_count must be <= max_count")
    return max_count


def _accepted(call: Call, requested: Document, doc: Document) -> Reply:
    names = [{"name": group["name"]} for group in requested.get("security_groups") or [{"name": "default"}]]
    rendered = {
        "id": doc["id"],
        "links": links(call, f"servers/{doc['id']}"),
        "OS-DCF:diskConfig": doc["disk_config"],
        "security_groups": names,
        "adminPass": requested.get("adminPass") or new_password(),
    }
    return Reply(202, {"server": rendered}, {"Location": f"{call.self_base}/servers/{doc['id']}"})


def _document(call: Call, requested: Document, flavor: Document, zone: str) -> Document:
    number = call.get("counter", "server") or {"id": "server", "value": 0}
    number["value"] += 1
    call.put("counter", number)
    # Before microversion 2.19, Nova stores the name as the description.
    description = requested.get("description") if call.at_least(19) else requested["name"]
    return {
        "id": new_id(),
        "name": requested["name"],
        "project_id": call.project_id,
        "user_id": call.user_id,
        "description": description,
        "metadata": requested.get("metadata", {}) | _metadata_of_cloud(call, requested),
        "tags": list(dict.fromkeys(requested.get("tags", []))),
        "flavor": flavor,
        "created": call.now,
        "updated": call.now,
        "launched": None,
        "terminated": None,
        "vm_state": "building",
        "task_state": "scheduling",
        "power_state": NOSTATE,
        "scheduled": False,
        "deleted": False,
        "host": "",
        "hypervisor": None,
        "zone": zone,
        "key_name": requested.get("key_name"),
        "config_drive": is_true(requested.get("config_drive", False)),
        "user_data": requested.get("user_data"),
        "disk_config": requested.get("OS-DCF:diskConfig", "MANUAL"),
        "access_v4": requested.get("accessIPv4", ""),
        "access_v6": requested.get("accessIPv6", ""),
        "instance_name": f"instance-{number['value']:08x}",
        "hostname": requested.get("hostname", requested["name"].lower().replace(" ", "-")),
        "locked": False,
        "locked_reason": None,
        "fault": None,
        "resize": None,
        "nics": [],
        "volumes": [],
    }


def _metadata_of_cloud(call: Call, requested: Document) -> dict[str, str]:
    """Return the metadata that an Open Telekom Cloud adds to a server."""
    if call.rules.server_metadata == "plain":
        return {}
    image_id = str(requested.get("imageRef") or "").rpartition("/")[2]
    image = {"metering.image_id": image_id, "metering.imagetype": "gold"} if image_id else {}
    return {
        **image,
        "metering.resourcespeccode": f"{requested['flavorRef']}.linux".rpartition("/")[2],
        "metering.resourcetype": "1",
        "charging_mode": "0",
        "os_bit": "64",
        "os_type": "Linux",
        "__support_agent_list": "hss,ces",
    }


def _image(call: Call, requested: Document) -> Document | None:
    """Return the image of `imageRef`; None if the server boots from a block device."""
    reference = str(requested.get("imageRef") or "").rpartition("/")[2]
    if not reference:
        if requested.get("block_device_mapping_v2"):
            return None
        raise HttpError(400, "Missing imageRef attribute")
    image = call.get("image", reference)
    if image is None:
        raise HttpError(400, "Can not find requested image")
    if image["status"] != "active":
        raise HttpError(400, f"Image {reference} is not active.")
    return image


def _destination(call: Call, requested: Document) -> Document:
    """Return the requested host and hypervisor; 403 unless the caller is an administrator, 400 if there is none."""
    names = {"host": "host", "hypervisor_hostname": "hypervisor"}
    wanted = {place: requested[name] for name, place in names.items() if name in requested}
    if wanted:
        require_admin(call, "compute:servers:create:requested_destination")
    for place, value in wanted.items():
        if not any(host[place] == value for host in hosts(call)):
            raise HttpError(400, f"Compute host {value} could not be found.")
    return wanted


def _zone(call: Call, requested: Document) -> str:
    zone = str(requested.get("availability_zone", ""))
    if zone and zone not in call.zones():
        raise HttpError(400, "The requested availability zone is not available")
    return zone


def _security_groups(call: Call, requested: Document) -> list[str] | None:
    group_ids: list[str] = []
    for group in requested.get("security_groups") or []:
        try:
            group_ids += neutron.security_group_ids(call, [group["name"]])
        except HttpError as error:
            if error.status == 409:  # noqa: PLR2004
                raise
            raise HttpError(400, f"Unable to find security_group with name or id '{group['name']}'") from None
    return group_ids or None


def _networks(call: Call, requested_server: Document) -> list[Document]:
    """Return the requested interfaces, each with a port or a network."""
    requested = requested_server.get("networks")
    if requested == "none":
        return []
    if isinstance(requested, str) and requested != "auto":
        raise HttpError(
            400,
            f"Invalid input for field/attribute networks. Value: {requested}. '{requested}' is not one of ['auto',"
            " 'none']",
        )
    if not requested or requested == "auto":
        usable = neutron.usable_networks(call)
        if len(usable) > 1:
            raise HttpError(409, "Multiple possible networks found, use a Network ID to be more specific.")
        if requested == "auto" and not usable:
            raise HttpError(400, f"Unable to automatically allocate a network for project {call.project_id}")
        return [{"uuid": network["id"]} for network in usable]
    return [check_network(call, each) for each in requested]


def check_network(call: Call, requested: Document) -> Document:
    """Return the requested interface.

    Raises:
        HttpError: the port, network or address does not exist, is in use or may not be used.
    """
    if requested.get("port"):
        port = call.get("port", requested["port"])
        if port is None or port["project_id"] != call.project_id:
            raise HttpError(400, f"Port id {requested['port']} could not be found.")
        if port["device_id"]:
            raise HttpError(409, f"Port {requested['port']} is still in use.")
        if not port["fixed_ips"]:
            raise HttpError(400, f"Port {requested['port']} requires a FixedIP in order to be used.")
        return requested
    network_id = requested.get("uuid")
    if not network_id or not is_uuid(network_id):
        raise HttpError(400, f"Bad networks format: network uuid is not in proper format ({network_id})")
    network = call.get("network", network_id)
    if network is None or not (
        network["project_id"] == call.project_id or network["shared"] or network["router:external"]
    ):
        raise HttpError(400, f"Network {network_id} could not be found.")
    if network["router:external"] and network["project_id"] != call.project_id and not network["shared"]:
        raise HttpError(403, f"It is not allowed to create an interface on external network {network_id}")
    if not call.count("subnet", network_id=network_id):
        raise HttpError(400, f"Network {network_id} requires a subnet in order to boot instances on.")
    address = requested.get("fixed_ip")
    if address:
        for port in call.find("port", network_id=network_id):
            if any(fixed["ip_address"] == address for fixed in port["fixed_ips"]):
                raise HttpError(400, f"Fixed IP address {address} is already in use on instance {port['device_id']}.")
    return requested


def _volumes(call: Call, requested: Document, image: Document | None) -> tuple[list[Document], int | None]:
    """Return the disks that are volumes, and the size of the root volume.

    The size is None if the root disk is local, and 0 if the size of the root volume is unknown.
    """
    devices = requested.get("block_device_mapping_v2") or []
    indexes = sorted(int(each["boot_index"]) for each in devices if _bootable(each))
    if image is not None and not devices:
        devices = [otc.root_volume(image)] if call.is_otc else []
        indexes = [0]
    elif image is not None and call.is_otc:
        indexes = []  # the cloud takes either the image or the disks
    if indexes != list(range(len(indexes))) or not indexes:
        raise HttpError(
            400,
            "Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping"
            " combination is not valid.",
        )
    volumes = []
    root_size = None
    for each in devices:
        source = each.get("source_type", "blank")
        default = "volume" if source in ("volume", "snapshot") else "local"
        destination = each.get("destination_type", default)
        root = _bootable(each) and int(each["boot_index"]) == 0
        size = int(each.get("volume_size") or 0)
        source_doc = _source(call, each, source)
        if source == "volume" and source_doc["multiattach"] and not call.at_least(60):
            raise HttpError(400, "Multiattach volumes are only supported starting with compute API version 2.60.")
        if destination == "local":
            if source == "image" and (image is None or not root):
                raise HttpError(400, "Block Device Mapping is Invalid: Mapping image to local is not supported.")
            continue
        if source == "image" and not size:
            raise HttpError(400, "Images with destination_type 'volume' need to have a non-zero size specified")
        if source == "blank" and not size:
            raise HttpError(400, "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size")
        if root:
            root_size = size if source == "image" else 0
            if source == "image" and size * GIB < source_doc["min_disk"] * GIB:
                raise HttpError(
                    400,
                    "Volume is smaller than the minimum size specified in image metadata. Volume size is"
                    f" {size * GIB} bytes, minimum size is {source_doc['min_disk'] * GIB} bytes.",
                )
        volumes.append(_volume(call, each, source, source_doc, size, root=root))
    return volumes, root_size


def _check_local(flavor: Document, devices: list[Document]) -> None:
    """Reject blank local disks that exceed the swap or ephemeral size of the flavor."""
    blank = [
        each
        for each in devices
        if each.get("source_type") == "blank" and each.get("destination_type", "local") == "local"
    ]
    for each in blank:
        if each.get("guest_format") == "swap" and int(each.get("volume_size") or 0) * 1024 > flavor.get("swap", 0):
            raise HttpError(400, "Swap drive requested is larger than instance type allows.")
    sizes = [
        int(each.get("volume_size") or flavor["ephemeral"]) for each in blank if each.get("guest_format") != "swap"
    ]
    if sum(sizes) > flavor["ephemeral"]:
        raise HttpError(
            400,
            "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block"
            " device mapping, flavor ephemeral size will be used.",
        )


def _bootable(device: Document) -> bool:
    return device.get("boot_index") is not None and int(device["boot_index"]) >= 0


def _source(call: Call, device: Document, source: str) -> Document:
    """Return the image, snapshot or volume that a disk is created from; empty for a blank disk."""
    if source == "blank":
        return {}
    id_ = str(device.get("uuid") or device.get("image_id") or "")
    found = call.get(source, id_)
    if found is None or (source != "image" and found["project_id"] != call.project_id):
        raise HttpError(400, f"Block Device Mapping is Invalid: failed to get {source} {id_}.")
    return found


def _volume(call: Call, device: Document, source: str, source_doc: Document, size: int, *, root: bool) -> Document:
    volume_type = device.get("volume_type")
    if volume_type and not any(volume_type in (kind["name"], kind["id"]) for kind in call.find("volume_type")):
        raise HttpError(400, f"Volume type {volume_type} could not be found.")
    create_args: dict[str, Any] = {"size": size, "volume_type": volume_type}
    if source == "image":
        create_args["image_id"] = source_doc["id"]
    elif source == "snapshot":
        create_args |= {"snapshot_id": source_doc["id"], "size": size or source_doc["size"]}
    return {
        "volume_id": source_doc["id"] if source == "volume" else None,
        "make": create_args,
        "delete_on_termination": is_true(device.get("delete_on_termination", False)),
        "tag": device.get("tag"),
        "root": root,
        "asked_device": device.get("device_name"),
    }


def _disks(call: Call, doc: Document, volumes: list[Document]) -> list[Document]:
    """Assign device names to the disks, the root disk first."""
    for volume in sorted(volumes, key=lambda volume: not volume["root"]):
        doc["volumes"].append(volume_entry(next_device(call, doc), **volume))
    return list(doc["volumes"])


def _check_sizes(flavor: Document, image: Document | None, root_size: int | None) -> None:
    if image is None:
        return
    if flavor["ram"] < image["min_ram"]:
        raise HttpError(400, "Flavor's memory is too small for requested image.")
    if root_size is not None:
        return
    if flavor["disk"] == 0:
        raise HttpError(403, "Only volume-backed servers are allowed for flavors with zero disk.")
    if flavor["disk"] < image["min_disk"]:
        raise HttpError(
            400,
            "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is"
            f" {flavor['disk'] * GIB} bytes, minimum size is {image['min_disk'] * GIB} bytes.",
        )


def _hints(call: Call) -> Document:
    """Return the scheduler hints; 400 if one has an invalid form or the server group does not exist."""
    document = call.json()
    root = next((each for each in HINTS if each in document), None)
    if root is None:
        return {}
    hints: Document = body(call, root, SCHEDULER_HINTS, "server", *(each for each in HINTS if each != root))
    group = hints.get("group")
    if group is not None and call.get("server_group", str(group)) is None:
        raise HttpError(400, f"Instance group {group} could not be found.")
    if call.is_otc:
        return {"group": group} if group else {}  # the other hints that the emulator knows have no effect
    return hints
