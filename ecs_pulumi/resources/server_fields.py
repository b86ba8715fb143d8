"""What a program may ask of a server, and what is observed of it (guide, chapter 4; Nova API reference, "Servers")."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from ecs_pulumi.dynamic.fields import (
    CheckInputs,
    Computed,
    InPlace,
    Inputs,
    Nested,
    Outputs,
    Problem,
    ProviderOnly,
    Replace,
    RequiresMicroversion,
    Secret,
    Set,
    WriteOnly,
    is_unknown,
)
from ecs_pulumi.resources.addresses import FixedIp, IpAddress

_VOLUMES = ("volume", "snapshot")

PowerState = Literal["active", "shutoff", "paused", "suspended", "shelved_offloaded"]


class ServerNetworkArgs(TypedDict, total=False):
    """One NIC: a port of one's own, or a network in which Nova makes a port."""

    network_id: pulumi.Input[str]
    """Network in which Nova makes a port. This or `port_id`."""
    port_id: pulumi.Input[str]
    """Port of one's own, which the server leaves behind when it goes."""
    fixed_ip: pulumi.Input[str]
    """Address to ask for; only with `network_id`."""
    tag: pulumi.Input[str]
    """Tag that the server finds the NIC by in its metadata. Needs compute 2.42."""


class ServerBlockDeviceArgs(TypedDict):
    """One disk that the server starts with."""

    source_type: pulumi.Input[str]
    """What it is made of: `blank`, `image`, `snapshot` or `volume`."""
    uuid: NotRequired[pulumi.Input[str]]
    """Id of that image, snapshot or volume. Default for an image of `boot_index` 0: the server's `image`."""
    destination_type: NotRequired[pulumi.Input[str]]
    """What it becomes: a `volume`, or a disk of the server's own (`local`)."""
    boot_index: NotRequired[pulumi.Input[int]]
    """Order in which it is tried for booting; 0 is the root disk, -1 or unset is never."""
    volume_size: NotRequired[pulumi.Input[int]]
    """Size in GiB of a new volume."""
    volume_type: NotRequired[pulumi.Input[str]]
    """Kind of disk, for example `SSD`. Needs compute 2.67, or the old `v2`."""
    delete_on_termination: NotRequired[pulumi.Input[bool]]
    """Whether it goes with the server. Default: false."""
    device_name: NotRequired[pulumi.Input[str]]
    """Name in the server to ask for, for example `/dev/vdb`. Hypervisors may choose another."""
    device_type: NotRequired[pulumi.Input[str]]
    """`disk` (the API's default), `cdrom`, `floppy` or `lun`."""
    disk_bus: NotRequired[pulumi.Input[str]]
    """How it is connected, for example `virtio` or `scsi`. Default: the hypervisor's."""
    guest_format: NotRequired[pulumi.Input[str]]
    """`swap`, `ephemeral` or a file system, for a local disk."""
    tag: NotRequired[pulumi.Input[str]]
    """Tag that the server finds the disk by in its metadata. Needs compute 2.42."""


class ServerPersonalityArgs(TypedDict):
    """A file that is put into the server when it is built."""

    path: pulumi.Input[str]
    """Where it is put."""
    contents: pulumi.Input[str]
    """Plain text or base64; sent as base64."""


class Address(TypedDict):
    """An address of a server."""

    addr: str
    """The address."""
    version: int
    """4 or 6."""
    mac: str
    """MAC address of its NIC."""
    type: str
    """`fixed` or `floating`."""


class ServerNic(TypedDict):
    """A NIC of a server's `networks`."""

    port_id: str
    """The port, of one's own or made by Nova."""
    network_id: str
    """Network of the port."""
    mac_address: str
    """MAC address."""
    fixed_ips: list[FixedIp]
    """Addresses with their subnets."""


class AttachedVolume(TypedDict):
    """A volume of a server."""

    id: str
    """The volume."""
    delete_on_termination: NotRequired[bool]
    """Whether it goes with the server; told from compute 2.3 on."""


class _Network(Nested):
    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: IpAddress | None = None
    tag: str | None = None


