"""Special cases of security groups and their rules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import network
from ecs_pulumi.dynamic import provider, rpc_bridge, run
from ecs_pulumi.dynamic.existing import ExistingObjects
from ecs_pulumi.dynamic.ownership import OWNERSHIP
from ecs_pulumi.resources import registry
from tests.fields.assertions import assert_complete, assert_no_changes, assert_updates_in_place
from tests.support import steps
from tests.support.steps import SAME, Failed, Refused, Step, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]

SSH = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22}
WEB = {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 443}
MEMBERS = {"direction": "ingress", "remote_group_id": "self"}
ALL_OUT = {"direction": "egress"}


def rule_ids(group: Resource) -> dict[Any, str]:
    """Return the ids of the rules of a group by direction, protocol and first port."""
    return {
        (rule["direction"], rule.get("protocol"), rule.get("port_range_min")): rule["id"]
        for rule in group.outputs["all_rules"]
    }


def rule_notices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each further notice about `rules` is added."""
    lines = list[str]()

    def log(_: str, text: str, **__: Any) -> None:
        if text.startswith("rules: "):
            lines.append(text)

    monkeypatch.setattr(rpc_bridge, "log", log)
    return lines


def test_rules_change_one_by_one(new: New) -> None:
    """A changed set keeps the rules that remain, with their ids; other spellings are no change."""
    group = new("SecurityGroup")
    group.up(rules=[SSH, ALL_OUT])
    before = rule_ids(group)
    assert_no_changes(group, {"rules": [ALL_OUT, {**SSH, "protocol": "6", "port_range_max": 22}]})
    assert_updates_in_place(group, "rules", {"rules": [WEB, SSH, MEMBERS]})
    after = rule_ids(group)
    assert after["ingress", "tcp", 22] == before["ingress", "tcp", 22]
    assert len(after) == 3
    assert_updates_in_place(group, "rules", {"rules": []})
    assert group.outputs["all_rules"] == []


def test_rules_are_added_before_others_are_removed(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update adds rules, all with one request, before it removes others."""
    group, requests = new("SecurityGroup"), list[str]()
    group.up(rules=[SSH, MEMBERS])
    for name in ("create", "create_several", "delete"):
        original = getattr(network, name)

        def recorded(*arguments: Any, name: str = name, original: Any = original) -> Any:
            requests.append(name)
            return original(*arguments)

        monkeypatch.setattr(network, name, recorded)
    group.up(rules=[WEB, {**WEB, "protocol": "udp"}, MEMBERS])
    assert requests == ["create_several", "delete"]


def test_unmanaged_rules_stay(new: New, fixtures: CloudFixtures) -> None:
    """Without `rules` the default rules stay, and a rule that another client adds is no drift."""
    group = new("SecurityGroup")
    group.up()
    assert {rule["direction"] for rule in group.outputs["all_rules"]} == {"egress"}
    fixtures.cloud.network.create_security_group_rule(security_group_id=group.id, **SSH, port_range_max=22)
    group.refresh()
    assert group.preview() == SAME
    assert len(group.outputs["all_rules"]) == 3


def test_rule_added_by_hand_is_drift(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh shows a rule that another client adds or removes, and the next `up` reverts it.

    The other rules keep their order and their form, so that the diff shows no change of them.
    """
    group = new("SecurityGroup")
    program = {"rules": [SSH, {**WEB, "protocol": "6"}, {**ALL_OUT, "ethertype": "IPv4"}]}
    group.up(**program)
    assert group.state is not None
    rules, all_rules = group.state.inputs["rules"], group.outputs["all_rules"]
    by_hand = fixtures.cloud.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="udp"
    )
    group.refresh()
    added = {"direction": "ingress", "ethertype": "IPv4", "protocol": "udp"}
    assert group.state.inputs["rules"] == group.outputs["rules"] == [*rules, added]
    assert group.outputs["all_rules"][:-1] == all_rules
    fixtures.cloud.network.delete_security_group_rule(rule_ids(group)["ingress", "tcp", 22])
    lines = rule_notices(monkeypatch)
    group.refresh()
    assert lines == [], "a refresh removes nothing"
    assert group.preview(**program) == updates("rules")
    group.up(**program)
    assert_complete(group, program)
    assert fixtures.cloud.network.find_security_group_rule(by_hand.id) is None


