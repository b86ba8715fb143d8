"""What the attachments of volumes and NICs share: the form of their id, and detaching from a server that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic import rpc_bridge, run

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context


def split_id(id_: str, kind: str) -> tuple[str, str]:
    """Split the id of an attachment."""
    server_id, slash, other = id_.partition("/")
    if not slash or not server_id or not other:
        raise errors.ConfigurationError(f'the id of a {kind} is "<server>/<other>", got "{id_}"')
    return server_id, other


def left_to_server(context: Context, server_id: str, consequence: str = "its deletion releases what it uses") -> bool:
    """Whether a refused detach can be skipped, because the server will be deleted.

    This holds for a server in `ERROR`, and for one that is being deleted or that the same run deletes.

    Args:
        context: The operation.
        server_id: The server.
        consequence: What the deletion of the server does to the object, for a notice.
    """
    try:
        server = compute.get_server(context.cloud.compute, server_id)
    except errors.NotFound:
        return True
    status = server["status"]
    is_ending = status in ("ERROR", "DELETED", "SOFT_DELETED") or server.get("OS-EXT-STS:task_state") == "deleting"
    if is_ending or run.also_deletes(rpc_bridge.current_request().urn, "Server", server_id):
        context.notify(f"the server {server_id} is in status {status} and does not detach it; {consequence}")
        return True
    return False
