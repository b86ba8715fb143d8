"""The emulated cloud of the walks, and the comparison of its contents with a program."""

from __future__ import annotations

import functools
import sys
from collections.abc import MutableMapping, MutableSequence, MutableSet
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic import state
from ecs_pulumi.dynamic.ownership import OWNERSHIP
from ecs_pulumi.resources.owner_markers import is_owner_marker
from tests.faults.world import EmulatedWorld
from tests.support.landscape import client
from tests.walks.by_hand import Client
from tests.walks.programs import Ref, find, resolve
from tests.walks.routing import rule_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ecs_pulumi.emulator.context import Context
    from tests.walks.programs import Declaration, Program

Documents = dict[tuple[str, str], dict[str, Any]]
"""The objects of a cloud by kind and id."""

NOTIFICATION_SECONDS = 10.0
"""Seconds until the services of a cloud have exchanged all notifications."""
KINDS = (
    *("network", "subnet", "port", "volume", "server", "keypair"),
    *("security_group", "security_group_rule", "router", "floatingip", "server_group"),
)
_API_KINDS = {
    "SecurityGroup": "security_group",
    "SecurityGroupRule": "security_group_rule",
    "FloatingIp": "floatingip",
    "ServerGroup": "server_group",
}


def key_of(kind: str, id_: str) -> tuple[str, str]:
    """Return the key of the object of a resource."""
    return _API_KINDS.get(kind, kind.lower()), id_


_PARTS = ("VolumeAttachment", "InterfaceAttachment", "RouterInterface", "RouterRoute", "FloatingIpAssociation")
"""The kinds that are part of an object of another kind."""
_API_NAMES = {"security_group_ids": "security_groups"}
_COMPARED_FIELDS = {
    "Network": ("name", "description", "tags", "admin_state_up"),
    "Subnet": ("name", "description", "tags", "network_id", "cidr", "dns_nameservers", "enable_dhcp"),
    "Port": (
        *("name", "description", "tags", "network_id", "admin_state_up", "mac_address", "security_group_ids"),
        "allowed_address_pairs",
    ),
    "Volume": ("name", "description", "metadata", "size", "volume_type"),
    "Server": ("name", "description", "tags", "metadata", "key_name", "config_drive"),
    "KeyPair": ("name", "public_key"),
    "SecurityGroup": ("name", "description", "tags"),
    "SecurityGroupRule": ("security_group_id", "direction", "port_range_min", "port_range_max", "remote_group_id"),
    "Router": ("name", "description", "tags", "admin_state_up"),
    "FloatingIp": ("description", "tags"),
    "ServerGroup": ("name", "policy"),
}
_MARKER = "managed-by-pulumi"
"""The key of the owner marker in the metadata, which no program declares."""
_SETS = ("tags", "security_group_ids")


def documents(state: Context) -> Documents:
    """Return all objects of the project in an emulated cloud."""
    return {
        (kind, item["name"] if kind == "keypair" else item["id"]): item
        for kind in KINDS
        for item in state.find(kind)
        if item.get("project_id", state.project_id) == state.project_id and not item.get("deleted")
    }


def differences(program: Program, ids: Mapping[str, str], unmanaged: Documents, remote: Documents) -> Iterator[str]:
    """Yield the differences between the objects of a cloud and the program.

    Args:
        program: The program.
        ids: The ids of its objects, by the names of its resources.
        unmanaged: The objects that existed before the stack.
        remote: The objects that exist now.
    """
    yield from (
        f"changed an unmanaged object: {key[0]} {key[1]}" for key in unmanaged if remote.get(key) != unmanaged[key]
    )
    if missing := sorted({each.name for each in program} - ids.keys()):
        yield f"not in the state: {missing}"
        return
    matched = set(unmanaged)
    for each in program:
        key, expected = _expected(each, ids, remote)
        item = remote.get(key)
        if item is None:
            yield f"{each.name}: there is no {key[0]} {key[1]}"
            continue
        if key in matched and each.kind not in _PARTS:
            yield f"{each.name}: another owner has {key[0]} {key[1]}"
        matched.add(key)
        for field, value in expected.items():
            actual = _value(item, field)
            if actual != value:
                yield f"{each.name}: {field} is {actual!r}, not {value!r}"
        yield from _nics_and_disks(program, each, ids, item, remote)
        yield from _routing(program, each, ids, item, remote)
    owned = {("port", nic["port_id"]) for key, item in remote.items() if key[0] == "server" for nic in item["nics"]}
    groups = {ids[each.name] for each in program if each.kind == "SecurityGroup"}
    # `_routing` compares the rules of a group.
    owned |= {
        key for key, item in remote.items() if key[0] == "security_group_rule" and item["security_group_id"] in groups
    }
    for kind, id_ in sorted(remote.keys() - matched - owned):
        yield f"no resource declares {kind} {id_} {remote[kind, id_].get('name')!r}"


