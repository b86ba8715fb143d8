"""Functions for Nova's API calls. Each docstring names the guide's chapter or the API reference's section."""

# ruff: noqa: A002 - "id" is the API's own word

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecs_pulumi.cloud.errors import EcsError, NotFound, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecs_pulumi.cloud.api import ServiceClient

Document = dict[str, Any]

DESCRIPTION, TAGS, TAGS_IN_CREATE = "2.19", "2.26", "2.52"
"""The microversions that a server's description and its tags need, and tags in the request that creates it."""
REQUESTED_HOST = "2.74"
"""The microversion that the request for a host of a new server needs."""
SERVER_GROUP_RULES = "2.64"
"""The microversion that the rules of a server group's policy need."""
SERVERS_PER_PAGE = 1000
"""The most servers that clouds return in a page; without a limit, some return only 25."""


def create_server(
    api: ServiceClient,
    server: Document,
    *,
    hints: Document | None = None,
    microversion: str | None = None,
) -> Document:
    """Create a server; the response contains little more than its id (guide 4, step 5).

    Args:
        api: compute.
        server: the body's ``server``.
        hints: the body's ``os:scheduler_hints``.
        microversion: the microversion that the body's fields need.
    """
    body: Document = {"server": server}
    if hints:
        body["os:scheduler_hints"] = hints
    return _document(api.post("/servers", json=body, microversion=microversion, key="server"))


def get_server(api: ServiceClient, id: str, microversion: str | None = None) -> Document:
    """Return a server's details (guide 4, step 6)."""
    return _document(api.get(f"/servers/{id}", microversion=microversion, key="server"))


def list_servers(
    api: ServiceClient,
    *,
    changes_since: str | None = None,
    image: str | None = None,
    flavor: str | None = None,
    name: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    marker: str | None = None,
    not_tags: str | Sequence[str] | None = None,
    reservation_id: str | None = None,
    all_tenants: bool | None = None,
    microversion: str | None = None,
) -> list[Document]:
    """List servers with details, by the filters of the guide (3.3, step 2).

    ``limit`` is the total number of servers to return; without it every page is read. ``not_tags`` needs microversion
    2.26. Clouds read ``name`` in different ways, see ``name_filter``.
    """
    tags = not_tags if not_tags is None or isinstance(not_tags, str) else ",".join(not_tags)
    params = _without_none(
        {
            "changes-since": changes_since,
            "image": image,
            "flavor": flavor,
            "name": name,
            "status": status,
            "limit": min(limit or SERVERS_PER_PAGE, SERVERS_PER_PAGE),
            "marker": marker,
            "not-tags": tags,
            "reservation_id": reservation_id,
            "all_tenants": None if all_tenants is None else int(all_tenants),
        },
    )
    return list(itertools.islice(api.pages("/servers/detail", "servers", params, microversion), limit))


def name_filter(name: str, *, as_part: bool, is_prefix: bool = False) -> str | None:
    """Return a ``name`` for ``list_servers`` that selects the servers of this name; None without one.

    OpenStack reads it as a regular expression, the Open Telekom Cloud as a part of the name. There, it is the longest
    part of the name without special characters, other than dots, and the caller compares the names in the list.

    Args:
        name: the name.
        as_part: whether the cloud reads it as a part of the name.
        is_prefix: whether the names only begin with this one.
    """
    if as_part:
        return max(re.findall(r"[\w .:@/-]+", name), key=len, default=None)
    return f"^{re.escape(name)}" + ("" if is_prefix else "$")


def update_server(api: ServiceClient, id: str, changes: Document) -> Document:
    """Change the name, the access addresses or the description (API reference, "Update Server")."""
    microversion = api.require("a server's description", DESCRIPTION) if "description" in changes else None
    return _document(api.put(f"/servers/{id}", json={"server": changes}, microversion=microversion, key="server"))


def delete_server(api: ServiceClient, id: str, *, force: bool = False) -> None:
    """Delete a server (API reference, "Delete Server").

    With ``force``, send the action ``forceDelete``, which skips a deferred deletion.
    """
    if force:
        action(api, id, "forceDelete", idempotent=True)
    else:
        api.delete(f"/servers/{id}")


