"""What a provider can find out about the run of the engine that it serves.

The engine does not send a provider its plan. Where a delete has to know whether the same run deletes another resource
as well, that follows from the resources that the run has compared, from the state, and from the engine's arguments.
"""

from __future__ import annotations

import contextlib
import itertools
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
"""An argument of a run that leaves resources out: `--target`, `-t`, `--exclude`, `-x`, `--exclude-protected`, …"""
_PARALLEL = re.compile(r"(?:--parallel|-[a-z]*p)=?(\d*)")
"""How many operations a run works on at a time, in this argument or, where the number is empty, in the next one."""
_ENOUGH = 8
"""Operations at a time with which a delete that waits for another one keeps nothing up."""

_program = threading.Event()
_compared: set[str] = set()
_replaced: set[str] = set()


def program_seen() -> None:
    """Note that the engine has asked for what it asks only for a program."""
    _program.set()


def has_program() -> bool:
    """Whether this run has a program, as far as is known.

    A refresh or destroy may do without, and then configures the provider with the settings that the state stores.
    """
    return _program.is_set()


def compared(urn: str, *, replaced: bool = False) -> None:
    """Note that the engine has asked to check or to compare a resource, and whether the run replaces it."""
    program_seen()
    _compared.add(urn)
    if replaced:
        _replaced.add(urn)


def also_deletes(urn: str, kind: str, id_: str) -> bool:
    """Whether this run, which is deleting the resource `urn`, deletes another one afterwards; True only if certain.

    It does where the run is about the whole stack and works on several resources at a time, the state has the other
    resource, and no option keeps that one in the cloud, and either the run replaces it, or neither of the two was
    compared. The engine deletes what nobody has compared when the program has ended, so that what is not compared by
    then is out of the program too. In a `destroy` there is no program.

    Args:
        urn: URN of the resource that is being deleted.
        kind: Kind of the other one.
        id_: Id of the other one.
    """
    arguments = engine()[1]
    # The successor of what is replaced is created before the engine deletes the other one, and needs what it held.
    if urn in _replaced or not arguments or any(map(_PARTIAL.fullmatch, arguments)) or _is_serial(arguments):
        return False
    known = _resources(urn)
    # What a replacement of an earlier run has left to delete may be deleted before the program begins.
    is_removed = urn not in _compared and not any(each["urn"] == urn and each.get("delete") for each in known)
    for other in _of(known, kind, id_):
        is_deleted = other["urn"] in _replaced or (is_removed and other["urn"] not in _compared)
        return is_deleted and not other.get("retainOnDelete") and not other.get("protect")
    return False


def replaces(urn: str, kind: str, id_: str) -> bool:
    """Whether this run, which works on the resource `urn`, replaces another one of the stack.

    Args:
        urn: URN of the resource.
        kind: Kind of the other one.
        id_: Id of the other one.
    """
    if not _replaced or not urn:
        return False
    return any(other["urn"] in _replaced for other in _of(_resources(urn), kind, id_))


def _resources(urn: str) -> Sequence[Mapping[str, Any]]:
    """The resources of the state of this resource's stack."""
    stack, project = urn.split("::", 2)[:2]
    return state.read(project, stack.removeprefix("urn:pulumi:")).resources


def _of(resources: Iterable[Mapping[str, Any]], kind: str, id_: str) -> Iterator[Mapping[str, Any]]:
    """Those of this kind and id."""
    return (each for each in resources if each.get("id") == id_ and each["type"].endswith(f":{kind}"))


def _is_serial(arguments: list[str]) -> bool:
    """Whether the run works on few resources at a time, so that one that waits may keep up what it waits for."""
    pairs = itertools.zip_longest(map(_PARALLEL.fullmatch, arguments), arguments[1:], fillvalue="")
    asked = [found[1] or following for found, following in pairs if found]
    asked += [os.environ["PULUMI_PARALLEL"]] if "PULUMI_PARALLEL" in os.environ else []
    return any(not each.isdigit() or int(each) < _ENOUGH for each in asked)


def engine() -> tuple[int | None, list[str]]:
    """The engine's process, which is above this one, and its arguments; None and none where it cannot be found."""
    with contextlib.suppress(OSError, ValueError, IndexError, subprocess.SubprocessError):
        process = _process("self")[1]
        for _ in range(_GENERATIONS):
            name, parent, arguments = _process(str(process))
            if name == _ENGINE:
                return process, arguments
            process = parent
    return None, []


def _process(id_: str) -> tuple[str, int, list[str]]:
    """The name of a process, its parent and its arguments."""
    proc = Path("/proc") / id_
    if proc.exists():
        # The name stands in brackets, and may hold any character; the parent is the second field after it.
        name, _, rest = (proc / "stat").read_text().partition("(")[2].rpartition(")")
        return name, int(rest.split()[1]), (proc / "cmdline").read_text().split("\0")[1:]
    command = ("ps", "-o", "ppid=,args=", "-p", str(os.getpid()) if id_ == "self" else id_)
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    parent, program, *arguments = listed.split()
    return Path(program).name, int(parent), arguments
