"""`ecs-pulumi orphans`: find and delete objects of the stack that are not in its state."""

# ruff: noqa: T201 - the command writes to standard output

from __future__ import annotations

import argparse
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.settings import Settings, misspelled
from ecs_pulumi.dynamic.fields import fields_of
from ecs_pulumi.dynamic.handler import OperationContext, get_handler, is_auto_name
from ecs_pulumi.dynamic.state import backend_fingerprint, cloud_of
from ecs_pulumi.resources import registry
from ecs_pulumi.resources.owner_markers import markers_of
from ecs_pulumi.stack import (
    OtherStacks,
    Stack,
    StackError,
    add_stack_option,
    cloud_ids,
    is_ecs,
    load_stack,
    other_stacks,
)
from ecs_pulumi.streams import force_utf8, print_error, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ecs_pulumi.dynamic.handler import ResourceHandler
    from ecs_pulumi.resources.clients import Clients

DESCRIPTION = """\
Finds objects that the current stack created and that are not in its state: objects that remain after a killed
`pulumi up` or after the loss of the state file, and objects kept by retain_on_delete. The evidence is one of these:

  the state       the state records that a killed `up` was creating the object
  owner marker    "Managed by Pulumi: <project>/<stack>/<resource>", in the metadata of servers and volumes, and in the
                  description of networks, subnets, ports, security groups and their rules, routers and floating IPs
                  for which the program sets none (unless ecs:marker is false)
  name            the automatic name of a key pair, server group, network, subnet, port, security group or router: half
                  of its suffix is computed from the project, the stack, the backend and the resource. It is the only
                  evidence in a cloud that keeps no descriptions, such as Open Telekom Cloud

--delete without an id deletes the objects for which the evidence is the state. An owner marker or a name does not show
whether a killed run left the object or retain_on_delete kept it: such an object is only deleted with --delete ID.

An object in the state of another stack of the same backend belongs to that stack (it was moved, or this stack was
renamed). It is listed separately and never deleted.

Run this command in the project's folder while no `pulumi up` of the stack is running: objects that a running `up`
creates are not in the state yet."""
EPILOG = """\
exit status:
  0  no orphan was found, or all were deleted
  1  an orphan was found and not deleted
  2  the command failed; standard error has one line with the reason

Owner markers and automatic names contain the backend of the stack, if it was known when the object was created.
Otherwise the objects of a stack of the same name in another backend, for the same project of the cloud, cannot be
distinguished. Before you use --delete ID, make sure that the object does not belong to such a stack. If the state of
another stack cannot be read, objects with such evidence are not deleted.

The command does not find: attachments of volumes and of ports that the program declares (the next `up` imports them);
unless the state records their creation, networks, subnets, ports, security groups and routers for which the program
sets both name and description, floating IPs and rules of security groups for which it sets a description, key pairs and
server groups for which it sets a name, and interfaces and routes of routers (the next `up` says how to import them);
in a cloud that keeps no descriptions, networks, subnets, ports and routers for which the program sets a name, and
floating IPs; objects in other projects of the cloud; objects that were created before the stack was renamed."""
_STATE, _MARKER = "the state", "its owner marker"
_UNNAMED = "not named: it may have been kept by retain_on_delete"
_MAX_PARALLEL_DELETES = 16
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


@dataclass(frozen=True)
class Orphan:
    """An object that the stack created and that is not in its state.

    Attributes:
        kind: The kind, such as `Server`.
        id: Its id in the cloud.
        name: Its name in the cloud.
        resource: Name of the resource in the program for which it was created.
        region: Its region.
        created: When it was created; None if the API does not return it.
        attached_to: The ids of the servers to which it is attached.
        evidence: Why it belongs to the stack: `the state` records its creation, or its owner marker or name.
        cloud: The entry of clouds.yaml with its cloud; None for the cloud of the stack.
    """

    kind: str
    id: str
    name: str
    resource: str
    region: str
    created: datetime | None
    attached_to: tuple[str, ...] = ()
    evidence: str = _MARKER
    cloud: str | None = None

    @property
    def confirmed_by_state(self) -> bool:
        """Whether the state records its creation. An owner marker or a name does not prove that a run was killed."""
        return self.evidence == _STATE

    @property
    def object(self) -> str:
        """The id of the created object, which differs from that of the resource for a NIC."""
        return get_handler(self.kind).object_id(self.id)

    @property
    def adopt(self) -> str:
        """The declaration that imports it into the program."""
        cloud = f", cloud={json.dumps(self.cloud)}" if self.cloud else ""
        return f'ecs.{self.kind}({json.dumps(self.resource)}, …{cloud}, adopt="{self.id}")'


