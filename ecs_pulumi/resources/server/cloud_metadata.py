"""The metadata that the cloud itself writes into a server: no drift of the program's metadata, and never removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_pulumi.resources.clients import Context

_RESERVED = re.compile(r"metering\..*|__.*|cascaded\..*", re.DOTALL)
"""The keys that the Open Telekom Cloud and clouds of its kind reserve."""
_BESIDE_METERING = frozenset(
    {
        *("charging_mode", "vpc_id", "image_name", "os_bit", "os_type", "virtual_env_type", "EcmResStatus"),
        *("lockCheckEndpoint", "lockScene", "lockSource", "lockSourceId"),
    }
)
"""The keys that such a cloud writes together with `metering.*`. Elsewhere, users may have chosen the same names."""


def keys_of_cloud(context: Context, metadata: Mapping[str, str]) -> set[str]:
    """Return the keys that the cloud has written: reserved ones that the program does not declare and did not before.

    Args:
        context: The operation.
        metadata: The metadata of the remote object.
    """
    declared = {*(context.inputs.get("metadata") or ()), *(context.prior.get("metadata") or ())}
    is_metered = any(key.startswith("metering.") for key in metadata)
    reserved = {key for key in metadata if _RESERVED.fullmatch(key) or (is_metered and key in _BESIDE_METERING)}
    return reserved - declared
