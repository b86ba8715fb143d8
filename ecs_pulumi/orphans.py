"""`python -m ecs_pulumi.orphans`: what a killed `pulumi up` left in the cloud without the state knowing it."""

# ruff: noqa: T201 - a command speaks by printing

from __future__ import annotations

import argparse
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors, network
from ecs_pulumi.cloud.settings import Settings, misspelled
from ecs_pulumi.dynamic.kind import OperationContext, is_auto_name, owner_from_name, signer
from ecs_pulumi.dynamic.kind import get_handler as kind_of
from ecs_pulumi.dynamic.state import backend_fingerprint
from ecs_pulumi.resources.common import OF_A_NIC, markers_of, parse_owner_marker
from ecs_pulumi.resources.nic import is_for_a_nic
from ecs_pulumi.stack import OtherStacks, Stack, StackError, cloud_ids, load_stack, other_stacks
from ecs_pulumi.streams import force_utf8, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.common import Clients

DESCRIPTION = """\
Finds what the current stack has made and its state does not know: what a killed `pulumi up` or a lost state file left
behind, and what was kept by retain_on_delete. The evidence is one of these:

  the state       the state records that a killed `up` was creating the object
  owner marker    "Managed by Pulumi: <project>/<stack>/<resource>", in the metadata of servers and volumes, and in the
                  description of networks, subnets and ports that the program gives none (unless ecs:marker is false)
  name            the automatic name of a key pair, network, subnet or port: half of its suffix is computed from the
                  project, the stack, the backend and the resource

--delete alone deletes what the state proves. An owner marker or a name does not tell whether the object was left by a
killed run, or kept on purpose with retain_on_delete: such an object is deleted only where it is named, --delete ID.

What the state of any other stack in the same backend has is that stack's, moved there or under the name that this
one had before: it is listed apart and never deleted.

Run it in the project's folder while no `pulumi up` of the stack is running, since what that creates is not in the
state yet."""
EPILOG = """\
exit status:
  0  nothing was found, or all that was found has been deleted
  1  something was found and is still there
  2  something went wrong; one line says what

An owner marker and a name also stand for the backend that keeps the state, where it was known when the object was
created. Else the objects of a stack of the same name in another backend, for the same project of the cloud, look the
same. To name an object with --delete is to say that it is not one of these. Where the state of another stack cannot
be read, such objects are not deleted at all.

What it does not find: attachments of volumes and of ports that the program declares, which the next `up` takes over; a
network, subnet or port to which the program gives both a name and a description, and key pairs of a chosen name, except
where the state records their creation; other projects of the cloud; what was made before the stack was renamed."""
_STATE, _MARKER = "the state", "its owner marker"
_UNNAMED = "not named: it may have been kept by retain_on_delete"
_AT_ONCE = 16
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


@dataclass(frozen=True)
class Orphan:
    """An object that the stack made, by its mark or the state's own note, and that its state does not know.

    Attributes:
        kind: The kind, such as `Server`.
        id: Its id in the cloud.
        name: Its name in the cloud.
        resource: Name of the resource in the program that it was created for.
        region: The region it is in.
        created: When it was created, where the cloud tells.
        users: The servers that have it.
        evidence: Why it is taken for the stack's: `the state` records its creation, or else what the object carries.
    """

    kind: str
    id: str
    name: str
    resource: str
    region: str
    created: datetime | None
    users: tuple[str, ...] = ()
    evidence: str = _MARKER

    @property
    def confirmed_by_state(self) -> bool:
        """Whether the state records that it was being created; what it carries itself proves no killed run."""
        return self.evidence == _STATE

    @property
    def listed_as(self) -> str:
        """The kind in whose list it stands: a NIC is found by its port."""
        return "Port" if self.kind == "InterfaceAttachment" else self.kind

    @property
    def object(self) -> str:
        """The id of what was made: of a NIC the port, whichever server has it."""
        return self.id if self.listed_as == self.kind else self.id.rpartition("/")[2]

    @property
    def adopt(self) -> str:
        """What the program has to say to take it over."""
        return f'ecs.{self.kind}({json.dumps(self.resource)}, …, adopt="{self.id}")'


def _networking(kind: str) -> Callable[[Region], Iterable[Mapping[str, Any]]]:
    return lambda region: (
        item
        for item in network.list_all(region.network, kind, tenant_id=region.project_id)
        # What is only shared with this project is another's, whatever it says.
        if item.get("project_id", item.get("tenant_id")) == region.project_id
    )


