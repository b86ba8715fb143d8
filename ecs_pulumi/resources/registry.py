"""The kinds of resources, in the order in which they depend on each other."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ecs_pulumi.dynamic.handler import ResourceHandler

_KINDS = [
    "KeyPair",
    "Network",
    "Subnet",
    "SecurityGroup",
    "SecurityGroupRule",
    "Port",
    "Router",
    "RouterInterface",
    "RouterRoute",
    "Volume",
    "ServerGroup",
    "Server",
    "VolumeAttachment",
    "InterfaceAttachment",
    "FloatingIp",
    "FloatingIpAssociation",
]
_registered: dict[str, ResourceHandler[Any, Any, Any]] = {}


def kinds() -> Sequence[str]:
    """The names of all kinds. A kind refers only to those before it, so that this is the order of a program."""
    return tuple(_KINDS)


def module_of(kind: str) -> str:
    """The name of the module that declares a kind, the same in `resources` and in `sdk`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def get_handler(kind: str) -> ResourceHandler[Any, Any, Any]:
    """The handler of a kind: `HANDLER` in its module, which is imported on first use."""
    if kind not in _registered:
        _registered[kind] = importlib.import_module(f"{__package__}.{module_of(kind)}").HANDLER
    return _registered[kind]


def handlers() -> list[ResourceHandler[Any, Any, Any]]:
    """The handlers of all kinds, in the order of `kinds`."""
    return [get_handler(kind) for kind in _KINDS]


def connect(
    config: Callable[[str], str | None],
    region: str | None = None,
    kind: str | None = None,
    cloud: str | None = None,
) -> Any:
    """The clients for a command.

    Args:
        config: The settings of the stack.
        region: The region. Default: the configured one.
        kind: The kind whose timeout applies. Default: the longest timeout of all kinds.
        cloud: An entry of clouds.yaml. Default: the cloud of the settings.
    """
    used = [get_handler(kind)] if kind else handlers()
    return used[0].connect(config, region, max(handler.timeout for handler in used), cloud)


def register(handler: ResourceHandler[Any, Any, Any]) -> None:
    """Add a kind from another module. It may refer to every kind that is registered already."""
    if handler.name not in _KINDS:
        _KINDS.append(handler.name)
    _registered[handler.name] = handler
