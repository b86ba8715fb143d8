"""What the kinds share: the connection, the deadline, the words for errors, deleting what is in use."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic import fields, rpc_bridge, run
from ecs_pulumi.dynamic.kind import OperationContext, ResourceHandler
from ecs_pulumi.dynamic.state import FINGERPRINT_LENGTH
from ecs_pulumi.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Connection, Region
    from ecs_pulumi.cloud.polling import Deadline

RemoteObject: TypeAlias = dict[str, Any]
"""An object as the API answers it."""

I = TypeVar("I", bound=fields.Inputs)  # noqa: E741


@dataclass(frozen=True)
class Clients:
    """What one operation works with. Opening it sends nothing."""

    connection: Connection
    region_name: str | None
    deadline: Deadline
    marker: bool = True
    """Whether objects carry an owner marker (`ecs:marker`)."""

    @property
    def region(self) -> Region:
        """The region of the resource; looked up in the catalog at its first use."""
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
_MARK = "Managed by Pulumi: "
MARKER_KEY = "managed-by-pulumi"
"""The metadata key of the owner marker; only servers and volumes have metadata."""
OF_A_NIC = " (port of the NIC)"
"""Ends the mark of a port that was made for the NIC of an `InterfaceAttachment`, and goes with it."""
_BACKEND = rf" \[[0-9a-f]{{{FINGERPRINT_LENGTH}}}\]"
"""Follows in a mark: the backend that keeps the state, so that stacks of one name in two of them are told apart."""
_BARE_MARK = re.compile(rf"{_MARK}[^/\s]+/[^/\s]+/\S+({_BACKEND})?({re.escape(OF_A_NIC)})?")
_PATIENCE = 60.0

_STORED = "A run without --run-program uses the settings stored at the last `up`, not the present ones."

Context: TypeAlias = OperationContext[Clients]

_connections: dict[Any, Connection] = {}
_connecting = threading.Lock()


def connection(config: Callable[[str], str | None]) -> Connection:
    """The connection for these settings; one per process, whichever kind or thread asks first."""
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
    """Base of the kinds: everything they do is against one OpenStack-compatible cloud."""

    def connect(self, config: Callable[[str], str | None], region: str | None, timeout: float) -> Clients:
        """Open what operations in `region` need; nothing goes over the wire yet."""
        from ecs_pulumi.cloud.polling import Deadline

        opened = connection(config)
        opened.transport.set_deadline(opened.clock.now() + timeout)
        return Clients(opened, region, Deadline(opened.clock, timeout), marker=opened.settings.marker)

    def preflight_enabled(self, config: Callable[[str], str | None]) -> bool:
        """What `ecs:preflight` says."""
        from ecs_pulumi.cloud.settings import Settings

        return Settings.from_config(config).preflight

    def setting_warnings(self, names: Iterable[str]) -> Iterable[str]:
        """Those in the namespace `ecs` that are misspelled."""
        from ecs_pulumi.cloud.settings import misspelled

        return misspelled(names)

    def scope(self, context: Context) -> str:
        """Ids are unique in a region."""
        return context.cloud.region.name

    def format_error(self, error: Exception) -> str | None:
        """The one line that a user is shown for this error; None for a defect of this package."""
        return str(error) if isinstance(error, errors.EcsError) else None

    def stored_settings_hint(self, error: Exception) -> str | None:
        """A log-in may be refused only because its secret is an old one."""
        secrets = ("password", "token", "application_credential_secret")
        is_stored = any(getattr(settings, name) for settings in _connections for name in secrets)
        return _STORED if isinstance(error, errors.Unauthorized) and is_stored else None

    def preview_warning(self, error: Exception) -> str | None:
        """A preview without credentials, for a pull request from a fork say, checks what it can."""
        if not isinstance(error, errors.MissingCredentials):
            return None
        return Notice.NOT_CHECKED.mark(f"Nothing was checked against the cloud: {error}")

    def ownership_updates(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """The stack's own mark in place of another's: what was moved here is found here if it gets lost."""
        mine = None if context.inputs.get("description") else marker_to_write(context, remote.get("description"))
        claimed: dict[str, Any] = {"description": mine} if mine else {}
        metadata = remote.get("metadata") or {}
        if marker_to_write(context, metadata.get(MARKER_KEY)):
            # The update sends all of the metadata: what it has, and the marker beside it (`kept_marker`).
            claimed["metadata"] = self.to_outputs(context, remote)["metadata"]
        return claimed

    def preflight(self, context: Context, checked: fields.CheckInputs) -> Iterable[fields.Problem]:
        """A region that is not there, and what this cloud's API version cannot do, is said before anything is made."""
        if checked.known("region") and checked.changed("region"):
            context.cloud.connection.region(checked.known("region"))
        for name, field in fields.fields_of(self.inputs).items():
            if field.since is None or not checked.has(name) or not checked.changed(name):
                continue
            api: ServiceClient = getattr(context.cloud, field.since.service.replace("-", "_"))
            if not api.supports(field.since.microversion):
                needs = f"{field.since.service} microversion {field.since.microversion}"
                yield fields.Problem(name, f"needs {needs}; this cloud offers {api.service} {api.versions}")


def create_body(desired: fields.Inputs, *names: str, **renamed: str) -> dict[str, Any]:
    """The body of a create request: these inputs where the program sets them.

    Args:
        desired: The inputs.
        names: Inputs that the API calls the same.
        renamed: Inputs that the API calls otherwise, as `input="api:name"`.
    """
    body = {name: fields.to_plain(getattr(desired, name)) for name in names}
    body |= {api: fields.to_plain(getattr(desired, name)) for name, api in renamed.items()}
    return {name: value for name, value in body.items() if value is not None}