def test_description_of_a_rule_changes(new: New) -> None:
    """The API cannot change the description of a rule: it is removed and added again, the others stay."""
    group = new("SecurityGroup")
    group.up(rules=[{**SSH, "description": "one"}, ALL_OUT])
    before = rule_ids(group)
    assert_updates_in_place(group, "rules", {"rules": [{**SSH, "description": "two"}, ALL_OUT]})
    after = rule_ids(group)
    assert after["egress", None, None] == before["egress", None, None]
    assert after["ingress", "tcp", 22] != before["ingress", "tcp", 22]
    # A rule without a description may have any.
    assert_no_changes(group, {"rules": [SSH, ALL_OUT]})


def test_group_refers_to_itself_by_id(new: New) -> None:
    """`self` and the id of the group are equal."""
    group = new("SecurityGroup")
    group.up(rules=[MEMBERS])
    assert group.preview(rules=[{**MEMBERS, "remote_group_id": group.id}]) == SAME
    group.refresh()
    assert group.outputs["rules"][0]["remote_group_id"] == "self"


def test_equal_rules_are_refused(new: New) -> None:
    """Two spellings of one rule in a program are an error of the preview."""
    with pytest.raises(Refused, match=r"rules\[1\]: the same rule as \[0\]"):
        new("SecurityGroup").preview(rules=[SSH, {**SSH, "protocol": "6"}])
    with pytest.raises(Refused, match=r"rules\[0\]\.port_range_max: less than"):
        new("SecurityGroup").preview(rules=[{**WEB, "port_range_max": 1}])
    with pytest.raises(Refused, match=r"rules\[0\]\.remote_group_id: there is no security group"):
        new("SecurityGroup").preview(rules=[{**MEMBERS, "remote_group_id": "no-such-group"}])
    with pytest.raises(Refused, match="name: reserved"):
        new("SecurityGroup").preview(name="default")


def test_rules_that_are_equal_in_their_group_are_refused(new: New) -> None:
    """The preview refuses `self` beside the id of the group, which the API takes for the same rule."""
    group = new("SecurityGroup")
    group.up(rules=[MEMBERS])
    with pytest.raises(Failed, match=r"the rules cannot change: rules\[1\]: the same rule as \[0\]"):
        group.preview(rules=[MEMBERS, {**MEMBERS, "remote_group_id": group.id}])


def test_failure_names_the_rule(new: New) -> None:
    """If the API refuses one of several rules, the error describes that rule."""
    missing = "11111111-1111-4111-8111-111111111111"
    group = new("SecurityGroup", config={"ecs:preflight": "false"})
    with pytest.raises(Failed, match=rf"{missing}.*The rule is ingress tcp 22 from {missing}\."):
        group.up(rules=[WEB, {**SSH, "remote_group_id": missing}])


def test_identical_rule_is_not_taken_over(new: New, fixtures: CloudFixtures) -> None:
    """A rule that another client created is an error that names it; `adopt` imports it."""
    group, rule = new("SecurityGroup"), new("SecurityGroupRule")
    group.up()
    found = fixtures.cloud.network.create_security_group_rule(security_group_id=group.id, **SSH, port_range_max=22)
    program = {"security_group_id": group.id, **SSH, "protocol": "6"}
    with pytest.raises(
        Failed, match=f'{group.id} has an identical rule already: {found.id}, ingress tcp 22; import it with adopt="'
    ):
        rule.up(**program)
    assert rule.state is None
    rule.up(**program, adopt=found.id)
    assert rule.id == found.id
    assert_no_changes(rule, program)


