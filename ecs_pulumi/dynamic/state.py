"""The state of the current stack.

The engine sends one resource at a time to a provider. Only the state tells whether an existing object belongs to this
stack. Therefore the state is read, once per process, when a decision depends on that.
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
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ecs_pulumi import stack
from ecs_pulumi.dynamic.ownership import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FINGERPRINT_LENGTH = 8
"""Number of hexadecimal digits in the fingerprint of a backend."""


class Owner(NamedTuple):
    """A resource that owns an object.

    Attributes:
        urn: Its URN.
        cloud: The entry of clouds.yaml that it names; None for the cloud of the stack.
    """

    urn: str
    cloud: str | None = None


@dataclass(frozen=True)
class StackState:
    """The resources in the state, and the pending creates.

    Attributes:
        resources: The resources, as `pulumi stack export` writes them.
        owners: The resources that own each object; the keys have no account. Resources that are only read
            (`EcsResource.get`) are not owners.
        begun: The inputs of the pending creates, by URN: those of an interrupted run, and those in progress.
        unreadable: Why the state could not be read; empty if it was.
    """

    resources: Sequence[Mapping[str, Any]] = ()
    owners: Mapping[ObjectKey, Sequence[Owner]] = field(default_factory=dict)
    begun: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    unreadable: str = ""

    def has(self, urn: str) -> bool:
        """Whether the state contains a resource with this URN that owns an object."""
        return any(owner.urn == urn for owners in self.owners.values() for owner in owners)

    def owners_of(self, key: ObjectKey, account: Callable[[str | None], str]) -> list[str]:
        """Return the URNs of the resources that own an object.

        Args:
            key: The object.
            account: Returns the account of an entry of clouds.yaml, as `ResourceHandler.account`.
        """
        found = self.owners.get(key._replace(account=""), ())
        return [owner.urn for owner in found if account(owner.cloud) == key.account]

    def only_reads(self, urn: str) -> bool:
        """Whether the resource with this URN is only read (`EcsResource.get`)."""
        return any(each["urn"] == urn and each.get("external") for each in self.resources)

    def retains(self, urn: str) -> bool:
        """Whether the resource with this URN has the option `retain_on_delete`."""
        return any(each["urn"] == urn and each.get("retainOnDelete") for each in self.resources)

    def outputs_in(self, region: object, cloud: str | None) -> list[Mapping[str, Any]]:
        """Return the outputs of the resources in a region of a cloud, except those with a project of the program.

        Resources that are only read (`EcsResource.get`) are omitted, too.

        Args:
            region: The region.
            cloud: The entry of clouds.yaml; None for the cloud of the stack.
        """
        managed = (each for each in self.resources if stack.is_ecs(each) and not each.get("external"))
        return [
            each["outputs"]
            for each in managed
            if (each.get("outputs") or {}).get("region") == region
            and cloud_of(each) == cloud
            and not (each.get("inputs") or {}).get("project_id")
        ]

    def interrupted(self, urn: str, in_flight: Mapping[str, Any] | None = None) -> list[Mapping[str, Any]]:
        """Return the inputs of the creates of this URN that an earlier run began and did not finish.

        Args:
            urn: URN of the resource.
            in_flight: The inputs of the create that is being served; the engine has recorded it as pending as well.
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
    """Return the state of a stack as it was at the first call in this process.

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
    owners: dict[ObjectKey, list[Owner]] = {}
    for resource in resources:
        if resource.get("id") and not resource.get("external"):
            own, owner = _key(resource), Owner(str(resource["urn"]), cloud_of(resource))
            for kind, id_ in ((own.kind, own.id), *stack.held_objects(resource)):
                owners.setdefault(own._replace(kind=kind, id=id_), []).append(owner)
    pending: dict[str, list[Mapping[str, Any]]] = {}
    for resource in begun:
        pending.setdefault(str(resource["urn"]), []).append(resource.get("inputs") or {})
    return StackState(resources, owners, pending)


def _key(resource: Mapping[str, Any]) -> ObjectKey:
    region = (resource.get("outputs") or {}).get("region")
    return ObjectKey(str(resource["type"]).rpartition(":")[2], str(region or ""), str(resource["id"]))


def cloud_of(resource: Mapping[str, Any]) -> str | None:
    """Return the entry of clouds.yaml that a resource in a state names; None for the cloud of the stack."""
    cloud = (resource.get("outputs") or resource.get("inputs") or {}).get("cloud")
    return cloud if isinstance(cloud, str) and cloud else None


def backend_fingerprint() -> str:
    """Return a fingerprint of the backend that stores the state; empty if the backend is not known.

    It distinguishes stacks of the same name in different backends. For a local folder it includes the host name.
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
    """Return the URL of the backend that the user is logged in to; empty if there is none."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        current = json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current")
    except (OSError, ValueError, AttributeError):
        return ""
    return current if isinstance(current, str) else ""