def _kinds() -> list[str]:
    """The kinds in an order in which their objects can be deleted."""
    return [*reversed(registry.kinds())]


@dataclass(frozen=True)
class Place:
    """A region of a cloud in which the stack may have objects.

    Attributes:
        clouds: The entries of clouds.yaml by which the stack names the cloud; None for the cloud of its settings.
        region: The region.
    """

    clouds: tuple[str | None, ...]
    region: str


def _places(stack: Stack, regions: Iterable[str], clouds: Iterable[str]) -> list[Place]:
    """Return the regions to search, each once, also if the stack names a cloud by several entries."""
    used: set[tuple[str | None, str | None]] = {(None, region) for region in regions}
    used |= {(cloud, None) for cloud in clouds}
    for resource in filter(is_ecs, (*stack.resources, *stack.pending)):
        region = (resource.get("outputs") or resource.get("inputs") or {}).get("region")
        if cloud_of(resource) or isinstance(region, str):
            used.add((cloud_of(resource), region if isinstance(region, str) else None))
    found: dict[tuple[str, ...], Place] = {}
    for cloud, name in sorted({(None, None), *used}, key=lambda pair: tuple(each or "" for each in pair)):
        try:
            region = _connect(stack, name, cloud=cloud).region
        except errors.MissingCredentials:
            if cloud is None and name is None and used:
                continue  # all resources name their clouds
            raise
        key = (region.connection.account[0], region.project_id, region.name)
        known = found[key].clouds if key in found else ()
        found[key] = Place(tuple(dict.fromkeys((*known, cloud))), region.name)
    return list(found.values())


def find_orphans(stack: Stack, regions: Iterable[str] = (), clouds: Iterable[str] = ()) -> list[Orphan]:
    """Return the objects that the stack created and that are not in its state, in the order of their deletion.

    Args:
        stack: The stack.
        regions: Regions to search in addition to the configured region and those in the state.
        clouds: Entries of clouds.yaml to search in addition to the configured cloud and those in the state.
    """
    known = {id_ for resource in stack.resources for id_ in cloud_ids(resource, _warn)}
    places = _places(stack, regions, clouds)
    return [
        orphan
        for kind in _kinds()
        for place in places
        for orphan in _created_by(stack, kind, place)
        if orphan.object not in known
    ]


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)


def delete(stack: Stack, found: Sequence[Orphan], unreadable: Iterable[str] = ()) -> dict[Orphan, str]:
    """Delete orphans and wait until they no longer exist.

    An orphan is not deleted if it is attached to a server that is not an orphan itself.

    Args:
        stack: The stack.
        found: The result of `find_orphans`, without objects in the states of other stacks.
        unreadable: The stacks whose state cannot be read. Orphans that may be in one of them are not deleted.

    Returns:
        The orphans that were not deleted, with the reasons.
    """
    left = {}
    if unreadable:
        reason = f"it may be in the state of {', '.join(unreadable)}, which cannot be read; left alone"
        left = {orphan: reason for orphan in found if not orphan.confirmed_by_state}
    deletable = {orphan.id for orphan in found if orphan not in left}
    left |= {
        orphan: f"in use by server {', '.join(orphan.attached_to)}, left alone"
        for orphan in found
        if orphan not in left and not deletable.issuperset(orphan.attached_to)
    }
    for kind in _kinds():
        batch = [orphan for orphan in found if orphan.kind == kind and orphan not in left]
        with ThreadPoolExecutor(_MAX_PARALLEL_DELETES) as pool:
            reasons = list(pool.map(lambda orphan: _delete(stack, orphan), batch))
        left |= {orphan: reason for orphan, reason in zip(batch, reasons, strict=True) if reason}
    return left


def _delete(stack: Stack, orphan: Orphan) -> str | None:
    context = _context(stack, "delete", orphan.kind, orphan.region, orphan.cloud, orphan.resource)
    context.warn = _warn
    try:
        get_handler(orphan.kind).delete_orphan(context, orphan.id)
    except errors.EcsError as error:
        return str(error)
    return None


def _context(
    stack: Stack, verb: str, kind: str, region: str, cloud: str | None, resource: str = ""
) -> OperationContext[Clients]:
    return OperationContext(
        verb=verb,
        kind=kind,
        resource=resource,
        connect=lambda: _connect(stack, region, kind, cloud),
        timeout=get_handler(kind).timeout,
        entry=cloud,
    )


def _connect(stack: Stack, region: str | None, kind: str | None = None, cloud: str | None = None) -> Clients:
    clients: Clients = registry.connect(stack.config.get, region, kind, cloud)
    return clients