def _expected(each: Declaration, ids: Mapping[str, str], remote: Documents) -> tuple[tuple[str, str], dict[str, Any]]:
    """Return the key of the object of a resource, and the expected values of its document."""
    # `_routing` compares the ports of NICs.
    inputs: dict[str, Any] = resolve(dict(each.inputs), lambda ref: "" if ref.path else ids[ref.name])
    if each.kind == "RouterInterface":
        return ("port", ids[each.name].partition("/")[2]), {"device_id": inputs["router_id"]}
    if each.kind == "RouterRoute":
        return ("router", inputs["router_id"]), {}
    if each.kind == "FloatingIpAssociation":
        return ("floatingip", inputs["floating_ip_id"]), {}
    if each.kind == "VolumeAttachment":
        is_shelved = remote["server", inputs["server_id"]]["vm_state"] == "shelved_offloaded"
        # Cinder lists no attachment of a server without a host.
        attached = {"status": "reserved", "servers": []} if is_shelved else {"status": "in-use"}
        return ("volume", inputs["volume_id"]), {"servers": [inputs["server_id"]], **attached}
    if each.kind == "InterfaceAttachment":
        port = inputs.get("port_id") or ids[each.name].partition("/")[2]
        place = {"network_id": inputs["network_id"]} if "network_id" in inputs else {}
        return ("port", port), {"device_id": inputs["server_id"], "status": "ACTIVE", **place}
    expected = {field: inputs[field] for field in _COMPARED_FIELDS[each.kind] if field in inputs}
    expected |= {field: sorted(expected[field]) for field in _SETS if field in expected}
    if each.kind == "Server":
        expected["flavor_name"] = inputs["flavor"]
        if power := inputs.get("power_state"):
            expected["vm_state"] = {"shutoff": "stopped"}.get(power, power)
    if "fixed_ips" in inputs:
        expected["subnets"] = [item["subnet_id"] for item in inputs["fixed_ips"]]
        if any("ip_address" in item for item in inputs["fixed_ips"]):
            expected["addresses"] = [item["ip_address"] for item in inputs["fixed_ips"]]
    return key_of(each.kind, ids[each.name]), expected


def _value(item: dict[str, Any], field: str) -> Any:
    """Return a value of a document in the form of `_expected`."""
    if field == "servers":
        return [one["server_id"] for one in item["attachments"]]
    if field in ("subnets", "addresses"):
        return [one["subnet_id" if field == "subnets" else "ip_address"] for one in item["fixed_ips"]]
    value = item["flavor"]["name"] if field == "flavor_name" else item.get(_API_NAMES.get(field, field))
    if field == "description" and is_owner_marker(value or ""):
        return ""  # an object without a description has an owner marker
    if field == "metadata":
        return {key: text for key, text in (value or {}).items() if key != _MARKER}
    if field == "allowed_address_pairs":
        return [{"ip_address": pair["ip_address"]} for pair in value or ()]
    return sorted(value or ()) if field in _SETS else value


