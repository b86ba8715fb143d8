"""Inputs and outputs of a server (guide, chapter 4; Nova API reference, "Servers")."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ecs_pulumi.cloud import compute
from ecs_pulumi.dynamic.fields import (
    Advisory,
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    Computed,
    Exclusive,
    InPlace,
    Inputs,
    Nested,
    Outputs,
    Problem,
    ProviderOnly,
    References,
    Replace,
    RequiresMicroversion,
    Secret,
    Set,
    WriteOnly,
    is_unknown,
)
from ecs_pulumi.resources.addresses import IpAddress, PortAssignedIp
from ecs_pulumi.resources.server.report_rules import destination

PowerState = Literal["active", "shutoff", "paused", "suspended", "shelved_offloaded"]


class ServerAddress(Nested):
    """An address of a server."""

    addr: str = Field(description="The address.")
    version: int = Field(description="4 or 6.")
    mac: str = Field(description="MAC address of the NIC.")
    type: str = Field(description="`fixed` or `floating`.")


class ServerNic(Nested):
    """A NIC declared in a server's `networks`."""

    port_id: str = Field(description="Id of the port, an existing one or one that Nova created.")
    network_id: str = Field(description="Id of the port's network.")
    mac_address: str = Field(description="MAC address.")
    fixed_ips: list[PortAssignedIp] = Field(description="Addresses with their subnets.")


class ServerAttachedVolume(Nested):
    """A volume attached to a server."""

    id: str = Field(description="Id of the volume.")
    delete_on_termination: bool | None = Field(
        None, description="Whether Nova deletes the volume with the server. Returned since compute 2.3."
    )


class ServerNetwork(Nested):
    """One NIC: an existing port, or a network in which Nova creates a port."""

    network_id: Annotated[str | None, References("Network")] = Field(
        None, description="Network in which Nova creates a port. Set either this or `port_id`."
    )
    port_id: Annotated[str | None, Exclusive(), References("Port")] = Field(
        None,
        description="Existing port. Deleting the server does not delete it, except that of the first NIC on Open "
        "Telekom Cloud.",
    )
    fixed_ip: Annotated[IpAddress | None, Exclusive()] = Field(
        None, description="Requested address; only with `network_id`."
    )
    tag: str | None = Field(
        None, description="Tag that identifies the NIC in the server's metadata. Needs compute 2.42."
    )
    access_network: bool | None = Field(
        None,
        description="True: `access_ip_v4` and `access_ip_v6` are the addresses of this NIC. Default: the first NIC "
        "with such an address.",
    )


class ServerBlockDevice(Nested):
    """One disk that is created or attached with the server."""

    source_type: Annotated[Literal["blank", "image", "snapshot", "volume"], Exclusive("volume")] = Field(
        description="Source of the disk: `blank`, `image`, `snapshot` or `volume`."
    )
    uuid: Annotated[str | None, References("Volume")] = Field(
        None,
        description="Id of the source image, snapshot or volume. Default for an image with `boot_index` 0: the "
        "server's `image`.",
    )
    destination_type: Literal["volume", "local"] | None = Field(
        None, description="Type of the disk: a `volume`, or a disk on the server's host (`local`)."
    )
    boot_index: int | None = Field(
        None,
        description="Position in the boot order: 0 is the root disk; the server never boots from a disk with -1 or "
        "without a value.",
    )
    volume_size: int | None = Field(None, ge=1, description="Size in GiB of a new volume.")
    volume_type: str | None = Field(
        None, description="Volume type, for example `SSD`. Needs compute 2.67, or the old `v2`."
    )
    multiattach: bool | None = Field(
        None,
        description="Whether the volume may be attached to several servers. Needs compute 2.60. Default: the "
        "volume's property.",
    )
    delete_on_termination: bool | None = Field(
        None, description="Whether Nova deletes the disk with the server. Default: false."
    )
    device_name: str | None = Field(
        None,
        description="Requested device name in the server, for example `/dev/vdb`. The hypervisor may choose "
        "another one.",
    )
    device_type: str | None = Field(None, description="`disk` (the API's default), `cdrom`, `floppy` or `lun`.")
    disk_bus: str | None = Field(
        None, description="Bus of the disk, for example `virtio` or `scsi`. Default: the hypervisor's."
    )
    guest_format: str | None = Field(None, description="Format of a local disk: `swap`, `ephemeral` or a file system.")
    tag: str | None = Field(
        None, description="Tag that identifies the disk in the server's metadata. Needs compute 2.42."
    )


