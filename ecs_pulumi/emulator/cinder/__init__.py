"""Cinder: volumes, snapshots, volume types, and what Nova asks of them.

`storage` is what happens to volumes and snapshots whoever asks, `servers` what happens to a volume that a
server uses; the other modules are the requests. The rules and words are the real service's, measured.
"""

from __future__ import annotations

from . import actions, attachments, quotas, snapshots, stubs, volumes
from .servers import attach, detach, disconnect, reserve, set_status
from .service import service
from .storage import CREATE_SECONDS, begin_delete, make_volume
from .types import seed

__all__ = [
    "CREATE_SECONDS",
    "actions",
    "attach",
    "attachments",
    "begin_delete",
    "detach",
    "disconnect",
    "make_volume",
    "quotas",
    "reserve",
    "seed",
    "service",
    "set_status",
    "snapshots",
    "stubs",
    "volumes",
]