def action(
    api: ServiceClient,
    id: str,
    name: str,
    body: Any = None,
    microversion: str | None = None,
    *,
    idempotent: bool | None = None,
) -> Any:
    """Run an action such as ``resize``, ``confirmResize``, ``os-stop`` (guide 5).

    Args:
        api: compute.
        id: the server.
        name: the action.
        body: the action's arguments; None for most actions.
        microversion: the microversion that the arguments need.
        idempotent: whether sending the request twice has the same effect as sending it once.
    """
    return api.post(f"/servers/{id}/action", json={name: body}, microversion=microversion, idempotent=idempotent)


def replace_metadata(api: ServiceClient, id: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Set the metadata; keys that are not given are deleted (API reference, "Replace Server Metadata Items")."""
    return _document(api.put(f"/servers/{id}/metadata", json={"metadata": dict(metadata)}, key="metadata"))


def merge_metadata(api: ServiceClient, id: str, metadata: Mapping[str, str]) -> None:
    """Add and overwrite metadata; other keys are kept (API reference, "Create or Update Server Metadata Items")."""
    api.post(f"/servers/{id}/metadata", json={"metadata": dict(metadata)}, idempotent=True)


def delete_metadata(api: ServiceClient, id: str, key: str) -> None:
    """Delete a key of the metadata, if there is one (API reference, "Delete Server Metadata Item")."""
    with contextlib.suppress(NotFound):
        api.delete(f"/servers/{id}/metadata/{quote(key, safe='')}")


def replace_tags(api: ServiceClient, id: str, tags: Sequence[str]) -> None:
    """Replace all tags (API reference, "Replace Server Tags")."""
    api.put(f"/servers/{id}/tags", json={"tags": list(tags)}, microversion=api.require("a server's tags", TAGS))


def create_key_pair(api: ServiceClient, key_pair: Document, microversion: str | None = None) -> Document:
    """Generate or import a key pair (guide 4, step 4). Only this response contains a generated private key.

    ``type`` needs microversion 2.2 and ``user_id`` 2.10 on v2.1.
    """
    return _document(api.post("/os-keypairs", json={"keypair": key_pair}, microversion=microversion, key="keypair"))


def get_key_pair(
    api: ServiceClient, name: str, *, user_id: str | None = None, microversion: str | None = None
) -> Document:
    """Return a key pair by name (API reference, "Show Keypair Details")."""
    params = _without_none({"user_id": user_id})
    return _document(api.get(_key_pair(name), params=params, microversion=microversion, key="keypair"))


def list_key_pairs(
    api: ServiceClient, *, user_id: str | None = None, microversion: str | None = None
) -> list[Document]:
    """List all key pairs (API reference, "List Keypairs")."""
    params = _without_none({"user_id": user_id})
    return [item["keypair"] for item in api.pages("/os-keypairs", "keypairs", params, microversion)]


def delete_key_pair(
    api: ServiceClient, name: str, *, user_id: str | None = None, microversion: str | None = None
) -> None:
    """Delete a key pair (API reference, "Delete Keypair")."""
    api.delete(_key_pair(name), params=_without_none({"user_id": user_id}), microversion=microversion)


def create_server_group(api: ServiceClient, name: str, policy: str, rules: Document) -> Document:
    """Create a server group (API reference, "Create Server Group").

    Args:
        api: compute.
        name: the name.
        policy: the policy; the soft ones need microversion 2.15.
        rules: the rules of the policy, which need microversion 2.64.
    """
    microversion = server_group_microversion(api)
    group: Document = {"name": name}
    if microversion == SERVER_GROUP_RULES:
        group |= {"policy": policy} | ({"rules": rules} if rules else {})
    else:
        group["policies"] = [policy]
    body = {"server_group": group}
    return _document(api.post("/os-server-groups", json=body, microversion=microversion, key="server_group"))


MIN_FULL_PAGE = 100
"""The size from which on a page of server groups may be full; clouds limit their pages to 1000 by default."""


def list_server_groups(api: ServiceClient) -> list[Document]:
    """List the server groups of the project (API reference, "List Server Groups").

    The list has no link to its next page, so a page that may be full is followed by the one at its offset.
    """
    groups: dict[str, Document] = {}
    query: Document = {}
    while True:
        page, _ = api.page("/os-server-groups", "server_groups", query, server_group_microversion(api))
        added = {group["id"]: group for group in page if group["id"] not in groups}
        groups |= added
        if not added or len(page) < MIN_FULL_PAGE:
            return list(groups.values())
        query = {"offset": len(groups)}


def get_server_group(api: ServiceClient, id: str) -> Document:
    """Return a server group (API reference, "Show Server Group Details")."""
    path = f"/os-server-groups/{id}"
    return _document(api.get(path, microversion=server_group_microversion(api), key="server_group"))


def delete_server_group(api: ServiceClient, id: str) -> None:
    """Delete a server group; its servers remain (API reference, "Delete Server Group")."""
    api.delete(f"/os-server-groups/{id}")


def server_group_microversion(api: ServiceClient) -> str | None:
    """The microversion for server groups: with the rules of a policy, or at least with the soft policies."""
    return api.newest_supported(SERVER_GROUP_RULES, "2.15")


def attach_volume(api: ServiceClient, id: str, attachment: Document, microversion: str | None = None) -> Document:
    """Attach a volume (guide 6, step 2)."""
    body = {"volumeAttachment": attachment}
    path = f"/servers/{id}/os-volume_attachments"
    return _document(api.post(path, json=body, microversion=microversion, key="volumeAttachment"))


def list_volume_attachments(api: ServiceClient, id: str, microversion: str | None = None) -> list[Document]:
    """List the volume attachments of a server (guide 6, step 3)."""
    return list(api.pages(f"/servers/{id}/os-volume_attachments", "volumeAttachments", None, microversion))


def get_volume_attachment(api: ServiceClient, id: str, volume_id: str, microversion: str | None = None) -> Document:
    """Return one volume attachment of a server (API reference, "Show a detail of a volume attachment").

    The id of the attachment is the volume's id.
    """
    path = f"/servers/{id}/os-volume_attachments/{volume_id}"
    return _document(api.get(path, microversion=microversion, key="volumeAttachment"))


def detach_volume(api: ServiceClient, id: str, volume_id: str) -> None:
    """Detach a volume (API reference, "Detach a volume from an instance")."""
    api.delete(f"/servers/{id}/os-volume_attachments/{volume_id}")


def attach_interface(api: ServiceClient, id: str, attachment: Document, microversion: str | None = None) -> Document:
    """Attach a NIC (guide 7, step 2). Nova responds after the NIC is attached."""
    body = {"interfaceAttachment": attachment}
    path = f"/servers/{id}/os-interface"
    return _document(api.post(path, json=body, microversion=microversion, key="interfaceAttachment"))


def list_interfaces(api: ServiceClient, id: str, microversion: str | None = None) -> list[Document]:
    """List the NICs of a server (guide 7, step 3)."""
    return list(api.pages(f"/servers/{id}/os-interface", "interfaceAttachments", None, microversion))


def detach_interface(api: ServiceClient, id: str, port_id: str, *, reserve_port: bool = False) -> None:
    """Detach a NIC (API reference, "Detach Interface"). Nova answers 202 and does not report later failures.

    Args:
        api: compute.
        id: the server.
        port_id: the port of the NIC.
        reserve_port: keep the port on a cloud that deletes it otherwise, such as the Open Telekom Cloud. OpenStack
            keeps every port that Nova did not create, and ignores the parameter.
    """
    params = {"reserve_port": "True"} if reserve_port else None
    api.delete(f"/servers/{id}/os-interface/{port_id}", params=params)


def list_flavors(
    api: ServiceClient, *, query: Mapping[str, Any] | None = None, microversion: str | None = None
) -> list[Document]:
    """List flavors by ``minDisk``, ``minRam``, ``is_public``, ``sort_key``, ``sort_dir`` (guide 4, step 1).

    From microversion 2.61 on, the documents contain ``extra_specs``.
    """
    return list(api.pages("/flavors/detail", "flavors", query, microversion))


def get_flavor(api: ServiceClient, id: str, microversion: str | None = None) -> Document:
    """Return a flavor by its id (API reference, "Show Flavor Details")."""
    return _document(api.get(_flavor(id), microversion=microversion, key="flavor"))


def get_flavor_extra_specs(api: ServiceClient, id: str) -> Document:
    """Return the extra specs of a flavor (API reference, "List Extra Specs For A Flavor")."""
    return _document(api.get(f"{_flavor(id)}/os-extra_specs", key="extra_specs"))


def list_images(api: ServiceClient, query: Mapping[str, Any] | None = None) -> list[Document]:
    """List images with details through Nova's proxy API, removed in microversion 2.36 (guide 4, step 2)."""
    return list(api.pages("/images/detail", "images", query))


def list_os_networks(api: ServiceClient) -> list[Document]:
    """List networks through Nova's proxy API, removed in microversion 2.36 (guide 4, step 3)."""
    return list(api.pages("/os-networks", "networks"))


def list_availability_zones(api: ServiceClient) -> list[Document]:
    """List the availability zones and their state (API reference, "Get Availability Zone Information")."""
    return list(api.pages("/os-availability-zone", "availabilityZoneInfo"))


def get_limits(api: ServiceClient) -> Document:
    """Return the project's absolute limits and their usage (API reference, "Show Rate And Absolute Limits")."""
    return _document(api.get("/limits", key="limits")["absolute"])


def list_versions(api: ServiceClient) -> list[Document]:
    """List the version documents (guide 3.2)."""
    return api.list_versions()


def last_failed_action(api: ServiceClient, id: str, of: str | None = None) -> str | None:
    """Describe the newest failed action of a server, or return None.

    This is the only source for the reason of a resize that Nova rolled back (API reference, "List Actions For
    Server"). From 2.51 on, the response names the failed step. On most clouds only administrators see the reason itself
    (a traceback, or details from 2.84 on).

    Args:
        api: compute.
        id: the server.
        of: consider only the newest action of this name, such as ``resize``; None is returned if it did not fail.
    """
    try:
        microversion = api.newest_supported("2.84", "2.51")
        path = f"/servers/{id}/os-instance-actions"
        actions = api.get(path, key="instanceActions")
        matching = [one for one in actions if one["action"] == of][:1] if of else actions
        failed = next((one for one in matching if one.get("message")), None)
        if failed is None:
            return None
        action = api.get(f"{path}/{failed['request_id']}", key="instanceAction", microversion=microversion)
    except EcsError:
        return None  # the reason is optional detail; an error here must not hide the original failure
    return f"{failed['action']} failed: {_reason(action)} ({failed['request_id']})"


def _reason(action: Document) -> str:
    """The best available reason: details, the last line of a traceback, the name of the failed step, or the message."""
    failed = [event for event in action.get("events") or [] if event.get("result") == "Error"]
    for event in failed:
        text = str(event.get("details") or event.get("traceback") or "").strip()
        if text:
            return one_line(text.splitlines()[-1])
    steps = {str(event.get("event")) for event in failed}
    if "cold_migrate" in steps:
        return "the scheduler found no host (cold_migrate), most likely because no host has room"
    if steps:
        return f"the step {min(steps)} ended in error"
    return f"Nova reports only '{action['message']}', as it does if no host has room"


def fault_of(server: Mapping[str, Any]) -> str | None:
    """The fault message of a server in ERROR, or None (API reference, "Show Server Details", fault)."""
    fault = server.get("fault")
    return one_line(str(fault["message"])) if isinstance(fault, Mapping) and fault.get("message") else None


def _flavor(id: str) -> str:
    return f"/flavors/{quote(id, safe='')}"


def _key_pair(name: str) -> str:
    return f"/os-keypairs/{quote(name, safe='')}"


def _without_none(params: Mapping[str, Any]) -> Document:
    return {name: value for name, value in params.items() if value is not None}


def _document(body: Any) -> Document:
    return dict(body)
