"""Information about the engine's current run.

The engine does not send its plan to a provider. To find out whether the run also deletes another resource, this module
uses the checks and diffs that the engine has requested so far, the state, and the engine's command line.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic import state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_ENGINE = "pulumi"
_GENERATIONS = 5
_PARTIAL = re.compile(r"--(target|exclude).*|-[a-z]*[tx].*")
"""Matches an argument that excludes resources from a run: `--target`, `-t`, `--exclude`, `-x`, …"""

_program = threading.Event()
_compared: set[str] = set()
_replaced: set[str] = set()
_deleted_first: set[str] = set()
_checked_as_new: set[str] = set()
_created: set[str] = set()
_refreshed: set[str] = set()
_deleting: set[tuple[str, str]] = set()
_failed: dict[str, str] = {}


def program_seen() -> None:
    """Record that the engine has sent a request that it sends only when it runs a program."""
    _program.set()


def has_program() -> bool:
    """Whether the engine runs a program in this run, according to the requests so far.

    A refresh or destroy may run without the program; it then configures the provider with the settings in the state.
    """
    return _program.is_set()


def compared(urn: str, *, replaced: bool = False, deleted_first: bool = False, is_new: bool = False) -> None:
    """Record that the engine has requested a check or a diff of a resource.

    Args:
        urn: URN of the resource.
        replaced: Whether the run replaces it.
        deleted_first: Whether a replacement deletes the prior object before it creates the new one.
        is_new: Whether it is a check without prior inputs.
    """
    program_seen()
    _refreshed.discard(urn)
    _compared.add(urn)
    if replaced:
        _replaced.add(urn)
    if deleted_first:
        _deleted_first.add(urn)
    if is_new:
        _checked_as_new.add(urn)


def created(kind: str, id_: str) -> None:
    """Record that the run has created an object; it may have deleted one with the same id before."""
    _created.add(id_)
    _deleting.discard((kind, id_))


def create_failed(urn: str, id_: str) -> None:
    """Record that a create has failed and left an object, which the engine stores in the state."""
    if urn:
        _failed[urn] = id_


def failed_create(urn: str) -> str | None:
    """Return the id of the object that a failed create of a resource has left in this run; None if there is none.

    The engine creates a resource again if an error hook asks for it. It then forgets the object of the failed create.
    """
    return _failed.get(urn)


def failed_create_deleted(urn: str) -> None:
    """Record that the object of a failed create has been deleted."""
    _failed.pop(urn, None)


def deletes_first(urn: str) -> bool:
    """Whether a replacement of this resource deletes the prior object first, according to its diff.

    The engine may delete it first nevertheless: it does not send the resource option `delete_before_replace`.
    """
    return urn in _deleted_first


def refreshed(urn: str) -> None:
    """Record that the engine has read a resource of the state."""
    _refreshed.add(urn)


def ends_refresh(urn: str) -> bool:
    """Whether the present diff of a resource ends its refresh: it is the first request for it after the read.

    The engine requests that diff to show what the refresh changed in the state. No update follows it, and it proves
    neither that the engine runs a program nor that the program declares the resource.
    """
    is_end = bool(urn) and urn in _refreshed
    _refreshed.discard(urn)
    return is_end


def is_partial() -> bool:
    """Whether the run excludes resources of the stack, according to the command line of the engine."""
    return any(map(_PARTIAL.fullmatch, engine()[1]))


@contextlib.contextmanager
def deleting(kind: str, id_: str) -> Iterator[None]:
    """Record that the run is deleting an object, or has deleted it unless an error ends the context."""
    _deleting.add((kind, id_))
    try:
        yield
    except BaseException:
        _deleting.discard((kind, id_))
        raise


def is_deleting(kind: str, id_: str) -> bool:
    """Whether the run is deleting an object, or has deleted it.

    A delete must not wait for another one that the run has not begun: the run may begin that one only afterwards,
    because of a dependency, or because all its workers wait.
    """
    return (kind, id_) in _deleting


def also_deletes(urn: str, kind: str, id_: str) -> bool:
    """Whether this run, which is deleting the resource `urn`, also deletes another resource. True only if certain.

    The conditions are:

    - the run includes the whole stack,
    - the state contains the other resource, and no resource option retains or protects it,
    - the run replaces the other resource, or has compared neither of the two.

    The last condition is sufficient because the engine deletes resources that it has not compared after the program has
    ended. A resource that is not compared by then is not declared by the program. A `destroy` runs no program.

    Args:
        urn: URN of the resource that is being deleted.
        kind: Kind of the other resource.
        id_: Id of the other resource.
    """
    arguments = engine()[1]
    # A replacement of `urn` is created before the other resource is deleted, and needs what `urn` holds.
    if urn in _replaced or not arguments or is_partial():
        return False
    known = _resources(urn)
    # An object that is pending deletion from an earlier run may be deleted before the program starts.
    is_removed = urn not in _compared and not any(each["urn"] == urn and each.get("delete") for each in known)
    for other in _of(known, kind, id_):
        is_deleted = other["urn"] in _replaced or (is_removed and other["urn"] not in _compared)
        return is_deleted and not other.get("retainOnDelete") and not other.get("protect")
    return False


def replaces(urn: str, kind: str, id_: str) -> bool:
    """Whether this run, which works on the resource `urn`, replaces another resource of the stack.

    The engine checks a resource that `--replace` names as a new one, although the state contains it. The state may
    have been read after the run created the resource, which then is not replaced.

    Args:
        urn: URN of the resource.
        kind: Kind of the other resource.
        id_: Id of the other resource.
    """
    known = _replaced | _checked_as_new
    if not known or not urn or id_ in _created:
        return False
    return any(other["urn"] in known for other in _of(_resources(urn), kind, id_))


def ids_in_state(urn: str, kind: str) -> list[str]:
    """Return the ids of the resources of a kind in the state of this resource's stack."""
    return [str(each["id"]) for each in _resources(urn) if each["type"].endswith(f":{kind}") and each.get("id")]


def _resources(urn: str) -> Sequence[Mapping[str, Any]]:
    """Return the resources in the state of this resource's stack."""
    stack, project = urn.split("::", 2)[:2]
    return state.read(project, stack.removeprefix("urn:pulumi:")).resources


def _of(resources: Iterable[Mapping[str, Any]], kind: str, id_: str) -> Iterator[Mapping[str, Any]]:
    """Return the resources with this kind and id."""
    return (each for each in resources if each.get("id") == id_ and each["type"].endswith(f":{kind}"))


def engine() -> tuple[int | None, list[str]]:
    """Return the engine's process id and arguments: None and an empty list if no parent process is the engine."""
    with contextlib.suppress(OSError, ValueError, IndexError, subprocess.SubprocessError):
        process = _process("self")[1]
        for _ in range(_GENERATIONS):
            name, parent, arguments = _process(str(process))
            if name == _ENGINE:
                return process, arguments
            process = parent
    return None, []


def _process(id_: str) -> tuple[str, int, list[str]]:
    """Return the name of a process, its parent's id and its arguments."""
    proc = Path("/proc") / id_
    if proc.exists():
        # The name is in parentheses and may contain any character; the parent is the second field after it.
        name, _, rest = (proc / "stat").read_text().partition("(")[2].rpartition(")")
        return name, int(rest.split()[1]), (proc / "cmdline").read_text().split("\0")[1:]
    command = ("ps", "-o", "ppid=,args=", "-p", str(os.getpid()) if id_ == "self" else id_)
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    parent, program, *arguments = output.split()
    return Path(program).name, int(parent), arguments