class ServerPersonality(Nested):
    """A file that Nova writes into the server when it builds the server."""

    path: str = Field(description="Path in the server.")
    contents: str = Field(description="Content as plain text or base64; sent as base64.")


class ServerInputs(Inputs):
    """A virtual machine, which the guide calls Elastic Cloud Server (ECS).

    Source: guide, chapter 4 "Creating an ECS" and 5 "Modifying ECS specifications"; Nova API reference, "Servers".
    """

    flavor: Annotated[str, InPlace()] = Field(
        description="Name or id of the flavor. A change stops the server, resizes, confirms, and starts it again."
    )
    image: Annotated[str | None, Replace()] = Field(
        None,
        description="Name or id of the image. With `image_policy` = `rebuild` a change rebuilds the server in place. "
        "With a flavor without a disk, the root disk is a volume of the size that the image needs, deleted with the "
        "server.",
    )
    name: Annotated[str | None, InPlace(), AlwaysSet()] = Field(None, min_length=1, max_length=255, description="Name.")
    description: Annotated[str | None, InPlace(), RequiresMicroversion("compute", compute.DESCRIPTION)] = Field(
        None, max_length=255, description="Description."
    )
    metadata: Annotated[dict[str, str] | None, InPlace(), AlwaysSet()] = Field(
        None,
        description="User-defined keys and values. Those that the cloud itself writes, such as `metering.image_id`, "
        "are neither changed nor removed.",
    )
    tags: Annotated[list[str] | None, InPlace(), Set(), RequiresMicroversion("compute", compute.TAGS)] = Field(
        None, max_length=50, description="Tags, a set."
    )
    security_groups: Annotated[
        list[str] | None, InPlace(), Computed(), Set(), AlwaysSet(), References("SecurityGroup")
    ] = Field(None, description="Names or ids of the security groups of the NICs that Nova creates, a set.")
    admin_pass: Annotated[str | None, InPlace(), Secret(), WriteOnly()] = Field(
        None, description="Password of the administrator account in the server."
    )
    power_state: Annotated[PowerState | None, InPlace()] = Field(
        None,
        description="Desired power state, from creation on. If the cloud rejects a change of a paused, suspended or "
        "shelved server, the server is made active for the change and returned to its power state. Some clouds offer "
        "`active` and `shutoff` only.",
    )
    networks: Annotated[Literal["auto", "none"] | list[ServerNetwork] | None, InPlace()] = Field(
        None, description="NICs in order; `auto` lets the cloud choose, `none` means no NIC (both need compute 2.37)."
    )
    block_devices: Annotated[list[ServerBlockDevice] | None, Replace(), WriteOnly()] = Field(
        None, description="Disks of the new server; it boots from the one with `boot_index` 0."
    )
    key_name: Annotated[str | None, Replace(), References("KeyPair", "name")] = Field(
        None, description="Name of the key pair for the login."
    )
    availability_zone: Annotated[
        str | None, Replace(), Computed(), AlwaysSet(), ChangedBy(("flavor", "power_state"))
    ] = Field(None, description="Availability zone.")
    user_data: Annotated[str | None, Replace(), Secret(), WriteOnly()] = Field(
        None, description="User data for cloud-init: plain text or base64."
    )
    config_drive: Annotated[bool | None, Replace(), AlwaysSet()] = Field(
        None, description="Whether the server also gets its metadata on a disk."
    )
    personality: Annotated[list[ServerPersonality] | None, Replace(), Secret(), WriteOnly()] = Field(
        None, description="Files to write into the server; up to compute 2.56."
    )
    hypervisor_hostname: Annotated[
        str | None, Replace(), Computed(), Advisory(), RequiresMicroversion("compute", compute.REQUESTED_HOST)
    ] = Field(
        None,
        description="Host to build the server on; for administrators. The output is the present host, where the API "
        "shows it.",
    )
    scheduler_hints: Annotated[dict[str, Any] | None, Replace(), WriteOnly(), References("ServerGroup")] = Field(
        None,
        description="Hints for the scheduler: `group`, `different_host`, `same_host`, `query`, `build_near_host_ip`, …",
    )
    disk_config: Annotated[Literal["AUTO", "MANUAL"] | None, Replace(), AlwaysSet()] = Field(
        None, description="Partitioning of the root disk: by the cloud (`AUTO`) or as in the image (`MANUAL`)."
    )
    image_policy: Annotated[Literal["replace", "rebuild"], ProviderOnly()] = Field(
        "replace",
        description="Whether a changed `image` or `personality` replaces the server or rebuilds it in place. A server "
        "without `image`, or that boots from a volume, is always replaced.",
    )
    stop_before_resize: Annotated[bool, ProviderOnly()] = Field(
        default=True,
        description="Stop a running server before a resize. According to the guide, an ECS must be stopped for it.",
    )
    stop_before_delete: Annotated[bool, ProviderOnly()] = Field(
        default=False, description="Stop the server before deleting it."
    )
    force_delete: Annotated[bool, ProviderOnly()] = Field(
        default=False, description="Delete at once even if the cloud defers deletions."
    )


