"""The engine alone: the same operations with the same number of resources that do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.bench.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def alone(folder: Path, env: Mapping[str, str], *, resources: int, changed: int, parallel: int) -> dict[str, float]:
    """Return the seconds of each operation.

    Args:
        folder: An empty folder.
        env: The environment of the stack.
        resources: Number of resources.
        changed: Number of resources that an update changes.
        parallel: Number of concurrent operations.
    """
    stack = Stack("nothing", folder, env, {"resources": resources, "changed": changed}, parallel=parallel)
    return {
        "create": stack.up().seconds,
        "preview": stack.preview().seconds,
        "refresh": stack.refresh().seconds,
        "update": stack.up("--config", "bench:word=changed").seconds,
        "destroy": stack.destroy().seconds,
    }
