"""The metadata that a cloud itself writes into a server or a volume: no drift of the program's, and not removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from ecs_pulumi.resources.owner_markers import MARKER_KEY, kept_marker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

CINDER_KEYS = frozenset({"readonly", "attached_mode"})
"""The keys that Cinder writes into a volume and keeps there; a program cannot set them."""
FIXED_KEYS = re.compile(r"__system__.*|hw:passthrough|full_clone|backupId")
"""The keys of a volume that the Open Telekom Cloud writes, or takes only when a volume is created."""

_OF_A_SERVER = re.compile(r"metering\..*|__.*|cascaded\..*", re.DOTALL)
"""The keys of a server that the Open Telekom Cloud and clouds of its kind reserve."""
_BESIDE_METERING = frozenset(
    {
        *("charging_mode", "vpc_id", "image_name", "os_bit", "os_type", "virtual_env_type", "EcmResStatus"),
        *("lockCheckEndpoint", "lockScene", "lockSource", "lockSourceId"),
    }
)
"""The keys that such a cloud writes together with `metering.*`. Elsewhere, users may have chosen the same names."""


class _Requests(Protocol):
    """The requests for metadata, which `cloud.compute` and `cloud.block_storage` have."""

    def replace_metadata(self, api: ServiceClient, id: str, metadata: Mapping[str, str]) -> object: ...  # noqa: A002

    def merge_metadata(self, api: ServiceClient, id: str, metadata: Mapping[str, str]) -> None: ...  # noqa: A002

    def delete_metadata(self, api: ServiceClient, id: str, key: str) -> None: ...  # noqa: A002


def keys_in_server(context: Context, metadata: Mapping[str, str]) -> set[str]:
    """Return the keys that the cloud has written: reserved ones that the program does not declare and did not before.

    OpenStack writes none.

    Args:
        context: The operation.
        metadata: The metadata of the remote object.
    """
    if not context.cloud.region.differences.writes_metadata:
        return set()
    declared = {*(context.inputs.get("metadata") or ()), *(context.prior.get("metadata") or ())}
    is_metered = any(key.startswith("metering.") for key in metadata)
    reserved = {key for key in metadata if _OF_A_SERVER.fullmatch(key) or (is_metered and key in _BESIDE_METERING)}
    return reserved - declared


def keys_in_volume(context: Context, metadata: Mapping[str, str], declared: Mapping[str, str] | None) -> set[str]:
    """Return the reserved keys that the program does not declare; on an Open Telekom Cloud, all that it never declared.

    That cloud writes keys of any name. A program without prior outputs that only reads the volume sees them.

    Args:
        context: The operation.
        metadata: The metadata of the remote object.
        declared: The metadata in the program.
    """
    unmanaged = {*CINDER_KEYS, MARKER_KEY}
    is_first_read = context.verb == "read" and not context.prior
    if is_first_read or not context.cloud.region.differences.writes_metadata:
        reserved = {key for key in metadata if key in unmanaged or key.startswith("__")}
        return reserved - (set(declared or ()) - unmanaged)
    prior = context.prior.get("metadata") or {}
    removable = {key for key in prior if declared is None or not FIXED_KEYS.fullmatch(key)}
    return set(metadata) - ((set(declared or ()) | removable) - unmanaged)


def write(
    requests: _Requests,
    api: ServiceClient,
    context: Context,
    remote: RemoteObject,
    desired: Mapping[str, str],
    of_cloud: AbstractSet[str],
) -> None:
    """Give a server or a volume the desired metadata; the owner marker and the keys of the cloud stay.

    Args:
        requests: The requests for the kind.
        api: Its API.
        context: The operation.
        remote: The remote object.
        desired: The entries to have.
        of_cloud: The keys of the cloud in the remote object.
    """
    id_, present = remote["id"], remote.get("metadata") or {}
    metadata = {**desired, **kept_marker(context, remote)}
    if not context.cloud.region.differences.writes_metadata:
        kept = of_cloud - CINDER_KEYS - set(context.prior.get("metadata") or ())
        requests.replace_metadata(api, id_, {key: present[key] for key in sorted(kept)} | metadata)
        return
    # This cloud may refuse a request that names its own entries, even with their present values, or removes them.
    if changed := {key: value for key, value in metadata.items() if present.get(key) != value}:
        requests.merge_metadata(api, id_, changed)
    for key in sorted(present.keys() - metadata.keys() - of_cloud):
        requests.delete_metadata(api, id_, key)