def test_spellings_of_a_rule_are_no_change(new: New) -> None:
    """Another spelling of a rule is no change; another description replaces it, with the delete first."""
    group, rule = new("SecurityGroup"), new("SecurityGroupRule")
    group.up()
    base = {"security_group_id": group.id, "direction": "ingress"}
    rule.up(**base, ethertype="ipv6", protocol="icmp", remote_ip_prefix="2001:DB8::/64")
    assert_no_changes(rule, {**base, "ethertype": "IPv6", "protocol": "58", "remote_ip_prefix": "2001:db8:0::/64"})
    rule.destroy()
    rule.up(**base, protocol="tcp", port_range_min=1, port_range_max=65535)
    assert_no_changes(rule, {**base, "protocol": "6", "port_range_min": 1, "port_range_max": 65535})
    step = rule.preview(**base, protocol="tcp", description="mine")
    assert step == Step("replace", frozenset({"description"}), delete_first=True)
    assert rule.preview(**base, protocol="udp").delete_first is False
    # One bound of all ports is a single port.
    for port in ({"port_range_min": 1, "port_range_max": 65535}, {}):
        rule.up(**base, protocol="tcp", **port)
        assert rule.preview(**base, protocol="tcp", port_range_min=1).op == "replace"
        assert_no_changes(rule, {**base, "protocol": "tcp", **port})
    # A type of ICMP is not its code.
    rule.up(**base, protocol="icmp", port_range_min=3, port_range_max=3)
    assert rule.preview(**base, protocol="icmp", port_range_min=3) == Step("replace", frozenset({"port_range_max"}))
    # A single port needs no end; a rule without its ports is another one.
    rule.up(**base, protocol="tcp", port_range_min=22, port_range_max=22)
    assert_no_changes(rule, {**base, "protocol": "tcp", "port_range_min": 22})
    assert rule.preview(**base, protocol="tcp") == Step("replace", frozenset({"port_range_min"}))


def test_rule_in_group_with_rules_is_refused(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview refuses a SecurityGroupRule for a group whose `rules` the program sets."""
    group, rule = new("SecurityGroup"), new("SecurityGroupRule")
    group.up(rules=[ALL_OUT])
    group.preview(rules=[ALL_OUT])
    # The previews belong to one run.
    monkeypatch.setattr(OWNERSHIP, "clear", lambda: None)
    with pytest.raises(Refused, match=r"manages all rules of .* with `rules`; add this rule there"):
        rule.preview(security_group_id=group.id, **SSH)


def test_group_with_rules_is_refused_after_its_rule(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds if the program declares the rule first: the preview of the group names the rule."""
    group, rule, other = new("SecurityGroup"), new("SecurityGroupRule"), new("SecurityGroup")
    group.name, rule.name = "web", "ssh"
    group.up(rules=[ALL_OUT])
    other.up(rules=[ALL_OUT])
    with monkeypatch.context() as one_run:
        one_run.setattr(OWNERSHIP, "clear", lambda: None)
        assert rule.preview(security_group_id=group.id, **SSH) == Step("create")
        with pytest.raises(Failed, match=rf"SecurityGroup web: a rule of SecurityGroup {group.id} is managed by .*ssh"):
            group.preview(rules=[ALL_OUT])
        assert other.preview(rules=[ALL_OUT]) == SAME
    group.up()
    rule.up(security_group_id=group.id, **SSH)
    group.refresh()
    OWNERSHIP.clear()
    with monkeypatch.context() as one_run:
        one_run.setattr(OWNERSHIP, "clear", lambda: None)
        assert rule.preview(security_group_id=group.id, **SSH) == SAME
        with pytest.raises(
            Failed, match=rf"SecurityGroup web .*: SecurityGroupRule {rule.id} is managed by .*ssh of this program"
        ):
            group.preview(rules=[ALL_OUT, SSH])


def test_equal_rules_of_two_resources_are_refused(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview refuses a rule that another resource describes in any spelling, whichever is declared first."""
    group, first, second = new("SecurityGroup"), new("SecurityGroupRule"), new("SecurityGroupRule")
    group.up()
    first.name, second.name = "first", "second"
    program = {"security_group_id": group.id, **SSH}
    refusal = "SecurityGroupRule {} of this program is the same rule; remove one of the two"

    def preview(*resources: Resource) -> None:
        OWNERSHIP.clear()
        with monkeypatch.context() as one_run:
            one_run.setattr(OWNERSHIP, "clear", lambda: None)
            for resource in resources:
                resource.preview(**program, protocol="tcp" if resource is first else "6")

    program.pop("protocol")
    with pytest.raises(Refused, match=refusal.format("first")):
        preview(first, second)
    first.up(**program, protocol="tcp")
    with pytest.raises(Refused, match=refusal.format("first")):
        preview(first, second)
    with pytest.raises(Failed, match=f"the rule .*tcp 22 22 of {group.id} is managed by .*second of this program; rem"):
        preview(second, first)


def test_rule_moves_into_its_group(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that moves a rule from a resource into `rules` keeps the rule in the cloud."""
    group, rule = new("SecurityGroup"), new("SecurityGroupRule")
    group.up()
    rule.up(security_group_id=group.id, **SSH)
    group.refresh()
    group.up(rules=[SSH, ALL_OUT, {**ALL_OUT, "ethertype": "IPv6"}])
    monkeypatch.setattr(OWNERSHIP, "clear", lambda: None)
    rule.destroy()
    group.refresh()
    assert_no_changes(group, {"rules": [SSH, ALL_OUT, {**ALL_OUT, "ethertype": "IPv6"}]})


def test_fifty_rules_at_once(new: New) -> None:
    """Parallel creates and deletes of the rules of one group lose nothing."""
    group = new("SecurityGroup")
    group.up()
    rules = [new("SecurityGroupRule") for _ in range(50)]
    for number, rule in enumerate(rules):
        rule.name = f"rule{number}"
    program = {"security_group_id": group.id, "direction": "ingress", "protocol": "tcp"}
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda rule: rule.up(**program, port_range_min=1000 + rules.index(rule)), rules))
        group.refresh()
        assert len(group.outputs["all_rules"]) == 52
        list(pool.map(lambda rule: rule.destroy(), rules))
    group.refresh()
    assert len(group.outputs["all_rules"]) == 2


