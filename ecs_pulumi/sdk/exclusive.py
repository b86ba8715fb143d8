"""Which objects cannot exist twice: those with an input that only one object can have at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def is_exclusive(paths: Sequence[str], inputs: Mapping[str, Any]) -> bool:
    """Whether two objects with these inputs cannot exist at the same time.

    Args:
        paths: The exclusive inputs: `mac_address`, `fixed_ips.ip_address` for a property of each item of a list,
            `block_devices.source_type=volume` where only this value is exclusive.
        inputs: The inputs. A value may be an output, or unknown in a preview; then it counts as set.
    """
    return any(_has(path, inputs) for path in paths)


def _has(path: str, inputs: Mapping[str, Any]) -> bool:
    path, _, expected = path.partition("=")
    name, _, key = path.partition(".")
    value = inputs.get(name)
    if not key:
        return value is not None and value != []
    items = [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []
    return any(item.get(key) == expected if expected else item.get(key) is not None for item in items)
