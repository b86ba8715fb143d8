"""The emulated compute service (Nova) at `/v2` and `/v2.1`."""

from __future__ import annotations

from . import (  # noqa: F401  # each module registers its routes
    actions,
    attachments,
    create,
    environment,
    images,
    interfaces,
    keypairs,
    labels,
    resize,
    server_groups,
    servers,
)
from .flavors import seed
from .service import service

__all__ = ["seed", "service"]
