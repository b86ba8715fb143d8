"""The page about what the package covers names all kinds and lookups, and resources that exist."""

from __future__ import annotations

import importlib
import json
import re
import sys

import pulumi
import pytest

import ecs_pulumi as ecs
from ecs_pulumi.resources.registry import kinds
from tests.support.command import printed
from tools.workspace import CHECKOUT

PAGE = CHECKOUT / "docs" / "coverage.md"


def test_every_kind_and_lookup_is_named() -> None:
    """The first table has every kind, with a link to its page, and every lookup."""
    table = PAGE.read_text().partition("## What it does not cover")[0]
    assert set(re.findall(r"\]\(reference/([A-Z]\w+)\.md\)", table)) == set(kinds())
    lookups = {name for name in ecs.__all__ if re.match("get_|list_", name) and not name.endswith("_output")}
    assert set(re.findall(r"`((?:get|list)_\w+)`", table)) == lookups


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the other provider imports its own deprecated resources
def test_resources_of_the_other_provider_exist() -> None:
    """Each resource of pulumi-openstack that the page names exists."""
    named = re.findall(r"`([a-z]+)\.([A-Z]\w+)`", PAGE.read_text())
    assert len(named) > 20
    for module, name in named:
        assert issubclass(getattr(importlib.import_module(f"pulumi_openstack.{module}"), name), pulumi.CustomResource)


def test_program_with_both_providers() -> None:
    """The member of the load balancer has the address of our port, and the record that of our floating IP."""
    declared = json.loads(printed((sys.executable, "-m", "tests.support.declared", str(PAGE)), folder=CHECKOUT))
    assert declared["Member web"]["address"] == "ip_address of Port web"
    assert declared["Member web"]["subnetId"] == "id of Subnet shop"
    assert declared["RecordSet web"]["records"] == ["address of FloatingIp web"]
    assert declared["FloatingIp web"]["port_id"] == "vipPortId of LoadBalancer web"