_LISTS: Mapping[str, Callable[[Region], Iterable[Mapping[str, Any]]]] = {
    "Server": lambda region: compute.list_servers(region.compute, microversion=region.server_microversion),
    "Port": _networking("port"),
    "Subnet": _networking("subnet"),
    "Network": _networking("network"),
    "Volume": lambda region: block_storage.list_volumes(region.block_storage),
    "KeyPair": lambda region: ({**pair, "id": pair["name"]} for pair in compute.list_key_pairs(region.compute)),
}
"""How to list each kind, in the order in which they can be deleted."""


def find_orphans(stack: Stack, regions: Iterable[str] = ()) -> list[Orphan]:
    """What the stack made and is not in its state, in the order in which it can be deleted.

    Args:
        stack: The stack.
        regions: Where to look besides the configured region and those that the state names.
    """
    known = {id_ for resource in stack.resources for id_ in cloud_ids(resource)}
    told = {(resource.get("outputs") or {}).get("region") for resource in stack.resources}
    names = {None, *regions, *(name for name in told if isinstance(name, str))}
    places = {region.name: region for region in (_connect(stack, "Server", name).region for name in names)}
    return [
        orphan
        for kind in _LISTS
        for _, region in sorted(places.items())
        for orphan in _made_by(stack, kind, region)
        if orphan.object not in known
    ]


def delete(stack: Stack, found: Sequence[Orphan], unreadable: Iterable[str] = ()) -> dict[Orphan, str]:
    """Delete orphans and wait until they are gone; what a server has that is none of them is left alone.

    Args:
        stack: The stack.
        found: What `find_orphans` returned, without what other states have.
        unreadable: The stacks whose state cannot be read; what may be in one of them is left alone, too.

    Returns:
        What is still there, and why.
    """
    left = {}
    if unreadable:
        reason = f"it may be in the state of {', '.join(unreadable)}, which cannot be read; left alone"
        left = {orphan: reason for orphan in found if not orphan.confirmed_by_state}
    doomed = {orphan.id for orphan in found if orphan not in left}
    left |= {
        orphan: f"in use by server {', '.join(orphan.users)}, left alone"
        for orphan in found
        if orphan not in left and not doomed.issuperset(orphan.users)
    }
    for kind in _LISTS:
        those = [orphan for orphan in found if orphan.listed_as == kind and orphan not in left]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            reasons = list(pool.map(lambda orphan: _delete(stack, orphan), those))
        left |= {orphan: reason for orphan, reason in zip(those, reasons, strict=True) if reason}
    return left


def _delete(stack: Stack, orphan: Orphan) -> str | None:
    kind = kind_of(orphan.kind)
    context = OperationContext(
        verb="delete",
        kind=orphan.kind,
        resource=orphan.resource,
        connect=lambda: _connect(stack, orphan.kind, orphan.region),
        timeout=kind.timeout,
    )
    try:
        kind.delete(context, orphan.id, {})
    except errors.EcsError as error:
        return str(error)
    return None


def _connect(stack: Stack, kind: str, region: str | None) -> Clients:
    found = kind_of(kind)
    cloud: Clients = found.connect(stack.config.get, region, found.timeout)
    return cloud


def _made_by(stack: Stack, kind: str, region: Region) -> Iterator[Orphan]:
    begun = [each for each in stack.pending if each["type"].rpartition(":")[2] == kind]
    for item in _LISTS[kind](region):
        name = item.get("name") or ""
        noted = next((each for each in begun if _is_noted(each, item)), None)
        marked = _marked(stack, kind, item)
        resource = noted["urn"].rpartition("::")[2] if noted else marked
        if not resource:
            continue
        attached = [each.get("server_id") for each in item.get("attachments") or ()]
        users = tuple(server for server in (*attached, item.get("device_id")) if server)
        created = _moment(item.get("created_at") or item.get("created"))
        if noted and is_auto_name(name, resource):
            evidence = _STATE
        elif marked:
            evidence = _MARKER if markers_of(item) else "its name"
        else:
            evidence = f"its name and {'key' if kind == 'KeyPair' else 'description'}"
        made = Orphan(kind, item["id"], name, resource, region.name, created, users, evidence)
        if kind == "Port" and users and is_for_a_nic(item):
            made = replace(made, kind="InterfaceAttachment", id=f"{users[0]}/{made.id}", users=())
        yield made