def _nics_and_disks(
    program: Program, each: Declaration, ids: Mapping[str, str], item: dict[str, Any], remote: Documents
) -> Iterator[str]:
    """Yield missing and unexpected NICs and volumes of a server."""
    if each.kind != "Server":
        return
    attachments = [one for one in program if one.inputs.get("server_id") == Ref(each.name)]
    ports = [ids[nic["port_id"].name] for nic in each.inputs["networks"] if "port_id" in nic]
    networks = [ids[nic["network_id"].name] for nic in each.inputs["networks"] if "network_id" in nic]
    ports += [ids[one.name].partition("/")[2] for one in attachments if one.kind == "InterfaceAttachment"]
    nics = [nic["port_id"] for nic in item["nics"]]
    others = [
        remote["port", port]["network_id"] if ("port", port) in remote else "?" for port in nics if port not in ports
    ]
    if missing := [port for port in ports if port not in nics]:
        yield f"{each.name}: lacks the ports {missing}"
    if sorted(others) != sorted(networks):
        yield f"{each.name}: has NICs without Port in the networks {sorted(others)}, not {sorted(networks)}"
    bound = sorted(id_ for (kind, id_), port in remote.items() if kind == "port" and port["device_id"] == item["id"])
    if bound != sorted(nics):
        yield f"{each.name}: Neutron lists the ports {bound}, Nova {sorted(nics)}"
    attached = [one.inputs["volume_id"].name for one in attachments if one.kind == "VolumeAttachment"]
    volumes = sorted(ids[name] for name in attached)
    if volumes != (disks := sorted(disk["volume_id"] for disk in item["volumes"])):
        yield f"{each.name}: has the volumes {disks}, not {volumes}"


def _routing(
    program: Program, each: Declaration, ids: Mapping[str, str], item: dict[str, Any], remote: Documents
) -> Iterator[str]:
    """Yield the differences of routes, gateways, associations, rules and members."""
    if each.kind == "Router":
        routes = [
            (one.inputs["destination"], one.inputs["nexthop"])
            for one in program
            if one.kind == "RouterRoute" and one.inputs["router_id"] == Ref(each.name)
        ]
        actual = sorted((one["destination"], one["nexthop"]) for one in item["routes"])
        if actual != sorted(set(routes)):
            yield f"{each.name}: has the routes {actual}, not {sorted(set(routes))}"
        wanted = each.inputs.get("external_network")
        if wanted is not None and bool(item["external_gateway_info"]) != bool(wanted):
            yield f"{each.name}: has the gateway {item['external_gateway_info']}"
    elif each.kind in ("FloatingIp", "FloatingIpAssociation"):
        yield from _association(program, each, ids, item, remote)
    elif each.kind == "SecurityGroup" and "rules" in each.inputs:
        found = [rule for rule in remote.values() if rule.get("security_group_id") == item["id"]]
        described = sorted(str((*rule_values(rule), _written_description(rule))) for rule in found)
        rules = resolve(each.inputs["rules"], lambda ref: ids[ref.name])
        for rule in rules:
            if rule.get("remote_group_id") == "self":
                rule["remote_group_id"] = item["id"]
        desired = sorted(str((*rule_values(rule), rule.get("description", ""))) for rule in rules)
        if described != desired:
            yield f"{each.name}: has the rules {described}, not {desired}"
    elif each.kind == "ServerGroup":
        hints = {"group": Ref(each.name)}
        members = [ids[one.name] for one in program if one.inputs.get("scheduler_hints") == hints]
        actual_members = [id_ for id_ in item["members"] if ("server", id_) in remote]
        if sorted(actual_members) != sorted(members):
            yield f"{each.name}: has the members {actual_members}, not {members}"


def _written_description(rule: dict[str, Any]) -> str:
    """Return the description of a rule; empty for an owner marker, which a rule keeps when its group takes it over."""
    text = rule["description"] or ""
    return "" if is_owner_marker(text) else text


def _association(
    program: Program, each: Declaration, ids: Mapping[str, str], item: dict[str, Any], remote: Documents
) -> Iterator[str]:
    """Yield the difference of the port of a floating IP."""
    associations = {one.inputs["floating_ip_id"].name: one for one in program if one.kind == "FloatingIpAssociation"}
    declared: Ref | None = associations.get(each.name, each).inputs.get("port_id")
    port = item["port_id"]
    if declared is None or not declared.path:
        desired = [ids[declared.name] if declared else None]
    else:
        server = remote["server", ids[declared.name]]
        nic = find(program, declared.name).inputs["networks"][declared.path[0]]
        if "port_id" in nic:
            desired = [ids[nic["port_id"].name]]
        else:
            ports = {ids[one.name] for one in program if one.kind == "Port"}
            nics = [one["port_id"] for one in server["nics"] if one["port_id"] not in ports]
            desired = [id_ for id_ in nics if remote["port", id_]["network_id"] == ids[nic["network_id"].name]]
    if port not in desired:
        yield f"{each.name}: is associated with {port}, not {desired}"
    if port and not item["router_id"]:
        yield f"{each.name}: has no router"


