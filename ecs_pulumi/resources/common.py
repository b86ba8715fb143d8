"""What the kinds share: the connection, the deadline, the words for errors, deleting what is in use."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic import fields, host, run
from ecs_pulumi.dynamic.kind import Kind, Operation
from ecs_pulumi.dynamic.state import FINGERPRINT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ecs_pulumi.cloud.api import Api
    from ecs_pulumi.cloud.connection import Connection, Region
    from ecs_pulumi.cloud.waiting import Deadline

Live: TypeAlias = dict[str, Any]
"""An object as the API answers it."""

I = TypeVar("I", bound=fields.Inputs)  # noqa: E741


@dataclass(frozen=True)
class Cloud:
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
    def compute(self) -> Api:
        """Nova."""
        return self.region.compute

    @property
    def network(self) -> Api:
        """Neutron."""
        return self.region.network

    @property
    def block_storage(self) -> Api:
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

Op: TypeAlias = Operation[Cloud]

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
                host.warn_once(warning)
        return _connections[settings]


def _debug(line: str) -> None:
    host.report(host.current().urn, line, severity="debug")


class EcsKind(Kind[Cloud, I, Live]):
    """Base of the kinds: everything they do is against one OpenStack-compatible cloud."""

    def connect(self, config: Callable[[str], str | None], region: str | None, timeout: float) -> Cloud:
        """Open what operations in `region` need; nothing goes over the wire yet."""
        from ecs_pulumi.cloud.waiting import Deadline

        opened = connection(config)
        opened.transport.end_by(opened.clock.now() + timeout)
        return Cloud(opened, region, Deadline(opened.clock, timeout), marker=opened.settings.marker)

    def preflight_enabled(self, config: Callable[[str], str | None]) -> bool:
        """What `ecs:preflight` says."""
        from ecs_pulumi.cloud.settings import Settings

        return Settings.from_config(config).preflight

    def setting_warnings(self, names: Iterable[str]) -> Iterable[str]:
        """Those in the namespace `ecs` that are misspelled."""
        from ecs_pulumi.cloud.settings import misspelled

        return misspelled(names)

    def scope(self, op: Op) -> str:
        """Ids are unique in a region."""
        return op.cloud.region.name

    def explain(self, error: Exception) -> str | None:
        """The one line that a user is shown for this error; None for a defect of this package."""
        return str(error) if isinstance(error, errors.EcsError) else None

    def stored_settings_hint(self, error: Exception) -> str | None:
        """A log-in may be refused only because its secret is an old one."""
        secrets = ("password", "token", "application_credential_secret")
        is_stored = any(getattr(settings, name) for settings in _connections for name in secrets)
        return _STORED if isinstance(error, errors.Unauthorized) and is_stored else None

    def unverified(self, error: Exception) -> str | None:
        """A preview without credentials, for a pull request from a fork say, checks what it can."""
        if not isinstance(error, errors.NoCloud):
            return None
        return f"Nothing was checked against the cloud: {error}"

    def claims(self, op: Op, live: Live) -> dict[str, Any]:
        """The stack's own mark in place of another's: what was moved here is found here if it gets lost."""
        mine = None if op.inputs.get("description") else own_mark(op, live.get("description"))
        claimed: dict[str, Any] = {"description": mine} if mine else {}
        metadata = live.get("metadata") or {}
        if own_mark(op, metadata.get(MARKER_KEY)):
            # The update sends all of the metadata: what it has, and the marker beside it (`kept_marker`).
            claimed["metadata"] = self.observe(op, live)["metadata"]
        return claimed

    def preflight(self, op: Op, given: fields.Given) -> Iterable[fields.Problem]:
        """A region that is not there, and what this cloud's API version cannot do, is said before anything is made."""
        if given.known("region") and given.changed("region"):
            op.cloud.connection.region(given.known("region"))
        for name, field in fields.facts(self.inputs).items():
            if field.since is None or not given.has(name) or not given.changed(name):
                continue
            api: Api = getattr(op.cloud, field.since.service.replace("-", "_"))
            if not api.supports(field.since.microversion):
                needs = f"{field.since.service} microversion {field.since.microversion}"
                yield fields.Problem(name, f"needs {needs}; this cloud offers {api.service} {api.versions}")


