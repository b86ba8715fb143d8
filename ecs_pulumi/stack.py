"""The current stack as the command line `pulumi` knows it, for the commands that stand beside `pulumi up`."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # comes with Pulumi's SDK

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
_AT_ONCE = 4


class StackError(Exception):
    """The stack cannot be read; one line for a user."""


@dataclass(frozen=True)
class Stack:
    """What a command needs to know about a stack.

    Attributes:
        project: Name of the project.
        name: Name of the stack, without those of its organization and project.
        resources: The resources in its state, as `pulumi stack export` tells them.
        config: Its configuration, by full names such as `ecs:region`, secrets in clear.
        pending: The resources, as in the state, that an `up` had begun to create when it was killed.
        secrets: The names in the configuration whose values are stored encrypted.
    """

    project: str
    name: str
    resources: list[dict[str, Any]]
    config: Mapping[str, str]
    pending: list[dict[str, Any]] = field(default_factory=list)
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OtherStacks:
    """What the states of all stacks of the backend know.

    Attributes:
        owners: The stack that has it in its state, by the id of an object.
        unread: Why a state could not be read, by its stack, or by the command that was to list the stacks.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)


def load_stack(name: str | None = None, state: Path | None = None) -> Stack:
    """Read the current stack of the project in the working directory.

    Args:
        name: Another stack than the selected one.
        state: Read the state from what `pulumi stack export` wrote into this file.

    Raises:
        StackError: there is no project, no stack, or no `pulumi`, or the state is another stack's.
    """
    of = ("--stack", name) if name else ()
    project = _project()
    stack = _pulumi("stack", "--show-name", *of).strip().rpartition("/")[2]
    try:
        exported = json.loads(state.read_text(encoding="utf-8") if state else _pulumi("stack", "export", *of))
        resources, pending = _known(exported)
    except OSError as error:
        raise StackError(f"{state}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StackError(f"{state or 'the state'}: not what `pulumi stack export` writes") from error
    ours = f"urn:pulumi:{stack}::{project}::"
    for resource in resources:
        if not str(resource.get("urn")).startswith(ours):
            raise StackError(f"the state is not that of {project}/{stack}: it has {resource.get('urn')}")
    config = json.loads(_pulumi("config", "--json", "--show-secrets", *of))
    settings = {key: item["value"] for key, item in config.items() if "value" in item}
    secrets = frozenset(key for key, item in config.items() if item.get("secret"))
    return Stack(project, stack, resources, settings, pending, secrets)


def export(project: str, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The resources in the state of a stack, and those that an `up` has begun to create.

    Works in any working directory, as a provider's need not be below the project's Pulumi.yaml.

    Args:
        project: Name of the project.
        name: Name of the stack.

    Raises:
        StackError: the state cannot be read, or it is another stack's.
    """
    ours = f"urn:pulumi:{name}::{project}::"
    # A self-managed backend takes the first form anywhere; Pulumi Cloud takes the second, in the project.
    for qualified in (f"organization/{project}/{name}", name):
        try:
            resources, begun = _exported(qualified)
        except StackError as error:
            failure = error
            continue
        if all(str(resource.get("urn")).startswith(ours) for resource in (*resources, *begun)):
            return resources, begun
        failure = StackError(f"the state is not that of {project}/{name}")
    raise failure


def _exported(stack: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    try:
        return _known(json.loads(_pulumi("stack", "export", "--stack", stack)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StackError("not what `pulumi stack export` writes") from error


def backend_of_project() -> str | None:
    """The backend that the project's file names, if it does."""
    file = project_file()
    try:
        backend = yaml.safe_load(file.read_text(encoding="utf-8")).get("backend") if file else None
        url = backend.get("url") if backend else None
    except (OSError, yaml.YAMLError, UnicodeError, AttributeError):
        return None
    return str(url) if url else None


def other_stacks() -> OtherStacks:
    """Read the states of all stacks that the current backend has, whichever project they belong to."""
    try:
        listed = json.loads(_pulumi("stack", "ls", "--all", "--json"))
    except StackError as error:
        return OtherStacks(unreadable={"pulumi stack ls": str(error)})
    names = [each["name"] for each in listed if each.get("resourceCount") != 0]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        states = list(pool.map(_ids, names))
    read = {name: ids for name, ids in zip(names, states, strict=True) if not isinstance(ids, StackError)}
    unreadable = {name: str(error) for name, error in zip(names, states, strict=True) if isinstance(error, StackError)}
    return OtherStacks({id_: name for name, ids in read.items() for id_ in ids}, unreadable)


def _ids(stack: str) -> list[str] | StackError:
    """The ids in a stack's state, or why it cannot be read."""
    try:
        return [id_ for resource in _exported(stack)[0] if resource.get("id") for id_ in cloud_ids(resource)]
    except StackError as error:
        return error


def cloud_ids(resource: Mapping[str, Any]) -> list[str]:
    """What a resource of a state is in the cloud; a NIC may have a port of its own, and is that, too."""
    id_ = str(resource.get("id"))
    is_nic = ":InterfaceAttachment::" in str(resource.get("urn"))
    return [id_, id_.rpartition("/")[2]] if is_nic else [id_]


def _known(exported: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The resources in what `pulumi stack export` wrote, and those that an `up` had begun to create."""
    # A stack that never had a resource has a null here. What else is empty in another way is no state, and to take it
    # for one would make all that the stack has made look lost.
    deployment = {} if exported["deployment"] is None else exported["deployment"]
    begun = [each["resource"] for each in deployment.get("pending_operations") or () if each["type"] == "creating"]
    resources = deployment.get("resources")
    if not isinstance(resources, (list, type(None))):
        raise TypeError(resources)
    if not all(map(_is_resource, (*(resources or ()), *begun))):
        raise TypeError(resources)
    return resources or [], begun


def _is_resource(said: Mapping[str, Any]) -> bool:
    """Whether a state's entry has all that the commands rely on."""
    names, properties = (said.get("urn"), said.get("type")), (said.get("inputs"), said.get("outputs"))
    return all(isinstance(name, str) for name in names) and all(
        isinstance(each, (dict, type(None))) for each in properties
    )


def project_file() -> Path | None:
    """The Pulumi.yaml of the working directory or the nearest one above."""
    here = Path.cwd()
    candidates = (folder / file for folder in (here, *here.parents) for file in _PROJECT_FILES)
    return next((file for file in candidates if file.is_file()), None)


def _project() -> str:
    file = project_file()
    if file is None:
        raise StackError("there is no Pulumi.yaml here or above; run it in the folder of the project")
    try:
        return str(yaml.safe_load(file.read_text(encoding="utf-8"))["name"])
    except (yaml.YAMLError, UnicodeError, KeyError, TypeError) as error:
        raise StackError(f"{file} names no project") from error


def _pulumi(*arguments: str) -> str:
    program = shutil.which("pulumi")
    if program is None:
        raise StackError("pulumi is not on PATH")
    command = (program, "--non-interactive", "--color=never", *arguments)
    done = subprocess.run(  # noqa: S603
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or [
            f"exit status {done.returncode}"
        ]
        said = next((line for line in lines if line.startswith("error:")), lines[-1])
        raise StackError(f"pulumi {' '.join(arguments[:2])}: {said.removeprefix('error:').strip()}")
    return done.stdout
