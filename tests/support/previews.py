"""The previews of one run, without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import ConfigureRequest

from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.provider import Provider

if TYPE_CHECKING:
    from tests.support.landscape import Landscape


class Run:
    """The previews of one run. They share cached lists and planned objects, as the resources of a program do."""

    def __init__(self, landscape: Landscape) -> None:
        self.settings = {**landscape.settings, **landscape.secrets}
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.request = rpc_bridge.RequestContext()
        self.resource = ""
        """The resource name of the next previewed resource, if its inputs have no `name`."""

    def __call__(self, kind: str, prior: dict[str, Any] | None = None, /, **inputs: Any) -> list[str]:
        """Return the problems of a resource, each with its property.

        Args:
            kind: The kind of the resource.
            prior: The inputs of the last `up`.
            inputs: The inputs that are set or changed.
        """
        self.request = rpc_bridge.RequestContext(
            urn=f"urn:pulumi:dev::shop::{kind}::{inputs.get('name', self.resource)}"
        )
        provider = Provider(kind)
        provider.configure(ConfigureRequest(config=SimpleNamespace(get=self.settings.get)))  # type: ignore[arg-type]
        checked = provider.check(prior or {}, {**(prior or {}), **inputs})
        problems = [(failure.property, failure.reason) for failure in checked.failures]
        return [f"{name}: {reason}" if name else reason for name, reason in problems]
