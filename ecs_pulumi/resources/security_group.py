"""SecurityGroup: which packets the ports of the group let pass (Neutron API reference, "Security groups")."""

import contextlib
import http
import itertools
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.polling import wait_for
from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.existing import Key
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    Computed,
    InPlace,
    Nested,
    Outputs,
    Problem,
    References,
    Set,
    has_unknown,
    match_items,
    objects,
    to_plain,
)
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.deletion import User, delete_when_unused
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.neutron import NeutronHandler, NeutronInputs, dependent_ports, describe_port
from ecs_pulumi.resources.owner_markers import is_owner_marker
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.quota import QuotaNeed
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.security_rules import (
    NEW_RULE_OF,
    RULE_FIELDS,
    RULES_OF,
    SELF,
    Direction,
    Ethertype,
    canonical_prefix,
    check_rule,
    covers,
    describe_rule,
    rule_body,
    rule_key,
)

_ATTEMPTS = 4
_PAUSE = 0.5
_DEFAULT = "default"
"""The name of the group that the cloud creates with each project."""
_RULE = "security_group_rule"


class SecurityGroupInlineRule(Nested):
    """A rule: the packets that it describes pass."""

    arguments_name: ClassVar[str] = "SecurityGroupRuleArgs"

    direction: Direction = Field(description="`ingress` or `egress`.")
    ethertype: Ethertype = Field("IPv4", description="`IPv4` (the default) or `IPv6`.")
    protocol: str | None = Field(
        None, description="Name or number of the protocol, for example `tcp`. Default: any protocol."
    )
    port_range_min: int | None = Field(
        None, description="First port, or the only one; for ICMP the type. Default: all ports."
    )
    port_range_max: int | None = Field(None, description="Last port; for ICMP the code.")
    remote_ip_prefix: str | None = Field(
        None, description="Range of addresses of the other side. Default: all addresses."
    )
    remote_group_id: Annotated[str | None, References("SecurityGroup")] = Field(
        None, description="Security group of the other side; `self` is the group itself."
    )
    remote_address_group_id: str | None = Field(None, description="Address group of the other side.")
    description: str | None = Field(None, max_length=255, description="Description.")


class SecurityGroupAssignedRule(Nested):
    """A rule of the group as the API returns it."""

    id: str = Field(description="Id of the rule.")
    direction: str = Field(description="`ingress` or `egress`.")
    ethertype: str = Field(description="`IPv4` or `IPv6`.")
    protocol: str | None = Field(None, description="Name or number of the protocol.")
    port_range_min: int | None = Field(None, description="First port, or the type of ICMP.")
    port_range_max: int | None = Field(None, description="Last port, or the code of ICMP.")
    remote_ip_prefix: str | None = Field(None, description="Range of addresses of the other side.")
    remote_group_id: str | None = Field(None, description="Security group of the other side.")
    remote_address_group_id: str | None = Field(None, description="Address group of the other side.")
    description: str | None = Field(None, description="Description.")
    security_group_id: str = Field(description="Id of the group.")


class SecurityGroupInputs(NeutronInputs):
    """A security group: its rules define which packets pass the ports that belong to it. All others are dropped.

    A new group lets all packets out and none in. `rules` replaces these default rules; without `rules`, they stay, and
    the rules of the group are not managed here: declare them as `SecurityGroupRule`.

    Source: Neutron API reference, "Security groups".
    """

    rules: Annotated[list[SecurityGroupInlineRule] | None, InPlace(), Set(), AlwaysSet()] = Field(
        None,
        description="All rules of the group, a set; an empty list means none. Default: the rules are not managed here.",
    )
    stateful: Annotated[bool | None, InPlace(), Computed()] = Field(
        None, description="Whether replies pass without a rule. It cannot change while a port uses the group."
    )


class SecurityGroupOutputs(Outputs):
    """Attributes that only the cloud sets."""

    all_rules: list[SecurityGroupAssignedRule] = Field(description="All rules of the group with their ids.")
    created_at: Annotated[str | None, ChangedBy()] = Field(None, description="When it was created, UTC.")
    updated_at: str | None = Field(None, description="When it was last changed, UTC.")


