"""Server: its schema, the requests of its life cycle, its NICs, and the handler that the registry finds."""

from ecs_pulumi.resources.server.handler import HANDLER

__all__ = ["HANDLER"]
