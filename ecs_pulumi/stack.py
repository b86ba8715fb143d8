"""Access to the project, stacks and states through the `pulumi` command, for the commands of this package."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # comes with Pulumi's SDK

from ecs_pulumi.dynamic.fields import fields_of
from ecs_pulumi.dynamic.handler import get_handler

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Mapping

    from ecs_pulumi.dynamic.handler import ResourceHandler

_PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
_MAX_PARALLEL_EXPORTS = 4
_ECS = "pulumi-python:dynamic/ecs"
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""The exceptions that a document with another structure than expected raises."""


class StackError(Exception):
    """The stack cannot be read. The message is one line for the user."""


@dataclass(frozen=True)
class Stack:
    """A stack with its state and configuration.

    Attributes:
        project: Name of the project.
        name: Name of the stack, without organization and project.
        resources: The resources in its state, as `pulumi stack export` writes them.
        config: Its configuration, by full names such as `ecs:region`, secrets in clear.
        pending: The pending creates in its state: resources that an interrupted `up` began to create.
        secrets: The names of the configuration values that are stored encrypted.
    """

    project: str
    name: str
    resources: list[dict[str, Any]]
    config: Mapping[str, str]
    pending: list[dict[str, Any]] = field(default_factory=list)
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OtherStacks:
    """The objects in the states of all stacks of the backend.

    Attributes:
        owners: The name of the stack that contains the object in its state, by the id of the object.
        unreadable: Why a state could not be read, by stack name, or by command if the stacks could not be listed.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)


def add_stack_option(parser: ArgumentParser) -> None:
    """Add the option `--stack`, which commands pass to `load_stack`."""
    parser.add_argument("-s", "--stack", metavar="NAME", help="name of the stack (default: the selected one)")


def load_stack(name: str | None = None, state: Path | None = None) -> Stack:
    """Read the current stack of the project in the working directory.

    Args:
        name: Name of the stack. Default: the selected stack.
        state: A file with the output of `pulumi stack export`, from which the state is read instead.

    Raises:
        StackError: There is no project, stack or `pulumi` command, or the state belongs to another stack.
    """
    options = ("--stack", name) if name else ()
    project = _project()
    stack = _pulumi("stack", "--show-name", *options).strip().rpartition("/")[2]
    try:
        exported = json.loads(state.read_text(encoding="utf-8") if state else _pulumi("stack", "export", *options))
        resources, pending = _parse_export(exported)
    except OSError as error:
        raise StackError(f"{state}: {error.strerror}") from error
    except _MALFORMED as error:
        raise StackError(f"{state or 'the state'}: not what `pulumi stack export` writes") from error
    urn_prefix = f"urn:pulumi:{stack}::{project}::"
    for resource in resources:
        if not str(resource.get("urn")).startswith(urn_prefix):
            raise StackError(f"the state is not that of {project}/{stack}: it has {resource.get('urn')}")
    try:
        config = json.loads(_pulumi("config", "--json", "--show-secrets", *options))
        settings = {key: str(item["value"]) for key, item in config.items() if "value" in item}
        secrets = frozenset(key for key, item in config.items() if item.get("secret"))
    except _MALFORMED as error:
        raise StackError("pulumi config: returned an invalid response") from error
    return Stack(project, stack, resources, settings, pending, secrets)


def export(project: str, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the resources in the state of a stack, and its pending creates.

    Works in any working directory, because that of a provider may be outside of the project's folder.

    Args:
        project: Name of the project.
        name: Name of the stack.

    Raises:
        StackError: The state cannot be read, or it belongs to another stack.
    """
    urn_prefix = f"urn:pulumi:{name}::{project}::"
    # A self-managed backend accepts the first form in any folder; Pulumi Cloud accepts the second, in the project.
    for qualified in (f"organization/{project}/{name}", name):
        try:
            resources, begun = _exported(qualified)
        except StackError as error:
            failure = error
            continue
        if all(str(resource.get("urn")).startswith(urn_prefix) for resource in (*resources, *begun)):
            return resources, begun
        failure = StackError(f"the state is not that of {project}/{name}")
    raise failure