class SharedWorld(EmulatedWorld):
    """A cloud with an unmanaged object of every kind, some with names that the programs use."""

    def _create_base(self) -> None:
        ids: dict[str, str] = {}
        for kind, name, inputs in (
            ("Network", "net1", {"name": "one"}),
            ("Subnet", "sub1", {"network_id": Ref("net1"), "cidr": "10.1.0.0/24", "name": "one"}),
            ("Port", "port1", {"network_id": Ref("net1"), "name": "one"}),
            ("Volume", "vol1", {"size": 1, "name": "one"}),
            ("KeyPair", "key1", {}),
            ("Server", "srv1", {**self.server(), "networks": [{"port_id": Ref("port1")}], "name": "one"}),
            ("VolumeAttachment", "vat1", {"server_id": Ref("srv1"), "volume_id": Ref("vol1")}),
            ("InterfaceAttachment", "nic1", {"server_id": Ref("srv1"), "network_id": Ref("net1")}),
            ("SecurityGroup", "sg1", {"name": "one", "rules": [{"direction": "ingress"}]}),
            ("SecurityGroup", "sg2", {"name": "one"}),
            ("SecurityGroupRule", "rule1", {"security_group_id": Ref("sg2"), "direction": "ingress"}),
            ("Router", "rtr1", {"name": "one", "external_network": "public"}),
            ("RouterInterface", "rif1", {"router_id": Ref("rtr1"), "subnet_id": Ref("sub1")}),
            (
                *("RouterRoute", "rrt1"),
                {"router_id": Ref("rtr1"), "destination": "192.168.1.0/24", "nexthop": "10.1.0.99"},
            ),
            ("FloatingIp", "fip1", {"external_network": "public"}),
            ("FloatingIpAssociation", "fas1", {"floating_ip_id": Ref("fip1"), "port_id": Ref("port1")}),
            ("ServerGroup", "grp1", {"name": "one", "policy": "affinity"}),
        ):
            resource = self.resource(kind, name)
            resource.up(**resolve(inputs, lambda ref: ids[ref.name]))
            ids[name] = resource.id
        self._time.advance(NOTIFICATION_SECONDS)
        with self.cloud.state() as state:
            self.unmanaged = documents(state)
        self.start = self.snapshot()

    def differences(self, program: Program, ids: Mapping[str, str], retained: Documents) -> list[str]:
        """Return the differences between the cloud and the program, after all notifications."""
        return list(differences(program, ids, self.unmanaged | retained, self.documents()))

    def documents(self) -> Documents:
        """Return the objects of the cloud, after all notifications."""
        self.settle()
        with self.cloud.state() as state:
            return documents(state)

    def settle(self) -> None:
        """Advance the time until all notifications have arrived."""
        self._time.advance(NOTIFICATION_SECONDS)

    @functools.cached_property
    def client(self) -> Client:
        """Another client of the cloud."""
        return Client(client(self.cloud.settings), self.settle)

    def start_process(self) -> None:
        """Clear the caches and reconnect, as in a new process."""
        clear_caches()
        self.connect()


@contextmanager
def caches_preserved() -> Iterator[None]:
    """Restore the caches of this process at the end."""
    saved = [(each, list(each.items() if isinstance(each, MutableMapping) else each)) for each in _collections()]
    yield
    clear_caches()
    for container, items in saved:
        if isinstance(container, MutableSequence):
            container.extend(items)
        elif isinstance(container, MutableMapping):
            container.update(items)
        else:
            for item in items:
                container.add(item)


def clear_caches() -> None:
    """Clear the caches of all modules, as in a new process."""
    for each in caches():
        each.clear()
    OWNERSHIP.clear()
    state._read.cache_clear()


def _collections() -> list[Any]:
    kinds = (MutableMapping, MutableSequence, MutableSet)
    return [each for each in caches() if isinstance(each, kinds)]


def caches() -> list[Any]:
    """Return the module-level caches of the package: lists, sets, maps and events with a lower-case name."""
    return _find_caches(len(sys.modules))


@functools.lru_cache(1)
def _find_caches(_: int) -> list[Any]:
    return [
        value
        for module, content in list(sys.modules.items())
        if module.startswith("ecs_pulumi.") and not module.startswith("ecs_pulumi.emulator")
        for name, value in list(vars(content).items())
        if name == name.lower() and not name.startswith("__")
        if not isinstance(value, type) and callable(getattr(value, "clear", None))
    ]