def _created_by(stack: Stack, kind: str, place: Place) -> Iterator[Orphan]:
    handler, (cloud, *_), region = get_handler(kind), place.clouds, place.region
    pending = [
        each for each in stack.pending if each["type"].rpartition(":")[2] == kind and cloud_of(each) in place.clouds
    ]
    for remote in handler.list_all(_context(stack, "read", kind, region, cloud)):
        name = remote.get("name") or ""
        creates = ((each["urn"].rpartition("::")[2], _create_evidence(handler, each, remote)) for each in pending)
        resource, evidence = next((create for create in creates if create[1]), ("", ""))
        owner = _owner(stack, handler, remote)
        if owner and evidence != _STATE:
            resource, evidence = resource or owner, _MARKER if markers_of(remote) else "its name"
        if resource:
            created = _parse_time(remote.get("created_at") or remote.get("created"))
            servers = tuple(handler.attached_to(remote))
            yield Orphan(kind, handler.id_of(remote), name, resource, region, created, servers, evidence, cloud)


def _create_evidence(handler: ResourceHandler[Any, Any, Any], create: Mapping[str, Any], remote: Any) -> str:
    """Return what shows that a remote object is the result of a pending create in the state; empty if nothing does."""
    inputs, resource = create.get("inputs") or {}, create["urn"].rpartition("::")[2]
    if "name" not in fields_of(handler.inputs):
        evidence = handler.result_evidence(inputs, remote)
        return evidence and f"its {evidence}"
    name = inputs.get("name")
    if not isinstance(name, str) or name != remote.get("name"):
        return ""
    if is_auto_name(name, resource):
        return _STATE
    evidence = handler.result_evidence(inputs, remote)
    return evidence and f"its name and {evidence}"


def _owner(stack: Stack, handler: ResourceHandler[Any, Any, Any], remote: Mapping[str, Any]) -> str | None:
    """Return the resource in an object's owner marker, or in its automatic name if the object has no marker."""
    owner = handler.owner_of(remote, stack.project, stack.name, backend_fingerprint())
    if owner is None or not markers_of(remote):
        return owner
    # An owner marker followed by other text looks like the marker of a resource with spaces in its name.
    return owner if is_auto_name(remote.get("name") or "", owner) or not re.search(r"\s", owner) else None


