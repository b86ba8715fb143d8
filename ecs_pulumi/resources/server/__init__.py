"""Server: an Elastic Cloud Server (guide, chapters 4 and 5; Nova API reference, "Servers").

The handler is imported on first use, so that `ecs-pulumi report` can import `report_rules` without the schema.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecs_pulumi.resources.server.handler import HANDLER

__all__ = ["HANDLER"]


def __getattr__(name: str) -> Any:
    if name != "HANDLER":
        raise AttributeError(name)
    from ecs_pulumi.resources.server.handler import HANDLER

    return HANDLER