class ServerOutputs(Outputs):
    """Outputs of a server that are not inputs."""

    status: str = Field(description="`ACTIVE`, `SHUTOFF`, `BUILD`, `VERIFY_RESIZE`, `ERROR`, …")
    vm_state: str = Field(description="`active`, `stopped`, `resized`, …")
    task_state: str | None = Field(None, description="Task that the cloud is running on the server.")
    flavor_id: Annotated[str, ChangedBy(("flavor",))] = Field(description="Id of the flavor.")
    image_id: Annotated[str | None, ChangedBy(("image",))] = Field(
        None, description="Id of the image; unset if the server boots from a volume."
    )
    image_name: Annotated[str | None, ChangedBy(("image",))] = Field(
        None, description="Name of the image at the time of the build or rebuild."
    )
    access_ip_v4: Annotated[str | None, ChangedBy(("networks",))] = Field(
        None,
        description="First IPv4 address, that of the NIC with `access_network`, or the one set for access. To export "
        "a port's address use `Port.ip_address`.",
    )
    access_ip_v6: Annotated[str | None, ChangedBy(("networks",))] = Field(
        None, description="First IPv6 address, that of the NIC with `access_network`, or the one set for access."
    )
    addresses: dict[str, list[ServerAddress]] = Field(
        description="Addresses by network, as of the server's last change or refresh."
    )
    nics: Annotated[list[ServerNic], ChangedBy(("networks",))] = Field(
        description="NICs declared in `networks`, in that order, without those of an `InterfaceAttachment`. "
        "`Server.get` returns all NICs.",
    )
    volumes_attached: list[ServerAttachedVolume] = Field(description="Attached volumes.")
    host_id: str = Field(description="Opaque id of the host that the server runs on.")
    instance_name: str | None = Field(None, description="Name in the hypervisor.")
    hostname: Annotated[str | None, ChangedBy(("name",))] = Field(None, description="Host name.")
    locked: bool | None = Field(None, description="Whether the server is locked against changes.")
    project_id: Annotated[str, ChangedBy()] = Field(description="Id of the project that owns the server.")
    created: Annotated[str, ChangedBy()] = Field(description="Time of creation, UTC.")
    updated: str = Field(description="Time of the last change, UTC.")
    launched_at: str | None = Field(None, description="Time of the first start, UTC.")
    fault: str | None = Field(None, description="Reason for the status ERROR.")
    pending_action: str | None = Field(
        None,
        description="Action that the next `up` performs because a failed one did not: `start`, `stop`, `pause`, "
        "`suspend` or `shelve`.",
    )


def validate(checked: CheckInputs) -> Iterator[Problem]:
    """Check the boot source, the block devices, the NICs and the security groups."""
    if not checked.has("image") and not may_boot_from_device(checked):
        yield Problem("image", "required, unless a block device has boot_index 0")
    for index, device in checked.items("block_devices"):
        yield from _device_rules(index, device, checked)
    nics: Any = checked.values.get("networks")
    for index, nic in checked.items("networks"):
        if ("network_id" in nic) == ("port_id" in nic):
            yield Problem("networks", f"[{index}]: give either `network_id` or `port_id`")
        if nic.get("access_network") is True and any(
            other.get("access_network") is True for at, other in checked.items("networks") if at < index
        ):
            yield Problem("networks", f"[{index}]: only one NIC can have `access_network`")
        if "port_id" in nic and "fixed_ip" in nic:
            yield Problem(
                "networks", f"[{index}]: `fixed_ip` is only allowed with `network_id`; a port has its own addresses"
            )
    is_list = isinstance(nics, list) and bool(nics)
    if is_list and all(not is_unknown(nic) and "port_id" in nic for nic in nics) and checked.has("security_groups"):
        yield Problem(
            "security_groups", "applies only to NICs that Nova creates; a port has its own `security_group_ids`"
        )


def may_boot_from_device(checked: CheckInputs) -> bool:
    """Return whether a block device is the boot device, or may be it once unknown values are known."""
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