class _BlockDevice(Nested):
    source_type: Literal["blank", "image", "snapshot", "volume"]
    uuid: str | None = None
    destination_type: Literal["volume", "local"] | None = None
    boot_index: int | None = None
    volume_size: int | None = Field(None, ge=1)
    volume_type: str | None = None
    delete_on_termination: bool | None = None
    device_name: str | None = None
    device_type: str | None = None
    disk_bus: str | None = None
    guest_format: str | None = None
    tag: str | None = None


class _File(Nested):
    path: str
    contents: str


class ServerInputs(Inputs):
    """What a program may ask of a server."""

    flavor: Annotated[str, InPlace()] = Field(
        description="Size: a flavor's name or id. A change stops the server, resizes, confirms, and starts it again."
    )
    image: Annotated[str | None, Replace()] = Field(
        None, description="Image, name or id. With `image_policy` = `rebuild` a change rebuilds the server in place."
    )
    name: Annotated[str | None, InPlace()] = Field(None, min_length=1, max_length=255, description="Name.")
    description: Annotated[str | None, InPlace(), RequiresMicroversion("compute", "2.19")] = Field(
        None, max_length=255, description="Description."
    )
    metadata: Annotated[dict[str, str] | None, InPlace()] = Field(None, description="Keys and values of one's own.")
    tags: Annotated[list[str] | None, InPlace(), Set(), RequiresMicroversion("compute", "2.26")] = Field(
        None, description="Tags, a set."
    )
    security_groups: Annotated[list[str] | None, InPlace(), Computed(), Set()] = Field(
        None, description="Security groups, a set of names or ids, for the NICs that Nova makes."
    )
    admin_pass: Annotated[str | None, InPlace(), Secret(), WriteOnly()] = Field(
        None, description="Password of the administrator in the server."
    )
    power_state: Annotated[PowerState | None, InPlace()] = Field(
        None,
        description="What the server should be doing, from the start on. For a change that the cloud refuses while it "
        "is paused, suspended or shelved, it is woken and put back.",
    )
    networks: Annotated[Literal["auto", "none"] | list[_Network] | None, InPlace()] = Field(
        None, description="NICs in order; `auto` lets the cloud decide, `none` is no NIC (both need compute 2.37)."
    )
    block_devices: Annotated[list[_BlockDevice] | None, Replace(), WriteOnly()] = Field(
        None, description="Disks it starts with; the one of `boot_index` 0 is booted from."
    )
    key_name: Annotated[str | None, Replace()] = Field(None, description="Key pair to log in with.")
    availability_zone: Annotated[str | None, Replace(), Computed()] = Field(None, description="Zone.")
    user_data: Annotated[str | None, Replace(), Secret(), WriteOnly()] = Field(
        None, description="For cloud-init: plain text, or base64."
    )
    config_drive: Annotated[bool | None, Replace()] = Field(
        None, description="Whether metadata comes on a disk as well."
    )
    personality: Annotated[list[_File] | None, Replace(), Secret(), WriteOnly()] = Field(
        None, description="Files to put in; APIs before compute 2.57 only."
    )
    scheduler_hints: Annotated[dict[str, Any] | None, Replace(), WriteOnly()] = Field(
        None, description="Where to put it: `group`, `different_host`, `same_host`, `query`, `build_near_host_ip`, …"
    )
    disk_config: Annotated[Literal["AUTO", "MANUAL"] | None, Replace()] = Field(
        None, description="Whether the root disk is partitioned by the cloud."
    )
    image_policy: Annotated[Literal["replace", "rebuild"], ProviderOnly()] = Field(
        "replace", description="What a changed `image` or `personality` does."
    )
    stop_before_resize: Annotated[bool, ProviderOnly()] = Field(
        default=True,
        description="Stop a running server before a resize. The guide: an ECS is modified only when stopped.",
    )
    stop_before_delete: Annotated[bool, ProviderOnly()] = Field(
        default=False, description="Shut it down before deletion."
    )
    force_delete: Annotated[bool, ProviderOnly()] = Field(
        default=False, description="Delete past every deferral of the cloud."
    )


