"""Cinder: volumes, snapshots, volume types, and the functions that Nova calls.

`storage` implements the operations on volumes and snapshots, `servers` those on volumes that a server uses; the other
modules handle HTTP requests. The rules and messages are those observed in the real service.
"""

from __future__ import annotations

from . import actions, quotas, snapshots, stubs, volumes  # noqa: F401  # each module registers its routes
from .service import service
from .types import seed

__all__ = ["seed", "service"]
