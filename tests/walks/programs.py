"""A Pulumi program as data: resources of all kinds with references, which can be written as `__main__.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VARIABLES = {
    "Network": "net",
    "Subnet": "sub",
    "Port": "port",
    "KeyPair": "key",
    "Volume": "vol",
    "Server": "srv",
    "VolumeAttachment": "vat",
    "InterfaceAttachment": "nic",
    "SecurityGroup": "sg",
    "SecurityGroupRule": "rule",
    "Router": "rtr",
    "RouterInterface": "rif",
    "RouterRoute": "rrt",
    "FloatingIp": "fip",
    "FloatingIpAssociation": "fas",
    "ServerGroup": "grp",
}
"""Every kind with the prefix of its resource names, which are also the variable names of the program."""

_FLAGS = ("protect", "retain_on_delete")
"""The resource options that are switches."""

CONNECTED = ("FloatingIp", "FloatingIpAssociation", "RouterRoute")
"""The kinds that need an interface of a router, to which they do not refer."""


@dataclass(frozen=True)
class Ref:
    """An output of another resource, as the value of an input.

    Attributes:
        name: The name of the resource.
        output: The name of the output.
        path: The indices and keys that lead to a part of the output.
    """

    name: str
    output: str = "id"
    path: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Declaration:
    """A resource that a program declares.

    Attributes:
        kind: Its kind.
        name: Its name, which is unique in the program.
        inputs: Its inputs: plain values and, at any depth, references.
        depends_on: The names of the resources of the option `depends_on`.
        alias: The prior name of the option `aliases`; empty for none.
        protect: The option `protect`.
        retain: The option `retain_on_delete`.
        ignored: The inputs of the option `ignore_changes`.
        deleted_with: The input that refers to the resource of the option `deleted_with`; empty for none.
        minutes: The timeout of every operation in the option `custom_timeouts`; 0 for the default.
    """

    kind: str
    name: str
    inputs: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    alias: str = ""
    protect: bool = False
    retain: bool = False
    ignored: tuple[str, ...] = ()
    deleted_with: str = ""
    minutes: int = 0

    def refers_to(self) -> set[str]:
        """Return the names of the resources that it depends on."""
        return {ref.name for ref in refs(self.inputs)} | set(self.depends_on)


Program = tuple[Declaration, ...]
"""The resources in the order of declaration; each comes after those that it refers to."""


def refs(value: Any) -> Iterator[Ref]:
    """Yield the references in a value."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def resolve(value: Any, of: Callable[[Ref], Any]) -> Any:
    """Replace each reference in a value with the result of `of`."""
    if isinstance(value, Ref):
        return of(value)
    if isinstance(value, dict):
        return {key: resolve(item, of) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, of) for item in value]
    return value


def find(program: Program, name: str) -> Declaration:
    """Return the resource with this name."""
    return next(each for each in program if each.name == name)


def of_kind(program: Program, *kinds: str) -> list[Declaration]:
    """Return the resources of these kinds."""
    return [each for each in program if each.kind in kinds]


def dependents(program: Program, *names: str) -> set[str]:
    """Return the names of these resources and of all that depend on them."""
    found = set(names)
    for each in program:
        if each.refers_to() & found:
            found.add(each.name)
    return found


def without(program: Program, *names: str) -> Program:
    """Return the program without these resources and their dependents."""
    removed = dependents(program, *names)
    return tuple(each for each in program if each.name not in removed)


def changed(program: Program, name: str, inputs: Mapping[str, Any]) -> Program:
    """Return the program with changed inputs of one resource; None removes an input."""

    def change(each: Declaration) -> Declaration:
        if each.name != name:
            return each
        merged = {**each.inputs, **inputs}
        return replace(each, inputs={key: value for key, value in merged.items() if value is not None})

    return ordered(change(each) for each in program)


def renamed(program: Program, names: Mapping[str, str]) -> Program:
    """Return the program with renamed resources and references."""

    def rename(each: Declaration) -> Declaration:
        return replace(
            each,
            name=names.get(each.name, each.name),
            inputs=resolve(each.inputs, lambda ref: replace(ref, name=names.get(ref.name, ref.name))),
            depends_on=tuple(names.get(name, name) for name in each.depends_on),
        )

    return tuple(rename(each) for each in program)


def ordered(program: Any) -> Program:
    """Sort the resources so that each comes after those that it depends on; keep their order otherwise.

    A NIC by network depends on the subnets of the network, to which it does not refer. A floating IP and a route come
    after the interfaces without which they cannot exist, but do not depend on them: the provider waits for them.

    Raises:
        ValueError: A resource refers to one that the program does not contain.
    """
    remaining = list(program)
    interfaces = {each.name for each in remaining if each.kind == "RouterInterface"}
    later = {each.name: interfaces for each in remaining if each.kind in CONNECTED}
    subnets = [(each.name, each.inputs["network_id"].name) for each in remaining if each.kind == "Subnet"]
    remaining = [
        replace(each, depends_on=tuple(name for name, network in subnets if network in networks_of_nics(each)))
        for each in remaining
    ]
    done: list[Declaration] = []
    known: set[str] = set()
    while remaining:
        each = next((each for each in remaining if each.refers_to() | later.get(each.name, set()) <= known), None)
        if each is None:
            raise ValueError(f"a resource refers to one that does not exist: {remaining}")
        remaining.remove(each)
        done.append(each)
        known.add(each.name)
    return tuple(done)


def networks_of_nics(of: Declaration) -> list[str]:
    """Return the networks in which Nova or the provider creates a port for a NIC of this resource."""
    if of.kind == "Server":
        return [nic["network_id"].name for nic in of.inputs["networks"] if "network_id" in nic]
    if of.kind == "InterfaceAttachment" and "network_id" in of.inputs:
        return [of.inputs["network_id"].name]
    return []


def to_source(program: Program) -> str:
    """Return the source code of the program."""
    lines = ["import pulumi", "import ecs_pulumi as ecs", ""]
    for each in program:
        arguments = [repr(each.name), *(f"{name}={_literal(value)}" for name, value in each.inputs.items())]
        options = []
        if each.depends_on:
            options.append(f"depends_on=[{', '.join(each.depends_on)}]")
        if each.alias:
            options.append(f"aliases=[pulumi.Alias(name={each.alias!r})]")
        options += [f"{name}=True" for name in _FLAGS if getattr(each, name.partition("_")[0])]
        if each.ignored:
            options.append(f"ignore_changes={list(each.ignored)!r}")
        if each.deleted_with:
            # From 3.260 on, the engine replaces the resource together with the other one, and creates it first.
            options.append(f"deleted_with={each.inputs[each.deleted_with].name}, delete_before_replace=True")
        if each.minutes:
            timeouts = ", ".join(f"{name}='{each.minutes}m'" for name in ("create", "update", "delete"))
            options.append(f"custom_timeouts=pulumi.CustomTimeouts({timeouts})")
        if options:
            arguments.append(f"opts=pulumi.ResourceOptions({', '.join(options)})")
        lines.append(f"{each.name} = ecs.{each.kind}({', '.join(arguments)})")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, Ref):
        return f"{value.name}.{value.output}" + "".join(f"[{key!r}]" for key in value.path)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)