class ServerOutputs(Outputs):
    """What the cloud tells beyond the inputs."""

    status: str | None = Field(None, description="`ACTIVE`, `SHUTOFF`, `BUILD`, `VERIFY_RESIZE`, `ERROR`, …")
    vm_state: str | None = Field(None, description="`active`, `stopped`, `resized`, …")
    task_state: str | None = Field(None, description="What the cloud is doing with it.")
    flavor_id: str | None = Field(None, description="Id of its flavor.")
    image_id: str | None = Field(None, description="Id of its image; unset where it boots from a volume.")
    image_name: str | None = Field(None, description="Name of that image when it was put in.")
    access_ip_v4: str | None = Field(
        None, description="Its first IPv4 address, or the one set for access; of a `Port`, export `ip_address`."
    )
    access_ip_v6: str | None = Field(None, description="Its first IPv6 address, or the one set for access.")
    addresses: dict[str, list[dict[str, Any]]] | None = Field(
        None, description="Addresses by network, as of its last change or refresh."
    )
    nics: list[dict[str, Any]] | None = Field(
        None,
        description="Its NICs of `networks`, in their order, without those of an `InterfaceAttachment`; of one that is "
        "only read, all.",
    )
    volumes_attached: list[dict[str, Any]] | None = Field(None, description="Its volumes.")
    host_id: str | None = Field(None, description="Stands for the host it runs on.")
    instance_name: str | None = Field(None, description="Its name in the hypervisor.")
    hostname: str | None = Field(None, description="Its host name.")
    locked: bool | None = Field(None, description="Whether it is locked against changes.")
    created: str | None = Field(None, description="When it was created, UTC.")
    updated: str | None = Field(None, description="When it was last changed, UTC.")
    launched_at: str | None = Field(None, description="When it first ran, UTC.")
    fault: str | None = Field(None, description="Why it is in ERROR.")
    pending_action: str | None = Field(None, description="What the next `up` still owes it after a failed one.")


def validate(checked: CheckInputs) -> Iterator[Problem]:
    """Something to boot from, NICs that can be, and one word on a root disk's size."""
    if not checked.has("image") and not may_boot_from_device(checked):
        yield Problem("image", "required, unless a block device with boot_index 0 has what to boot from")
    for index, device in checked.items("block_devices"):
        yield from _device_rules(index, device, checked)
    nics: Any = checked.values.get("networks")
    for index, nic in checked.items("networks"):
        if ("network_id" in nic) == ("port_id" in nic):
            yield Problem("networks", f"[{index}]: give either `network_id` or `port_id`")
        if "port_id" in nic and "fixed_ip" in nic:
            yield Problem("networks", f"[{index}]: `fixed_ip` goes with `network_id`; a port has its own addresses")
    is_list = isinstance(nics, list) and bool(nics)
    if is_list and all(not is_unknown(nic) and "port_id" in nic for nic in nics) and checked.has("security_groups"):
        yield Problem("security_groups", "for NICs that Nova makes; a port has its own `security_group_ids`")


def may_boot_from_device(checked: CheckInputs) -> bool:
    """Whether a block device is, or may turn out to be, the one that the server boots from."""
    devices: Any = checked.values.get("block_devices") or ()
    if is_unknown(devices):
        return True
    return any(is_unknown(each) or is_unknown(order := each.get("boot_index")) or order == 0 for each in devices)


def _device_rules(index: int, device: Mapping[str, Any], checked: CheckInputs) -> Iterator[Problem]:
    source, place = device.get("source_type"), f"[{index}]"
    if is_unknown(source):
        return
    is_root = device.get("boot_index") == 0 or is_unknown(device.get("boot_index"))
    needs_uuid = source != "blank" and not (source == "image" and is_root and checked.has("image"))
    if needs_uuid and "uuid" not in device:
        yield Problem("block_devices", f"{place}: source_type {source!r} needs `uuid`")
    if destination(device) == "volume" and source in ("image", "blank") and "volume_size" not in device:
        yield Problem("block_devices", f"{place}: a new volume needs `volume_size`, in GiB")


def destination(device: Mapping[str, Any]) -> str:
    """Where a block device is to be: what has its data in a volume or snapshot can only be a volume."""
    return str(device.get("destination_type") or ("volume" if device.get("source_type") in _VOLUMES else "local"))
