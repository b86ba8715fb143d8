"""What Nova asks of Neutron on behalf of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attributes import is_uuid
from .collection import not_found, touch
from .ports import drop_port, make_port, plug
from .refusals import conflict
from .resources import NETWORK, PORT, SECURITY_GROUP
from .security_groups import default_group
from .service import extensions

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

HOST = "emulator"
"""The host that every port is plugged in at."""


def usable_networks(ctx: Context) -> list[Document]:
    """The networks that the project may plug a server into: its own and shared ones, no external ones."""
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
    """A port that Nova makes for a server; DOWN until `plug_port`, deleted by `unplug_port`.

    Raises:
        HttpError: 404 `NetworkNotFound`, 409 `IpAddressAlreadyAllocated`, 400 `InvalidIpForNetwork`,
            409 `OverQuota`, 409 `IpAddressGenerationFailure`.
    """
    network = ctx.get("network", network_id)
    if network is None or not (network["project_id"] == ctx.project_id or network["shared"]):
        raise not_found(NETWORK, network_id)
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
    """Bind a port that is there already to a server.

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
    """Let a bound port become ACTIVE; one that is gone is no error."""
    port = ctx.get("port", port_id)
    if port:
        plug(port, HOST)
        touch(ctx, "port", port)


def unplug_port(ctx: Context, port_id: str) -> None:
    """Unbind a port, or delete it if Nova made it; one that is gone is no error."""
    port = ctx.get("port", port_id)
    if port is None:
        return
    if port.get("_made_by_nova"):
        drop_port(ctx, port)
        return
    plug(port, "")
    touch(ctx, "port", port | {"device_id": "", "device_owner": ""})


def security_group_ids(ctx: Context, names_or_ids: list[str]) -> list[str]:
    """The ids of the project's groups.

    Raises:
        HttpError: 404 `SecurityGroupNotFound`; 409 where several groups have the name.
    """
    default_group(ctx, ctx.project_id)
    ids = []
    for wanted in names_or_ids:
        group = ctx.get("security_group", wanted) if is_uuid(wanted) else None
        if group and group["project_id"] == ctx.project_id:
            ids.append(wanted)
            continue
        named = ctx.find("security_group", project_id=ctx.project_id, name=wanted)
        if not named:
            raise not_found(SECURITY_GROUP, wanted)
        if len(named) > 1:
            message = f"Multiple security groups found matching '{wanted}'. Use an ID to be more specific."
            raise conflict("NoUniqueMatch", message)
        ids.append(named[0]["id"])
    return ids