def _exported(stack: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    try:
        return _parse_export(json.loads(_pulumi("stack", "export", "--stack", stack)))
    except _MALFORMED as error:
        raise StackError("not what `pulumi stack export` writes") from error


def backend_of_project() -> str | None:
    """Return the URL of the backend in the project's Pulumi.yaml; None if it contains none."""
    file = project_file()
    try:
        backend = yaml.safe_load(file.read_text(encoding="utf-8")).get("backend") if file else None
        url = backend.get("url") if backend else None
    except (OSError, yaml.YAMLError, UnicodeError, AttributeError):
        return None
    return str(url) if url else None


def other_stacks() -> OtherStacks:
    """Read the states of all stacks in the current backend, of any project."""
    try:
        listed = json.loads(_pulumi("stack", "ls", "--all", "--json"))
        names = [str(each["name"]) for each in listed if each.get("resourceCount") != 0]
    except StackError as error:
        return OtherStacks(unreadable={"pulumi stack ls": str(error)})
    except _MALFORMED:
        return OtherStacks(unreadable={"pulumi stack ls": "returned an invalid response"})
    with ThreadPoolExecutor(_MAX_PARALLEL_EXPORTS) as pool:
        states = list(pool.map(_ids, names))
    read = {name: ids for name, ids in zip(names, states, strict=True) if not isinstance(ids, StackError)}
    unreadable = {name: str(error) for name, error in zip(names, states, strict=True) if isinstance(error, StackError)}
    return OtherStacks({id_: name for name, ids in read.items() for id_ in ids}, unreadable)


def _ids(stack: str) -> list[str] | StackError:
    """Return the ids in a stack's state, or the error if it or one of the ids cannot be read."""
    malformed: list[str] = []
    try:
        resources = [resource for resource in _exported(stack)[0] if resource.get("id")]
    except StackError as error:
        return error
    ids = [id_ for resource in resources for id_ in cloud_ids(resource, malformed.append)]
    return StackError(malformed[0]) if malformed else ids


def is_ecs(resource: Mapping[str, Any]) -> bool:
    """Whether a resource in a state is of this package. Another one, such as the stack, may have any outputs."""
    return str(resource.get("type")).rpartition(":")[0] == _ECS


def cloud_ids(resource: Mapping[str, Any], report: Callable[[str], object] = bool) -> list[str]:
    """Return the ids of a resource, of the object that was created for it, and of those that it holds.

    Args:
        resource: The resource in the state.
        report: Called with a line that names the resource if its id is not one of its kind. Default: nothing.
    """
    id_, handler = str(resource.get("id")), _handler(resource)
    if handler is None:
        return [id_]
    try:
        held = [other for _, other in held_objects(resource)]
        return list(dict.fromkeys((id_, handler.object_id(id_), *held)))
    except Exception as error:
        if (message := handler.format_error(error)) is None:
            raise
        report(f"{handler.name} {str(resource.get('urn')).rpartition('::')[2]} in the state: {message}")
        return [id_]


def held_objects(resource: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return kind and id of the objects that a resource owns besides its own, such as the rules of a group."""
    handler = _handler(resource)
    if handler is None or not resource.get("id"):
        return []
    values = {**(resource.get("outputs") or {}), **(resource.get("inputs") or {})}
    for name in fields_of(handler.inputs):
        if name not in (resource.get("inputs") or {}):
            values.pop(name, None)
    return list(handler.also_holds(str(resource["id"]), values))


def _handler(resource: Mapping[str, Any]) -> ResourceHandler[Any, Any, Any] | None:
    """Return the handler of a resource; None for other packages, and for a kind of another version of this one."""
    prefix, _, kind = str(resource.get("urn")).rpartition("::")[0].rpartition(":")
    with contextlib.suppress(ImportError):
        return get_handler(kind) if prefix.endswith(_ECS) else None
    return None


def _parse_export(exported: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the resources and the pending creates in the output of `pulumi stack export`."""
    # The deployment of a stack that never had a resource is null. Any other unexpected value is an error: treating it
    # as an empty state would make all objects of the stack look like orphans.
    deployment = {} if exported["deployment"] is None else exported["deployment"]
    begun = [each["resource"] for each in deployment.get("pending_operations") or () if each["type"] == "creating"]
    resources = deployment.get("resources")
    if not isinstance(resources, (list, type(None))):
        raise TypeError(resources)
    if not all(map(_is_resource, (*(resources or ()), *begun))):
        raise TypeError(resources)
    return resources or [], begun


def _is_resource(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a state has the properties that the commands use."""
    names, properties = (entry.get("urn"), entry.get("type")), (entry.get("inputs"), entry.get("outputs"))
    return all(isinstance(name, str) for name in names) and all(
        isinstance(each, (dict, type(None))) for each in properties
    )


def project_file() -> Path | None:
    """Return the project file in the working directory or the nearest parent directory; None if there is none."""
    cwd = Path.cwd()
    candidates = (folder / file for folder in (cwd, *cwd.parents) for file in _PROJECT_FILES)
    return next((file for file in candidates if file.is_file()), None)


def _project() -> str:
    file = project_file()
    if file is None:
        raise StackError("there is no Pulumi.yaml here or above; run the command in the folder of the project")
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
        message = next((line for line in lines if line.startswith("error:")), lines[-1])
        raise StackError(f"pulumi {' '.join(arguments[:2])}: {message.removeprefix('error:').strip()}")
    return done.stdout
