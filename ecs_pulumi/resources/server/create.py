"""The create request of a server: its body, and the API version that it needs (guide, chapter 4)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, fields_of, to_plain
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.owner_markers import metadata_with_marker, owner_marker
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.request_body import create_body
from ecs_pulumi.resources.same_run import retry_while_awaited
from ecs_pulumi.resources.server import refusals
from ecs_pulumi.resources.server.nics import deduplicate_groups
from ecs_pulumi.resources.server.report_rules import destination
from ecs_pulumi.resources.server.schema import ServerInputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_NETWORK_KEYWORDS, _DEVICE_TAGS, _MULTIATTACH, _VOLUME_TYPE = "2.37", "2.42", "2.60", "2.67"
_LAST_PERSONALITY = "2.56"
_NO_SUBNET = re.compile(r"Network (\S+) requires a subnet")
_ZERO_DISK = re.compile("Only volume-backed servers are allowed for flavors with zero disk")


def required_microversions(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield property, feature and microversion of each input that the API version of the guide does not support."""
    if inputs.get("description"):
        yield "description", "a server's description", compute.DESCRIPTION
    if inputs.get("tags"):
        yield "tags", "a server's tags", compute.TAGS
    if inputs.get("hypervisor_hostname"):
        yield "hypervisor_hostname", "the host of a new server", compute.REQUESTED_HOST
    networks = inputs.get("networks")
    if networks == "none":
        yield "networks", 'networks="none"', _NETWORK_KEYWORDS
    for name in ("networks", "block_devices"):
        items = inputs.get(name)
        if isinstance(items, list) and any(item.get("tag") for item in items):
            yield name, f"a tag in {name}", _DEVICE_TAGS
    devices = inputs.get("block_devices")
    if isinstance(devices, list) and any(device.get("multiattach") for device in devices):
        yield "block_devices", "a multiattach volume in block_devices", _MULTIATTACH


