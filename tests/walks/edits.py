"""Random edits of programs.

An edit is a function that takes a program and a random generator. It returns the edited program and a description such
as `rename KeyPair`, or None if the edit is not applicable.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.walks import routing
from tests.walks.programs import (
    VARIABLES,
    Declaration,
    Program,
    Ref,
    changed,
    dependents,
    find,
    of_kind,
    ordered,
    renamed,
    without,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

Edited = tuple[Program, str]
Edit = "Callable[[Program, random.Random], Edited | None]"

FEWEST = 2
MOST_SERVERS = 3
MOST_REMOVED = 3
KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn one@example.org",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUGyshFLP8Zuyv7TqYSnGO0Jd0KkF8Qx7eGOFDXQ two@example.org",
)
FLAVORS = ("s1.small", "s1.medium", "s1.large")
IMAGES = ("cirros-peer", "debian-peer")
INACTIVE = ("paused", "suspended", "shelved_offloaded")
NAMES = ("one", "two", "three")
_TAGS: tuple[list[str], ...] = (["a"], ["b", "c"], [])
_METADATA: tuple[dict[str, str], ...] = ({"a": "1"}, {"b": "2", "c": "3"}, {})
_WEIGHTS = {
    "Network": 1,
    "Subnet": 1,
    "Port": 4,
    "KeyPair": 3,
    "Volume": 3,
    "Server": 4,
    "VolumeAttachment": 6,
    "InterfaceAttachment": 4,
    "SecurityGroup": 3,
    "SecurityGroupRule": 7,
    "Router": 2,
    "RouterInterface": 5,
    "RouterRoute": 3,
    "FloatingIp": 4,
    "FloatingIpAssociation": 6,
    "ServerGroup": 2,
}
"""The relative frequency with which each kind is added."""
DELETED_WITH = {
    "VolumeAttachment": "server_id",
    "InterfaceAttachment": "server_id",
    "FloatingIpAssociation": "floating_ip_id",
    "SecurityGroupRule": "security_group_id",
}
"""The input of each kind whose object the cloud deletes together with that of a resource of another kind."""
POLICIES = ("affinity", "soft-affinity", "soft-anti-affinity")
_COMMON = {"name": NAMES, "description": ("mine", "yours"), "tags": _TAGS}
IN_PLACE: dict[str, dict[str, tuple[Any, ...]]] = {
    "Network": {**_COMMON, "admin_state_up": (True, False)},
    "Subnet": {**_COMMON, "dns_nameservers": (["8.8.8.8"], ["1.1.1.1", "8.8.8.8"], []), "enable_dhcp": (True, False)},
    "Port": {
        **_COMMON,
        "admin_state_up": (True, False),
        "allowed_address_pairs": ([{"ip_address": "10.99.0.7"}], []),
    },
    "Volume": {"name": NAMES, "description": ("mine", "yours"), "metadata": _METADATA, "volume_type": ("SATA", "SSD")},
    "Server": {**_COMMON, "metadata": _METADATA, "power_state": ("active", "shutoff", *INACTIVE)},
    "SecurityGroup": _COMMON,
    "Router": {**_COMMON, "admin_state_up": (True, False)},
    "FloatingIp": {"description": ("mine", "yours"), "tags": _TAGS},
}
"""Inputs that change in place, and their values."""


# ---------------------------------------------------------------- queries


def pick(program: Program, chance: random.Random) -> Declaration:
    """Return a random resource; all kinds are equally likely."""
    kinds = sorted({each.kind for each in program})
    return chance.choice(of_kind(program, chance.choice(kinds)))


def free_name(program: Program, kind: str) -> str:
    """Return a name that no resource of the program has."""
    names = {each.name for each in program}
    return next(name for number in range(1, 99) if (name := f"{VARIABLES[kind]}{number}") not in names)


def free_number(program: Program) -> int:
    """Return a number for an address range that no subnet of the program has."""
    used = {each.inputs["cidr"] for each in of_kind(program, "Subnet")}
    return next(number for number in range(20, 99) if f"10.{number}.0.0/24" not in used)


def port_users(program: Program, port: str) -> list[Declaration]:
    """Return the servers, attachments and router interfaces that use a port."""
    users = of_kind(program, "Server", "InterfaceAttachment", "RouterInterface")
    return [each for each in users if port in each.refers_to()]


def volume_users(program: Program, volume: str) -> list[Declaration]:
    """Return the attachments of a volume."""
    return [each for each in of_kind(program, "VolumeAttachment") if each.inputs["volume_id"].name == volume]


def subnets(program: Program, network: str) -> list[Declaration]:
    """Return the subnets of a network."""
    return [each for each in of_kind(program, "Subnet") if each.inputs["network_id"].name == network]


def networks(program: Program) -> list[str]:
    """Return the names of the networks that have a subnet."""
    return [each.name for each in of_kind(program, "Network") if subnets(program, each.name)]


def listed_ports(server: Declaration) -> list[str]:
    """Return the names of the ports in the `networks` of a server."""
    return [nic["port_id"].name for nic in server.inputs["networks"] if "port_id" in nic]


# ---------------------------------------------------------------- add


def add(program: Program, chance: random.Random) -> Edited | None:
    """Add a resource."""
    (kind,) = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    added = new(program, kind, chance)
    return None if added is None else (ordered((*program, added)), f"add {kind}")


def new(program: Program, kind: str, chance: random.Random) -> Declaration | None:
    """Return a new resource of a kind; None if the program lacks what it needs."""
    inputs = _NEW[kind](program, chance)
    if inputs is None:
        return None
    for name, values in IN_PLACE.get(kind, {}).items():
        if name not in inputs and chance.random() < 0.15:
            inputs[name] = chance.choice(values)
    deleted_with = DELETED_WITH.get(kind, "") if chance.random() < 0.4 else ""
    return Declaration(kind, free_name(program, kind), inputs, deleted_with=deleted_with)


def _network(program: Program, chance: random.Random) -> dict[str, Any] | None:
    return {}


def _subnet(program: Program, chance: random.Random) -> dict[str, Any] | None:
    found = of_kind(program, "Network")
    if not found:
        return None
    return {"network_id": Ref(chance.choice(found).name), **_range(program)}


def _range(program: Program) -> dict[str, Any]:
    """Return a range that no subnet has; its allocation pool excludes the addresses that programs request."""
    start = f"10.{free_number(program)}.0"
    return {"cidr": f"{start}.0/24", "allocation_pools": [{"start": f"{start}.128", "end": f"{start}.250"}]}


def _port(program: Program, chance: random.Random) -> dict[str, Any] | None:
    found = of_kind(program, "Subnet")
    if not found:
        return None
    subnet = chance.choice(found)
    inputs: dict[str, Any] = {"network_id": subnet.inputs["network_id"], "fixed_ips": [{"subnet_id": Ref(subnet.name)}]}
    if chance.random() < 0.2:
        inputs["fixed_ips"][0]["ip_address"] = _free_address(program, subnet)
    if chance.random() < 0.1:
        inputs["mac_address"] = _free_mac(program)
    if chance.random() < 0.3:
        inputs["security_group_ids"] = _group_refs(program, chance)
    return inputs


def _group_refs(program: Program, chance: random.Random) -> list[Ref]:
    """Return up to two security groups."""
    groups = [Ref(each.name) for each in of_kind(program, "SecurityGroup")]
    return chance.sample(groups, min(len(groups), chance.choice((0, 1, 1, 2))))


def _free_address(program: Program, subnet: Declaration) -> str:
    used = {item.get("ip_address") for port in of_kind(program, "Port") for item in port.inputs["fixed_ips"]}
    start = subnet.inputs["cidr"].removesuffix(".0/24")
    return next(address for last in range(50, 99) if (address := f"{start}.{last}") not in used)


def _free_mac(program: Program) -> str:
    used = {port.inputs.get("mac_address") for port in of_kind(program, "Port")}
    return next(mac for last in range(10, 99) if (mac := f"fa:16:3e:77:00:{last}") not in used)


def _key_pair(program: Program, chance: random.Random) -> dict[str, Any] | None:
    inputs: dict[str, Any] = {}
    if chance.random() < 0.7:
        inputs["public_key"] = chance.choice(KEYS)
    used = {each.inputs.get("name") for each in of_kind(program, "KeyPair")}
    names = [name for name in NAMES if name not in used]
    if names and chance.random() < 0.5:
        inputs["name"] = chance.choice(names)
    return inputs


def _volume(program: Program, chance: random.Random) -> dict[str, Any] | None:
    return {"size": chance.choice((1, 2))}


def _server(program: Program, chance: random.Random) -> dict[str, Any] | None:
    nics = _new_nics(program, chance)
    if not nics or len(of_kind(program, "Server")) >= MOST_SERVERS:
        return None
    inputs: dict[str, Any] = {"flavor": "s1.small", "image": chance.choice(IMAGES), "networks": nics}
    keys = of_kind(program, "KeyPair")
    if keys and chance.random() < 0.5:
        inputs["key_name"] = Ref(chance.choice(keys).name, "name")
    groups = of_kind(program, "ServerGroup")
    if groups and chance.random() < 0.5:
        inputs["scheduler_hints"] = {"group": Ref(chance.choice(groups).name)}
    return inputs


def _new_nics(program: Program, chance: random.Random) -> list[dict[str, Any]]:
    ports = [each.name for each in of_kind(program, "Port") if not port_users(program, each.name)]
    choices: list[dict[str, Any]] = [{"port_id": Ref(port)} for port in ports]
    choices += [{"network_id": Ref(network)} for network in networks(program)]
    chance.shuffle(choices)
    return choices[: chance.choice((1, 1, 2))]


def _volume_attachment(program: Program, chance: random.Random) -> dict[str, Any] | None:
    servers = of_kind(program, "Server")
    volumes = [each for each in of_kind(program, "Volume") if not volume_users(program, each.name)]
    if not servers or not volumes:
        return None
    return {"server_id": Ref(chance.choice(servers).name), "volume_id": Ref(chance.choice(volumes).name)}


def _interface_attachment(program: Program, chance: random.Random) -> dict[str, Any] | None:
    servers, nics = of_kind(program, "Server"), _new_nics(program, chance)
    if not servers or not nics:
        return None
    return {"server_id": Ref(chance.choice(servers).name), **nics[0]}


def _security_group(program: Program, chance: random.Random) -> dict[str, Any] | None:
    return {"rules": _rules(program, "", chance)} if chance.random() < 0.5 else {}


def _rules(program: Program, group: str, chance: random.Random) -> list[dict[str, Any]]:
    """Return rules for a group; they refer to groups that do not depend on it."""
    depending = dependents(program, group)
    others = [Ref(each.name) for each in of_kind(program, "SecurityGroup") if each.name not in depending]
    rules: list[dict[str, Any]] = [
        {"direction": "egress"},
        {"direction": "ingress", "protocol": "icmp", "ethertype": "IPv6"},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443, "description": "web"},
        {"direction": "ingress", "protocol": "6", "port_range_min": 22, "remote_ip_prefix": "10.0.0.0/8"},
        {"direction": "ingress", "remote_group_id": "self"},
        *(
            {"direction": "ingress", "protocol": "udp", "port_range_min": 53, "remote_group_id": each}
            for each in others
        ),
    ]
    return chance.sample(rules, chance.randint(0, 4))


def _security_group_rule(program: Program, chance: random.Random) -> dict[str, Any] | None:
    groups = [Ref(each.name) for each in of_kind(program, "SecurityGroup")]
    open_groups = [ref for ref in groups if "rules" not in find(program, ref.name).inputs]
    if not open_groups:
        return None
    inputs = {"security_group_id": chance.choice(open_groups), **_rule(program)}
    if chance.random() < 0.5:
        inputs["remote_group_id"] = chance.choice(groups)
    return inputs


def _rule(program: Program) -> dict[str, Any]:
    """Return a rule that no resource of the program has."""
    used = {each.inputs["port_range_min"] for each in of_kind(program, "SecurityGroupRule")}
    port = next(number for number in range(8000, 8099) if number not in used)
    return {"direction": "ingress", "protocol": "tcp", "port_range_min": port, "port_range_max": port}


def _router(program: Program, chance: random.Random) -> dict[str, Any] | None:
    return {"external_network": routing.PUBLIC} if chance.random() < 0.8 else {}


def _router_interface(program: Program, chance: random.Random) -> dict[str, Any] | None:
    connected = {one.subnet for one in routing.connections(program).values()}
    routers = of_kind(program, "Router")
    free = [each.name for each in of_kind(program, "Subnet") if each.name not in connected]
    if not routers or not free:
        return None
    inputs: dict[str, Any] = {"router_id": Ref(chance.choice(routers).name)}
    subnet = chance.choice(free)
    published = {port for port, _ in routing.published(program)}
    ports = [
        each.name
        for each in of_kind(program, "Port")
        if routing.port_of(program, Ref(each.name)) == (each.name, subnet)
        and not port_users(program, each.name)
        and (each.name, subnet) not in published
    ]
    return inputs | ({"port_id": Ref(ports[0])} if ports and chance.random() < 0.3 else {"subnet_id": Ref(subnet)})


def _router_route(program: Program, chance: random.Random) -> dict[str, Any] | None:
    found = list(routing.connections(program).values())
    if not found:
        return None
    one = chance.choice(found)
    return {"router_id": Ref(one.router), **_route(program, one, chance)}


def _route(program: Program, one: routing.Connection, chance: random.Random) -> dict[str, Any]:
    """Return a route through this connection that no resource of the program has."""
    used = {each.inputs["destination"] for each in of_kind(program, "RouterRoute")}
    destination = next(text for number in range(1, 99) if (text := f"192.168.{number}.0/24") not in used)
    return {"destination": destination, "nexthop": one.cidr.replace(".0/24", f".{chance.randint(100, 120)}")}


def _floating_ip(program: Program, chance: random.Random) -> dict[str, Any] | None:
    ports = routing.publishable(program)
    return {"external_network": routing.PUBLIC} | ({"port_id": chance.choice(ports)} if ports else {})


def _floating_ip_association(program: Program, chance: random.Random) -> dict[str, Any] | None:
    ports, free = routing.publishable(program), _free_floating_ips(program)
    if not ports or not free:
        return None
    return {"floating_ip_id": Ref(chance.choice(free)), "port_id": chance.choice(ports)}


def _free_floating_ips(program: Program) -> list[str]:
    """Return the floating IPs that no port has."""
    used = {each.inputs["floating_ip_id"].name for each in of_kind(program, "FloatingIpAssociation")}
    found = of_kind(program, "FloatingIp")
    return [each.name for each in found if "port_id" not in each.inputs and each.name not in used]


def _server_group(program: Program, chance: random.Random) -> dict[str, Any] | None:
    return {"policy": chance.choice(POLICIES)}


_NEW = {
    "Network": _network,
    "Subnet": _subnet,
    "Port": _port,
    "KeyPair": _key_pair,
    "Volume": _volume,
    "Server": _server,
    "VolumeAttachment": _volume_attachment,
    "InterfaceAttachment": _interface_attachment,
    "SecurityGroup": _security_group,
    "SecurityGroupRule": _security_group_rule,
    "Router": _router,
    "RouterInterface": _router_interface,
    "RouterRoute": _router_route,
    "FloatingIp": _floating_ip,
    "FloatingIpAssociation": _floating_ip_association,
    "ServerGroup": _server_group,
}


# ---------------------------------------------------------------- change, replace, remove


OTHER_IN_PLACE = {
    "Volume": ("size",),
    "Server": ("flavor", "networks"),
    "Port": ("security_group_ids", "fixed_ips"),
    "SecurityGroup": ("rules", "rules"),
    "Router": ("external_network",),
    "FloatingIp": ("port_id", "port_id"),
    "FloatingIpAssociation": ("port_id",),
}
"""Inputs that change in place, whose values depend on the program."""


REQUIRED = {"FloatingIpAssociation": ("port_id",), "Port": ("fixed_ips",)}
"""Inputs that every resource of a kind keeps."""


def change(program: Program, chance: random.Random) -> Edited | None:
    """Change or unset one input that changes in place."""
    return _change(program, pick(program, chance), 1, chance)


def change_several(program: Program, chance: random.Random) -> Edited | None:
    """Change or unset several inputs that change in place."""
    return _change(program, pick(program, chance), chance.randint(2, 4), chance)


def _change(program: Program, declaration: Declaration, count: int, chance: random.Random) -> Edited | None:
    options = [*IN_PLACE.get(declaration.kind, {}), *OTHER_IN_PLACE.get(declaration.kind, ())]
    inputs: dict[str, Any] = {}
    for name in chance.sample(options, min(count, len(options))):
        value = _next_value(program, declaration, name, chance)
        if value is not None or (name in declaration.inputs and name not in REQUIRED.get(declaration.kind, ())):
            inputs[name] = value
    return (
        (changed(program, declaration.name, inputs), f"change {declaration.kind} {'+'.join(inputs)}")
        if inputs
        else None
    )


_EMPTY: dict[str, Any] = {"description": "", "metadata": {}}
"""The empty values of inputs that are no lists."""


def clear(program: Program, chance: random.Random) -> Edited | None:
    """Set all lists, maps and descriptions of a resource that can be empty to empty values."""
    declaration = pick(program, chance)
    emptied = [
        name
        for name, values in IN_PLACE.get(declaration.kind, {}).items()
        if name in _EMPTY or isinstance(values[0], list)
    ]
    emptied += [name for name in ("security_group_ids", "rules") if name in declaration.inputs]
    inputs = {name: _EMPTY.get(name, []) for name in emptied}
    return (changed(program, declaration.name, inputs), f"clear {declaration.kind}") if inputs else None


def reorder_nics(program: Program, chance: random.Random) -> Edited | None:
    """Change the order of the NICs of a server."""
    found = [each for each in of_kind(program, "Server") if len(each.inputs["networks"]) > 1]
    if not found:
        return None
    server = chance.choice(found)
    nics = chance.sample(server.inputs["networks"], len(server.inputs["networks"]))
    return changed(program, server.name, {"networks": nics}), "reorder NICs"


def _next_value(program: Program, declaration: Declaration, name: str, chance: random.Random) -> Any:
    prior: Any = declaration.inputs.get(name)
    if name == "size":
        return prior + 1
    if name == "flavor":
        return FLAVORS[min(FLAVORS.index(prior) + 1, len(FLAVORS) - 1)]
    if name == "networks":
        more = _new_nics(program, chance)[:1]
        fewer = [nic for nic in prior if nic != chance.choice(prior)]
        return fewer if len(fewer) > 0 and (not more or chance.random() < 0.5) else [*prior, *more]
    if name in NEXT:
        return NEXT[name](program, declaration, chance)
    others = [value for value in IN_PLACE[declaration.kind][name] if value != prior]
    return chance.choice([*others, None] if prior is not None else others)


def _next_port(program: Program, declaration: Declaration, chance: random.Random) -> Ref | None:
    """Return another port for a floating IP, None for a floating IP that releases its port."""
    is_free = declaration.kind == "FloatingIpAssociation" or declaration.name in _free_floating_ips(program)
    choices = [*routing.publishable(program), *([None] if declaration.kind == "FloatingIp" else [])]
    return chance.choice(choices) if choices and ("port_id" in declaration.inputs or is_free) else None


def free_addresses(program: Program, port: Declaration) -> list[dict[str, Any]]:
    """Return the addresses of a port with an address that no port of the program has."""
    subnet = find(program, port.inputs["fixed_ips"][0]["subnet_id"].name)
    return [{"subnet_id": Ref(subnet.name), "ip_address": _free_address(program, subnet)}]


def _next_addresses(program: Program, declaration: Declaration, chance: random.Random) -> list[dict[str, Any]] | None:
    """Return the addresses of a port with another one, or with one that Neutron chooses."""
    in_use = {name for port, _ in routing.published(program) if port for name in port}
    in_use |= {name for one in routing.connections(program).values() for name in one.port}
    (item,) = declaration.inputs["fixed_ips"]
    if declaration.name in in_use:
        return None
    if "ip_address" not in item or chance.random() < 0.7:
        return free_addresses(program, declaration)
    return [{"subnet_id": item["subnet_id"]}]


NEXT: dict[str, Callable[[Program, Declaration, random.Random], Any]] = {
    "rules": lambda program, declaration, chance: _rules(program, declaration.name, chance),
    "security_group_ids": lambda program, _, chance: _group_refs(program, chance),
    "external_network": lambda _, declaration, __: "" if declaration.inputs.get("external_network") else routing.PUBLIC,
    "port_id": _next_port,
    "fixed_ips": _next_addresses,
}


def replace_one(program: Program, chance: random.Random) -> Edited | None:
    """Change an input that requires a replacement."""
    declaration = pick(program, chance)
    found = list(_replacements(program, declaration, chance))
    if not found:
        return None
    inputs = chance.choice(found)
    return changed(program, declaration.name, inputs), f"replace {declaration.kind} {'+'.join(inputs)}"


def _replacements(program: Program, declaration: Declaration, chance: random.Random) -> Iterator[dict[str, Any]]:
    if declaration.kind == "KeyPair":
        yield {"public_key": chance.choice([key for key in KEYS if key != declaration.inputs.get("public_key")])}
    if declaration.kind == "Subnet" and not _addressed(program, declaration.name):
        yield _range(program)
    if declaration.kind == "Port":
        yield {"mac_address": _free_mac(program)}
        others = [
            each for each in of_kind(program, "Subnet") if each.inputs["network_id"] != declaration.inputs["network_id"]
        ]
        if others:
            other = chance.choice(others)
            yield {"network_id": other.inputs["network_id"], "fixed_ips": [{"subnet_id": Ref(other.name)}]}
    if declaration.kind == "Volume" and "image" not in declaration.inputs:
        yield {"image": "cirros-peer"}
    if declaration.kind == "Server":
        yield {"image": next(image for image in IMAGES if image != declaration.inputs["image"])}
        hints = [{"group": Ref(each.name)} for each in of_kind(program, "ServerGroup")]
        if hints:
            yield {"scheduler_hints": chance.choice(hints)}
        yield {"user_data": f"#cloud-config {chance.randrange(99)}"}
        keys = [Ref(each.name, "name") for each in of_kind(program, "KeyPair")]
        if keys:
            yield {"key_name": chance.choice([None, *keys])}
    yield from _replacements_of_new(program, declaration, chance)


def _replacements_of_new(program: Program, declaration: Declaration, chance: random.Random) -> Iterator[dict[str, Any]]:
    if declaration.kind == "SecurityGroupRule":
        yield _rule(program)
        yield {"description": chance.choice(("mine", "yours", None))}
    if declaration.kind == "RouterRoute":
        found = [
            one for one in routing.connections(program).values() if one.router == declaration.inputs["router_id"].name
        ]
        yield from (_route(program, one, chance) for one in found)
        yield from ({"nexthop": _route(program, one, chance)["nexthop"]} for one in found)
    if declaration.kind == "FloatingIpAssociation" and (free := _free_floating_ips(program)):
        yield {"floating_ip_id": Ref(chance.choice(free))}
    if declaration.kind == "RouterInterface":
        others = [Ref(each.name) for each in of_kind(program, "Router")]
        yield {"router_id": chance.choice(others)}
    if declaration.kind == "ServerGroup":
        yield {"policy": chance.choice(POLICIES)}
        yield {"name": chance.choice((*NAMES, None))}


def _addressed(program: Program, subnet: str) -> bool:
    """Whether a port requests an address of the subnet."""
    return any(
        item["subnet_id"].name == subnet and "ip_address" in item
        for port in of_kind(program, "Port")
        for item in port.inputs["fixed_ips"]
    )


def remove(program: Program, chance: random.Random) -> Edited | None:
    """Remove a resource and its dependents."""
    declaration = pick(program, chance)
    remaining = without(program, declaration.name)
    removed = len(program) - len(remaining)
    if len(remaining) < FEWEST or (removed > MOST_REMOVED and chance.random() < 0.8):
        return None
    return remaining, f"remove {declaration.kind}"


def reorder(program: Program, chance: random.Random) -> Edited | None:
    """Declare the resources in another order."""
    shuffled = chance.sample(program, len(program))
    return ordered(shuffled), "reorder"


# ---------------------------------------------------------------- rename, swap


def rename(program: Program, chance: random.Random) -> Edited | None:
    """Rename a resource, which makes it another resource for the engine."""
    declaration = pick(program, chance)
    return renamed(program, {declaration.name: free_name(program, declaration.kind)}), f"rename {declaration.kind}"


def rename_with_alias(program: Program, chance: random.Random) -> Edited | None:
    """Rename a resource, with an alias for its prior name."""
    declaration = pick(program, chance)
    name = free_name(program, declaration.kind)
    edited = renamed(program, {declaration.name: name})
    aliased = tuple(replace(each, alias=declaration.name) if each.name == name else each for each in edited)
    return aliased, f"alias {declaration.kind}"


def swap(program: Program, chance: random.Random) -> Edited | None:
    """Swap the names of two resources of a kind."""
    one = pick(program, chance)
    others = [each for each in of_kind(program, one.kind) if each != one]
    if not others:
        return None
    other = chance.choice(others)
    return ordered(renamed(program, {one.name: other.name, other.name: one.name})), f"swap {one.kind}"


# ---------------------------------------------------------------- move


def move(program: Program, chance: random.Random) -> Edited | None:
    """Move a port between an attachment and its server's list, or an attachment to another server."""
    attachments = of_kind(program, "InterfaceAttachment", "VolumeAttachment")
    servers = of_kind(program, "Server")
    found: list[Edited] = []
    for declaration in attachments:
        server = find(program, declaration.inputs["server_id"].name)
        others = [each for each in servers if each != server]
        if others:
            to = Ref(chance.choice(others).name)
            found.append(
                (changed(program, declaration.name, {"server_id": to}), f"move {declaration.kind} to another server")
            )
        if "port_id" in declaration.inputs:
            nics = [*server.inputs["networks"], {"port_id": declaration.inputs["port_id"]}]
            edited = changed(without(program, declaration.name), server.name, {"networks": nics})
            found.append((edited, "move port from attachment to list"))
    for server in servers:
        for port in listed_ports(server):
            nics = [nic for nic in server.inputs["networks"] if nic != {"port_id": Ref(port)}]
            if nics:
                new = Declaration(
                    "InterfaceAttachment",
                    free_name(program, "InterfaceAttachment"),
                    {"server_id": Ref(server.name), "port_id": Ref(port)},
                )
                edited = ordered((*changed(program, server.name, {"networks": nics}), new))
                found.append((edited, "move port from list to attachment"))
                # An engine without concurrency updates the servers in the order of the program.
                for later in servers[servers.index(server) + 1 :]:
                    more = {"networks": [*later.inputs["networks"], {"port_id": Ref(port)}]}
                    edited = changed(changed(program, server.name, {"networks": nics}), later.name, more)
                    found.append((edited, "move port to another server"))
    return chance.choice(found) if found else None