def _parse_time(text: str | None) -> datetime | None:
    """Parse a time in UTC in the formats of the services."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc) if text else None


def _age(created: datetime | None) -> str:
    if created is None:
        return "?"
    seconds = max(0.0, (datetime.now(timezone.utc) - created).total_seconds())
    for unit, size in _UNITS:
        # Use a unit from two of it on: "90 min" is more precise than "1 h".
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True)
class Findings:
    """The result of the search.

    Attributes:
        orphans: The objects that are in no state.
        elsewhere: The objects in the state of another stack, with the name of that stack.
        unreadable: The stacks whose state could not be read, with the reasons.
    """

    orphans: list[Orphan]
    elsewhere: Mapping[Orphan, str]
    unreadable: Mapping[str, str]


def search(stack: Stack, regions: Iterable[str] = (), clouds: Iterable[str] = ()) -> Findings:
    """Find the orphans of the stack, and separate those in the state of another stack of the backend."""
    found = find_orphans(stack, regions, clouds)
    # Reading all states takes a while, and usually there are no orphans.
    states = other_stacks() if found else OtherStacks()
    moved = {orphan: states.owners[orphan.object] for orphan in found if orphan.object in states.owners}
    return Findings([orphan for orphan in found if orphan not in moved], moved, states.unreadable)


def main(argv: Sequence[str] | None = None) -> int:
    """Find and list the orphans of the stack, and delete them with `--delete`; see `--help`."""
    force_utf8(sys.stdout, sys.stderr)
    options = _options(argv)
    try:
        stack = load_stack(options.stack, options.state)
        found = search(stack, options.region, options.cloud)
        warnings = [f"the state of {name} cannot be read: {reason}" for name, reason in found.unreadable.items()]
        warnings += misspelled(stack.config)
        for warning in (*_connection_warnings(stack), *warnings):
            print(f"warning: {warning}", file=sys.stderr)
        if not options.json:
            _show(stack, found)
        chosen = _chosen(stack, found, options.delete)
        left = {orphan: "" if options.delete is None else _UNNAMED for orphan in found.orphans if orphan not in chosen}
        confirmed = bool(chosen) and (options.yes or _confirm(stack, chosen))
        left |= delete(stack, chosen, found.unreadable) if confirmed else dict.fromkeys(chosen, "")
        _report(stack, found, left, options)
    except (StackError, errors.EcsError) as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the next run lists the objects that were not deleted", file=sys.stderr)
        return 2
    return 1 if left else 0


def _connection_warnings(stack: Stack) -> list[str]:
    try:
        return _connect(stack, None).connection.warnings
    except errors.MissingCredentials:
        return []


def _chosen(stack: Stack, found: Findings, named: Sequence[str] | None) -> list[Orphan]:
    """Return the orphans that `--delete` selects, in the order of their deletion."""
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
        prog="ecs-pulumi orphans",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_stack_option(parser)
    parser.add_argument(
        "--state", metavar="FILE", type=Path, help="read the state from a file that `pulumi stack export` wrote"
    )
    parser.add_argument(
        "--region",
        metavar="NAME",
        action="append",
        default=[],
        help="also search this region; the configured region and those in the state are always searched",
    )
    parser.add_argument(
        "--cloud",
        metavar="NAME",
        action="append",
        default=[],
        help="also search the cloud of this entry of clouds.yaml; the configured cloud and those that the state names "
        "are always searched",
    )
    parser.add_argument(
        "--delete",
        metavar="ID",
        nargs="*",
        help="after a prompt, delete the objects with these ids; without an id, those that the state confirms",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not prompt")
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")
    options = parser.parse_args(argv)
    if options.json and options.delete is not None and not options.yes:
        parser.error("--json does not prompt: add --yes")
    return options


def _show(stack: Stack, found: Findings) -> None:
    name = f"{stack.project}/{stack.name}"
    if not found.orphans:
        marker = Settings.from_config(stack.config.get).marker
        unmarked = "" if marker else " (with ecs:marker false no object carries an owner marker)"
        print(f"No orphans of {name} found{unmarked}.")
    confirmed = [each for each in found.orphans if each.confirmed_by_state]
    others = [each for each in found.orphans if not each.confirmed_by_state]
    if confirmed:
        print(f"Left by a killed `up` of {name}; --delete deletes them:\n")
    for each in confirmed:
        print(f"  {_line(each)}\n    to import it: {each.adopt}")
    if others:
        print(end="\n" if confirmed else "")
        print(f"Created by {name} and not in its state: left by a killed run, or kept by retain_on_delete.")
        print("Only deleted with --delete ID:\n")
    for each in others:
        print(f"  {_line(each)}, identified only by {each.evidence}\n    to import it: {each.adopt}")
    if found.elsewhere:
        print(f"\nCreated by {name}, but in the state of another stack; never deleted:\n")
    for each, owner in found.elsewhere.items():
        print(f"  {_line(each)}: in {owner}")
    # Flush before the deletion: if the reader has closed the pipe, this fails and nothing is deleted.
    print(end="\n" if found.orphans or found.elsewhere else "", flush=True)


def _line(orphan: Orphan) -> str:
    place = f"{orphan.region} of cloud {orphan.cloud}" if orphan.cloud else orphan.region
    return f'{orphan.kind} {orphan.id} "{orphan.name}", {_age(orphan.created)} old, in {place}'


def _confirm(stack: Stack, chosen: Sequence[Orphan]) -> bool:
    if unconfirmed := sum(not orphan.confirmed_by_state for orphan in chosen):
        name = f"{stack.project}/{stack.name}"
        print(f"The state does not confirm {unconfirmed} of {len(chosen)}. They may belong to a stack {name}")
        print("in another backend, if there is one for the same project of the cloud.")
    try:
        question = f"Delete {'it' if len(chosen) == 1 else f'all {len(chosen)}'}? [y/N] "
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _report(stack: Stack, found: Findings, left: Mapping[Orphan, str], options: argparse.Namespace) -> None:
    """Print the result."""
    if options.json:
        report = {
            "project": stack.project,
            "stack": stack.name,
            "orphans": [
                {**_to_json(each), "deleted": each not in left, "reason": left.get(each) or None}
                for each in found.orphans
            ],
            "elsewhere": [{**_to_json(each), "stack": owner} for each, owner in found.elsewhere.items()],
            "unreadable": found.unreadable,
        }
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return
    for orphan, reason in left.items():
        if reason and reason != _UNNAMED:
            print(f"{orphan.kind} {orphan.id}: {reason}", file=sys.stderr)
    if unnamed := sum(reason == _UNNAMED for reason in left.values()):
        print(f"{unnamed} not deleted: the state does not confirm them; delete them with --delete ID", file=sys.stderr)
    if len(left) < len(found.orphans):
        print(f"Deleted {len(found.orphans) - len(left)} of {len(found.orphans)}.")


def _to_json(orphan: Orphan) -> dict[str, Any]:
    names = ("kind", "id", "name", "resource", "region", "cloud", "attached_to", "adopt", "evidence")
    return {
        **{name: getattr(orphan, name) for name in (*names, "confirmed_by_state")},
        "created": orphan.created and orphan.created.isoformat(),
    }


if __name__ == "__main__":
    sys.exit(run(main))
