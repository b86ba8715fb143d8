"""Ports: network interfaces with their addresses, security settings and bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import addressing, otc
from .associations import check_floating_ips, release_port
from .attributes import UNSET
from .collection import (
    check_quota,
    get_owned,
    get_visible,
    new_document,
    parse_pairs,
    register_reads,
    render,
    touch,
)
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
ROUTER_OWNERS = ("network:router_interface", "network:router_gateway", "network:floatingip")
NOTIFY_SECONDS = 1.0
"""Seconds until Nova receives the notification of a changed port."""


def view(call: Call, doc: Document) -> Document:
    """Return a port as the API shows it, with its DNS names."""
    result = render(call, PORT, doc)
    if "dns-integration" in extensions(call):
        result["dns_assignment"] = [_dns_name(doc["dns_name"], fixed) for fixed in doc["fixed_ips"]]
    return result


def _dns_name(name: str, fixed: dict[str, str]) -> dict[str, str]:
    host = name or "host-" + fixed["ip_address"].replace(".", "-").replace(":", "-")
    return {"ip_address": fixed["ip_address"], "hostname": host, "fqdn": f"{host}.{DOMAIN}"}


@service.post("/ports")
def create_port(call: Call) -> Reply:
    """`POST /ports`."""
    values = PORT.read_create(call, extensions(call))
    otc.check_port(call, values)
    network = get_visible(call, NETWORK, values["network_id"])
    check_quota(call, "port", values["project_id"])
    doc = make_port(call, network, values)
    return Reply(201, {"port": view(call, doc)})


def make_port(ctx: Context, network: Document, values: Document) -> Document:
    """Create a port from the values, and select those that are UNSET."""
    check_policy(ctx, values)
    network_id = network["id"]
    if values["mac_address"] in (UNSET, None):
        values["mac_address"] = addressing.free_mac(ctx, network_id)
    values["mac_address"] = values["mac_address"].lower()
    addressing.claim_mac(ctx, network_id, values["mac_address"])
    tags = sorted(set(values["tags"]))
    doc = new_document(ctx, values | {"status": "DOWN"}) | {"tags": tags}
    _apply_security(ctx, doc, network)
    doc["extra_dhcp_opts"] = _merge_options([], values["extra_dhcp_opts"], doc["id"])
    _bind(doc, values)
    requested = values["fixed_ips"]
    doc["fixed_ips"] = addressing.allocate(ctx, doc, None if requested is UNSET else requested)
    return ctx.put("port", doc)


@service.put("/ports/{port_id}")
def update_port(call: Call, port_id: str) -> Document:
    """`PUT /ports/{id}`."""
    values = PORT.read_update(call, extensions(call))
    get_visible(call, PORT, port_id)
    PORT.check_admin_only(call, values, extensions(call))
    prior = get_owned(call, PORT, port_id, "update")
    otc.check_port(call, {"port_security_enabled": prior["port_security_enabled"], **values})
    check_policy(call, values)
    doc = prior | values
    network = call.get("network", doc["network_id"])
    unsecured = values.get("port_security_enabled") is False
    if unsecured and prior["security_groups"] and "security_groups" not in values:
        raise conflict("PortSecurityPortHasSecurityGroup", HAS_GROUPS)
    if {"port_security_enabled", "security_groups", "allowed_address_pairs"} & values.keys() and network:
        _apply_security(call, doc, network)
    if "extra_dhcp_opts" in values:
        doc["extra_dhcp_opts"] = _merge_options(prior["extra_dhcp_opts"], values["extra_dhcp_opts"], port_id)
    if values.get("mac_address", prior["mac_address"]) != prior["mac_address"]:
        doc["mac_address"] = values["mac_address"] or addressing.free_mac(call, doc["network_id"])
        addressing.claim_mac(call, doc["network_id"], doc["mac_address"])
        addressing.release_mac(call, doc["network_id"], prior["mac_address"])
    if "fixed_ips" in values:
        check_floating_ips(call, prior, values["fixed_ips"])
        doc["fixed_ips"] = addressing.allocate(call, doc, values["fixed_ips"], prior["fixed_ips"])
    _bind(doc, values)
    if doc != prior:
        doc = touch(call, "port", doc)
        notify_nova(call, doc)
    return {"port": view(call, doc)}


@service.delete("/ports/{port_id}")
def delete_port(call: Call, port_id: str) -> None:
    """`DELETE /ports/{id}`: 409 for a port that a router uses; upstream also deletes a port that a server uses."""
    doc = get_owned(call, PORT, port_id, "delete")
    if doc["device_owner"] in ROUTER_OWNERS:
        message = f"Port {port_id} cannot be deleted directly via the port API: has device owner {doc['device_owner']}."
        raise conflict("ServicePortInUse", message)
    otc.check_port_unused(call, doc)
    remove_port(call, doc)
    notify_nova(call, doc)


def remove_port(ctx: Context, doc: Document) -> None:
    """Delete a port, and release its addresses and floating IPs."""
    release_port(ctx, doc["id"])
    for fixed in doc["fixed_ips"]:
        addressing.release(ctx, fixed)
    addressing.release_mac(ctx, doc["network_id"], doc["mac_address"])
    ctx.remove("port", doc["id"])


def notify_nova(ctx: Context, doc: Document) -> None:
    """Notify Nova of a change to a port that a server uses."""
    if doc["device_owner"].startswith("compute:") and doc["device_id"]:
        ctx.schedule(NOTIFY_SECONDS, "nova.port_changed", doc["device_id"], port_id=doc["id"])


def _apply_security(ctx: Context, doc: Document, network: Document) -> None:
    """Set port security, security groups and address parse_pairs, which depend on each other."""
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
    address_pairs = [
        {"mac_address": pair.get("mac_address", doc["mac_address"]), "ip_address": pair["ip_address"]}
        for pair in doc["allowed_address_pairs"]
    ]
    doc["allowed_address_pairs"] = sorted(address_pairs, key=lambda pair: (pair["mac_address"], pair["ip_address"]))


def _merge_options(prior: list[Document], requested: list[Document], port_id: str) -> list[Document]:
    """Merge DHCP options by name: keep options that are not in the request, and remove those with a null value."""
    merged: dict[tuple[str, int], Any] = {(each["opt_name"], each["ip_version"]): each for each in prior}
    keys = set()
    for option in requested:
        key = (option["opt_name"], option["ip_version"])
        if key in keys:
            message = (
                "Failed to create a duplicate ExtraDhcpOpt: for attribute(s) ['portid', 'optname',"
                f" 'ipversion'] with value(s) {port_id}-{key[0]}-{key[1]}"
            )
            raise conflict("NeutronDbObjectDuplicateEntry", message)
        keys.add(key)
        merged[key] = option
    return [option for option in merged.values() if option["opt_value"] is not None]


def _bind(doc: Document, values: Document) -> None:
    """Set the binding attributes, and plug in a port with a host, as the agents of the real service do."""
    for name, empty in (("binding:host_id", ""), ("binding:profile", {})):
        if doc.get(name, UNSET) in (UNSET, None):
            doc[name] = empty
    if "binding:host_id" in values:
        plug(doc, doc["binding:host_id"])


def plug(doc: Document, host: str) -> None:
    """Bind a port to a host and set it to ACTIVE; with an empty host, unbind it and set it to DOWN."""
    doc["binding:host_id"] = host
    doc["binding:vif_type"] = "ovs" if host else "unbound"
    doc["binding:vif_details"] = {"port_filter": True, "ovs_hybrid_plug": False} if host else {}
    doc["status"] = "ACTIVE" if host else "DOWN"


def _has_address(doc: Document, values: list[str]) -> bool:
    filters = parse_pairs(values)
    return any(
        all(
            any(part in fixed["ip_address"] for part in filters[key])
            if key == "ip_address_substr"
            else fixed.get(key) in filters[key]
            for key in filters
        )
        for fixed in doc["fixed_ips"]
    )


def _has_group(doc: Document, values: list[str]) -> bool:
    return any(group in values for group in doc["security_groups"])


register_reads(PORT, view, {"fixed_ips": _has_address, "security_groups": _has_group})