def unsupported(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Yield a problem for each input that the cloud's API version does not support."""
    known = {
        name: [item for _, item in checked.items(name)] if isinstance(value, list) else checked.known(name)
        for name, value in checked.values.items()
    }
    api = context.cloud.compute
    for name, feature, microversion in required_microversions(known):
        if not checked.changed(name) or fields_of(ServerInputs)[name].since:
            continue  # `EcsHandler.preflight` checks the fields that need a microversion whatever their value is
        try:
            api.require(feature, microversion)
        except errors.Unsupported as error:
            yield Problem(name, str(error))
    if not known.get("personality"):
        return
    last = f"is supported up to compute {_LAST_PERSONALITY}"
    if any(item.get("volume_type") for item in known.get("block_devices") or ()) and api.supports(_VOLUME_TYPE):
        yield Problem(
            "personality",
            f"{last}, but a block device's volume_type needs {_VOLUME_TYPE}; "
            'create the volume as a Volume, or force the old API with ecs:apiVersions {"compute": "2"}',
        )
    for name, microversion in (("hypervisor_hostname", compute.REQUESTED_HOST), ("multiattach", _MULTIATTACH)):
        devices = known.get("block_devices") or ()
        if known.get(name) or any(item.get(name) for item in devices):
            yield Problem("personality", f"{last}, but {name} needs {microversion}")


class CreateRequest:
    """The create request of a server, which leaves out what the cloud refuses.

    What a cloud refuses is learned from its answers. The owner marker is then only in the metadata, tags are set after
    the creation, and the root disk of a flavor without a disk is a volume.
    """

    def __init__(self, context: Context, desired: ServerInputs) -> None:
        self._context, self._desired = context, desired
        self._body, self._microversion = create_request(context, desired)

    def send(self) -> RemoteObject:
        """Create the server, without what the cloud refuses."""
        while True:
            try:
                return once_subnets_exist(self._context, self._send)
            except (errors.BadRequest, errors.Forbidden) as error:
                prior = self._body
                if refused := _refused(self._context, prior, self._desired, error):
                    self._context.cloud.region.differences.note(refused)
                    self._body, self._microversion = create_request(self._context, self._desired)
                if self._body == prior:
                    error.hint = refusals.hint(self._desired, error) or error.hint
                    raise

    def _send(self) -> RemoteObject:
        hints, api = self._desired.scheduler_hints, self._context.cloud.compute
        return compute.create_server(api, self._body, hints=hints, microversion=self._microversion)


def _refused(
    context: Context, body: Mapping[str, Any], desired: ServerInputs, error: errors.BadRequest | errors.Forbidden
) -> Fact | None:
    """Return what a refused create request shows, which is better sent without; None if the program has to change."""
    refused = {*errors.unknown_attributes(error), errors.invalid_attribute(error)}
    # How an Open Telekom Cloud words this refusal is not documented. The metadata contain the marker in any case.
    may_be_marker = context.cloud.region.differences.has_undocumented_refusals
    is_marker = may_be_marker and re.search(r"\bdescription\b", error.message)
    if "description" in body and not desired.description and ("description" in refused or is_marker):
        return Fact.NO_DESCRIPTION_FOR_MARKER
    if "tags" in body and "tags" in refused:
        return Fact.NO_TAGS_IN_CREATE
    # Without the keyword the request must be one that the cloud refuses for no other reason: it could create a server
    # without NICs.
    if isinstance(body.get("networks"), str) and desired.networks is None and "networks" in refused:
        return Fact.NO_NETWORKS_KEYWORD
    is_zero_disk = _ZERO_DISK.search(error.message) and "block_device_mapping_v2" not in body
    return Fact.NO_SERVER_WITHOUT_DISK if is_zero_disk else None


def create_request(context: Context, desired: ServerInputs) -> tuple[RemoteObject, str | None]:
    """Return the body of the create request and the microversion it needs."""
    api, names = context.cloud.compute, catalog(context.cloud.region)
    required = {
        api.require(feature, microversion) for _, feature, microversion in required_microversions(to_plain(desired))
    }
    body = create_body(
        desired, "name", "description", "key_name", "availability_zone", "config_drive", "hypervisor_hostname"
    )
    body |= create_body(desired, admin_pass="adminPass", disk_config="OS-DCF:diskConfig")  # noqa: S106  (a name)
    flavor = names.flavor(desired.flavor)
    body["flavorRef"] = flavor["id"]
    image = names.image(desired.image) if desired.image else None
    if (
        image
        and not desired.block_devices
        and not (flavor["disk"] == 0 and context.cloud.region.differences.knows(Fact.NO_SERVER_WITHOUT_DISK))
    ):
        body["imageRef"] = image["id"]
    else:
        body |= _disks(_devices(context, to_plain(desired.block_devices) or [], image, flavor))
    if desired.user_data is not None:
        body["user_data"] = to_base64(desired.user_data)
    if desired.personality is not None:
        body["personality"] = encoded_files(to_plain(desired.personality))
    if desired.security_groups is not None:
        body["security_groups"] = [{"name": group} for group in deduplicate_groups(context, desired.security_groups)]
    if metadata := metadata_with_marker(context, desired.metadata):
        body["metadata"] = metadata
    labels, label_microversions = _labels(context, desired)
    body |= labels
    required |= label_microversions
    if any(item.volume_type for item in desired.block_devices or ()) and api.supports(_VOLUME_TYPE):
        required.add(_VOLUME_TYPE)
    if any(_is_shared(context, item) for item in to_plain(desired.block_devices) or ()):
        required.add(api.require("a server with a multiattach volume", _MULTIATTACH))
    microversion = max(required, key=_number, default=None)
    if desired.networks == [] and api.supports(_NETWORK_KEYWORDS):
        microversion = max(filter(None, (microversion, _NETWORK_KEYWORDS)), key=_number)
        body["networks"] = "none"
    elif isinstance(desired.networks, list):
        body["networks"] = [_nic(to_plain(nic)) for nic in desired.networks]
    elif microversion and _number(microversion) >= _number(_NETWORK_KEYWORDS):
        body["networks"] = desired.networks or "auto"
    return body, microversion


def _labels(context: Context, desired: ServerInputs) -> tuple[RemoteObject, set[str]]:
    """Return the owner marker and the tags as far as the create request may have them, and the microversions for it."""
    api, differences = context.cloud.compute, context.cloud.region.differences
    body: RemoteObject = {}
    microversions = set()
    if owner_marker(context) and not desired.description and api.supports(compute.DESCRIPTION):
        # Below this microversion, the description would be the name.
        microversions.add(compute.DESCRIPTION)
        if not differences.knows(Fact.NO_DESCRIPTION_FOR_MARKER):
            body["description"] = owner_marker(context)
    # The microversion for tags makes a request without networks say so by a keyword.
    without_keyword = desired.networks is None and differences.knows(Fact.NO_NETWORKS_KEYWORD)
    refuses_tags = without_keyword or differences.knows(Fact.NO_TAGS_IN_CREATE)
    if desired.tags and not refuses_tags and api.supports(compute.TAGS_IN_CREATE):
        microversions.add(compute.TAGS_IN_CREATE)
        body["tags"] = sorted(set(desired.tags))
    return body, microversions


def _is_shared(context: Context, device: Mapping[str, Any]) -> bool:
    """Return whether a block device is a multiattach volume."""
    if device.get("multiattach") is not None:
        return bool(device["multiattach"])
    if device.get("source_type") != "volume" or not device.get("uuid"):
        return False
    try:
        return bool(block_storage.get_volume(context.cloud.block_storage, device["uuid"]).get("multiattach"))
    except errors.NotFound:
        return False  # Nova reports the missing volume


def _number(microversion: str) -> tuple[int, ...]:
    return tuple(map(int, microversion.split(".")))


def _nic(nic: Mapping[str, Any]) -> RemoteObject:
    body = {"uuid": nic.get("network_id"), "port": nic.get("port_id"), "fixed_ip": nic.get("fixed_ip")}
    return {key: value for key, value in {**body, "tag": nic.get("tag")}.items() if value is not None}


def _devices(
    context: Context, devices: list[RemoteObject], image: RemoteObject | None, flavor: RemoteObject
) -> list[RemoteObject]:
    """Return the block devices; the boot device gets the server's image unless it names another source."""
    root = next((device for device in devices if device.get("boot_index") == 0), None)
    if root is None and image:
        # With block devices in the request, Nova builds the root disk from the image only if a device says so.
        root = {"source_type": "image", "uuid": image["id"], "boot_index": 0, "delete_on_termination": True}
        size = {"destination_type": "volume", "volume_size": root_volume_size(image)}
        return [{**root, **({"destination_type": "local"} if flavor["disk"] else size)}, *devices]
    if root is not None and root["source_type"] == "image":
        source = catalog(context.cloud.region).image(root["uuid"]) if root.get("uuid") else image
        root["uuid"] = source and source["id"]
    return devices


def root_volume_size(image: RemoteObject) -> int:
    """Return the size in GiB of the volume that an image needs."""
    sizes = [int(image.get(name) or 0) for name in ("size", "virtual_size")]
    return max(1, int(image.get("min_disk") or 0), *(-(-size // 2**30) for size in sizes))


def _disks(devices: list[RemoteObject]) -> RemoteObject:
    # Without a destination type Nova does not attach the device and leaves its volume reserved forever.
    devices = [
        {name: value for name, value in device.items() if name != "multiattach"}
        | {"destination_type": destination(device)}
        for device in devices
    ]
    local = [device for device in devices if device["destination_type"] == "local"]
    # Nova fills a local root disk only if the request also has `imageRef`.
    root_images = [
        device["uuid"] for device in local if device["source_type"] == "image" and device.get("boot_index") == 0
    ]
    return {"block_device_mapping_v2": devices} | ({"imageRef": root_images[0]} if root_images else {})


def encoded_files(files: list[RemoteObject]) -> list[RemoteObject]:
    """Return the files of `personality` as a request contains them."""
    return [{**item, "contents": to_base64(item["contents"])} for item in files]


def to_base64(text: str) -> str:
    """Encode a text as base64; return it unchanged if it is base64 already."""
    try:
        base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        return base64.b64encode(text.encode()).decode()
    return text


def once_subnets_exist(context: Context, send: Callable[[], RemoteObject]) -> RemoteObject:
    """Send the create request. While a network of the same run has no subnet yet, repeat it for a minute.

    A server refers to its network, and not to the subnet, which the engine may create later.
    """

    def awaited(error: errors.ApiError, _: float) -> str | None:
        found = _NO_SUBNET.match(error.message) if isinstance(error, errors.BadRequest) else None
        if not found or not (created_in_this_run(found[1]) or planned(context.cloud.region).subnets(found[1])):
            return None
        return f"waiting for a subnet of the network {found[1]}"

    return retry_while_awaited(context, send, awaited)