class SecurityGroupHandler(NeutronHandler[SecurityGroupInputs]):
    """Handler of security groups."""

    name = "SecurityGroup"
    inputs = SecurityGroupInputs
    outputs = SecurityGroupOutputs
    title = "Security groups"
    singular = "security_group"
    quota_property = "name"
    attribute_map: ClassVar = {"project_id": "tenant_id"}

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Check each rule, and that no two rules are the same."""
        name = checked.known("name")
        is_new = not checked.has("adopt") and name != checked.prior.get("name")
        if is_new and str(name).lower() == _DEFAULT:
            yield Problem("name", "reserved: every project has a group `default`, which the cloud creates")
        rules = [(index, rule) for index, rule in checked.items("rules") if isinstance(rule, Mapping)]
        for index, rule in rules:
            yield from (Problem("rules", f"[{index}].{name}: {reason}") for name, reason in check_rule(rule))
        yield from (Problem("rules", reason) for reason in _equal_rules(rules))

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the groups to which the rules refer exist."""
        yield from super().preflight(context, checked)
        if name := checked.known("name"):
            planned(context.cloud.region).security_groups.add(name)
        if not checked.changed("rules"):
            return
        resolver = catalog(context.cloud.region)
        look_ups = {
            "remote_group_id": resolver.security_group_id,
            "remote_address_group_id": lambda id_: resolver.neutron("address_group", id_),
        }
        for index, rule in checked.items("rules"):
            for name, look_up in look_ups.items():
                id_ = rule.get(name)
                if isinstance(id_, str) and id_ != SELF and not created_in_this_run(id_):
                    for problem in preflight.missing("rules", lambda look_up=look_up, id_=id_: look_up(id_)):  # type: ignore[misc]
                        yield Problem("rules", f"[{index}].{name}: {problem.reason}")

    def quota_needs(self, context: Context, checked: CheckInputs) -> Iterator[QuotaNeed]:
        """Yield the group and its rules. A new group has default rules even if the program sets others."""
        yield from super().quota_needs(context, checked)
        rules = checked.values.get("rules")
        count = len(rules) if isinstance(rules, list) else 0
        if not checked.prior:
            yield QuotaNeed("rules", _QUOTA_OF_RULES, {"security_group_rules": max(count, _DEFAULT_RULES)})
        elif isinstance(rules, list) and (present := _present_rules(context, checked.prior)) is not None:
            yield QuotaNeed("rules", _QUOTA_OF_RULES, {"security_group_rules": count - len(present)})

    def preflight_update(
        self,
        context: Context,
        id_: str,
        new: Mapping[str, Any],
        changed: list[str],
    ) -> None:
        """Raise an error if `stateful` cannot change, or if one rule refers to `self` and an equal one to the id."""
        for reason in _equal_rules(CheckInputs(new).items("rules"), (SELF, id_)):
            raise errors.OperationFailed("the rules cannot change", f"rules{reason}")
        if "stateful" in changed and (ports := self._dependents(context, id_)):
            reason = "stateful: it cannot change while a port uses the group"
            raise errors.OperationFailed(reason, f"used by {errors.join_names(list(map(str, ports)))}")

    def report_plan(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> None:
        """Show which rules replace others, and which are added again because the API cannot change their description.

        The notice says that connections are cut unless another rule covers each removed one.
        """
        own, prior = _own_ids(context.prior), objects(context.prior.get("rules"))
        if "rules" in changed:
            plan = _RulePlan(objects(new.get("rules")), prior, own)
            if plan.removed:
                context.notify(_removal_notice(plan, new.get("rules"), own))
            if plan.redescribed:
                count = len(plan.redescribed)
                which = "1 rule is" if count == 1 else f"{count} rules are"
                context.notify(f"rules: {which} removed and added again, which is how their description changes")

    def also_holds(self, id_: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield all rules of the group if it manages them: no SecurityGroupRule adds another one or deletes one."""
        if inputs.get("rules") is not None:
            yield RULES_OF, id_
            yield NEW_RULE_OF, id_
            yield from (("SecurityGroupRule", str(rule["id"])) for rule in objects(inputs.get("all_rules")))

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Compare rules in the form in which all spellings of a rule are equal."""
        if name == "rules" and isinstance(desired, list) and isinstance(prior.get(name), list):
            plan = _RulePlan(desired, prior[name], _own_ids(prior))
            return not plan.missing and not plan.surplus
        return super().is_equal(name, desired, prior)

    def match_set(self, name: str, desired: list[Any], prior: Mapping[str, Any]) -> list[int | None]:
        """Match rules in any spelling."""
        if name == "rules":
            return _RulePlan(desired, prior[name], _own_ids(prior)).places
        return super().match_set(name, desired, prior)

    def create(self, context: Context, desired: SecurityGroupInputs) -> RemoteObject:
        """Create the group, and replace its default rules by those that the program sets."""
        return self._with_rules(context, super().create(context, desired), desired, is_new=True)

    def update(
        self, context: Context, id_: str, desired: SecurityGroupInputs, prior: Mapping[str, Any]
    ) -> RemoteObject:
        """Change the group, then its rules one by one: what is to be added is added before anything is removed."""
        return self._with_rules(context, super().update(context, id_, desired, prior), desired)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:
        """Delete the group once no port uses it. Keep the group `default`, which every project has."""
        if prior.get("name") == _DEFAULT:
            context.notify("not deleted: every project has a group `default`; its rules stay as they are")
            return
        api = context.cloud.network

        def delete() -> None:
            try:
                network.delete(api, self.singular, id_)
            except errors.Conflict as conflict:
                if conflict.body_type not in (None, "SecurityGroupInUse"):
                    raise errors.OperationFailed("the group cannot be deleted", str(conflict)) from conflict
                raise

        def users() -> list[str | User]:
            ports = network.list_all(api, "port", security_groups=id_)
            return [_user(context, port, id_) for port in ports] or ["a port that this account cannot see"]

        # A server may take longer to delete than what uses other objects.
        delete_when_unused(context, delete, users, name_users=True, seconds=self.timeout)

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the attributes of the API, and the rules in the form of the program and with their ids."""
        outputs = super().to_outputs(context, remote)
        rules = [_known_properties(rule, remote["id"]) for rule in remote.get("security_group_rules") or ()]
        # Rules that the state has keep their places, so that a diff shows only those that another client added.
        places = {rule["id"]: place for place, rule in enumerate(objects(context.prior.get("all_rules")))}
        outputs["all_rules"] = sorted(
            rules, key=lambda rule: (places.get(rule["id"], len(places)), str(rule_key(rule)), rule["id"])
        )
        outputs["rules"] = [_as_written(rule) for rule in outputs["all_rules"]]
        return outputs

    def unmanaged_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return that another project owns the group, or that the cloud created it with the project."""
        is_default = remote.get("name") == _DEFAULT
        return super().unmanaged_reason(existing, remote) or ("every project has it" if is_default else None)

    def lookup(self, existing: Existing, remote: RemoteObject) -> str:
        """Look up the default group, and a group of another project."""
        return "get_security_group" if self.unmanaged_reason(existing, remote) else ""

    def parts(self, existing: Existing) -> Iterator[tuple[Key, Key]]:
        """Yield the rules that belong to the input `rules` of their group."""
        for id_, group in existing.of(self.name).items():
            if not has_rule_resources(existing, group):
                yield from (
                    (("SecurityGroupRule", rule["id"]), (self.name, id_)) for rule in group["security_group_rules"]
                )

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the rules unless they are the default ones, or groups refer to each other."""
        resource = super().import_resource(existing, remote, outputs)
        keys = {rule_key(rule) for rule in outputs["rules"]}
        defaults = {rule_key({"direction": "egress", "ethertype": version}) for version in ("IPv4", "IPv6")}
        is_split = has_rule_resources(existing, remote)
        rules = [_without_defaults(rule) for rule in outputs["rules"]]
        resource.inputs["rules"] = None if is_split or keys == defaults else rules
        if is_split and not existing.declarations:
            resource.comments.append("Its rules are resources, because the groups refer to each other.")
        if outputs.get("stateful") is False:
            resource.inputs["stateful"] = False
        return resource

    def _is_sent(self, name: str) -> bool:
        return name != "rules" and super()._is_sent(name)

    def _dependents(self, context: Context, id_: str) -> list[User]:
        return dependent_ports(context, security_groups=id_)

    def _with_rules(
        self, context: Context, remote: RemoteObject, desired: SecurityGroupInputs, *, is_new: bool = False
    ) -> RemoteObject:
        """Change the rules of the group to the desired ones, if the program manages them; return the group."""
        if desired.rules is None:
            return remote
        rules = RuleUpdate(context, remote).run(to_plain(desired.rules), is_new=is_new)
        _hold(context, rules)
        return {**remote, "security_group_rules": rules}


_DEFAULT_RULES = 2
_QUOTA_OF_RULES = "network"


def _equal_rules(rules: Iterable[tuple[int, Any]], own: Collection[str] = ()) -> Iterator[str]:
    """Yield the rules that equal an earlier one, each with its index and that of the earlier one."""
    places: dict[Any, int] = {}
    for index, rule in rules:
        key = rule_key(rule, own)
        if key is not None and places.setdefault(key, index) != index:
            yield f"[{index}]: the same rule as [{places[key]}]"


def _present_rules(context: Context, prior: Mapping[str, Any]) -> list[Any] | None:
    """Return the rules that a group has with these prior inputs; None if several groups have its name."""
    if isinstance(prior.get("rules"), list):
        return list(prior["rules"])
    groups = [each for each in catalog(context.cloud.region).security_groups() if each["name"] == prior.get("name")]
    return list(groups[0]["security_group_rules"]) if len(groups) == 1 else None


class _RulePlan:
    """The difference between the desired rules of a group and the present ones.

    Attributes:
        places: For each desired rule, the index of the present one that is equal; None without one.
        missing: The desired rules that the group does not have.
        surplus: The rules that the group must not have.
        redescribed: Those of `missing` that differ from one of `surplus` in their description only.
        added: Those of `missing` that are not in `redescribed`.
        removed: Those of `surplus` without one in `redescribed`.
    """

    def __init__(
        self, desired: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]], own: Iterable[str]
    ) -> None:
        own = frozenset((*own, SELF))
        keys = {id(rule): rule_key(rule, own) for rule in (*desired, *present)}

        def fits(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
            is_same = keys[id(one)] is not None and keys[id(one)] == keys[id(other)]
            return is_same and one.get("description") in (None, other.get("description") or "")

        self.places = match_items(desired, present, fits)
        self.missing = [rule for rule, place in zip(desired, self.places, strict=True) if place is None]
        self.surplus = [rule for place, rule in enumerate(present) if place not in self.places]
        surplus_keys = {keys[id(rule)] for rule in self.surplus}
        self.redescribed = [rule for rule in self.missing if keys[id(rule)] in surplus_keys - {None}]
        redescribed_keys = {keys[id(rule)] for rule in self.redescribed}
        self.added = [rule for rule in self.missing if keys[id(rule)] not in redescribed_keys]
        self.removed = [rule for rule in self.surplus if keys[id(rule)] not in redescribed_keys]


def _removal_notice(plan: _RulePlan, desired: Any, own: Collection[str]) -> str:
    """Return the notice of the rules that an update removes, and of those that it adds instead."""
    added, removed = (
        errors.join_names([describe_rule(rule) for rule in rules]) for rules in (plan.added, plan.removed)
    )
    if has_unknown(desired):
        return f"rules: remove {removed}, unless the rules that are not known yet are the same"
    text = f"rules: add {added}, remove {removed}" if added else f"rules: remove {removed}"
    if all(any(covers(other, rule, own) for other in objects(desired)) for rule in plan.removed):
        return text
    return Notice.CUTS.with_code(f"{text}; this cuts the connections that no other rule allows", ["rules"])


class RuleUpdate:
    """Changes the rules of one group."""

    def __init__(self, context: Context, group: RemoteObject) -> None:
        self._context = context
        self._api = context.cloud.network
        self._group_id = group["id"]
        self._rules: list[RemoteObject] = list(group.get("security_group_rules") or ())

    def run(self, desired: list[dict[str, Any]], *, is_new: bool) -> list[RemoteObject]:
        """Add what is missing, then remove what is surplus, and return the rules.

        The default rules of a new group, which no port uses, are removed first: then they do not count for the quota.
        """
        plan = _RulePlan(desired, self._rules, [self._group_id])
        if is_new:
            self._remove(plan.surplus)
            self._add(plan.missing)
            return self._rules
        first = plan.added
        try:
            self._add(first)
            first = []
        except errors.QuotaExceeded:
            if not plan.surplus:
                raise
        self._remove(plan.surplus)
        # Without room for all rules, the group gets as many as it had.
        pending, room = plan.redescribed + first, len(plan.surplus)
        self._add(pending[:room])
        self._add(pending[room:])
        return self._rules

    def _remove(self, rules: Iterable[Mapping[str, Any]]) -> None:
        for rule in rules:
            with contextlib.suppress(errors.NotFound):
                network.delete(self._api, _RULE, rule["id"])
            self._rules = [each for each in self._rules if each["id"] != rule["id"]]

    def _add(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Create rules. After a lost response, and if another client has created one of them, add what is missing."""
        for attempt in itertools.count(1):
            try:
                self._create([rule_body(rule, self._group_id) for rule in rules])
            except errors.EcsError as error:
                is_lost = errors.may_have_taken_effect(error)
                if not (is_lost or isinstance(error, errors.Conflict)):
                    raise
                if is_lost:
                    self._context.report_status("response lost; searching for the rules")
                    self._context.cloud.connection.clock.sleep(_PAUSE)
                count = len(rules)
                rules = self._still_missing(rules)
                is_final = isinstance(error, errors.ApiError) and error.status == http.HTTPStatus.INTERNAL_SERVER_ERROR
                is_stuck = not is_lost and len(rules) == count
                if rules and (is_final or is_stuck or attempt == _ATTEMPTS):
                    raise
            else:
                return

    def _still_missing(self, rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Read the rules of the group again, and return those that it still lacks."""

        def read() -> list[Mapping[str, Any]]:
            listed = wait_for(
                lambda: network.list_all(self._api, _RULE, security_group_id=self._group_id),
                done=lambda _: True,
                deadline=self._context.cloud.deadline,
                what="the rules of the group",
            )
            self._rules = [rule for rule in listed if not self._context.cloud.writes.has_deleted(rule["id"])]
            own = {self._group_id}
            present = {rule_key(rule, own) for rule in self._rules}
            return [rule for rule in rules if rule_key(rule, own) not in present]

        return self._context.cloud.writes.read_until(read, operator.not_, self._group_id)

    def _create(self, bodies: list[RemoteObject]) -> None:
        """Create rules with one request, where the API accepts a list, else with one request for each."""
        differences = self._context.cloud.region.differences
        if len(bodies) > 1 and not differences.knows(Fact.NO_LIST_OF_RULES):
            try:
                self._rules += network.create_several(self._api, _RULE, bodies)
            except (errors.BadRequest, errors.NotFound):
                # Either the API takes no list, or a rule is invalid: then the request for that rule alone says so.
                pass
            else:
                return
        for body in bodies:
            try:
                self._rules.append(network.create(self._api, _RULE, body))
            except errors.ApiError as error:
                error.hint = f"The rule is {describe_rule(body)}. {error.hint}".rstrip()
                raise
        if len(bodies) > 1:
            differences.note(Fact.NO_LIST_OF_RULES)


def has_rule_resources(existing: Existing, group: RemoteObject) -> bool:
    """Whether `adopt` writes each rule of a group as a resource: groups that refer to each other, and Terraform."""
    if existing.declarations:
        return True
    groups, seen = existing.of("SecurityGroup"), set[str]()
    queue = _referred(group)
    while queue:
        id_ = queue.pop()
        if id_ == group["id"]:
            return True
        if id_ not in seen and id_ in groups:
            seen.add(id_)
            queue += _referred(groups[id_])
    return False


def _referred(group: RemoteObject) -> list[str]:
    ids = {rule.get("remote_group_id") for rule in group.get("security_group_rules") or ()}
    return [id_ for id_ in ids if id_ and id_ != group["id"]]


def _known_properties(rule: RemoteObject, group_id: str) -> RemoteObject:
    names = ("id", *RULE_FIELDS, "description")
    return {name: rule[name] for name in names if rule.get(name) not in (None, "")} | {"security_group_id": group_id}


def _as_written(rule: RemoteObject) -> RemoteObject:
    """Return a rule in the form of the input `rules`."""
    written = {name: value for name, value in rule.items() if name not in ("id", "security_group_id")}
    if written.get("remote_group_id") == rule["security_group_id"]:
        written["remote_group_id"] = SELF
    return written


def _without_defaults(rule: RemoteObject) -> RemoteObject:
    """Return a rule without what a program need not set, and without the owner marker of a resource."""
    is_marked = is_owner_marker(rule.get("description") or "")
    omitted = {"ethertype": "IPv4", "description": rule.get("description") if is_marked else None}
    prefix = canonical_prefix(rule.get("remote_ip_prefix"))
    known = {**rule, "remote_ip_prefix": prefix}
    return {name: value for name, value in known.items() if value not in (None, omitted.get(name))}


def _own_ids(outputs: Mapping[str, Any]) -> set[str]:
    """Return the id of the group with these outputs, if it has a rule."""
    return {str(rule.get("security_group_id")) for rule in objects(outputs.get("all_rules"))}


def _user(context: Context, port: RemoteObject, group_id: str) -> User:
    """Return a port as a user of the group. Its resource may be the server for which Nova created it."""
    server = port.get("device_id") or ""
    owners = (("Port", port["id"]), ("Server", server), ("InterfaceAttachment", f"{server}/{port['id']}"))

    def leave() -> None:
        remaining = [each for each in port.get("security_groups") or () if each != group_id]
        with contextlib.suppress(errors.NotFound):
            network.update(context.cloud.network, "port", port["id"], {"security_groups": remaining})

    return User(describe_port(port), owners, leave)


def _hold(context: Context, rules: Iterable[Mapping[str, Any]]) -> None:
    """Make the group the owner of its rules in this run: a SecurityGroupRule that the program drops keeps them."""
    urn, region = rpc_bridge.current_request().urn, context.cloud.region.name
    for rule in rules:
        OWNERSHIP.keep(ObjectKey("SecurityGroupRule", region, str(rule["id"])), urn)


HANDLER = SecurityGroupHandler()