def _is_noted(begun: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Whether an object is what the state says was being created: by its automatic name, or its name and more."""
    inputs, resource = begun.get("inputs") or {}, begun["urn"].rpartition("::")[2]
    if not isinstance(inputs.get("name"), str) or inputs["name"] != item.get("name"):
        return False
    key, description = inputs.get("public_key"), inputs.get("description")
    is_same_key = isinstance(key, str) and key.split()[:2] == (item.get("public_key") or "").split()[:2]
    is_same_description = bool(description) and description == item.get("description")
    return is_same_key or is_same_description or is_auto_name(inputs["name"], resource)


def _marked(stack: Stack, kind: str, item: Mapping[str, Any]) -> str | None:
    """The resource that an object's mark names, or the automatic name of one that has no place for a mark."""
    name = item.get("name") or ""
    if kind_of(kind).encodes_owner_in_name and not markers_of(item) and (signed := _signed(stack, name)):
        return signed
    of_stack = (stack.project, stack.name, backend_fingerprint())
    resources = [resource for mark in markers_of(item) if (resource := parse_owner_marker(mark, *of_stack))]
    if kind == "Port" and is_for_a_nic(item):
        resources = [resource.removesuffix(OF_A_NIC) for resource in resources]
    # A mark that somebody wrote on behind looks like that of a resource with blanks in its name.
    if resources and (is_auto_name(name, resources[0]) or not re.search(r"\s", resources[0])):
        return resources[0]
    return None


def _signed(stack: Stack, name: str) -> str | None:
    # Where the backend was not known when it was created, the name stands for the stack alone.
    signers = (signer(stack.project, stack.name, backend) for backend in (backend_fingerprint(), ""))
    return next((resource for each in signers if (resource := owner_from_name(name, each))), None)


def _moment(text: str | None) -> datetime | None:
    """The moment of a time in UTC as any of the services writes it."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc) if text else None


def _age(created: datetime | None) -> str:
    if created is None:
        return "?"
    seconds = max(0.0, (datetime.now(timezone.utc) - created).total_seconds())
    for unit, size in _UNITS:
        # Ninety minutes say more than one hour.
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True)
class Findings:
    """What the command has to tell.

    Attributes:
        orphans: What no state knows.
        elsewhere: What is in another stack's state, and in which.
        unreadable: The stacks whose state could not be read, and why.
    """

    orphans: list[Orphan]
    elsewhere: Mapping[Orphan, str]
    unreadable: Mapping[str, str]


def get_handler(stack: Stack, regions: Iterable[str] = ()) -> Findings:
    """What the stack made and its state does not know, and what of it another stack of the backend has."""
    found = find_orphans(stack, regions)
    # Reading every state takes a while; mostly nothing is lost.
    states = other_stacks() if found else OtherStacks()
    moved = {orphan: states.owners[orphan.object] for orphan in found if orphan.object in states.owners}
    return Findings([orphan for orphan in found if orphan not in moved], moved, states.unreadable)


def main(argv: Sequence[str] | None = None) -> int:
    """Find, show and with `--delete` remove what the stack has lost; see `--help`."""
    force_utf8(sys.stdout, sys.stderr)
    options = _options(argv)
    try:
        stack = load_stack(options.stack, options.state)
        found = get_handler(stack, options.region)
        warnings = [f"the state of {name} cannot be read: {reason}" for name, reason in found.unreadable.items()]
        warnings += misspelled(stack.config)
        for warning in (*_connect(stack, "Server", None).connection.warnings, *warnings):
            print(f"warning: {warning}", file=sys.stderr)
        if not options.json:
            _show(stack, found)
        chosen = _chosen(stack, found, options.delete)
        left = {orphan: "" if options.delete is None else _UNNAMED for orphan in found.orphans if orphan not in chosen}
        agreed = bool(chosen) and (options.yes or _agreed(stack, chosen))
        left |= delete(stack, chosen, found.unreadable) if agreed else dict.fromkeys(chosen, "")
        _report(stack, found, left, options)
    except (StackError, errors.EcsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what is still there is found again next time", file=sys.stderr)
        return 2
    return 1 if left else 0


def _chosen(stack: Stack, found: Findings, named: Sequence[str] | None) -> list[Orphan]:
    """What `--delete` is to delete, in the order in which it can be deleted."""
    moved = {orphan.id: owner for orphan, owner in found.elsewhere.items()}
    for id_ in named or ():
        if id_ in moved:
            raise StackError(f"--delete {id_}: it is in the state of {moved[id_]}, which manages it")
        if id_ not in {orphan.id for orphan in found.orphans}:
            name = f"{stack.project}/{stack.name}"
            raise StackError(f"--delete {id_}: no orphan of {name} has this id; without --delete they are listed")
    if named is None:
        return []
    return [orphan for orphan in found.orphans if (orphan.id in named if named else orphan.confirmed_by_state)]


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ecs_pulumi.orphans",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-s", "--stack", metavar="NAME", help="another stack than the selected one")
    parser.add_argument(
        "--state", metavar="FILE", type=Path, help="read the state from what `pulumi stack export` wrote"
    )
    parser.add_argument(
        "--region",
        metavar="NAME",
        action="append",
        default=[],
        help="look there too; the configured region and those in the state are looked through anyway",
    )
    parser.add_argument(
        "--delete",
        metavar="ID",
        nargs="*",
        help="after asking, delete the objects with these ids; without an id, what the state proves",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, for scripts")
    options = parser.parse_args(argv)
    if options.json and options.delete is not None and not options.yes:
        parser.error("--json cannot ask: give --yes as well")
    return options


def _show(stack: Stack, found: Findings) -> None:
    name = f"{stack.project}/{stack.name}"
    if not found.orphans:
        marker = Settings.from_config(stack.config.get).marker
        unmarked = "" if marker else " (with ecs:marker false no object carries an owner marker)"
        print(f"No orphans of {name} found{unmarked}.")
    confirmed_by_state = [each for each in found.orphans if each.confirmed_by_state]
    others = [each for each in found.orphans if not each.confirmed_by_state]
    if confirmed_by_state:
        print(f"Left by a killed `up` of {name}; --delete deletes it:\n")
    for each in confirmed_by_state:
        print(f"  {_line(each)}\n    to take it over: {each.adopt}")
    if others:
        print(end="\n" if confirmed_by_state else "")
        print(f"Made by {name} and not in its state: left by a killed run, or kept by retain_on_delete.")
        print("Deleted only where it is named, --delete ID:\n")
    for each in others:
        print(f"  {_line(each)}, by {each.evidence} alone\n    to take it over: {each.adopt}")
    if found.elsewhere:
        print(f"\nCarries the owner marker of {name}, but is in the state of another stack, where it stays:\n")
    for each, owner in found.elsewhere.items():
        print(f"  {_line(each)}: in {owner}")
    # Where nobody reads the list, nothing is deleted.
    print(end="\n" if found.orphans or found.elsewhere else "", flush=True)


def _line(orphan: Orphan) -> str:
    return f'{orphan.kind} {orphan.id} "{orphan.name}", {_age(orphan.created)} old, in {orphan.region}'


def _agreed(stack: Stack, chosen: Sequence[Orphan]) -> bool:
    if unproven := sum(not orphan.confirmed_by_state for orphan in chosen):
        name = f"{stack.project}/{stack.name}"
        print(f"{unproven} of {len(chosen)} not proven by the state: if somebody keeps a stack {name} in another")
        print("backend, for the same project of the cloud, that may be theirs.")
    try:
        question = f"Delete {'it' if len(chosen) == 1 else f'all {len(chosen)}'}? [y/N] "
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _report(stack: Stack, found: Findings, left: Mapping[Orphan, str], options: argparse.Namespace) -> None:
    """Say what has become of it."""
    if options.json:
        told = {
            "project": stack.project,
            "stack": stack.name,
            "orphans": [
                {**_told(each), "deleted": each not in left, "reason": left.get(each) or None} for each in found.orphans
            ],
            "elsewhere": [{**_told(each), "stack": owner} for each, owner in found.elsewhere.items()],
            "unread": found.unreadable,
        }
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for orphan, reason in left.items():
        if reason and reason != _UNNAMED:
            print(f"{orphan.kind} {orphan.id}: {reason}", file=sys.stderr)
    if unnamed := sum(reason == _UNNAMED for reason in left.values()):
        print(f"{unnamed} left, which the state does not prove: name what to delete, --delete ID", file=sys.stderr)
    if len(left) < len(found.orphans):
        print(f"Deleted {len(found.orphans) - len(left)} of {len(found.orphans)}.")


def _told(orphan: Orphan) -> dict[str, Any]:
    names = ("kind", "id", "name", "resource", "region", "users", "adopt", "evidence", "proven")
    told = {name: getattr(orphan, name) for name in names}
    return {**told, "created": orphan.created and orphan.created.isoformat()}


if __name__ == "__main__":
    sys.exit(run(main))
