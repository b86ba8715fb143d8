"""SecurityGroupRule: one rule of a security group (Neutron API reference, "Security group rules")."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    CheckInputs,
    Computed,
    Inputs,
    Outputs,
    Problem,
    References,
    Replace,
    ReplacedIfUnset,
    has_unknown,
    is_unknown,
    to_plain,
)
from ecs_pulumi.dynamic.handler import ImportedResource, Provenance
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources import missing_attributes, preflight
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import create_or_find, created_in_this_run, is_younger
from ecs_pulumi.resources.neutron import with_marker
from ecs_pulumi.resources.owner_markers import is_owner_marker, owner_marker
from ecs_pulumi.resources.quota import QuotaNeed
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.security_group import has_rule_resources
from ecs_pulumi.resources.security_rules import (
    NEW_RULE_OF,
    PORTS,
    RULE_FIELDS,
    RULES_OF,
    SAME_RULE,
    Direction,
    Ethertype,
    check_rule,
    describe_rule,
    is_equal_field,
    is_equal_rule,
    rule_body,
    rule_key,
    rule_place,
)

_RULE = "security_group_rule"
_CLOCKS_DIFFER = 60.0
"""Seconds by which the clocks of the cloud's hosts may differ."""


class SecurityGroupRuleInputs(Inputs):
    """One rule of a security group, for groups that refer to each other or are managed elsewhere.

    The packets that the rule describes pass. A group whose `rules` the program sets takes no further rule.

    Source: Neutron API reference, "Security group rules".
    """

    security_group_id: Annotated[str, Replace(), References("SecurityGroup")] = Field(
        description="Id of the security group."
    )
    direction: Annotated[Direction, Replace()] = Field(description="`ingress` or `egress`.")
    ethertype: Annotated[Ethertype, Replace()] = Field("IPv4", description="`IPv4` or `IPv6`.")
    protocol: Annotated[str | None, ReplacedIfUnset()] = Field(
        None, description="Name or number of the protocol, for example `tcp`. Default: any protocol."
    )
    port_range_min: Annotated[int | None, ReplacedIfUnset()] = Field(
        None, description="First port, or the only one; for ICMP the type. Default: all ports."
    )
    port_range_max: Annotated[int | None, ReplacedIfUnset()] = Field(None, description="Last port; for ICMP the code.")
    remote_ip_prefix: Annotated[str | None, ReplacedIfUnset()] = Field(
        None, description="Range of addresses of the other side. Default: all addresses."
    )
    remote_group_id: Annotated[str | None, ReplacedIfUnset(), References("SecurityGroup")] = Field(
        None, description="Security group of the other side."
    )
    remote_address_group_id: Annotated[str | None, ReplacedIfUnset()] = Field(
        None, description="Address group of the other side."
    )
    description: Annotated[str | None, Replace(), AlwaysSet()] = Field(None, max_length=255, description="Description.")
    project_id: Annotated[str | None, Replace(), Computed(), AlwaysSet()] = Field(
        None, description="Project that owns it. Only an administrator can set another project."
    )


class SecurityGroupRuleOutputs(Outputs):
    """Attributes that only the cloud sets."""

    created_at: str | None = Field(None, description="When it was created, UTC.")