def sent(wanted: fields.Inputs, *names: str, **renamed: str) -> dict[str, Any]:
    """The body of a create request: these inputs where the program sets them.

    Args:
        wanted: The inputs.
        names: Inputs that the API calls the same.
        renamed: Inputs that the API calls otherwise, as `input="api:name"`.
    """
    body = {name: fields.plain(getattr(wanted, name)) for name in names}
    body |= {api: fields.plain(getattr(wanted, name)) for name, api in renamed.items()}
    return {name: value for name, value in body.items() if value is not None}


def differing(kind: Kind[Cloud, Any, Live], op: Op, wanted: fields.Inputs, live: Live) -> dict[str, Any]:
    """The managed inputs that the live object does not fulfil, with their wanted values."""
    asked, observed = fields.plain(wanted), kind.observe(op, live)
    return kind.claims(op, live) | {
        name: value
        for name, value in asked.items()
        if name in observed and not kind.same(name, value, observed) and not _local(kind, name)
    }


def _local(kind: Kind[Any, Any, Any], name: str) -> bool:
    return fields.facts(kind.inputs)[name].has(fields.Local)


def mark(op: Op) -> str:
    """The description of an object that has none: whose it is, so that one that got lost can be found."""
    if not (op.cloud.marker and op.resource):
        return ""
    backend = f" [{op.backend}]" if op.backend else ""
    return f"{_MARK}{op.project}/{op.stack}/{op.resource}{backend}"[:LONGEST_DESCRIPTION]


def metadata_with_marker(op: Op, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """The metadata of a create request: the program's, and the owner marker."""
    marker = {MARKER_KEY: mark(op)} if mark(op) else {}
    return {**(metadata or {}), **marker}


def kept_marker(op: Op, live: Live) -> dict[str, str]:
    """What an update of the metadata has to send as well: the owner marker, this stack's in place of another's."""
    marker = (live.get("metadata") or {}).get(MARKER_KEY)
    return {MARKER_KEY: own_mark(op, marker) or marker} if marker else {}


def markers_of(live: Mapping[str, Any]) -> list[str]:
    """The owner markers that an object carries, in its description and in its metadata."""
    texts = (live.get("description"), (live.get("metadata") or {}).get(MARKER_KEY))
    return [text for text in texts if text and is_mark(text)]


def own_mark(op: Op, text: str | None) -> str | None:
    """This stack's mark for an object that carries another stack's, or that of a NIC's port; None for all others."""
    mine, theirs = mark(op), text or ""
    # What this stack has lost and takes over under another name is its own as it is: an `up` leaves it alone.
    is_ours = theirs == mine or (marked_by(theirs, op.project, op.stack) and not theirs.endswith(OF_A_NIC))
    return mine if mine and not is_ours and _BARE_MARK.fullmatch(theirs) else None


def is_mark(text: str) -> bool:
    """Whether a description is the mark of some stack, and no person's words."""
    return text.startswith(_MARK)


def marked_by(text: str, project: str, stack: str, backend: str = "") -> str | None:
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


def unless_in_use(op: Op, delete: Callable[[], object], users: Callable[[], list[str]]) -> None:
    """Delete; while the API says that it is in use, try again for a minute, then name who uses it."""
    clock = op.cloud.connection.clock
    patience = min(_PATIENCE, op.cloud.deadline.left())
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
                raise errors.Failed("still in use by " + errors.listing(listed), conflict.message) from conflict
            op.say("waiting for what still uses it to go")
            clock.sleep(pause)
            pause = min(pause * 1.5, 5.0)
        else:
            return


def found_or_failed(live: Live | None, kind: str, id_: str) -> Live:
    """The live object, or the error that it is gone."""
    if live is None:
        raise errors.Failed(f"{kind} {id_}", "it does not exist any more; `pulumi refresh` takes it out of the state")
    return live


def split_id(id_: str, kind: str) -> tuple[str, str]:
    """The two halves of an attachment's id."""
    server_id, slash, other = id_.partition("/")
    if not slash or not server_id or not other:
        raise errors.ConfigurationError(f'the id of a {kind} is "<server>/<other>", got "{id_}"')
    return server_id, other


def left_to_server(op: Op, server_id: str) -> bool:
    """Whether a detach that the server refuses is left undone, as the server's own delete frees what it holds."""
    try:
        server = compute.get_server(op.cloud.compute, server_id)
    except errors.NotFound:
        return True
    status = server["status"]
    is_ending = status in ("ERROR", "DELETED", "SOFT_DELETED") or server.get("OS-EXT-STS:task_state") == "deleting"
    if is_ending or run.also_deletes(host.current().urn, "Server", server_id):
        op.tell(f"the server {server_id} is in {status} and detaches nothing; its own delete frees what it holds")
        return True
    return False
