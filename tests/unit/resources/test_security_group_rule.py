"""When a rule that exists already is an error of the preview, and when a create takes it over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from pulumi.output import UNKNOWN

from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.fields import CheckInputs
from ecs_pulumi.dynamic.handler import Provenance
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources import security_group_rule
from ecs_pulumi.resources.idempotent_create import _created

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.resources.clients import Context

SSH = {"security_group_id": "g", "direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
URN = "urn:pulumi:test::shop::SecurityGroupRule::ssh"
MARKER = "marker of ssh"


class Cloud:
    """A cloud with two groups that have the rule for SSH, and what is known of the rule of the first one.

    Attributes:
        provenance: Where the rule comes from.
        description: Its description.
        marker: The owner marker of the resource.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.provenance = Provenance.FOREIGN
        self.description: str | None = ""
        self.marker = MARKER
        self.sent: list[Any] = []
        request = rpc_bridge.RequestContext(urn=URN)
        monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
        monkeypatch.setattr(security_group_rule, "catalog", lambda _: self)
        monkeypatch.setattr(security_group_rule, "owner_marker", lambda _: self.marker)
        region = SimpleNamespace(name="eu")
        self.context = cast(
            "Context",
            SimpleNamespace(cloud=SimpleNamespace(region=region), provenance=lambda id_, _: self._provenance_of(id_)),
        )

    def _provenance_of(self, id_: str) -> Provenance:
        assert id_ == "r"
        return self.provenance

    def security_groups(self) -> list[dict[str, Any]]:
        """Return the groups."""
        udp = {**SSH, "id": "u", "protocol": "udp"}
        other = {**SSH, "id": "o", "security_group_id": "h"}
        found = {**SSH, "id": "r", "description": self.description}
        return [{"id": "h", "security_group_rules": [other]}, {"id": "g", "security_group_rules": [udp, found]}]

    def problems(self, inputs: dict[str, Any], *, prior: dict[str, Any] | None = None, replaces: bool = False) -> Any:
        """Return the problems of a rule in a preview."""
        checked = CheckInputs(inputs, prior or {}, is_replacement=replaces)
        return list(security_group_rule._existing_rule(self.context, checked, inputs["security_group_id"]))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud with a rule."""
    OWNERSHIP.clear()
    yield Cloud(monkeypatch)
    OWNERSHIP.clear()


def test_preview_refuses_a_rule_that_exists(cloud: Cloud) -> None:
    """The error names the rule and how to import it, whatever the spelling of the program."""
    (problem,) = cloud.problems({**SSH, "protocol": "6"})
    assert problem.property == "security_group_id"
    assert problem.reason == (
        'the group g has an identical rule already: r, ingress tcp 22; import it with adopt="r", or delete it first'
    )
    cloud.description = "by hand"
    (problem,) = cloud.problems(SSH)
    assert ': r (description "by hand"), ingress tcp 22;' in problem.reason


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ({"port_range_max": 23}, {}),
        ({"direction": "egress"}, {}),
        ({"port_range_min": UNKNOWN}, {}),
        ({"security_group_id": "other"}, {}),
        ({"adopt": "r"}, {}),
        ({}, {"prior": SSH}),
        ({}, {"replaces": True}),
    ],
)
def test_preview_accepts_another_rule(cloud: Cloud, inputs: dict[str, Any], options: dict[str, Any]) -> None:
    """A rule that differs, is imported, exists in the state or is replaced is no new one."""
    assert cloud.problems({**SSH, **inputs}, **options) == []


@pytest.mark.parametrize("provenance", [each for each in Provenance if each is not Provenance.FOREIGN])
def test_preview_accepts_a_rule_of_the_stack(cloud: Cloud, provenance: Provenance) -> None:
    """The create decides about a rule that the stack has or had."""
    cloud.provenance = provenance
    assert cloud.problems(SSH) == []


@pytest.mark.parametrize(("marker", "refused"), [(MARKER, 0), ("", 1)])
def test_preview_leaves_an_orphan_to_the_create(cloud: Cloud, marker: str, refused: int) -> None:
    """A rule with the owner marker of the resource is its orphan; without markers, an empty description shows none."""
    cloud.marker = cloud.description = marker
    assert len(cloud.problems(SSH)) == refused


def test_preview_does_not_search_a_group_of_this_run(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that this run has created has no rule of anybody else."""
    monkeypatch.setattr(cloud, "security_groups", None)
    _created.add("g")
    try:
        assert cloud.problems(SSH) == []
    finally:
        _created.discard("g")


@pytest.mark.parametrize(
    ("provenance", "has_owner", "is_replaced", "is_partial", "expected"),
    [
        (Provenance.RENAMED, False, False, False, True),
        (Provenance.RENAMED, False, True, True, True),
        (Provenance.RENAMED, False, False, True, False),
        (Provenance.RENAMED, True, True, False, False),
        (Provenance.FOREIGN, False, True, False, False),
        (Provenance.PREDECESSOR, False, True, False, False),
        (Provenance.INTERRUPTED, False, True, False, False),
    ],
)
def test_rule_that_the_stack_gives_up(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    provenance: Provenance,
    *,
    has_owner: bool,
    is_replaced: bool,
    is_partial: bool,
    expected: bool,
) -> None:
    """A rule of another resource in the state, which no resource of the program keeps in this run.

    A run that excludes resources may keep the other one, unless it is known to replace it.
    """
    cloud.provenance = provenance
    monkeypatch.setattr(run, "is_partial", lambda: is_partial)
    monkeypatch.setattr(run, "replaces", lambda *found: is_replaced and found == (URN, "SecurityGroupRule", "r"))
    if has_owner:
        OWNERSHIP.keep(ObjectKey("SecurityGroupRule", "eu", "r"), "urn:other")
    assert security_group_rule._is_given_up(cloud.context, {"id": "r"}) is expected


def test_result_of_a_create_is_the_same_rule() -> None:
    """An orphan is imported for a resource only if group, values and the description of the program are the same."""
    handler = security_group_rule.HANDLER
    remote = {**SSH, "id": "r", "description": "mine"}
    assert handler.result_evidence({**SSH, "protocol": "6", "description": "mine"}, remote) == "values"
    for other in ({"security_group_id": "h"}, {"protocol": "udp"}, {"description": "yours"}):
        assert handler.result_evidence({**SSH, "description": "mine", **other}, remote) == ""
