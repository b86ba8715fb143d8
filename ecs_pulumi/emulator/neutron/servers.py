"""The functions that Nova calls on behalf of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.validation import is_uuid

from .collection import check_quota, not_found, touch
from .ports import make_port, plug, remove_port
from .refusals import conflict
from .resources import NETWORK, PORT, SECURITY_GROUP
from .security_groups import default_group
from .service import extensions

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

HOST = "emulator"
"""The host to which all ports are bound."""


def usable_networks(ctx: Context) -> list[Document]:
    """Return the networks to which the project may attach servers: its own and shared ones, no external ones."""
    own = ctx.find("network", project_id=ctx.project_id)
    shared = [each for each in ctx.find("network", shared=True) if each["project_id"] != ctx.project_id]
    return [network for network in own + shared if not network["router:external"]]


def make_server_port(
    ctx: Context,
    *,
    network_id: str,
    server_id: str,
    zone: str,
    fixed_ip: str | None = None,
    security_group_ids: list[str] | None = None,
) -> Document:
    """Create a port on behalf of Nova; it is DOWN until `plug_port`, and `unplug_port` deletes it.

    Raises:
        HttpError: 404 `NetworkNotFound`, 409 `IpAddressAlreadyAllocated`, 400 `InvalidIpForNetwork`,
            409 `OverQuota`, 409 `IpAddressGenerationFailure`.
    """
    network = ctx.get("network", network_id)
    if network is None or not (network["project_id"] == ctx.project_id or network["shared"]):
        raise not_found(NETWORK, network_id)
    check_quota(ctx, "port", ctx.project_id)
    values = PORT.defaults(extensions(ctx)) | {
        "project_id": ctx.project_id,
        "network_id": network_id,
        "device_id": server_id,
        "device_owner": f"compute:{zone}",
        "_made_by_nova": True,
    }
    if fixed_ip is not None:
        values["fixed_ips"] = [{"ip_address": fixed_ip}]
    if security_group_ids is not None:
        values["security_groups"] = security_group_ids
    return make_port(ctx, network, values)


def claim_port(ctx: Context, port_id: str, *, server_id: str, zone: str) -> Document:
    """Bind an existing port to a server.

    Raises:
        HttpError: 404 `PortNotFound`, 409 `PortInUse`.
    """
    port = ctx.get("port", port_id)
    if port is None or port["project_id"] != ctx.project_id:
        raise not_found(PORT, port_id)
    if port["device_id"]:
        raise conflict("PortInUse", f"Port {port_id} is still in use.")
    return touch(ctx, "port", port | {"device_id": server_id, "device_owner": f"compute:{zone}"})


def plug_port(ctx: Context, port_id: str) -> None:
    """Set a bound port to ACTIVE; ignore a port that does not exist."""
    port = ctx.get("port", port_id)
    if port:
        plug(port, HOST)
        touch(ctx, "port", port)


def unplug_port(ctx: Context, port_id: str, *, delete: bool | None = None) -> None:
    """Unbind or delete a port; ignore a port that does not exist.

    Args:
        ctx: The context.
        port_id: The port.
        delete: Whether to delete it. Default: only if Nova created it.
    """
    port = ctx.get("port", port_id)
    if port is None:
        return
    if port.get("_made_by_nova") if delete is None else delete:
        remove_port(ctx, port)
        return
    plug(port, "")
    touch(ctx, "port", port | {"device_id": "", "device_owner": ""})


def security_group_ids(ctx: Context, names_or_ids: list[str]) -> list[str]:
    """Return the ids of groups of the project.

    Raises:
        HttpError: 404 `SecurityGroupNotFound`; 409 if several groups have the name.
    """
    default_group(ctx, ctx.project_id)
    ids = []
    for name_or_id in names_or_ids:
        group = ctx.get("security_group", name_or_id) if is_uuid(name_or_id) else None
        if group and group["project_id"] == ctx.project_id:
            ids.append(name_or_id)
            continue
        matches = ctx.find("security_group", project_id=ctx.project_id, name=name_or_id)
        if not matches:
            raise not_found(SECURITY_GROUP, name_or_id)
        if len(matches) > 1:
            message = f"Multiple security groups found matching '{name_or_id}'. Use an ID to be more specific."
            raise conflict("NoUniqueMatch", message)
        ids.append(matches[0]["id"])
    return ids