def diff_remote(
    kind: ResourceHandler[Clients, Any, RemoteObject], context: Context, desired: fields.Inputs, remote: RemoteObject
) -> dict[str, Any]:
    """The managed inputs that the live object does not fulfil, with their wanted values."""
    asked, observed = fields.to_plain(desired), kind.to_outputs(context, remote)
    return kind.ownership_updates(context, remote) | {
        name: value
        for name, value in asked.items()
        if name in observed and not kind.is_equal(name, value, observed) and not _local(kind, name)
    }


def _local(kind: ResourceHandler[Any, Any, Any], name: str) -> bool:
    return fields.fields_of(kind.inputs)[name].has(fields.ProviderOnly)


def owner_marker(context: Context) -> str:
    """The description of an object that has none: whose it is, so that one that got lost can be found."""
    if not (context.cloud.marker and context.resource):
        return ""
    backend = f" [{context.backend}]" if context.backend else ""
    return f"{_MARK}{context.project}/{context.stack}/{context.resource}{backend}"[:LONGEST_DESCRIPTION]


def metadata_with_marker(context: Context, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """The metadata of a create request: the program's, and the owner marker."""
    marker = {MARKER_KEY: owner_marker(context)} if owner_marker(context) else {}
    return {**(metadata or {}), **marker}


def kept_marker(context: Context, remote: RemoteObject) -> dict[str, str]:
    """What an update of the metadata has to send as well: the owner marker, this stack's in place of another's."""
    marker = (remote.get("metadata") or {}).get(MARKER_KEY)
    return {MARKER_KEY: marker_to_write(context, marker) or marker} if marker else {}


def markers_of(remote: Mapping[str, Any]) -> list[str]:
    """The owner markers that an object carries, in its description and in its metadata."""
    texts = (remote.get("description"), (remote.get("metadata") or {}).get(MARKER_KEY))
    return [text for text in texts if text and is_mark(text)]


def marker_to_write(context: Context, text: str | None) -> str | None:
    """This stack's mark for an object that carries another stack's, or that of a NIC's port; None for all others."""
    mine, theirs = owner_marker(context), text or ""
    # What this stack has lost and takes over under another name is its own as it is: an `up` leaves it alone.
    is_ours = theirs == mine or (
        parse_owner_marker(theirs, context.project, context.stack) and not theirs.endswith(OF_A_NIC)
    )
    return mine if mine and not is_ours and _BARE_MARK.fullmatch(theirs) else None


def is_mark(text: str) -> bool:
    """Whether a description is the mark of some stack, and no person's words."""
    return text.startswith(_MARK)


def parse_owner_marker(text: str, project: str, stack: str, backend: str = "") -> str | None:
    """The resource of this stack whose whole mark `text` is; None for everything else, a mark cut short included.

    Args:
        text: A description, or the value of the marker in the metadata.
        project: Name of the project.
        stack: Name of the stack.
        backend: The backend's fingerprint, where a stack of the same name in another backend is another one.
    """
    of_stack = f"{_MARK}{project}/{stack}/"
    if not text.startswith(of_stack) or len(text) >= LONGEST_DESCRIPTION:
        return None
    rest = text.removeprefix(of_stack)
    found = re.search(rf"{_BACKEND}(?=$|{re.escape(OF_A_NIC)}$)", rest)
    if found and backend and found[0] != f" [{backend}]":
        return None
    return rest.replace(found[0], "", 1) if found else rest or None


def delete_when_unused(context: Context, delete: Callable[[], object], users: Callable[[], list[str]]) -> None:
    """Delete; while the API says that it is in use, try again for a minute, then name who uses it."""
    clock = context.cloud.connection.clock
    patience = min(_PATIENCE, context.cloud.deadline.left())
    started, pause = clock.now(), 0.2
    while True:
        try:
            delete()
        except errors.NotFound:
            return
        except errors.Conflict as conflict:
            if clock.now() - started + pause > patience:
                listed = users()
                if not listed:
                    raise
                raise errors.OperationFailed(
                    "still in use by " + errors.join_names(listed), conflict.message
                ) from conflict
            context.report_status("waiting for what still uses it to go")
            clock.sleep(pause)
            pause = min(pause * 1.5, 5.0)
        else:
            return


def require_exists(remote: RemoteObject | None, kind: str, id_: str) -> RemoteObject:
    """The live object, or the error that it is gone."""
    if remote is None:
        raise errors.OperationFailed(
            f"{kind} {id_}", "it does not exist any more; `pulumi refresh` takes it out of the state"
        )
    return remote


def split_id(id_: str, kind: str) -> tuple[str, str]:
    """The two halves of an attachment's id."""
    server_id, slash, other = id_.partition("/")
    if not slash or not server_id or not other:
        raise errors.ConfigurationError(f'the id of a {kind} is "<server>/<other>", got "{id_}"')
    return server_id, other


def left_to_server(context: Context, server_id: str) -> bool:
    """Whether a detach that the server refuses is left undone, as the server's own delete frees what it holds."""
    try:
        server = compute.get_server(context.cloud.compute, server_id)
    except errors.NotFound:
        return True
    status = server["status"]
    is_ending = status in ("ERROR", "DELETED", "SOFT_DELETED") or server.get("OS-EXT-STS:task_state") == "deleting"
    if is_ending or run.also_deletes(rpc_bridge.current_request().urn, "Server", server_id):
        context.notify(
            f"the server {server_id} is in {status} and detaches nothing; its own delete frees what it holds"
        )
        return True
    return False
