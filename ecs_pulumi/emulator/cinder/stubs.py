"""Messages, and the collections that are always empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.versioned import links, require_at_least

from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call


@service.get("/backups/detail", otc=False)
def list_backups(_call: Call) -> dict[str, Any]:
    """`GET /backups/detail`: always empty, because backups are not emulated."""
    return {"backups": []}


@service.get("/messages", otc=False)
def list_messages(call: Call) -> dict[str, Any]:
    """`GET /messages`, from microversion 3.3 on: the reasons of failed operations."""
    require_at_least(call, 3)
    messages = call.find("message", newest_first=True, project_id=call.project_id)
    resource_id = call.param("resource_uuid")
    return {
        "messages": [
            {name: value for name, value in message.items() if name != "project_id"}
            | {"links": links(call, f"messages/{message['id']}")}
            for message in messages
            if resource_id in (None, message["resource_uuid"])
        ]
    }
