"""The base of the handlers of networks, subnets and ports, which differ in their fields only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, cast

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.fields import AlwaysSet, Computed, InPlace, Replace, Set, WriteOnly
from ecs_pulumi.dynamic.handler import Provenance, get_handler, is_auto_name, owner_from_name
from ecs_pulumi.resources import missing_attributes
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.deletion import User, delete_when_unused
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import create_or_find, created_in_this_run
from ecs_pulumi.resources.nic import is_for_a_nic
from ecs_pulumi.resources.orphan_search import marked_objects
from ecs_pulumi.resources.owner_markers import owner_marker
from ecs_pulumi.resources.quota import QuotaNeed, is_short
from ecs_pulumi.resources.request_body import diff_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ecs_pulumi.resources.clients import Context, Existing
    from ecs_pulumi.resources.interface_attachment import InterfaceAttachmentHandler
    from ecs_pulumi.resources.remote import RemoteObject


class UnnamedInputs(fields.Inputs):
    """The inputs that all kinds of Neutron objects have."""

    description: Annotated[str | None, InPlace(), AlwaysSet()] = Field(None, max_length=255, description="Description.")
    tags: Annotated[list[Annotated[str, Field(max_length=255)]] | None, InPlace(), Set(), AlwaysSet()] = Field(
        None, description="Tags, a set."
    )
    project_id: Annotated[str | None, Replace(), Computed(), AlwaysSet()] = Field(
        None, description="Project that owns it. Only an administrator can set another project."
    )
    value_specs: Annotated[dict[str, Any] | None, Replace(), WriteOnly()] = Field(
        None, description="Additional attributes of the create request, by their API names."
    )


class NeutronInputs(UnnamedInputs):
    """The inputs that all kinds of Neutron objects with a name have."""

    name: Annotated[str | None, InPlace(), AlwaysSet()] = Field(None, max_length=255, description="Name.")


_MAX_SHOWN = 60
I = TypeVar("I", bound=UnnamedInputs)  # noqa: E741  (the inputs model)


class NeutronHandler(EcsHandler[I]):
    """Create, read, update and delete one kind of Neutron object, driven by its fields and their options."""

    encodes_owner_in_name = True  # a description set by the program replaces the owner marker
    singular: ClassVar[str]
    """The API's name of one object, for example `network`: a key of `cloud.network.COLLECTIONS`."""
    attribute_map: ClassVar[Mapping[str, str]] = {}
    """The API's names of the fields that are named differently here."""
    quota_property: ClassVar[str] = "network_id"
    """The input to which an exceeded quota is reported."""

    def find_own_orphans(self, context: Context, desired: I) -> list[tuple[str, str | None]]:
        """Find the orphans of this resource.

        An orphan has the owner marker of the resource. If the program sets the description, or the cloud keeps none, an
        orphan has an automatic name that encodes the resource. If the program sets the name as well, the state has to
        confirm the orphan.

        Raises:
            OperationFailed: An interrupted run may have created an object, and nothing but its name shows it.
        """
        marker = owner_marker(context)
        if not marker:
            return []
        is_own = partial(self._is_own_without_description, context, desired)
        found = with_marker(context, self.singular, marker, is_own)
        if desired.description and not missing_attributes.has_learned_missing(
            context.cloud.region, self.singular, "description"
        ):
            found += self._with_own_description(context, desired)
        return list(dict.fromkeys((each["id"], each.get("name")) for each in found))

    def _is_own_without_description(self, context: Context, desired: I, remote: RemoteObject) -> bool:
        """Whether an object that cannot have an owner marker was created for this resource."""
        name, remote_name = getattr(desired, "name", None) or "", remote.get("name") or ""
        if is_auto_name(name, context.resource):
            return owner_from_name(remote_name, context.signer) == context.resource
        # Others may have chosen the same name.
        is_same = name == remote_name and not created_in_this_run(remote["id"])
        if is_same and context.provenance(remote["id"], name) is Provenance.INTERRUPTED:
            raise errors.OperationFailed(
                f"a {self.name} named {name} exists already",
                f'an interrupted run may have created it, which this cloud does not tell: set adopt="{remote["id"]}" '
                "if it did, otherwise choose another name, or run `pulumi refresh --clear-pending-creates`",
            )
        return False

    def _with_own_description(self, context: Context, desired: I) -> list[RemoteObject]:
        name = getattr(desired, "name", None) or ""
        if is_auto_name(name, context.resource):
            is_own = partial(self._is_own_without_description, context, desired)
            return with_marker(context, self.singular, "", is_own)
        listed = network.list_all(context.cloud.network, self.singular, name=name)
        return [
            each
            for each in listed
            if each.get("description") == desired.description
            and context.provenance(each["id"], each["name"]) is Provenance.INTERRUPTED
        ]

    def result_evidence(self, inputs: Mapping[str, Any], remote: RemoteObject) -> str:
        """Compare the description, or the network in a cloud without descriptions."""
        if "description" in remote or not remote.get("network_id"):
            return super().result_evidence(inputs, remote)
        return "network" if inputs.get("network_id") == remote["network_id"] else ""

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the objects of the project, without those of other projects that are shared with it."""
        region = context.cloud.region
        listed = network.list_all(region.network, self.singular, tenant_id=region.project_id)
        return [each for each in listed if each.get("project_id", each.get("tenant_id")) == region.project_id]

    def list_visible(self, context: Context) -> Iterable[RemoteObject]:
        """Return the objects of the project, and those of other projects that are shared with it."""
        return network.list_all(context.cloud.network, self.singular)

    def label(self, existing: Existing, remote: RemoteObject) -> str:
        """The name, or that of the network of an object without a name."""
        name = existing.of("Network").get(remote.get("network_id", ""), {}).get("name")
        return remote.get("name") or (f"{name}-{self.singular}" if name else self.singular)

    def ineligible_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return that another project owns the object, or that several projects use it."""
        return super().ineligible_reason(existing, remote) or self.unmanaged_reason(existing, remote)

    def unmanaged_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return why a program must not manage an object, whatever its status; None if it can."""
        owner = remote.get("project_id", remote.get("tenant_id"))
        return None if owner == existing.cloud.region.project_id else "another project owns it"

    def preflight(self, context: Context, checked: fields.CheckInputs) -> Iterable[fields.Problem]:
        """Report the inputs that the objects of this cloud do not have, and warn of labels that it does not keep."""
        yield from super().preflight(context, checked)
        region, kind = context.cloud.region, self.singular
        for label in missing_attributes.LABELS:
            is_new = checked.changed(label) or checked.has("adopt")
            if checked.values.get(label) and is_new and missing_attributes.look_up_missing(region, kind, label):
                missing_attributes.warn_if_missing(context, kind, label)
        for name, field in fields.fields_of(self.inputs).items():
            value = checked.known(name)
            if value is None or not checked.changed(name) or not self._is_sent(name) or field.has(fields.WriteOnly):
                continue
            for attribute in self._body({name: value}, {}):
                if attribute not in missing_attributes.LABELS and missing_attributes.look_up_missing(
                    region, kind, attribute
                ):
                    what = missing_attributes.words_for(kind)
                    reason = f"this cloud has no such attribute of {what}; remove it from the program"
                    yield fields.Problem(name, reason)

    def quota_needs(self, context: Context, checked: fields.CheckInputs) -> Iterable[QuotaNeed]:  # noqa: ARG002
        """Return one object of this kind for a create."""
        if not checked.prior:
            yield QuotaNeed(self.quota_property, "network", {network.COLLECTIONS[self.singular].list_key: 1})

    def create(self, context: Context, desired: I) -> RemoteObject:
        """Create the object with one request, and set its tags with another."""
        body = self._body({name: value for name, value in fields.to_plain(desired).items() if self._is_sent(name)}, {})
        value_specs = fields.to_plain(desired.value_specs) or {}
        body.update(value_specs)
        body.setdefault("description", owner_marker(context))
        if not body["description"]:
            del body["description"]
        api = context.cloud.network
        remote = create_or_find(
            context,
            api,
            send=lambda: self._send(context, body, partial(self._send_create, context), value_specs),
            candidates=lambda: self._same_objects(context, body),
            is_own=partial(self._is_own, context, body),
        )
        context.record_id(remote["id"])
        catalog(context.cloud.region).expect_sample(self.singular)
        self._check_response(context, fields.to_plain(desired), remote)
        remote = self._tag(context, remote, desired.tags)
        self._warn_of_labels(context, desired, {})
        return remote

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the object from the list that all refreshes of this kind share."""
        return context.cloud.region.network_objects(self.singular).read(id_)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current object, None if it does not exist."""
        try:
            return network.get(context.cloud.network, self.singular, id_)
        except errors.NotFound:
            return None

    def update(self, context: Context, id_: str, desired: I, prior: Mapping[str, Any]) -> RemoteObject:
        """Send the changed attributes in one request, and changed tags in another."""
        remote = self.read_current(context, id_, desired, prior)
        changes = self._changes(context, desired, remote)
        body = self._body({name: value for name, value in changes.items() if self._is_sent(name)}, remote)
        if body:
            # A cloud may keep none of the attributes.
            remote = self._send(
                context, body, lambda kept: self._send_update(context, remote, kept) if kept else remote
            )
        self._check_response(context, fields.to_plain(desired), remote)
        remote = self._tag(context, remote, desired.tags)
        self._warn_of_labels(context, desired, prior)
        return remote

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete the object. While ports still use it, retry until the timeout, then raise an error that lists them."""
        delete_when_unused(
            context,
            lambda: network.delete(context.cloud.network, self.singular, id_),
            lambda: self._dependents(context, id_),
        )

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return every input and output that the API returns, by the names of the fields."""
        if context.verb != "create":
            missing_attributes.learn_from(context.cloud.region, self.singular, remote)
        is_missing = partial(missing_attributes.has_learned_missing, context.cloud.region, self.singular)
        outputs: dict[str, Any] = {"region": context.cloud.region.name}
        for model in (self.inputs, self.outputs):
            for name in fields.fields_of(model):
                attribute = self._attribute(name)
                if attribute in remote and not (name in missing_attributes.LABELS and is_missing(name)):
                    outputs[name] = remote[attribute]
        outputs["project_id"] = remote.get("project_id", remote.get("tenant_id"))
        return outputs

    def _send(
        self,
        context: Context,
        body: RemoteObject,
        request: Callable[[RemoteObject], RemoteObject],
        value_specs: Iterable[str] = (),
    ) -> RemoteObject:
        properties = {self._attribute(name): name for name in fields.fields_of(self.inputs)}
        properties |= {name: f"value_specs.{name}" for name in value_specs}
        return missing_attributes.send(context, self.singular, body, request, properties)

    def _warn_of_labels(self, context: Context, desired: I, prior: Mapping[str, Any]) -> None:
        """Warn of the new labels that this cloud does not keep."""
        for label in missing_attributes.LABELS:
            value = getattr(desired, label)
            if value and value != prior.get(label):
                missing_attributes.warn_if_missing(context, self.singular, label)

    def _check_response(self, context: Context, desired: Mapping[str, Any], remote: RemoteObject) -> None:
        """Compare the object with the desired inputs after a request that the cloud has accepted.

        Raises:
            OperationFailed: It ignored some of them. The object may work differently than the program says, and each
                preview would show a change that no update makes, or none at all.
        """
        region = context.cloud.region
        if not region.differences.may_drop_attributes:
            return
        outputs = self.to_outputs(context, remote)
        ignored: dict[str, str] = {}
        for name, value in desired.items():
            attribute, field = self._attribute(name), fields.fields_of(self.inputs)[name]
            if name in missing_attributes.LABELS or not self._is_sent(name):
                continue
            if field.has(fields.WriteOnly) or field.has(fields.Advisory):
                continue
            if attribute not in remote and ":" not in attribute and name not in outputs:
                missing_attributes.note(region, self.singular, attribute)
                ignored[name] = f"{name} (it has no such attribute of {missing_attributes.words_for(self.singular)})"
            elif name in outputs and not self.is_equal(name, value, outputs):
                ignored[name] = f"{name}{_it_is(outputs[name])}"
        if ignored:
            is_update = context.verb == "update"
            advice = [self._replacement_advice(name) for name in ignored] if is_update else []
            raise errors.OperationFailed(
                f"this cloud ignored {errors.join_names(list(ignored.values()))}",
                next(filter(None, advice), None) or "remove it from the program, or set what it is",
            )

    def _replacement_advice(self, name: str) -> str | None:  # noqa: ARG002
        """Return what to do about an input that an update did not change; None if a new object would not have it."""
        return None

    def _send_create(self, context: Context, body: RemoteObject) -> RemoteObject:
        return network.create(context.cloud.network, self.singular, body)

    def _same_objects(self, context: Context, body: RemoteObject) -> list[RemoteObject]:
        """List the objects one of which a create request without a response may have created."""
        listed = network.list_all(context.cloud.network, self.singular, name=body["name"])
        return [each for each in listed if each.get("network_id") == body.get("network_id")]

    def _is_own(self, context: Context, body: RemoteObject, remote: RemoteObject) -> bool | None:
        """Whether one of `_same_objects` is that of the request; None if another client may have created it."""
        desired, present = body.get("description"), remote.get("description")
        if present:
            return bool(present == desired)
        if desired and not missing_attributes.keeps_no_description(context.cloud.region, self.singular, remote):
            return False
        # Others may choose the same name, unless it encodes the resource.
        return owner_from_name(remote.get("name") or "", context.signer) == context.resource or None

    def _send_update(self, context: Context, remote: RemoteObject, body: RemoteObject) -> RemoteObject:
        return network.update(context.cloud.network, self.singular, remote["id"], body)

    def _changes(self, context: Context, desired: I, remote: RemoteObject) -> dict[str, Any]:
        """Return the inputs that an update sends, with their desired values."""
        return diff_remote(self, context, desired, remote)

    def _dependents(self, context: Context, id_: str) -> Sequence[str | User]:  # noqa: ARG002
        return []

    def _attribute(self, name: str) -> str:
        return self.attribute_map.get(name, name)

    def _is_sent(self, name: str) -> bool:
        field = fields.fields_of(self.inputs)[name]
        return not field.has(fields.ProviderOnly) and name not in (*fields.Inputs.model_fields, "tags", "value_specs")

    def _body(self, values: Mapping[str, Any], remote: RemoteObject) -> RemoteObject:  # noqa: ARG002
        """Return the request attributes of these inputs; `remote` is empty in a create."""
        return {
            self._attribute(name): None if value == "" and name == "qos_policy_id" else value
            for name, value in values.items()
        }

    def _tag(self, context: Context, remote: RemoteObject, desired: list[str] | None) -> RemoteObject:
        if desired is None or set(desired) == set(remote.get("tags", ())):
            return remote
        region = context.cloud.region
        if not missing_attributes.has_learned_missing(region, self.singular, "tags"):
            try:
                network.replace_tags(region.network, self.singular, remote["id"], sorted(set(desired)))
            except (errors.NotFound, errors.NotOffered) as error:
                # The 404 must be about the path, and not about an object that was deleted meanwhile.
                if "tags" in remote or remote["id"] in error.message:
                    raise
                missing_attributes.note(region, self.singular, "tags")
            else:
                return {**remote, "tags": sorted(set(desired))}
        return remote


def _it_is(value: Any) -> str:
    """Return the value that an object has, in parentheses; nothing for one that is too long for a message."""
    text = str(value)
    return f" (it is {fields.format_value(text)})" if len(text) <= _MAX_SHOWN else ""


def with_marker(
    context: Context, singular: str, marker: str, is_own: Callable[[RemoteObject], bool] | None = None
) -> list[RemoteObject]:
    """List the objects with this owner marker, except those created by this run.

    Args:
        context: The operation.
        singular: The API's name of one object.
        marker: The owner marker in the description; empty to ignore the description.
        is_own: Selects among the objects of which the cloud keeps no description, or whose description is ignored.
    """
    if not marker and is_own is None:
        return []
    region = context.cloud.region
    api, project_id = region.network, region.project_id

    def listed(**query: str) -> list[RemoteObject]:
        found = network.list_all(api, singular, **query)
        for remote in found[:1]:
            missing_attributes.learn_from(region, singular, remote)
        return found

    def list_all() -> list[RemoteObject]:
        return listed(tenant_id=project_id)

    def list_marked() -> list[RemoteObject]:
        try:
            return listed(description=marker)
        except errors.BadRequest:
            return list_all()

    def has_marker(remote: RemoteObject) -> bool:
        if marker and not missing_attributes.keeps_no_description(region, singular, remote):
            return bool(remote["description"] == marker)
        return is_own is not None and is_own(remote)

    # A cloud without descriptions may refuse or ignore the filter, and finds nothing with it.
    is_filtered = marker and region.differences.filters_by_description(singular)
    return marked_objects(region, singular).of(
        narrow=list_marked if is_filtered else list_all,
        list_all=list_all,
        is_own=has_marker,
        has_deleted=context.cloud.writes.has_deleted,
        is_short=is_short(region, "network", network.COLLECTIONS[singular].list_key),
    )


def dependent_ports(context: Context, **filters: str) -> list[User]:
    """Return the ports that use a network, a subnet or a group.

    A port that was created for the NIC of an `InterfaceAttachment` with `deleted_with` stays until its server is
    deleted, which may be only after the subnet.
    """
    return [_user(context, port) for port in network.list_all(context.cloud.network, "port", **filters)]


def _user(context: Context, port: RemoteObject) -> User:
    server = port.get("device_id")
    owners = [("Server", server)] if server and is_for_a_nic(context.cloud.region, port) else []
    nics = cast("InterfaceAttachmentHandler", get_handler("InterfaceAttachment"))
    return User(describe_port(port), owners, partial(nics.remove, context, str(server), port["id"]))


def describe_port(port: RemoteObject) -> str:
    """Describe a port and the device that uses it, for a message."""
    return f"port {port['id']}" + (f" ({port['device_owner']} {port['device_id']})" if port.get("device_id") else "")


def shared_reason(network: Mapping[str, Any]) -> str | None:
    """Return why a program must not manage a network, or a subnet of it, that several projects use."""
    is_shared = network.get("shared") or network.get("router:external")
    return "a network that is shared or external is looked up, not managed" if is_shared else None
