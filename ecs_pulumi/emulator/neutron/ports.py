"""Ports: interfaces with their addresses, security and bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import addressing
from .attributes import UNSET
from .collection import check_quota, found, listing, new_document, owned, pairs, render, select_fields, touch
from .qos import check_policy
from .refusals import conflict
from .resources import NETWORK, PORT
from .security_groups import check_groups, default_group
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

DOMAIN = "openstacklocal."
HAS_GROUPS = (
    "Port has security group associated. Cannot disable port security or IP address until security group is removed."
)
NOTICED = 1.0
"""Seconds until Nova has heard of a change to a port."""


def view(call: Call, doc: Document) -> Document:
    """What a port looks like, its names in DNS included."""
    seen = render(call, PORT, doc)
    if "dns-integration" in extensions(call):
        seen["dns_assignment"] = [_dns_name(doc["dns_name"], fixed) for fixed in doc["fixed_ips"]]
    return seen


def _dns_name(name: str, fixed: dict[str, str]) -> dict[str, str]:
    host = name or "host-" + fixed["ip_address"].replace(".", "-").replace(":", "-")
    return {"ip_address": fixed["ip_address"], "hostname": host, "fqdn": f"{host}.{DOMAIN}"}


@service.post("/ports")
def create_port(call: Call) -> Reply:
    """Make a port."""
    values = PORT.read_create(call, extensions(call))
    network = found(call, NETWORK, values["network_id"])
    doc = make_port(call, network, values)
    return Reply(201, {"port": view(call, doc)})


def make_port(ctx: Context, network: Document, values: Document) -> Document:
    """The port that the values ask for; UNSET ones are chosen."""
    check_quota(ctx, "port", values["project_id"])
    check_policy(ctx, values)
    network_id = network["id"]
    if values["mac_address"] in (UNSET, None):
        values["mac_address"] = addressing.free_mac(ctx, network_id)
    values["mac_address"] = values["mac_address"].lower()
    addressing.claim_mac(ctx, network_id, values["mac_address"])
    tags = sorted(set(values["tags"]))
    doc = new_document(ctx, values | {"status": "DOWN"}) | {"tags": tags}
    _secure(ctx, doc, network)
    doc["extra_dhcp_opts"] = _merge_options([], values["extra_dhcp_opts"], doc["id"])
    _bind(doc, values)
    wanted = values["fixed_ips"]
    doc["fixed_ips"] = addressing.allocate(ctx, doc, None if wanted is UNSET else wanted)
    return ctx.put("port", doc)


@service.get("/ports")
def list_ports(call: Call) -> Document:
    """List them."""
    special = {"fixed_ips": _has_address, "security_groups": _has_group}
    return listing(call, PORT, special=special, view=view)


@service.get("/ports/{port_id}")
def show_port(call: Call, port_id: str) -> Document:
    """Show one."""
    return {"port": select_fields(call, view(call, found(call, PORT, port_id)))}


@service.put("/ports/{port_id}")
def update_port(call: Call, port_id: str) -> Document:
    """Change one."""
    values = PORT.read_update(call, extensions(call))
    found(call, PORT, port_id)
    PORT.refuse_kept(call, values, extensions(call))
    former = owned(call, PORT, port_id, "update")
    check_policy(call, values)
    doc = former | values
    network = call.get("network", doc["network_id"])
    unsecured = values.get("port_security_enabled") is False
    if unsecured and former["security_groups"] and "security_groups" not in values:
        raise conflict("PortSecurityPortHasSecurityGroup", HAS_GROUPS)
    if {"port_security_enabled", "security_groups", "allowed_address_pairs"} & values.keys() and network:
        _secure(call, doc, network)
    if "extra_dhcp_opts" in values:
        doc["extra_dhcp_opts"] = _merge_options(former["extra_dhcp_opts"], values["extra_dhcp_opts"], port_id)
    if values.get("mac_address", former["mac_address"]) != former["mac_address"]:
        doc["mac_address"] = values["mac_address"] or addressing.free_mac(call, doc["network_id"])
        addressing.claim_mac(call, doc["network_id"], doc["mac_address"])
        addressing.release_mac(call, doc["network_id"], former["mac_address"])
    if "fixed_ips" in values:
        doc["fixed_ips"] = addressing.allocate(call, doc, values["fixed_ips"], former["fixed_ips"])
    _bind(doc, values)
    if doc != former:
        doc = touch(call, "port", doc)
        notify_nova(call, doc)
    return {"port": view(call, doc)}


@service.delete("/ports/{port_id}")
def delete_port(call: Call, port_id: str) -> None:
    """Delete one, even where a server uses it."""
    doc = owned(call, PORT, port_id, "delete")
    drop_port(call, doc)
    notify_nova(call, doc)


def drop_port(ctx: Context, doc: Document) -> None:
    """Delete a port and set free what it had."""
    for fixed in doc["fixed_ips"]:
        addressing.release(ctx, fixed)
    addressing.release_mac(ctx, doc["network_id"], doc["mac_address"])
    ctx.remove("port", doc["id"])


def notify_nova(ctx: Context, doc: Document) -> None:
    """Let Nova hear of a change to a port that a server uses."""
    if doc["device_owner"].startswith("compute:") and doc["device_id"]:
        ctx.schedule(NOTICED, "nova.port_changed", doc["device_id"], port_id=doc["id"])


def _secure(ctx: Context, doc: Document, network: Document) -> None:
    """Settle port security, groups and address pairs, which depend on each other."""
    trusted = doc["device_owner"].startswith("network:")
    if doc["port_security_enabled"] is UNSET:
        doc["port_security_enabled"] = network["port_security_enabled"] and not trusted
    enabled = doc["port_security_enabled"]
    if doc["security_groups"] is UNSET:
        doc["security_groups"] = [default_group(ctx, doc["project_id"])["id"]] if enabled else []
    else:
        check_groups(ctx, doc["project_id"], doc["security_groups"])
    if doc["security_groups"] and not enabled:
        message = "Port security must be enabled and port must have an IP address in order to use security groups."
        raise HttpError(400, message, kind="PortSecurityAndIPRequiredForSecurityGroups")
    if doc["allowed_address_pairs"] and not enabled:
        message = "Port Security must be enabled in order to have allowed address pairs on a port."
        raise conflict("AddressPairAndPortSecurityRequired", message)
    complete = [
        {"mac_address": pair.get("mac_address", doc["mac_address"]), "ip_address": pair["ip_address"]}
        for pair in doc["allowed_address_pairs"]
    ]
    doc["allowed_address_pairs"] = sorted(complete, key=lambda pair: (pair["mac_address"], pair["ip_address"]))


def _merge_options(had: list[Document], said: list[Document], port_id: str) -> list[Document]:
    """DHCP options are changed by name; the others stay, and a null value takes one away."""
    named: dict[tuple[str, int], Any] = {(each["opt_name"], each["ip_version"]): each for each in had}
    seen = set()
    for option in said:
        key = (option["opt_name"], option["ip_version"])
        if key in seen:
            message = (
                "Failed to create a duplicate ExtraDhcpOpt: for attribute(s) ['portid', 'optname',"
                f" 'ipversion'] with value(s) {port_id}-{key[0]}-{key[1]}"
            )
            raise conflict("NeutronDbObjectDuplicateEntry", message)
        seen.add(key)
        named[key] = option
    return [option for option in named.values() if option["opt_value"] is not None]


def _bind(doc: Document, values: Document) -> None:
    """A port with a host is plugged in there, as the real service's agents would do."""
    for name, nothing in (("binding:host_id", ""), ("binding:profile", {})):
        if doc.get(name, UNSET) in (UNSET, None):
            doc[name] = nothing
    if "binding:host_id" in values:
        plug(doc, doc["binding:host_id"])


def plug(doc: Document, host: str) -> None:
    """Bind a port to a host, where it becomes ACTIVE; to none, and it is DOWN."""
    doc["binding:host_id"] = host
    doc["binding:vif_type"] = "ovs" if host else "unbound"
    doc["binding:vif_details"] = {"port_filter": True, "ovs_hybrid_plug": False} if host else {}
    doc["status"] = "ACTIVE" if host else "DOWN"


def _has_address(doc: Document, values: list[str]) -> bool:
    asked = pairs(values)
    return any(
        all(
            any(wanted in fixed["ip_address"] for wanted in asked[key])
            if key == "ip_address_substr"
            else fixed.get(key) in asked[key]
            for key in asked
        )
        for fixed in doc["fixed_ips"]
    )


def _has_group(doc: Document, values: list[str]) -> bool:
    return any(group in values for group in doc["security_groups"])