def test_delete_waits_for_ports(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delete of a group waits until the last port has left it, and the status names the port."""
    group, port, statuses = new("SecurityGroup"), new("Port"), list[str]()
    group.up()
    port.up(network_id=fixtures.network, security_group_ids=[group.id])

    def status(urn: str) -> Callable[[str], None]:
        def report(text: str) -> None:
            if text and "SecurityGroup" in urn:
                statuses.append(text)
                fixtures.cloud.network.update_port(port.id, security_groups=[])

        return report

    monkeypatch.setattr(provider, "StatusLine", status)
    group.destroy()
    assert group.state is None
    assert statuses[0].startswith(f"waiting until it is no longer in use by port {port.id}")


def test_delete_names_ports_and_servers(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline the error names the port and the server that use the group."""
    group, server = new("SecurityGroup"), new("Server")
    group.up()
    networks = [{"network_id": fixtures.network}]
    server.up(**fixtures.server_inputs | {"networks": networks, "security_groups": [group.id]})
    with monkeypatch.context() as impatient:
        impatient.setattr(steps, "TIMEOUT", 3.0)
        with pytest.raises(Failed, match=f"still in use by port [-0-9a-f]+ .compute:.* {server.id}.: "):
            group.destroy()
    # The engine deletes the server only after the group if the program does not connect them.
    monkeypatch.setattr(run, "also_deletes", lambda _, kind, id_, **__: (kind, id_) == ("Server", server.id))
    group.destroy()
    assert fixtures.cloud.network.find_security_group(group.name) is None


def test_default_group_is_kept(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may import the project's group `default`; a destroy keeps it and says so."""
    lines = list[str]()
    monkeypatch.setattr(rpc_bridge, "log", lambda _, text, **__: lines.append(text))
    found = next(fixtures.cloud.network.security_groups(name="default", project_id=fixtures.project_id))
    group = new("SecurityGroup")
    for program in ({"adopt": found.id}, {"adopt": found.id, "name": "default"}, {"name": "default"}):
        group.up(**program)
        assert_no_changes(group, program)
    group.destroy()
    assert "not deleted: every project has a group `default`; its rules stay as they are" in lines
    assert fixtures.cloud.network.find_security_group(found.id) is not None


def test_removed_rules_are_noted(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview of a group names the rules that an update removes, and which it adds instead.

    It does not name those that change their description.
    """
    lines = rule_notices(monkeypatch)
    group = new("SecurityGroup")
    group.up(rules=[SSH, {**WEB, "remote_ip_prefix": "10.0.0.0/8"}, {**ALL_OUT, "description": "one"}])
    lines.clear()
    group.preview(rules=[SSH, {**ALL_OUT, "description": "two"}])
    removed, again = lines
    assert removed == (
        "rules: remove ingress tcp 80-443 from 10.0.0.0/8; this cuts the connections that no other rule allows "
        "[cuts-connections: rules]"
    )
    assert again.startswith("rules: 1 rule is removed and added again")
    # A rule that is not known yet may be one that the group has.
    for unknown in (steps.UNKNOWN, [SSH, {**WEB, "remote_ip_prefix": steps.UNKNOWN}, ALL_OUT], [SSH, steps.UNKNOWN]):
        lines.clear()
        assert group.preview(rules=unknown) == updates("rules")
        assert [line for line in lines if "cuts" in line] == []
        assert any("80-443 from 10.0.0.0/8" in line and line.endswith("known yet are the same") for line in lines)
    lines.clear()
    kept = [SSH, {**ALL_OUT, "description": "one"}]
    group.preview(rules=[*kept, {**WEB, "remote_ip_prefix": "10.0.0.0/9"}])
    (line,) = lines
    assert line == (
        "rules: add ingress tcp 80-443 from 10.0.0.0/9, remove ingress tcp 80-443 from 10.0.0.0/8; "
        "this cuts the connections that no other rule allows [cuts-connections: rules]"
    )
    lines.clear()
    group.preview(rules=[*kept, WEB])
    assert lines == ["rules: add ingress tcp 80-443, remove ingress tcp 80-443 from 10.0.0.0/8"]


def test_stateful_of_a_used_group(new: New, fixtures: CloudFixtures) -> None:
    """The preview refuses to change `stateful` while a port uses the group, and names the port."""
    group, port = new("SecurityGroup"), new("Port")
    group.up(stateful=True)
    port.up(network_id=fixtures.network, security_group_ids=[group.id])
    with pytest.raises(Failed, match=f"stateful: it cannot change while a port uses the group.*{port.id}"):
        group.preview(stateful=False)


def test_groups_that_refer_to_each_other_are_imported(new: New, fixtures: CloudFixtures) -> None:
    """`adopt` writes the rules of such groups as resources, and those of other groups into `rules`."""
    one, other, third, rule = new("SecurityGroup"), new("SecurityGroup"), new("SecurityGroup"), new("SecurityGroupRule")
    for name, group in {"one": one, "other": other, "third": third}.items():
        group.name = name
    one.up()
    other.up(rules=[{**MEMBERS, "remote_group_id": one.id}])
    rule.up(security_group_id=one.id, **SSH, remote_group_id=other.id)
    third.up(rules=[MEMBERS, {**SSH, "remote_group_id": one.id}])
    existing = ExistingObjects(registry.connect(fixtures.config.get), registry.kinds())
    keys = existing.candidates.keys()
    assert ("SecurityGroupRule", rule.id) in keys
    assert not {("SecurityGroupRule", each["id"]) for each in third.outputs["all_rules"]} & keys
    rules = existing.imported(existing.candidates["SecurityGroup", third.id]).inputs["rules"]
    assert {**SSH, "port_range_max": 22, "remote_group_id": one.id} in rules
    assert MEMBERS in rules
    assert "rules" not in existing.imported(existing.candidates["SecurityGroup", one.id]).inputs
    rule.destroy()