def publish(program: Program, chance: random.Random) -> Edited | None:
    """Move a floating IP between its own input and an association, or all rules of a group into the group."""
    found: list[Edited] = []
    for each in of_kind(program, "FloatingIp"):
        if "port_id" in each.inputs:
            inputs = {"floating_ip_id": Ref(each.name), "port_id": each.inputs["port_id"]}
            new = Declaration("FloatingIpAssociation", free_name(program, "FloatingIpAssociation"), inputs)
            edited = ordered((*changed(program, each.name, {"port_id": None}), new))
            found.append((edited, "move port from floating IP to association"))
    for each in of_kind(program, "FloatingIpAssociation"):
        address = each.inputs["floating_ip_id"].name
        edited = changed(without(program, each.name), address, {"port_id": each.inputs["port_id"]})
        found.append((edited, "move port from association to floating IP"))
    for each in of_kind(program, "SecurityGroup"):
        rules = [
            rule for rule in of_kind(program, "SecurityGroupRule") if rule.inputs["security_group_id"] == Ref(each.name)
        ]
        groups = {rule.inputs["remote_group_id"].name for rule in rules if "remote_group_id" in rule.inputs}
        if rules and not groups & dependents(program, each.name):
            nested = [
                {name: value for name, value in rule.inputs.items() if name != "security_group_id"} for rule in rules
            ]
            edited = changed(without(program, *(rule.name for rule in rules)), each.name, {"rules": nested})
            found.append((edited, "move rules into group"))
    return chance.choice(found) if found else None