class SecurityGroupRuleHandler(EcsHandler[SecurityGroupRuleInputs]):
    """Handler of security group rules."""

    name = "SecurityGroupRule"
    inputs = SecurityGroupRuleInputs
    outputs = SecurityGroupRuleOutputs
    title = "Rules of security groups"
    report_rules = "ecs_pulumi.resources.security_group_rule_report_rules"

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Check that protocol, ports and addresses are valid and fit each other."""
        yield from (Problem(name, reason) for name, reason in check_rule(checked.values))

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the groups exist, and that nothing else manages or contains the rule."""
        yield from super().preflight(context, checked)
        resolver = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "security_group_id", resolver.security_group_id)
        yield from preflight.check_exists(checked, "remote_group_id", resolver.security_group_id)
        yield from preflight.check_exists(
            checked, "remote_address_group_id", lambda id_: resolver.neutron("address_group", id_)
        )
        group_id = checked.known("security_group_id")
        if group_id:
            yield from _managed_by_group(context, group_id)
            yield from _declared_twice(context, checked)
            yield from _existing_rule(context, checked, group_id)

    def quota_needs(self, context: Context, checked: CheckInputs) -> Iterable[QuotaNeed]:  # noqa: ARG002
        """Yield one rule for a create."""
        if not checked.prior:
            yield QuotaNeed("security_group_id", "network", {"security_group_rules": 1})

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the rules of the project."""
        region = context.cloud.region
        listed = network.list_all(region.network, _RULE, tenant_id=region.project_id)
        return [each for each in listed if each.get("project_id", each.get("tenant_id")) == region.project_id]

    def result_evidence(self, inputs: Mapping[str, Any], remote: RemoteObject) -> str:
        """Compare what the rule describes, its group and the description that the program sets."""
        is_same = inputs.get("security_group_id") == remote["security_group_id"] and rule_key(inputs) == rule_key(
            remote
        )
        return super().result_evidence(inputs, remote) and ("values" if is_same else "")

    def label(self, existing: Existing, remote: RemoteObject) -> str:
        """The name of the group, and what the rule describes."""
        group = existing.of("SecurityGroup").get(remote["security_group_id"], {}).get("name")
        parts = (group, remote["direction"], remote.get("protocol"), remote.get("port_range_min"))
        return "-".join(str(part) for part in parts if part)

    def ineligible_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return why the group of the rule cannot be managed."""
        group = existing.of("SecurityGroup").get(remote["security_group_id"])
        if group is None or not has_rule_resources(existing, group):
            return "it belongs to its security group"
        return existing.ineligible_reason("SecurityGroup", group["id"])

    def candidates(self, existing: Existing) -> Iterator[Candidate]:
        """Yield the rules, each attached to its group."""
        for each in super().candidates(existing):
            yield replace(each, attached_to=("SecurityGroup", each.remote["security_group_id"]))

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the range of addresses without host bits, which the checks reject."""
        resource = super().import_resource(existing, remote, outputs)
        if resource.inputs.get("remote_ip_prefix"):
            resource.inputs["remote_ip_prefix"] = remote.get("normalized_cidr") or remote["remote_ip_prefix"]
        return resource

    def delete_before_replace(self, context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Delete first if both are the same rule, for example with another description."""
        if has_unknown(new.get("security_group_id")) or new.get("security_group_id") != prior.get("security_group_id"):
            return False
        return rule_key(new) == rule_key(prior)

    def requires_replacement(
        self, context: Context, prior: Mapping[str, Any], new: Mapping[str, Any], changed: list[str]
    ) -> list[str]:
        """Return the changed inputs, or those of the ports if only both together are a change."""
        ports = [] if is_equal_rule(new, prior) else [name for name in PORTS if new.get(name) is not None]
        return super().requires_replacement(context, prior, new, changed) or ports

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Ignore differences in spelling."""
        if name in RULE_FIELDS and not is_unknown(desired):
            return is_equal_field(name, desired, prior)
        return super().is_equal(name, desired, prior)

    def also_holds(self, id_: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Yield what the rule describes, which no other rule of its group may describe."""
        if place := rule_place(inputs.get("security_group_id"), inputs):
            yield SAME_RULE, place

    def ownership_updates(self, context: Context, remote: RemoteObject) -> dict[str, Any]:  # noqa: ARG002
        """Update nothing: the description of a rule cannot change."""
        return {}

    def find_own_orphans(self, context: Context, desired: SecurityGroupRuleInputs) -> list[tuple[str, None]]:
        """Find rules with the owner marker of the resource. `create` finds those with a description of the program."""
        if desired.description:
            return []
        return [(rule["id"], None) for rule in with_marker(context, _RULE, owner_marker(context))]

    def create(self, context: Context, desired: SecurityGroupRuleInputs) -> RemoteObject:
        """Create the rule.

        An identical rule is used if an earlier request of this resource created it, or if another resource of the stack
        gives it up. A program whose rules are numbered shifts them so: the engine deletes what the other resource had
        only after this create, and the API accepts no second one.
        """
        api, wanted = context.cloud.network, to_plain(desired)
        body = {"description": owner_marker(context), **rule_body(wanted, desired.security_group_id)}
        if desired.description == "" or not body["description"]:
            del body["description"]
        if desired.project_id:
            body["tenant_id"] = desired.project_id
        start, is_lost = api.clock.now(), False

        def send() -> RemoteObject:
            nonlocal is_lost
            try:
                return missing_attributes.send(context, _RULE, body, partial(network.create, api, _RULE))
            except errors.EcsError as error:
                is_lost = is_lost or errors.may_have_taken_effect(error)
                raise

        def identical() -> list[RemoteObject]:
            listed = network.list_all(api, _RULE, security_group_id=desired.security_group_id)
            return [rule for rule in listed if rule_key(rule) == rule_key(wanted)]

        try:
            remote = create_or_find(context, api, send, identical, partial(_is_described, context, body))
        except errors.QuotaExceeded:
            raise
        except errors.Conflict as conflict:
            listed = context.cloud.writes.read_until(identical, bool, desired.security_group_id)
            if not listed:
                raise
            found = listed[0]
            is_young = is_lost and is_younger(api, found, start, _CLOCKS_DIFFER)
            is_own = is_young or context.provenance(found["id"], None) is Provenance.INTERRUPTED
            if is_own and _is_described(context, body, found):
                remote = found
            elif _is_given_up(context, found):
                remote = self._take_over(context, desired, body, found)
            else:
                raise _exists(context, found) from conflict
        context.record_id(remote["id"])
        if desired.description:
            missing_attributes.warn_if_missing(context, _RULE, "description")
        return remote

    def _take_over(
        self, context: Context, desired: SecurityGroupRuleInputs, body: RemoteObject, found: RemoteObject
    ) -> RemoteObject:
        """Return the rule that another resource gives up, or a new one in its place if the description differs."""
        description = found.get("description") or ""
        is_any = desired.description is None and is_owner_marker(description)
        if is_any or _is_described(context, body, found):
            return found
        if not run.replaces(rpc_bridge.current_request().urn, self.name, found["id"]):
            raise _exists(context, found)
        # The run deletes the rule of the other resource anyway.
        self.delete(context, found["id"], {})
        create = partial(network.create, context.cloud.network, _RULE)
        return missing_attributes.send(context, _RULE, body, create)

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the rule from the list that all refreshes of rules share."""
        return context.cloud.region.network_objects(_RULE).read(id_)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current rule, None if it does not exist."""
        try:
            return network.get(context.cloud.network, _RULE, id_)
        except errors.NotFound:
            return None

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the attributes that are inputs or outputs."""
        names = ["security_group_id", *RULE_FIELDS, "description", "created_at"]
        if missing_attributes.has_learned_missing(context.cloud.region, _RULE, "description"):
            names.remove("description")
        return {
            "region": context.cloud.region.name,
            **{name: remote[name] for name in names if name in remote},
            "project_id": remote.get("project_id", remote.get("tenant_id")),
        }

    def update(
        self,
        context: Context,
        id_: str,
        desired: SecurityGroupRuleInputs,
        prior: Mapping[str, Any],
    ) -> RemoteObject:
        """Return the rule: no input can be changed in place."""
        return self.read_current(context, id_, desired, prior)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete the rule."""
        try:
            network.delete(context.cloud.network, _RULE, id_)
        except errors.NotFound:
            return


