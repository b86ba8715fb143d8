"""The data of the page at `/`: all objects with their relations, and the latest requests.

Fields are selected one by one, so that no secret (passwords, private keys, user data, tokens) is included. The result
has a limited size in a cloud of any size: it contains the newest objects of each kind, and the objects that the
included servers use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .nova.instance import status_of

if TYPE_CHECKING:
    from .cloud import Cloud
    from .context import Context
    from .gateway import RequestLog
    from .store import Document

SHOWN = 300
"""The maximum number of objects per kind and region."""
REQUESTS = 80
"""The maximum number of requests."""
KINDS = ("server", "port", "volume", "network", "router", "floatingip", "keypair", "security_group", "snapshot")


def topology(cloud: Cloud, requests: RequestLog) -> dict[str, Any]:
    """Return the current state of the cloud in all regions."""
    regions = []
    for name in cloud.dialect.regions:
        with cloud.transaction(name) as ctx:
            regions.append(_region(ctx))
    fields = ("method", "path", "status", "ms", "request_id", "at")
    return {
        "dialect": cloud.dialect.name,
        "speed": cloud.speed,
        "now": cloud.clock(),
        "regions": regions,
        "requests": {
            "total": len(requests),
            "latest": [{field: getattr(each, field) for field in fields} for each in requests.latest(REQUESTS)],
        },
    }


def _region(ctx: Context) -> dict[str, Any]:
    servers = ctx.find("server", deleted=False, newest_first=True, limit=SHOWN)[::-1]
    ids = [server["id"] for server in servers]
    ports = ctx.find("port", device_id=ids) + ctx.find("port", device_id="", newest_first=True, limit=SHOWN)
    volumes = {volume["id"]: volume for volume in ctx.find("volume", newest_first=True, limit=SHOWN)}
    for id_ in {disk["volume_id"] for server in servers for disk in server["volumes"]} - volumes.keys() - {None}:
        if volume := ctx.get("volume", id_):
            volumes[id_] = volume
    images = {image["id"]: image["name"] for image in ctx.find("image")}
    routers = ctx.find("router", newest_first=True, limit=SHOWN)[::-1]
    router_ports = ctx.find("port", device_id=[router["id"] for router in routers])
    port_ids = [port["id"] for port in ports]
    floating_ips = ctx.find("floatingip", port_id=port_ids)
    floating_ips += ctx.find("floatingip", port_id=None, newest_first=True, limit=SHOWN)
    networks = {network["id"]: network for network in ctx.find("network", newest_first=True, limit=SHOWN)}
    for id_ in {port["network_id"] for port in ports + router_ports} - networks.keys():
        if network := ctx.get("network", id_):
            networks[id_] = network
    return {
        "name": ctx.region,
        "total": {kind: ctx.count(kind) for kind in KINDS} | {"server": ctx.count("server", deleted=False)},
        "servers": [_server(server, images.get(server["image_id"])) for server in servers],
        "ports": [_port(port) for port in ports],
        "volumes": [_volume(volume) for volume in volumes.values()],
        "networks": [_network(ctx, network) for network in sorted(networks.values(), key=lambda each: each["name"])],
        "routers": [_router(router, router_ports) for router in routers],
        "floating_ips": [_floating_ip(floating_ip) for floating_ip in floating_ips],
        "key_pairs": _names(ctx, "keypair"),
        "security_groups": [name for name in _names(ctx, "security_group") if name != "default"],
        "snapshots": _names(ctx, "snapshot"),
    }


def _names(ctx: Context, kind: str) -> list[str]:
    return [each["name"] or each["id"] for each in ctx.find(kind, newest_first=True, limit=SHOWN)]


def _server(doc: Document, image: str | None) -> dict[str, Any]:
    return {
        "id": doc["id"],
        "name": doc["name"],
        "status": status_of(doc),
        "task": doc["task_state"],
        "since": doc["updated"],
        "fault": doc["fault"]["message"] if doc["fault"] and status_of(doc) == "ERROR" else None,
        "flavor": {key: doc["flavor"][key] for key in ("name", "vcpus", "ram")},
        "next_flavor": doc["resize"]["new"]["name"] if doc["resize"] else None,
        "zone": doc["zone"],
        "key_name": doc["key_name"],
        "image": image,
        "local_disk": doc["flavor"]["disk"] if doc["image_id"] else None,
        "disks": [{"volume_id": disk["volume_id"], "device": disk["device"]} for disk in doc["volumes"]],
    }


def _port(doc: Document) -> dict[str, Any]:
    return {
        **{key: doc[key] for key in ("id", "name", "network_id", "device_id", "status")},
        "addresses": [fixed["ip_address"] for fixed in doc["fixed_ips"]],
    }


def _router(doc: Document, ports: list[Document]) -> dict[str, Any]:
    own = [_port(port) for port in ports if port["device_id"] == doc["id"]]
    return {**{key: doc[key] for key in ("id", "name", "status")}, "ports": own}


def _floating_ip(doc: Document) -> dict[str, Any]:
    return {"address": doc["floating_ip_address"], **{key: doc[key] for key in ("id", "port_id", "status")}}


def _volume(doc: Document) -> dict[str, Any]:
    return {key: doc[key] for key in ("id", "name", "size", "volume_type", "status")}


def _network(ctx: Context, doc: Document) -> dict[str, Any]:
    return {
        **{key: doc[key] for key in ("id", "name")},
        "external": doc["router:external"],
        "cidrs": [subnet["cidr"] for subnet in ctx.find("subnet", network_id=doc["id"])],
    }
