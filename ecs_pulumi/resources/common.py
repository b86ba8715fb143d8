"""What the resource handlers share: the connection, owner markers, error texts, the deletion of objects in use."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic import fields, rpc_bridge, run
from ecs_pulumi.dynamic.existing import ExistingObjects
from ecs_pulumi.dynamic.kind import ImportedResource, OperationContext, ResourceHandler
from ecs_pulumi.dynamic.state import FINGERPRINT_LENGTH
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources import quota

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Connection, Region
    from ecs_pulumi.cloud.polling import Deadline

RemoteObject: TypeAlias = dict[str, Any]
"""An object as the API returns it."""

I = TypeVar("I", bound=fields.Inputs)  # noqa: E741


@dataclass(frozen=True)
class Clients:
    """The API clients of one operation. Creating them sends no request."""

    connection: Connection
    region_name: str | None
    deadline: Deadline
    marker: bool = True
    """Whether objects carry an owner marker (`ecs:marker`)."""

    @property
    def region(self) -> Region:
        """The region of the resource; its first use looks it up in the service catalog."""
        return self.connection.region(self.region_name)

    @property
    def compute(self) -> ServiceClient:
        """Nova."""
        return self.region.compute

    @property
    def network(self) -> ServiceClient:
        """Neutron."""
        return self.region.network

    @property
    def block_storage(self) -> ServiceClient:
        """Cinder."""
        return self.region.block_storage


LONGEST_DESCRIPTION = 255
_MARKER_PREFIX = "Managed by Pulumi: "
MARKER_KEY = "managed-by-pulumi"
"""The metadata key of the owner marker; only servers and volumes have metadata."""
OF_A_NIC = " (port of the NIC)"
"""Suffix of the owner marker of a port that was created for an `InterfaceAttachment` and is deleted with it."""
_BACKEND = rf" \[[0-9a-f]{{{FINGERPRINT_LENGTH}}}\]"
"""The part of an owner marker that identifies the backend, which distinguishes stacks of the same name."""
_MARKER_PATTERN = re.compile(rf"{_MARKER_PREFIX}[^/\s]+/[^/\s]+/\S+({_BACKEND})?({re.escape(OF_A_NIC)})?")
_PATIENCE = 60.0

_STORED_SETTINGS = (
    "Without --run-program, Pulumi uses the settings stored by the last `pulumi up`, not the current ones."
)

Context: TypeAlias = OperationContext[Clients]
Existing: TypeAlias = ExistingObjects[Clients]

_connections: dict[Any, Connection] = {}
_connecting = threading.Lock()


def connection(config: Callable[[str], str | None]) -> Connection:
    """Return the connection for these settings. All handlers and threads of a process share it."""
    from ecs_pulumi.cloud.connection import Connection, Settings  # loads keystoneauth

    settings = Settings.from_config(config)
    with _connecting:
        if settings not in _connections:
            opened = _connections[settings] = Connection(settings, trace=_debug)
            for warning in opened.warnings:
                rpc_bridge.warn_once(warning)
        return _connections[settings]


def _debug(line: str) -> None:
    rpc_bridge.log(rpc_bridge.current_request().urn, line, severity="debug")


class EcsHandler(ResourceHandler[Clients, I, RemoteObject]):
    """Base of the resource handlers, with the parts that are specific to OpenStack-compatible clouds."""

    def connect(self, config: Callable[[str], str | None], region: str | None, timeout: float) -> Clients:
        """Return the clients for operations in `region`. This sends no request."""
        from ecs_pulumi.cloud.polling import Deadline

        opened = connection(config)
        opened.transport.set_deadline(opened.clock.now() + timeout)
        return Clients(opened, region, Deadline(opened.clock, timeout), marker=opened.settings.marker)

    def preflight_enabled(self, config: Callable[[str], str | None]) -> bool:
        """The value of `ecs:preflight`."""
        from ecs_pulumi.cloud.settings import Settings

        return Settings.from_config(config).preflight

    def setting_warnings(self, names: Iterable[str]) -> Iterable[str]:
        """Return warnings about misspelled settings in the namespace `ecs`."""
        from ecs_pulumi.cloud.settings import misspelled

        return misspelled(names)

    def owner_of(self, remote: RemoteObject, project: str, stack: str, backend: str) -> str | None:
        """The resource in the owner marker of a remote object; None for a marker of another stack or backend."""
        found = (parse_owner_marker(marker, project, stack, backend) for marker in markers_of(remote))
        return next(filter(None, found), None)

    def ineligible_reason(self, existing: Existing, remote: RemoteObject) -> str | None:  # noqa: ARG002
        """Return that the status of an object is an error."""
        status = str(remote.get("status") or "")
        return f"it is in status {status}" if status.lower().startswith("error") else None

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Omit a description that is an owner marker, which no program sets."""
        resource = super().import_resource(existing, remote, outputs)
        if is_mark(str(resource.inputs.get("description"))):
            del resource.inputs["description"]
        return resource

    def scope(self, context: Context) -> str:
        """Ids are unique in a region."""
        return context.cloud.region.name

    def format_error(self, error: Exception) -> str | None:
        """Return the line that the user sees for this error; None for an internal error of this package."""
        return str(error) if isinstance(error, errors.EcsError) else None

    def stored_settings_hint(self, error: Exception) -> str | None:
        """Return a hint if authentication may have failed because a stored secret is outdated."""
        secrets = ("password", "token", "application_credential_secret")
        is_stored = any(getattr(settings, name) for settings in _connections for name in secrets)
        return _STORED_SETTINGS if isinstance(error, errors.Unauthorized) and is_stored else None

    def preview_warning(self, error: Exception) -> str | None:
        """Without credentials, for example for a pull request from a fork, a preview continues with a warning."""
        if not isinstance(error, errors.MissingCredentials):
            return None
        return Notice.NOT_CHECKED.mark(f"Nothing was checked against the cloud: {error}")

    def ownership_updates(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the updates that replace another stack's owner marker by that of this stack."""
        marker = None if context.inputs.get("description") else marker_to_write(context, remote.get("description"))
        updates: dict[str, Any] = {"description": marker} if marker else {}
        metadata = remote.get("metadata") or {}
        if marker_to_write(context, metadata.get(MARKER_KEY)):
            # The update replaces the metadata as a whole: the present entries, and the marker that `kept_marker` adds.
            updates["metadata"] = self.to_outputs(context, remote)["metadata"]
        return updates

    def preflight(self, context: Context, checked: fields.CheckInputs) -> Iterable[fields.Problem]:
        """Check that the region exists, that the API versions support the inputs, and that the quotas allow them."""
        if checked.known("region") and checked.changed("region"):
            context.cloud.connection.region(checked.known("region"))
        for name, field in fields.fields_of(self.inputs).items():
            if field.since is None or not checked.has(name) or not checked.changed(name):
                continue
            api: ServiceClient = getattr(context.cloud, field.since.service.replace("-", "_"))
            if not api.supports(field.since.microversion):
                needs = f"{field.since.service} microversion {field.since.microversion}"
                yield fields.Problem(name, f"needs {needs}; this cloud offers {api.service} {api.versions}")
        yield from quota.check(context, checked, self.quota_needs(context, checked))

    def quota_needs(self, context: Context, checked: fields.CheckInputs) -> Iterable[quota.QuotaNeed]:  # noqa: ARG002
        """Return what a new object, or an update of one, adds to the use of the project's quotas."""
        return ()


def create_body(desired: fields.Inputs, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the body of a create request, with those of these inputs that the program sets.

    Args:
        desired: The inputs.
        names: Inputs that have the same name in the API.
        renamed: Inputs that have another name in the API, as `input="api:name"`.
    """
    body = {name: fields.to_plain(getattr(desired, name)) for name in names}
    body |= {api: fields.to_plain(getattr(desired, name)) for name, api in renamed.items()}
    return {name: value for name, value in body.items() if value is not None}


def diff_remote(
    handler: ResourceHandler[Clients, Any, RemoteObject], context: Context, desired: fields.Inputs, remote: RemoteObject
) -> dict[str, Any]:
    """Return the managed inputs that differ from the remote object, with their desired values."""
    values, outputs = fields.to_plain(desired), handler.to_outputs(context, remote)
    return handler.ownership_updates(context, remote) | {
        name: value
        for name, value in values.items()
        if name in outputs and not handler.is_equal(name, value, outputs) and not _is_provider_only(handler, name)
    }


def _is_provider_only(handler: ResourceHandler[Any, Any, Any], name: str) -> bool:
    return fields.fields_of(handler.inputs)[name].has(fields.ProviderOnly)


def owner_marker(context: Context) -> str:
    """Return the owner marker of the resource, by which its orphans are found; empty if `ecs:marker` is off."""
    if not (context.cloud.marker and context.resource):
        return ""
    backend = f" [{context.backend}]" if context.backend else ""
    return f"{_MARKER_PREFIX}{context.project}/{context.stack}/{context.resource}{backend}"[:LONGEST_DESCRIPTION]


def metadata_with_marker(context: Context, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return the metadata of a create request: the desired metadata and the owner marker."""
    marker = {MARKER_KEY: owner_marker(context)} if owner_marker(context) else {}
    return {**(metadata or {}), **marker}


def kept_marker(context: Context, remote: RemoteObject) -> dict[str, str]:
    """Return the owner marker that an update of the metadata has to include; another stack's marker is replaced."""
    marker = (remote.get("metadata") or {}).get(MARKER_KEY)
    return {MARKER_KEY: marker_to_write(context, marker) or marker} if marker else {}


def markers_of(remote: Mapping[str, Any]) -> list[str]:
    """Return the owner markers in the description and the metadata of an object."""
    texts = (remote.get("description"), (remote.get("metadata") or {}).get(MARKER_KEY))
    return [text for text in texts if text and is_mark(text)]


def marker_to_write(context: Context, text: str | None) -> str | None:
    """Return this stack's owner marker if it has to replace the present one; None otherwise.

    It replaces the marker of another stack, and that of a port that was created for a NIC.
    """
    own, present = owner_marker(context), text or ""
    # An orphan of this stack that is imported under another name keeps its marker, so that an `up` does not update it.
    is_of_stack = present == own or (
        parse_owner_marker(present, context.project, context.stack) and not present.endswith(OF_A_NIC)
    )
    return own if own and not is_of_stack and _MARKER_PATTERN.fullmatch(present) else None


def is_mark(text: str) -> bool:
    """Whether a description is the owner marker of any stack."""
    return text.startswith(_MARKER_PREFIX)


def parse_owner_marker(text: str, project: str, stack: str, backend: str = "") -> str | None:
    """Return the resource named in an owner marker of this stack; None for other texts and for truncated markers.

    Args:
        text: A description, or the owner marker in the metadata.
        project: Name of the project.
        stack: Name of the stack.
        backend: The fingerprint of the backend. If it is set, a marker of another backend is not of this stack.
    """
    of_stack = f"{_MARKER_PREFIX}{project}/{stack}/"
    if not text.startswith(of_stack) or len(text) >= LONGEST_DESCRIPTION:
        return None
    rest = text.removeprefix(of_stack)
    found = re.search(rf"{_BACKEND}(?=$|{re.escape(OF_A_NIC)}$)", rest)
    if found and backend and found[0] != f" [{backend}]":
        return None
    return rest.replace(found[0], "", 1) if found else rest or None


def delete_when_unused(context: Context, delete: Callable[[], object], users: Callable[[], list[str]]) -> None:
    """Delete an object. While it is in use, retry for a minute, then raise an error that lists its users."""
    clock = context.cloud.connection.clock
    timeout = min(_PATIENCE, context.cloud.deadline.left())
    started, pause = clock.now(), 0.2
    while True:
        try:
            delete()
        except errors.NotFound:
            return
        except errors.Conflict as conflict:
            if clock.now() - started + pause > timeout:
                found = users()
                if not found:
                    raise
                raise errors.OperationFailed(
                    "still in use by " + errors.join_names(found), conflict.message
                ) from conflict
            context.report_status("waiting until it is no longer in use")
            clock.sleep(pause)
            pause = min(pause * 1.5, 5.0)
        else:
            return


def require_exists(remote: RemoteObject | None, kind: str, id_: str) -> RemoteObject:
    """Return the remote object. Raise `OperationFailed` if it does not exist."""
    if remote is None:
        raise errors.OperationFailed(f"{kind} {id_}", "it no longer exists; `pulumi refresh` removes it from the state")
    return remote


def split_id(id_: str, kind: str) -> tuple[str, str]:
    """Split the id of an attachment."""
    server_id, slash, other = id_.partition("/")
    if not slash or not server_id or not other:
        raise errors.ConfigurationError(f'the id of a {kind} is "<server>/<other>", got "{id_}"')
    return server_id, other


def left_to_server(context: Context, server_id: str) -> bool:
    """Whether a refused detach can be skipped, because the delete of the server will release the object.

    This holds for a server in `ERROR`, and for one that is being deleted or that the same run deletes.
    """
    try:
        server = compute.get_server(context.cloud.compute, server_id)
    except errors.NotFound:
        return True
    status = server["status"]
    is_ending = status in ("ERROR", "DELETED", "SOFT_DELETED") or server.get("OS-EXT-STS:task_state") == "deleting"
    if is_ending or run.also_deletes(rpc_bridge.current_request().urn, "Server", server_id):
        context.notify(
            f"the server {server_id} is in status {status} and detaches nothing; its deletion releases what it uses"
        )
        return True
    return False
