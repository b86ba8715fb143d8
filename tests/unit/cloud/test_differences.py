"""In what a region differs from OpenStack."""

from __future__ import annotations

import pytest

from ecs_pulumi.cloud.differences import Differences, Fact

OPENSTACK, OTC = {"compute", "network", "volumev3"}, {"compute", "network", "evs", "vpc"}


def test_fact_is_known_once_it_is_noted() -> None:
    """A fact is about its subject only; a second note is not new."""
    differences = Differences(lambda: OPENSTACK)
    assert not differences.knows(Fact.NO_ACTION, "shelve")
    assert differences.note(Fact.NO_ACTION, "shelve")
    assert not differences.note(Fact.NO_ACTION, "shelve")
    assert differences.knows(Fact.NO_ACTION, "shelve")
    assert not differences.knows(Fact.NO_ACTION, "pause")


@pytest.mark.parametrize(
    ("services", "is_assumed"),
    [(OPENSTACK, False), (OPENSTACK | {"vpc"}, False), (OTC, True)],
    ids=["OpenStack", "one of the services", "both services"],
)
def test_difference_is_assumed_from_the_catalog(services: set[str], is_assumed: bool) -> None:  # noqa: FBT001
    """Only both services are a sign."""
    assert Differences(lambda: services).keeps_first_nic is is_assumed


def test_lists_are_not_filtered_by_a_description_that_is_missing() -> None:
    """An answer about one kind shows nothing of another; the sign is about all kinds."""
    differences = Differences(lambda: OPENSTACK)
    differences.note(Fact.NO_ATTRIBUTE, "port", "description")
    assert not differences.filters_by_description("port")
    assert differences.filters_by_description("network")
    assert not Differences(lambda: OTC).filters_by_description("network")
