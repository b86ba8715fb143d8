"""Owner markers: notes in the description or the metadata of an object that name the resource it belongs to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic.handler import owner_from_name, signer
from ecs_pulumi.dynamic.state import FINGERPRINT_LENGTH
from ecs_pulumi.resources.missing_attributes import keeps_no_description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

LONGEST_DESCRIPTION = 255
_MARKER_PREFIX = "Managed by Pulumi: "
MARKER_KEY = "managed-by-pulumi"
"""The metadata key of the owner marker; only servers and volumes have metadata."""
OF_A_NIC = " (port of the NIC)"
"""Suffix of the owner marker of a port that was created for an `InterfaceAttachment` and is deleted with it."""
_BACKEND = rf" \[[0-9a-f]{{{FINGERPRINT_LENGTH}}}\]"
"""The part of an owner marker that identifies the backend, which distinguishes stacks of the same name."""
_MARKER_PATTERN = re.compile(rf"{_MARKER_PREFIX}[^/\s]+/[^/\s]+/\S+({_BACKEND})?({re.escape(OF_A_NIC)})?")


def owner_marker(context: Context) -> str:
    """Return the owner marker of the resource, by which its orphans are found; empty if `ecs:marker` is off."""
    if not (context.cloud.marker and context.resource):
        return ""
    backend = f" [{context.backend}]" if context.backend else ""
    return f"{_MARKER_PREFIX}{context.project}/{context.stack}/{context.resource}{backend}"[:LONGEST_DESCRIPTION]


def metadata_with_marker(context: Context, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return the metadata of a create request: the desired metadata and the owner marker."""
    marker = {MARKER_KEY: owner_marker(context)} if owner_marker(context) else {}
    return {**(metadata or {}), **marker}


def kept_marker(context: Context, remote: RemoteObject) -> dict[str, str]:
    """Return the owner marker that an update of the metadata has to include; another stack's marker is replaced."""
    marker = (remote.get("metadata") or {}).get(MARKER_KEY)
    return {MARKER_KEY: marker_to_write(context, marker) or marker} if marker else {}


def markers_of(remote: Mapping[str, Any]) -> list[str]:
    """Return the owner markers in the description and the metadata of an object."""
    texts = (remote.get("description"), (remote.get("metadata") or {}).get(MARKER_KEY))
    return [text for text in texts if text and is_owner_marker(text)]


def marker_to_write(context: Context, text: str | None) -> str | None:
    """Return this stack's owner marker if it has to replace the present one; None otherwise.

    It replaces the marker of another stack, and that of a port that was created for a NIC.
    """
    own, present = owner_marker(context), text or ""
    # An orphan of this stack that is imported under another name keeps its marker, so that an `up` does not update it.
    is_of_stack = present == own or (
        parse_owner_marker(present, context.project, context.stack) and not present.endswith(OF_A_NIC)
    )
    return own if own and not is_of_stack and _MARKER_PATTERN.fullmatch(present) else None


def owner_in(context: Context, port: Mapping[str, Any]) -> str | None:
    """Return the resource of this stack in a port's owner marker, or in its name if the cloud keeps no descriptions.

    The backend is not compared: the port may have been created before it was known.
    """
    if keeps_no_description(context.cloud.region, "port", port):
        return owner_in_name(port.get("name") or "", context.project, context.stack, context.backend)
    return parse_owner_marker(port["description"] or "", context.project, context.stack)


def owner_in_name(name: str, project: str, stack: str, backend: str) -> str | None:
    """Return the resource of this stack in an automatic name, also in one that was given without a backend."""
    signers = dict.fromkeys(signer(project, stack, each) for each in (backend, ""))
    return next(filter(None, (owner_from_name(name, each) for each in signers)), None)


def is_owner_marker(text: str) -> bool:
    """Whether a description is the owner marker of any stack."""
    return text.startswith(_MARKER_PREFIX)


def parse_owner_marker(text: str, project: str, stack: str, backend: str = "") -> str | None:
    """Return the resource named in an owner marker of this stack; None for other texts and for truncated markers.

    Args:
        text: A description, or the owner marker in the metadata.
        project: Name of the project.
        stack: Name of the stack.
        backend: The fingerprint of the backend. If it is set, a marker of another backend is not of this stack.
    """
    of_stack = f"{_MARKER_PREFIX}{project}/{stack}/"
    if not text.startswith(of_stack) or len(text) >= LONGEST_DESCRIPTION:
        return None
    rest = text.removeprefix(of_stack)
    found = re.search(rf"{_BACKEND}(?=$|{re.escape(OF_A_NIC)}$)", rest)
    if found and backend and found[0] != f" [{backend}]":
        return None
    return rest.replace(found[0], "", 1) if found else rest or None