def _is_described(context: Context, body: RemoteObject, rule: RemoteObject) -> bool:
    """Whether a rule has the description of a request, unless the cloud keeps none."""
    is_same = (rule.get("description") or "") == body.get("description", "")
    return is_same or missing_attributes.keeps_no_description(context.cloud.region, _RULE, rule)


def _managed_by_group(context: Context, group_id: str) -> Iterator[Problem]:
    """Reject a rule in a group whose `rules` another resource of the program manages.

    If the engine requests the diff of that resource later, the diff finds the place that this rule holds.
    """
    region, urn = context.cloud.region.name, rpc_bridge.current_request().urn
    OWNERSHIP.keep(ObjectKey(NEW_RULE_OF, region, group_id), urn)
    owner = OWNERSHIP.other_owner(ObjectKey(RULES_OF, region, group_id))
    if owner:
        yield Problem(
            "security_group_id",
            f"SecurityGroup {owner.rpartition('::')[2]} of this program manages all rules of {group_id} with `rules`; "
            "add this rule there, or remove `rules` there",
        )


def _existing_rule(context: Context, checked: CheckInputs, group_id: str) -> Iterator[Problem]:
    """Reject a new rule that the group contains already."""
    wanted = rule_key(checked.values)
    if (
        wanted is None
        or checked.prior
        or checked.is_replacement
        or checked.has("adopt")
        or created_in_this_run(group_id)
    ):
        return
    for group in catalog(context.cloud.region).security_groups():
        for rule in group.get("security_group_rules") or () if group["id"] == group_id else ():
            if rule_key(rule) == wanted and context.provenance(rule["id"], None) is Provenance.FOREIGN:
                # The marker of this resource belongs to an orphan, which `create` handles.
                if (rule.get("description") or "") != owner_marker(context) or not owner_marker(context):
                    yield Problem("security_group_id", _message(rule))
                return


