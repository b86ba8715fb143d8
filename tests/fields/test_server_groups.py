"""Server groups, and the servers in them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute
from ecs_pulumi.resources import registry
from tests.fields.assertions import assert_no_changes
from tests.support.steps import Failed, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]


def _in_group(fixtures: CloudFixtures, group: Resource) -> dict[str, Any]:
    return fixtures.server_inputs | {"scheduler_hints": {"group": group.id}}


def test_affinity_that_cannot_be_satisfied(new: New, fixtures: CloudFixtures) -> None:
    """The server without a host reports Nova's reason and is replaced; the group shows its members after a refresh."""
    group, first, second = new("ServerGroup"), new("Server"), new("Server")
    group.up(policy="affinity")
    zones = fixtures.landscape.zones
    first.up(**_in_group(fixtures, group), availability_zone=zones[0])
    with pytest.raises(Failed, match=r"No valid host was found. There are not enough hosts available"):
        second.up(**_in_group(fixtures, group), availability_zone=zones[-1])
    assert second.outputs["status"] == "ERROR"
    second.up(**_in_group(fixtures, group), availability_zone=zones[0])
    assert first.outputs["host_id"] == second.outputs["host_id"]
    assert_no_changes(second, _in_group(fixtures, group) | {"availability_zone": zones[0]})
    group.refresh()
    assert sorted(group.outputs["members"]) == sorted([first.id, second.id])
    assert_no_changes(group, {"policy": "affinity"})


def test_anti_affinity_that_cannot_be_satisfied(new: New, fixtures: CloudFixtures) -> None:
    """The server for which no other host is left reports Nova's reason."""
    group, zone = new("ServerGroup"), fixtures.landscape.zones[0]
    group.up(policy="anti-affinity")
    servers = [new("Server") for _ in range(2)]
    servers[0].up(**_in_group(fixtures, group), availability_zone=zone)
    with pytest.raises(Failed, match=r"No valid host was found. There are not enough hosts available"):
        servers[1].up(**_in_group(fixtures, group), availability_zone=zone)
    # The policy of the group cannot change, so a softer one is another group, and the server is replaced.
    other = new("ServerGroup")
    other.up(policy="soft-anti-affinity")
    servers[1].up(**_in_group(fixtures, other), availability_zone=zone)
    assert servers[0].outputs["host_id"] == servers[1].outputs["host_id"]


def test_group_of_a_server_must_exist(new: New, fixtures: CloudFixtures) -> None:
    """A preview reports a group that does not exist, and the id that belongs to a name."""
    group, server = new("ServerGroup"), new("Server")
    group.up(policy="soft-affinity")
    name = group.outputs["name"]
    for hint, reason in (
        (name, f'group: there is no server group with the id "{name}"; the one of that name has the id {group.id}'),
        ("nowhere", 'group: there is no server group with the id "nowhere"'),
    ):
        with pytest.raises(Refused) as refused:
            server.preview(**fixtures.server_inputs, scheduler_hints={"group": hint})
        assert refused.value.reasons == {"": f"scheduler_hints: {reason}"}


def test_maximum_is_for_anti_affinity_only(new: New) -> None:
    """The check rejects a maximum of servers per host with another policy."""
    with pytest.raises(Refused, match="applies only to the policy `anti-affinity`, not to `affinity`"):
        new("ServerGroup").preview(policy="affinity", max_server_per_host=2)


def test_group_of_the_same_name_is_not_taken_over(new: New, fixtures: CloudFixtures) -> None:
    """A name of a group is not unique: a new resource creates a group of its own."""
    name = fixtures.unique_name("group")
    first, second = new("ServerGroup"), new("ServerGroup")
    for each in (first, second):
        each.up(name=name, policy="affinity")
    assert first.id != second.id


def test_group_of_a_later_page(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of groups has no link to its next page: later pages are read by their offset."""
    monkeypatch.setattr(importlib.import_module("ecs_pulumi.emulator.nova.service"), "LIST_LIMIT", 2)
    monkeypatch.setattr(compute, "MIN_FULL_PAGE", 2)
    groups = [new("ServerGroup") for _ in range(3)]
    for number, group in enumerate(groups):
        group.up(name=f"group-{number}", policy="soft-affinity")
    listed = compute.list_server_groups(registry.connect(fixtures.config.get).region.compute)
    assert {group.id for group in groups} <= {each["id"] for each in listed}
