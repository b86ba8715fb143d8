"""What the state of the running stack holds beyond the request in flight.

The engine hands a provider one resource at a time. Whether an object that exists already is this stack's own is known
to the state alone, so it is read where a decision depends on that, once per process, and never otherwise.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ecs_pulumi import stack
from ecs_pulumi.dynamic.ownership import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FINGERPRINT_LENGTH = 8
"""Hexadecimal digits that stand for a backend."""


@dataclass(frozen=True)
class StackState:
    """The resources in the state, and the creates that the engine has begun.

    Attributes:
        resources: The resources, as `pulumi stack export` writes them.
        owners: The URNs of the resources that have an object. What is only read (`ResourceHandler.get`) is not owned.
        begun: The inputs of the creates of which the engine has no result, by URN: those of a run that was killed,
            and those in flight.
        unreadable: Why the state could not be read.
    """

    resources: Sequence[Mapping[str, Any]] = ()
    owners: Mapping[ObjectKey, Sequence[str]] = field(default_factory=dict)
    begun: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    unreadable: str = ""

    def has(self, urn: str) -> bool:
        """Whether the state has a resource of this URN."""
        return any(urn in urns for urns in self.owners.values())

    def retains(self, urn: str) -> bool:
        """Whether the resource of this URN keeps its object where the program drops or replaces it."""
        return any(each["urn"] == urn and each.get("retainOnDelete") for each in self.resources)

    def interrupted(self, urn: str, in_flight: Mapping[str, Any] | None = None) -> list[Mapping[str, Any]]:
        """The inputs of the creates of this URN that an earlier run began and never finished.

        Args:
            urn: URN of the resource.
            in_flight: The inputs of the create that is being served, which the engine has noted as well.
        """
        begun = list(self.begun.get(urn, ()))
        own = next((inputs for inputs in begun if _name(inputs) == _name(in_flight)), None) if in_flight else None
        if own is not None:
            begun.remove(own)
        return begun


def _name(inputs: Mapping[str, Any] | None) -> object:
    return (inputs or {}).get("name")


_reading = threading.Lock()


def read(project: str, name: str) -> StackState:
    """The state of a stack, as it was when this process first asked for it.

    Args:
        project: Name of the project.
        name: Name of the stack.
    """
    with _reading:
        return _read(project, name)


@functools.cache
def _read(project: str, name: str) -> StackState:
    if not (project and name):
        return StackState(unreadable="the engine does not name the stack")
    try:
        resources, begun = stack.export(project, name)
    except stack.StackError as error:
        return StackState(unreadable=str(error))
    owners: dict[ObjectKey, list[str]] = {}
    for resource in resources:
        if resource.get("id") and not resource.get("external"):
            owners.setdefault(_key(resource), []).append(str(resource["urn"]))
    pending: dict[str, list[Mapping[str, Any]]] = {}
    for resource in begun:
        pending.setdefault(str(resource["urn"]), []).append(resource.get("inputs") or {})
    return StackState(resources, owners, pending)


def _key(resource: Mapping[str, Any]) -> ObjectKey:
    region = (resource.get("outputs") or {}).get("region")
    return ObjectKey(str(resource["type"]).rpartition(":")[2], str(region or ""), str(resource["id"]))


def backend_fingerprint() -> str:
    """Stands for the backend that keeps the state: stacks of one name in two backends are two stacks.

    Empty where the backend is not known. A folder is one only together with the machine it is on.
    """
    return _fingerprint(os.environ.get("PULUMI_BACKEND_URL") or "")


@functools.cache
def _fingerprint(url: str) -> str:
    url = url or stack.backend_of_project() or _current_backend()
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(parts.netloc + parts.path).expanduser().resolve()
        url = f"file://{platform.node()}{folder}"
    return hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:FINGERPRINT_LENGTH]


def _current_backend() -> str:
    """The backend that the user is logged in to."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        current = json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current")
    except (OSError, ValueError, AttributeError):
        return ""
    return current if isinstance(current, str) else ""