def _declared_twice(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Reject a rule that another resource of the program describes as well.

    The diff of a resource that is not changed finds what this one holds in the same way.
    """
    region, urn = context.cloud.region.name, rpc_bridge.current_request().urn
    place = rule_place(checked.known("security_group_id"), checked.values)
    if place and (other := OWNERSHIP.keep(ObjectKey(SAME_RULE, region, place), urn)):
        yield Problem("security_group_id", _same_rule(other))


def _same_rule(urn: str) -> str:
    return f"SecurityGroupRule {urn.rpartition('::')[2]} of this program is the same rule; remove one of the two"


def _is_given_up(context: Context, rule: RemoteObject) -> bool:
    """Whether another resource of the stack has the rule according to the state, and not after this run."""
    if context.provenance(rule["id"], None) is not Provenance.RENAMED or _owner(context, rule):
        return False
    return run.replaces(rpc_bridge.current_request().urn, HANDLER.name, rule["id"]) or not run.is_partial()


def _owner(context: Context, rule: RemoteObject) -> str | None:
    """Return the URN of another resource of the program that has the rule in this run."""
    key = ObjectKey(HANDLER.name, context.cloud.region.name, rule["id"])
    return OWNERSHIP.other_owner(key, rpc_bridge.current_request().urn)


def _message(rule: RemoteObject) -> str:
    described = f' (description "{rule["description"]}")' if rule.get("description") else ""
    return (
        f"the group {rule['security_group_id']} has an identical rule already: {rule['id']}{described}, "
        f"{describe_rule(rule)}; "
        f'import it with adopt="{rule["id"]}", or delete it first'
    )


def _exists(context: Context, rule: RemoteObject) -> errors.OperationFailed:
    if owner := _owner(context, rule):
        return errors.OperationFailed("the rule cannot be created", _same_rule(owner))
    if context.provenance(rule["id"], None) is Provenance.RENAMED:
        reason = (
            f"{rule['id']}, {describe_rule(rule)}, belongs to another resource of this stack, with the description "
            f'"{rule.get("description") or ""}"; set the same `description` here and update the whole stack, or, if '
            "this resource was renamed, add its former name to `aliases`"
        )
        return errors.OperationFailed(f"the group {rule['security_group_id']} has an identical rule already", reason)
    return errors.OperationFailed("the rule cannot be created", _message(rule))


HANDLER = SecurityGroupRuleHandler()
