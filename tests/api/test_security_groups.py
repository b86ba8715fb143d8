"""Rules of a security group at the limit of their quota, on clouds that take a list of rules and on others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.support.steps import SAME, Failed, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = [{"direction": "ingress", "protocol": "tcp", "port_range_min": number} for number in range(1, 9)]
DEFAULT_GROUP = 4
"""The rules of the group `default`."""


@pytest.fixture(params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulated cloud of each dialect."""
    with Emulator(speed=1000, dialect=request.param) as running:
        yield running


@pytest.fixture
def group(cloud: Emulator) -> Iterator[Resource]:
    """A group in a stack that does not check quotas in its previews."""
    settings = {f"ecs:{name}": value for name, value in cloud.settings.items()}
    resource = Resource("SecurityGroup", {**settings, "ecs:preflight": "false"})
    yield resource
    resource.destroy()


def ids(group: Resource) -> dict[int, str]:
    """Return the ids of the rules of a group by their port."""
    return {rule["port_range_min"]: rule["id"] for rule in group.outputs["all_rules"] if rule.get("port_range_min")}


def test_create_continues_after_quota_is_raised(cloud: Emulator, group: Resource) -> None:
    """A group without all rules is in the state with those that exist; the next `up` adds the others."""
    cloud.set_quota(security_group_rule=DEFAULT_GROUP + 5)
    with pytest.raises(Failed, match="Quota exceeded"):
        group.up(rules=RULES)
    # A list is created as a whole or not at all.
    created = ids(group)
    assert len(created) == (5 if cloud.cloud.dialect.name == "otc" else 0)
    assert len(group.outputs["rules"]) == len(created)
    cloud.set_quota(security_group_rule=DEFAULT_GROUP + len(RULES))
    group.up(rules=RULES)
    assert len(ids(group)) == len(RULES)
    assert created.items() <= ids(group).items()
    assert group.preview(rules=RULES) == SAME


def test_rules_are_exchanged_at_the_quota(cloud: Emulator, group: Resource) -> None:
    """If the quota has no room for rules that are to be added, others are removed first."""
    cloud.set_quota(security_group_rule=DEFAULT_GROUP + 4)
    group.up(rules=RULES[:4])
    before = ids(group)
    group.up(rules=RULES[3:7])
    assert sorted(ids(group)) == [4, 5, 6, 7]
    assert ids(group)[4] == before[4]
    with pytest.raises(Failed, match="Quota exceeded"):
        group.up(rules=RULES)
    assert sorted(ids(group)) == [4, 5, 6, 7], "without room for any rule nothing is removed"
    with pytest.raises(Failed, match="Quota exceeded"):
        group.up(rules=RULES[4:] + RULES[:3])
    assert len(ids(group)) == 4, "as many rules are added as there is room for"
    cloud.set_quota(security_group_rule=DEFAULT_GROUP + 7)
    group.up(rules=RULES[4:] + RULES[:3])
    assert sorted(ids(group)) == [1, 2, 3, 5, 6, 7, 8]
