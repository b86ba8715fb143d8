"""Cinder: volumes, snapshots, volume types, and the functions that Nova calls.

`storage` implements the operations on volumes and snapshots, `servers` those on volumes that a server uses; the other
modules handle HTTP requests. The rules and messages are those observed in the real service.
"""

from __future__ import annotations

from . import actions, quotas, snapshots, stubs, volumes
from .servers import attach, detach, disconnect, reserve, set_status
from .service import service
from .storage import CREATE_SECONDS, begin_delete, make_volume
from .types import seed

__all__ = [
    "CREATE_SECONDS",
    "actions",
    "attach",
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
