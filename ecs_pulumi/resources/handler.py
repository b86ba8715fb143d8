"""The base class of the resource handlers: what the kinds of an OpenStack-compatible cloud share."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.errors import join_names
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.handler import ResourceHandler
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources import quota, steps
from ecs_pulumi.resources.clients import Clients, connection, has_stored_secret
from ecs_pulumi.resources.orphan_search import forget
from ecs_pulumi.resources.owner_markers import (
    MARKER_KEY,
    is_owner_marker,
    marker_to_write,
    markers_of,
    owner_in_name,
    parse_owner_marker,
)
from ecs_pulumi.resources.remote import RemoteObject, require_exists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Connection
    from ecs_pulumi.dynamic.handler import ImportedResource
    from ecs_pulumi.resources.clients import Context, Existing

_ABOUT_STATE = (errors.BadRequest, errors.Conflict)
"""The refusals that may be about the state of an object, as opposed to what a request contains."""
I = TypeVar("I", bound=fields.Inputs)  # noqa: E741

_STORED_SETTINGS = (
    "Without --run-program, Pulumi uses the settings stored by the last `pulumi up`, not the current ones."
)


_unreachable: weakref.WeakSet[Connection] = weakref.WeakSet()
"""The connections that did not answer which versions the cloud offers."""


class EcsHandler(ResourceHandler[Clients, I, RemoteObject]):
    """Base of the resource handlers, with the parts that are specific to OpenStack-compatible clouds."""

    default_settings: ClassVar[Mapping[str, str]] = {"tags": "ecs:defaultTags", "metadata": "ecs:defaultMetadata"}

    def connect(
        self, config: Callable[[str], str | None], region: str | None, timeout: float, cloud: str | None = None
    ) -> Clients:
        """Return the clients for operations in a region of a cloud. This sends no request."""
        from ecs_pulumi.cloud.polling import Deadline

        opened = connection(config, cloud)
        opened.transport.set_deadline(opened.clock.now() + timeout)
        return Clients(opened, region, Deadline(opened.clock, timeout), marker=opened.settings.marker)

    def preflight_disabled(self, config: Callable[[str], str | None]) -> str | None:
        """Return a warning if `ecs:preflight` is false."""
        from ecs_pulumi.cloud.settings import Settings

        if Settings.from_config(config).preflight:
            return None
        return Notice.NOT_CHECKED.with_code("Nothing was checked against the cloud: ecs:preflight is false")

    def default_inputs(self, config: Callable[[str], str | None]) -> Mapping[str, list[Any] | dict[str, Any]]:
        """Return `ecs:defaultTags` and `ecs:defaultMetadata`."""
        from ecs_pulumi.cloud import settings

        return settings.defaults(config)

    def unsupported_input(self, context: Context, name: str) -> str | None:
        """Return the microversion that an input needs if the cloud does not offer it."""
        since = fields.fields_of(self.inputs)[name].since
        try:
            if since and context.cloud.connection not in _unreachable:
                return self._missing_version(context, name, since)
        except errors.ConnectionFailed:
            # With `ecs:preflight` false, a preview goes on without the cloud: only the first resources wait for it.
            _unreachable.add(context.cloud.connection)
        except errors.EcsError:
            pass  # the other checks report it
        return None

    @staticmethod
    def _missing_version(context: Context, name: str, since: fields.RequiresMicroversion) -> str | None:
        """Return the microversion that an input needs if the cloud does not offer it."""
        api: ServiceClient = getattr(context.cloud, since.service.replace("-", "_"))
        try:
            api.require(name, since.microversion)
        except errors.Unsupported as error:
            return f"needs {error.needs}; this cloud offers {error.offered}"
        return None

    def setting_warnings(self, names: Iterable[str]) -> Iterable[str]:
        """Return warnings about misspelled settings in the namespace `ecs`."""
        from ecs_pulumi.cloud.settings import misspelled

        return misspelled(names)

    def owner_of(self, remote: RemoteObject, project: str, stack: str, backend: str) -> str | None:
        """The resource in the owner marker of a remote object, or in its automatic name if it has no marker.

        None for a marker of another stack or backend.
        """
        markers = markers_of(remote)
        if self.encodes_owner_in_name and not markers:
            return owner_in_name(remote.get("name") or "", project, stack, backend)
        return next(filter(None, (parse_owner_marker(each, project, stack, backend) for each in markers)), None)

    def result_evidence(self, inputs: Mapping[str, Any], remote: RemoteObject) -> str:
        """Compare the description that the program sets."""
        description = inputs.get("description")
        return "description" if description and description == remote.get("description") else ""

    def ineligible_reason(self, existing: Existing, remote: RemoteObject) -> str | None:  # noqa: ARG002
        """Return that the status of an object is an error."""
        status = str(remote.get("status") or "")
        return f"it is in status {status}" if status.lower().startswith("error") else None

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Omit a description that is an owner marker, which no program sets."""
        resource = super().import_resource(existing, remote, outputs)
        if is_owner_marker(str(resource.inputs.get("description"))):
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
        return _STORED_SETTINGS if isinstance(error, errors.Unauthorized) and has_stored_secret() else None

    def preview_warning(self, error: Exception) -> str | None:
        """Without credentials, for example for a pull request from a fork, a preview continues with a warning."""
        if not isinstance(error, errors.MissingCredentials):
            return None
        return Notice.NOT_CHECKED.with_code(f"Nothing was checked against the cloud: {error}")

    def why_hidden(self, context: Context, peers: Callable[[], Iterable[Mapping[str, Any]]]) -> str | None:
        """Return that the object belongs to another project than that of the credentials, which cannot see it.

        The outputs of key pairs and attachments do not contain the project. They are taken to be in the project of the
        other objects of the stack, if none of these is in the project of the credentials.
        """
        owners = [context.prior] if context.prior.get("project_id") else peers()
        projects = {str(each["project_id"]) for each in owners if each.get("project_id") and not _is_public(each)}
        current = context.cloud.region.project_id
        if not projects or current in projects:
            return None
        return (
            f"the credentials are for project {current}, and it belongs to project {join_names(sorted(projects))}; "
            "use the credentials of that project (if the object is gone, remove it with `pulumi state delete`)"
        )

    def settle(self, context: Context, refusal: Exception | None = None) -> bool:
        """Wait until no read can show what an earlier run wrote as it was before; False if none can already.

        Some refusals say that the object has another state than the one that was read.
        """
        left = context.cloud.writes.settles_in()
        if left <= 0 or not (refusal is None or isinstance(refusal, _ABOUT_STATE)):
            return False
        context.report_status(f"waiting for {left:.0f} s, in which the cloud may show an earlier state")
        context.cloud.connection.clock.sleep(left)
        forget(context.cloud.region)
        return True

    def is_gone(self, context: Context, id_: str, *objects: str) -> bool:
        """Whether an object does not exist; a read that shows it counts only if it cannot be stale.

        Args:
            context: The operation.
            id_: The object.
            objects: What was written to, such as both ends of a relation.
        """
        return context.cloud.writes.read_until(lambda: self.read(context, id_), operator.not_, *objects) is None

    def read_current(
        self,
        context: Context,
        id_: str,
        desired: I,
        prior: Mapping[str, Any],
        read: Callable[[], RemoteObject | None] | None = None,
    ) -> RemoteObject:
        """Return the object from which an update starts.

        An object that already has a value that the program has changed may be shown as it was before an earlier run
        changed it. It is read again until no read can be stale: otherwise the update would not send that value.

        Args:
            context: The operation.
            id_: The object.
            desired: The desired inputs.
            prior: The prior outputs.
            read: Reads it, if not `read`.

        Raises:
            OperationFailed: It does not exist.
        """
        values = fields.to_plain(desired)
        changed = {name for name in values.keys() & prior.keys() if not self.is_equal(name, values[name], prior)}

        def is_expected(remote: RemoteObject | None) -> bool:
            if remote is None:
                return False
            outputs = self.to_outputs(context, remote)
            return not any(self.is_equal(name, values[name], outputs) for name in changed & outputs.keys())

        remote = context.cloud.writes.read_until(read or partial(self.read, context, id_), is_expected, id_)
        return require_exists(remote, self.name, id_)

    def read_until(self, context: Context, id_: str, shows: Callable[[RemoteObject], bool]) -> RemoteObject:
        """Return the current object, once it shows the effect of this process's last requests or cannot be stale.

        Raises:
            OperationFailed: It does not exist.
        """

        def read() -> RemoteObject:
            return require_exists(self.read(context, id_), self.name, id_)

        return context.cloud.writes.read_until(read, shows, id_)

    def missed_object(self, context: Context) -> bool:
        """Whether a request, except for polls, got a 404."""
        return context.cloud.connection.transport.missed_object

    def ownership_updates(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the updates that replace another stack's owner marker by that of this stack."""
        marker = None if context.inputs.get("description") else marker_to_write(context, remote.get("description"))
        updates: dict[str, Any] = {"description": marker} if marker else {}
        metadata = remote.get("metadata") or {}
        if marker_to_write(context, metadata.get(MARKER_KEY)):
            # The update replaces the metadata as a whole: the present entries, and the marker that `kept_marker` adds.
            updates["metadata"] = self.to_outputs(context, remote)["metadata"]
        return updates

    def validate(self, checked: fields.CheckInputs) -> Iterable[fields.Problem]:
        """Reject the metadata key of the owner marker."""
        metadata = checked.values.get("metadata")
        if isinstance(metadata, Mapping) and MARKER_KEY in metadata:
            reason = f"`{MARKER_KEY}` is the key in which ecs_pulumi notes the owner of a {self.name.lower()}"
            yield fields.Problem("metadata", reason)

    def preflight(self, context: Context, checked: fields.CheckInputs) -> Iterable[fields.Problem]:
        """Check that the region exists, that the API versions support the inputs, and that the quotas allow them."""
        if checked.known("region") and checked.changed("region"):
            context.cloud.connection.region(checked.known("region"))
        for name, field in fields.fields_of(self.inputs).items():
            if field.since is None or not checked.has(name) or not checked.changed(name):
                continue
            if reason := self._missing_version(context, name, field.since):
                yield fields.Problem(name, reason)
        yield from quota.check(context, checked, self.quota_needs(context, checked))

    def report_plan(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> None:
        """Show the steps of the update if one of them affects the workload or its data."""
        steps.report(context, self.planned_steps(context, new, changed), changed)

    def planned_steps(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> Iterable[steps.Step[Any]]:  # noqa: ARG002
        """Return the steps of an update in place, as far as the prior outputs show. A kind without a plan has none."""
        return ()

    def quota_needs(self, context: Context, checked: fields.CheckInputs) -> Iterable[quota.QuotaNeed]:  # noqa: ARG002
        """Return what a new object, or an update of one, adds to the use of the project's quotas."""
        return ()


def project_of(context: Context, shown: str | None) -> str:
    """Return the project of an object: the one that its API shows, or the known one, or that of the credentials."""
    return str(shown or context.known.get("project_id") or context.cloud.region.project_id)


def _is_public(outputs: Mapping[str, Any]) -> bool:
    """Whether every project can see a network: that of another project hides nothing."""
    return bool(outputs.get("shared") or outputs.get("external"))
